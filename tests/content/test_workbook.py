import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.content.harness import ACCOUNTS, HEALTH, USERS, Bench
from sandbox.content.kusto_check import SCHEMAS, Verdict, check_all
from sandbox.content.load import ROOT, other_queries
from sandbox.content.schedule import hold_parsed
from sandbox.organization import make_organization
from sandbox.organization.organization import Organization
from sandbox.workspace.kql import query

Item = dict[str, Any]

UNTIL = datetime(2026, 11, 20, 16, 30, tzinfo=UTC)
PATH = ROOT / "workbooks" / "DocuSignMonitor.json"
WORKBOOK: Item = json.loads(PATH.read_text(encoding="utf-8"))
FUNCTIONS = ("DocuSignMonitor", "DocuSignUsers", "DocuSignAccounts", "DocuSignMonitorHealth")
LAST_WEEK, LAST_DAY = (
    "> ago(7d)",
    "between (datetime(2026-11-19T16:30:00Z) .. datetime(2026-11-20T16:30:00Z))",
)


def items(node: Item = WORKBOOK) -> Iterator[Item]:
    """Every item of the workbook, those in groups included."""
    for item in node["items"]:
        yield item
        if item["type"] == 12:
            yield from items(item["content"])


TILES = {item["name"]: item["content"] for item in items() if item["type"] == 3}
PARAMETERS = {p["name"]: p for item in items() if item["type"] == 9 for p in item["content"]["parameters"]}
QUERIES = {name: tile["query"] for name, tile in TILES.items()} | {
    "Accounts": PARAMETERS["Accounts"]["query"]
}


def filled(text: str, time: str = LAST_WEEK, accounts: str = "'*'") -> str:
    """A query as the portal sends it: its parameters replaced by what was chosen."""
    text = text.replace("{TimeRange:grain}", "1h").replace("{TimeRange}", time)
    return text.replace("{Accounts}", accounts)


@pytest.fixture(scope="module")
def organization() -> Organization:
    """The organization whose week is looked at."""
    return make_organization(UNTIL, events=3000)


@pytest.fixture(scope="module")
def week(organization: Organization) -> Iterator[Bench]:
    """A workspace with the synthetic week, the directory, and runs of the connector."""
    with Bench() as bench:
        bench.arrive((entry.event for entry in organization.history), UNTIL)
        bench.arrive(_corrected(organization), UNTIL)
        bench.post(USERS, (_user(user) for user in organization.users), UNTIL)
        names = [{"accountId": account.id, "accountName": account.name} for account in organization.accounts]
        bench.post(ACCOUNTS, names, UNTIL)
        for minutes, outcome in ((65, "caught-up"), (60, "failed"), (55, "budget"), (50, "caught-up")):
            _post_run(bench, UNTIL - timedelta(minutes=minutes), outcome)
        hold_parsed(bench.workspace)
        yield bench


def _corrected(organization: Organization) -> list[Item]:
    """An envelope that is corrected after it was sent, which the week lacks."""
    shared = {"object": "Envelope", "userId": organization.users[0].id, "data": {"EnvelopeId": "e"}}
    return [
        shared | {"eventId": "sent", "action": "Sent", "timestamp": (UNTIL - timedelta(hours=2)).isoformat()},
        shared
        | {"eventId": "c", "action": "Corrected", "timestamp": (UNTIL - timedelta(hours=1)).isoformat()},
    ]


def _user(user: Any) -> Item:
    names = {"userId": user.id, "accountId": user.account.id, "userName": user.name, "email": user.email}
    return names | {"isAdmin": user.is_admin}


def _post_run(bench: Bench, at: datetime, outcome: str) -> None:
    figures = {"events": 10, "pages": 1, "deadLetters": 0, "durationSeconds": 3, "lagSeconds": 600}
    error = {"error": "Forbidden: no entitlement."} if outcome == "failed" else {}
    bench.post(
        HEALTH, [{"runId": at.isoformat(), "version": "1.0.0", "outcome": outcome, **figures, **error}], at
    )
    sweep = {"runId": f"sweep {at.isoformat()}", "lane": "directory", "outcome": "complete", "events": 900}
    bench.post(HEALTH, [sweep], at + timedelta(minutes=5))


