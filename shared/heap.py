"""The worker's heap: bounded, at the price of some page faults.

orjson asks for 12 times the size of what it parses, 25 MB for a page. By itself glibc takes that as a reason to
carve blocks of up to 32 MB out of its heaps, one a thread, each of which then grows to the size of several
pages: the worker reached 200 MB after 60 pages, and stays near 120 MB this way. It costs some 4 us an event
(docs/performance.md; mallopt(3)).
"""

import contextlib
import ctypes
from collections.abc import Callable
from typing import Any

_M_MMAP_THRESHOLD, _LARGE_BLOCK = -3, 1_000_000
_M_ARENA_MAX, _ONE_HEAP = -8, 1


def bound(load: Callable[[None], Any] = ctypes.CDLL) -> None:
    """Have glibc return large blocks to the system at once, and make no further heaps; elsewhere do nothing.

    Args:
        load: Gives the library of the running process.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):  # musl, macOS, Windows: there is no mallopt
        libc = load(None)
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK)
        libc.mallopt(_M_ARENA_MAX, _ONE_HEAP)
