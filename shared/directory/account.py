"""One account through one sweep: details, members, and what is to be said once both lists were read.

A page is joined with what is known, compared with the last sweep, posted, and appended to the journal with the
address of the next one. A killed run repeats one page of rows at most.

Who is missing from a complete reading was missed once; who was missed `GONE` times in a row is reported as gone.
A list that is read by offsets slips when somebody leaves meanwhile, so once is no proof. And nobody is counted
as missed by a list that was refused, that could not be asked, or that is empty all of a sudden.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol, TypeVar

from shared.directory.calls import Calls
from shared.directory.figures import SweepFigures
from shared.directory.journal import Journals
from shared.directory.lines import (
    CLOSED,
    CLOSING,
    DETAILS,
    GONE,
    MEMBERS,
    PASSING,
    Entry,
    Progress,
    new_entry,
)
from shared.directory.reading import Reading
from shared.directory.rows import Account, Row, row_hash
from shared.directory.source import ListFailed, ListRefused, UserPage
from shared.directory.tables import USERS, Tables
from shared.errors import ServiceUnavailable

T = TypeVar("T")

MOST_IDLE = 20
"""So many pages in a row may bring nobody new, in a list that is filtered after it was cut into pages."""
CHUNK = 500
"""Users that are settled at once where no page sets the size."""


class Source(Protocol):
    """Where accounts and users come from."""

    calls: Calls

    def accounts(self, organization_id: str | None) -> list[Account]:
        """The accounts."""

    def details(self, of: Account, address: str = "") -> UserPage:
        """A page of the eSignature API's list."""

    def members(self, of: Account, address: str = "") -> UserPage:
        """A page of the Admin API's list."""


@dataclass(frozen=True)
class Means:
    """What every account of a run is carried with."""

    source: Source
    tables: Tables
    journals: Journals
    figures: SweepFigures


