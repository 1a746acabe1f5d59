"""Where the connector stands in DocuSign's stream, and how that is written down.

The form of the checkpoint's blob: `{"version":1,"cursor","api","savedAt","lastEvent":{"eventId","timestamp"}}`.
"""

from dataclasses import dataclass
from typing import Any

import orjson

from shared import lenient_json
from shared.errors import StateError

VERSION = 1


@dataclass(frozen=True)
class Position:
    """A cursor whose events up to it were all accepted, and the last of these.

    Attributes:
        cursor: DocuSign's cursor, or an ISO date-time before the first page.
        api: The generation of the Monitor API that gave it; empty before the first page.
        saved_at: When it was saved, ISO 8601 UTC.
        last_event_id: The last delivered event's id, or None.
        last_event_time: The last delivered event's time as DocuSign gave it, or None.
    """

    cursor: str
    api: str
    saved_at: str
    last_event_id: str | None = None
    last_event_time: str | None = None

    def to_json(self) -> bytes:
        """The blob's content; an event's id may hold what no UTF-8 text can."""
        return lenient_json.dumps(
            {
                "version": VERSION,
                "cursor": self.cursor,
                "api": self.api,
                "savedAt": self.saved_at,
                "lastEvent": {"eventId": self.last_event_id, "timestamp": self.last_event_time},
            }
        )


def position_from_json(content: bytes, blob: str) -> Position:
    """The position that a checkpoint's blob holds.

    Raises:
        StateError: The content is unreadable, or a later version wrote it. It is never ignored: that would
            restart the stream in silence.
    """
    cure = (
        f"Restore an earlier version of the blob, or set a new position with `python manage.py rewind --to <date-time>`"
        f" after moving {blob} away"
    )
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise StateError(f"The checkpoint {blob} is not JSON. {cure}.") from None
    if not isinstance(value, dict) or not isinstance(version := value.get("version"), int):
        raise StateError(f"The checkpoint {blob} has no version. {cure}.")
    if version != VERSION:
        raise StateError(
            f"The checkpoint {blob} has version {version}, and this connector knows version {VERSION}. "
            "Deploy the connector that wrote it, or a later one."
        )
    last = value.get("lastEvent")
    cursor, api, saved_at = value.get("cursor"), value.get("api") or "", value.get("savedAt") or ""
    if not (isinstance(cursor, str) and cursor and isinstance(api, str) and isinstance(saved_at, str)):
        raise StateError(f"The checkpoint {blob} has no cursor. {cure}.")
    last = last if isinstance(last, dict) else {}
    return Position(cursor, api, saved_at, _text(last.get("eventId")), _text(last.get("timestamp")))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
