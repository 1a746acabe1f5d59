"""The promise about users and accounts, whatever comes between: refusals, kills, runs that are too short.

Users and accounts come and go between runs; lists are refused, empty, or do not come; the process dies at any
step. Then all is well again for three sweeps, and the tables must tell what DocuSign says.

One gap is known: a page is posted before it is saved. Who is first shown by a page after which the process died,
and has left before the page is read again, is never reported as gone.
"""

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.directory.figures import COMPLETE
from shared.errors import ConnectorError
from tests.shared.directory.world import Killed, User, World

ACCOUNTS = ("a0", "a1", "a2")
PAGE = 2
USERS = ("u0", "u1", "u2", "u3", "u4")
ONLY_MEMBERS, ONLY_DETAILS = {"u2"}, {"u3", "u4"}
"""Who is in one list alone; nobody moves from one to the other, for that may be missed while both are read."""
ANCHOR = {"anchor": "Anchor"}
"""A user whom both lists of every account always have: an empty list is never believed."""


@dataclass(frozen=True)
class Run:
    """What one run meets."""

    users: dict[str, dict[str, str]]
    gone_accounts: frozenset[str] = frozenset()
    members_status: dict[str, int] = field(default_factory=dict)
    details_status: dict[str, int] = field(default_factory=dict)
    without_details: frozenset[str] = frozenset()
    empty: frozenset[str] = frozenset()
    most_steps: int = 0
    seconds: float = 480.0
    hours: float = 6.0

    def members(self, account: str) -> dict[str, str]:
        """Give the Admin API's list."""
        return ANCHOR | {user: name for user, name in self.users[account].items() if user not in ONLY_DETAILS}

    def details(self, account: str) -> dict[str, str]:
        """Give the eSignature API's list."""
        found = {user: name for user, name in self.users[account].items() if user not in ONLY_MEMBERS}
        return found | ANCHOR


NAMES = st.sampled_from(["", "", "Ann", "Bea"])
LISTS = st.fixed_dictionaries(
    {account: st.fixed_dictionaries(dict.fromkeys(USERS, NAMES)) for account in ACCOUNTS}
)
SOME = st.frozensets(st.sampled_from(ACCOUNTS), max_size=1)
STATUSES = st.dictionaries(st.sampled_from(ACCOUNTS), st.sampled_from([400, 401, 403, 404, 500]), max_size=2)
RUNS = st.builds(
    Run,
    users=LISTS,
    gone_accounts=SOME,
    members_status=STATUSES,
    details_status=STATUSES,
    without_details=SOME,
    empty=SOME,
    most_steps=st.one_of(st.just(0), st.integers(1, 60)),
    seconds=st.sampled_from([480.0, 480.0, 4.0, 6.0, 9.0]),
    hours=st.sampled_from([6.0, 6.0, 30.0]),
)


class Watched(World):
    """A world that knows who was there, and what was said of whom."""

    def __init__(self) -> None:
        super().__init__()
        self.docusign.sizes = PAGE, PAGE
        self.docusign.seconds = 0.3
        self.absent_runs: defaultdict[User, int] = defaultdict(int)
        self.told: defaultdict[User, list[dict[str, Any]]] = defaultdict(list)
        self.present: set[User] = set()
        self.unsaved: set[User] = set()

    def meet(self, run: Run) -> str:
        """Make one run under these conditions, and give its outcome."""
        listed = [account for account in run.users if account not in run.gone_accounts]
        self.docusign.members = {
            account: {} if account in run.empty else run.members(account) for account in listed
        }
        self.docusign.details = {
            account: {} if account in run.empty else run.details(account)
            for account in listed
            if account not in run.without_details
        }
        self.docusign.members_status, self.docusign.details_status = run.members_status, run.details_status
        self.run_seconds = run.seconds
        self._look(run)
        with suppress(ConnectorError):
            try:
                self.sweep(run.hours, most_steps=run.most_steps)
            except Killed:
                self.unsaved |= {(row["accountId"], row["userId"]) for row in self.sent()[-PAGE:]}
        for row in self.sent():
            self.told[row["accountId"], row["userId"]].append(row)
        return self.figures.outcome

    def _look(self, run: Run) -> None:
        for account in ACCOUNTS:
            for user, name in (ANCHOR | run.users[account]).items():
                is_there = bool(name) and account not in run.gone_accounts
                self.absent_runs[account, user] += not is_there
                (self.present.add if is_there else self.present.discard)((account, user))

    def check(self) -> None:
        """Nobody is reported as gone who was not absent, and nobody twice."""
        for user, rows in self.told.items():
            assert self.absent_runs[user] >= 2 or not any(row["deleted"] for row in rows)

            for before, after in pairwise(rows):
                if before["deleted"] and after["deleted"]:
                    assert before["sweepId"] == after["sweepId"]


@settings(max_examples=settings().max_examples // 4, deadline=None)
@given(runs=st.lists(RUNS, min_size=1, max_size=8), last=RUNS)
def test_the_tables_tell_what_docusign_says(runs: list[Run], last: Run) -> None:
    """Every present user's latest row says so and equals DocuSign's; everybody gone was reported, once."""
    world = Watched()
    for run in runs:
        world.meet(run)
        world.check()
    well = Run(last.users, last.gone_accounts)
    outcomes = [world.meet(well) for _ in range(5)][1:]  # the first one ends the sweep under way
    world.check()

    assert [COMPLETE] * 4 == outcomes
    for (account, user), rows in world.told.items():
        if (account, user) not in world.present:
            assert rows[-1]["deleted"] or (account, user) in world.unsaved
            continue
        name = (ANCHOR | well.users[account])[user]

        assert (False, name) == (rows[-1]["deleted"], rows[-1]["userName"])
        assert (user not in ONLY_DETAILS, user not in ONLY_MEMBERS) == (
            "email" in rows[-1],
            "isAdmin" in rows[-1],
        )
    assert world.present <= world.told.keys()
