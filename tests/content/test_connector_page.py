import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deployment.buttons import buttons
from sandbox.content.harness import ACCOUNTS, HEALTH, USERS, Bench
from sandbox.content.kusto_check import SCHEMAS, check_all
from sandbox.content.load import ROOT, other_queries, parsers, rules
from sandbox.workspace.kql import query

NOW = datetime(2026, 11, 20, 16, 30, tzinfo=UTC)
TEXT = (ROOT / "connector_page" / "DocuSignMonitor.json").read_text(encoding="utf-8")
PAGE: dict[str, Any] = json.loads(TEXT)
KEYS = [
    *("id", "title", "publisher", "descriptionMarkdown", "graphQueries", "sampleQueries", "dataTypes"),
    *("connectivityCriterias", "availability", "permissions", "instructionSteps"),
]
SAMPLES = {sample["description"]: sample["query"] for sample in PAGE["sampleQueries"]}
GRAPHS = {graph["metricName"]: graph["baseQuery"] for graph in PAGE["graphQueries"]}
LAST = {kind["name"]: kind["lastDataReceivedQuery"] for kind in PAGE["dataTypes"]}
(CONNECTED,) = PAGE["connectivityCriterias"][0]["value"]
QUERIES = [*GRAPHS.values(), *SAMPLES.values(), *LAST.values(), CONNECTED]


def run(bench: Bench, text: str) -> list[dict[str, Any]]:
    """The rows of a query as of now."""
    return query(bench.workspace, text, NOW).records()


def connected(*runs: tuple[timedelta, str]) -> list[dict[str, Any]]:
    """What the page concludes from runs of the connector, each with its age and outcome."""
    with Bench() as bench:
        for age, outcome in runs:
            bench.post(HEALTH, [{"runId": str(age), "outcome": outcome}], NOW - age)
        return run(bench, CONNECTED)


def test_form() -> None:
    """The page has the keys that Microsoft requires, in their order."""
    assert KEYS == list(PAGE)
    assert {"status": 1, "isPreview": False} == PAGE["availability"]
    assert ["IsConnectedQuery"] == [criterion["type"] for criterion in PAGE["connectivityCriterias"]]
    assert {"resourceProvider", "customs"} == set(PAGE["permissions"])
    for provider in PAGE["permissions"]["resourceProvider"]:
        assert "Workspace" == provider["scope"]
        assert provider["requiredPermissions"]


@pytest.mark.parametrize(
    ("age", "outcome", "expected"),
    [
        pytest.param(timedelta(minutes=5), "caught-up", True, id="caught up"),
        pytest.param(timedelta(hours=3), "budget", True, id="still behind"),
        pytest.param(timedelta(minutes=5), "failed", False, id="failed"),
        pytest.param(timedelta(days=2), "caught-up", False, id="silent for two days"),
    ],
)
def test_connected(age: timedelta, outcome: str, expected: bool) -> None:  # noqa: FBT001  it is what is expected
    """The connector is connected when a run of the last day did not fail."""
    assert [{"IsConnected": expected}] == connected((age, outcome))


def test_connected_after_an_outage_of_an_hour() -> None:
    """Failures after a good run do not disconnect it at once."""
    runs = [(timedelta(hours=1), "caught-up"), (timedelta(minutes=5), "failed")]

    assert [{"IsConnected": True}] == connected(*runs)


def test_not_connected_before_the_first_run() -> None:
    """Without the health table the connector is not connected, and the query does not fail."""
    assert [{"IsConnected": False}] == connected()


def test_last_data_received() -> None:
    """Each table's newest row is found through its function; a table without rows gives none."""
    with Bench() as bench:
        assert [[]] * 4 == [run(bench, text) for text in LAST.values()]
        event = {"eventId": "e", "timestamp": NOW.isoformat(), "object": "Envelope"}
        bench.arrive([event], NOW)
        bench.post(HEALTH, [{"runId": "r", "outcome": "failed"}], NOW)
        bench.post(USERS, [{"userId": "u", "accountId": "a"}], NOW)
        bench.post(ACCOUNTS, [{"accountId": "a"}], NOW)

        assert {name: [{"Time": NOW}] for name in LAST} == {name: run(bench, q) for name, q in LAST.items()}


def test_sample_queries() -> None:
    """Each sample query finds what its description says."""
    login = {"object": "User", "action": "Login", "result": "Failed", "userId": "u"}
    export = {"object": "Organization", "action": "Initiated", "property": "BulkUsersExport", "userId": "u"}
    alert = {"object": "Alert", "action": "TooManyLoginFailures"}
    stamp = {"timestamp": (NOW - timedelta(hours=1)).isoformat()}
    events = [stamp | {"eventId": str(n)} | event for n, event in enumerate((login, export, alert))]
    with Bench() as bench:
        bench.arrive(events, NOW)
        bench.post(HEALTH, [{"runId": "r", "outcome": "failed", "error": "Forbidden: no."}], NOW)
        bench.post(USERS, [{"userId": "u", "accountId": "a", "email": "ann@example.com"}], NOW)
        bench.post(ACCOUNTS, [{"accountId": "a", "accountName": "Harbor Paper"}], NOW)

        assert [3, 1, 1, 1, 1, 1] == [len(run(bench, text)) for text in SAMPLES.values()]


def test_before_the_first_event() -> None:
    """Graphs and sample queries are empty, and do not fail, in a workspace without tables."""
    with Bench() as bench:
        assert [[]] * 8 == [run(bench, text) for text in (*GRAPHS.values(), *SAMPLES.values())]


def test_microsofts_parser_accepts_every_query() -> None:
    """Every query is right on a fresh workspace, so that none reads a table directly, and on older ones."""
    for schema, verdicts in check_all(SCHEMAS, QUERIES).items():
        assert [] == [verdict.errors for verdict in verdicts if verdict.errors], schema


def test_every_query_is_among_the_contents() -> None:
    """What checks all content finds every query of the page."""
    known = [other.text for other in other_queries() if other.name.startswith("connector_page/")]

    assert sorted(QUERIES) == sorted(known)


def test_queries_read_functions() -> None:
    """Every query begins with one of the stored functions."""
    assert {text.split("\n")[0] for text in QUERIES} <= {parser.name for parser in parsers()}


def test_rules_name_this_connector() -> None:
    """The connector that the rules require is this one, with data types that the page has."""
    required = [connector for rule in rules() for connector in rule.raw["requiredDataConnectors"]]

    assert {PAGE["id"]} == {connector["connectorId"] for connector in required}
    assert {kind for connector in required for kind in connector["dataTypes"]} <= set(LAST)


def test_button() -> None:
    """The button has the text that Microsoft asks for, and leads where the README's does."""
    links = re.findall(
        r"\[!\[Deploy To Azure\]\([^)]*\)\]\(([^)]*)\)",
        json.loads(TEXT)["instructionSteps"][3]["description"],
    )

    assert "[Deploy To Azure]" in TEXT
    assert 1 == len(links)
    assert f"({links[0]})" in buttons()


def test_links_have_no_locale() -> None:
    """A reader gets each page in their own language."""
    links = re.findall(r"https://[^\s)\"]+", TEXT)

    assert links
    assert [] == [link for link in links if re.search(r"/[a-z]{2}-[a-z]{2}(/|$)", link)]


def test_name_of_the_product() -> None:
    """Microsoft Sentinel is always called by its full name."""
    assert "Microsoft Sentinel" in TEXT
    assert [] == re.findall(r"(?<!Microsoft )Sentinel", TEXT)
