"""The columns that the Data Collector API gives to values: a name with the suffix of its type.

A value goes to the column of its own type when there is one, else to any existing column of its name that it
can be converted to, else a column of its own type is made: `userId_s` beside `userId_g`.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

SUFFIXES = {"s": "string", "b": "bool", "d": "real", "t": "datetime", "g": "guid"}
"""The KQL type that each suffix stands for, in the order in which existing columns are tried."""

MAX_COLUMNS = 500
MAX_NAME = 45
MAX_FIELD_BYTES = 32 * 1024

_MAX_UTF8 = 4
_RESERVED = {"tenant", "TimeGenerated", "RawData"}
_NAME = re.compile(r"\w+", re.ASCII)
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d.*", re.ASCII)
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


class InvalidDataError(ValueError):
    """A record that the service refuses; the message says why."""


def date_time(text: str) -> datetime | None:
    """Return the moment that an ISO 8601 date-time names, in UTC; None for any other text."""
    if not _DATE_TIME.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _boolean(value: Any) -> bool | None:
    return {"true": True, "false": False}.get(value.lower()) if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else None


_CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "s": lambda value: value if isinstance(value, str) else orjson.dumps(value).decode(),
    "b": _boolean,
    "d": _number,
    "t": lambda value: date_time(value) if isinstance(value, str) else None,
    "g": lambda value: value if isinstance(value, str) and _GUID.fullmatch(value) else None,
}
"""Turns a value of another type into the suffix's type, or into None where that cannot be."""


class Columns:
    """The columns of one table while one post is read; the table itself is left alone.

    Args:
        existing: The KQL type of each column that the table has.

    Attributes:
        used: The KQL type of each column that the rows so far need.
        cuts: How many values were cut to 32 KB.
    """

    def __init__(self, existing: Mapping[str, str]) -> None:
        self.used: dict[str, str] = {}
        self.cuts = 0
        self._known = set(existing)
        self._folded = {name.lower() for name in existing}
        self._chosen: dict[tuple[str, str], str] = {}

    def row(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Return the record under its columns' names, without nulls and empty strings.

        Raises:
            InvalidDataError: A bad name, a nested value, or too many columns.
        """
        row = {}
        for name, value in record.items():
            if value is not None and value != "":
                suffix, own = self._typed(name, value)
                column = self._chosen.get((name, suffix))
                if column is None:
                    column, own = self._place(name, suffix, value, own)
                row[column] = own
        return row

    def _typed(self, name: str, value: Any) -> tuple[str, Any]:
        """Return the suffix of the value's own type, and the value as it is stored under it."""
        if isinstance(value, str):
            if len(value) == 36 and _GUID.fullmatch(value):  # noqa: PLR2004  the length of a GUID
                return "g", value
            if value[4:5] == "-" and (moment := date_time(value)):
                return "t", moment
            return "s", self._cut(value)
        if isinstance(value, bool):
            return "b", value
        if isinstance(value, int | float):
            return "d", value
        raise InvalidDataError(f"{name!r} is nested; no rule for that is documented, so send flat records.")

    def _place(self, name: str, suffix: str, value: Any, own: Any) -> tuple[str, Any]:
        column = f"{name}_{suffix}"
        if column not in self._known:
            for other, kind in SUFFIXES.items():
                drifted = f"{name}_{other}"
                if drifted in self._known and (converted := _CONVERSIONS[other](value)) is not None:
                    self.used[drifted] = kind
                    return drifted, converted
            self._create(column)
        self._chosen[name, suffix] = column
        self.used[column] = SUFFIXES[suffix]
        return column, own

    def _create(self, column: str) -> None:
        name = column[:-2]
        if not _NAME.fullmatch(name) or name in _RESERVED:
            raise InvalidDataError(f"{name!r} is no name for a field: letters, digits, _, and not reserved.")
        if len(column) > MAX_NAME:
            raise InvalidDataError(f"{column!r} has more than {MAX_NAME} characters.")
        if column.lower() in self._folded:
            raise InvalidDataError(f"{column!r} exists in another case, which the sandbox cannot store.")
        if len(self._known) >= MAX_COLUMNS:
            raise InvalidDataError(f"{column!r} would be column {MAX_COLUMNS + 1} of the table.")
        self._known.add(column)
        self._folded.add(column.lower())

    def _cut(self, value: str) -> str:
        if len(value) * _MAX_UTF8 <= MAX_FIELD_BYTES or len(data := value.encode()) <= MAX_FIELD_BYTES:
            return value
        self.cuts += 1
        return data[:MAX_FIELD_BYTES].decode(errors="ignore")
