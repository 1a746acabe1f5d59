"""Events to flat rows: exactly the contract's fields, whatever an event looks like.

Nothing is dropped: what has no field of its own, or has a value of another kind than its field, goes into
`additionalFields`, so that the number of columns never grows and no column changes its type. Nulls and empty
strings are left out, for they are billed and say nothing.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from shared import lenient_json
from shared.ingestion.columns import EVENT_FIELDS, Kind
from shared.timestamps import normalise

Row = dict[str, Any]

_FIELDS = tuple(field for field in EVENT_FIELDS if field.name != "additionalFields")
_TEXTS = frozenset(field.name for field in _FIELDS if field.kind in (Kind.TEXT, Kind.IDENTIFIER))
_LOCATION = frozenset({"latitude", "longitude", "city", "state", "country"})
_CLIENT = frozenset({"browser", "device", "os"})


class EncodedRow(NamedTuple):
    """A row as it is posted, beside the event that it came from.

    Attributes:
        body: The row as a JSON object, UTF-8.
        event: The event as DocuSign sent it, for a dead letter.
        timestamp: The event's time as posted, UTC; empty when it has none.
        truncated: The fields that were cut because they are over the API's limit.
    """

    body: bytes
    event: Any
    timestamp: str = ""
    truncated: tuple[str, ...] = ()


def encode_event(event: Any, field_limit: int) -> EncodedRow:
    """The row of an event, ready to be posted.

    Args:
        event: One element of DocuSign's list: mostly an object, but anything is taken.
        field_limit: The most bytes of UTF-8 that the ingestion API keeps of one value.
    """
    row, extras = _sorted_out(event)
    if extras:
        row["additionalFields"] = _json_text(extras)
    body = lenient_json.dumps(row)
    timestamp = row.get("timestamp", "")
    if len(body) <= field_limit:
        # a copy, for what orjson gives holds on to some 8 KB of memory however short it is
        return EncodedRow(memoryview(body).tobytes(), event, timestamp)
    truncated = _truncate(row, extras, field_limit)
    return EncodedRow(lenient_json.dumps(row) if truncated else body, event, timestamp, truncated)


def _sorted_out(event: Any) -> tuple[Row, dict[str, Any]]:
    """The row's own fields, and what has no place in them."""
    if not isinstance(event, dict):
        return {}, {"event": event, "eventId": None}
    row: Row = {}
    extras: dict[str, Any] = {}
    for name, value in event.items():
        if value is None or value == "":
            continue
        if name in _TEXTS and type(value) is str:
            row[name] = value
        elif (convert := _CONVERT.get(name)) is None or not convert(row, name, value):
            extras[name] = value
    if "ipAddressLocation" in extras:
        _take_location(row, event, extras)
    if "userAgentClientInfo" in row and not row.keys() >= _CLIENT:
        _take_client(row, event["userAgentClientInfo"])
    if "eventId" not in row and "eventId" not in extras:
        extras["eventId"] = None
    if "timestamp" not in row and "timestamp" not in extras:
        extras["timestamp"] = None
    return row, extras


def _text(row: Row, name: str, value: Any) -> bool:
    if not isinstance(value, str):
        return False
    row[name] = value
    return True


def _moment(row: Row, name: str, value: Any) -> bool:
    moment = normalise(value) if isinstance(value, str) else None
    if moment is None:
        return False
    row[name] = moment
    return True


def _number(row: Row, name: str, value: Any) -> bool:
    if type(value) not in (int, float):  # a bool is an int, but no number
        return False
    row[name] = value
    return True


def _flag(row: Row, name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        return False
    row[name] = value
    return True


def _object(row: Row, name: str, value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    row[name] = _json_text(value)
    return True


_BY_KIND: Mapping[Kind, Callable[[Row, str, Any], bool]] = {
    Kind.TEXT: _text,
    Kind.IDENTIFIER: _text,
    Kind.MOMENT: _moment,
    Kind.NUMBER: _number,
    Kind.FLAG: _flag,
    Kind.JSON: _object,
}
"""How a value gets into a field of each kind; False when it is of another kind."""

_CONVERT = {field.name: _BY_KIND[field.kind] for field in _FIELDS}
"""By name, for every event of a page asks: an Enum's hash alone takes longer than the rest of a look-up."""


def _take_location(row: Row, event: dict[str, Any], extras: dict[str, Any]) -> None:
    """Fill the flat location from the nested one, which stays only where it says something else."""
    nested = extras["ipAddressLocation"]
    if not isinstance(nested, dict):
        return
    differing: dict[str, Any] = {}
    for name, value in nested.items():
        if value is None or value == "":
            continue
        if name in _LOCATION:
            if event.get(name) in (None, ""):
                _CONVERT[name](row, name, value)
            if row.get(name) == value and not isinstance(value, bool):  # True is not 1
                continue
        differing[name] = value
    if differing:
        extras["ipAddressLocation"] = differing
    else:
        del extras["ipAddressLocation"]


def _take_client(row: Row, info: dict[str, Any]) -> None:
    """Fill browser, device and os from the nested object, in the form of DocuSign's flat copy ("Chrome 126")."""
    for name in sorted(_CLIENT):
        part = info.get(name)
        family = part.get("family") if isinstance(part, dict) else None
        if name not in row and isinstance(family, str) and family:
            version = part.get("version") if isinstance(part, dict) else None
            major = version.get("major") if isinstance(version, dict) else None
            row[name] = f"{family} {major}" if isinstance(major, str) and major else family


def _json_text(value: Any) -> str:
    return lenient_json.dumps(value).decode()


def _truncate(row: Row, extras: dict[str, Any], limit: int) -> tuple[str, ...]:
    """Cut what is over the limit, on a character boundary, and name it in `additionalFields.truncated`."""
    long = [
        name
        for name, value in row.items()
        if name != "additionalFields" and isinstance(value, str) and _bytes(value) > limit
    ]
    for name in long:
        row[name] = _cut(row[name], limit)
    marked = {"truncated": long} | _without(extras, "truncated")
    if _bytes(_json_text(marked if long else extras)) > limit:
        long.append("additionalFields")
    if long:
        row["additionalFields"] = _fitting(marked, limit)
    return tuple(long)


def _without(extras: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in extras.items() if key != name}


def _fitting(extras: dict[str, Any], limit: int) -> str:
    """As many of the extras, in their order, as fit: a JSON text that is cut could not be read."""
    kept: dict[str, Any] = {}
    size = len("{}")
    for name, value in extras.items():
        more = _bytes(_json_text({name: value})) - 1
        if size + more <= limit:
            kept[name] = value
            size += more
    return _json_text(kept)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "backslashreplace"))


def _cut(text: str, limit: int) -> str:
    return text.encode("utf-8", "backslashreplace")[:limit].decode("utf-8", "ignore")
