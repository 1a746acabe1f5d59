"""What is refused once more, while dead letters are sent again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from operate.dead_letters.letter import ACCEPTED


@dataclass(frozen=True)
class Refusal:
    """Why an event is still dead.

    Attributes:
        reason: What the workspace says.
        status: With which status.
        is_sorted: Whether the event was found, and not only kept together with others.
    """

    reason: str
    status: int
    is_sorted: bool = True

    @property
    def is_cut(self) -> bool:
        """Whether the event was taken all the same, without what was over the limit."""
        return self.status == ACCEPTED


class StillRefused:
    """A dead-letter box for letters that are dead already: it only remembers why."""

    def __init__(self) -> None:
        self._refusals: dict[int, Refusal] = {}

    def write(self, event: Any, *, reason: str, status: int, cursor: str) -> None:
        """Remember one event by its identity, for two letters may hold equal events."""
        del cursor
        self._keep(event, Refusal(reason, status))

    def write_page(self, events: Sequence[Any], *, reason: str, status: int, cursor: str) -> None:
        """Remember events that were not looked through."""
        del cursor
        for event in events:
            self._keep(event, Refusal(reason, status, is_sorted=False))

    def of(self, event: Any) -> Refusal | None:
        """Why it is refused; None when it was taken whole."""
        return self._refusals.get(id(event))

    def is_unsorted(self, event: Any) -> bool:
        """Whether it was kept together with others."""
        refusal = self.of(event)
        return refusal is not None and not refusal.is_sorted

    def _keep(self, event: Any, refusal: Refusal) -> None:
        """A refused event may be told of as cut, too: that it was refused is what counts."""
        if id(event) not in self._refusals or not refusal.is_cut:
            self._refusals[id(event)] = refusal
