"""Times as text: ISO 8601 in, UTC with `Z` out.

DocuSign writes UTC with 0 to 7 fractional digits; Python keeps 6. A time that is already in the wanted
form is passed on as it came, so that no digit is lost.
"""

import re
from datetime import UTC, datetime, timedelta

EARLIEST = datetime(2021, 1, 1, tzinfo=UTC)
"""The first moment for which DocuSign Monitor holds data (documented)."""

_TICKS_EPOCH = datetime(1, 1, 1, tzinfo=UTC)
_UTC_FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,7})?Z", re.ASCII)
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*", re.ASCII)
_DURATION = re.compile(
    r"P(?=.)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?",
    re.ASCII,
)
_DURATION_SECONDS = (365 * 86400, 30 * 86400, 7 * 86400, 86400, 3600, 60, 1)


def iso_utc(moment: datetime) -> str:
    """The moment as `2026-11-21T09:13:00.123Z`, in milliseconds, UTC."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def parse(text: str) -> datetime | None:
    """The moment that an ISO 8601 date-time names, taken as UTC when it names no zone; else None."""
    if not _DATE_TIME.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def normalise(text: str) -> str | None:
    """The same time in UTC with `Z`, every digit kept where it is UTC already; None when unreadable."""
    if _UTC_FORM.fullmatch(text):
        try:
            datetime.fromisoformat(text[:19])
        except ValueError:
            return None
        return text
    moment = parse(text)
    return None if moment is None else moment.isoformat().removesuffix("+00:00") + "Z"


def parse_duration(text: str) -> timedelta | None:
    """The length of an ISO 8601 duration such as `P7D` or `PT36H`; a year counts 365 days, a month 30."""
    match = _DURATION.fullmatch(text.upper())
    if match is None:
        return None
    try:
        return timedelta(
            seconds=sum(int(n or 0) * size for n, size in zip(match.groups(), _DURATION_SECONDS, strict=True))
        )
    except (OverflowError, ValueError):  # ValueError: int() reads 4,300 digits at most
        return None


def from_ticks(ticks: int) -> datetime | None:
    """The moment of a .NET tick count (100 ns since year 1), or None when there is no such moment."""
    try:
        return _TICKS_EPOCH + timedelta(microseconds=ticks // 10)
    except OverflowError:
        return None
