"""(e) Bytes billed an event, against the event as received.

Log Analytics bills the text of a record's values, without the names of its columns. A value's size here is
the length of its UTF-8 text; an object's, that of its JSON; nulls and empty strings have none. `TimeGenerated`
counts, in the 24 characters of its text. The columns that are Azure's own are not counted: every table has them.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from benchmarks.replay import sample_events
from benchmarks.results import Result
from shared.ingestion.rows import encode_event

_TIME_GENERATED = len("2026-11-21T12:00:00.000Z")
_LIMIT = 32 * 1024


def billed(record: Mapping[str, Any]) -> int:
    """The bytes of a record's values."""
    return _TIME_GENERATED + sum(_size(value) for value in record.values())


def measure(count: int) -> list[Result]:
    """The rows' billed bytes over the events' bytes, and over what the events' own values would be billed."""
    events = sample_events(count)
    rows = [orjson.loads(encode_event(event, _LIMIT).body) for event in events]
    ours = sum(map(billed, rows)) / count
    received = sum(len(orjson.dumps(event)) for event in events) / count
    unshaped = sum(map(billed, events)) / count
    return [
        Result("e bytes", "billed, to the event as received", ours / received),
        Result("e bytes", "billed, to the event's values posted as they are", ours / unshaped),
        Result("e bytes", "billed an event", ours, "bytes", None, f"{received:,.0f} bytes received"),
    ]


def _size(value: Any) -> int:
    if value is None:
        return 0
    return len(value.encode() if isinstance(value, str) else orjson.dumps(value))
