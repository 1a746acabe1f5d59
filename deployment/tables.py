"""The tables and the data collection rule's streams and flows, from the fields in `shared.ingestion.columns`."""

from typing import Any

from shared.ingestion import schema
from shared.ingestion.columns import TABLES

LOG_TYPE = "DocuSignMonitor"
"""The template's LOG_TYPE: the parsers read the tables of this name."""

Resource = dict[str, Any]


def tables() -> list[Resource]:
    """The tables that the Logs Ingestion API needs before its first row; the other API makes its own."""
    return [_table(f"{LOG_TYPE}{suffix}_CL", schema.table_schema(LOG_TYPE, suffix)) for suffix in TABLES]


def streams() -> dict[str, Any]:
    """The rule's `streamDeclarations`."""
    return dict(schema.stream_declarations(LOG_TYPE))


def flows() -> list[Resource]:
    """The rule's `dataFlows`: one a stream, into the table of the same name."""
    return [
        {
            "streams": [schema.stream_name(LOG_TYPE + suffix)],
            "destinations": ["workspace"],
            "transformKql": schema.transformation(fields),
            "outputStream": schema.stream_name(LOG_TYPE + suffix),
        }
        for suffix, fields in TABLES.items()
    ]


def _table(name: str, columns: list[dict[str, str]]) -> Resource:
    return {
        "type": "Microsoft.OperationalInsights/workspaces/tables",
        "apiVersion": "2025-07-01",
        "name": f"[format('{{0}}/{name}', parameters('workspaceName'))]",
        "condition": "[parameters('logsIngestion')]",
        "properties": {"plan": "Analytics", "schema": {"name": name, "columns": columns}},
    }
