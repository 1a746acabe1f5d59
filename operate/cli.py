"""The verbs of `python manage.py`."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from operate import export as exporting
from operate import rewind as rewinding
from operate.blobs import Blobs
from operate.doctor import FAULT, NOT_CHECKED, OK, Doctor
from operate.output import Bar, Output
from operate.replay import replay as replay_letters
from operate.status import Status, duration, read_status
from operate.verbs import Environ, verb
from shared.app import make_process, open_road, open_stream, run_monitor
from shared.budget import Budget
from shared.checkpoint import PREFIX as CHECKPOINTS
from shared.directory_app import LINE as SWEEP_LINE
from shared.directory_app import run_directory
from shared.docusign.cursors import inserted_at
from shared.docusign.oauth import DIRECTORY_SCOPES, MONITOR_SCOPES, consent_url
from shared.errors import OperatorError
from shared.health import LINE, LOG
from shared.position import position_from_json
from shared.retry import Retry
from shared.settings import read_settings, start_moment
from shared.timestamps import iso_utc, parse

SANDBOX = Path(__file__).parent.parent / ".sandbox"
STATE_SECONDS = 60.0
"""How long a look at the state may repeat what fails for a moment."""
LONG_SECONDS = 7 * 86_400.0
"""Replay and export have no end but their own."""
_MARKS = {OK: ("ok         ", "green"), FAULT: ("FAULT      ", "red"), NOT_CHECKED: ("not checked", "yellow")}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Operate the DocuSign Monitor connector.

    Every verb works on one app: that of --settings FILE (local.settings.json by default), that of --app NAME
    --resource-group GROUP in Azure, read with your own login (az login), or the --sandbox that is up.

    Start with `doctor`. The exit status is 0 when all is well, and 1 when it is not.
    """


@verb(cli, "doctor")
def doctor(environ: Environ, out: Output) -> int:
    """Check every dependency in turn: each line is ok, or the fault and its cure.

    Checked are the settings, the vault, the private key, DocuSign's token, the user's consent, the organization,
    the entitlement to DocuSign Monitor, storage, the lease, and the workspace. What depends on a fault is
    "not checked": mend the first fault and ask again. Nothing is changed, and no row reaches the workspace.

    From your own machine the checks use your own login: the roles of the app's identity show in its own runs.
    """
    findings = []
    for finding in Doctor(environ).examine():
        findings.append(finding)
        if not out.as_json:
            mark, colour = _MARKS[finding.state]
            first, *more = finding.detail.splitlines() or [""]
            click.echo(f"{click.style(mark, fg=colour)}  {finding.check:<13} {first}")
            for line in more:
                click.echo(f"{'':<27}{line}")
    out.result([asdict(finding) for finding in findings])
    return 0 if all(finding.state == OK for finding in findings) else 1


@verb(cli, "consent-url")
@click.option("--directory", is_flag=True, help="Also for users and accounts (DirectoryTimerTrigger).")
def consent(environ: Environ, out: Output, *, directory: bool) -> int:
    """Print the address where the DocuSign user gives consent, once.

    Open it signed in as the user of DOCUSIGN_USER_ID and accept. The page after that may be a 404: consent is
    recorded all the same. The redirect address https://www.docusign.com must be registered with the
    integration key (DocuSign's page Apps and Keys).
    """
    scopes = DIRECTORY_SCOPES if directory else MONITOR_SCOPES
    url = consent_url(read_settings(environ), scopes)
    out.result({"url": url, "scopes": scopes}, url)
    return 0


@verb(cli, "run")
@click.option("--directory", is_flag=True, help="Users and accounts instead of events.")
def run(environ: Environ, out: Output, *, directory: bool) -> int:
    """Carry what DocuSign has into the workspace, once, as the timer does.

    It takes the run's lease: while the app in Azure is at work this one leaves politely, and the reverse. A run
    ends when it has caught up, or when RUN_SECONDS are used up; run it again to go on. With --directory it is a
    sweep of the users and accounts, as the timer DirectoryTimerTrigger makes one.
    """
    with out.progress("Carrying users" if directory else "Carrying events", ""), _without_run_line():
        row = run_directory(environ).line() if directory else run_monitor(environ).row()
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


@verb(cli, "status")
def status(environ: Environ, out: Output) -> int:
    """Show where the connector stands: cursor, age, lag, lease, dead letters.

    The lag is the age of the newest delivered event: in a quiet organization it grows though all is well. The
    age of the checkpoint grows, too, while there is nothing new. A lease that is held means that a run is at
    work, or that one was killed within the last minute.
    """
    settings = read_settings(environ)
    found = read_status(settings, _blobs(environ), datetime.now(UTC))
    out.result(asdict(found), *_told(found))
    return 0


def _told(found: Status) -> Iterator[str]:
    yield f"checkpoint    {found.checkpoint}"
    if not found.cursor:
        yield "cursor        none: no run has come so far yet"
    else:
        yield f"cursor        {found.cursor} ({found.api or 'no page yet'})"
        yield f"saved         {found.savedAt}, {duration(found.ageSeconds)} ago"
        yield f"lag           {duration(found.lagSeconds)}"
    yield f"lease         {found.lease}"
    days = ", ".join(f"{day}: {count}" for day, count in found.deadLetters.items())
    yield f"dead letters  {sum(found.deadLetters.values())}{f' ({days})' if days else ''}"
    yield f"users         {f'complete as of {found.directory}' if found.directory else 'no complete sweep'}"


