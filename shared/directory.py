"""The sweep: the organization's accounts and users into their tables, those that changed and those that are gone.

::

    complete    a1 a2 a3 | u1 u2 u3      rows of the last complete sweep, by hash
    present     a1 a2    | u1 u2'        changed: u2'        once every account is done, gone: a3, u3

A sweep that must stop early goes on next time with the accounts that are not done. Nothing is reported as gone
before a sweep is complete. A row that is sent twice does no harm: the parsers take the latest of each key.
"""

import hashlib
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from shared import lenient_json
from shared.directory_state import Seen, Snapshot, State
from shared.docusign.directory import Account, OutOfCalls, Row
from shared.ingestion.api import BatchRefused, Ingestion
from shared.ingestion.batches import batches
from shared.ingestion.rows import EncodedRow
from shared.timestamps import iso_utc, parse

COMPLETE, CONTINUES, FAILED = "complete", "continues", "failed"
FULL_EVERY = timedelta(hours=23)
"""One full sweep a day, though a timer may be some minutes early."""
STALE = timedelta(hours=24)
"""A sweep that is under way for longer begins again: its first accounts are out of date."""
UNREADABLE = "The state of the last sweep is unreadable or of another version: this sweep is a full one"


class Source(Protocol):
    """Where accounts and users come from."""

    notes: list[str]
    calls: int

    def accounts(self, organization_id: str | None) -> list[Account]:
        """The accounts."""

    def users(self, account: Account) -> list[Row]:
        """An account's users as rows."""


class Box(Protocol):
    """Where the state is kept."""

    def read(self) -> State | None:
        """The state, or None when it is unreadable."""

    def save(self, state: State) -> None:
        """Return once the state is saved."""


@dataclass
class SweepFigures:
    """The figures of one run of the directory's timer."""

    sweepId: str = ""  # noqa: N815 - the table's column
    outcome: str = FAILED
    full: bool = False
    accounts: int = 0
    users: int = 0
    rows: int = 0
    deleted: int = 0
    refused: int = 0
    calls: int = 0
    notes: list[str] = field(default_factory=list)

    def line(self) -> dict[str, Any]:
        """The figures for the log line; an empty list of notes is left out."""
        return {name: value for name, value in asdict(self).items() if value not in ("", [])}


