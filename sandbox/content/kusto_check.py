"""Checks KQL with Microsoft's own parser, against the schemas that a workspace goes through.

A rule must be accepted on the first day, when no table exists, on the second, when a table has the few columns
that its first events needed, and later, when it has all of them.
"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sandbox.content.load import ROOT, parsers
from shared.ingestion.columns import TABLES, table_columns

LOG_TYPE = "DocuSignMonitor"
Tables = Mapping[str, Mapping[str, str]]

FRESH: Tables = {}
"""A workspace into which nothing has come."""

YOUNG: Tables = {
    f"{LOG_TYPE}_CL": {
        "TimeGenerated": "datetime",
        "timestamp_t": "datetime",
        "eventId_g": "guid",
        "userId_s": "string",
        "object_s": "string",
    }
}
"""After a first event with little in it, and before the first row of the other tables."""

FULL: Tables = {f"{LOG_TYPE}{name}_CL": table_columns(fields) for name, fields in TABLES.items()}
"""Every column that the connector's rows can make."""

SCHEMAS: Mapping[str, Tables] = {"fresh": FRESH, "young": YOUNG, "full": FULL}


class Verdict(NamedTuple):
    """What the parser says of a query.

    Attributes:
        errors: Its errors, each with the text near it; an empty list when the query is right.
        columns: Name and type of the result's columns.
    """

    errors: list[str]
    columns: dict[str, str]


def check(queries: Sequence[str], tables: Tables) -> list[Verdict]:
    """Check queries against tables and the stored functions."""
    return check_all({"": tables}, queries)[""]


def check_all(schemas: Mapping[str, Tables], queries: Sequence[str]) -> dict[str, list[Verdict]]:
    """Check every query against each of the schemas, in one process of Node.

    Raises:
        subprocess.CalledProcessError: Node or the parser is missing.
    """
    functions = {parser.name: parser.query for parser in parsers()}
    jobs = [
        {"tables": _texts(tables), "functions": functions, "queries": list(queries)}
        for tables in schemas.values()
    ]
    answers = _node({"modules": str(ROOT / "node_modules"), "schemas": jobs})
    return {
        name: [Verdict(found["errors"], found["columns"] or {}) for found in answer]
        for name, answer in zip(schemas, answers, strict=True)
    }


def _texts(tables: Tables) -> dict[str, str]:
    return {
        name: "(" + ", ".join(f"{column}: {kind}" for column, kind in columns.items()) + ")"
        for name, columns in tables.items()
    }


def _node(job: Mapping[str, Any]) -> Any:
    script = ROOT / "sandbox" / "content" / "kusto_check.js"
    done = subprocess.run(
        ["node", str(script)], input=json.dumps(job), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)
