"""A data collection rule's side of the fields: streams, transformations, and the tables behind them.

All of it is derived from `shared.ingestion.columns`. Only functions that Microsoft's page "Supported KQL
features in Azure Monitor transformations" lists are used: neither `iff` nor `coalesce` is among them.
"""

from shared.ingestion.columns import TABLES, TIME_FIELD, Field, Kind, table_columns

_STREAM_TYPES = {Kind.MOMENT: "datetime", Kind.NUMBER: "real", Kind.FLAG: "boolean"}
"""By kind; any other is a string: a stream has no GUIDs."""
_TABLE_TYPES = {"datetime": "dateTime", "bool": "boolean"}
"""Where Microsoft.OperationalInsights/workspaces/tables has another name for a KQL type."""
_GUID_LENGTH = 36


def stream_name(table: str) -> str:
    """The stream of a table, whose name is given without `_CL`."""
    return f"Custom-{table}_CL"


def stream_declarations(log_type: str) -> dict[str, dict[str, list[dict[str, str]]]]:
    """The `streamDeclarations` of the rule: every table's row fields and their types.

    Args:
        log_type: The setting LOG_TYPE.
    """
    return {
        stream_name(log_type + suffix): {
            "columns": [
                {"name": field.name, "type": _STREAM_TYPES.get(field.kind, "string")} for field in fields
            ]
        }
        for suffix, fields in TABLES.items()
    }


def transformation(fields: tuple[Field, ...]) -> str:
    """The `transformKql` of a table's data flow: row fields to suffixed columns.

    `TimeGenerated` is the event's time, or the time of arrival for a row that has none.
    """
    guids = ", ".join(_guid(field.name) for field in fields if field.kind is Kind.IDENTIFIER)
    timed = any(field.name == TIME_FIELD for field in fields)
    moment = f"iif(isnull({TIME_FIELD}), now(), {TIME_FIELD})" if timed else "now()"
    columns = ", ".join([f"TimeGenerated = {moment}", *(_columns(field) for field in fields)])
    return "\n| ".join(["source", *([f"extend {guids}"] if guids else []), f"project {columns}"])


def table_schema(log_type: str, suffix: str) -> list[dict[str, str]]:
    """The `columns` of a table in a template.

    Args:
        log_type: The setting LOG_TYPE.
        suffix: A key of `TABLES`. Every table has its own columns; its name does not change them.
    """
    del log_type
    return [
        {"name": name, "type": _TABLE_TYPES.get(kql_type, kql_type)}
        for name, kql_type in table_columns(TABLES[suffix]).items()
    ]


def _guid(name: str) -> str:
    """The GUID column, null for other text; `toguid` alone also takes 32 digits without hyphens."""
    return f'{name}_g = toguid(iif(strlen({name}) == {_GUID_LENGTH}, {name}, ""))'


def _columns(field: Field) -> str:
    if field.kind is Kind.IDENTIFIER:
        return f'{field.name}_g, {field.name}_s = iif(isnull({field.name}_g), {field.name}, "")'
    (column,) = field.columns
    return f"{column} = {field.name}"