@pytest.fixture(scope="module")
def verdicts() -> dict[str, dict[str, Verdict]]:
    """What Microsoft's parser says of each query, before the first event, after a small one and later."""
    texts = [filled(text) for text in QUERIES.values()]
    answers = check_all(SCHEMAS, texts)
    return {schema: dict(zip(QUERIES, found, strict=True)) for schema, found in answers.items()}


def records(bench: Bench, name: str, **chosen: str) -> list[Item]:
    """The rows of a tile."""
    return query(bench.workspace, filled(QUERIES[name], **chosen), UNTIL).records()


def figures(bench: Bench, name: str = "figures", **chosen: str) -> dict[str, int]:
    """The numbers of a row of tiles."""
    return {row["Figure"]: row["Value"] for row in records(bench, name, **chosen)}


@pytest.mark.parametrize("name", QUERIES)
def test_tile_shows_the_week(week: Bench, name: str) -> None:
    """Every tile has something to show for the synthetic week."""
    assert records(week, name)


@pytest.mark.parametrize("name", QUERIES)
def test_tile_of_one_account_and_day(week: Bench, organization: Organization, name: str) -> None:
    """Every query runs with two accounts chosen, and with a time range of the analyst's own."""
    accounts = ", ".join(f"'{account.id}'" for account in organization.accounts[:2])

    assert len(records(week, name, time=LAST_DAY, accounts=accounts)) <= len(records(week, name))


def test_accounts_filter(week: Bench, organization: Organization) -> None:
    """A chosen account, in either case of letters, leaves its own events and those of no account."""
    account = organization.accounts[0].id
    events = [entry.event for entry in organization.history] + _corrected(organization)
    begin = (UNTIL - timedelta(days=7)).isoformat()
    recent = [event for event in events if str(event["timestamp"]) > begin]
    own = {event["eventId"] for event in recent if event.get("accountId") in (account, None, "")}

    assert len(own) == figures(week, accounts=f"'{account.upper()}'")["Events"]
    assert len(own) < figures(week)["Events"]


def test_accounts_to_choose_from(week: Bench, organization: Organization) -> None:
    """The filter offers the accounts by name, and takes their ids."""
    offered = {row["AccountId"]: row["Label"] for row in records(week, "Accounts")}

    assert {a.id: a.name for a in organization.accounts}.items() <= offered.items()
    assert ["AccountId", "Label"] == list(records(week, "Accounts")[0])


def test_planted_incidents_are_seen(week: Bench) -> None:
    """The exports, the new administrator, the spraying address and the mass download are on their tiles."""
    exports = {row["Export"] for row in records(week, "exports")}
    sprayed = max(row["Users"] for row in records(week, "addresses"))

    assert {"BulkAccountsExport", "BulkUsersExport"} <= exports
    assert 18 <= sprayed
    assert [] != records(week, "administrators")
    assert [] != records(week, "bulk downloads")


def test_health_figures(week: Bench) -> None:
    """The state of the connector counts its runs, failures and events."""
    expected = {"Runs": 4, "Failed runs": 1, "Events fetched": 40, "Dead letters": 0}

    assert expected | {"Minutes since the last run": 50} == figures(week, "state")


def test_empty_workspace() -> None:
    """Before the first event every tile is empty, and those that count show nought."""
    with Bench() as bench:
        found = {name: records(bench, name) for name in QUERIES}

        assert {0} == set(figures(bench).values())
        assert {0, None} == set(figures(bench, "state").values())
        assert {"figures", "state"} == {name for name, rows in found.items() if rows}


@pytest.mark.parametrize("schema", SCHEMAS)
def test_microsofts_parser_accepts_every_query(verdicts: dict[str, dict[str, Verdict]], schema: str) -> None:
    """Every query is right; on a fresh workspace this also shows that none reads a table directly."""
    assert {} == {name: verdict.errors for name, verdict in verdicts[schema].items() if verdict.errors}


