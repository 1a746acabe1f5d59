import pytest

from shared.errors import OperatorError, ServiceUnavailable
from shared.retry import Retry
from tests.support import ManualClock, make_budget


class Flaky:
    """A call that fails some times before it works; each attempt takes a second."""

    def __init__(self, clock: ManualClock, failures: int, retry_after: float | None = None) -> None:
        self._clock = clock
        self._failures = failures
        self._retry_after = retry_after
        self.attempts = 0

    def __call__(self) -> str:
        """Fail or work."""
        self.attempts += 1
        self._clock.now += 1
        if self.attempts <= self._failures:
            raise ServiceUnavailable(f"down {self.attempts}", retry_after=self._retry_after)
        return "up"


def test_no_failure(clock: ManualClock) -> None:
    """A call that works is made once, and nobody waits."""
    call, retry = Flaky(clock, 0), Retry(make_budget(clock))

    assert "up" == retry(call)
    assert (1, 0, []) == (call.attempts, retry.count, clock.slept)


def test_backs_off(clock: ManualClock) -> None:
    """Failures are waited out with jitter, each pause within a ceiling that doubles up to 30 s."""
    call, retry = Flaky(clock, 12), Retry(make_budget(clock, 10_000))

    assert "up" == retry(call)
    assert (13, 12, 12) == (call.attempts, retry.count, len(clock.slept))
    ceilings = [min(30, 0.5 * 2**attempt) for attempt in range(12)]
    assert all(0.1 <= pause <= top for pause, top in zip(clock.slept, ceilings, strict=True))
    assert 12 == len(set(clock.slept))


def test_counts_over_a_run(clock: ManualClock) -> None:
    """The retries of all of a run's calls are counted together."""
    retry = Retry(make_budget(clock, 10_000))
    retry(Flaky(clock, 2))
    retry(Flaky(clock, 3))

    assert 5 == retry.count


def test_retry_after(clock: ManualClock) -> None:
    """A pause that the service asks for is kept to the second."""
    Retry(make_budget(clock))(Flaky(clock, 2, retry_after=17.0))

    assert [17.0, 17.0] == clock.slept


def test_retry_after_zero(clock: ManualClock) -> None:
    """A service that asks for no pause is not hammered."""
    Retry(make_budget(clock, 10_000))(Flaky(clock, 5, retry_after=0.0))

    assert 5 == len(clock.slept)
    assert min(clock.slept) >= 0.1


@pytest.mark.parametrize("retry_after", [479.0, 480.0, 3600.0, float("inf")])
def test_no_pause_past_the_end(clock: ManualClock, retry_after: float) -> None:
    """A pause that reaches the end of the run is not begun: the failure is raised at once."""
    call, retry = Flaky(clock, 1, retry_after), Retry(make_budget(clock, 480))

    with pytest.raises(ServiceUnavailable, match="down 1"):
        retry(call)

    assert ([], 0) == (clock.slept, retry.count)


def test_gives_up_within_the_run(clock: ManualClock) -> None:
    """A service that stays down takes the run to its end, not beyond it, and the last failure is raised."""
    call, budget = Flaky(clock, 10_000), make_budget(clock, 300)

    with pytest.raises(ServiceUnavailable, match="down") as raised:
        Retry(budget)(call)

    assert f"down {call.attempts}" == str(raised.value)
    assert call.attempts > 5
    assert budget.spent <= 300 + 1


def test_stop_ends_retrying(clock: ManualClock) -> None:
    """A run that was asked to stop makes no further attempt."""
    budget = make_budget(clock)
    budget.stop.set()
    call = Flaky(clock, 3)

    with pytest.raises(ServiceUnavailable, match="down 1"):
        Retry(budget)(call)

    assert 1 == call.attempts


@pytest.mark.parametrize("error", [OperatorError("wrong"), ValueError("bug")])
def test_only_what_heals(clock: ManualClock, error: Exception) -> None:
    """Any other error is raised at once, as it is."""

    def call() -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        Retry(make_budget(clock))(call)

    assert error is raised.value
    assert [] == clock.slept


def test_a_service_that_asks_for_next_to_no_pause(clock: ManualClock) -> None:
    """A hundredth of a second would be thousands of attempts in one run: half a second is the least."""
    call, retry = Flaky(clock, 3, retry_after=0.01), Retry(make_budget(clock))
    retry(call)

    assert [0.5] * 3 == clock.slept


def test_patience(clock: ManualClock) -> None:
    """One thing has its own time to heal, each anew; every pause is told with what failed."""
    told: list[tuple[str, float]] = []
    retry = Retry(
        make_budget(clock, 10_000),
        patience=20.0,
        told=lambda error, seconds: told.append((str(error), seconds)),
    )
    for _ in range(2):
        start = clock.now
        with pytest.raises(ServiceUnavailable):
            retry(Flaky(clock, 99, retry_after=6.0))
        assert clock.now - start <= 20.0 + 1.0

    assert [("down 1", 6.0), ("down 2", 6.0)] == told[:2]
    assert retry.count == len(told)


def test_less_patience(clock: ManualClock) -> None:
    """Another retry of the same run has no more patience than the one it was made of."""
    hasty = Retry(make_budget(clock), patience=5.0).with_patience(60.0)
    with pytest.raises(ServiceUnavailable):
        hasty(Flaky(clock, 99, retry_after=4.5))

    assert 0 == hasty.count


@pytest.mark.parametrize(
    ("patience", "left", "seconds"), [(20.0, 480.0, 20.0), (999.0, 480.0, 120.0), (20.0, 0.0, 5.0)]
)
def test_an_attempt_outlasts_no_patience(
    clock: ManualClock, patience: float, left: float, seconds: float
) -> None:
    """A service that accepts and is silent is waited for no longer than one that refuses."""
    assert seconds == Retry(make_budget(clock, left), patience=patience).attempt_seconds(120.0)
