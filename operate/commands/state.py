"""The verbs on the connector's state in storage: `status` and `rewind`."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime

import click

from operate import rewind as rewinding
from operate.blobs import Blobs
from operate.output import Output
from operate.status import Status, duration, read_status
from operate.verbs import Environ, verb
from operate.waiting import STATE_SECONDS, patient
from shared import lenient_json
from shared.app import make_process
from shared.budget import Budget
from shared.checkpoint import checkpoint_name
from shared.owner import owner_from_json, owner_of
from shared.position import position_from_json
from shared.retry import Retry
from shared.settings import Settings, read_settings


@verb("status")
def status(environ: Environ, out: Output) -> int:
    """Show where the connector stands: owner, cursor, age, lag, lease, dead letters.

    The lag is the age of the newest delivered event: in a quiet organization it grows though all is well. The
    age of the checkpoint grows, too, while there is nothing new. A lease that is held means that a run is at
    work, or that one was killed within the last minute.
    """
    settings = read_settings(environ)
    blobs = Blobs(make_process(settings).container, _retry(out))
    found = read_status(settings, blobs, datetime.now(UTC))
    out.result(asdict(found), *_told(found))
    return 0


def _told(found: Status) -> Iterator[str]:
    yield f"checkpoint    {found.checkpoint}"
    if found.owner:
        foreign = ": not that of the settings, whose runs are refused" if found.isForeign else ""
        yield f"owner         {found.owner}{foreign}"
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


@verb("rewind")
@click.option("--to", "to", required=True, metavar="ISO", help="Date-time such as 2026-11-01T00:00:00Z.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def rewind(environ: Environ, out: Output, *, to: str, yes: bool) -> int:
    """Set the cursor to a moment, so that the next run goes on from there.

    Back in time: events come a second time. They are billed again, and DocuSignMonitor shows each once. Forward:
    events that were not delivered yet are skipped. It says which before it asks. A run that is at work is not
    disturbed: rewind needs the same lease, and leaves when it cannot have it. A checkpoint of another user or
    environment is taken over, after a question. Where nobody can be asked, give --yes.
    """
    settings, now = read_settings(environ), datetime.now(UTC)
    moment = rewinding.moment_of(to, now)
    parts = make_process(settings)
    name = checkpoint_name(settings.organization_id)
    found = Blobs(parts.container, _retry(out)).read(name)
    plan = _plan(settings, found.content if found else None, name, moment)
    out.aside(str(plan))
    if not yes and not out.confirms("Rewind?"):
        out.aside("Nothing was changed.")
        out.result({"before": plan.before, "cursor": plan.before, "consequence": "Nothing was changed."})
        return 1
    before = rewinding.rewind(settings, parts.container, moment, _retry(out))
    result = {"before": before.cursor, "cursor": plan.cursor, "consequence": plan.consequence}
    out.result(result, f"The next run goes on from {plan.cursor}.")
    return 0


def _plan(settings: Settings, content: bytes | None, name: str, moment: datetime) -> rewinding.Plan:
    if content is None:
        return rewinding.plan(None, moment)
    position, owner = position_from_json(content, name), owner_from_json(lenient_json.loads(content))
    own = owner_of(settings)
    if owner is not None and owner != own:
        return rewinding.takeover(position, moment, owner, own)
    return rewinding.plan(position, moment)


def _retry(out: Output) -> Retry:
    return patient(out)(Budget(STATE_SECONDS))
