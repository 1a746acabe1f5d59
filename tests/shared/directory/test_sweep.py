"""The sweep: what changed, what is gone, where it goes on, and who cannot hold it up."""

import json
from typing import Any

import pytest

from shared.directory.figures import COMPLETE, CONTINUES, SweepFigures
from shared.directory.sweep import UNREADABLE
from shared.errors import ConnectorError, DocuSignRefused, IngestionRefused, ServiceUnavailable
from shared.ingestion.api import BatchRefused
from shared.ingestion.columns import ACCOUNT_FIELDS, USER_FIELDS, Kind
from shared.owner import Owner
from tests.shared.directory.world import Killed, Workspace, World

LOW = {"x-ratelimit-remaining": "1000", "x-ratelimit-limit": "3000"}


@pytest.fixture
def world() -> World:
    """Give a world after its first sweep."""
    found = World()
    found.sweep()
    return found


def big(accounts: dict[str, int]) -> World:
    """Give a world whose accounts have so many users, known by both lists, at a second an answer."""
    world = World()
    world.docusign.members = {
        name: {f"u{number}": "x" for number in range(count)} for name, count in accounts.items()
    }
    world.docusign.details = {name: dict(users) for name, users in world.docusign.members.items()}
    world.docusign.seconds = 1.0
    return world


def low_after_three_lists(world: World) -> None:
    """Say from the fifth request of a run on that the hour's calls run low."""
    world.docusign.headers = LOW if len(world.docusign.requests) == 5 else {}


class TestWhatIsSent:
    """Which rows go to the workspace."""

    def test_the_first_sweep_sends_everything(self) -> None:
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
        assert {"DocuSignMonitorUsers", "DocuSignMonitorAccounts"} == {
            post[0] for post in world.workspace.posts
        }
        assert {None} == {post[2] for post in world.workspace.posts}
        assert {figures.sweepId} == {row["sweepId"] for row in world.sent()}

    def test_only_what_changed_is_sent(self, world: World) -> None:
        """The next sweep sends a changed row and a new one."""
        quiet = world.sweep()
        world.docusign.members["a1"] |= {"u2": "Beatrice", "u3": "Cid"}
        figures = world.sweep()

        assert (0, False) == (quiet.rows, quiet.full)
        assert {("a1", "u2", False), ("a1", "u3", False)} == world.names()
        assert (2, 4) == (figures.rows, figures.users)

    def test_one_full_sweep_a_day(self, world: World) -> None:
        """Every fourth sweep of six hours sends all rows."""
        full = [world.sweep().full for _ in range(8)]

        assert [False, False, False, True] * 2 == full

    def test_rows_have_the_fields_of_their_tables(self) -> None:
        """No row has a field that its table does not know, and flags are flags."""
        world = World()
        world.sweep()
        users, accounts = ({f.name: f.kind for f in fields} for fields in (USER_FIELDS, ACCOUNT_FIELDS))

        assert all(row.keys() <= users.keys() for row in world.sent())
        assert all(row.keys() <= accounts.keys() for row in world.sent("Accounts"))
        assert (Kind.FLAG, Kind.FLAG) == (users["deleted"], accounts["isDefault"])

    def test_both_lists_make_one_row(self) -> None:
        """A user of both lists has one row with both halves; one that only the details know has one too."""
        world = big({"a1": 3})
        world.docusign.details["a1"] = {"u0": "x", "pending": "Paul"}
        world.sweep()
        world.sweep(hours=24)
        rows = {row["userId"]: row for row in world.sent()}

        assert ["pending", "u0", "u1", "u2"] == sorted(row["userId"] for row in world.sent())
        assert (False, "x@x") == (rows["u0"]["isAdmin"], rows["u0"]["email"])
        assert "isAdmin" not in rows["u1"]
        assert "Paul" == rows["pending"]["userName"]

    def test_rows_that_are_refused_are_told_and_tried_again(self) -> None:
        """Halving finds them; the others are taken; the next sweep sends them once more."""

        class Picky(Workspace):
            def post(self, table: str, rows: Any, time_field: str | None) -> None:
                if any(b"Bea" in row.body for row in rows):
                    raise BatchRefused(400, "the workspace refuses the record's format")
                super().post(table, rows, time_field)

        world = World()
        world.workspace = Picky(world.steps)
        figures = world.sweep()
        world.workspace = Workspace(world.steps)
        later = world.sweep()

        assert (1, 4, COMPLETE) == (figures.refused, figures.rows, figures.outcome)
        assert [
            "DocuSignMonitorUsers takes not every row: the workspace refuses the record's format (rows: 1)"
        ] == figures.told()
        assert ({("a1", "u2", False)}, 1) == (world.names(), later.rows)

    def test_a_page_that_is_refused_whole_fails_the_run(self) -> None:
        """What refuses every record alike is no record's fault: the run is red, and the page comes again."""

        class Closed(Workspace):
            def post(self, table: str, rows: Any, time_field: str | None) -> None:
                if table.endswith("Users"):
                    raise BatchRefused(400, "no")
                super().post(table, rows, time_field)

        world = big({"a1": 600})
        world.workspace = Closed(world.steps)
        with pytest.raises(IngestionRefused, match="refused alike"):
            world.sweep()
        world.workspace = Workspace(world.steps)
        figures = world.sweep()

        assert (COMPLETE, 600) == (figures.outcome, len(world.workspace.users))


