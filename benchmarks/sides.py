"""The two that are held against each other, on the same replaying ends: the connector and the leanest loop."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import orjson

from benchmarks.lean import Account
from benchmarks.replay import DOCUSIGN_HOST, PAGE, Replay
from sandbox.demo import FUNCTION, figures_of
from sandbox.functions.host import FunctionHost
from sandbox.world import ROOT

WARM_UP = 2
_UTIME = 11
"""Where `utime` stands in /proc/<pid>/stat, counted behind the name; `stime` follows."""
_SETTINGS = {"PAGE_SIZE": str(PAGE), "PAGE_INTERVAL_SECONDS": "0", "RUN_SECONDS": "500"}
_NETWORK = ("HTTPS_PROXY", "NO_PROXY", "no_proxy", "REQUESTS_CA_BUNDLE")


@dataclass
class Run:
    """One run of the connector: its figures, its seconds of CPU, and of the clock."""

    figures: dict[str, Any]
    cpu: float
    wall: float


class Connector:
    """The function in its worker process, fired by the sandbox's host."""

    def __init__(self, replay: Replay, host: FunctionHost) -> None:
        self._replay = replay
        self._host = host
        self._proc = Path("/proc", str(host.worker_pid))

    def carry(self, pages: int) -> Run:
        """Carry so many more pages, in one run that must catch up."""
        self._replay.pages += pages
        cpu, wall = self._cpu(), monotonic()
        figures = figures_of(self._host.fire(FUNCTION))
        run = Run(figures, self._cpu() - cpu, monotonic() - wall)
        if (figures["outcome"], figures["events"]) != ("caught-up", pages * PAGE):
            raise RuntimeError(f"The connector carried {figures}, and should have carried {pages} pages.")
        return run

    def peak_megabytes(self) -> float:
        """The most memory that the worker ever had resident (VmHWM), in MB."""
        status = (self._proc / "status").read_text(encoding="ascii")
        kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
        return int(kilobytes) * 1024 / 1_000_000

    def _cpu(self) -> float:
        """User and system time of all its threads, in seconds."""
        fields = (self._proc / "stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[_UTIME]) + int(fields[_UTIME + 1])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def connector(replay: Replay, *, warm: bool = True) -> Iterator[Connector]:
    """A connector in a fresh worker; a warm one has its tokens, secrets and connections."""
    with replay.function_host(**_SETTINGS) as host:
        side = Connector(replay, host)
        if warm:
            side.carry(WARM_UP)
        yield side


def run_lean(replay: Replay, pages: int, *, raw: bool = False) -> Account:
    """Carry so many pages with the leanest loop, in a fresh process that is warmed up first."""
    total = max(replay.pages, pages + WARM_UP)
    command = [
        *(sys.executable, "-m", "benchmarks.lean"),
        f"https://{DOCUSIGN_HOST}/v1/organizations/lean/stream",
        f"https://{replay.workspace_id}.ods.opinsights.azure.com/api/logs?api-version=2016-04-01",
        f"page-{total - pages - WARM_UP}",
        *("--warm-up", str(WARM_UP), *(["--raw"] if raw else [])),
    ]
    before, replay.pages = replay.pages, total
    network = {name: replay.environment[name] for name in _NETWORK}
    done = subprocess.run(command, cwd=ROOT, env=os.environ | network, capture_output=True, check=True)
    replay.pages = before
    account = Account(**orjson.loads(done.stdout))
    if account.events != pages * PAGE:
        raise RuntimeError(f"The leanest loop carried {account}, and should have carried {pages} pages.")
    return account
