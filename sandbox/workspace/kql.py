"""Runs KQL on the workspace, through `duckdb-kql`.

Runs as in Kusto, seen on tables with data: `let` (values, tables, functions of values), `materialize`,
`toscalar`, `summarize` with `arg_max(x, *)`, `make_set`, `make_list`, `dcount`, `countif`, `percentile` and
`bin()`, `mv-expand`, `parse_json` and paths, `has`, `has_any`, `in~`, `=~`, `matches regex`, `ago`, `now`,
`datetime_diff`, `format_datetime`, `iff`, `case`, `coalesce`, joins, `lookup`, `top`, `distinct`,
`project-away`, trigonometry, `union isfuzzy=true` with missing tables, and `render` (ignored). Added here:
`column_ifexists`, `ingestion_time`.

Not supported, and refused with an error: `let` functions with a tabular body or a table as parameter
(stored functions may have a tabular body), `set_difference`, `bag_keys`, `make_bag`, `mv-apply`,
`make-series`, `evaluate`, `invoke`, `partition`, `search`, `serialize`, `row_number`, `prev`, `next`, `as`,
`project-reorder`, `ipv4_*`, `geo_*`, `url_decode`, `unixtime_*_todatetime`, `datatable` without a column.

Answers that differ from Kusto's: a column that two legs of a union give different types stays one column,
where Kusto splits it by type; a string that an outer join, or another leg of a union, leaves empty is null
inside the query, so `== ""` is false for it: use `isempty`. Times have six fractional digits, not seven.

Cost: `tostring` becomes a long piece of SQL, so it is worth leaving out where the value is a string
already.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import duckdb
import duckdb_kql
import orjson
from duckdb_kql.types import kusto_type

from sandbox.workspace.binding import RECEIVED, BindingError, resolve, tokens
from sandbox.workspace.functions import columns_of
from sandbox.workspace.store import Workspace

_UTC = orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z


class Result(NamedTuple):
    """The answer to a query.

    Attributes:
        columns: Name and KQL type of each column.
        rows: Their values: aware times, GUIDs as text, dynamic values as Python's lists and dictionaries.
    """

    columns: list[tuple[str, str]]
    rows: list[tuple[Any, ...]]

    def records(self) -> list[dict[str, Any]]:
        """Return the rows as dictionaries."""
        names = [name for name, _ in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]


class QueryError(ValueError):
    """A query that cannot run.

    Attributes:
        code: `SyntaxError`, `SemanticError`, or `Unsupported` for what the sandbox lacks.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def query(workspace: Workspace, text: str, now: datetime | None = None) -> Result:
    """Run a query.

    Args:
        workspace: Its tables and stored functions are known to the query.
        text: The KQL.
        now: What `now()` and `ago()` count from; the present when absent.

    Raises:
        QueryError: The query is wrong, or uses what is not supported.
    """
    try:
        with workspace.reader() as connection:
            return _run(workspace, connection, text, now)
    except duckdb_kql.KqlSyntaxError as error:
        raise QueryError("SyntaxError", str(error)) from error
    except duckdb_kql.KqlUnsupportedError as error:
        raise QueryError("Unsupported", str(error)) from error
    except (duckdb_kql.KqlError, duckdb.Error, BindingError) as error:
        raise QueryError("SemanticError", str(error)) from error
    except AssertionError as error:  # duckdb-kql's answer to a table as a parameter
        raise QueryError("Unsupported", "A construct that duckdb-kql does not know.") from error


def _run(
    workspace: Workspace, connection: duckdb.DuckDBPyConnection, text: str, now: datetime | None
) -> Result:
    functions = workspace.functions.used_by(text, connection, workspace.version)
    bound = resolve(text, lambda part: columns_of(part, connection, functions))
    answer = duckdb_kql.execute(connection, bound, allow_write=False, query_now=now, functions=functions)
    named = {token.text for token in tokens(text)}
    columns = [(name, kusto_type(kind)) for name, kind, *_ in answer.description or ()]
    shown = [index for index, (name, _) in enumerate(columns) if name != RECEIVED or RECEIVED in named]
    rows = [tuple(_value(row[index], columns[index][1]) for index in shown) for row in answer.fetchall()]
    return Result([columns[index] for index in shown], rows)


def _value(value: Any, kind: str) -> Any:
    if value is None:
        return "" if kind == "string" else None
    if kind == "dynamic":
        return orjson.loads(value if isinstance(value, str) else orjson.dumps(value, str, _UTC))
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC)
    return str(value) if isinstance(value, UUID) else value


def timespan(value: timedelta) -> str:
    """Return a timespan as the service writes it: `[-][d.]hh:mm:ss[.fffffff]`."""
    ticks = abs(value) // timedelta(microseconds=1)
    seconds, fraction = divmod(ticks, 1_000_000)
    days, seconds = divmod(seconds, 86_400)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    sign, whole = "-" if value < timedelta() else "", f"{days}." if days else ""
    return sign + whole + text + (f".{fraction:06}0" if fraction else "")
