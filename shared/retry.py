"""When to try again: only what heals by itself, with jitter, and never past the end of the run."""

from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential

from shared.budget import Budget
from shared.errors import ServiceUnavailable

T = TypeVar("T")

_BACK_OFF = wait_random_exponential(multiplier=0.5, min=0.1, max=30)


def _pause(state: RetryCallState) -> float:
    """The service's own Retry-After where it gave one (0 is none), else exponential back-off with jitter."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, ServiceUnavailable) else None
    return asked or _BACK_OFF(state)


class Retry:
    """Calls again while `ServiceUnavailable` is raised and the run has time for the pause before it.

    Attributes:
        count: Calls repeated so far in this run.
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.count = 0

    def __call__(self, attempt: Callable[[], T]) -> T:
        """The attempt's result.

        Raises:
            ServiceUnavailable: The last failure, once the run has no time for another attempt.
        """
        return Retrying(
            retry=retry_if_exception_type(ServiceUnavailable),
            wait=_pause,
            stop=lambda state: state.upcoming_sleep >= self.budget.remaining,
            sleep=self.budget.sleep,
            before_sleep=self._counted,
            reraise=True,
        )(attempt)

    def _counted(self, _: RetryCallState) -> None:
        self.count += 1
