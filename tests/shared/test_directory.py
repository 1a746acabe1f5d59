"""The sweep: what changed, what is gone, and where it goes on."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.directory import COMPLETE, CONTINUES, UNREADABLE, Sweep, SweepFigures
from shared.directory_state import State, state_from_json
from shared.docusign.directory import Account, OutOfCalls, Row
from shared.errors import ServiceUnavailable
from shared.ingestion.api import BatchRefused
from shared.ingestion.columns import ACCOUNT_FIELDS, USER_FIELDS, Kind
from shared.lenient_json import loads
from tests.support import RecordingIngestion

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)


class Directory:
    """Accounts with users, changed by the test; may run out of calls."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.calls = 0
        self.content = {"a1": {"u1": "Ann", "u2": "Bea"}, "a2": {"u1": "Ann"}}
        self.most_accounts = 99
        self.failing = ""

    def accounts(self, organization_id: str | None) -> list[Account]:
        """Give the accounts."""
        return [Account(name, f"Account {name}", organization_id or "org") for name in self.content]

    def users(self, account: Account) -> list[Row]:
        """Give the users of one account."""
        if account.id == self.failing:
            raise ServiceUnavailable("down")
        if self.calls >= self.most_accounts:
            raise OutOfCalls("the calls are left to other apps")
        self.calls += 1
        return [
            {"userId": user, "accountId": account.id, "userName": name, "email": f"{name}@x"}
            for user, name in self.content[account.id].items()
        ]


class Box:
    """Keeps the state as it is written."""

    def __init__(self) -> None:
        self.content: bytes = State().to_json()

    def read(self) -> State | None:
        """Give the state."""
        return state_from_json(self.content)

    def save(self, state: State) -> None:
        """Keep the state."""
        self.content = state.to_json()


class World:
    """One organization and its workspace, swept as often as the test likes."""

    def __init__(self) -> None:
        self.source, self.box, self.now = Directory(), Box(), NOW
        self.road = RecordingIngestion()

    def sweep(self, hours: float = 6.0) -> SweepFigures:
        """Sweep so many hours later, and give the figures."""
        self.now += timedelta(hours=hours)
        self.road.posts.clear()
        self.source.calls = 0
        sweep = Sweep(self.source, self.road, "DocuSignMonitor", self.box, lambda: None, now=lambda: self.now)
        sweep.run(None)
        return sweep.figures

    def sent(self, table: str = "Users") -> list[dict[str, Any]]:
        """Give the rows of the last sweep."""
        return [loads(row.body) for name, rows, _ in self.road.posts if name.endswith(table) for row in rows]

    def names(self) -> set[tuple[str, str, bool]]:
        """Give account, user and deletion of the users' rows of the last sweep."""
        return {(row["accountId"], row["userId"], row["deleted"]) for row in self.sent()}


@pytest.fixture
def world() -> World:
    """Give a world after its first sweep."""
    found = World()
    found.sweep()
    return found


def test_the_first_sweep_sends_everything() -> None:
    """Every account and user is a row of its table, with the sweep's id, and no time field."""
    world = World()
    figures = world.sweep()

    assert (COMPLETE, True, 2, 3, 5, 0) == (
        figures.outcome,
        figures.full,
        figures.accounts,
        figures.users,
        figures.rows,
        figures.deleted,
    )
    assert {("a1", "u1", False), ("a1", "u2", False), ("a2", "u1", False)} == world.names()
    assert {"DocuSignMonitorUsers", "DocuSignMonitorAccounts"} == {post[0] for post in world.road.posts}
    assert {None} == {post[2] for post in world.road.posts}
    assert {figures.sweepId} == {row["sweepId"] for row in world.sent()}


def test_only_what_changed_is_sent(world: World) -> None:
    """The next sweep sends a changed row and a new one."""
    quiet = world.sweep()
    world.source.content["a1"] |= {"u2": "Beatrice", "u3": "Cid"}
    figures = world.sweep()

    assert (0, False) == (quiet.rows, quiet.full)
    assert {("a1", "u2", False), ("a1", "u3", False)} == world.names()
    assert (2, 4) == (figures.rows, figures.users)