class TestWhoIsGone:
    """Deletions: after two complete sweeps, and never by a list that cannot be believed."""

    def test_after_two_sweeps_with_the_names_that_it_had(self, world: World) -> None:
        """A user and an account are told once."""
        del world.docusign.members["a2"]
        del world.docusign.members["a1"]["u2"]
        first = world.sweep()
        early = world.names()
        second = world.sweep()
        rows, accounts = world.sent(), world.sent("Accounts")
        third = world.sweep()

        assert (0, set()) == (first.deleted, early)
        assert {("a1", "u2", True), ("a2", "u1", True)} == {
            (r["accountId"], r["userId"], r["deleted"]) for r in rows
        }
        assert {"Bea", "Ann"} == {row["userName"] for row in rows}
        assert [("a2", "Account a2", True)] == [
            (r["accountId"], r["accountName"], r["deleted"]) for r in accounts
        ]
        assert (3, 0) == (second.deleted, third.deleted)

    def test_who_comes_back_in_time_was_never_gone(self, world: World) -> None:
        """The count begins anew, for users and for accounts."""
        gone = world.docusign.members.pop("a2"), world.docusign.members["a1"].pop("u2")
        world.sweep()
        world.docusign.members["a2"], world.docusign.members["a1"]["u2"] = gone
        world.sweep()
        del world.docusign.members["a2"], world.docusign.members["a1"]["u2"]
        world.sweep()

        assert [] == world.workspace.gone

    def test_who_comes_back_later_is_sent_again(self, world: World) -> None:
        """The row says that it is there, though nothing else about it changed."""
        name = world.docusign.members["a1"].pop("u2")
        world.sweep()
        world.sweep()
        world.docusign.members["a1"]["u2"] = name
        world.sweep()

        assert {("a1", "u2", False)} == world.names()

    def test_a_list_that_slips_deletes_nobody(self) -> None:
        """A user leaves while the list is paged, so that the first one of the next page is passed over."""
        world = big({"a1": 600})
        world.sweep()
        left = world.docusign.members["a1"]

        def leave(url: str) -> None:
            if "start=250" in url:
                left.pop("u3", None)

        world.docusign.on_request = leave
        world.docusign.details = {}
        world.sweep()
        world.docusign.on_request = lambda _: None
        world.sweep()
        world.sweep()

        assert [("a1", "u3")] == [user for user, _ in world.workspace.gone]

    def test_an_empty_list_of_members_deletes_nobody(self, world: World) -> None:
        """It is told with each sweep, and the count of those who were missed already does not grow."""
        users = world.docusign.members["a1"]
        bea = users.pop("u2")
        world.sweep()
        world.docusign.members["a1"] = {}
        notes = [world.sweep().notes for _ in range(3)]
        world.docusign.members["a1"] = {**users, "u2": bea}
        world.sweep()

        assert [] == world.workspace.gone
        assert all("which is empty or cut short: none counts as deleted" in told[0] for told in notes)
        assert [1, 1, 1] == [len(told) for told in notes]

    def test_an_empty_list_of_accounts_deletes_nobody(self, world: World) -> None:
        """An organization without accounts, where it had some, is told and not believed."""
        accounts, world.docusign.members = world.docusign.members, {}
        figures = [world.sweep() for _ in range(3)]
        world.docusign.members = accounts
        world.sweep()

        assert [COMPLETE] * 3 == [one.outcome for one in figures]
        assert "The organization org lists no accounts" in figures[0].notes[0]
        assert [] == world.workspace.gone

    @pytest.mark.parametrize("how", ["refused", "no address", "empty"])
    def test_without_details_nobody_is_missed_by_them(self, how: str) -> None:
        """Users that only the eSignature list knows stay while it is not to be had."""
        world = big({"a1": 3})
        world.docusign.details["a1"] = {"u0": "x", "pending": "Paul"}
        world.sweep()
        if how == "refused":
            world.docusign.details_status["a1"] = 403
        if how != "refused":
            world.docusign.details = {"a1": {}} if how == "empty" else {}
        for _ in range(3):
            world.sweep()
        early = list(world.workspace.gone)
        world.docusign.details_status, world.docusign.details["a1"] = {}, {"u0": "x"}
        world.sweep()
        world.sweep()

        assert [] == early
        assert [("a1", "pending")] == [user for user, _ in world.workspace.gone]

    def test_a_deletion_that_is_refused_is_told_again(self, world: World) -> None:
        """The row about a user's end is tried with each sweep until the workspace takes it."""

        class Picky(Workspace):
            def post(self, table: str, rows: Any, time_field: str | None) -> None:
                if any(b'"deleted":true' in row.body for row in rows):
                    raise BatchRefused(400, "no")
                super().post(table, rows, time_field)

        del world.docusign.members["a1"]["u2"]
        world.sweep()
        world.workspace = Picky(world.steps)
        world.sweep()
        world.workspace = Workspace(world.steps)
        world.sweep()

        assert {("a1", "u2", True)} == world.names()


