"""A minimal Azure Functions host: starts the Python worker, loads an app's timer functions and fires them.

What the real host does besides is left out: schedules, the singleton lease and retries.
"""

import json
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sandbox.functions.app import FunctionAppError, TimerFunction, read_app
from sandbox.functions.channel import LogLine, RpcServer
from sandbox.functions.process import WorkerDied, WorkerProcess, read_output
from sandbox.functions.protos import protos

__all__ = ["FunctionAppError", "FunctionHost", "Invocation", "LogLine", "WorkerDied"]

STARTUP_SECONDS = 60.0
TICK = timedelta(minutes=5)  # schedules are not evaluated here, so a timer's status names a nominal tick


@dataclass(frozen=True)
class Invocation:
    """One run of a function: how it ended, how long it took and what it logged.

    ``error`` is the exception's message alone, ``error_type`` its class, ``stack`` its traceback; all
    three are empty when the run succeeded.
    """

    succeeded: bool
    error: str
    error_type: str
    stack: str
    logs: list[LogLine]
    seconds: float


class FunctionHost:
    """Runs the app in ``app_root`` with the given app settings while the context is open.

    ``environment`` is the worker's whole environment, apart from PATH and its like. ``on_log`` is called for
    each log line as it arrives, in a thread of the host's; what it raises fails the runs under way.

    Raises:
        FunctionAppError: on entering, when the app cannot be read, resolved or loaded.
        WorkerDied: on entering, when the worker does not start.
    """

    def __init__(
        self,
        app_root: Path,
        environment: Mapping[str, str],
        python: str = sys.executable,
        *,
        site_packages: Sequence[Path] = (),
        on_log: Callable[[LogLine], None] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.app_root = app_root.resolve()
        self.functions: dict[str, TimerFunction] = {}
        self._environment = dict(environment)
        self._python = python
        self._site_packages = [path.resolve() for path in site_packages]  # the worker starts elsewhere
        self._on_log = on_log
        self._now = now
        self._logs: dict[str, list[LogLine]] = {}
        self._last: dict[str, datetime] = {}

    def __enter__(self) -> Self:
        self.functions = read_app(self.app_root, self._environment)
        self._file = tempfile.TemporaryFile()
        self._server = RpcServer()
        try:
            self._start_worker()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._worker.stop()
        finally:
            self._close()

    @property
    def worker_pid(self) -> int:
        """The process id of the worker that was started last."""
        return self._worker.pid

    @property
    def output(self) -> str:
        """What the workers have written to stdout and stderr."""
        return read_output(self._file)

    def fire(self, name: str, *, past_due: bool = False, timeout: float = 600.0) -> Invocation:
        """Runs the function and waits for its end; a function's own exception is in the result, not raised.

        Raises:
            WorkerDied: the worker ended first, or there is none.
            TimeoutError: the run took over ``timeout`` seconds; the worker was killed, as the host does.
        """
        future = self.start(name, past_due=past_due)
        try:
            return future.result(timeout)
        except TimeoutError:
            self.kill()
            message = f"{name} had not ended after {timeout:g} s; its worker was killed"
            raise TimeoutError(message) from None

    def start(self, name: str, *, past_due: bool = False) -> Future[Invocation]:
        """As `fire`, without waiting."""
        if name not in self.functions:
            loaded = ", ".join(self.functions) or "none"
            raise FunctionAppError(f"{name} is not loaded; the functions that are: {loaded}")
        invocation_id = str(uuid.uuid4())
        logs = self._logs[invocation_id] = []
        began = time.monotonic()

        def read(message: Any) -> Invocation:
            self._logs.pop(invocation_id, None)
            return _invocation(message.invocation_response.result, logs, time.monotonic() - began)

        timer = protos.ParameterBinding(name=self.functions[name].timer, data=self._timer(name, past_due))
        request = protos.InvocationRequest(invocation_id=invocation_id, function_id=name, input_data=[timer])
        return self._worker.channel.ask(read, invocation_request=request)

    def ping(self, timeout: float = 5.0) -> None:
        """Asks for the worker's status; TimeoutError means that its main thread is held up."""
        self._worker.channel.ask(lambda _: None, worker_status_request={}).result(timeout)

    def kill(self) -> int:
        """Kills the worker as the platform kills one that hangs; returns its exit status, -9."""
        return self._worker.kill()

    def terminate(self, grace: float = 30.0) -> int:
        """Shuts the worker down as the platform does: SIGTERM, a time of grace, the end.

        Returns the exit status: 0, or -15 without a handler for SIGTERM, or -9 when it did not react.
        """
        return self._worker.terminate(grace)

    def restart(self) -> None:
        """Ends the worker, if it still runs, and starts another with the app as it is on disk now."""
        self._worker.stop()
        self.functions = read_app(self.app_root, self._environment)
        self._start_worker()

    def _start_worker(self) -> None:
        self._logs.clear()
        self._worker = WorkerProcess(
            self._server,
            python=self._python,
            app_root=self.app_root,
            site_packages=self._site_packages,
            environment=self._environment,
            on_log=self._log,
            output=self._file,
        )
        try:
            self._initialize()
        except BaseException:
            self._worker.kill()
            raise

    def _initialize(self) -> None:
        root = str(self.app_root)
        self._ask("worker_init", host_version="4", function_app_directory=root)
        self._ask("functions_metadata", answer="function_metadata", function_app_directory=root)
        for function in self.functions.values():
            self._ask("function_load", function_id=function.name, metadata=_metadata(function))

    def _ask(self, verb: str, *, answer: str = "", **fields: Any) -> None:
        """Raises FunctionAppError, with the worker's traceback, when the worker's answer is a failure."""

        def read(message: Any) -> Any:
            return getattr(message, f"{answer or verb}_response").result

        result = self._worker.channel.ask(read, **{f"{verb}_request": fields}).result(STARTUP_SECONDS)
        if result.status != protos.StatusResult.Success:
            raise FunctionAppError(f"{result.exception.message}\n{result.exception.stack_trace}")

    def _log(self, line: LogLine) -> None:
        if line.invocation_id in self._logs:
            self._logs[line.invocation_id].append(line)
        if self._on_log is not None:
            self._on_log(line)

    def _timer(self, name: str, past_due: bool) -> Any:  # noqa: FBT001 - handed on from a keyword
        now = self._now()
        last = self._last.get(name, datetime.min.replace(tzinfo=UTC))
        self._last[name] = now
        moments = {"Last": last, "Next": now + TICK, "LastUpdated": last}
        status = {key: moment.isoformat() for key, moment in moments.items()}
        timer = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": status, "IsPastDue": past_due}
        return protos.TypedData(json=json.dumps(timer))

    def _close(self) -> None:
        self._server.close()
        self._file.close()


def _metadata(function: TimerFunction) -> Any:
    bindings = {
        binding["name"]: protos.BindingInfo(
            type=binding["type"], direction=protos.BindingInfo.Direction.Value(binding.get("direction", "in"))
        )
        for binding in function.bindings
    }
    return protos.RpcFunctionMetadata(
        name=function.name,
        function_id=function.name,
        directory=str(function.directory),
        script_file=str(function.script_file),
        entry_point=function.entry_point,
        language="python",
        bindings=bindings,
        raw_bindings=[json.dumps(binding) for binding in function.bindings],
    )


def _invocation(result: Any, logs: list[LogLine], seconds: float) -> Invocation:
    """The runtime gives an exception as ``<class>: <message>``."""
    kind, _, message = result.exception.message.partition(": ")
    succeeded = bool(result.status == protos.StatusResult.Success)
    return Invocation(succeeded, message, kind, result.exception.stack_trace, logs, seconds)
