"""Sets the checkpoint to a moment, so that the next run goes on from there."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from azure.storage.blob import ContainerClient

from operate.status import duration
from shared.checkpoint import Checkpoint
from shared.docusign.cursors import inserted_at
from shared.errors import OperatorError
from shared.owner import Owner, owner_of
from shared.position import Position
from shared.retry import Retry
from shared.settings import Settings
from shared.timestamps import EARLIEST, iso_utc, parse


@dataclass(frozen=True)
class Plan:
    """A move of the cursor, and in words what follows from it."""

    cursor: str
    before: str
    consequence: str
    is_foreign: bool = False

    def __str__(self) -> str:
        """For a person; that the checkpoint is another's comes first."""
        move = f"From  {self.before or 'no cursor yet'}\nTo    {self.cursor}"
        return f"{self.consequence}\n{move}" if self.is_foreign else f"{move}\n{self.consequence}"


def moment_of(text: str, now: datetime) -> datetime:
    """The moment that `--to` names.

    Raises:
        OperatorError: It is none, or DocuSign has no events from then.
    """
    moment = parse(f"{text}T00:00:00Z" if len(text) == len("2026-11-01") else text)
    if moment is None:
        raise OperatorError(f"--to takes an ISO date-time such as 2026-11-01T00:00:00Z, and not {text!r}.")
    if moment > now:
        raise OperatorError("--to lies in the future: there is nothing to go on from.")
    if moment < EARLIEST:
        raise OperatorError(
            f"--to lies before {iso_utc(EARLIEST)}, the first moment that DocuSign has events of."
        )
    return moment


def plan(position: Position | None, to: datetime) -> Plan:
    """What would happen."""
    present = (
        None if position is None else inserted_at(position.cursor) or parse(position.last_event_time or "")
    )
    before = "" if position is None else position.cursor
    if present is None:
        consequence = (
            "Where the cursor stands now cannot be told. Events after the new one may come a second time; events "
            "before it that were not delivered yet never will be."
        )
    elif to <= present:
        consequence = (
            f"The events of {duration((present - to).total_seconds())} are sent a second time: they are ingested, "
            "and billed, once more. The function DocuSignMonitor shows each event once, by its EventId; rules "
            "that look at what has just arrived may raise old incidents again."
        )
    else:
        consequence = (
            f"The events of {duration((to - present).total_seconds())} that were not delivered yet are skipped: "
            "they never reach the workspace, unless you rewind again."
        )
    return Plan(iso_utc(to), before, consequence)


def takeover(position: Position, to: datetime, owner: Owner, own: Owner) -> Plan:
    """What would happen to another's checkpoint: its cursor says nothing about one's own stream."""
    consequence = (
        f"This checkpoint belongs to DocuSign {owner}; rewinding makes it that of {own}, and the other app is "
        "refused from then on."
    )
    return Plan(iso_utc(to), position.cursor, consequence, is_foreign=True)


def rewind(settings: Settings, container: ContainerClient, to: datetime, retry: Retry) -> Position:
    """Set the checkpoint, with its lease taken; the position that it had before.

    Raises:
        AlreadyRunning: A run is at work: wait for its end.
        StateError: The checkpoint is unreadable: move the blob away first.
    """
    start = Position(iso_utc(to), "", iso_utc(datetime.now(UTC)))
    with Checkpoint(container, settings.organization_id, start, retry, owner_of(settings)) as checkpoint:
        before = checkpoint.before()
        checkpoint.save(replace(start, last_event_id=None, last_event_time=None))
    return before
