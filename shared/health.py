"""What a run reports: one row in the health table, and the same figures in one log line."""

import logging
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from shared import __version__, lenient_json
from shared.errors import ConnectorError
from shared.ingestion.api import BatchRefused, Ingestion
from shared.ingestion.rows import EncodedRow
from shared.run import ALREADY_RUNNING, FAILED
from shared.timestamps import parse

LOG = logging.getLogger("docusign_monitor")
LINE = "DocuSign Monitor run "
"""How the log line begins; a JSON object follows."""
LIVE, DIRECTORY = "live", "directory"
"""The lanes: the events as they happen, and the sweeps of users and accounts."""


@dataclass(frozen=True)
class Figures:
    """The figures of one run, by the names of the health table."""

    runId: str  # noqa: N815 - the table's column
    outcome: str
    pages: int
    events: int
    batches: int
    retries: int
    deadLetters: int  # noqa: N815 - the table's column
    durationSeconds: float  # noqa: N815 - the table's column
    lagSeconds: float | None  # noqa: N815 - the table's column
    error: str
    api: str
    ingestion: str
    lane: str = LIVE
    organizationId: str = ""  # noqa: N815 - the table's column
    version: str = __version__

    def row(self) -> dict[str, object]:
        """The row: nulls and empty strings are left out."""
        return {name: value for name, value in asdict(self).items() if value not in (None, "")}


def lag_seconds(newest: str, now: datetime) -> float | None:
    """Now minus the newest event's time; None when no event is known."""
    moment = parse(newest)
    return None if moment is None else round(max(0.0, (now - moment.astimezone(UTC)).total_seconds()), 1)


def describe(error: BaseException) -> str:
    """The error's class and one sentence."""
    return f"{type(error).__name__}: {error}"


def report(figures: Figures, ingestion: Ingestion | None, table: str) -> None:
    """Write the log line, and post the row where there is a road to post it by.

    A run must not fail because its report does: the missing row is what the silence rule watches.
    """
    needs_reading = figures.outcome == FAILED or (figures.error and figures.outcome != ALREADY_RUNNING)
    level = logging.WARNING if needs_reading else logging.INFO
    LOG.log(level, "%s%s", LINE, lenient_json.dumps(figures.row()).decode())
    if ingestion is not None:
        post(figures, ingestion, table)


def post(figures: Figures, ingestion: Ingestion, table: str) -> None:
    """Post the row; where that fails it is told in the log, and nobody else notices."""
    row = EncodedRow(lenient_json.dumps(figures.row()), figures.row())
    try:
        ingestion.post(f"{table}Health", [row], None)
    except (ConnectorError, BatchRefused) as error:
        LOG.warning("The health row could not be posted: %s", error)
