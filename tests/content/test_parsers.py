from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.content.harness import ACCOUNTS, EVENTS, HEALTH, USERS, Bench
from sandbox.workspace.kql import query

NOW = datetime(2026, 11, 18, 9, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
GUID = "7d444840-9dc0-41d1-b245-5ffdce74fad2"
FUNCTIONS = ["DocuSignMonitor", "DocuSignUsers", "DocuSignAccounts", "DocuSignMonitorHealth"]


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A workspace with the functions, and no table."""
    with Bench() as bench:
        yield bench


def rows(bench: Bench, text: str) -> list[dict[str, Any]]:
    """The rows of a query."""
    return query(bench.workspace, text, LATER).records()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_before_the_first_row(bench: Bench, function: str) -> None:
    """A function gives no rows, and no error, before its table exists."""
    assert [] == rows(bench, function)


def test_one_row_an_event(bench: Bench) -> None:
    """An event that is delivered again counts once, and arrived when its first copy did."""
    event = {"eventId": GUID, "timestamp": "2026-11-18T08:59:00Z", "object": "User"}
    bench.arrive([event, event], NOW)
    bench.arrive([event], LATER)

    assert [{"EventId": GUID, "IngestedAt": NOW}] == rows(
        bench, "DocuSignMonitor | project EventId, IngestedAt"
    )


def test_events_without_an_id_are_all_kept(bench: Bench) -> None:
    """Events that have no id are told apart by what they say."""
    bench.arrive([{"object": "User", "userId": name} for name in ("a", "b", "c")], NOW)

    assert ["a", "b", "c"] == [row["UserId"] for row in rows(bench, "DocuSignMonitor | sort by UserId asc")]


@pytest.mark.parametrize(
    ("column", "kind", "value", "text"),
    [
        ("result_s", "string", "Failed", "Failed"),
        ("result_g", "guid", GUID, GUID),
        ("result_t", "datetime", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.0000000Z"),
        ("result_d", "real", 1.5, "1.5"),
        ("result_b", "bool", True, "True"),
    ],
)
def test_any_suffix(bench: Bench, column: str, kind: str, value: object, text: str) -> None:
    """A value is found whatever suffix its column got."""
    bench.now = NOW
    bench.workspace.append(EVENTS, {column: kind}, [{column: value}])

    assert [{"Result": text}] == rows(bench, "DocuSignMonitor | project Result")


def test_an_identifier_in_two_columns(bench: Bench) -> None:
    """Users are found in `userId_g` and in `userId_s`, side by side."""
    bench.arrive([{"eventId": "1", "userId": GUID}, {"eventId": "2", "userId": "masked-xxxx"}], NOW)

    assert [GUID, "masked-xxxx"] == [
        row["UserId"] for row in rows(bench, "DocuSignMonitor | sort by EventId asc")
    ]


def test_the_time_of_a_backfill(bench: Bench) -> None:
    """The event's own time is kept where `TimeGenerated` is that of its arrival."""
    bench.arrive([{"eventId": GUID, "timestamp": "2026-11-01T00:00:00Z"}], NOW)

    row = rows(bench, "DocuSignMonitor")[0]
    assert (datetime(2026, 11, 1, tzinfo=UTC), NOW) == (row["EventTime"], row["TimeGenerated"])


def test_when_a_rule_can_see_it(bench: Bench) -> None:
    """An event counts as arrived when it is in, and five minutes old: rules run five minutes late."""
    prompt, late = NOW - timedelta(seconds=5), NOW - timedelta(minutes=9)
    bench.arrive([{"eventId": str(n), "timestamp": t.isoformat()} for n, t in enumerate((prompt, late))], NOW)

    found = [row["ArrivedAt"] for row in rows(bench, "DocuSignMonitor | sort by EventId asc")]
    assert [prompt + timedelta(minutes=5), NOW] == found


@pytest.mark.parametrize(
    ("event", "place"),
    [
        ({"city": "seattle", "country": "US"}, "seattle, united states"),
        ({"country": "united states"}, "united states"),
        ({}, "an unknown place"),
    ],
)
def test_place(bench: Bench, event: dict[str, str], place: str) -> None:
    """A place is spelled in one way, and Country is left as DocuSign sent it."""
    bench.arrive([{"eventId": GUID, **event}], NOW)

    row = rows(bench, "DocuSignMonitor")[0]
    assert (place, event.get("country", "")) == (row["Place"], row["Country"])


def test_nowhere_is_no_place(bench: Bench) -> None:
    """A latitude and longitude of 0 stand for an unknown place; a latitude of 0 alone is the equator."""
    places = [(0, 0), (0, 32.5)]
    bench.arrive([{"eventId": str(n), "latitude": a, "longitude": b} for n, (a, b) in enumerate(places)], NOW)

    found = [
        (row["Latitude"], row["Longitude"]) for row in rows(bench, "DocuSignMonitor | sort by EventId asc")
    ]
    assert [(None, None), (0.0, 32.5)] == found


def test_data_is_dynamic(bench: Bench) -> None:
    """What is nested can be read by its path."""
    bench.arrive([{"eventId": GUID, "data": {"EventIds": ["a", "b"]}, "traceToken": "t"}], NOW)
    text = "DocuSignMonitor | project Id = tostring(Data.EventIds[1]), Token = tostring(AdditionalFields.traceToken)"

    assert [{"Id": "b", "Token": "t"}] == rows(bench, text)


def test_users_latest_row(bench: Bench) -> None:
    """A user has the latest row of each account, and is marked when deleted."""
    user = {"userId": GUID, "accountId": "a", "email": "old@example.com", "isAdmin": True}
    bench.post(USERS, [user], NOW)
    bench.post(USERS, [user | {"email": "new@example.com", "deleted": True}], LATER)
    expected = {"UserId": GUID, "Email": "new@example.com", "IsAdmin": True, "Deleted": True}

    assert [expected] == rows(bench, "DocuSignUsers | project UserId, Email, IsAdmin, Deleted")


def test_accounts_latest_row(bench: Bench) -> None:
    """An account has its latest row, and is not deleted unless a row says so."""
    bench.post(ACCOUNTS, [{"accountId": GUID, "accountName": "Old"}], NOW)
    bench.post(ACCOUNTS, [{"accountId": GUID, "accountName": "New"}], LATER)
    expected = {"AccountName": "New", "Deleted": False, "IsDefault": False}

    assert [expected] == rows(bench, "DocuSignAccounts | project AccountName, Deleted, IsDefault")


def test_health(bench: Bench) -> None:
    """Each run of the connector is a row, numbers as numbers."""
    bench.post(HEALTH, [{"runId": GUID, "outcome": "failed", "lagSeconds": 12}], NOW)

    assert [{"Outcome": "failed", "LagSeconds": 12.0}] == rows(
        bench, "DocuSignMonitorHealth | project Outcome, LagSeconds"
    )


def test_health_by_lane(bench: Bench) -> None:
    """A row names its lane and organization; one of an older version is of the live lane."""
    sweep = {"runId": GUID, "outcome": "complete", "lane": "directory", "organizationId": GUID}
    bench.post(HEALTH, [{"runId": GUID, "outcome": "failed"}], NOW)
    bench.post(HEALTH, [sweep], LATER)

    assert [("live", ""), ("directory", GUID)] == [
        (row["Lane"], row["OrganizationId"])
        for row in rows(
            bench, "DocuSignMonitorHealth | sort by TimeGenerated asc | project Lane, OrganizationId"
        )
    ]
