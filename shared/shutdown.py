"""SIGTERM, the host's way to say that it is shutting down, ends a run after the page in hand."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

ANSWER_SECONDS = 1.0
_running: set[threading.Event] = set()
_received = threading.Event()


def install() -> None:
    """Take SIGTERM over while runs are going on; without one it does what it did before.

    Python lets only the main thread do this, which is where the Functions worker imports the app.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    before = signal.getsignal(signal.SIGTERM)
    if getattr(before, "ends_runs", False):
        return

    def handle(number: int, _: FrameType | None) -> None:
        _received.set()
        if _running:
            for stop in list(_running):
                stop.set()
            return
        signal.signal(number, before if before is not None else signal.SIG_DFL)
        os.kill(os.getpid(), number)

    handle.ends_runs = True  # type: ignore[attr-defined]
    signal.signal(signal.SIGTERM, handle)


def deliver() -> None:
    """Send the signal on, now that nothing holds it up."""
    os.kill(os.getpid(), signal.SIGTERM)


def deliver_later() -> None:
    """Send the signal on once the worker has had time to tell the host how the run ended."""
    timer = threading.Timer(ANSWER_SECONDS, deliver)
    timer.daemon = True
    timer.start()


@contextmanager
def ends(stop: threading.Event, afterwards: Callable[[], None] = deliver_later) -> Iterator[None]:
    """While inside, SIGTERM sets the event; `afterwards` sends it on once no run is left."""
    _running.add(stop)
    try:
        yield
    finally:
        _running.discard(stop)
        if _received.is_set() and not _running:
            afterwards()
