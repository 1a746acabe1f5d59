"""Where the connector stands, from its state in storage."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from operate.blobs import Blobs
from shared import lenient_json
from shared.checkpoint import checkpoint_name
from shared.directory.head import PREFIX as DIRECTORY
from shared.directory.head import head_from_json
from shared.docusign.cursors import inserted_at
from shared.owner import owner_from_json, owner_of
from shared.position import position_from_json
from shared.settings import Settings
from shared.storage import state_name
from shared.timestamps import parse

FREE, HELD = "free", "held"


@dataclass(frozen=True)
class Status:
    """The state in a person's words and a machine's numbers; what is unknown is None or empty.

    Attributes:
        checkpoint: The blob's name.
        owner: Whose it is: DocuSign's environment and the user; empty where an older version wrote it.
        isForeign: Whether that is another than the settings mean: a run refuses it.
        cursor: Where the next run goes on.
        api: The generation of the Monitor API that gave the cursor.
        savedAt: When it was saved.
        ageSeconds: How long ago that was.
        lagSeconds: Now minus the time of the last delivered event, or else of the cursor.
        lastEventId: The last delivered event.
        lease: `held` while a run is at work, or within a minute after one was killed.
        deadLetters: Their number, by day.
        directory: When the last complete sweep of users and accounts began.
    """

    checkpoint: str
    owner: str = ""
    isForeign: bool = False  # noqa: N815 - as its neighbours
    cursor: str = ""
    api: str = ""
    savedAt: str = ""  # noqa: N815 - as in the checkpoint
    ageSeconds: float | None = None  # noqa: N815
    lagSeconds: float | None = None  # noqa: N815 - as in the health table
    lastEventId: str = ""  # noqa: N815
    lease: str = FREE
    deadLetters: dict[str, int] = field(default_factory=dict)  # noqa: N815 - as in the health table
    directory: str = ""


def read_status(settings: Settings, blobs: Blobs, now: datetime) -> Status:
    """The status of one app.

    Raises:
        StateError: The checkpoint cannot be read.
        StorageRefused, ServiceUnavailable: Storage does not serve.
    """
    name = checkpoint_name(settings.organization_id)
    letters = blobs.dead_letters()
    directory = last_sweep(blobs, state_name(settings.organization_id))
    found = blobs.read(name)
    if found is None:
        return Status(name, deadLetters=letters, directory=directory)
    position = position_from_json(found.content, f"{blobs.container.container_name}/{name}")
    owner = owner_from_json(lenient_json.loads(found.content))
    newest = parse(position.last_event_time or "") or inserted_at(position.cursor)
    return Status(
        checkpoint=name,
        owner=str(owner or ""),
        isForeign=owner not in (None, owner_of(settings)),
        cursor=position.cursor,
        api=position.api,
        savedAt=position.saved_at,
        ageSeconds=_since(parse(position.saved_at), now),
        lagSeconds=_since(newest, now),
        lastEventId=position.last_event_id or "",
        lease=HELD if found.leased else FREE,
        deadLetters=letters,
        directory=directory,
    )


def last_sweep(blobs: Blobs, organization: str) -> str:
    """When the last complete sweep of the directory began; empty when there was none."""
    found = blobs.read(f"{DIRECTORY}{organization}.json")
    head = head_from_json(found.content) if found else None
    return head.complete.startedAt if head else ""


def duration(seconds: float | None) -> str:
    """A length of time for a person: 42 s, 7 min, 5 h, 3 days."""
    if seconds is None:
        return "unknown"
    for size, unit, most in ((1, "s", 120), (60, "min", 120), (3600, "h", 48)):
        if seconds / size < most:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86400:.0f} days"


def _since(moment: datetime | None, now: datetime) -> float | None:
    return None if moment is None else round(max(0.0, (now - moment.astimezone(UTC)).total_seconds()), 1)
