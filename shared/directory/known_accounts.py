"""The accounts that are known: what changed about them, and which are gone."""

from collections.abc import Mapping, Sequence

from shared.directory.account import Means
from shared.directory.head import KnownAccount
from shared.directory.lines import GONE, entries
from shared.directory.rows import Account, Row, filled, row_hash
from shared.directory.tables import ACCOUNTS, USERS

CHUNK = 1000
"""Users of an account that are reported as gone at once."""


def send_accounts(
    known: dict[str, KnownAccount], accounts: Sequence[Account], means: Means, *, all_of_them: bool
) -> None:
    """Send the accounts that changed, or all of them, and remember what was sent."""
    rows = {account.id: account.row() for account in accounts}
    for key in rows:
        if key not in known or known[key].missed >= GONE:  # a killed run may have reported it as gone
            known[key] = KnownAccount()
    before = {key: known[key] for key in rows}
    changed = {key: row for key, row in rows.items() if all_of_them or before[key].hash != row_hash(row)}
    refused = means.tables.post(ACCOUNTS, changed)
    for account in accounts:
        entry = before[account.id]
        entry.hash = "" if account.id in refused else row_hash(rows[account.id])
        entry.name, entry.organization = account.name, account.organization_id


def count_missing(known: Mapping[str, KnownAccount], accounts: Sequence[Account]) -> list[str]:
    """Count the accounts that a sweep did not list; what a person should know of that.

    An organization that lists none at all, where it had some, is not believed.
    """
    listing = {account.organization_id for account in accounts}
    missing = known.keys() - {account.id for account in accounts}
    for key, entry in known.items():
        if key not in missing:
            entry.missed = 0
        elif entry.organization in listing:
            entry.missed += 1
    return [
        f"The organization {organization} lists no accounts, where it had some: none is reported as deleted"
        for organization in sorted({known[key].organization for key in missing} - listing)
    ]


def report_gone(known: dict[str, KnownAccount], means: Means) -> None:
    """Report the accounts that were missed for long enough, with their users, and forget them.

    Their counts must be saved before: an account that was reported, and is listed again, is sent anew.
    """
    for key, entry in list(known.items()):
        if entry.missed >= GONE:
            _report(key, entry, means)
            del known[key]


def _report(key: str, known: KnownAccount, means: Means) -> None:
    """Report an account's users and the account itself as gone; what the workspace refuses of that is told."""
    means.source.calls.ensure_time()
    account = Account(key, known.name, known.organization)
    rows: dict[str, Row] = {}
    for entry in entries(means.journals.open(key, known.sweep).lines()) if known.sweep else ():
        rows[entry.user] = account.user_row(entry.gone_row())
        if len(rows) == CHUNK:
            means.tables.post(USERS, rows, deleted=True)
            rows = {}
    means.tables.post(USERS, rows, deleted=True)
    row = filled(accountId=key, accountName=known.name, organizationId=known.organization)
    means.tables.post(ACCOUNTS, {key: row}, deleted=True)
