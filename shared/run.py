"""The run loop: pages out of DocuSign into the workspace, the cursor behind what was accepted.

::

    cursor saved      c0              c1              c2
    accepted          |   page 1      |   page 2      |
    in the loop       fetch 1 .. ship 1 .. save c1 .. ship 2 .. save c2
    beside it                    fetch 2 ........... fetch 3

Every event up to the saved cursor was accepted, or kept as a dead letter, before the cursor was saved. A run
that is killed between acceptance and saving repeats that one page. One page is shipped while the next is
fetched, and never more than these two are held.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

from shared.budget import Budget, in_background
from shared.docusign.monitor import Page
from shared.position import Position
from shared.timestamps import iso_utc, normalise

CAUGHT_UP, OUT_OF_BUDGET, FAILED = "caught-up", "budget", "failed"
ALREADY_RUNNING = "already-running"
"""Another runner is at work: this one did nothing, and leaves no row in the health table."""
EMPTY_PAGES = 3
"""So many empty pages in a row mean caught up: an empty page alone may only be a gap in the stream."""

QUOTA_LOW = (
    "The account's DocuSign API calls for this hour are nearly used up by all of its apps: the run ends early "
    "and leaves them the rest; the next run goes on"
)


class Source(Protocol):
    """Where pages come from."""

    def page(self, position: Position) -> Page:
        """The page after the position."""


class Sink(Protocol):
    """Where events go."""

    def ship(self, events: Sequence[Any], cursor: str) -> None:
        """Return once every event is accepted or kept as a dead letter."""


class Saves(Protocol):
    """Where the position is kept."""

    def save(self, position: Position) -> None:
        """Return once the position is saved."""


@dataclass
class Progress:
    """What a run has done so far; `outcome` and `notes` say how it went."""

    pages: int = 0
    outcome: str = FAILED
    api: str = ""
    notes: list[str] = field(default_factory=list)


def carry(
    source: Source, sink: Sink, saves: Saves, position: Position, budget: Budget, progress: Progress
) -> None:
    """Carry events from the position on until DocuSign has no more, or the time is used up.

    Raises:
        ConnectorError: Something failed for good; what was accepted before is saved.
    """
    meter = Meter(budget)
    page, empty_pages = meter.fetch(source, position), 0
    while True:
        empty_pages = 0 if page.events else empty_pages + 1
        outcome = ending(page, empty_pages, meter)
        following = next_position(position, page)
        upcoming = None if outcome else in_background(partial(meter.fetch, source, following))
        with meter.shipping():
            sink.ship(page.events, page.sent)
            if (following.cursor, following.api) != (position.cursor, position.api):
                saves.save(following)
        note(progress, page, outcome)
        if upcoming is None:
            return
        position, page = following, upcoming.result()


class Meter:
    """Measures pages, to know whether another one fits into the time that is left."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._longest_fetch = 0.0
        self._longest_shipping = 0.0

    def fetch(self, source: Source, after: Position) -> Page:
        """The next page; how long it took is remembered."""
        start = self._budget.clock()
        page = source.page(after)
        self._longest_fetch = max(self._longest_fetch, self._budget.clock() - start)
        return page

    @contextmanager
    def shipping(self) -> Iterator[None]:
        """Measures what is done inside."""
        start = self._budget.clock()
        yield
        self._longest_shipping = max(self._longest_shipping, self._budget.clock() - start)

    def has_room(self) -> bool:
        """Whether there is time to ship the page in hand, fetch another beside it, and ship that one."""
        shipping = self._longest_shipping or self._longest_fetch
        return self._budget.remaining > max(self._longest_fetch, shipping) + shipping


def ending(page: Page, empty_pages: int, meter: Meter) -> str:
    """How the run ends after this page, or nothing when it goes on."""
    if page.is_last or empty_pages >= EMPTY_PAGES:
        return CAUGHT_UP
    return OUT_OF_BUDGET if page.quota_low or not meter.has_room() else ""


def next_position(position: Position, page: Page) -> Position:
    """The position behind a page."""
    last = next((event for event in reversed(page.events) if _has_time(event)), None)
    saved_at = iso_utc(datetime.now(UTC))
    if last is None:
        return replace(position, cursor=page.end_cursor, api=page.api, saved_at=saved_at)
    identifier = last.get("eventId")
    return Position(
        page.end_cursor,
        page.api,
        saved_at,
        identifier if isinstance(identifier, str) else None,
        last["timestamp"],
    )


def note(progress: Progress, page: Page, outcome: str) -> None:
    """Count a page that was shipped and saved, and keep what a person should know of it."""
    progress.pages += 1
    progress.api = page.api
    if page.warning:
        progress.notes.append(page.warning)
    if outcome == OUT_OF_BUDGET and page.quota_low:
        progress.notes.append(QUOTA_LOW)
    if outcome:
        progress.outcome = outcome


def _has_time(event: Any) -> bool:
    return (
        isinstance(event, dict) and isinstance(when := event.get("timestamp"), str) and bool(normalise(when))
    )