@verb(cli, "rewind")
@click.option("--to", "to", required=True, metavar="ISO", help="Date-time such as 2026-11-01T00:00:00Z.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def rewind(environ: Environ, out: Output, *, to: str, yes: bool) -> int:
    """Set the cursor to a moment, so that the next run goes on from there.

    Back in time: events come a second time. They are billed again, and DocuSignMonitor shows each once. Forward:
    events that were not delivered yet are skipped. It says which before it asks. A run that is at work is not
    disturbed: rewind needs the same lease, and leaves when it cannot have it.
    """
    settings, now = read_settings(environ), datetime.now(UTC)
    moment = rewinding.moment_of(to, now)
    parts = make_process(settings)
    name = f"{CHECKPOINTS}{settings.organization_id or 'default'}.json"
    found = Blobs(parts.container, _retry()).read(name)
    position = position_from_json(found.content, name) if found else None
    plan = rewinding.plan(position, moment)
    out.aside(f"From  {plan.before or 'no cursor yet'}\nTo    {plan.cursor}\n{plan.consequence}")
    if not yes and not click.confirm("Rewind?", err=True):
        out.aside("Nothing was changed.")
        return 1
    before = rewinding.rewind(settings, parts.container, moment, _retry())
    result = {"before": before.cursor, "cursor": plan.cursor, "consequence": plan.consequence}
    out.result(result, f"The next run goes on from {plan.cursor}.")
    return 0


@verb(cli, "replay")
def replay(environ: Environ, out: Output) -> int:
    """Send the dead letters again by the road of INGESTION_API, and remove what the workspace takes.

    Dead letters are events that the workspace refused, or took only cut. After a change of the road, or of the
    table, they may fit. What is still refused stays, and is listed with the reason; the exit status is then 1.
    """
    settings = read_settings(environ)
    parts, retry = make_process(settings), Retry(Budget(LONG_SECONDS))
    with out.progress("Sending dead letters again") as bar:
        done = replay_letters(
            Blobs(parts.container, retry),
            open_road(settings, parts, retry),
            settings.log_type,
            lambda count, total: bar.show(count, total, f"{count:,} of {total:,}"),
        )
    lines = [f"{done.accepted} taken and removed, {len(done.refused)} still refused."]
    lines += [f"  {name}: {reason}" for name, reason in done.refused.items()]
    out.result(asdict(done), *lines)
    return 1 if done.refused else 0


@verb(cli, "export")
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
    interruption, or later for what is new. The file never holds half a line, nor an event twice. The connector's
    own cursor is not touched. The pages count against the account's API calls of the hour; when these run low
    the export stops with exit status 1, and goes on when you call it again.
    """
    settings = read_settings(environ)
    begun = exporting.begin(path, _start(start or settings.start))
    retry = Retry(Budget(LONG_SECONDS))
    stream = open_stream(settings, make_process(settings), retry)
    origin, now = inserted_at(begun.position.cursor), datetime.now(UTC)
    with out.progress("Exporting events") as bar:
        done = exporting.export(stream, path, begun, lambda at: _shown(bar, at, origin, now))
    for warning in done.warnings:
        out.aside(warning)
    result = {"events": done.events, "bytes": done.bytes, "cursor": done.position.cursor}
    said = f"{done.events} events written; {path} has {done.bytes:,} bytes."
    if done.outcome == exporting.QUOTA:
        said += " The account's API calls for this hour run low: call again in an hour to go on."
    out.result(result | {"outcome": done.outcome}, said)
    return 0 if done.outcome == exporting.CAUGHT_UP else 1


def _start(text: str) -> str:
    try:
        return iso_utc(start_moment(text, datetime.now(UTC)))
    except ValueError as error:
        raise OperatorError(f"--from {error}.") from None


def _shown(bar: Bar, at: exporting.Exported, origin: datetime | None, now: datetime) -> None:
    reached = inserted_at(at.position.cursor) or parse(at.position.last_event_time or "")
    note = f"{at.events:,} events"
    if origin is None or reached is None:
        bar.show(0, None, note)
    else:
        bar.show((reached - origin).total_seconds(), (now - origin).total_seconds(), note)


@cli.command()
@click.argument("kql")
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON, one object a line.")
def query(kql: str, *, as_json: bool) -> None:
    """Ask the sandbox's workspace a question in KQL.

    Works while `scripts/demo --keep` is up, and afterwards on the file that the demo left. For example:

    manage.py query 'DocuSignMonitor_CL | summarize count() by action_s'
    """
    from sandbox.demo import as_table  # noqa: PLC0415 - the other verbs need no sandbox, nor what it imports
    from sandbox.session import NoSandboxError, ask  # noqa: PLC0415

    try:
        columns, rows = ask(SANDBOX, kql)
    except (NoSandboxError, ValueError) as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    if as_json:
        for row in rows:
            click.echo(json.dumps(dict(zip(columns, row, strict=True)), default=str))
    else:
        Console(width=None if sys.stdout.isatty() else 160).print(as_table("", columns, rows))


def _blobs(environ: Environ) -> Blobs:
    settings = read_settings(environ)
    return Blobs(make_process(settings).container, _retry())


def _retry() -> Retry:
    return Retry(Budget(STATE_SECONDS))
