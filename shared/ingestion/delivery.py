"""A page's rows to the table: in batches, and what is refused set aside once the page was judged.

A record that the service refuses becomes a dead letter, whole, and the stream goes on. A refusal that is not
the record's fault stops the run with the cursor unmoved, and no event is blamed (`shared.ingestion.refusals`).

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

from shared.budget import Budget, in_background
from shared.ingestion.api import BatchRefused, Ingestion
from shared.ingestion.batches import batches
from shared.ingestion.columns import TIME_FIELD
from shared.ingestion.refusals import PageRefusals, Refused, Rows
from shared.ingestion.rows import encode_event

RUN_SECONDS = 480.0
"""The run's time where none is given: as the setting's default."""
_TAKEN = 200
"""The status of a truncated event: its cut row is in the table."""


class DeadLetterBox(Protocol):
    """Where events go that the workspace does not take whole."""

    def write(self, event: Any, *, reason: str, status: int, cursor: str) -> None:
        """Keep one event; when this returns, it is kept."""

    def write_page(self, events: Sequence[Any], *, reason: str, status: int, cursor: str) -> None:
        """Keep events of a page that were not looked through, in order."""


@dataclass
class Counts:
    """What became of the events of a run so far; `unsorted` of the dead letters were not looked through."""

    events: int = 0
    batches: int = 0
    dead_letters: int = 0
    unsorted: int = 0
    newest: str = ""

    def notes(self) -> list[str]:
        """What a person should know: dead letters are told of, always."""
        if not self.dead_letters:
            return []
        unsorted = f" ({self.unsorted} of them as they came: too many were refused)" if self.unsorted else ""
        note = (
            f"Dead letters: {self.dead_letters}{unsorted}. The workspace does not take these events whole; the "
            "reasons are under dead-letters/ in the state's container, and `python manage.py replay` sends them again"
        )
        return [note]


class Delivery:
    """Ships pages to one table.

    Args:
        ingestion: The road into the workspace.
        table: The table's name without `_CL`.
        dead_letters: Where refused and truncated events go.
        may_ship: Called before every post; raises when this run may ship no more.
        budget: The run's time, of which finding refused records may take a share.
    """

    def __init__(
        self,
        ingestion: Ingestion,
        table: str,
        dead_letters: DeadLetterBox,
        may_ship: Callable[[], None],
        budget: Budget | None = None,
    ) -> None:
        self._ingestion = ingestion
        self._table = table
        self._dead_letters = dead_letters
        self._may_ship = may_ship
        self._budget = budget or Budget(RUN_SECONDS)
        self._lock = threading.Lock()
        self.counts = Counts()

    def ship(self, events: Sequence[Any], cursor: str) -> None:
        """Have every event accepted, or kept as a dead letter, before this returns.

        Args:
            events: A page's events, in order.
            cursor: The cursor that brought them, for the dead letters.

        Raises:
            IngestionRefused: The cause of a refusal is not in the events; none is set aside.
            ConnectorError: The workspace, or the storage of dead letters, does not serve.
        """
        rows = [encode_event(event, self._ingestion.field_limit) for event in events]
        page = PageRefusals(self._post, self._budget)
        for batch in self._batches_left(rows, page):
            page.send(batch)
        refused = page.judged()
        for part in refused:
            self._keep(part, cursor)
        self._keep_what_was_cut(rows, refused, cursor)
        self.counts.events += len(rows)
        self.counts.newest = max([self.counts.newest, *(row.timestamp for row in rows)])

    def _batches_left(self, rows: Rows, page: PageRefusals) -> Sequence[Rows]:
        """The batches to be sent in order: all of them, or those that were refused when sent side by side."""
        batched = list(batches(rows, self._ingestion.batch_limit))
        workers = min(self._ingestion.width, len(batched))
        return batched if workers < 2 else self._side_by_side(workers, batched, page)  # noqa: PLR2004

    def _side_by_side(self, workers: int, batched: Sequence[Rows], page: PageRefusals) -> Sequence[Rows]:
        """Post the batches at once; those that were refused, in order.

        Returns, or raises, only when no worker is under way any more: the lease is released after that.
        """
        left, refused = deque(enumerate(batched)), dict[int, Rows]()
        under_way = [in_background(lambda: self._drain(left, page, refused)) for _ in range(workers)]
        wait(under_way)
        for worker in under_way:
            worker.result()
        return [refused[number] for number in sorted(refused)]

    def _drain(self, left: deque[tuple[int, Rows]], page: PageRefusals, refused: dict[int, Rows]) -> None:
        """Post the batches that are left; after a failure none is, for the other workers either."""
        try:
            while True:
                try:
                    number, batch = left.popleft()
                except IndexError:
                    return
                try:
                    self._post(batch)
                except BatchRefused:
                    refused[number] = batch
                else:
                    page.accepted = True
        except BaseException:
            left.clear()
            raise

    def _post(self, rows: Rows) -> None:
        self._may_ship()
        self._ingestion.post(self._table, rows, TIME_FIELD)
        with self._lock:
            self.counts.batches += 1

    def _keep(self, part: Refused, cursor: str) -> None:
        """Set refused rows aside: one that was found, or several as they are."""
        reason, status = part.refusal.sentence, part.refusal.status
        if len(part.rows) == 1:
            self._dead_letters.write(part.rows[0].event, reason=reason, status=status, cursor=cursor)
        else:
            events = [row.event for row in part.rows]
            self._dead_letters.write_page(events, reason=reason, status=status, cursor=cursor)
            self.counts.unsorted += len(events)
        self.counts.dead_letters += len(part.rows)

    def _keep_what_was_cut(self, rows: Rows, refused: Sequence[Refused], cursor: str) -> None:
        """Keep the whole of each event that the table has a cut row of; a refused one is kept already."""
        kept = {id(row) for part in refused for row in part.rows}
        for row in rows:
            if row.truncated and id(row) not in kept:
                reason = f"truncated: {', '.join(row.truncated)}"
                self._dead_letters.write(row.event, reason=reason, status=_TAKEN, cursor=cursor)
                self.counts.dead_letters += 1
