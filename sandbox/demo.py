"""The demo: a week of events through the real function into a table, and what an engineer wants to see of it."""

import argparse
import contextlib
import json
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from sandbox.content.incidents import raised
from sandbox.functions.host import FunctionHost, Invocation
from sandbox.session import clean, running
from sandbox.state import saved_checkpoint
from sandbox.workspace.kql import query
from sandbox.world import ROOT, Sandbox
from shared.settings import DATA_COLLECTOR, LOGS_INGESTION

FUNCTION, DIRECTORY = "MonitorTimerTrigger", "DirectoryTimerTrigger"
WITH_DIRECTORY = {f"AzureWebJobs.{DIRECTORY}.Disabled": "false"}
RUN_LINE, SWEEP_LINE = "DocuSign Monitor run ", "DocuSign directory sweep "
NEW_EVENTS = 60
MOST_RUNS = 20
TICK_SECONDS = 60.0
TERMINATED = 128 + signal.SIGTERM

BUSIEST = """
DocuSignMonitor
| summarize Events = count(), Users = dcount(UserId) by Object, Action
| top 10 by Events desc
"""
FAILED_LOGINS = """
DocuSignMonitor
| where Object == "User" and Action == "Login" and Result == "Failed"
| summarize Failures = count(), Users = dcount(UserId), First = min(EventTime), Last = max(EventTime)
    by Address = IpAddress, Country = CountryName
| top 6 by Failures desc
"""
HEALTH = """
DocuSignMonitorHealth_CL
| sort by TimeGenerated asc
| project Outcome = outcome_s, Pages = pages_d, Events = events_d, Batches = batches_d, Retries = retries_d,
    DeadLetters = deadLetters_d, Seconds = durationSeconds_d, LagSeconds = lagSeconds_d
"""
ROWS = """
union withsource=Table DocuSignMonitor_CL, DocuSignMonitorHealth_CL, DocuSignMonitorUsers_CL,
    DocuSignMonitorAccounts_CL
| summarize Rows = count(), Oldest = min(TimeGenerated), Newest = max(TimeGenerated) by Table
"""


