"""The tables of the workspace: a DuckDB file whose columns come as the rows need them.

Strings are never null, as in Kusto: a missing one is stored as the empty string. DuckDB folds the case of
names and Kusto does not, so a name that differs from another in case only is refused here.
"""

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Self

import duckdb
import orjson
from duckdb_kql.types import kusto_type

from sandbox.workspace.binding import RECEIVED
from sandbox.workspace.functions import Functions

DUCKDB_TYPES = {
    "string": "VARCHAR",
    "datetime": "TIMESTAMP",
    "real": "DOUBLE",
    "long": "BIGINT",
    "int": "INTEGER",
    "bool": "BOOLEAN",
    "guid": "UUID",
    "dynamic": "JSON",
}
"""The DuckDB type of each KQL type."""

_SYSTEM = {"TimeGenerated": "datetime", "Type": "string"}
_NAME = re.compile(r"\w{1,255}", re.ASCII)
_OBJECT_BYTES = 16 << 20


def utc_now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


class Workspace:
    """A workspace owns its DuckDB file; every thread of this process may use it, no other process can.

    Args:
        path: The file, made when absent.
        clock: The moment of ingestion, an aware time.
    """

    def __init__(self, path: Path, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._connection = duckdb.connect(str(path))
        self._connection.execute("SET TimeZone = 'UTC'")
        self._schema = self._read_schema()
        self.functions = Functions()
        self.version = 0
        """Grows with each new table or column, so that what was bound to the old ones is bound again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def tables(self) -> list[str]:
        """Return the names of the tables, in order."""
        with self._lock:
            return sorted(self._schema)

    def columns(self, table: str) -> dict[str, str]:
        """Return the KQL type of each column of the table; nothing for a table that does not exist."""
        with self._lock:
            return {name: kind for name, kind in self._schema.get(table, {}).items() if name != RECEIVED}

    def append(self, table: str, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> None:
        """Add the rows, with the table and the columns that are missing; all of the rows or none.

        Args:
            table: The table's name, with its `_CL`.
            columns: The KQL type of every column that the rows use.
            rows: JSON values by column. `TimeGenerated` is the moment of ingestion where a row has none;
                date-times are aware, or ISO 8601 text, which is read as UTC when it names no offset.

        Raises:
            ValueError: A bad name, an unknown type, or a column that exists with another type.
            duckdb.Error: A value that cannot become its column's type.
        """
        if not rows:
            return
        columns = _SYSTEM | dict(columns)
        with self._lock:
            self._grow(table, columns)
            self._insert(table, columns, [orjson.dumps(row) for row in rows])

    def save_function(self, name: str, body: str, parameters: str = "") -> None:
        """Save a stored function for queries; it lives as long as this object, not in the file.

        Args:
            name: The name that queries call it by, with or without parentheses.
            body: A tabular expression, after any `let` statements.
            parameters: As in KQL: `days:long = 7, user:string = ""`.

        Raises:
            ValueError: The definition does not parse.
        """
        self.functions.save(name, body, parameters)

    @contextmanager
    def reader(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Lend a connection of one's own for a query, which then holds up no writer."""
        with self._lock:
            cursor = self._connection.cursor()
        try:
            yield cursor
        finally:
            cursor.close()

    def close(self) -> None:
        """Write everything to the file and release it."""
        with self._lock:
            self._connection.close()

    def _read_schema(self) -> dict[str, dict[str, str]]:
        schema: dict[str, dict[str, str]] = {}
        for table, column, kind in self._connection.execute(
            "SELECT table_name, column_name, data_type "
            "FROM information_schema.columns ORDER BY ordinal_position"
        ).fetchall():
            schema.setdefault(table, {})[column] = kusto_type(kind)
        return schema

    def _grow(self, table: str, columns: Mapping[str, str]) -> None:
        known = self._schema.get(table, {})
        new = {name: kind for name, kind in columns.items() if name not in known}
        _check_names(table, [t for t in self._schema if t != table])
        _check_types(table, known, columns)
        for name in new:
            _check_names(name, [*known, *(n for n in new if n != name)])
        if not known:
            self._connection.execute(f'CREATE TABLE "{table}" ({_column(RECEIVED, "datetime", table)})')
            self._schema[table] = {RECEIVED: "datetime"}
        for name, kind in new.items():
            self._connection.execute(f'ALTER TABLE "{table}" ADD COLUMN {_column(name, kind, table)}')
            self._schema[table][name] = kind
        self.version += bool(new)

    def _insert(self, table: str, columns: Mapping[str, str], lines: list[bytes]) -> None:
        received = self._clock().astimezone(UTC).replace(tzinfo=None)
        fields = {name: kind for name, kind in columns.items() if name != "Type"}
        values = ", ".join(f'{_value(name, kind)} AS "{name}"' for name, kind in fields.items())
        raw = {name: "VARCHAR" if kind == "datetime" else DUCKDB_TYPES[kind] for name, kind in fields.items()}
        size = max(_OBJECT_BYTES, 1 + max(map(len, lines)))
        with NamedTemporaryFile(suffix=".ndjson") as file, self._transaction():
            # DuckDB 2.0.0 loses a last line without a newline, in silence, when the file just fills its buffer
            file.writelines(line + b"\n" for line in lines)
            file.flush()
            inserted = self._connection.execute(
                f'INSERT INTO "{table}" BY NAME '  # noqa: S608  every name was checked against `_NAME`
                f'SELECT {values}, $received AS "{RECEIVED}" FROM read_json($path, '
                f"format='newline_delimited', maximum_object_size={size}, columns={raw})",
                {"path": file.name, "received": received},
            ).fetchall()
            if inserted != [(len(lines),)]:
                raise RuntimeError(f"DuckDB inserted {inserted} of {len(lines)} rows into {table}.")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.begin()
        try:
            yield
        except BaseException:
            self._connection.rollback()
            raise
        self._connection.commit()


def _check_names(name: str, others: Sequence[str]) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name for a table or a column: letters, digits and _ only.")
    for other in others:
        if other.lower() == name.lower():
            raise ValueError(f"{name!r} differs from {other!r} in case only, which the sandbox cannot store.")


def _check_types(table: str, known: Mapping[str, str], columns: Mapping[str, str]) -> None:
    for name, kind in columns.items():
        if kind not in DUCKDB_TYPES:
            raise ValueError(f"Column {name!r} has the type {kind!r}; known are {', '.join(DUCKDB_TYPES)}.")
        if known.get(name, kind) != kind:
            raise ValueError(f"Column {name!r} of {table} is a {known[name]}, not a {kind}.")


def _column(name: str, kind: str, table: str) -> str:
    text = table if name == "Type" else ""
    return f'"{name}" {DUCKDB_TYPES[kind]}' + (f" DEFAULT '{text}'" if kind == "string" else "")


def _value(name: str, kind: str) -> str:
    """Return the SQL that reads a value; TIMESTAMP alone would drop an offset in silence."""
    if name == "TimeGenerated":
        return f"coalesce(CAST(\"{name}\" AS TIMESTAMPTZ) AT TIME ZONE 'UTC', $received)"
    if kind == "datetime":
        return f"CAST(\"{name}\" AS TIMESTAMPTZ) AT TIME ZONE 'UTC'"
    return f"coalesce(\"{name}\", '')" if kind == "string" else f'"{name}"'
