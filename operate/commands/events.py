"""The verbs that carry events: `run` into the workspace, `export` into a file."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from operate import export as exporting
from operate.export_state import Exported, whose
from operate.output import Bar, Output
from operate.verbs import Environ, verb
from operate.waiting import LONG_SECONDS, patient
from shared.app import make_process, open_stream, run_monitor
from shared.budget import Budget
from shared.directory_app import LINE as SWEEP_LINE
from shared.directory_app import run_directory
from shared.docusign.cursors import inserted_at
from shared.errors import OperatorError
from shared.health import LINE, LOG
from shared.settings import read_settings, start_moment
from shared.timestamps import iso_utc, parse


@verb("run")
@click.option("--directory", is_flag=True, help="Users and accounts instead of events.")
def run(environ: Environ, out: Output, *, directory: bool) -> int:
    """Carry what DocuSign has into the workspace, once, as the timer does.

    It takes the run's lease: while the app in Azure is at work this one leaves politely, and the reverse. A run
    ends when it has caught up, or when RUN_SECONDS are used up; run it again to go on. With --directory it is a
    sweep of the users and accounts, as the timer DirectoryTimerTrigger makes one. What may heal by itself has
    20 s, where the timer would wait on.
    """
    make_retry = patient(out)
    with out.progress("Carrying users" if directory else "Carrying events", ""), _without_run_line():
        row = (
            run_directory(environ, make_retry).line() if directory else run_monitor(environ, make_retry).row()
        )
    out.result(row, *(f"{name:<16} {value}" for name, value in row.items()))
    return 0


@contextmanager
def _without_run_line() -> Iterator[None]:
    """Keep the run's log line, which repeats the figures, from the terminal."""

    def other(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith((LINE, SWEEP_LINE))

    LOG.addFilter(other)
    try:
        yield
    finally:
        LOG.removeFilter(other)


@verb("export")
@click.option(
    "--out",
    "path",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file, such as events.ndjson.",
)
@click.option(
    "--from",
    "start",
    metavar="START",
    help="Where a new export starts: ISO date-time, duration back (P30D), earliest. By default DOCUSIGN_START.",
)
def export(environ: Environ, out: Output, *, path: Path, start: str | None) -> int:
    """Write all events to a file, one JSON object a line, until caught up.

    Beside the file stands its state, <file>.state.json: run the same command again to go on after an
    interruption, or later for what is new. The file never gets an event twice, and a call that goes on cuts off
    the piece of a line that a kill may have left. One export at a time writes to a file, and always of the same
    user and organization. The connector's own cursor is not touched. The pages count against the account's API
    calls of the hour; when these run low the export stops with exit status 1, and goes on when you call it again.
    """
    settings = read_settings(environ)
    first = _start(settings.start if start is None else start)
    with exporting.alone(path):
        begun = exporting.begin(path, first, whose(settings), is_chosen=start is not None)
        origin, now = inserted_at(begun.position.cursor), datetime.now(UTC)
        with out.progress("Exporting events") as bar, out.partly(lambda: _so_far(begun, path)):
            stream = open_stream(settings, make_process(settings), patient(out)(Budget(LONG_SECONDS)))
            done = exporting.export(stream, path, begun, lambda at: _shown(bar, at, origin, now))
    for warning in done.warnings:
        out.aside(warning)
    result, lines = _so_far(done, path)
    if done.outcome == exporting.QUOTA:
        lines[-1] += " The account's API calls for this hour run low: call again in an hour to go on."
    out.result(result | {"outcome": done.outcome}, *lines)
    return 0 if done.outcome == exporting.CAUGHT_UP else 1


def _so_far(done: Exported, path: Path) -> tuple[dict[str, object], list[str]]:
    figures = {"events": done.events, "bytes": done.bytes, "cursor": done.position.cursor}
    return figures, [f"{done.events} events written; {path} has {done.bytes:,} bytes."]


def _start(text: str) -> str:
    try:
        return iso_utc(start_moment(text, datetime.now(UTC)))
    except ValueError as error:
        raise OperatorError(f"--from {error}.") from None


def _shown(bar: Bar, at: Exported, origin: datetime | None, now: datetime) -> None:
    reached = inserted_at(at.position.cursor) or parse(at.position.last_event_time or "")
    note = f"{at.events:,} events"
    if origin is None or reached is None:
        bar.show(0, None, note)
    else:
        bar.show((reached - origin).total_seconds(), (now - origin).total_seconds(), note)
