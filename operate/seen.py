"""Which events a file of the export has, for a stream that may bring some of them again."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from shared import lenient_json
from shared.errors import OperatorError

_BYTES = 16
"""Of a digest: among a thousand million events, two that look alike are less likely than 1 in 10^20."""


class Seen:
    """The ids of the events that were seen, as digests of 16 bytes: some 100 MB for a million events.

    Args:
        lines: Those of the file.
        where: The file.

    Raises:
        OperatorError: A line is no JSON.
    """

    def __init__(self, lines: Iterable[bytes], where: Path) -> None:
        self._digests = {
            _digest(_event(line, where, number), line.rstrip(b"\n")) for number, line in enumerate(lines, 1)
        }

    def is_new(self, event: Any, line: bytes) -> bool:
        """Whether the event was not seen before; from now on it was.

        Args:
            event: The event.
            line: How it is written, without the line's end.
        """
        digest = _digest(event, line)
        known = digest in self._digests
        self._digests.add(digest)
        return not known


def _event(line: bytes, where: Path, number: int) -> Any:
    try:
        return lenient_json.loads(line)
    except ValueError:
        raise OperatorError(
            f"{where}, line {number}, is no JSON: the file was changed. Remove it and its state, or name another file."
        ) from None


def _digest(event: Any, line: bytes) -> bytes:
    """Of the event's id, or of its whole text when it has none; a lone surrogate as the file has it."""
    identifier = event.get("eventId") if isinstance(event, dict) else None
    if isinstance(identifier, str) and identifier:
        line = b"id " + identifier.encode("utf-8", "backslashreplace")
    return hashlib.blake2b(line, digest_size=_BYTES).digest()
