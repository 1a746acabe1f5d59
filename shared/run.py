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

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from shared.budget import Budget, RunOver, in_background
from shared.docusign.monitor import Page
from shared.errors import ConnectorError, OperatorError, ServiceUnavailable
from shared.position import Position

CAUGHT_UP, OUT_OF_BUDGET, FAILED = "caught-up", "budget", "failed"
ALREADY_RUNNING = "already-running"
"""Another runner is at work: this one did nothing, and leaves no row in the health table."""
EMPTY_PAGES = 3
"""So many empty pages in a row mean caught up: an empty page alone may only be a gap in the stream."""

QUOTA_LOW = (
    "The account's DocuSign API calls for this hour are nearly used up by all of its apps: the run ends early "
    "and leaves them the rest; the next run goes on"
)
UNMOVED = (
    "DocuSign gave {events} events and the cursor that it was asked with; {known} of them were delivered before "
    "and are passed over"
)


class Source(Protocol):
    """Where pages come from."""

    def page(self, position: Position) -> Page:
        """The page after the position."""


class Sink(Protocol):
    """Where events go."""

    @property
    def taken(self) -> int:
        """How many of the last page's events were accepted, from its first on, without a gap."""

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
    meter, empty_pages = Meter(budget), 0
    upcoming = in_background(partial(meter.fetch, source, position))
    while True:
        try:
            budget.pause(0.0)
            page = upcoming.result()
        except RunOver:
            progress.outcome = OUT_OF_BUDGET
            return
        empty_pages = 0 if page.events else empty_pages + 1
        outcome = ending(page, empty_pages, meter)
        following = next_position(position, page)
        if not outcome:
            upcoming = in_background(partial(meter.fetch, source, following))
        with meter.shipping():
            ship(sink, saves, position, page)
            if following.is_another_than(position):
                saves.save(following)
        note(progress, position, page, outcome)
        if outcome:
            return
        position = following


def ship(sink: Sink, saves: Saves, position: Position, page: Page) -> None:
    """Ship what is new of a page. What was taken of a page that then failed is saved, and not repeated.

    Raises:
        ConnectorError: As the sink says; a lost lease can save nothing.
    """
    try:
        sink.ship(position.undelivered(page.events, page.sent), page.sent)
    except (OperatorError, ServiceUnavailable):
        partly = position.within(page.events, page.sent, sink.taken)
        if partly.is_another_than(position):
            with contextlib.suppress(ConnectorError):  # the failure itself is what a person must know
                saves.save(partly)
        raise


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

    @contextlib.contextmanager
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
    return position.behind(page.events, page.sent, page.end_cursor, page.api)


def note(progress: Progress, position: Position, page: Page, outcome: str) -> None:
    """Count a page that was shipped and saved, and keep what a person should know of it."""
    progress.pages += 1
    progress.api = page.api
    if page.warning:
        progress.notes.append(page.warning)
    if page.events and page.is_last:
        known = len(page.events) - len(position.undelivered(page.events, page.sent))
        progress.notes.append(UNMOVED.format(events=len(page.events), known=known))
    if outcome == OUT_OF_BUDGET and page.quota_low:
        progress.notes.append(QUOTA_LOW)
    if outcome:
        progress.outcome = outcome
