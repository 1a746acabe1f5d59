"""One worker process, from its start to its end, whichever way that comes."""

import os
import signal
import subprocess
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import wait
from pathlib import Path
from typing import IO

from sandbox.functions.channel import LogLine, RpcServer, WorkerChannel

# What a program needs of the machine; everything else in the worker's environment is the app's own.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")
PROJECT = Path(__file__).parents[2]


class WorkerDied(Exception):
    """The worker process ended, or was ended, before it answered."""


class WorkerProcess:
    """A Python worker that connects to the given server; its output goes into the given file.

    A thread waits for its end. Everyone who still awaits an answer then gets `WorkerDied`, at once.
    """

    def __init__(  # noqa: PLR0913 - what a process is started with
        self,
        server: RpcServer,
        *,
        python: str,
        app_root: Path,
        site_packages: Sequence[Path],
        environment: Mapping[str, str],
        on_log: Callable[[LogLine], None],
        output: IO[bytes],
    ) -> None:
        worker_id = str(uuid.uuid4())
        self.channel = WorkerChannel(on_log)
        self._output = output
        self._ended = threading.Event()
        server.expect(worker_id, self.channel)
        command = [python, "-u", "-m", "sandbox.functions.worker", "--host", "127.0.0.1"]
        command += ["--port", str(server.port), "--worker-id", worker_id, "--app-root", str(app_root)]
        command += ["--site-packages", *map(str, site_packages)]
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        self._process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env={**inherited, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        threading.Thread(target=self._watch, daemon=True).start()

    @property
    def pid(self) -> int:
        """The process id, also after its end."""
        return self._process.pid

    def send_signal(self, number: signal.Signals) -> None:
        """Does nothing when the process has ended."""
        if not self._ended.is_set():
            self._process.send_signal(number)

    def kill(self) -> int:
        """SIGKILL; returns the exit status as `subprocess` counts it, -9 for SIGKILL."""
        self.send_signal(signal.SIGKILL)
        return self._wait_ended()

    def stop(self, grace: float = 5.0) -> int:
        """Asks the worker to leave, as the host does before it kills it; returns the exit status."""
        self.channel.tell(worker_terminate={})
        if not self._ended.wait(grace):
            return self.kill()
        return self._wait_ended()

    def terminate(self, grace: float) -> int:
        """SIGTERM, then ``grace`` seconds for the running functions to end, then `stop`."""
        running = self.channel.pending
        self.send_signal(signal.SIGTERM)
        wait(running, timeout=grace)
        return self.stop()

    def _wait_ended(self) -> int:
        self._ended.wait()
        return self._process.returncode

    def _watch(self) -> None:
        status = self._process.wait()
        if self.channel.connected.is_set():
            self.channel.ended.wait(2)  # what it sent before its end is still to be read
        self.channel.fail(WorkerDied(self._obituary(status)))
        self._ended.set()

    def _obituary(self, status: int) -> str:
        cause = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        tail = read_output(self._output)[-2000:].strip()
        said = f". Its output ends with:\n{tail}" if tail else ""
        return f"The Functions worker, process {self.pid}, has ended with {cause}{said}"


def read_output(file: IO[bytes]) -> str:
    """The whole file, read in place: the worker writes at an offset that it shares with this process."""
    size = os.fstat(file.fileno()).st_size
    return os.pread(file.fileno(), size, 0).decode(errors="replace")
