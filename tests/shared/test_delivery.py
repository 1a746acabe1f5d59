import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ConnectorError, IngestionRefused, LeaseLost, ServiceUnavailable
from shared.ingestion.api import BatchRefused
from shared.ingestion.delivery import LETTERS_AT_ONCE, Counts, Delivery
from shared.ingestion.rows import EncodedRow
from tests.support import make_event

Refusal = Callable[[Sequence[str]], Exception | None]
"""The ids of a batch to what the workspace raises, or None."""


class Workspace:
    """An ingestion API that accepts batches, unless it is told to refuse them."""

    name = "workspace"
    field_limit = 1000

    def __init__(self, refusal: Refusal = lambda _: None, batch_limit: int = 1_000_000) -> None:
        self._refusal = refusal
        self.batch_limit = batch_limit
        self.asked: list[list[str]] = []
        self.events: list[Any] = []

    @property
    def accepted(self) -> list[str]:
        """The ids of the events that were accepted, in order."""
        return [event["eventId"] for event in self.events]

    def post(self, table: str, rows: Sequence[EncodedRow], time_field: str | None) -> None:
        """Accept the rows, or refuse them."""
        assert ("DocuSignMonitor", "timestamp") == (table, time_field)
        assert len(rows) == 1 or sum(len(row.body) + 1 for row in rows) + 1 <= self.batch_limit
        ids = [str(row.event["eventId"]) if isinstance(row.event, dict) else "" for row in rows]
        self.asked.append(ids)
        if refusal := self._refusal(ids):
            raise refusal
        self.events += [row.event for row in rows]


class Box:
    """Takes dead letters."""

    def __init__(self, failure: Exception | None = None) -> None:
        self._failure = failure
        self.letters: list[tuple[Any, str, int, str]] = []
        self.pages: list[tuple[list[Any], str, int, str]] = []

    def write(self, event: Any, *, reason: str, status: int, cursor: str) -> None:
        """Keep one event, or fail."""
        if self._failure:
            raise self._failure
        self.letters.append((event, reason, status, cursor))

    def write_page(self, events: Sequence[Any], *, reason: str, status: int, cursor: str) -> None:
        """Keep events that were not looked through, or fail."""
        if self._failure:
            raise self._failure
        self.pages.append((list(events), reason, status, cursor))


def events_of(count: int) -> list[dict[str, Any]]:
    """Give events with the ids 0, 1, 2, ..."""
    return [
        {"eventId": str(n), "timestamp": f"2026-11-20T10:{n // 60:02}:{n % 60:02}Z"} for n in range(count)
    ]


def poison(*poisonous: str, status: int = 400, once: bool = False) -> Refusal:
    """Refuse every batch that holds one of these ids."""
    return lambda ids: BatchRefused(status, "odd", once=once) if set(poisonous) & set(ids) else None


def make_delivery(
    workspace: Workspace, box: Box | None = None, may_ship: Callable[[], None] = lambda: None
) -> Delivery:
    """Give a delivery to the workspace."""
    return Delivery(workspace, "DocuSignMonitor", box or Box(), may_ship)


def test_page() -> None:
    """A page that fits goes in one post, in order, and is counted."""
    workspace = Workspace()
    delivery = make_delivery(workspace)
    delivery.ship(events_of(5), "c1")

    assert [["0", "1", "2", "3", "4"]] == workspace.asked
    assert Counts(events=5, batches=1, dead_letters=0, newest="2026-11-20T10:00:04Z") == delivery.counts


def test_empty_page() -> None:
    """An empty page makes no post."""
    workspace = Workspace()
    delivery = make_delivery(workspace)
    delivery.ship([], "c1")

    assert ([], Counts()) == (workspace.asked, delivery.counts)


def test_batches_in_order() -> None:
    """A page over the limit goes in several posts, one after the other."""
    workspace = Workspace(batch_limit=200)
    delivery = make_delivery(workspace)
    delivery.ship(events_of(20), "c1")

    assert [str(n) for n in range(20)] == workspace.accepted
    assert delivery.counts.batches == len(workspace.asked) > 5


def test_newest_over_pages() -> None:
    """The newest time is that of all pages, for events arrive out of their times' order."""
    delivery = make_delivery(Workspace())
    delivery.ship([make_event(timestamp="2026-11-20T12:00:00Z")], "c1")
    delivery.ship([make_event(timestamp="2026-11-20T11:00:00Z"), make_event(timestamp="soon")], "c2")

    assert "2026-11-20T12:00:00Z" == delivery.counts.newest


