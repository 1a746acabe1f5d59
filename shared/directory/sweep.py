"""One run of the sweep: accounts first, then the users of one account after the other.

A sweep goes on until every account is done, over as many runs as that takes, and is never begun again for its
age: of 500,000 users it takes days, and one that began again each day would never end. That is safe, for what
was read early is only out of date until the next sweep, and nobody is gone after one sweep alone. Nor can one
account hold it up: an account that refuses is passed over, and one that fails for `STALE` is as well.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import uuid4

from shared.directory.account import AccountSweep, Means
from shared.directory.calls import OutOfCalls, OutOfHourlyCalls
from shared.directory.figures import COMPLETE, CONTINUES
from shared.directory.head import Complete, Head, UnderWay
from shared.directory.known_accounts import count_missing, report_gone, send_accounts
from shared.directory.rows import Account
from shared.directory.source import ListFailed, ListRefused
from shared.errors import ConnectorError, DocuSignRefused
from shared.owner import Owner
from shared.timestamps import iso_utc, parse

FULL_EVERY = timedelta(hours=23)
"""One full sweep a day, though a timer may be some minutes early."""
STALE = timedelta(hours=23)
"""An account whose list has failed for a day is passed over: the next sweep of the others must not wait."""
FAILURES_IN_A_ROW = 3
"""After so many accounts in a row DocuSign itself is down, or gives no more calls: the others are not asked."""

UNREADABLE = "The state of the last sweep is unreadable or of another version: this sweep is a full one"


class Box(Protocol):
    """Where the head is kept."""

    owner: Owner

    def read(self) -> Head | None:
        """The head, or None when it is unreadable."""

    def save(self, head: Head) -> None:
        """Return once the head is saved."""


class Sweep:
    """One run of the directory's timer.

    Args:
        means: What accounts are carried with.
        box: Keeps the head.
        now: The time.
    """

    def __init__(
        self, means: Means, box: Box, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._means = means
        self._box = box
        self._now = now
        self._head = Head(box.owner)
        self._errors: list[ConnectorError] = []
        self._in_a_row = 0
        self._low_in_a_row = 0
        self._stopped: OutOfCalls | None = None
        self.figures = means.figures

    @property
    def _under_way(self) -> UnderWay:
        return self._head.under_way

    def run(self, organization_id: str | None) -> None:
        """Take up the sweep that is under way, or begin one; carry it as far as the calls and the time go.

        Raises:
            ConnectorError: It failed; what was saved before is gone on with.
        """
        self._head = self._read()
        try:
            accounts = self._means.source.accounts(organization_id)
            self._begin(accounts)
            for account in self._left(accounts):
                self._take_with_calls(account)
                if self._in_a_row >= FAILURES_IN_A_ROW:
                    break
            if not self._left(accounts):
                self._finish(accounts)
            elif self._stopped:
                raise self._stopped
        except OutOfCalls as reason:
            self.figures.outcome = CONTINUES
            self.figures.notes.append(f"The sweep stops early, {reason}; the next one goes on from here")
        finally:
            self.figures.calls = self._means.source.calls.count
        if self._errors:
            raise self._errors[0]

    def _read(self) -> Head:
        """The head, or a new one where it is unreadable or of another owner."""
        head, owner = self._box.read(), self._box.owner
        if head is None:
            self.figures.notes.append(UNREADABLE)
        elif head.owner != owner:
            self.figures.notes.append(
                f"The state of the last sweep is that of {head.owner}, and these settings are those of {owner}: "
                "this sweep is a full one, and nobody counts as deleted"
            )
        return head if head is not None and head.owner == owner else Head(owner)

    def _begin(self, accounts: Sequence[Account]) -> None:
        """Begin a sweep unless one is under way, and send the accounts that changed."""
        begins = not self._under_way.id
        if begins:
            now = self._now()
            full = _age(self._head.full_at, now) >= FULL_EVERY
            self._head.under_way = UnderWay(str(uuid4()), iso_utc(now), full=full)
        self.figures.sweepId, self.figures.full = self._under_way.id, self._under_way.full
        self.figures.accounts = len(accounts)
        organizations = {account.organization_id for account in accounts}
        self.figures.organizationId = organizations.pop() if len(organizations) == 1 else ""
        send_accounts(self._head.accounts, accounts, self._means, all_of_them=begins and self._under_way.full)
        self._box.save(self._head)

    def _left(self, accounts: Sequence[Account]) -> list[Account]:
        """The accounts that are not done; last those that had no calls left, and those that failed."""
        done = {*self._under_way.done, *self._under_way.passed}
        left = [account for account in accounts if account.id not in done]
        late = self._under_way.failing, self._under_way.low
        return sorted(left, key=lambda account: [account.id in some for some in late])

    def _take_with_calls(self, account: Account) -> None:
        """Carry one account as far as its calls go; where it has none left, the next one may have some.

        Raises:
            OutOfCalls: The run's time is used up, or several accounts in a row have no calls left.
        """
        try:
            self._take(account)
        except OutOfHourlyCalls as reason:
            self._low_in_a_row += 1
            self._stopped = reason
            if account.id not in self._under_way.low:
                self._under_way.low.append(account.id)
                self._box.save(self._head)
            if self._low_in_a_row >= FAILURES_IN_A_ROW:
                raise
            self._means.source.calls.for_another_account()
        else:
            self._low_in_a_row = 0

    def _take(self, account: Account) -> None:
        """Carry one account, and save that it is done; one that refuses or fails is told, and left behind."""
        last, under_way = self._head.accounts[account.id].sweep, self._under_way
        work = AccountSweep(account, self._means, under_way.id, last, full=under_way.full)
        try:
            work.carry()
        except ListRefused as refused:
            work.pass_over(str(refused))
        except ListFailed as failed:
            self._fail(account, work, failed.error)
            return
        self._in_a_row = 0
        self._done(account, work)

    def _fail(self, account: Account, work: AccountSweep, error: ConnectorError) -> None:
        """Remember since when an account fails; the run is a failed one, whatever becomes of the others."""
        self._in_a_row += 1
        self._errors.append(error)
        self.figures.notes.append(f"The users of the account {account.id} do not come: {error}")
        now, failing = self._now(), self._under_way.failing
        if work.came_forward or account.id not in failing:
            failing[account.id] = iso_utc(now)
        if _age(failing[account.id], now) >= STALE:
            work.pass_over(str(error))
            self._done(account, work)
        self._box.save(self._head)

    def _done(self, account: Account, work: AccountSweep) -> None:
        under_way = self._under_way
        self._head.accounts[account.id].sweep = work.users_in
        under_way.failing.pop(account.id, None)
        if work.passed_over:
            under_way.passed[account.id] = work.passed_over
            self.figures.notes.append(
                f"The users of the account {account.id} stay as they were: {work.passed_over}"
            )
        else:
            under_way.done.append(account.id)
        self._box.save(self._head)

    def _finish(self, accounts: Sequence[Account]) -> None:
        """Report the accounts that are gone, and make this sweep the last complete one.

        Raises:
            DocuSignRefused: Every account was passed over: that is no account's own trouble.
        """
        under_way, head = self._under_way, self._head
        self._leave_unlisted(accounts)
        if accounts and under_way.passed.keys() >= {account.id for account in accounts}:
            self._end()
            reason = next(iter(under_way.passed.values()))
            raise DocuSignRefused(f"DocuSign gives the users of no account: {reason}")
        if not under_way.counted:
            self.figures.notes += count_missing(head.accounts, accounts)
            under_way.counted = True
            self._box.save(head)
        report_gone(head.accounts, self._means)
        head.complete = Complete(under_way.id, under_way.startedAt)
        head.full_at = under_way.startedAt if under_way.full else head.full_at
        self._end()
        self.figures.outcome = COMPLETE

    def _leave_unlisted(self, accounts: Sequence[Account]) -> None:
        """Keep what was read of accounts that are not listed any more: their users were posted."""
        known, under_way = self._head.accounts, self._under_way
        for key in known.keys() - {account.id for account in accounts} - {*under_way.done}:
            account = Account(key, known[key].name, known[key].organization)
            work = AccountSweep(account, self._means, under_way.id, known[key].sweep, full=under_way.full)
            work.leave()
            known[key].sweep = work.users_in

    def _end(self) -> None:
        """Have the next run begin a new sweep, and delete the journals that nothing is compared with any more."""
        self._head.under_way = UnderWay()
        self._box.save(self._head)
        kept = ((key, known.sweep) for key, known in self._head.accounts.items())
        self._means.journals.keep_only(kept)


def _age(started: str, now: datetime) -> timedelta:
    """How long ago; for ever when there is no such time."""
    moment = parse(started)
    return timedelta.max if moment is None else now - moment
