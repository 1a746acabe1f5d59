"""Cursors of the Monitor stream: `aa_<ticks>_<ticks>_<n>`, in .NET ticks."""

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Self

_EPOCH_TICKS = 621_355_968_000_000_000
"""Ticks of 100 ns from the year 1 to 1970."""

TICKS_A_SECOND = 10_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_CURSOR = re.compile(r"aa_(\d{18})_(\d{18})_(\d{1,12})", re.ASCII)
_FRACTION = re.compile(r"\.(\d{1,7})")


class Cursor(NamedTuple):
    """A position in the stream: after the entry that has this insertion time and number.

    Attributes:
        inserted: Ticks at which the entry was inserted.
        happened: Ticks of the event's own time. It takes no part in the order.
        number: Breaks ties; 0 stands before every entry of its tick.
    """

    inserted: int
    happened: int
    number: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the cursor that the text stands for, or None if it is no cursor."""
        match = _CURSOR.fullmatch(text)
        return cls(*map(int, match.groups())) if match else None

    def __str__(self) -> str:
        return f"aa_{self.inserted:018d}_{self.happened:018d}_{self.number}"


def ticks(moment: datetime) -> int:
    """Return the .NET ticks of a moment; a moment without a time zone counts as UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return _EPOCH_TICKS + (aware - _EPOCH) // _MICROSECOND * 10


def ticks_at(seconds: float) -> int:
    """Return the .NET ticks of a number of seconds since 1970."""
    return _EPOCH_TICKS + round(seconds * 1_000_000) * 10


def ticks_of(text: str) -> int | None:
    """Return the .NET ticks of an ISO 8601 date-time with up to seven fractional digits, or None."""
    try:
        whole = ticks(datetime.fromisoformat(_FRACTION.sub("", text, count=1)))
    except (ValueError, OverflowError):
        return None
    fraction = _FRACTION.search(text)
    return whole + (int(fraction.group(1).ljust(7, "0")) if fraction else 0)