@given(st.integers(1, 40), st.sets(st.integers(0, 39), max_size=6), st.sampled_from([100, 250, 1_000_000]))
def test_halving_isolates_poison(count: int, poisonous: set[int], batch_limit: int) -> None:
    """Whatever is poisonous becomes a dead letter, and everything else is accepted once, in order."""
    bad = {str(n) for n in poisonous if n < count}
    workspace, box = Workspace(poison(*bad), batch_limit), Box()
    delivery = make_delivery(workspace, box)
    delivery.ship(events_of(count), "c1")

    assert [str(n) for n in range(count) if str(n) not in bad] == workspace.accepted
    assert sorted(bad, key=int) == [event["eventId"] for event, *_ in box.letters]
    assert (count, len(bad)) == (delivery.counts.events, delivery.counts.dead_letters)


def test_halving_is_cheap() -> None:
    """One bad record among a thousand costs some twenty posts, not a thousand."""
    workspace = Workspace(poison("617"))
    make_delivery(workspace).ship(events_of(1000), "c1")

    assert len(workspace.asked) <= 2 * 10 + 1


def test_dead_letter() -> None:
    """A dead letter has the whole event, the workspace's words and status, and the page's cursor."""
    box, event = Box(), make_event(eventId="7")
    make_delivery(Workspace(poison("7", status=413)), box).ship([event], "c1")

    assert [(event, "odd", 413, "c1")] == box.letters


def test_truncated_rows_become_dead_letters_too() -> None:
    """An event whose values are cut is accepted as a row, and kept whole as a dead letter."""
    workspace, box = Workspace(), Box()
    long = make_event(eventId="1", userAgent="é" * 600, city="x" * 1001)
    delivery = make_delivery(workspace, box)
    delivery.ship([make_event(eventId="0"), long, make_event(eventId="2")], "c1")

    assert ["0", "1", "2"] == workspace.accepted
    assert [(long, "truncated: userAgent, city", 200, "c1")] == box.letters
    assert 1 == delivery.counts.dead_letters


def test_truncated_and_refused() -> None:
    """An event that is cut, and then refused, is one dead letter: the refusal's."""
    box, long = Box(), make_event(eventId="1", userAgent="x" * 1001)
    delivery = make_delivery(Workspace(poison("1")), box)
    delivery.ship([make_event(eventId="0"), long], "c1")

    assert ([(long, "odd", 400, "c1")], 1) == (box.letters, delivery.counts.dead_letters)


@pytest.mark.parametrize("batch_limit", [600, 1_000_000])
def test_what_would_cost_too_much_is_kept_unsorted(batch_limit: int) -> None:
    """Every fourth of 2,000 refused: some are found, the rest is kept whole, and every event is somewhere."""
    bad = {str(n) for n in range(0, 2000, 4)}
    workspace, box = Workspace(poison(*bad), batch_limit), Box()
    delivery = make_delivery(workspace, box)
    delivery.ship(events_of(2000), "c1")
    single = [event["eventId"] for event, *_ in box.letters]
    unsorted = [event["eventId"] for events, *_ in box.pages for event in events]
    accepted = set(workspace.accepted)

    assert accepted.isdisjoint(single + unsorted)
    assert {str(n) for n in range(2000)} == accepted | set(single + unsorted)
    assert set(single) <= bad
    assert single
    assert (len(single + unsorted), len(unsorted)) == (delivery.counts.dead_letters, delivery.counts.unsorted)
    assert {("odd", 400, "c1")} == {tuple(rest) for _, *rest in box.pages}


def test_a_page_refused_to_the_last_blames_nobody() -> None:
    """2,000 events that are all refused alike: nothing is set aside, and the sentence says so."""
    workspace, box = Workspace(lambda _: BatchRefused(400, "odd")), Box()
    delivery = make_delivery(workspace, box)

    with pytest.raises(IngestionRefused, match=r"^odd\. All 2000 records of a page were refused alike"):
        delivery.ship(events_of(2000), "c1")

    assert ([], [], 0) == (box.letters, box.pages, delivery.counts.dead_letters)
    assert len(workspace.asked) <= 1 + 200


def test_404_halves_once() -> None:
    """A 404, which may mean a body that is too large, is tried in two halves, and taken where these are taken."""
    workspace = Workspace(lambda ids: BatchRefused(404, "gone", once=True) if len(ids) > 2 else None)
    make_delivery(workspace).ship(events_of(4), "c1")

    assert [["0", "1", "2", "3"], ["0", "1"], ["2", "3"]] == workspace.asked


@pytest.mark.parametrize(("count", "asked"), [(8, [8, 4]), (2, [2, 1]), (1, [1])])
def test_404_of_a_half(count: int, asked: list[int]) -> None:
    """A half that is refused alike means a wrong address: the run stops, and no event is blamed."""
    workspace, box = Workspace(lambda _: BatchRefused(404, "nothing there", once=True)), Box()

    with pytest.raises(IngestionRefused, match=r"^nothing there\.$"):
        make_delivery(workspace, box).ship(events_of(count), "c1")

    assert asked == [len(ids) for ids in workspace.asked]
    assert [] == box.letters


