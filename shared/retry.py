"""When to try again: only what heals by itself, with jitter, and never past the end of the run."""

import math
from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential

from shared.budget import Budget
from shared.errors import ServiceUnavailable

T = TypeVar("T")
Told = Callable[[ServiceUnavailable, float], object]
"""Called before each pause with what failed, and with the seconds until the next attempt."""

_SHORTEST = 0.5
"""A service that asks for next to no pause gets this one: else a run would ask it thousands of times."""
_BACK_OFF = wait_random_exponential(multiplier=0.5, min=0.1, max=30)


def _pause(state: RetryCallState) -> float:
    """The service's own Retry-After where it gave one (0 is none), else exponential back-off with jitter."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, ServiceUnavailable) else None
    return max(asked, _SHORTEST) if asked else _BACK_OFF(state)


class Retry:
    """Calls again while `ServiceUnavailable` is raised and there is time for the pause before it.

    Args:
        budget: The run's time.
        patience: Seconds that one thing may take to heal; a timer has those of its run.
        told: Learns of every pause: a person wants to know what is waited for.

    Attributes:
        count: Calls repeated so far in this run.
    """

    def __init__(
        self, budget: Budget, *, patience: float = math.inf, told: Told = lambda _error, _seconds: None
    ) -> None:
        self.budget = budget
        self.count = 0
        self._patience = patience
        self._told = told

    def attempt_seconds(self, longest: float) -> float:
        """How long one attempt may take: no longer than the run lasts, nor than one thing may take to heal."""
        return min(self.budget.attempt_seconds(longest), self._patience)

    def with_patience(self, seconds: float) -> "Retry":
        """Another one for the same run, with its own count, and with no more patience than this one has."""
        return Retry(self.budget, patience=min(seconds, self._patience), told=self._told)

    def __call__(self, attempt: Callable[[], T]) -> T:
        """The attempt's result.

        Raises:
            ServiceUnavailable: The last failure, once there is no time for another attempt.
        """
        until = self.budget.clock() + self._patience
        return Retrying(
            retry=retry_if_exception_type(ServiceUnavailable),
            wait=_pause,
            stop=lambda state: (
                state.upcoming_sleep >= min(self.budget.remaining, until - self.budget.clock())
            ),
            sleep=self.budget.sleep,
            before_sleep=self._counted,
            reraise=True,
        )(attempt)

    def _counted(self, state: RetryCallState) -> None:
        self.count += 1
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, ServiceUnavailable):
            self._told(error, state.upcoming_sleep)
