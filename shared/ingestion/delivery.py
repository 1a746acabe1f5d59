"""A page's rows to the table: batch after batch, in the stream's order, and what is refused set aside in the end.

A record that the service refuses becomes a dead letter, whole, and the stream goes on. A refusal that is not
the record's fault stops the run with the cursor unmoved, and no event is blamed (`shared.ingestion.refusals`).
"""

from collections.abc import Callable, Sequence
from concurrent.futures import wait
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from shared.budget import Budget, in_background
from shared.ingestion.api import Ingestion
from shared.ingestion.batches import batches
from shared.ingestion.columns import TIME_FIELD
from shared.ingestion.refusals import PageRefusals, Refused, Rows
from shared.ingestion.rows import EncodedRow, encode_event

RUN_SECONDS = 480.0
"""The run's time where none is given: as the setting's default."""
LETTERS_AT_ONCE = 8
"""Dead letters are written so many side by side: a page may have 2,000, and the run's end does not wait."""
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

    Attributes:
        counts: What became of the events.
        taken: How many of the last page's events were accepted, from its first on, before one was not.
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
        self.counts = Counts()
        self.taken = 0

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
        try:
            for batch in batches(rows, self._ingestion.batch_limit):
                page.send(batch)
            refused = page.judged()
        finally:
            self.taken = page.taken
        self._keep(refused, rows, cursor)
        self.counts.events += len(rows)
        self.counts.newest = max([self.counts.newest, *(row.timestamp for row in rows)])

    def _post(self, rows: Rows) -> None:
        self._may_ship()
        self._ingestion.post(self._table, rows, TIME_FIELD)
        self.counts.batches += 1

    def _keep(self, refused: Sequence[Refused], rows: Rows, cursor: str) -> None:
        """Set aside what was refused, and the whole of each event that the table has a cut row of, once each."""
        kept = {id(row) for part in refused for row in part.rows}
        cut = [row for row in rows if row.truncated and id(row) not in kept]
        letters = [self._letter(part, cursor) for part in refused]
        letters += [self._letter_of_a_cut_event(row, cursor) for row in cut]
        for start in range(0, len(letters), LETTERS_AT_ONCE):
            _together(letters[start : start + LETTERS_AT_ONCE])
        self.counts.dead_letters += len(kept) + len(cut)
        self.counts.unsorted += sum(len(part.rows) for part in refused if len(part.rows) > 1)

    def _letter(self, part: Refused, cursor: str) -> Callable[[], None]:
        """What keeps refused rows: one that was found, or several as they are."""
        said: dict[str, Any] = {
            "reason": part.refusal.reason,
            "status": part.refusal.status,
            "cursor": cursor,
        }
        if len(part.rows) == 1:
            return partial(self._dead_letters.write, part.rows[0].event, **said)
        return partial(self._dead_letters.write_page, [row.event for row in part.rows], **said)

    def _letter_of_a_cut_event(self, row: EncodedRow, cursor: str) -> Callable[[], None]:
        reason = f"truncated: {', '.join(row.truncated)}"
        return partial(self._dead_letters.write, row.event, reason=reason, status=_TAKEN, cursor=cursor)


def _together(calls: Sequence[Callable[[], None]]) -> None:
    """Make the calls side by side; return, or raise the first failure, when none is under way any more."""
    if len(calls) == 1:
        calls[0]()
        return
    under_way = [in_background(call) for call in calls]
    wait(under_way)
    for call in under_way:
        call.result()
