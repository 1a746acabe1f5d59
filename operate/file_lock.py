"""The lock on a file of this machine: the system gives it back when its holder ends, however that ends."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    _TAKEN: tuple[type[OSError], ...] = (PermissionError,)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    _TAKEN: tuple[type[OSError], ...] = (BlockingIOError,)


class Taken(Exception):
    """Somebody else holds the lock."""


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of this name while inside; its file, which is empty, is gone afterwards.

    Raises:
        Taken: Another process, or another part of this one, holds it.
        OSError: The file cannot be made, or its disk knows no locks.
    """
    descriptor = _held(path)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # Windows removes no file that is open; an empty one may stay
            path.unlink()
        os.close(descriptor)


def _held(path: Path) -> int:
    """An open file that is locked, and still the one of this name: its last holder may have removed it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(descriptor)
            if _is_the_one(descriptor, path):
                return descriptor
        except _TAKEN:
            os.close(descriptor)
            raise Taken from None
        except OSError as error:
            os.close(descriptor)
            error.filename = error.filename or str(path)
            raise
        os.close(descriptor)


def _is_the_one(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
