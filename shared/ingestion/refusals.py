"""What a sink refuses of a page: found by halving, within bounds, and judged before any of it is set aside.

::

    page      [a b c d e f g h]             refused
              [a b c d] [e f g h]           taken, refused
                        [e f] [g h]         refused, taken
                        [e] [f]             taken, refused: f was found

Order is kept: a part is posted only when all before it was accepted, or refused for good. Halving ends where it
would cost too much; what is left is posted once as it is, and where that is refused it stays unsorted. When a
page of ten records or more is refused to the last and always for the same reason, the records are not what is
wrong: nobody is blamed, and the run stops.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from shared.budget import Budget
from shared.errors import IngestionRefused
from shared.ingestion.api import BatchRefused
from shared.ingestion.rows import EncodedRow

Rows = Sequence[EncodedRow]

MOST_POSTS = 200
"""Posts that finding the refused records of one page may take."""
TIME_SHARE = 1 / 4
"""The share of the run's time that it may take."""
LEAST_SECONDS = 10.0
"""What it may take where less of the run is left: the page in hand is finished, whatever the time."""
MANY_ALIKE = 10
"""So many records, all refused alike, are not to blame: something on the way to the table is wrong."""


@dataclass(frozen=True)
class Refused:
    """Rows that are not taken: one that was found, or several that were not looked through."""

    rows: Rows
    refusal: BatchRefused


@dataclass(frozen=True)
class _Part:
    rows: Rows
    is_half: bool = False  # of a batch whose refusal allows one halving only


@dataclass
class PageRefusals:
    """Posts one page's batches, in order.

    Args:
        post: Posts rows; raises BatchRefused for what is in them.
        budget: The run's time.

    Attributes:
        accepted: Whether any of the page's rows was taken so far.
        refused: What was not, in order.
    """

    post: Callable[[Rows], None]
    budget: Budget
    accepted: bool = False
    refused: list[Refused] = field(default_factory=list)
    _posts: int = 0
    _time: Budget | None = None

    def send(self, batch: Rows) -> None:
        """Have the batch taken, all but the records that are in `refused` afterwards.

        Raises:
            IngestionRefused: The cause is not in the batch.
        """
        left = [_Part(batch)]
        while left:
            part = left.pop()
            refusal = self._refusal_of(part.rows)
            if refusal is None:
                continue
            if refusal.once and (part.is_half or len(part.rows) == 1):
                raise IngestionRefused(f"{refusal.sentence}.")
            if len(part.rows) == 1 or not self._may_halve(len(left)):
                self.refused.append(Refused(part.rows, refusal))
                continue
            middle = len(part.rows) // 2
            halves = part.rows[:middle], part.rows[middle:]
            left += [_Part(rows, is_half=refusal.once) for rows in reversed(halves)]

    def judged(self) -> list[Refused]:
        """What is to be set aside, once all batches of the page were sent.

        Raises:
            IngestionRefused: All of a page was refused alike: its records are not to blame.
        """
        told = [part for part in self.refused if not part.refusal.certain]
        count = sum(len(part.rows) for part in told)
        reasons = {(part.refusal.status, part.refusal.code) for part in told}
        if not self.accepted and count >= MANY_ALIKE and len(reasons) == 1:
            raise IngestionRefused(
                f"{told[0].refusal.sentence}. All {count} records of a page were refused alike, so the "
                "cause is none of them: look for a proxy in between, and at the table. Nothing was set aside; "
                "the cursor stays."
            )
        return self.refused

    def _refusal_of(self, rows: Rows) -> BatchRefused | None:
        """Post the rows; None when they were taken."""
        self._posts += self._time is not None
        try:
            self.post(rows)
        except BatchRefused as refusal:
            return refusal
        self.accepted = True
        return None

    def _may_halve(self, waiting: int) -> bool:
        """Whether two more posts are within the bounds, beside those of the parts that wait."""
        if self._time is None:
            self._time = self.budget.share(TIME_SHARE, LEAST_SECONDS)
        return self._posts + waiting + 2 <= MOST_POSTS and self._time.remaining > 0