def test_poison_within_a_half() -> None:
    """A record that is refused within the halves of a 404 is found all the same."""

    def refusal(ids: Sequence[str]) -> Exception | None:
        return BatchRefused(404, "large", once=True) if len(ids) > 4 else poison("5")(ids)

    workspace, box = Workspace(refusal), Box()
    make_delivery(workspace, box).ship(events_of(8), "c1")

    assert ["0", "1", "2", "3", "4", "6", "7"] == workspace.accepted
    assert ["5"] == [event["eventId"] for event, *_ in box.letters]


@pytest.mark.parametrize("error", [IngestionRefused("wrong key"), ServiceUnavailable("down")])
def test_refusal_that_is_not_the_records_fault(error: ConnectorError) -> None:
    """Any other failure stops the page: nothing is blamed, and nothing after it is sent."""
    workspace = Workspace(lambda ids: error if "8" in ids else None, batch_limit=200)
    box = Box()
    delivery = make_delivery(workspace, box)

    with pytest.raises(type(error)):
        delivery.ship(events_of(20), "c1")

    assert "8" in workspace.asked[-1]
    assert ([], 0) == (box.letters, delivery.counts.events)


def test_dead_letter_that_cannot_be_kept() -> None:
    """An event that is neither accepted nor kept stops the page."""
    workspace = Workspace(poison("0"))

    delivery = make_delivery(workspace, Box(ServiceUnavailable("storage is down")))

    with pytest.raises(ServiceUnavailable):
        delivery.ship(events_of(2), "c1")

    assert 0 == delivery.counts.events


def test_asks_before_every_post() -> None:
    """Each post, of a half too, needs the lease; without it nothing more is sent."""
    workspace = Workspace(poison("0"))

    def may_ship() -> None:
        if len(workspace.asked) == 3:
            raise LeaseLost("lost")

    with pytest.raises(LeaseLost):
        make_delivery(workspace, may_ship=may_ship).ship(events_of(8), "c1")

    assert [8, 4, 2] == [len(ids) for ids in workspace.asked]


@pytest.mark.parametrize("event", [None, "text", 7, [1], {"eventId": None}])
def test_events_of_any_kind(event: Any) -> None:
    """Whatever DocuSign puts into its list is shipped."""
    workspace = Workspace()
    make_delivery(workspace).ship([event], "c1")

    assert [event] == workspace.events


def test_what_was_taken_of_a_page_that_failed() -> None:
    """The events from the first on that were accepted, without a gap, are known when the rest is not taken."""
    workspace = Workspace(lambda ids: ServiceUnavailable("down") if "8" in ids else None, batch_limit=200)
    delivery = make_delivery(workspace)
    with pytest.raises(ServiceUnavailable):
        delivery.ship(events_of(20), "c1")

    assert delivery.taken == len(workspace.accepted) > 0


def test_what_was_refused_before_is_a_gap() -> None:
    """A record that was to be set aside, and was not yet, ends what counts as taken."""

    def refusal(ids: Sequence[str]) -> Exception | None:
        return ServiceUnavailable("down") if ids == ["9"] else poison("3", "9")(ids)

    workspace = Workspace(refusal)
    delivery = make_delivery(workspace)
    with pytest.raises(ServiceUnavailable):
        delivery.ship(events_of(10), "c1")

    assert 3 == delivery.taken
    assert "8" in workspace.accepted


def test_many_letters_are_written_side_by_side() -> None:
    """A page of cut events does not wait for each letter: several are under way at once, and all are kept."""
    meeting = threading.Barrier(LETTERS_AT_ONCE, timeout=5)

    class Slow(Box):
        """A box that takes a letter when as many are under way as may be."""

        def write(self, event: Any, *, reason: str, status: int, cursor: str) -> None:
            """Wait for the others."""
            meeting.wait()
            super().write(event, reason=reason, status=status, cursor=cursor)

    box = Slow()
    make_delivery(Workspace(), box).ship(
        [make_event(eventId=str(n), userAgent="x" * 1001) for n in range(2 * LETTERS_AT_ONCE)], "c1"
    )

    assert {str(n) for n in range(2 * LETTERS_AT_ONCE)} == {event["eventId"] for event, *_ in box.letters}


def test_every_cut_event_is_counted() -> None:
    """Two events that are cut are two dead letters."""
    delivery = make_delivery(Workspace())
    delivery.ship([make_event(eventId=str(n), userAgent="x" * 1001) for n in range(2)], "c1")

    assert 2 == delivery.counts.dead_letters


@pytest.mark.parametrize(
    ("unsorted", "words"), [(0, ""), (3, " (3 of them as they came: too many were refused)")]
)
def test_dead_letters_are_told(unsorted: int, words: str) -> None:
    """The sentence says how many, and what to do; without any there is none."""
    (note,) = Counts(dead_letters=5, unsorted=unsorted).notes()

    assert (
        f"Dead letters: 5{words}. The workspace does not take these events whole; the reasons are under "
        "dead-letters/ in the state's container, and `python manage.py replay` sends them again"
    ) == note
    assert [] == Counts(events=5).notes()
