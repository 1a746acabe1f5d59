from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby

import pytest

from sandbox.content.harness import USERS, Bench
from sandbox.content.incidents import HISTORY, raised
from sandbox.content.schedule import Incident, hold_parsed, incidents
from sandbox.organization import Organization, make_organization

UNTIL = datetime(2026, 11, 20, 16, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)

PLANTED = {
    "password-spray": {"PasswordSpray", "LoginFromNewCountry"},
    "bulk-export": {"BulkAccountsExport", "BulkUsersExport"},
    "administrator-added": {"AdministratorAdded"},
    "weakened-policies": {"RecipientAuthenticationRelaxed", "SecurityPolicyWeakened"},
    "brute-force": {"FailedLogins", "LoginAfterFailures", "OtherDocuSignAlert"},
    "mass-download": {"MassEnvelopeDownload", "OffHoursBurst"},
    "mass-void": {"MassEnvelopeVoidOrDelete", "VoidedToSentRatio"},
    "mass-user-deletion": {"MassUserDeletion"},
    "new-integration-key": {"NewIntegrationKey"},
    "impossible-travel": {"ImpossibleTravel", "LoginFromNewCountry"},
    "credential-leak": {"CredentialLeak"},
    "same-sender-and-signer": {"SenderSignsOwnEnvelope"},
    "outside-allowed-ranges": {"LoginOutsideAllowedRanges", "ImpossibleTravel", "LoginFromNewCountry"},
}
"""The rules that find each planted incident."""

TRAVELLERS = {"LoginFromNewCountry": 3}
"""What ordinary traffic raises: first trips to another country."""


@pytest.fixture(scope="module")
def organization() -> Organization:
    """The organization that the demo shows."""
    return make_organization(UNTIL)


@pytest.fixture(scope="module")
def found(organization: Organization) -> list[Incident]:
    """What the rules raise when each event arrives at the moment at which DocuSign inserted it."""
    with Bench() as bench:
        _fill(bench, organization)
        hold_parsed(bench.workspace)
        return incidents(bench.workspace, UNTIL - HISTORY, UNTIL)


def test_every_planted_incident_is_found_and_little_else(
    organization: Organization, found: list[Incident]
) -> None:
    """Each planted incident is found by its rules, and ordinary traffic raises only what is expected of it."""
    expected = Counter(rule for name in PLANTED for rule in PLANTED[name]) + Counter(TRAVELLERS)

    assert {incident.name for incident in organization.incidents} == PLANTED.keys()
    assert expected == Counter(incident.rule for incident in found)


def test_who_and_when(organization: Organization, found: list[Incident]) -> None:
    """What is found names the users of the planted incident, or its address, and lies in its time."""
    emails = {user.id: user.email for user in organization.users}
    for planted in organization.incidents:
        who, address = {emails[user] for user in planted.who}, planted.where.split()[0]
        for rule in PLANTED[planted.name]:
            near = [
                one
                for one in found
                if one.rule == rule and planted.when <= one.when <= planted.when + 2 * HOUR
            ]

            assert any(one.who in who or address in one.where for one in near), (planted.name, rule)


def test_the_demo_finds_the_same(organization: Organization, found: list[Incident]) -> None:
    """A week that arrives within seconds, as in the demo, gives the same incidents when it is replayed."""
    with Bench() as bench:
        bench.arrive((entry.event for entry in organization.history), UNTIL)
        bench.post(USERS, _directory(organization), UNTIL)
        shown = raised(bench.workspace, UNTIL)

    assert sorted((one.rule, one.who) for one in found) == sorted((one.rule, one.who) for one in shown)
    assert ["High", "Medium"] == [severity for severity, _ in groupby(one.severity for one in shown)]


def test_a_backfill_raises_nothing_old(organization: Organization) -> None:
    """When the whole week arrives at once, the rules raise nothing on what is more than a day old."""
    with Bench() as bench:
        bench.arrive((entry.event for entry in organization.history), UNTIL)
        hold_parsed(bench.workspace)
        late = incidents(bench.workspace, UNTIL - HOUR, UNTIL)

    assert [] == [one.what for one in late if one.when < UNTIL - timedelta(days=1)]
    assert late


def _fill(bench: Bench, organization: Organization) -> None:
    bench.post(USERS, _directory(organization), UNTIL - HISTORY)
    entries = organization.history
    for at, together in groupby(entries, key=lambda entry: _delivered(entry.inserted_at)):
        bench.arrive([entry.event for entry in together], at)


def _delivered(moment: datetime) -> datetime:
    """The end of the quarter of an hour: a connector delivers in batches."""
    return moment + (datetime.min.replace(tzinfo=UTC) - moment) % timedelta(minutes=15)


def _directory(organization: Organization) -> Iterator[dict[str, object]]:
    for user in organization.users:
        yield {"userId": user.id, "accountId": user.account.id, "userName": user.name, "email": user.email}
