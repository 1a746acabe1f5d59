"""An organization, its workspace and the state of its sweeps, swept as often as a test likes.

DocuSign is a transport of pages, the state is in memory, the rest is the connector's own. Everything that has an
effect outside of the process is a step, and the test may have the process die at any of them.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from shared.directory.account import Means
from shared.directory.calls import Calls
from shared.directory.figures import SweepFigures
from shared.directory.head import Head, head_from_json
from shared.directory.journal import Journal, Journals, Line
from shared.directory.source import Directory
from shared.directory.sweep import Sweep
from shared.directory.tables import Tables
from shared.docusign.answers import DIRECTORY_ANSWERS
from shared.docusign.client import DocuSignClient
from shared.docusign.monitor import Pace
from shared.ingestion.api import BatchRefused
from shared.ingestion.rows import EncodedRow
from shared.owner import Owner
from shared.retry import Retry
from shared.web import Answer, Request
from tests.shared.fakes import json_answer, signed_in
from tests.support import ManualClock, RecordingIngestion, make_budget

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
ADMIN, AUTH, BASE = "https://api.docusign.net", "https://account.docusign.com", "https://na3.docusign.net"
OWNER = Owner("production", "user")

User = tuple[str, str]
"""An account and one of its users."""


class Killed(BaseException):
    """The process is gone."""


class Steps:
    """Counts what has an effect outside, and ends the process at one of them."""

    def __init__(self) -> None:
        self.count = 0
        self.last = 0

    def __call__(self) -> None:
        """Make a step."""
        self.count += 1
        if self.count == self.last:
            raise Killed


class DocuSign:
    """The two lists of each account, as a transport.

    Attributes:
        members: The Admin API's users by account: name by id; without a name it is gone, and its place is kept.
        details: The eSignature API's; an account that is not there has no address.
        members_status, details_status: Statuses in place of an account's list.
        circling: Accounts whose every page names the first one as the next.
        endless: Accounts whose pages go on for ever, with nobody behind the last user.
        short: Accounts whose list says that it has one user more than come.
        nameless: Accounts whose list has its last user without an id.
        spelling: How a next address begins.
        headers: Of every answer.
        seconds: What an answer takes.
        on_request: Called before each answer.
    """

    def __init__(self, clock: ManualClock) -> None:
        self.members: dict[str, dict[str, str]] = {}
        self.details: dict[str, dict[str, str]] = {}
        self.members_status: dict[str, int] = {}
        self.details_status: dict[str, int] = {}
        self.circling: set[str] = set()
        self.endless: set[str] = set()
        self.short: set[str] = set()
        self.nameless: set[str] = set()
        self.spelling = f"{ADMIN}/management"
        self.headers: dict[str, str] = {}
        self.seconds = 0.0
        self.sizes = 250, 100
        self.requests: list[str] = []
        self.on_request: Callable[[str], object] = lambda _: None
        self._clock = clock

    def __call__(self, request: Request) -> Answer:
        """Answer one request."""
        self._clock.now += self.seconds
        self.requests.append(request.url)
        self.on_request(request.url)
        parts = urlsplit(request.url)
        query = dict(parse_qsl(parts.query))
        if parts.path == "/oauth/userinfo":
            own = [{"account_id": name, "base_uri": BASE} for name in self.details]
            return json_answer(200, {"accounts": own})
        if parts.path == "/management/v2/organizations":
            accounts = [{"id": name, "name": f"Account {name}"} for name in self.members]
            return json_answer(200, {"organizations": [{"id": "org", "accounts": accounts}]}, self.headers)
        if parts.path.startswith("/management"):
            return self._members(query)
        return self._details(parts.path.split("/")[4], query)

    def _members(self, query: dict[str, str]) -> Answer:
        account, start, size = query["account_id"], int(query["start"]), self.sizes[0]
        if status := self.members_status.get(account):
            return json_answer(status, {"error": "no"})
        users = list(islice(self.members[account].items(), start, start + size))
        found = [{"id": user, "user_name": name, "email": f"{name}@x"} for user, name in users if name]
        if account in self.nameless:
            found[-1] |= {"id": ""}
        paging: dict[str, Any] = {}
        if account in self.short:
            found, paging = found[:-1], {"total_set_size": len(self.members[account])}
        following = 0 if account in self.circling else start + size
        if following < len(self.members[account]) or account in self.endless:
            address = f"{self.spelling}/v2/organizations/org/users?account_id={account}"
            paging["next"] = f"{address}&start={following}"
        return json_answer(200, {"users": found, "paging": paging}, self.headers)

    def _details(self, account: str, query: dict[str, str]) -> Answer:
        start, size = int(query["start_position"]), self.sizes[1]
        if status := self.details_status.get(account):
            return json_answer(status, {"errorCode": "USER_LACKS_PERMISSIONS"})
        users = list(islice(self.details[account].items(), start, start + size))
        found = [{"userId": user, "userName": name, "isAdmin": "False"} for user, name in users if name]
        answer: dict[str, Any] = {"users": found}
        if start + size < len(self.details[account]):
            answer["nextUri"] = f"/accounts/{account}/users?start_position={start + size}"
        return json_answer(200, answer, self.headers)


class MemoryJournal(Journal):
    """A journal in memory."""

    def __init__(self, blobs: dict[str, list[bytes]], name: str, steps: Steps) -> None:
        self.name = name
        self._blobs = blobs
        self._steps = steps

    def lines(self) -> Iterator[Line]:
        """Give the lines."""
        for page in self._blobs.get(self.name, ()):
            yield from map(json.loads, page.splitlines())

    def append(self, lines: Iterable[Line]) -> None:
        """Keep the lines."""
        content = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        self._steps()
        self._blobs.setdefault(self.name, []).append(content)
        self._steps()


class MemoryJournals(Journals):
    """Journals in memory."""

    def __init__(self, blobs: dict[str, list[bytes]], steps: Steps) -> None:
        self._blobs = blobs
        self._steps = steps

    def open(self, account: str, sweep: str) -> Journal:
        """Give a journal."""
        return MemoryJournal(self._blobs, f"{account}/{sweep}", self._steps)

    def keep_only(self, kept: Iterable[tuple[str, str]]) -> None:
        """Delete the others."""
        names = {f"{account}/{sweep}" for account, sweep in kept}
        for name in self._blobs.keys() - names:
            self._steps()
            del self._blobs[name]


class Box:
    """Keeps the head as it is written."""

    def __init__(self, steps: Steps) -> None:
        self.owner = OWNER
        self.content = Head(OWNER).to_json()
        self.largest = 0
        self._steps = steps

    def read(self) -> Head | None:
        """Give the head."""
        return head_from_json(self.content)

    def save(self, head: Head) -> None:
        """Keep the head."""
        self._steps()
        self.content = head.to_json()
        self.largest = max(self.largest, len(self.content))
        self._steps()


class Workspace(RecordingIngestion):
    """Takes rows, and knows the latest one of each user."""

    def __init__(self, steps: Steps) -> None:
        super().__init__()
        self.users: dict[User, dict[str, Any]] = {}
        self.gone: list[tuple[User, str]] = []
        self.refuses = b""
        self._steps = steps

    def post(self, table: str, rows: Sequence[EncodedRow], time_field: str | None) -> None:
        """Take a batch, unless one of its rows holds what is refused."""
        self._steps()
        if self.refuses and any(self.refuses in row.body for row in rows):
            raise BatchRefused(400, "the workspace refuses the record's format", code="InvalidDataFormat")
        super().post(table, rows, time_field)
        for row in (json.loads(row.body) for row in rows if table.endswith("Users")):
            key = row["accountId"], row["userId"]
            self.users[key] = row
            if row["deleted"]:
                self.gone.append((key, row["sweepId"]))
        self._steps()


class World:
    """One organization and its workspace."""

    def __init__(self) -> None:
        self.now = NOW
        self.clock = ManualClock()
        self.steps = Steps()
        self.docusign = DocuSign(self.clock)
        self.docusign.members = {"a1": {"u1": "Ann", "u2": "Bea"}, "a2": {"u1": "Ann"}}
        self.workspace = Workspace(self.steps)
        self.blobs: dict[str, list[bytes]] = {}
        self.box = Box(self.steps)
        self.run_seconds = 480.0
        self.figures = SweepFigures()

    def sweep(self, hours: float = 6.0, *, most_steps: int = 0) -> SweepFigures:
        """Make one run so many hours later, and give its figures; it may die at one of its steps."""
        self.now += timedelta(hours=hours)
        self.workspace.posts.clear()
        self.docusign.requests.clear()
        self.steps.count, self.steps.last = 0, most_steps
        self.figures = SweepFigures()
        started, at = self.now, self.clock()
        Sweep(self._means(), self.box, now=lambda: started + timedelta(seconds=self.clock() - at)).run(None)
        return self.figures

    def _means(self) -> Means:
        budget = make_budget(self.clock, self.run_seconds)
        client = DocuSignClient(signed_in(), self.docusign, Retry(budget, patience=60.0), DIRECTORY_ANSWERS)
        calls = Calls(client, Pace(0.2, budget.sleep, budget.clock), budget)
        tables = Tables(self.workspace, "DocuSignMonitor", lambda: None, budget, self.figures)
        journals = MemoryJournals(self.blobs, self.steps)
        return Means(Directory(calls, ADMIN, AUTH), tables, journals, self.figures)

    def sent(self, table: str = "Users") -> list[dict[str, Any]]:
        """Give the rows of the last run."""
        posts = [rows for name, rows, _ in self.workspace.posts if name.endswith(table)]
        return [json.loads(row.body) for rows in posts for row in rows]

    def names(self) -> set[tuple[str, str, bool]]:
        """Give account, user and deletion of the users' rows of the last run."""
        return {(row["accountId"], row["userId"], row["deleted"]) for row in self.sent()}
