"""The soak: a long stream through the connector under faults and kills, and the account of what arrived.

A source that counts gives numbered events; every service spoils a share of its answers; the worker is killed
at moments of its run, again and again. In the end the ids that the workspace took are held against the ids
that DocuSign gave.
"""

import argparse
import json
import random
import signal
import sys
import tempfile
import time
from array import array
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from sandbox.bounce import MOMENTS, Bouncer
from sandbox.demo import FUNCTION, TERMINATED
from sandbox.faults import AMBIGUOUS, SPOILED, Fault
from sandbox.functions.host import FunctionHost
from sandbox.functions.process import WorkerDied
from sandbox.source import empty_organization, numbered_events
from sandbox.state import dead_letters, end_lease
from sandbox.workspace.kql import query
from sandbox.world import Sandbox

STATUSES = (408, 429, 500, 502, 503)
PAGE = 2_000
RUN_SECONDS = "8"
"""Short runs, so that many end by themselves and are killed while they end."""
IN_A_PAGE, RELEASING = MOMENTS[:-1], MOMENTS[-1]
_RUNS_A_RELEASE = 25
_RUNS_A_LINE = 10
"""Where no bar can be drawn, a line shows the progress."""


@dataclass
class Account:
    """What the soak found."""

    events: int
    kills: int = 0
    runs: int = 0
    failed_runs: int = 0
    faulty_answers: int = 0
    answers: int = 0
    lost: int = 0
    repeated: int = 0
    repeats_allowed: int = 0
    out_of_order: int = 0
    rows: int = 0
    rows_after_removal: int = 0
    dead_letters: int = 0
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether the promise held."""
        return (
            self.lost == self.out_of_order == self.dead_letters == 0
            and self.repeated <= self.repeats_allowed
            and self.rows_after_removal == self.events
        )


class Soak:
    """One soak.

    Args:
        sandbox: With an organization without history.
        events: Length of the stream.
        kills: How many kills to reach, spread over the stream.
        faults: The share of answers that are spoiled.
        seed: Of the dice.
    """

    def __init__(self, sandbox: Sandbox, *, events: int, kills: int, faults: float, seed: int) -> None:
        self._sandbox = sandbox
        self._account = Account(events)
        self._kills = kills
        self._dice = random.Random(seed)
        self._arrived = array("Q")
        sandbox.collector.on_rows = self._record
        sandbox.taps.before.append(self._count)
        for event in numbered_events(events, datetime.now(UTC)):
            sandbox.docusign.append_raw(event)
        sandbox.faults.add(*storm(faults))

    def run(self, progress: Progress) -> Account:
        """Fire and kill until every event has arrived, and account for them."""
        start = time.monotonic()
        task = progress.add_task("events", total=self._account.events)
        with self._sandbox.function_host(PAGE_SIZE=str(PAGE), RUN_SECONDS=RUN_SECONDS) as host:
            bouncer = Bouncer(self._sandbox, lambda: host.worker_pid)
            caught_up = False
            while not caught_up:
                self._arm(bouncer)
                caught_up = self._fire(host)
                distinct = max(self._arrived, default=0)
                self._account.kills = len(bouncer.struck)
                progress.update(task, completed=distinct, description=f"{self._account.kills} kills")
                if not progress.console.is_terminal and self._account.runs % _RUNS_A_LINE == 0:
                    progress.console.print(f"{distinct:,} events, {self._account.kills} kills")
        self._account.seconds = round(time.monotonic() - start, 1)
        return self._reckon()

    def _arm(self, bouncer: Bouncer) -> None:
        """Choose the next kill: some pages ahead, so that the kills are spread over the stream."""
        bouncer.disarm()
        left = self._kills - self._account.kills
        if left <= 0:
            return
        if self._account.runs % _RUNS_A_RELEASE == 0:
            bouncer.arm(RELEASING)
            return
        pages_left = (self._account.events - max(self._arrived, default=0)) // PAGE
        bouncer.arm(self._dice.choice(IN_A_PAGE), skip=self._dice.randrange(1 + pages_left // (2 * left)))

    def _fire(self, host: FunctionHost) -> bool:
        """One run; whether it ended with nothing left to fetch."""
        self._account.runs += 1
        try:
            invocation = host.fire(FUNCTION)
        except WorkerDied:
            host.restart()
            end_lease(self._sandbox)
            return False
        if not invocation.succeeded:
            self._account.failed_runs += 1
            end_lease(self._sandbox)
        return invocation.succeeded and any('"caught-up"' in line.message for line in invocation.logs)

    def _count(self, _: object) -> None:
        self._account.answers += 1

    def _record(self, table: str, rows: list[dict[str, Any]]) -> None:
        if table == "DocuSignMonitor_CL":
            self._arrived.extend(UUID(row["eventId"]).int for row in rows)

    def _reckon(self) -> Account:
        account = self._account
        first_seen = list(dict.fromkeys(self._arrived))
        ambiguous = sum(
            hit.kind in AMBIGUOUS and "opinsights" in hit.host for hit in self._sandbox.faults.hits
        )
        account.faulty_answers = len(self._sandbox.faults.hits)
        account.lost = account.events - len(first_seen)
        account.repeated = len(self._arrived) - len(first_seen)
        account.repeats_allowed = PAGE * (account.kills + ambiguous)
        account.out_of_order = sum(one > next_one for one, next_one in pairwise(first_seen))
        account.rows = self._number("DocuSignMonitor_CL | count")
        account.rows_after_removal = self._number("DocuSignMonitor | count")
        self._sandbox.faults.clear()
        account.dead_letters = len(dead_letters(self._sandbox))
        return account

    def _number(self, kql: str) -> int:
        return int(query(self._sandbox.workspace, kql).rows[0][0])


def storm(share: float) -> list[Fault]:
    """Faults that together spoil the share of all answers, each kind alike.

    Answers that never come, or come byte by byte, are left out: each would cost half a minute of waiting.
    """
    kinds = len(SPOILED) + len(STATUSES)
    faults, left = [], share
    for n in range(kinds):
        # each fault sees only the answers that those before it let pass
        probability = (share / kinds) / (1 - share + left)
        left -= share / kinds
        if n < len(SPOILED):
            faults.append(Fault(kind=SPOILED[n], times=None, probability=probability))
        else:
            status = STATUSES[n - len(SPOILED)]
            faults.append(Fault(kind="status", status=status, times=None, probability=probability))
    return faults


def main() -> int:
    """Read the command line, soak, and print the account; 0 when the promise held."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--faults", type=float, default=0.15, help="share of answers that are spoiled")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))  # so that nothing is left running
    columns = (BarColumn(), TextColumn("{task.completed:,} of {task.total:,} events, {task.description}"))
    console = Console()
    with tempfile.TemporaryDirectory() as folder, Sandbox(Path(folder), empty_organization()) as sandbox:
        console.print(f"Making {arguments.events:,} events ...")
        soak = Soak(
            sandbox, **{name: getattr(arguments, name) for name in ("events", "kills", "faults", "seed")}
        )
        with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as progress:
            account = soak.run(progress)
    console.print_json(json.dumps(asdict(account)))
    console.print("The promise held." if account.good else "[red]The promise did not hold.[/red]")
    return not account.good


if __name__ == "__main__":
    raise SystemExit(main())
