"""A run's time: how much is left, and a sleep that ends when the run must."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")
Clock = Callable[[], float]

SHORTEST_ATTEMPT = 5.0
"""Seconds that any single call may take, however little is left of the run."""


class RunOver(Exception):
    """The run was asked to stop, or has ended: what was to be done next is not begun."""


class Budget:
    """The seconds that a run may take, counted from its start.

    Args:
        seconds: The length of the run, in seconds.
        clock: Seconds on a clock that never goes back.
        stop: Set from outside (by SIGTERM) to end the run after the page in hand.
        wait: Sleeps for some seconds, or until the event it is given is set.

    Attributes:
        ended: Set when the run is over: a fetch that is still under way ends too.
    """

    def __init__(
        self,
        seconds: float,
        *,
        clock: Clock = time.monotonic,
        stop: threading.Event | None = None,
        wait: Callable[[threading.Event, float], object] = threading.Event.wait,
    ) -> None:
        self.clock = clock
        self.stop = stop or threading.Event()
        self.ended = threading.Event()
        self._wait = wait
        self._seconds = seconds
        self._start = clock()
        self._end = self._start + seconds

    @property
    def spent(self) -> float:
        """Seconds since the run started."""
        return self.clock() - self._start

    @property
    def remaining(self) -> float:
        """Seconds left; none once the run was asked to stop."""
        return 0.0 if self.stop.is_set() else max(0.0, self._end - self.clock())

    def attempt_seconds(self, longest: float) -> float:
        """How long one call may take: `longest`, or what is left, but never less than a fair attempt."""
        return max(SHORTEST_ATTEMPT, min(longest, self._end - self.clock()))

    def beside(self, seconds: float) -> "Budget":
        """Another budget on the same clock, for what must be done when this one is used up."""
        return Budget(seconds, clock=self.clock, wait=self._wait)

    def share(self, share: float, least: float) -> "Budget":
        """Another budget beside this one: a share of all of its time, out of what is left, and some at least.

        Args:
            share: Between 0 and 1.
            least: Seconds that are had even where this budget is used up.
        """
        seconds = min(share * self._seconds, max(least, self.remaining))
        return Budget(seconds, clock=self.clock, stop=self.stop, wait=self._wait)

    def sleep(self, seconds: float) -> None:
        """Wait; return early when the run is asked to stop."""
        if seconds > 0:
            self._wait(self.stop, seconds)

    def pause(self, seconds: float) -> None:
        """Wait before something new is begun.

        Raises:
            RunOver: The run was asked to stop meanwhile: it must not be begun.
        """
        self.sleep(seconds)
        if self.stop.is_set():
            raise RunOver

    def end(self) -> None:
        """End all that still goes on in this run."""
        self.stop.set()
        self.ended.set()


def in_background(call: Callable[[], T]) -> Future[T]:
    """Start a call in a daemon thread, which a dying process does not wait for."""
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return future
