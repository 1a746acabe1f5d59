import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from shared.budget import Budget
from shared.docusign.monitor import Page
from shared.errors import IngestionRefused, LeaseLost, ServiceUnavailable
from shared.position import Position, position_from_json
from shared.run import CAUGHT_UP, FAILED, OUT_OF_BUDGET, QUOTA_LOW, UNMOVED, Progress, carry, next_position
from tests.support import ManualClock, make_budget

START = Position("c0", "v2", "2026-11-20T00:00:00.000Z")


def make_page(number: int, *, events: int = 2, end: int | None = None, **extra: Any) -> Page:
    """Give the page behind the cursor c<number>; its own end is the next number."""
    time = f"2026-11-20T10:{number:02}"
    content = [{"eventId": f"{number}.{n}", "timestamp": f"{time}:{n:02}Z"} for n in range(events)]
    return Page(content, f"c{number}", f"c{number + 1 if end is None else end}", "v2", **extra)


class Pages:
    """A source of given pages; the last one is given for ever."""

    def __init__(self, *pages: Page | Exception, before: Callable[[int], None] = lambda _: None) -> None:
        self._pages = pages
        self._before = before
        self.asked: list[str] = []

    def page(self, position: Position) -> Page:
        """Give the next page, or fail."""
        self.asked.append(position.cursor)
        number = min(len(self.asked), len(self._pages)) - 1
        self._before(number)
        page = self._pages[number]
        if isinstance(page, Exception):
            raise page
        return page


class Log:
    """A workspace and a checkpoint that remember the order of what happened."""

    def __init__(
        self,
        during: Callable[[int], None] = lambda _: None,
        failures: dict[str, Exception] | None = None,
    ) -> None:
        self._during = during
        self._failures = failures or {}
        self._shipped = 0
        self.events = 0
        self.taken = 0
        self.happened: list[str] = []
        self.positions: list[Position] = []

    def ship(self, events: Sequence[Any], cursor: str) -> None:
        """Accept a page, or fail."""
        self._during(self._shipped)
        self._shipped += 1
        self._step(f"ship {cursor}")
        self.events += len(events)

    def save(self, position: Position) -> None:
        """Save a position, or fail."""
        self._step(f"save {position.cursor}")
        self.positions.append(position)

    def _step(self, what: str) -> None:
        if what in self._failures:
            raise self._failures[what]
        self.happened.append(what)


def run(pages: Pages, log: Log, budget: Budget | None = None, start: Position = START) -> Progress:
    """Carry the pages."""
    progress = Progress()
    carry(pages, log, log, start, budget or make_budget(ManualClock()), progress)
    return progress


def test_until_caught_up() -> None:
    """Each page is saved once it was accepted, until DocuSign gives back the cursor that was sent."""
    pages, log = Pages(make_page(0), make_page(1), make_page(2, events=0, end=2)), Log()
    progress = run(pages, log)

    assert ["ship c0", "save c1", "ship c1", "save c2", "ship c2"] == log.happened
    assert ["c0", "c1", "c2"] == pages.asked
    assert 4 == log.events
    assert Progress(pages=3, outcome=CAUGHT_UP, api="v2") == progress


def test_data_with_an_unmoved_cursor() -> None:
    """Events behind a cursor that stays where it is are taken, what was taken is saved, and the run ends."""
    pages, log = Pages(make_page(0, end=0)), Log()
    progress = run(pages, log)

    assert (CAUGHT_UP, [UNMOVED.format(events=2, known=0)]) == (progress.outcome, progress.notes)
    assert ["ship c0", "save c0"] == log.happened
    assert [(2, "0.1")] == [(position.delivered, position.last_event_id) for position in log.positions]


def test_an_unmoved_cursor_in_every_run() -> None:
    """Four runs get the same page, then one with two more events: each event is shipped once, and it is told."""
    log, position, notes = Log(), START, []
    for count in (3, 3, 3, 3, 5, 5):
        progress = run(Pages(make_page(0, events=count, end=0)), log, start=position)
        position = log.positions[-1]
        notes += progress.notes

    assert (5, 2) == (log.events, len(log.positions))
    assert UNMOVED.format(events=3, known=3) == notes[1]
    assert UNMOVED.format(events=5, known=3) == notes[4]


def test_a_cursor_that_moves_again() -> None:
    """What was delivered with the old cursor is passed over in the page that brings the new one."""
    log = Log()
    run(Pages(make_page(0, events=2, end=0)), log)
    run(Pages(make_page(0, events=4), make_page(1, events=0, end=1)), log, start=log.positions[-1])

    assert (4, 0, "c1") == (log.events, log.positions[-1].delivered, log.positions[-1].cursor)