class Demo:
    """One showing of the demo.

    Args:
        folder: Where the workspace's file and the sandbox's other files go.
        console: Where it is shown.
        ingestion: The road into the workspace, as in INGESTION_API.
    """

    def __init__(self, folder: Path, console: Console, ingestion: str = DATA_COLLECTOR) -> None:
        self._folder = folder
        self._ingestion = ingestion
        self._console = console

    def show(self, *, keep: bool) -> None:
        """Start the sandbox, fire the function until it caught up, twice, and show what arrived."""
        self._say("[bold]DocuSign Monitor for Microsoft Sentinel, on this machine alone[/bold]")
        with contextlib.ExitStack() as stack:
            with self._step("Starting DocuSign, Key Vault, identity, storage, proxy and workspace"):
                sandbox = stack.enter_context(Sandbox(self._folder, ingestion=self._ingestion))
            with self._step("Starting Microsoft's Python runtime for Functions"):
                host = stack.enter_context(sandbox.function_host(**WITH_DIRECTORY))
            self._catch_up(sandbox, host, "The timer's first tick: a week of history")
            with self._step("The directory's timer: names for the ids of users and accounts"):
                figures_of(host.fire(DIRECTORY), SWEEP_LINE)
            sandbox.happen(NEW_EVENTS)
            self._say(f"{NEW_EVENTS} new events have happened in DocuSign.")
            self._catch_up(sandbox, host, "The timer's next tick: only what is new")
            self._findings(sandbox)
            if keep:
                self._keep(sandbox, host)
        self._farewell(kept=keep)

    def _catch_up(self, sandbox: Sandbox, host: FunctionHost, title: str) -> None:
        """Fire until a run reports that it caught up."""
        with self._bar(title) as progress:
            task = progress.add_task(title, total=len(sandbox.docusign.stream))
            for _ in range(MOST_RUNS):
                firing = host.start(FUNCTION)
                while not firing.done():
                    progress.update(task, completed=arrived(sandbox), total=len(sandbox.docusign.stream))
                    time.sleep(0.05)
                progress.update(task, completed=arrived(sandbox))
                if figures_of(firing.result())["outcome"] == "caught-up":
                    return
        raise SystemExit(f"The function did not catch up in {MOST_RUNS} runs.")

    def _findings(self, sandbox: Sandbox) -> None:
        self._say()
        for title, text in (
            ("Runs, as the health table tells them (DocuSignMonitorHealth_CL)", HEALTH),
            ("Rows in the workspace", ROWS),
            ("The busiest objects and actions", BUSIEST),
            ("Failed logins by address", FAILED_LOGINS),
        ):
            result = query(sandbox.workspace, text)
            self._console.print(as_table(title, [name for name, _ in result.columns], result.rows))
        with self._step("Replaying the week against the analytics rules"):
            found = raised(sandbox.workspace, datetime.now(UTC))
        rows = [
            (one.severity, one.when, one.who, one.what.removeprefix("DocuSign: "), one.where) for one in found
        ]
        title = "The incidents that the analytics rules raise on this week (analytics_rules/)"
        self._console.print(as_table(title, ["Severity", "When", "Who", "What", "Where"], rows))
        checkpoint = saved_checkpoint(sandbox)
        self._say(f"Cursor saved: [cyan]{checkpoint['cursor']}[/cyan] at {checkpoint['savedAt']}")
        self._say("Hosts contacted, by the proxy's record: " + ", ".join(sorted(sandbox.contacted())))

    def _keep(self, sandbox: Sandbox, host: FunctionHost) -> None:
        """Stay up, with a tick and some new events a minute, until Ctrl+C."""
        with running(sandbox):
            self._say(
                "\n[bold]The sandbox stays up[/bold]: each minute new events happen and the timer fires. "
                "Ctrl+C ends it. In another terminal:"
            )
            self._hints()
            with contextlib.suppress(KeyboardInterrupt):
                while True:
                    time.sleep(TICK_SECONDS)
                    sandbox.happen(10)
                    self._say(RUN_LINE + json.dumps(figures_of(host.fire(FUNCTION))))

    def _farewell(self, *, kept: bool) -> None:
        self._say("\nEverything that was started has ended.")
        file = (self._folder / "workspace.duckdb").relative_to(ROOT)
        self._say(f"The workspace is a DuckDB file: [cyan]{file}[/cyan]. Ask it in KQL:")
        self._hints()
        if not kept:
            self._say("  scripts/demo --keep      stays up, with a tick a minute, for exploring")
        self._say("  scripts/test             runs every check, on the same sandbox")

    def _hints(self) -> None:
        self._say("  .venv/bin/python manage.py query 'DocuSignMonitor | summarize count() by CountryName'")
        self._say("  .venv/bin/python manage.py query 'DocuSignMonitor | where Object == \"Alert\" | take 5'")

    @contextlib.contextmanager
    def _step(self, title: str) -> Iterator[None]:
        start = time.monotonic()
        with self._console.status(title):
            yield
        self._say(f"[green]✓[/green] {title} ({time.monotonic() - start:.1f} s)")

    @contextlib.contextmanager
    def _bar(self, title: str) -> Iterator[Progress]:
        start = time.monotonic()
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,} of {task.total:,} events"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self._console, transient=True) as progress:
            yield progress
        self._say(f"[green]✓[/green] {title} ({time.monotonic() - start:.1f} s)")

    def _say(self, text: str = "") -> None:
        self._console.print(text, highlight=False, soft_wrap=True)


def arrived(sandbox: Sandbox) -> int:
    """Events that the workspace has taken so far."""
    posts = [*sandbox.collector.posts, *sandbox.ingestion.posts]
    return sum(post.records for post in posts if post.table == "DocuSignMonitor_CL")


def figures_of(invocation: Invocation, opening: str = RUN_LINE) -> dict[str, object]:
    """The figures in a run's one log line.

    Raises:
        SystemExit: The run failed, or left because another was at work; what it said is shown.
    """
    if not invocation.succeeded:
        raise SystemExit(f"The function failed: {invocation.error_type}: {invocation.error}")
    lines = [line.message for line in invocation.logs if line.message.startswith(opening)]
    if not lines:
        raise SystemExit(f"The function did nothing: {' '.join(line.message for line in invocation.logs)}")
    return dict(json.loads(lines[-1].removeprefix(opening)))


def as_table(title: str, columns: list[str], rows: Sequence[tuple[object, ...]]) -> Table:
    """A result as a table for the terminal; numbers to the right."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim")
    numeric = [all(isinstance(row[i], int | float | None) for row in rows) for i in range(len(columns))]
    for name, right in zip(columns, numeric, strict=True):
        table.add_column(name, justify="right" if right else "left")
    for row in rows:
        table.add_row(*(shown(value) for value in row))
    return table


def shown(value: object) -> str:
    """A value for a cell: thousands apart, times to the second."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() else f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def main() -> None:
    """Read the command line and show the demo."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="stay up afterwards, with a tick a minute")
    parser.add_argument(
        "--ingestion",
        choices=(DATA_COLLECTOR, LOGS_INGESTION),
        default=DATA_COLLECTOR,
        help="the road into the workspace (INGESTION_API)",
    )
    arguments = parser.parse_args()
    folder = ROOT / ".sandbox"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))  # so that nothing is left running
    clean(folder)
    console = Console(width=None if sys.stdout.isatty() else 160)
    Demo(folder, console, arguments.ingestion).show(keep=arguments.keep)


if __name__ == "__main__":
    main()
