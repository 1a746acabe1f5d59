"""The Monitor stream: events in insertion order, and cursors that point into it.

A page is cut out of events that were serialized once, when they arrived::

    inserted    09:00:00   09:00:01   09:00:01   09:00:07
    number             1          2          3          4
    event time  08:59:58   08:56:10   08:59:59   09:00:06      late events keep their place in line
                                    ^
                                    aa_<09:00:01>_<08:56:10>_2
"""

import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from json import JSONDecodeError, loads

import orjson

from sandbox.docusign.cursors import TICKS_A_SECOND, Cursor, ticks, ticks_at, ticks_of
from sandbox.organization import Entry

DEFAULT_LIMIT, HIGHEST_LIMIT = 1000, 2000
EARLIEST = ticks(datetime(2021, 1, 1, tzinfo=UTC))
_DEFAULT_SPAN = 7 * 86_400 * TICKS_A_SECOND


class InvalidCursorError(ValueError):
    """Raised for a cursor that was never given out, or that has expired."""


@dataclass(frozen=True)
class Page:
    """A page of the stream.

    Attributes:
        end_cursor: What to send next; equal to the cursor sent when there is nothing more.
        events: A JSON array.
        count: Number of events in it.
    """

    end_cursor: str
    events: bytes
    count: int


class Stream:
    """Holds the events and cuts pages; every method may be called from any thread.

    Args:
        clock: Returns the seconds since 1970.

    Attributes:
        page_sizes: Sizes of the next pages, first one first. A page never exceeds its size, and size 0 gives
            an empty page whose cursor moves although no event is passed over.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.page_sizes: deque[int] = deque()
        self._clock = clock
        self._lock = threading.Lock()
        self._order: list[tuple[int, int]] = []
        self._bodies: list[bytes] = []
        self._happened: list[int] = []
        self._issued: set[str] = set()
        self._expired = False

    def __len__(self) -> int:
        return len(self._bodies)

    def load(self, entries: Iterable[Entry]) -> None:
        """Append entries at the times they were inserted at."""
        with self._lock:
            for entry in entries:
                happened = ticks_of(str(entry.event.get("timestamp")))
                self._add(orjson.dumps(entry.event), ticks(entry.inserted_at), happened)

    def append(self, events: Iterable[dict[str, object]], at: datetime | None = None) -> None:
        """Append events, inserted now or at the given time."""
        inserted = self._now() if at is None else ticks(at)
        with self._lock:
            for event in events:
                self._add(orjson.dumps(event), inserted, ticks_of(str(event.get("timestamp"))))

    def append_raw(self, event: bytes, at: datetime | None = None) -> None:
        """Append one event as the bytes it shall have on the wire, however hostile."""
        inserted = self._now() if at is None else ticks(at)
        with self._lock:
            self._add(event, inserted, _happened(event))

    def expire_cursors(self) -> None:
        """Forget every cursor given out so far; ISO 8601 date-times go on working."""
        with self._lock:
            self._issued.clear()
            self._expired = True

    def page(self, cursor: str, limit: int) -> Page:
        """Return the page after a cursor, an ISO 8601 date-time, or (when empty) from seven days ago.

        Raises:
            InvalidCursorError: The cursor is none, was never given out, or has expired.
        """
        with self._lock:
            position = self._position(cursor)
            begin = bisect_right(self._order, (position.inserted, position.number))
            size = self.page_sizes.popleft() if self.page_sizes else limit
            end = min(begin + min(size, limit), len(self._bodies))
            page_end = position if begin == end else self._cursor_at(end - 1)
            if size == 0:
                page_end = position._replace(happened=position.happened + 1)
            self._issued.add(str(page_end))
            return Page(str(page_end), b"[%b]" % b",".join(self._bodies[begin:end]), end - begin)

    def _now(self) -> int:
        return ticks_at(self._clock())

    def _add(self, body: bytes, inserted: int, happened: int | None) -> None:
        """Append one event; an insertion time before the last one is moved up to it, as order demands."""
        if self._order:
            inserted = max(inserted, self._order[-1][0])
        self._order.append((inserted, len(self._order) + 1))
        self._bodies.append(body)
        self._happened.append(inserted if happened is None else happened)

    def _cursor_at(self, index: int) -> Cursor:
        inserted, number = self._order[index]
        return Cursor(inserted, self._happened[index], number)

    def _position(self, text: str) -> Cursor:
        if not text:
            return _start_of(self._now() - _DEFAULT_SPAN)
        cursor = Cursor.parse(text)
        if cursor is not None:
            if self._is_known(text, cursor):
                return cursor
            raise InvalidCursorError("The cursor is invalid or has expired.")
        since = ticks_of(text)
        if since is None:
            raise InvalidCursorError("The cursor is neither a cursor nor an ISO 8601 date-time.")
        return _start_of(max(since, EARLIEST))

    def _is_known(self, text: str, cursor: Cursor) -> bool:
        """Tell if a cursor was given out; one that names an entry may date from before a restart."""
        if text in self._issued:
            return True
        index = cursor.number - 1
        return not self._expired and 0 <= index < len(self._order) and self._cursor_at(index) == cursor


def _start_of(tick: int) -> Cursor:
    return Cursor(tick, tick, 0)


def _happened(event: bytes) -> int | None:
    try:
        value = loads(event)
    except (JSONDecodeError, UnicodeDecodeError):
        return None
    return ticks_of(str(value.get("timestamp"))) if isinstance(value, dict) else None