def test_an_event_that_came_in_before_those_that_were_delivered() -> None:
    """Where the page does not begin as it did, all of it is shipped again: nothing is passed over on a guess."""
    log = Log()
    run(Pages(make_page(0, events=3, end=0)), log)
    page = make_page(0, events=3, end=0)
    late = {"eventId": "late", "timestamp": "2026-11-20T10:00:00Z"}
    run(Pages(replace(page, events=[late, *page.events])), log, start=log.positions[-1])

    assert 3 + 4 == log.events


@pytest.mark.parametrize(
    ("first", "second", "shipped"),
    [
        (["a", "b", "c"], ["b", "late", "c"], 6),  # the window moved, and one came in before the last
        (["a", "b", "c"], ["a", "b", "c", "d"], 4),
        (["a", "b", "c"], ["a", "b"], 5),
        (["a", "b"], ["b", "a"], 4),
        (["a\ud800", "b\ud800"], ["a\ud800", "b\ud800", "c"], 3),
        ([None, None], [None, None], 2),
        (["a", None], ["a", None, None], 3),
    ],
)
def test_what_is_passed_over_is_just_what_was_delivered(
    first: list[str | None], second: list[str | None], shipped: int
) -> None:
    """A page counts as delivered as far as it begins with the same events in the same order, ids or not."""
    log = Log()
    for ids in (first, second):
        start = position_from_json(log.positions[-1].to_json(), "blob") if log.positions else START
        run(Pages(replace(make_page(0, end=0), events=[{"eventId": one} for one in ids])), log, start=start)

    assert shipped == log.events


def test_equal_ids_of_other_events() -> None:
    """Two events with one id are two events."""
    log = Log()
    run(Pages(replace(make_page(0, end=0), events=[{"eventId": "x", "n": 1}])), log)
    run(Pages(replace(make_page(0, end=0), events=[{"eventId": "x", "n": 2}])), log, start=log.positions[-1])

    assert 2 == log.events


def test_an_empty_page_forgets_nothing() -> None:
    """With an unmoved cursor, an empty page between two equal ones changes nothing."""
    log = Log()
    for count in (3, 0, 3):
        start = log.positions[-1] if log.positions else START
        run(Pages(make_page(0, events=count, end=0)), log, start=start)

    assert 3 == log.events


@pytest.mark.parametrize("error", [IngestionRefused("stop"), ServiceUnavailable("down")])
def test_what_was_taken_of_a_page_that_failed_is_not_repeated(error: Exception) -> None:
    """The cursor stays, what was taken is saved behind it, and the next run ships the rest alone."""
    log = Log(failures={"ship c0": error})
    log.taken = 2
    with pytest.raises(type(error)):
        run(Pages(make_page(0, events=5)), log)
    (partly,) = log.positions
    later = Log()
    run(Pages(make_page(0, events=5), make_page(1, events=0, end=1)), later, start=partly)

    assert ("c0", 2, "0.1") == (partly.cursor, partly.delivered, partly.last_event_id)
    assert (3, "c1", 0) == (later.events, later.positions[-1].cursor, later.positions[-1].delivered)


@pytest.mark.parametrize(("error", "taken"), [(LeaseLost("lost"), 2), (ServiceUnavailable("down"), 0)])
def test_nothing_is_saved_of_a_page_where_nothing_may_be(error: Exception, taken: int) -> None:
    """Without the lease nothing is saved, and where nothing was taken there is nothing to save."""
    log = Log(failures={"ship c0": error})
    log.taken = taken
    with pytest.raises(type(error)):
        run(Pages(make_page(0, events=5)), log)

    assert [] == log.positions


def test_a_save_that_fails_does_not_hide_why_the_page_failed() -> None:
    """The run fails with the workspace's words."""
    log = Log(failures={"ship c0": IngestionRefused("stop"), "save c0": ServiceUnavailable("storage")})
    log.taken = 1

    with pytest.raises(IngestionRefused, match="stop"):
        run(Pages(make_page(0, events=5)), log)


def test_a_time_that_does_not_move() -> None:
    """A first run's date-time is no other than a cursor: its events are known the next time."""
    log, start = Log(), replace(START, cursor="2026-11-13T00:00:00.000Z", api="")
    page = replace(make_page(0, events=3), sent=start.cursor, end_cursor=start.cursor)
    run(Pages(page), log, start=start)
    run(Pages(page), log, start=log.positions[-1])

    assert (3, start.cursor) == (log.events, log.positions[-1].origin)


def test_three_empty_pages() -> None:
    """Three empty pages in a row are the end, and each one's cursor was saved."""
    pages, log = Pages(*[make_page(n, events=0) for n in range(9)]), Log()
    progress = run(pages, log)

    assert ["c1", "c2", "c3"] == [position.cursor for position in log.positions]
    assert (3, CAUGHT_UP) == (progress.pages, progress.outcome)