class TestSeveralRuns:
    """A sweep that one run cannot finish."""

    def test_the_next_run_goes_on_from_the_page(self) -> None:
        """When the hour's calls run low nothing is asked twice, and nobody is gone before the end."""
        world = big({"a1": 600, "a2": 1})
        world.sweep()
        full = [url for url in world.docusign.requests if "users" in url]
        again = big({"a1": 600, "a2": 1})
        again.docusign.on_request = lambda _: low_after_three_lists(again)
        asked: list[str] = []
        runs: list[SweepFigures] = []
        while not runs or runs[-1].outcome != COMPLETE:
            runs.append(again.sweep())
            asked += [url for url in again.docusign.requests if "users" in url]

        assert sorted(full) == sorted(asked)
        assert {(CONTINUES, 0)} == {(run.outcome, run.deleted) for run in runs[:-1]}
        assert all("stops early" in run.notes[0] for run in runs[:-1])
        assert (True, 601) == (len(runs) in (3, 4), len(again.workspace.users))

    def test_a_hundred_thousand_users_at_a_second_an_answer(self) -> None:
        """Each run brings more of them; no write is large; the accounts behind the big one come too."""
        world = big({"a1": 100_000, "a2": 10})
        runs: list[SweepFigures] = []
        while not runs or runs[-1].outcome != COMPLETE:
            runs.append(world.sweep())

            assert {COMPLETE, CONTINUES} >= {runs[-1].outcome}
            assert runs[-1].rows > 0

        assert 4 == len(runs)
        assert 100_010 == len(world.workspace.users)
        assert max(len(page) for pages in world.blobs.values() for page in pages) < 200_000
        assert world.box.largest < 1_000

    def test_a_sweep_of_days_is_not_begun_again(self) -> None:
        """With a page or two a run it still comes to its end, as the sweep that it was."""
        world = big({"a1": 3_000})
        world.run_seconds = 8.0
        runs = [world.sweep()]
        while runs[-1].outcome != COMPLETE:
            runs.append(world.sweep())

        assert 5 < len(runs) < 60
        assert 1 == len({run.sweepId for run in runs})

    def test_a_first_account_shows_users_from_the_first_run_on(self) -> None:
        """While the details are read its users are sent with what these say."""
        world = big({"a1": 3_000})
        world.run_seconds = 20.0
        figures = world.sweep()

        assert CONTINUES == figures.outcome
        assert len(world.workspace.users) >= 1_000

    def test_a_kill_at_any_step_is_gone_on_with(self) -> None:
        """Whatever the step at which the process dies: the next run ends with every user sent."""
        steps = big({"a1": 260, "a2": 1})
        steps.sweep()
        for step in range(1, steps.steps.count + 1):
            world = big({"a1": 260, "a2": 1})
            with pytest.raises(Killed):
                world.sweep(most_steps=step)
            figures = world.sweep()

            assert (COMPLETE, 261, []) == (figures.outcome, len(world.workspace.users), world.workspace.gone)

    def test_a_burst_is_waited_out(self) -> None:
        """When the burst's calls run low it waits the 30 s for which DocuSign counts them, and goes on."""
        world = big({"a1": 600})
        world.docusign.seconds = 0.0
        world.docusign.headers = {"x-burstlimit-remaining": "100", "x-burstlimit-limit": "500"}
        figures = world.sweep()

        assert COMPLETE == figures.outcome
        assert 30.0 in world.clock.slept

    def test_without_time_to_wait_for_a_burst_it_stops(self) -> None:
        """The next run goes on."""
        world = big({"a1": 600})
        world.run_seconds = 30.0
        world.docusign.headers = {"x-burstlimit-remaining": "100", "x-burstlimit-limit": "500"}
        figures = world.sweep()

        assert CONTINUES == figures.outcome
        assert "the run's time is used up" in figures.notes[0]
        assert 30.0 not in world.clock.slept


