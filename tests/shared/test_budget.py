import threading
import time

import pytest

from shared.budget import SHORTEST_ATTEMPT, Budget, in_background
from tests.support import ManualClock, make_budget


def test_time_passes(clock: ManualClock) -> None:
    """What is spent and what remains add up to the run, and no less than nothing remains."""
    budget = make_budget(clock, 480)
    clock.now += 30

    assert (30, 450) == (budget.spent, budget.remaining)

    clock.now += 1000

    assert (1030, 0) == (budget.spent, budget.remaining)


def test_stop_leaves_nothing(clock: ManualClock) -> None:
    """A run that was asked to stop has no time left."""
    budget = make_budget(clock)
    budget.stop.set()

    assert 0 == budget.remaining


@pytest.mark.parametrize(
    ("gone", "expected"), [(0, 120), (359, 120), (400, 80), (477, SHORTEST_ATTEMPT), (900, SHORTEST_ATTEMPT)]
)
def test_attempt_seconds(clock: ManualClock, gone: float, expected: float) -> None:
    """One call gets what is left, at most what it asked for, and never less than a fair attempt."""
    budget = make_budget(clock, 480)
    clock.now += gone

    assert expected == budget.attempt_seconds(120)


@pytest.mark.parametrize(("seconds", "expected"), [(2.5, [2.5]), (0, []), (-3, [])])
def test_sleep(clock: ManualClock, seconds: float, expected: list[float]) -> None:
    """Sleeping takes the seconds, and none for a time that has passed already."""
    make_budget(clock).sleep(seconds)

    assert expected == clock.slept


def test_stop_ends_a_sleep() -> None:
    """A sleep on the real clock ends when the run is asked to stop."""
    budget = Budget(480)
    threading.Timer(0.02, budget.stop.set).start()
    start = time.monotonic()
    budget.sleep(30)

    assert time.monotonic() - start < 5


def test_stop_is_handed_in(clock: ManualClock) -> None:
    """An event from outside ends the run."""
    stop = threading.Event()
    budget = Budget(480, clock=clock, stop=stop)
    stop.set()

    assert budget.stop is stop
    assert 0 == budget.remaining


def test_in_background() -> None:
    """A call's result, or what it raised, comes where it is asked for."""
    assert "done" == in_background(lambda: "done").result(5)
    with pytest.raises(ZeroDivisionError):
        in_background(lambda: 1 // 0).result(5)


def test_background_is_a_daemon() -> None:
    """A process that dies does not wait for the call."""
    assert in_background(lambda: threading.current_thread().daemon).result(5)


@pytest.mark.parametrize(("spent", "seconds"), [(0.0, 120.0), (400.0, 80.0), (470.0, 15.0), (600.0, 15.0)])
def test_a_share(clock: ManualClock, spent: float, seconds: float) -> None:
    """A quarter of the run, out of what is left of it, and some seconds at least."""
    budget = make_budget(clock)
    clock.sleep(spent)

    assert seconds == budget.share(1 / 4, least=15.0).remaining