def test_empty_pages_between_others() -> None:
    """One or two empty pages are only a gap in the stream."""
    sizes = [0, 0, 1, 0, 0, 1, 0, 0, 0, 1]
    pages, log = Pages(*[make_page(n, events=size) for n, size in enumerate(sizes)]), Log()

    assert 9 == run(pages, log).pages


def test_short_pages_are_not_the_end() -> None:
    """A page with less than the limit says nothing about what follows."""
    pages, log = Pages(make_page(0, events=1), make_page(1, events=50), make_page(2, events=0, end=2)), Log()

    assert 3 == run(pages, log).pages


@pytest.mark.parametrize("failing", ["ship c1", "save c2"])
@pytest.mark.parametrize("error", [ServiceUnavailable("down"), LeaseLost("lost"), ZeroDivisionError()])
def test_failure(failing: str, error: Exception) -> None:
    """A failure is raised as it is; what was saved before stays, and nothing is saved after it."""
    log = Log(failures={failing: error})
    progress = Progress()

    with pytest.raises(type(error)) as raised:
        carry(Pages(*[make_page(n) for n in range(9)]), log, log, START, make_budget(ManualClock()), progress)

    assert error is raised.value
    assert ["c1"] == [position.cursor for position in log.positions]
    assert Progress(pages=1, outcome=FAILED, api="v2") == progress


def test_failed_fetch_keeps_what_was_shipped_beside_it() -> None:
    """A page that cannot be fetched fails the run only after the page in hand is accepted and saved."""
    log = Log()

    with pytest.raises(ServiceUnavailable):
        run(Pages(make_page(0), ServiceUnavailable("down")), log)

    assert ["ship c0", "save c1"] == log.happened


def test_failed_first_fetch() -> None:
    """Without a first page nothing happens."""
    log = Log()

    with pytest.raises(ServiceUnavailable):
        run(Pages(ServiceUnavailable("down")), log)

    assert [] == log.happened


def test_fetched_beside_shipping() -> None:
    """The next page is fetched while the one before it is shipped."""
    fetching, shipping = threading.Event(), threading.Event()

    def fetch(number: int) -> None:
        if number == 1:
            fetching.set()
            assert shipping.wait(5)

    def ship(number: int) -> None:
        if number == 0:
            assert fetching.wait(5)
            shipping.set()

    pages = Pages(make_page(0), make_page(1), make_page(2, events=0, end=2), before=fetch)

    assert 3 == run(pages, Log(ship)).pages


def test_two_pages_at_most() -> None:
    """However slow the workspace is, no third page is fetched, and the one before the last is let go."""

    class Events(list[Any]):
        """A list that can be watched."""

    class Watched(Pages):
        """Pages whose events are counted while anybody holds them."""

        def page(self, position: Position) -> Page:
            """Give a page of its own."""
            page = super().page(position)
            events = Events(page.events)
            watched.append(weakref.ref(events))
            held.append(sum(ref() is not None for ref in watched))
            return replace(page, events=events)

    watched: list[weakref.ref[Events]] = []
    held: list[int] = []
    run(Watched(*[make_page(n) for n in range(20)], make_page(20, events=0, end=20)), Log())

    assert (21, 2) == (len(held), max(held))


def test_no_fetch_beside_the_last_page() -> None:
    """Once it is clear that the run ends, nothing more is asked of DocuSign."""
    pages = Pages(*[make_page(n, quota_low=n == 1) for n in range(9)])
    run(pages, Log())

    assert ["c0", "c1"] == pages.asked


@pytest.mark.parametrize(
    ("fetching", "shipping", "pages"),
    [
        (0.0, 10.0, 9),  # the page that begins at 80 s leaves no room for one more and its shipping
        (20.0, 0.0, 3),  # shipping is taken to last as long as fetching, until it was measured
        (50.0, 0.0, 1),
        (200.0, 0.0, 1),
    ],
)
def test_budget(fetching: float, shipping: float, pages: int, clock: ManualClock) -> None:
    """No page is begun for which, measured by those before it, the time does not last."""
    budget = make_budget(clock, 100)
    source = Pages(*[make_page(n) for n in range(99)], before=lambda _: clock.sleep(fetching))
    progress = run(source, Log(lambda _: clock.sleep(shipping)), budget)

    assert (pages, OUT_OF_BUDGET) == (progress.pages, progress.outcome)
    assert max(100.0, fetching) >= budget.spent


def test_pages_that_take_no_time_fill_any_budget(clock: ManualClock) -> None:
    """What was not measured is not guessed: half a second is enough for pages that take none."""
    pages = Pages(*[make_page(n) for n in range(5)], make_page(5, events=0, end=5))

    assert (6, CAUGHT_UP) == (
        (progress := run(pages, Log(), make_budget(clock, 0.5))).pages,
        progress.outcome,
    )