class TestAccountsThatFail:
    """No account holds up the others."""

    @pytest.mark.parametrize("status", [400, 401, 403, 404])
    def test_one_that_refuses_is_passed_over(self, status: int) -> None:
        """It is told, the others are read, and deletions among these are reported."""
        world = World()
        world.docusign.members = {"a1": {"u1": "Ann"}, "a2": {"u2": "Bea"}, "a3": {"u3": "Cid", "u4": "Dee"}}
        world.sweep()
        world.docusign.members_status["a2"] = status
        del world.docusign.members["a3"]["u4"]
        figures = world.sweep()
        world.sweep()
        world.docusign.members_status.clear()
        world.docusign.members["a2"]["u2"] = "Beatrice"
        world.sweep()

        assert COMPLETE == figures.outcome
        assert figures.notes[0].startswith("The users of the account a2 stay as they were: ")
        assert [("a3", "u4")] == [user for user, _ in world.workspace.gone]
        assert "Beatrice" == world.workspace.users["a2", "u2"]["userName"]

    def test_users_of_an_account_that_refuses_halfway_are_not_forgotten(self) -> None:
        """Those who were posted before the refusal are compared with the next sweep, and can be gone."""
        world = big({"a1": 600, "a2": 1})
        world.sweep()
        world.docusign.members["a1"] = {"new": "New", **world.docusign.members["a1"]}
        world.docusign.on_request = lambda url: (
            world.docusign.members_status.update({"a1": 403}) if "start=250" in url else None
        )
        refused = world.sweep()
        world.docusign.on_request = lambda _: None
        world.docusign.members_status.clear()
        del world.docusign.members["a1"]["new"]
        quiet = world.sweep()
        world.sweep()

        assert (COMPLETE, 1) == (refused.outcome, refused.rows)
        assert 0 == quiet.rows
        assert [("a1", "new")] == [user for user, _ in world.workspace.gone]

    def test_when_every_account_refuses_the_run_is_red(self, world: World) -> None:
        """That is no account's own trouble; the next run asks all of them again."""
        world.docusign.members_status = {"a1": 403, "a2": 403}
        for _ in range(2):
            with pytest.raises(DocuSignRefused, match=r"of no account: .*Organization Administrator"):
                world.sweep()
        world.docusign.members_status = {}
        figures = world.sweep()

        assert (COMPLETE, []) == (figures.outcome, world.workspace.gone)

    def test_one_that_fails_is_left_for_the_next_run(self) -> None:
        """After a minute the others are read, the run is red, and what came is not asked again."""
        world = big({"a1": 600, "a2": 1})
        world.docusign.members_status["a1"] = 503
        with pytest.raises(ServiceUnavailable, match="DocuSign failed"):
            world.sweep()
        figures = world.figures
        early = set(world.workspace.users)
        world.docusign.members_status.clear()
        last = world.sweep()

        assert ("a2", "u0") in early
        assert "The users of the account a1 do not come: " in figures.notes[0]
        assert (COMPLETE, []) == (last.outcome, [url for url in world.docusign.requests if "restapi" in url])
        assert 601 == len(world.workspace.users)

    def test_one_that_fails_for_a_day_is_passed_over(self, world: World) -> None:
        """The runs stay red, and the next sweep of the others does not wait any longer."""
        world.docusign.members_status["a1"] = 500
        first = json.loads(world.box.content)["complete"]["id"]
        for _ in range(5):
            with pytest.raises(ServiceUnavailable):
                world.sweep()
        last = json.loads(world.box.content)
        world.docusign.members_status.clear()
        figures = world.sweep()

        assert first != last["complete"]["id"]
        assert (COMPLETE, []) == (figures.outcome, world.workspace.gone)

    def test_when_docusign_is_down_not_every_account_is_waited_for(self) -> None:
        """After three accounts in a row the run ends."""
        world = big({f"a{number}": 1 for number in range(30)})
        world.docusign.members_status = dict.fromkeys(world.docusign.members, 503)
        with pytest.raises(ServiceUnavailable):
            world.sweep()

        assert 3 == len(world.figures.notes)
        assert sum(world.clock.slept) < 3 * 60 + 10

    def test_pages_in_a_circle_end(self) -> None:
        """An account whose pages go in a circle, also over two runs, fails, and the others are read."""
        world = big({"a1": 600, "a2": 1})
        world.docusign.circling = {"a1"}
        for _ in range(2):
            with pytest.raises(ServiceUnavailable, match="circle"):
                world.sweep()

        assert 1 == len([url for url in world.docusign.requests if "management" in url and "a1" in url])
        assert ("a2", "u0") in world.workspace.users


