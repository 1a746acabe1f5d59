"""What a cursor tells, and where to start when it is lost.

A cursor is opaque: it is decoded for a lag figure, never built. Its observed shape is
`aa_<ticks>_<ticks>_<n>`, .NET ticks of the insertion and of the event. The Monitor API also takes an ISO
8601 date-time in a cursor's place (documented).
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.position import Position
from shared.timestamps import EARLIEST, from_ticks, iso_utc, parse

LATE = timedelta(minutes=10)
"""Events arrive up to some five minutes late, in order of insertion: a restart steps back by twice that."""

FEWEST_TIMES = 3
_SHAPE = re.compile(r"[A-Za-z]+_(\d{18,19})_(\d{18,19})_\d+", re.ASCII)


def inserted_at(cursor: str) -> datetime | None:
    """When the event that a cursor stands behind was inserted, where the cursor tells."""
    match = _SHAPE.fullmatch(cursor)
    return from_ticks(int(match[1])) if match else parse(cursor)


@dataclass(frozen=True)
class Restart:
    """Where a stream is taken up without its cursor; `why` follows the moment in a sentence."""

    cursor: str
    why: str


def restart_of(position: Position) -> Restart:
    """A date-time that is never past an event that was not delivered, and no further back than it must be.

    The insertion decides alone where the cursor tells it: the stream is in its order. Else it is the time in the
    middle of the last delivered events, for any one of them may be odd. Else it is where the stream began.
    """
    saved_at = parse(position.saved_at) or datetime.max.replace(tzinfo=EARLIEST.tzinfo)
    inserted = inserted_at(position.cursor)
    if inserted and EARLIEST <= inserted <= saved_at + LATE:
        return Restart(_before(inserted, position), "ten minutes before the insertion that the cursor tells")
    middle = _middle_of(position)
    if middle and EARLIEST <= middle <= saved_at + LATE:
        return Restart(_before(middle, position), "ten minutes before the time of the last delivered events")
    origin = parse(position.origin)
    return Restart(
        iso_utc(max(EARLIEST, origin) if origin else EARLIEST),
        "where it was begun, for nothing tells how far it had come"
        if origin
        else "the first moment that DocuSign has events of, for nothing tells how far it had come",
    )


def _middle_of(position: Position) -> datetime | None:
    """The time in the middle of the last delivered events; fewer than three tell nothing, for one may be odd.

    An older checkpoint has one time and no origin: it must do.
    """
    if not position.origin and not position.recent:
        return parse(position.last_event_time or "")
    times = sorted(moment for text in position.recent if (moment := parse(text)))
    return times[(len(times) - 1) // 2] if len(times) >= FEWEST_TIMES else None


def _before(moment: datetime, position: Position) -> str:
    """Some minutes before the moment, and never before the stream's own beginning."""
    return iso_utc(max(moment - LATE, parse(position.origin) or EARLIEST, EARLIEST))