class Sweep:
    """One run of the directory's timer.

    Args:
        source: DocuSign's side.
        ingestion: The road into the workspace.
        log_type: The tables are `<log_type>Users` and `<log_type>Accounts`.
        box: Keeps the state.
        may_ship: Called before every post; raises when this run may ship no more.
        now: The time.
    """

    def __init__(
        self,
        source: Source,
        ingestion: Ingestion,
        log_type: str,
        box: Box,
        may_ship: Callable[[], None],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._source = source
        self._ingestion = ingestion
        self._log_type = log_type
        self._box = box
        self._may_ship = may_ship
        self._now = now
        self._state = State()
        self.figures = SweepFigures()

    def run(self, organization_id: str | None) -> None:
        """Take up the sweep that is under way, or begin one; carry it as far as the calls go.

        Raises:
            ConnectorError: It failed; the accounts that are done stay done.
        """
        self._state = self._read()
        self._begin()
        self._remember()
        try:
            accounts = self._source.accounts(organization_id)
            self._take_accounts(accounts)
            for account in accounts:
                if account.id not in self._present.done:
                    self._take_users(account)
            self._finish({account.id for account in accounts})
        except OutOfCalls as reason:
            self.figures.outcome = CONTINUES
            self.figures.notes.append(f"The sweep stops early, {reason}; the next one goes on from here")
        finally:
            self.figures.calls = self._source.calls
            self.figures.notes += self._source.notes

    @property
    def _present(self) -> Snapshot:
        return self._state.present

    def _read(self) -> State:
        state = self._box.read()
        if state is None:
            self.figures.notes.append(UNREADABLE)
        return state or State()

    def _begin(self) -> None:
        """Begin a new sweep unless one is under way."""
        now, state = self._now(), self._state
        if state.present.sweep_id and _age(state.present.started_at, now) < STALE:
            return
        full = _age(state.full_at, now) >= FULL_EVERY
        state.present = Snapshot(str(uuid.uuid4()), iso_utc(now), full=full)

    def _remember(self) -> None:
        self.figures.sweepId, self.figures.full = self._present.sweep_id, self._present.full

    def _take_accounts(self, accounts: Sequence[Account]) -> None:
        rows = {account.id: account.row() for account in accounts}
        sent = self._send("Accounts", rows, self._state.complete.accounts)
        self._present.accounts = {key: [sent[key], rows[key].get("accountName", "")] for key in sent}
        self.figures.accounts = len(rows)

    def _take_users(self, account: Account) -> None:
        rows = {f"{account.id}/{row['userId']}": row for row in self._source.users(account)}
        sent = self._send("Users", rows, self._state.complete.users)
        names = {key: [rows[key].get("userName", ""), rows[key].get("email", "")] for key in sent}
        self._present.users |= {key: [sent[key], *names[key]] for key in sent}
        self._present.done.append(account.id)
        self.figures.users += len(rows)
        self._box.save(self._state)

    def _send(self, table: str, rows: dict[str, Row], before: Seen) -> dict[str, str]:
        """Post the rows that changed; every row's hash, but none for a row that the workspace refused."""
        hashes = {key: _hash(row) for key, row in rows.items()}
        changed = [key for key in rows if self._present.full or (before.get(key) or [""])[0] != hashes[key]]
        refused = self._post(table, {key: rows[key] for key in changed})
        return {key: value if key not in refused else "" for key, value in hashes.items()}

    def _finish(self, present: set[str]) -> None:
        """Report what is gone, and make this sweep the complete one."""
        state, users = self._state, self._present.users
        for key in [key for key in users if key.partition("/")[0] not in present]:
            del users[key]
        gone = {
            key: _gone_user(key, entry) for key, entry in state.complete.users.items() if key not in users
        }
        closed = {
            key: _filled({"accountId": key, "accountName": "".join(entry[1:2])})
            for key, entry in state.complete.accounts.items()
            if key not in self._present.accounts
        }
        self._post("Users", gone, deleted=True)
        self._post("Accounts", closed, deleted=True)
        self.figures.deleted = len(gone) + len(closed)
        if self._present.full:
            state.full_at = self._present.started_at
        state.complete, state.present = self._present, Snapshot()
        self._box.save(state)
        self.figures.outcome = COMPLETE

    def _post(self, table: str, rows: dict[str, Row], *, deleted: bool = False) -> set[str]:
        """Post rows; the keys of those that the workspace refused, which are told and tried again next time."""
        stamp = {"sweepId": self._present.sweep_id, "deleted": deleted}
        encoded = [EncodedRow(lenient_json.dumps(row | stamp), key) for key, row in rows.items()]
        refused: set[str] = set()
        for batch in batches(encoded, self._ingestion.batch_limit):
            refused |= self._post_batch(self._log_type + table, batch)
        self.figures.rows += len(rows) - len(refused)
        self.figures.refused += len(refused)
        return refused

    def _post_batch(self, table: str, batch: Sequence[EncodedRow]) -> set[str]:
        self._may_ship()
        try:
            self._ingestion.post(table, batch, None)
        except BatchRefused as refusal:
            if len(batch) == 1:
                self.figures.notes.append(f"A row of {table} was refused: {refusal.sentence}")
                return {str(batch[0].event)}
            middle = len(batch) // 2
            return self._post_batch(table, batch[:middle]) | self._post_batch(table, batch[middle:])
        return set()


def _age(started: str, now: datetime) -> timedelta:
    """How long ago; for ever when there is no such time."""
    moment = parse(started)
    return timedelta.max if moment is None else now - moment


def _hash(row: Row) -> str:
    return hashlib.sha256(lenient_json.dumps(sorted(row.items()))).hexdigest()[:20]


def _gone_user(key: str, entry: list[str]) -> Row:
    """The row about a user who is gone, with the names that it had: an investigator still asks for them."""
    account, _, user = key.partition("/")
    name, email = (*entry[1:], "", "")[:2]
    return _filled({"userId": user, "accountId": account, "userName": name, "email": email})


def _filled(row: Row) -> Row:
    return {name: value for name, value in row.items() if value}