class TestStateThatDoesNotFit:
    """A full sweep, and nobody counts as gone."""

    @pytest.mark.parametrize("content", [b"", b"{}", b'{"version":1}'])
    def test_an_unreadable_one(self, world: World, content: bytes) -> None:
        """It is told."""
        world.box.content = content
        figures = world.sweep()

        assert (COMPLETE, True, 5, 0, [UNREADABLE]) == (
            figures.outcome,
            figures.full,
            figures.rows,
            figures.deleted,
            figures.notes,
        )

    def test_demo_never_meets_production(self, world: World) -> None:
        """Another environment's or user's state is begun anew: nobody of it is reported as deleted."""
        world.box.owner = Owner("demo", "user")
        world.docusign.members = {"demo": {"d1": "Dan"}}
        figures = [world.sweep() for _ in range(3)]

        assert (True, 2) == (figures[0].full, figures[0].rows)
        assert "is that of production, user user, and these settings are those of demo" in figures[0].notes[0]
        assert [[], []] == [one.notes for one in figures[1:]]
        assert [] == world.workspace.gone

    def test_a_journal_that_is_lost(self, world: World) -> None:
        """Its account's users are sent once more, and none is gone."""
        world.blobs.clear()
        del world.docusign.members["a1"]["u2"]
        world.sweep()
        names = world.names()
        world.sweep()

        assert {("a1", "u1", False), ("a2", "u1", False)} == names
        assert [] == world.workspace.gone

    def test_old_journals_go(self, world: World) -> None:
        """After a complete sweep there is one an account."""
        world.sweep()
        world.sweep()

        assert 2 == len(world.blobs)


