"""What a cursor tells, and where to start without one.

A cursor is opaque: it is decoded for a lag figure, never built. Its observed shape is
`aa_<ticks>_<ticks>_<n>`, .NET ticks of the insertion and of the event. The Monitor API also takes an ISO
8601 date-time in a cursor's place (documented).
"""

import re
from datetime import datetime, timedelta

from shared.timestamps import EARLIEST, from_ticks, iso_utc, parse

LATE = timedelta(minutes=10)
"""Events arrive up to some five minutes late, in order of insertion: a restart steps back by twice that."""

_SHAPE = re.compile(r"[A-Za-z]+_(\d{18,19})_(\d{18,19})_\d+", re.ASCII)


def inserted_at(cursor: str) -> datetime | None:
    """When the event that a cursor stands behind was inserted, where the cursor tells."""
    match = _SHAPE.fullmatch(cursor)
    return from_ticks(int(match[1])) if match else parse(cursor)


def restart_before(moment: datetime) -> str:
    """The cursor that brings everything from some minutes before the moment; duplicates are expected."""
    return iso_utc(max(EARLIEST + LATE, moment) - LATE)
