"""Where the connector stands in DocuSign's stream, and how that is written down.

The form of the checkpoint's blob: `{"version":1,"environment","userId","cursor","api","savedAt",
"lastEvent":{"eventId","timestamp"}}`; what a lost cursor needs: `"origin"` and `"recent"`; and what was delivered
although the cursor stays: `"delivered":{"events","digest"}`.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import orjson

from shared import lenient_json
from shared.errors import StateError
from shared.timestamps import iso_utc, normalise, parse

VERSION = 1
RECENT = 5
"""Times of so many events are kept: the one in the middle is right where two of them are odd."""


@dataclass(frozen=True)
class Position:
    """A cursor whose events up to it were all accepted, and the last of these.

    Attributes:
        cursor: DocuSign's cursor, or an ISO date-time before the first page.
        api: The generation of the Monitor API that gave it; empty before the first page.
        saved_at: When it was saved, ISO 8601 UTC.
        last_event_id: The last delivered event's id, or None.
        last_event_time: The last delivered event's time as DocuSign gave it, or None.
        delivered: How many events after the cursor were delivered all the same: DocuSign gave them without moving
            its cursor, or the workspace took them before it refused the rest of their page.
        digest: Of these events, in their order.
        origin: The ISO date-time at which the stream was begun, or taken up again; empty when unknown.
        recent: The times of the last delivered events, as DocuSign gave them, at most five.
    """

    cursor: str
    api: str
    saved_at: str
    last_event_id: str | None = None
    last_event_time: str | None = None
    delivered: int = 0
    digest: str = ""
    origin: str = ""
    recent: tuple[str, ...] = ()

    def fields(self) -> dict[str, Any]:
        """The blob's fields; what is not known is left out, but for the last event."""
        return {
            "version": VERSION,
            "cursor": self.cursor,
            "api": self.api,
            "savedAt": self.saved_at,
            "lastEvent": {"eventId": self.last_event_id, "timestamp": self.last_event_time},
            **({"delivered": {"events": self.delivered, "digest": self.digest}} if self.delivered else {}),
            **({"origin": self.origin} if self.origin else {}),
            **({"recent": self.recent} if self.recent else {}),
        }

    def to_json(self) -> bytes:
        """The blob's content; an event's id may hold what no UTF-8 text can."""
        return lenient_json.dumps(self.fields())

    def behind(self, events: Sequence[Any], sent: str, end_cursor: str, api: str) -> "Position":
        """The position behind a page.

        Args:
            events: What the page brought, in order.
            sent: The cursor that asked for it: this position's, or a date-time where the stream was taken up.
            end_cursor: Where the next page starts.
            api: The generation that gave it.
        """
        fresh = self.undelivered(events, sent)
        delivered, digest = 0, ""
        if end_cursor == sent:
            delivered, digest = (len(events), _digest(events)) if events else (self.delivered, self.digest)
        times = _last_times(fresh)
        recent = (
            self.recent if sent == self.cursor else ()
        )  # of a stream that was taken up elsewhere none counts
        return Position(
            end_cursor,
            api,
            iso_utc(datetime.now(UTC)),
            _last_id(fresh) or self.last_event_id,
            times[-1] if times else self.last_event_time,
            delivered=delivered,
            digest=digest,
            origin=sent if parse(sent) else self.origin,
            recent=(*recent, *times)[-RECENT:],
        )

    def within(self, events: Sequence[Any], sent: str, count: int) -> "Position":
        """The position in a page of which so many events were delivered, and then no more; its cursor stays.

        Args:
            events: What the page brought, in order.
            sent: The cursor that asked for it.
            count: How many of the events that were not delivered before were, from the first on.
        """
        taken = len(events) - len(self.undelivered(events, sent)) + count
        if sent != self.cursor or taken <= self.delivered:
            return self
        return self.behind(events[:taken], sent, sent, self.api)

    def is_another_than(self, saved: "Position") -> bool:
        """Whether there is something to save: when it was saved alone is nothing."""
        return replace(self, saved_at="") != replace(saved, saved_at="")

    def undelivered(self, events: Sequence[Any], sent: str) -> Sequence[Any]:
        """Those of a page's events that were not delivered before, with the cursor that did not move.

        Where the page does not begin with just what was delivered any more, all of it counts as new: a repeated
        event is removed by its id, a lost one would be gone.
        """
        known = sent == self.cursor and 0 < self.delivered <= len(events)
        if known and _digest(events[: self.delivered]) == self.digest:
            return events[self.delivered :]
        return events


def _digest(events: Sequence[Any]) -> str:
    """Tells these events from any others."""
    return hashlib.sha256(b"\n".join(lenient_json.dumps(event) for event in events)).hexdigest()


def _last_id(events: Sequence[Any]) -> str | None:
    """The id of the last event that has one."""
    return next((found for event in reversed(events) if (found := _identifier(event))), None)


def _identifier(event: Any) -> str | None:
    return _text(event.get("eventId")) if isinstance(event, dict) else None


def _last_times(events: Sequence[Any]) -> list[str]:
    """The readable times of the last events that have one, in the events' order; the whole page is not looked at."""
    dated = (time for event in reversed(events) if (time := _time(event)))
    return list(islice(dated, RECENT))[::-1]


def _time(event: Any) -> str | None:
    """The event's time, where it is readable."""
    when = _text(event.get("timestamp")) if isinstance(event, dict) else None
    return when if when and normalise(when) else None


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
    delivered, recent = value.get("delivered"), value.get("recent")
    delivered = delivered if isinstance(delivered, dict) else {}
    count = delivered.get("events")
    return Position(
        cursor,
        api,
        saved_at,
        _text(last.get("eventId")),
        _text(last.get("timestamp")),
        count if isinstance(count, int) else 0,
        _text(delivered.get("digest")) or "",
        _text(value.get("origin")) or "",
        tuple(time for time in recent if _text(time)) if isinstance(recent, list) else (),
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