def test_what_is_gone_is_a_row_with_its_names(world: World) -> None:
    """A deleted user and a closed account are told once, with the names that they had."""
    del world.source.content["a2"]
    del world.source.content["a1"]["u2"]
    figures = world.sweep()
    rows = world.sent()
    accounts = world.sent("Accounts")
    again = world.sweep()

    assert {("a1", "u2", True), ("a2", "u1", True)} == {
        (r["accountId"], r["userId"], r["deleted"]) for r in rows
    }
    assert {"Bea", "Ann"} == {row["userName"] for row in rows}
    assert [("a2", "Account a2", True)] == [
        (r["accountId"], r["accountName"], r["deleted"]) for r in accounts
    ]
    assert (3, 0) == (figures.deleted, again.deleted)


def test_one_full_sweep_a_day(world: World) -> None:
    """Every fourth sweep of six hours sends all rows."""
    full = [world.sweep().full for _ in range(8)]

    assert [False, False, False, True] * 2 == full


def test_a_sweep_that_stops_early_goes_on(world: World) -> None:
    """The accounts that are done are not asked again; nothing is gone before the sweep is complete."""
    world.source.content = {"a1": {"u1": "Ann"}, "a2": {"u1": "Anna"}, "a3": {"u9": "Zoe"}}
    world.source.most_accounts = 1
    first = world.sweep()
    early = world.names()
    world.source.most_accounts = 2
    second = world.sweep()

    assert (CONTINUES, set(), 0) == (first.outcome, early, first.deleted)
    assert "stops early" in first.notes[0]
    assert (COMPLETE, 2) == (second.outcome, second.calls)
    assert first.sweepId == second.sweepId
    assert {("a2", "u1", False), ("a3", "u9", False), ("a1", "u2", True)} == world.names()


def test_a_sweep_that_fails_keeps_what_is_done(world: World) -> None:
    """After a failure in the second account the first one is not asked again."""
    world.source.failing = "a2"
    with pytest.raises(ServiceUnavailable):
        world.sweep()
    world.source.failing = ""
    figures = world.sweep()

    assert (COMPLETE, 1) == (figures.outcome, figures.calls)


def test_a_sweep_that_is_out_of_date_begins_again(world: World) -> None:
    """After a day the accounts of the unfinished sweep are read again."""
    world.source.most_accounts = 1
    first = world.sweep()
    world.source.most_accounts = 9
    figures = world.sweep(hours=25)

    assert first.sweepId != figures.sweepId
    assert (2, True) == (figures.calls, figures.full)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"version":2}'])
def test_an_unreadable_state_is_a_full_sweep(world: World, content: bytes) -> None:
    """It is told, and nothing counts as gone."""
    world.box.content = content
    figures = world.sweep()

    assert (COMPLETE, True, 5, 0, [UNREADABLE]) == (
        figures.outcome,
        figures.full,
        figures.rows,
        figures.deleted,
        figures.notes,
    )


def test_a_row_that_is_refused_is_told_and_tried_again(world: World) -> None:
    """Halving finds it; the others are taken; the next sweep sends it once more."""

    class Picky(RecordingIngestion):
        def post(self, table: str, rows: Any, time_field: str | None) -> None:
            if any(b"Bea" in row.body for row in rows):
                raise BatchRefused(400, "the workspace refuses the record's format")
            super().post(table, rows, time_field)

    fresh = World()
    fresh.road = Picky()
    figures = fresh.sweep()
    fresh.road = RecordingIngestion()
    later = fresh.sweep()

    assert (1, 4, COMPLETE) == (figures.refused, figures.rows, figures.outcome)
    assert "A row of DocuSignMonitorUsers was refused" in figures.notes[0]
    assert ({("a1", "u2", False)}, 1) == (fresh.names(), later.rows)


def test_rows_have_the_fields_of_their_tables() -> None:
    """No row has a field that its table does not know, and flags are flags."""
    world = World()
    world.sweep()
    users, accounts = ({f.name: f.kind for f in fields} for fields in (USER_FIELDS, ACCOUNT_FIELDS))

    assert all(row.keys() <= users.keys() for row in world.sent())
    assert all(row.keys() <= accounts.keys() for row in world.sent("Accounts"))
    assert (Kind.FLAG, Kind.FLAG) == (users["deleted"], accounts["isDefault"])