class TestOddLists:
    """What an attack on the sweep found."""

    def test_rows_that_are_refused_again_hold_up_nobody(self) -> None:
        """Twelve rows refused among good ones are all that the next sweep posts: refused alike, they are no news."""
        world = World()
        names = {f"u{n:03}": "BAD" if n % 20 == 0 else "Ann" for n in range(240)}
        world.docusign.members = {"a1": dict(names), "a2": {"z": "Zoe"}}
        world.workspace.refuses = b"BAD"
        first = world.sweep()
        world.docusign.members["a2"]["new"] = "Noa"
        second = world.sweep()

        assert [(COMPLETE, 12), (COMPLETE, 12)] == [(f.outcome, f.refused) for f in (first, second)]
        assert ("a2", "new", False) in world.names()

    def test_an_account_without_calls_left_holds_up_no_other(self) -> None:
        """Calls are counted by account: the next one is asked, and comes first in the next run."""
        world = World()
        world.docusign.sizes = 250, 100
        world.docusign.members = {"a1": {f"u{n}": "Ann" for n in range(3000)}, "a2": {"z": "Zoe"}}

        def low(url: str) -> None:
            left = "900" if "a1" in url else "2900"
            world.docusign.headers = {"x-ratelimit-remaining": left, "x-ratelimit-limit": "3000"}

        world.docusign.on_request = low
        figures = world.sweep()

        assert CONTINUES == figures.outcome
        assert ("a2", "z", False) in world.names()
        assert ["a1"] == world.box.read().under_way.low  # type: ignore[union-attr]

    def test_pages_that_never_end(self) -> None:
        """Addresses that are always new, with nobody new behind them, are given up; the other account comes."""
        world = World()
        world.docusign.members = {"a1": {f"u{n}": "Ann" for n in range(10)}, "a2": {"z": "Zoe"}}
        world.docusign.endless = {"a1"}
        with pytest.raises(ConnectorError, match="go in a circle"):
            world.sweep()

        assert ("a2", "z", False) in world.names()
        assert len(world.docusign.requests) < 60

    @pytest.mark.parametrize("odd", ["short", "nameless"])
    def test_a_list_that_does_not_hold_what_it_says(self, odd: str) -> None:
        """Fewer users than the list says it has, or users without an id: nobody is missed by it, and it is told."""
        world = World()
        world.docusign.members = {"a1": {f"u{n}": "Ann" for n in range(6)}}
        world.sweep()
        setattr(world.docusign, odd, {"a1"})
        figures = [world.sweep() for _ in range(3)]

        assert [0, 0, 0] == [one.deleted for one in figures]
        assert any("empty or cut short" in note for note in figures[-1].notes)

    @pytest.mark.parametrize(
        "spelling",
        ["/management", "https://API.DocuSign.net/management", "https://api.docusign.net:443/management"],
    )
    def test_a_next_address_in_another_spelling(self, spelling: str) -> None:
        """A relative address, capital letters and the default port are the same host."""
        world = World()
        world.docusign.members = {"a1": {f"u{n}": "Ann" for n in range(6)}}
        world.docusign.spelling = spelling

        assert (COMPLETE, 6) == ((figures := world.sweep()).outcome, figures.users)

    def test_refused_details_delete_nobody_whom_they_knew(self) -> None:
        """Who leaves the members' list while details are refused is not judged by that list alone, at first."""
        world = World()
        both = {f"u{n}": "Ann" for n in range(3)}
        world.docusign.members, world.docusign.details = {"a1": dict(both)}, {"a1": dict(both)}
        world.sweep()
        del world.docusign.members["a1"]["u0"]
        world.docusign.details_status = {"a1": 403}
        deleted = [world.sweep().deleted for _ in range(4)]

        assert [0, 0, 1, 0] == deleted
