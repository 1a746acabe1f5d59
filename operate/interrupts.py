"""Ctrl+C where something is in hand: the first waits until that is put down, the second does not."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

TOLD = "What is in hand is finished first; Ctrl+C again ends it at once."


class AtRest(KeyboardInterrupt):
    """Interrupted between two portions: nothing is in hand."""


@contextlib.contextmanager
def patiently(told: Callable[[str], object]) -> Iterator[Callable[[], None]]:
    """While inside, the first Ctrl+C only shows at the next rest: call what is given whenever there is one.

    Args:
        told: Told what the first Ctrl+C does.
    """
    asked = threading.Event()

    def rest() -> None:
        if asked.is_set():
            raise AtRest

    def first(_number: int, _frame: FrameType | None) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)
        with contextlib.suppress(RuntimeError):  # it came while stderr was being written
            told(TOLD)

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        yield rest  # Ctrl+C is ignored, or somebody else's: so it stays
        return
    signal.signal(signal.SIGINT, first)
    try:
        yield rest
    finally:
        signal.signal(signal.SIGINT, before)
