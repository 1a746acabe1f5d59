from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import IngestionRefused
from shared.ingestion.api import BatchRefused
from shared.ingestion.refusals import LEAST_SECONDS, MANY_ALIKE, MOST_POSTS, PageRefusals, Rows
from shared.ingestion.rows import EncodedRow
from tests.support import ManualClock, make_budget

Fault = Callable[[int], BatchRefused | None]
"""A record's number to why it is not taken, or None."""


class Sink:
    """Takes records, but for those with a fault; each post takes some seconds."""

    def __init__(self, clock: ManualClock, fault: Fault, seconds: float = 0.0) -> None:
        self._clock = clock
        self._fault = fault
        self._seconds = seconds
        self.posts: list[int] = []
        self.taken: list[int] = []

    def post(self, rows: Rows) -> None:
        """Take the rows, or raise the first one's fault."""
        self._clock.sleep(self._seconds)
        numbers = [row.event for row in rows]
        self.posts.append(len(numbers))
        for number in numbers:
            if fault := self._fault(number):
                raise fault
        self.taken += numbers


def rows_of(*numbers: int) -> list[EncodedRow]:
    """Give rows that are told apart by their events."""
    return [EncodedRow(b"{}", number) for number in numbers]


def odd(*numbers: int, code: str = "") -> Fault:
    """Give a fault to these records."""
    return lambda number: BatchRefused(400, "odd", code=code) if number in numbers else None


def make_page(fault: Fault, *, seconds: float = 0.0, spent: float = 0.0) -> tuple[PageRefusals, Sink]:
    """Give a page's refusals and the sink behind it, in a run of 480 s of which some are spent."""
    clock = ManualClock()
    sink, budget = Sink(clock, fault, seconds), make_budget(clock)
    clock.sleep(spent)
    return PageRefusals(sink.post, budget), sink


def numbers_of(page: PageRefusals) -> list[list[int]]:
    """Give the refused records, each part for itself."""
    return [[row.event for row in part.rows] for part in page.judged()]


@given(
    st.integers(0, 60),
    st.sets(st.integers(0, 59), max_size=12),
    st.lists(st.integers(1, 60), max_size=3).map(sorted),
)
def test_few_are_found(count: int, bad: set[int], cuts: list[int]) -> None:
    """However a page is cut into batches: the bad ones are found one by one, the others taken once, in order."""
    page, sink = make_page(odd(*bad))
    numbers = list(range(count))
    edges = [0, *(cut for cut in cuts if cut < count), count]
    for start, end in pairwise(edges):
        if end > start:
            page.send(rows_of(*numbers[start:end]))
    found = sorted(bad & set(numbers))
    good = [number for number in numbers if number not in bad]

    assert good == sink.taken
    if not good and len(found) >= MANY_ALIKE:
        with pytest.raises(IngestionRefused):
            page.judged()
    else:
        assert [[number] for number in found] == numbers_of(page)


@given(st.integers(1, 3000), st.integers(0, 2**32), st.sampled_from([0.01, 0.2, 0.5, 0.9]))
def test_never_more_than_so_many_posts(count: int, seed: int, share: float) -> None:
    """Nothing is lost or taken twice, and the order holds, whatever it would cost to find all that is bad."""
    page, sink = make_page(lambda n: odd(n)(n) if hash((seed, n)) % 1000 < share * 1000 else None)
    page.send(rows_of(*range(count)))

    assert len(sink.posts) <= 1 + MOST_POSTS
    assert sorted(sink.taken) == sink.taken
    refused = [row.event for part in page.refused for row in part.rows]
    assert sorted(sink.taken + refused) == list(range(count))
    assert sorted(refused) == refused


@pytest.mark.parametrize("count", [MANY_ALIKE, MANY_ALIKE + 1, 2000])
def test_many_alike_are_not_to_blame(count: int) -> None:
    """Ten records or more, none of them taken, all for one reason: the run stops with the service's words."""
    page, sink = make_page(odd(*range(count)))
    page.send(rows_of(*range(count)))

    with pytest.raises(IngestionRefused) as raised:
        page.judged()
    assert (
        f"odd. All {count} records of a page were refused alike, so the cause is none of them: look for a proxy in "
        "between, and at the table. Nothing was set aside; the cursor stays." == str(raised.value)
    )
    assert [] == sink.taken
    assert len(sink.posts) <= 1 + MOST_POSTS


def test_the_bound_is_used_to_the_last_post() -> None:
    """Of 3,000 refused records so many are asked about as 200 posts allow, and not one post fewer."""
    page, sink = make_page(odd(*range(3000)))
    page.send(rows_of(*range(3000)))

    assert 1 + MOST_POSTS == len(sink.posts)


def test_the_time_is_used_to_its_end() -> None:
    """Halving goes on while any of its quarter is left: 120 s at 119.5 s a post are two more halves."""
    page, sink = make_page(odd(0, 999), seconds=119.5)
    page.send(rows_of(*range(1000)))

    assert [1000, 500, 250, 250, 500] == sink.posts


def test_the_first_words_are_told() -> None:
    """Where the sentences differ and the code does not, the first one is the one that is told."""
    page, _ = make_page(lambda n: BatchRefused(400, f"record {n}", code="A"))
    page.send(rows_of(*range(12)))

    with pytest.raises(IngestionRefused, match=r"^record 0\."):
        page.judged()


