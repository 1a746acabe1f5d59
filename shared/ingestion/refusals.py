"""What a sink refuses of a page: found by halving, within bounds, and judged before any of it is set aside.

::

    page      [a b c d e f g h]             refused
              [a b c d] [e f g h]           taken, refused
                        [e f] [g h]         refused, taken
                        [e] [f]             taken, refused: f was found

Order is kept: a part is posted only when all before it was accepted, or refused for good. Halving ends where it
would cost too much; what is left is posted once as it is, and where that is refused it stays unsorted. When of a
page nothing was taken, and ten records or more were refused, each alone and all for the same reason, the records
are not what is wrong: nobody is blamed, and the run stops. Where too few were asked about alone, some of those
that stayed unsorted are, spread over the page.
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
FEW = 3
"""So many records are asked about alone, however long that takes, before a whole page is judged."""


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
        taken: How many of the page's rows were taken, from its first on, before one was not.
        accepted: Whether any was taken so far.
        refused: What was not, in order.
    """

    post: Callable[[Rows], None]
    budget: Budget
    taken: int = 0
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
        if self.accepted or count < MANY_ALIKE:
            return self.refused
        alone = self._refusals_of_records()
        if not self.accepted and len({(refusal.status, refusal.code) for refusal in alone}) == 1:
            raise IngestionRefused(
                f"{alone[0].sentence}. All {count} records of a page were refused alike, so the cause is none of "
                "them: look for a proxy in between, and at the table. Nothing was set aside; the cursor stays."
            )
        return self.refused

    def _refusals_of_records(self) -> list[BatchRefused]:
        """Why single records were refused; some of the unsorted ones are asked about until there are ten.

        Ends earlier once one is taken, or the time is over.
        """
        single = [part.refusal for part in self.refused if len(part.rows) == 1 and not part.refusal.certain]
        places = [
            (n, at)
            for n, part in enumerate(self.refused)
            if len(part.rows) > 1
            for at in range(len(part.rows))
        ]
        time = self.budget.share(TIME_SHARE, LEAST_SECONDS)
        for asked, (number, at) in enumerate(_spread(places)):
            if len(single) >= MANY_ALIKE or (asked >= FEW and time.remaining <= 0):
                break
            part = self.refused[number]
            refusal = self._refusal_of(part.rows[at : at + 1])
            if refusal is None:
                self.refused[number] = Refused([*part.rows[:at], *part.rows[at + 1 :]], part.refusal)
                break
            single.append(refusal)
        return single

    def _refusal_of(self, rows: Rows) -> BatchRefused | None:
        """Post the rows; None when they were taken."""
        self._posts += self._time is not None
        try:
            self.post(rows)
        except BatchRefused as refusal:
            return refusal
        self.accepted = True
        if not self.refused:
            self.taken += len(rows)
        return None

    def _may_halve(self, waiting: int) -> bool:
        """Whether two more posts are within the bounds, beside those of the parts that wait."""
        if self._time is None:
            self._time = self.budget.share(TIME_SHARE, LEAST_SECONDS)
        return self._posts + waiting + 2 <= MOST_POSTS and self._time.remaining > 0


def _spread(places: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ten of them, in order, at distances that no regular pattern of bad records has."""
    step = max(1, len(places) // MANY_ALIKE)
    return [
        places[start + (start // step * 37 + 17) % step] for start in range(0, len(places) - step + 1, step)
    ]