def test_no_query_reads_a_table() -> None:
    """The functions are the only thing that is read."""
    for name, text in QUERIES.items():
        sources = re.findall(r"\bDocuSign\w*", re.sub(r'"[^"]*"|//.*', "", text))

        assert set(sources) <= set(FUNCTIONS), name
        assert sources, name


@pytest.mark.parametrize("name", TILES)
def test_tile(verdicts: dict[str, dict[str, Verdict]], name: str) -> None:
    """A tile's title is a question, and what its picture names are columns of its query."""
    tile, columns = TILES[name], verdicts["full"][name].columns
    kinds = list(columns.values())

    assert re.fullmatch(r"[A-Z].*\?", tile["title"])
    assert set(named_columns(tile)) <= set(columns)
    if tile["visualization"] == "timechart":
        assert "datetime" == kinds[0]
        assert kinds.count("string") <= 1
        assert {"long", "real"} & set(kinds)


def named_columns(tile: Item) -> Iterator[str]:
    """The columns that a tile's settings name."""
    for settings in tile.get("mapSettings", {}), tile.get("mapSettings", {}).get("itemColorSettings", {}):
        names = ("latitude", "longitude", "sizeSettings", "labelSettings", "legendMetric", "nodeColorField")
        yield from (settings[name] for name in names if name in settings)
    for part in ("titleContent", "leftContent"):
        yield from [tile["tileSettings"][part]["columnMatch"]] if "tileSettings" in tile else []
    yield from (form["columnMatch"] for form in tile.get("gridSettings", {}).get("formatters", []))


def test_time_range_and_accounts_are_in_every_query_of_events() -> None:
    """No tile shows other days or other accounts than those that were chosen."""
    for name, tile in TILES.items():
        if re.search(r"DocuSignMonitor\s", tile["query"]):
            assert "| where EventTime {TimeRange}" in tile["query"], name
            assert "AccountId in~ ({Accounts})" in tile["query"], name
        elif "DocuSignMonitorHealth" in tile["query"]:
            assert "| where TimeGenerated {TimeRange}" in tile["query"], name


def test_time_context_is_longer_than_any_time_range() -> None:
    """Old events that arrived late, and names from the directory, are older or younger than the chosen range."""
    ranges = [value["durationMs"] for value in PARAMETERS["TimeRange"]["typeSettings"]["selectableValues"]]

    assert {max(ranges)} == {tile["timeContext"]["durationMs"] for tile in TILES.values()}


def test_tabs() -> None:
    """Each tab shows one group, and the groups are what the workbook is about."""
    links = [link["subTarget"] for item in items() if item["type"] == 11 for link in item["content"]["links"]]
    groups = [item["conditionalVisibility"]["value"] for item in items() if item["type"] == 12]

    expected = ["overview", "sign-ins", "administration", "agreements", "exports", "alerts", "health"]
    assert expected == links
    assert expected == groups


def test_sign_ins_are_on_a_map() -> None:
    """The sign-ins tab has a map by latitude and longitude."""
    assert "map" == TILES["map"]["visualization"]
    assert "LatLong" == TILES["map"]["mapSettings"]["locInfo"]


def test_form() -> None:
    """It is an Azure Workbook with the two filters, its names and titles unique, and All chosen at first."""
    names = [item["name"] for item in items()]
    titles = [tile["title"] for tile in TILES.values()]

    assert "Notebook/1.0" == WORKBOOK["version"]
    assert {"TimeRange", "Accounts"} == set(PARAMETERS)
    assert ["value::all"] == PARAMETERS["Accounts"]["value"]
    assert "*" == PARAMETERS["Accounts"]["typeSettings"]["selectAllValue"]
    assert len(names) == len(set(names))
    assert len(titles) == len(set(titles))


def test_every_query_is_among_the_contents() -> None:
    """What checks all content finds every query of the workbook."""
    known = {other.name for other in other_queries() if other.name.startswith("workbooks/")}

    assert {f"workbooks/{PATH.name} {name}:query" for name in QUERIES} == known
