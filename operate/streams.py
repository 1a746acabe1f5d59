"""stdout and stderr when nobody takes what is written: a reader that went away, a full disk, none from the start."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

import click


class UnreadError(Exception):
    """The reader of stdout went away: there is nobody to tell."""


class UnwrittenError(Exception):
    """stdout does not take the result; the text says why."""


class Quiet:
    """A stream for what draws by itself: what cannot be written is dropped.

    Args:
        stream: The stream as it is now, for a bar puts another in its place; None is none.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the text, if that can be."""
        with unheard(self._stream):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Hand on what was written, if that can be."""
        with unheard(self._stream):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def unheard(stream: Any) -> Iterator[None]:
    """Inside, the stream is written: that this fails changes nothing of the work."""
    try:
        yield
    except (OSError, ValueError, AttributeError):  # ValueError: it was closed; AttributeError: there is none
        _give_up(stream)


@contextlib.contextmanager
def printing() -> Iterator[None]:
    """Inside, stdout is written.

    Raises:
        UnreadError: Its reader went away.
        UnwrittenError: It does not take what is written.
    """
    try:
        yield
    except BrokenPipeError:
        _give_up(sys.stdout)
        raise UnreadError from None
    except OSError as error:
        _give_up(sys.stdout)
        raise UnwrittenError(
            f"stdout does not take the result ({error.strerror}). What was done stays done: make room, or let stdout "
            "go elsewhere, and ask again."
        ) from None


def tell(text: str, **style: Any) -> None:
    """A line on stderr, for whoever reads it."""
    with unheard(sys.stderr):
        click.secho(text, err=True, **style)


def settle() -> None:
    """Before the process ends: Python would end with 120 where stderr still holds what it cannot write."""
    with unheard(sys.stderr):
        sys.stderr.flush()


def is_terminal(stream: Any) -> bool:
    """Whether a person is there; a stream may be missing, or closed."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


def _give_up(stream: Any) -> None:
    """Let what the stream still holds, and all that comes, go nowhere: else the process's end fails for it."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        descriptor, nowhere = stream.fileno(), os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