def test_small_budget_still_carries_a_page(clock: ManualClock) -> None:
    """A run without any time carries one page all the same: there is always progress."""
    log = Log()
    progress = run(Pages(*[make_page(n) for n in range(9)]), log, make_budget(clock, 0))

    assert ["ship c0", "save c1"] == log.happened
    assert (1, OUT_OF_BUDGET) == (progress.pages, progress.outcome)


def test_stop(clock: ManualClock) -> None:
    """SIGTERM ends the run after the page in hand, with its cursor saved."""
    budget = make_budget(clock)

    def ship(number: int) -> None:
        if number == 2:
            budget.stop.set()

    log = Log(ship)
    progress = run(Pages(*[make_page(n) for n in range(99)]), log, budget)

    assert (3, OUT_OF_BUDGET, []) == (progress.pages, progress.outcome, progress.notes)
    assert "save c3" == log.happened[-1]


def test_stop_while_a_page_is_waited_for(clock: ManualClock) -> None:
    """A fetch that the signal finds at its pause is not begun, and the run ends well."""
    budget = make_budget(clock)

    def pace(number: int) -> None:
        if number == 2:
            budget.stop.set()
        budget.pause(3.0)

    log = Log()
    progress = run(Pages(*[make_page(n) for n in range(99)], before=pace), log, budget)

    assert (OUT_OF_BUDGET, []) == (progress.outcome, progress.notes)
    assert progress.pages in (1, 2)
    assert log.happened[-1] == f"save c{progress.pages}"


def test_stopped_before_it_began(clock: ManualClock) -> None:
    """A run that is told to stop before its first page does nothing, and has not failed."""
    budget, log = make_budget(clock), Log()
    budget.stop.set()

    assert Progress(outcome=OUT_OF_BUDGET) == run(Pages(make_page(0)), log, budget)
    assert [] == log.happened


def test_quota() -> None:
    """When the account's calls for the hour are nearly used up the run ends early, and says so."""
    progress = run(Pages(*[make_page(n, quota_low=n == 2) for n in range(99)]), Log())

    assert (3, OUT_OF_BUDGET, [QUOTA_LOW]) == (progress.pages, progress.outcome, progress.notes)


def test_quota_on_the_last_page() -> None:
    """A low quota is not told where nothing more was to be asked anyway."""
    progress = run(Pages(make_page(0, events=0, end=0, quota_low=True)), Log())

    assert (CAUGHT_UP, []) == (progress.outcome, progress.notes)


def test_warnings_are_kept() -> None:
    """A stream that was taken up at another place is told once its page is safe."""
    pages = Pages(make_page(0, warning="The cursor expired"), make_page(1, events=0, end=1))

    assert ["The cursor expired"] == run(pages, Log()).notes


def test_new_generation_is_saved() -> None:
    """A position whose cursor stays but whose generation is new is saved: the next run must know it."""
    log = Log()
    run(Pages(make_page(0, events=0, end=0)), log, start=replace(START, api=""))

    assert [("c0", "v2")] == [(position.cursor, position.api) for position in log.positions]


def test_position_behind_a_page() -> None:
    """The position names the last event that has a time."""
    position = next_position(START, make_page(4, events=3))

    assert ("c5", "v2", "4.2", "2026-11-20T10:04:02Z") == (
        position.cursor,
        position.api,
        position.last_event_id,
        position.last_event_time,
    )
    assert position.saved_at > START.saved_at


@pytest.mark.parametrize(
    "odd", [None, "text", {}, {"timestamp": None}, {"timestamp": "soon"}, {"timestamp": 7}]
)
def test_position_behind_odd_events(odd: Any) -> None:
    """Odd events at a page's end are passed over; of a page of nothing else, the former last event stays."""
    first = make_page(4, events=1)
    mixed = next_position(START, replace(first, events=[*first.events, odd]))
    known = replace(START, last_event_id="9", last_event_time="2026-11-19T00:00:00Z")
    only = next_position(known, replace(first, events=[odd]))

    assert ("4.0", "2026-11-20T10:04:00Z") == (mixed.last_event_id, mixed.last_event_time)
    assert ("c5", "9", "2026-11-19T00:00:00Z") == (only.cursor, only.last_event_id, only.last_event_time)


def test_last_event_without_an_id() -> None:
    """An event without an id still tells the time from which to restart."""
    page = Page([{"timestamp": "2026-11-20T10:00:00Z", "eventId": 7}], "c0", "c1", "v3")
    position = next_position(START, page)

    assert (None, "2026-11-20T10:00:00Z", "v3") == (
        position.last_event_id,
        position.last_event_time,
        position.api,
    )
