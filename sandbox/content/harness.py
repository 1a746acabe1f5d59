"""A workspace on which rules and queries run over samples, as the service would run them.

Events become rows by the connector's own row maker, and rows become columns by the sandbox's Data Collector logic.
What a rule sees is bounded as in the service: nothing that arrives later, and nothing whose `TimeGenerated` is
older than the rule's period.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import orjson

from sandbox.content.load import Content, Rule, parsers
from sandbox.workspace.columns import MAX_FIELD_BYTES, Columns, date_time
from sandbox.workspace.kql import query
from sandbox.workspace.store import Workspace
from shared.ingestion.rows import encode_event

EVENTS, HEALTH = "DocuSignMonitor_CL", "DocuSignMonitorHealth_CL"
USERS, ACCOUNTS = "DocuSignMonitorUsers_CL", "DocuSignMonitorAccounts_CL"

DELAY = timedelta(minutes=5)
"""Microsoft Sentinel runs a rule this much after the end of the rows that it gives it."""

_KEPT = timedelta(days=2)
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)

Record = Mapping[str, Any]


def install(workspace: Workspace) -> None:
    """Save every parser as a stored function."""
    for parser in parsers():
        workspace.save_function(parser.name, parser.query)


class Bench:
    """A workspace of its own, in memory, with the parsers; a context manager.

    Attributes:
        workspace: The workspace.
        now: The moment of the latest arrival.
    """

    def __init__(self) -> None:
        self.now = _BEGIN
        self.workspace = Workspace(Path(":memory:"), clock=lambda: self.now)
        install(self.workspace)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.workspace.close()

    def arrive(self, events: Iterable[Record], at: datetime) -> None:
        """Let DocuSign's events arrive, all at one moment."""
        self.post(EVENTS, (orjson.loads(encode_event(e, MAX_FIELD_BYTES).body) for e in events), at)

    def post(
        self, table: str, records: Iterable[Record], at: datetime, time_field: str = "timestamp"
    ) -> None:
        """Let flat rows arrive in a table, all at one moment."""
        self.now = at
        columns = Columns(self.workspace.columns(table))
        rows = []
        for record in records:
            moment = time_generated(record.get(time_field), at)
            rows.append({**columns.row(record), "TimeGenerated": moment})
        self.workspace.append(table, columns.used, rows)

    def run(self, content: Content, now: datetime) -> list[dict[str, Any]]:
        """Run a rule or a query as of a moment; for a rule, what has left its period is deleted first."""
        if isinstance(content, Rule):
            self.forget(now - content.period)
        return query(self.workspace, content.query, now).records()

    def empty(self) -> None:
        """Delete every row; tables and columns stay."""
        self.forget(datetime.max.replace(tzinfo=UTC))

    def forget(self, until: datetime) -> None:
        """Delete the rows whose `TimeGenerated` is not later than a moment."""
        with self.workspace.reader() as connection:
            for table in self.workspace.tables():
                connection.execute(
                    f'DELETE FROM "{table}" WHERE TimeGenerated <= $until',  # noqa: S608  a table's own name
                    {"until": until.astimezone(UTC).replace(tzinfo=None)},
                )


def time_generated(value: object, received: datetime) -> datetime:
    """The `TimeGenerated` that the Data Collector API gives: the row's own time, unless it is over two days old."""
    moment = date_time(value) if isinstance(value, str) else None
    return moment if moment is not None and received - _KEPT <= moment <= received else received


def ticks(ready: Iterable[datetime], frequency: timedelta, begin: datetime) -> list[datetime]:
    """The runs of a rule that can find something new: the first at or after each of the moments.

    Args:
        ready: From when on rows can be seen.
        frequency: The rule's.
        begin: One of the rule's runs; the others are whole intervals away.
    """
    numbers = {-((begin - moment) // frequency) for moment in ready}
    return [begin + number * frequency for number in sorted(numbers)]
