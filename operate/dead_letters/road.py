"""What a replay has at hand: the blobs, the road into the workspace, and its figures so far."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from operate.blobs import Blobs
from operate.dead_letters.refusals import StillRefused
from shared.ingestion.api import Ingestion
from shared.ingestion.delivery import Delivery
from shared.ingestion.refusals import MANY_ALIKE

PORTION = MANY_ALIKE - 1
"""Events that are sent at once where each is judged by itself: ten and more that are refused alike are not."""


@dataclass
class Replayed:
    """What became of the dead letters: how many events were taken, and by name why the others still are not."""

    accepted: int = 0
    refused: dict[str, str] = field(default_factory=dict)


@dataclass
class Replay:
    """One replay.

    Attributes:
        blobs: Where the dead letters lie.
        ingestion: The road.
        log_type: The table's name without `_CL`.
        done: What became of them so far.
        advance: Called with how many events are done, of how many that are known so far.
        ensure: Called before each batch; raises where another replay may be at work.
        rest: Called when no event is in hand; may raise AtRest.
        known: The events that are known: a page's are only when it was read.
    """

    blobs: Blobs
    ingestion: Ingestion
    log_type: str
    done: Replayed
    advance: Callable[[int, int], None]
    ensure: Callable[[], None] = lambda: None
    rest: Callable[[], None] = lambda: None
    known: int = 0
    _count: int = 0

    def ship(self, events: Sequence[Any]) -> StillRefused:
        """Send events, in order; what is still refused of them.

        Raises:
            ConnectorError: The road is closed; nothing is known of these events.
        """
        box = StillRefused()
        if events:
            budget = self.blobs.retry.budget
            Delivery(self.ingestion, self.log_type, box, self.ensure, budget).ship(events, "")
        return box

    def count(self, events: int) -> None:
        """So many more events are done."""
        self._count += events
        self.advance(self._count, self.known)
