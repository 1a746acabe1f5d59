"""Accounts and users out of DocuSign's answers: pages, limits, details, and nothing taken for a deletion."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from shared.budget import Budget
from shared.docusign.client import DocuSignClient
from shared.docusign.directory import ANSWERS, Account, Directory, OutOfCalls
from shared.errors import DocuSignRefused, OperatorError, ServiceUnavailable
from shared.retry import Retry
from shared.web import Answer, Request
from tests.shared.fakes import Wire, json_answer, signed_in
from tests.support import ManualClock, make_budget

ADMIN, AUTH = "https://api.docusign.net", "https://account.docusign.com"
BASE = "https://na3.docusign.net"
ORGANIZATION, ACCOUNT = "0a6e6c5c-9c5d-4b8a-8d1e-2f6b0c9d7e11", "93a15559-3c1e-4b0e-9a51-683ea233c123"


class DocuSign:
    """Answers by path; pages of two."""

    def __init__(self) -> None:
        self.members: list[dict[str, Any]] = [member(n) for n in range(5)]
        self.details: list[dict[str, Any]] = [detail(n) for n in range(5)]
        self.organizations: Any = [
            {"id": ORGANIZATION.upper(), "name": "Org", "accounts": [{"id": ACCOUNT.upper(), "name": "Main"}]}
        ]
        self.headers: dict[str, str] = {}
        self.next_host = ADMIN

    def __call__(self, request: Request) -> Answer:
        """Answer one request."""
        parts = urlsplit(request.url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/oauth/userinfo":
            own = {"account_id": ACCOUNT, "is_default": "true", "base_uri": BASE}
            return json_answer(200, {"accounts": [own]})
        if parts.path == "/management/v2/organizations":
            return json_answer(200, {"organizations": self.organizations}, self.headers)
        if parts.path.startswith("/management"):
            start = int(query["start"])
            following = f"{self.next_host}{parts.path}?start={start + 2}&account_id={query['account_id']}"
            paging = {"next": following} if start + 2 < len(self.members) else {}
            users = self.members[start : start + 2]
            return json_answer(200, {"users": users, "paging": paging}, self.headers)
        start = int(query["start_position"])
        answer: dict[str, Any] = {"users": self.details[start : start + 2]}
        if start + 2 < len(self.details):
            answer["nextUri"] = f"/accounts/{ACCOUNT}/users?start_position={start + 2}"
        return json_answer(200, answer, self.headers)


def member(number: int) -> dict[str, Any]:
    """Give a user as the Admin API does."""
    return {
        "id": f"USER-{number}",
        "user_name": f"Name {number}",
        "email": f"u{number}@example.com",
        "user_status": "active",
        "membership_status": "active",
        "created_on": "2024-01-02T03:04:05.000",
    }


def detail(number: int) -> dict[str, Any]:
    """Give a user as the eSignature API does."""
    return {
        "userId": f"user-{number}",
        "userName": f"Name {number}",
        "email": f"u{number}@example.com",
        "userStatus": "Active",
        "isAdmin": "True" if number == 0 else "False",
        "lastLogin": "2026-11-20T08:00:00.0000000Z",
        "permissionProfileName": "DocuSign Sender",
    }


def directory(wire: Wire, budget: Budget | None = None, *, tries: float = 0.0) -> Directory:
    """Give a directory on a wire; nothing waits."""
    clock = ManualClock()
    client = DocuSignClient(signed_in(), wire, Retry(make_budget(clock, tries)), ANSWERS)
    return Directory(client, ADMIN, AUTH, lambda: None, budget or make_budget(clock))


def the_account(source: Directory) -> Account:
    """Give the only account."""
    (account,) = source.accounts(None)
    return account


def test_an_account() -> None:
    """Ids are lower case; the eSignature address and the default come from userinfo."""
    account = the_account(directory(Wire(DocuSign())))

    assert {
        "accountId": ACCOUNT,
        "accountName": "Main",
        "organizationId": ORGANIZATION,
        "baseUri": BASE,
        "isDefault": True,
    } == account.row()


def test_users_of_both_apis_are_one_row_each() -> None:
    """All pages of both lists are followed, and make one row a user."""
    wire = Wire(DocuSign())
    source = directory(wire)
    rows = source.users(the_account(source))

    assert 5 == len(rows)
    assert {
        "userId": "user-0",
        "accountId": ACCOUNT,
        "organizationId": ORGANIZATION,
        "userName": "Name 0",
        "email": "u0@example.com",
        "userStatus": "active",
        "membershipStatus": "active",
        "isAdmin": True,
        "permissionProfileName": "DocuSign Sender",
        "lastLogin": "2026-11-20T08:00:00.0000000Z",
        "createdDateTime": "2024-01-02T03:04:05Z",
    } == rows[0]
    assert (2 + 3 + 3, len(wire.requests)) == (source.calls, 8)


def test_a_next_page_on_another_host_is_not_followed() -> None:
    """The token is sent to the same origin only."""
    service = DocuSign()
    service.next_host = "https://elsewhere.example"
    wire = Wire(service)
    source = directory(wire)
    account = the_account(source)
    with pytest.raises(OperatorError, match="another host"):
        source.users(account)

    assert {"api.docusign.net", "account.docusign.com"} == {request.host for request in wire.requests}


def test_pages_in_a_circle_end() -> None:
    """A next page that was there already is an error, and not for ever."""
    circle = f"{ADMIN}/management/v2/organizations/{ORGANIZATION}/users?account_id={ACCOUNT}&start=0&take=250"
    source = directory(Wire(json_answer(200, {"users": [], "paging": {"next": circle}})))
    with pytest.raises(ServiceUnavailable, match="circle"):
        source.users(Account(ACCOUNT, "Main", ORGANIZATION))


@pytest.mark.parametrize("kind", ["RateLimit", "BurstLimit"])
def test_a_third_of_the_calls_is_left_to_others(kind: str) -> None:
    """Once the headers tell that a third is left, no further call is made."""
    service = DocuSign()
    service.headers = {f"x-{kind.lower()}-remaining": "1000", f"x-{kind.lower()}-limit": "3000"}
    wire = Wire(service)
    source = directory(wire)
    account = the_account(source)
    with pytest.raises(OutOfCalls, match="1000 of 3000"):
        source.users(account)

    assert 2 == len(wire.requests)


def test_no_call_without_time_to_ship_what_it_brings() -> None:
    """Near the end of the run, or after SIGTERM, it stops."""
    clock = ManualClock()
    budget = make_budget(clock, 100.0)
    source = directory(Wire(DocuSign()), budget)
    clock.sleep(85.0)
    with pytest.raises(OutOfCalls, match="time"):
        source.accounts(None)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_an_account_that_gives_no_details_is_told(status: int) -> None:
    """The eSignature API may refuse the user in an account: its rows come without details, and a note says so."""
    wire = Wire(DocuSign())
    source = directory(wire)
    account = the_account(source)
    refusal = json_answer(status, {"errorCode": "USER_LACKS_PERMISSIONS"})
    wire.then(*[refusal] * 2, only=lambda request: request.host == "na3.docusign.net")
    rows = source.users(account)

    assert 5 == len(rows)
    assert all("isAdmin" not in row for row in rows)
    assert "come without details" in source.notes[0]


def test_an_account_of_others_is_asked_for_members_only() -> None:
    """Where the user is no member there is no eSignature address to ask."""
    wire = Wire(DocuSign())
    rows = directory(wire).users(Account(ACCOUNT, "Main", ORGANIZATION))

    assert 5 == len(rows)
    assert {"api.docusign.net"} == {request.host for request in wire.requests}


@pytest.mark.parametrize("wanted", [None, "33333333-3333-4333-8333-333333333333"])
def test_no_organization_is_a_refusal(wanted: str | None) -> None:
    """A user that administers none sees an empty list, which must not pass for a deletion of everything."""
    service = DocuSign()
    if wanted is None:
        service.organizations = []
    with pytest.raises(DocuSignRefused, match="does not administer"):
        directory(Wire(service)).accounts(wanted)


@pytest.mark.parametrize("body", [{}, {"organizations": None}, [], {"organizations": {}}])
def test_answers_of_another_shape_are_no_empty_directory(body: Any) -> None:
    """An answer without the list is a failure."""
    wire = Wire(DocuSign())
    wire.then(json_answer(200, body), only=lambda request: "management" in request.url)
    with pytest.raises(ServiceUnavailable):
        directory(wire).accounts(None)


@pytest.mark.parametrize(
    ("status", "body", "error", "says"),
    [
        (403, {"error": "forbidden"}, DocuSignRefused, "Organization Administrator"),
        (404, {}, OperatorError, "DOCUSIGN_ADMIN_URL"),
        (302, {}, OperatorError, "redirects"),
        (400, {"error": "invalid_request"}, OperatorError, "does not document"),
        (400, {"errorCode": "HOURLY_APIINVOCATION_LIMIT_EXCEEDED"}, ServiceUnavailable, "used up"),
        (503, {}, ServiceUnavailable, "DocuSign failed"),
    ],
)
def test_refusals(status: int, body: Any, error: type[Exception], says: str) -> None:
    """Each refusal has its sentence, and none speaks of cursors."""
    wire = Wire(DocuSign())
    wire.then(json_answer(status, body), only=lambda request: "management" in request.url)
    with pytest.raises(error, match=says) as raised:
        directory(wire).accounts(None)

    assert "cursor" not in str(raised.value)
