"""Rows to the tables of users and accounts."""

from collections.abc import Callable, Mapping

from shared import lenient_json
from shared.budget import Budget
from shared.directory.figures import SweepFigures
from shared.directory.rows import Row
from shared.ingestion.api import Ingestion
from shared.ingestion.batches import batches
from shared.ingestion.refusals import PageRefusals, Rows
from shared.ingestion.rows import EncodedRow

USERS, ACCOUNTS = "Users", "Accounts"


class Tables:
    """Posts rows, and tells which ones the workspace refused: these are tried again with the next sweep.

    Args:
        ingestion: The road into the workspace.
        log_type: The tables are `<log_type>Users` and `<log_type>Accounts`.
        may_ship: Called before every post; raises when this run may ship no more.
        budget: The run's time.
        figures: Where rows are counted.
    """

    def __init__(
        self,
        ingestion: Ingestion,
        log_type: str,
        may_ship: Callable[[], None],
        budget: Budget,
        figures: SweepFigures,
    ) -> None:
        self._ingestion = ingestion
        self._log_type = log_type
        self._may_ship = may_ship
        self._budget = budget
        self._figures = figures

    def post(
        self, suffix: str, rows: Mapping[str, Row], *, deleted: bool = False, judged: bool = True
    ) -> set[str]:
        """Return once the workspace has the rows, all but those whose keys are returned.

        Args:
            suffix: Of the table's name.
            rows: By their keys.
            deleted: Whether they tell of an end.
            judged: Whether ten and more that are all refused alike mean that the rows are not to blame.

        Raises:
            IngestionRefused: It refuses all of them alike, or for a reason that lies in the configuration.
            ServiceUnavailable: It stayed down for the rest of the run.
        """
        stamp = {"sweepId": self._figures.sweepId, "deleted": deleted}
        encoded = [EncodedRow(lenient_json.dumps(row | stamp), key) for key, row in rows.items()]
        table = self._log_type + suffix
        page = PageRefusals(lambda batch: self._post(table, batch), self._budget)
        for batch in batches(encoded, self._ingestion.batch_limit):
            page.send(batch)
        refused: set[str] = set()
        for part in page.judged() if judged else page.refused:
            refused |= {row.event for row in part.rows}
            self._figures.refusals[f"{table} takes not every row: {part.refusal.sentence}"] += len(part.rows)
        self._figures.rows += len(rows) - len(refused)
        self._figures.refused += len(refused)
        self._figures.deleted += (len(rows) - len(refused)) * deleted
        return refused

    def _post(self, table: str, batch: Rows) -> None:
        self._may_ship()
        self._ingestion.post(table, batch, None)
        self._figures.batches += 1