class AccountSweep:
    """Carries one account.

    Args:
        account: Which one.
        means: What it is carried with.
        sweep: The sweep's id.
        last: The sweep whose journal holds the account's users; empty for none.
        full: Whether every row is sent, changed or not.

    Attributes:
        users_in: The sweep whose journal holds the account's users after this one.
        came_forward: Whether this run read a page.
        passed_over: Why the account was passed over; empty when it was not.
    """

    def __init__(self, account: Account, means: Means, sweep: str, last: str, *, full: bool) -> None:
        self._account = account
        self._means = means
        journal = means.journals.open(account.id, sweep)
        self._reading = Reading(journal, means.journals.open(account.id, last) if last else None)
        self._last = last
        self._full = full
        self.users_in = sweep
        self.came_forward = False
        self.passed_over = ""

    @property
    def _progress(self) -> Progress:
        return self._reading.progress

    def carry(self) -> None:
        """Go on from where the journal ends, to the account's end.

        Raises:
            ListRefused, ListFailed: DocuSign does not give a list; what came before is kept.
            OutOfCalls: No further call can be made; the next run goes on.
        """
        self._reading.load()
        self.passed_over = self._progress.reason
        if self._progress.phase == DETAILS:
            self._read_details()
        while self._progress.phase == MEMBERS:
            self._take_members(self._means.source.members(self._account, self._progress.next))
        if self._progress.phase == CLOSING:
            self._close()
        if self._progress.phase == PASSING:
            self.pass_over(self.passed_over)

    def leave(self) -> None:
        """Settle an account that is listed no more: once both lists were read nothing needs to be asked."""
        self._reading.load()
        if self._progress.phase == CLOSING:
            self._close()
        elif self._progress.phase != CLOSED:
            self.pass_over("it is not listed")

    def pass_over(self, reason: str) -> None:
        """Leave the account's users as they are known: those of the last sweep, and those posted in this one."""
        self.passed_over = reason
        # in a first sweep details were posted with their page
        posted = self._reading.waiting() if self._reading.is_first else iter(())
        if not self._reading.has_users and not (self._reading.is_first and self._reading.has_details):
            self.users_in = self._last
            return
        self._append([], Progress(PASSING, reason=reason))
        for rows in _chunks(posted):
            self._append(new_entry(row, "", only_details=True) for row in rows)
        for known in _chunks(self._reading.unsettled()):
            self._append(known)
        self._append([], Progress(CLOSED, reason=reason))

    def _read_details(self) -> None:
        """Read the eSignature API's list; an account that refuses it does without."""
        try:
            while self._account.base_uri and self._progress.phase == DETAILS:
                self._take_details(self._means.source.details(self._account, self._progress.next))
        except ListRefused as refused:
            self._note(f"come without details: {refused}")
        if self._progress.phase == DETAILS:
            self._append([], Progress(MEMBERS))

    def _take_details(self, page: UserPage) -> None:
        new = sum(not self._reading.knows_detail(row["userId"]) for row in page.users)
        idle = self._idle(page, new)
        if self._reading.is_first and page.following:  # a giant account shows users from the first run on
            self._means.tables.post(USERS, {row["userId"]: self._row(row) for row in page.users})
        doubted = self._is_doubtful(page, self._reading.detailed + new)
        then = Progress(DETAILS, page.following, doubted=doubted, idle=idle)
        if not page.following:
            then = Progress(MEMBERS, detailed=bool(self._reading.detailed + new) and not doubted)
        self._reading.append([*({"detail": row} for row in page.users), then.line()])
        self.came_forward = True

    def _take_members(self, page: UserPage) -> None:
        users = {row["userId"]: row for row in page.users if not self._reading.is_settled(row["userId"])}
        idle = self._idle(page, len(users))
        doubted = self._is_doubtful(page, self._reading.settled + len(users))
        listed = self._progress.listed or bool(page.users)
        phase = MEMBERS if page.following else CLOSING
        trusted = listed and not (doubted and phase == CLOSING)
        then = replace(
            self._progress, phase=phase, next=page.following, listed=trusted, doubted=doubted, idle=idle
        )
        self._settle([self._reading.detail(user) | row for user, row in users.items()], then)
        self.came_forward = True

    def _is_doubtful(self, page: UserPage, read: int) -> bool:
        """Whether the list is no proof of who is missing: a part of it did not come, or cannot be read.

        Args:
            page: The page in hand.
            read: How many of the list's users were read, with those of the page.
        """
        short = not page.following and page.total is not None and read < page.total
        return self._progress.doubted or bool(page.nameless) or short

    def _settle(self, rows: list[Row], then: Progress | None = None, *, only_details: bool = False) -> None:
        """Post the rows that changed, and append an entry for each."""
        complete = {row["userId"]: self._row(row) for row in rows}
        hashes = {user: row_hash(row) for user, row in complete.items()}
        is_news = self._reading.is_news
        changed = {u: row for u, row in complete.items() if self._full or is_news(u, hashes[u])}
        hashes |= dict.fromkeys(self._post(changed), "")
        knows = self._reading.knows_detail
        self._append(
            (
                new_entry(
                    row, hashes[user], only_details=only_details, in_details=not only_details and knows(user)
                )
                for user, row in complete.items()
            ),
            then,
        )
        self._means.figures.users += len(rows)

    def _post(self, changed: dict[str, Row]) -> set[str]:
        """Post rows; those that the workspace refused.

        Rows that were refused at the last sweep go by themselves: when they are refused again, all alike, that is
        no news, and the others are not to wait for them.
        """
        again = {user: row for user, row in changed.items() if self._reading.was_refused(user)}
        new = {user: row for user, row in changed.items() if user not in again}
        return self._means.tables.post(USERS, new) | self._means.tables.post(USERS, again, judged=False)

    def _close(self) -> None:
        """Both lists were read: the users that only the details know, and those that are in neither."""
        for rows in _chunks(self._reading.waiting()):
            self._means.source.calls.ensure_time()
            self._settle(rows, only_details=True)
        doubted = 0
        for known in _chunks(self._reading.unsettled()):
            self._means.source.calls.ensure_time()
            doubted += sum(not (entry.only_details or self._progress.listed) for entry in known)
            self._miss(known)
        if doubted:
            self._note(
                f"({doubted}) are missing from DocuSign's list, which is empty or cut short: none counts as deleted"
            )
        self._append([], replace(self._progress, phase=CLOSED, next=""))

    def _miss(self, known: list[Entry]) -> None:
        """Count the users as missed where their list can be trusted, and report those that are gone."""
        missed = [self._missed(entry) for entry in known]
        gone = {entry.user: self._row(entry.gone_row()) for entry in missed if entry.missed >= GONE}
        refused = self._means.tables.post(USERS, gone, deleted=True, judged=False)
        self._append(replace(entry, missed=GONE - 1) if entry.user in refused else entry for entry in missed)

    def _missed(self, entry: Entry) -> Entry:
        """One time more where the lists that knew the user can be trusted; who lost one is judged by the other."""
        progress = self._progress
        if entry.only_details:
            return replace(entry, missed=entry.missed + progress.detailed)
        if entry.in_details and not progress.detailed:
            return replace(entry, in_details=False)
        return replace(entry, missed=entry.missed + progress.listed)

    def _append(self, new: Iterable[Entry], then: Progress | None = None) -> None:
        """Save entries, and where to go on."""
        self._reading.append([*(entry.line() for entry in new), *([then.line()] if then else [])])

    def _idle(self, page: UserPage, new: int) -> int:
        """How many pages in a row brought nobody new.

        Raises:
            ListFailed: The next page was there already, or too many brought nobody: it would go on for ever.
        """
        idle = 0 if new else self._progress.idle + 1
        if page.following and (self._reading.was_at(page.following) or idle > MOST_IDLE):
            raise ListFailed(
                ServiceUnavailable(
                    f"DocuSign's lists of the account {self._account.id}: the pages go in a circle"
                )
            )
        return idle

    def _row(self, user: Row) -> Row:
        return self._account.user_row(user)

    def _note(self, what: str) -> None:
        self._means.figures.notes.append(f"The users of the account {self._account.id} {what}")


def _chunks(items: Iterable[T]) -> Iterator[list[T]]:
    found = iter(items)
    while chunk := list(islice(found, CHUNK)):
        yield chunk