def test_few_alike_are_to_blame() -> None:
    """A small page that is refused whole is set aside, and the stream goes on."""
    page, _ = make_page(odd(*range(MANY_ALIKE - 1)))
    page.send(rows_of(*range(MANY_ALIKE - 1)))

    assert [[n] for n in range(MANY_ALIKE - 1)] == numbers_of(page)


def test_many_over_several_batches_are_not_to_blame() -> None:
    """A page counts as a whole, however it is cut: five batches of three are fifteen records."""
    page, _ = make_page(odd(*range(15)))
    for start in range(0, 15, 3):
        page.send(rows_of(*range(start, start + 3)))

    with pytest.raises(IngestionRefused, match="All 15 records"):
        page.judged()


def test_one_that_is_taken_tells_the_others_apart() -> None:
    """Where the last record of a page is taken, the 150 before it are to blame: found, or kept unsorted."""
    page, sink = make_page(odd(*range(150)))
    page.send(rows_of(*range(2000)))
    refused = [number for part in numbers_of(page) for number in part]

    assert 1999 in sink.taken
    assert set(range(150)) <= set(refused)
    assert sorted(sink.taken + refused) == list(range(2000))


def test_different_reasons_are_the_records_own() -> None:
    """A service that tells records apart has looked at them: all are set aside."""
    page, _ = make_page(lambda n: odd(n, code="A" if n % 2 else "B")(n))
    page.send(rows_of(*range(12)))

    assert [[n] for n in range(12)] == numbers_of(page)


def test_what_was_measured_here_is_certain() -> None:
    """Records that are over the limit by their own size are to blame, however many there are."""
    page, _ = make_page(lambda _: BatchRefused(413, "too large", certain=True))
    for number in range(MANY_ALIKE + 5):
        page.send(rows_of(number))

    assert MANY_ALIKE + 5 == len(page.judged())


def test_a_quarter_of_the_run_at_most() -> None:
    """At 5 s a post a run of 480 s spends 120 s on halving; what waits then is posted once, as it is."""
    page, sink = make_page(odd(*range(0, 2000, 2)), seconds=5.0)
    page.send(rows_of(*range(2000)))
    halving = 120 / 5

    assert halving <= len(sink.posts) <= 1 + halving + 12
    assert 2000 == len(sink.taken) + sum(len(part.rows) for part in page.judged())


def test_a_run_that_is_used_up_still_has_some_seconds() -> None:
    """At the end of a run the page in hand gets 10 s, so that a lone bad record is still found."""
    page, sink = make_page(odd(617), seconds=0.5, spent=480.0)
    page.send(rows_of(*range(1000)))

    assert len(sink.posts) * 0.5 <= LEAST_SECONDS + 0.5
    assert [[617]] == numbers_of(page)


def test_one_bad_record_costs_little() -> None:
    """Among a thousand it is found with some twenty posts."""
    page, sink = make_page(odd(617))
    page.send(rows_of(*range(1000)))

    assert ([[617]], True) == (numbers_of(page), len(sink.posts) <= 21)


@pytest.mark.parametrize(("every", "seconds"), [(10, 30.0), (2, 12.0), (10, 14.0)])
def test_slow_posts_and_many_bad_records(every: int, seconds: float) -> None:
    """Where no part was taken whole in time, some records are asked about alone before the page is judged."""
    page, sink = make_page(odd(*range(0, 2000, every)), seconds=seconds)
    page.send(rows_of(*range(2000)))
    refused = [number for part in numbers_of(page) for number in part]

    assert sink.taken
    assert sorted(sink.taken + refused) == list(range(2000))
    assert sorted(sink.taken) == sink.taken


def test_a_gateway_that_refuses_large_and_small_for_two_reasons() -> None:
    """413 for what is more than one record, another reason for one: what is said of single records counts."""
    clock = ManualClock()

    def post(rows: Rows) -> None:
        raise BatchRefused(400, "odd") if len(rows) == 1 else BatchRefused(413, "large")

    page = PageRefusals(post, make_budget(clock))
    page.send(rows_of(*range(2000)))

    with pytest.raises(IngestionRefused, match=r"^odd\. All 2000 records of a page were refused alike"):
        page.judged()


def test_at_the_end_of_a_run_few_are_asked_about() -> None:
    """Without any time a page is judged by three records, and none is set aside for want of a fourth."""
    page, sink = make_page(odd(*range(2000)), seconds=11.0, spent=480.0)
    page.send(rows_of(*range(2000)))
    before = len(sink.posts)
    with pytest.raises(IngestionRefused):
        page.judged()

    assert 3 == len(sink.posts) - before


def test_what_is_taken_without_a_gap() -> None:
    """Rows are counted from the first on until one is refused."""
    page, _ = make_page(odd(5))
    page.send(rows_of(0, 1))
    page.send(rows_of(2, 3, 4, 5, 6, 7))

    assert 5 == page.taken


def test_a_run_that_is_asked_to_stop_halves_no_more() -> None:
    """After SIGTERM only the parts that wait are posted, each as it is."""
    clock = ManualClock()
    sink, budget = Sink(clock, odd(*range(0, 2000, 3)), 1.0), make_budget(clock)
    page = PageRefusals(sink.post, budget)
    budget.stop.set()
    page.send(rows_of(*range(2000)))

    assert [2000] == sink.posts
