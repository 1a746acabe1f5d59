"""The incidents that the rules raise on a workspace's history, for the demo.

In the demo a week of history arrives within seconds, which is a backfill, and the rules rightly raise nothing on
its older part. So the history is replayed on a copy in which each event arrived when it happened.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from sandbox.content.harness import ACCOUNTS, EVENTS, HEALTH, USERS, install
from sandbox.content.schedule import Incident, hold_parsed, incidents
from sandbox.workspace.binding import RECEIVED
from sandbox.workspace.store import Workspace

HISTORY = timedelta(days=8)
"""How far back DocuSign's history of a week can reach; what is older came as a backfill at any time."""

SEVERITIES = ("High", "Medium", "Low", "Informational")


def raised(workspace: Workspace, now: datetime) -> list[Incident]:
    """Return the incidents of the week before now, gravest first, then in the order of time.

    Args:
        workspace: Is only read.
        now: The end of the history, an aware time.
    """
    with replayed(workspace, now) as copy:
        found = incidents(copy, now - HISTORY, now)
    return sorted(found, key=lambda incident: (SEVERITIES.index(incident.severity), incident.when))


@contextmanager
def replayed(workspace: Workspace, now: datetime) -> Iterator[Workspace]:
    """Lend a copy in which every event of the history arrived when it happened."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "replay.duckdb"
        _copy(workspace, path, (now - HISTORY).astimezone(UTC).replace(tzinfo=None))
        with Workspace(path) as copy:
            install(copy)
            hold_parsed(copy)
            yield copy


def _copy(workspace: Workspace, path: Path, begin: datetime) -> None:
    tables = [table for table in (EVENTS, HEALTH, USERS, ACCOUNTS) if table in workspace.tables()]
    with workspace.reader() as connection:
        connection.execute(f"ATTACH '{path}' AS replay")
        for table in tables:
            moved = table == EVENTS and "timestamp_t" in workspace.columns(table)
            columns = _MOVED.format(received=RECEIVED) if moved else "*"
            connection.execute(
                f'CREATE TABLE replay."{table}" AS SELECT {columns} FROM "{table}"',  # noqa: S608  own names
                {"begin": begin} if moved else {},
            )
        connection.execute("DETACH replay")


_MOVED = """* REPLACE (
    CASE WHEN timestamp_t > $begin THEN timestamp_t ELSE TimeGenerated END AS TimeGenerated,
    CASE WHEN timestamp_t > $begin THEN timestamp_t ELSE "{received}" END AS "{received}")"""
