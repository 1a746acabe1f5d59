"""A page's rows to the table: in batches, a poisonous record found by halving and set aside.

A record that the service refuses becomes a dead letter, whole, and the stream goes on. A refusal that is not
the record's fault stops the run with the cursor unmoved.

::

    width 1    batch 1 . batch 2 . batch 3     one after the other, in the stream's order
    width 2    batch 1 ..... batch 3           each worker takes the next batch that is left;
               batch 2 .........               the page is shipped when all of them are accepted

Pages always follow one another: none is begun before the one before it is accepted whole.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import wait
from dataclasses import dataclass
from typing import Any, Protocol

from shared.budget import in_background
from shared.errors import IngestionRefused
from shared.ingestion.api import BatchRefused, Ingestion
from shared.ingestion.batches import batches
from shared.ingestion.columns import TIME_FIELD
from shared.ingestion.rows import EncodedRow, encode_event


class DeadLetterBox(Protocol):
    """Where events go that the workspace does not take whole."""

    def write(self, event: Any, *, reason: str, status: int, cursor: str) -> None:
        """Keep one event; when this returns, it is kept."""


@dataclass
class Counts:
    """What became of the events of a run so far."""

    events: int = 0
    batches: int = 0
    dead_letters: int = 0
    newest: str = ""


class Delivery:
    """Ships pages to one table.

    Args:
        ingestion: The road into the workspace.
        table: The table's name without `_CL`.
        dead_letters: Where refused and truncated events go.
        may_ship: Called before every post; raises when this run may ship no more.
    """

    def __init__(
        self, ingestion: Ingestion, table: str, dead_letters: DeadLetterBox, may_ship: Callable[[], None]
    ) -> None:
        self._ingestion = ingestion
        self._table = table
        self._dead_letters = dead_letters
        self._may_ship = may_ship
        self._lock = threading.Lock()
        self.counts = Counts()

    def ship(self, events: Sequence[Any], cursor: str) -> None:
        """Have every event accepted, or kept as a dead letter, before this returns.

        Args:
            events: A page's events, in order.
            cursor: The cursor that brought them, for the dead letters.
        """
        rows = [encode_event(event, self._ingestion.field_limit) for event in events]
        left = deque(batches(rows, self._ingestion.batch_limit))
        workers = min(self._ingestion.width, len(left))
        if workers > 1:
            self._side_by_side(workers, left, cursor)
        else:
            self._drain(left, cursor)
        for row in rows:
            if row.truncated:
                self._set_aside(row, f"truncated: {', '.join(row.truncated)}", 200, cursor)
        self.counts.events += len(rows)
        self.counts.newest = max([self.counts.newest, *(row.timestamp for row in rows)])

    def _side_by_side(self, workers: int, left: deque[Sequence[EncodedRow]], cursor: str) -> None:
        """Return, or raise, only when no worker is under way any more: the lease is released after that."""
        under_way = [in_background(lambda: self._drain(left, cursor)) for _ in range(workers)]
        wait(under_way)
        for worker in under_way:
            worker.result()

    def _drain(self, left: deque[Sequence[EncodedRow]], cursor: str) -> None:
        """Post the batches that are left; after a failure none is, for the other workers either."""
        try:
            while True:
                try:
                    batch = left.popleft()
                except IndexError:
                    return
                self._post(batch, cursor)
        except BaseException:
            left.clear()
            raise

    def _post(self, rows: Sequence[EncodedRow], cursor: str, *, may_halve: bool = True) -> None:
        self._may_ship()
        try:
            self._ingestion.post(self._table, rows, TIME_FIELD)
            with self._lock:
                self.counts.batches += 1
        except BatchRefused as refused:
            if refused.once and (len(rows) == 1 or not may_halve):
                raise IngestionRefused(f"{refused.sentence}.") from None
            if len(rows) == 1:
                self._set_aside(rows[0], refused.sentence, refused.status, cursor)
                return
            middle = len(rows) // 2
            self._post(rows[:middle], cursor, may_halve=not refused.once)
            self._post(rows[middle:], cursor, may_halve=not refused.once)

    def _set_aside(self, row: EncodedRow, reason: str, status: int, cursor: str) -> None:
        with self._lock:
            self._dead_letters.write(row.event, reason=reason, status=status, cursor=cursor)
            self.counts.dead_letters += 1
