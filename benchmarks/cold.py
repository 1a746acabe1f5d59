"""(d) Cold start: imports and the first page, and (f) requests for a long stream."""

import subprocess
import sys
from pathlib import Path
from statistics import median
from time import monotonic

from benchmarks.replay import PAGE, Replay
from benchmarks.results import Result, Say
from benchmarks.sides import connector
from sandbox.world import ROOT

IMPORTS_BOUND = 1.2
_FUNCTION = "import MonitorTimerTrigger"
_LIBRARIES = (
    "import azure.identity, azure.keyvault.secrets, azure.storage.blob, requests, jwt, orjson, tenacity, "
    "cryptography.hazmat.primitives.serialization"
)
_TIMED = "import azure.functions, time; start = time.process_time(); {}; print(time.process_time() - start)"
"""The runtime has loaded azure.functions before it loads a function."""


def measure_imports(rounds: int, say: Say) -> list[Result]:
    """The function module's imports over those of its libraries alone, in turns."""
    say(f"imports, {rounds} rounds")
    times: dict[str, list[float]] = {_FUNCTION: [], _LIBRARIES: []}
    for _ in range(rounds):
        for statement, seconds in times.items():
            seconds.append(_seconds(statement))
    ours, theirs = median(times[_FUNCTION]), median(times[_LIBRARIES])
    return [
        Result("d cold start", "imports, to those of the libraries alone", ours / theirs, "", IMPORTS_BOUND),
        Result("d cold start", "imports, CPU", ours * 1000, "ms"),
    ]


def measure_first_page(folder: Path, pages: int, rounds: int, say: Say) -> list[Result]:
    """From the firing of a fresh worker to the first page taken; then the requests of that whole run."""
    started, first = [], []
    for number in range(1, rounds + 1):
        say(f"first page, round {number} of {rounds}")
        with Replay(folder / f"first-{number}") as replay:
            start = monotonic()
            with connector(replay, warm=False) as side:
                fired = monotonic()
                side.carry(pages if number == rounds else 1)
                started.append(fired - start)
                first.append(replay.first_post - fired)
                requests = dict(replay.requests)
    return [
        Result("d cold start", "a new worker, until the function is loaded", median(started) * 1000, "ms"),
        Result("d cold start", "from its firing to the first page taken", median(first) * 1000, "ms"),
        *(
            Result("f requests", f"{kind}, {pages * PAGE:,} events", requests.get(kind, 0), "requests")
            for kind in ("DocuSign", "DocuSign sign-in", "ingestion", "storage", "vault", "identity")
        ),
    ]


def _seconds(statement: str) -> float:
    command = [sys.executable, "-c", _TIMED.format(statement)]
    return float(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout)
