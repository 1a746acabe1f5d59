from collections.abc import Mapping

import pytest

from sandbox.content.kusto_check import FULL, SCHEMAS, Verdict, check, check_all
from sandbox.content.load import hunting_queries, other_queries, parsers, rules, with_parameters

QUERIES = {
    **{
        f"{content.path.parent.name}/{content.path.stem}": content.query
        for content in (*rules(), *hunting_queries())
    },
    **{f"parsers/{parser.name}": parser.query for parser in parsers()},
    **{query.name: query.text for query in other_queries()},
}


@pytest.fixture(scope="module")
def verdicts() -> Mapping[str, Mapping[str, Verdict]]:
    """What Microsoft's parser says of every query, by schema."""
    found = check_all(SCHEMAS, list(QUERIES.values()))
    return {name: dict(zip(QUERIES, answers, strict=True)) for name, answers in found.items()}


@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_query_is_accepted(schema: str, verdicts: Mapping[str, Mapping[str, Verdict]]) -> None:
    """Microsoft's parser finds no error in any query, be the workspace fresh, young or full."""
    assert {} == {name: verdict.errors for name, verdict in verdicts[schema].items() if verdict.errors}


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("DocuSignMonitor | where NoSuchColumn == 1", "NoSuchColumn"),
        ("DocuSignMonitor | summarize arg_max(EventTime) by", "Missing expression"),
        ("NoSuchTable | count", "NoSuchTable"),
        ("DocuSignMonitor | extend x = nosuchfunction(1)", "nosuchfunction"),
    ],
)
def test_a_wrong_query_is_caught(query: str, error: str) -> None:
    """The check sees unknown columns, tables and functions, and bad syntax."""
    errors = check([query], FULL)[0].errors

    assert any(error in found for found in errors), errors


def test_columns_and_types() -> None:
    """The parser's columns have the types that rules count on, whatever the table has."""
    wanted = {
        "TimeGenerated": "datetime",
        "EventTime": "datetime",
        "EventId": "string",
        "UserId": "string",
        "Latitude": "real",
        "IsUserMemberOfDomain": "bool",
        "Data": "dynamic",
        "AdditionalFields": "dynamic",
    }
    for answers in check_all(SCHEMAS, ["DocuSignMonitor"]).values():
        columns = answers[0].columns

        assert wanted == {name: columns[name] for name in wanted}


def test_parameters_of_a_workbook() -> None:
    """A workbook's parameters become values that the parser can read."""
    text = "T | where TimeGenerated {TimeRange} and x in ({Accounts}) | summarize count() by bin(t, {TimeRange:grain})"

    assert with_parameters(text) == (
        "T | where TimeGenerated > ago(7d) and x in ('*') | summarize count() by bin(t, 1h)"
    )
