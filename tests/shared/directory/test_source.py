"""Accounts and users out of DocuSign's answers: pages, limits, details, and nothing taken for a deletion."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from shared.budget import Budget
from shared.directory.calls import BURST_SECONDS, Calls, OutOfCalls
from shared.directory.rows import Account, Row
from shared.directory.source import Directory, ListFailed, ListRefused
from shared.docusign.answers import DIRECTORY_ANSWERS
from shared.docusign.client import DocuSignClient
from shared.docusign.oauth import TokenSource
from shared.errors import DocuSignRefused, OperatorError, ServiceUnavailable
from shared.retry import Retry
from shared.web import Answer, Request
from tests.shared.fakes import FakeVault, Wire, json_answer, make_secrets, signed_in
from tests.support import ManualClock, make_budget, make_settings

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


def directory(wire: Wire, budget: Budget | None = None, tokens: TokenSource | None = None) -> Directory:
    """Give a directory on a wire; nothing waits."""
    clock = ManualClock()
    client = DocuSignClient(tokens or signed_in(), wire, Retry(make_budget(clock, 0.0)), DIRECTORY_ANSWERS)
    return Directory(Calls(client, lambda: None, budget or make_budget(clock)), ADMIN, AUTH)


def the_account(source: Directory) -> Account:
    """Give the only account."""
    (account,) = source.accounts(None)
    return account


def all_of(source: Directory, account: Account, kind: str) -> list[Row]:
    """Give the users of all pages of one list."""
    ask = {"members": source.members, "details": source.details}[kind]
    page = ask(account)
    users = list(page.users)
    while page.following:
        page = ask(account, page.following)
        users += page.users
    return users


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


def test_both_lists_are_followed_to_their_end() -> None:
    """Every page's users come as parts of a row, with ids in lower case and times in UTC."""
    wire = Wire(DocuSign())
    source = directory(wire)
    account = the_account(source)
    members, details = all_of(source, account, "members"), all_of(source, account, "details")

    assert [f"user-{number}" for number in range(5)] == [row["userId"] for row in members]
    assert {
        "userId": "user-0",
        "userName": "Name 0",
        "email": "u0@example.com",
        "userStatus": "active",
        "membershipStatus": "active",
        "createdDateTime": "2024-01-02T03:04:05Z",
    } == members[0]
    assert {
        "userId": "user-0",
        "userName": "Name 0",
        "email": "u0@example.com",
        "userStatus": "active",
        "isAdmin": True,
        "permissionProfileName": "DocuSign Sender",
        "lastLogin": "2026-11-20T08:00:00.0000000Z",
    } == details[0]
    assert {"accountId": ACCOUNT, "organizationId": ORGANIZATION, **members[0]} == account.user_row(
        members[0]
    )
    assert (2 + 3 + 3, len(wire.requests)) == (source.calls.count, 8)


def test_items_without_an_id_are_left_out() -> None:
    """What is no user is passed over."""
    service = DocuSign()
    service.members[1:3] = [{"user_name": "nobody"}, {"id": 7}]
    source = directory(Wire(service))

    assert ["user-0", "user-3", "user-4"] == [
        row["userId"] for row in all_of(source, the_account(source), "members")
    ]


def test_a_next_page_on_another_host_is_not_followed() -> None:
    """The token is sent to the same origin only, also when the address was saved by an earlier run."""
    service = DocuSign()
    service.next_host = "https://elsewhere.example"
    wire = Wire(service)
    source = directory(wire)
    account = the_account(source)
    for address in ("", "https://elsewhere.example/users"):
        with pytest.raises(ListFailed, match="another host"):
            source.members(account, address)

    assert {"api.docusign.net", "account.docusign.com"} == {request.host for request in wire.requests}


def test_a_third_of_the_hours_calls_is_left_to_others() -> None:
    """Once the headers tell that a third is left, no further call is made."""
    service = DocuSign()
    service.headers = {"x-ratelimit-remaining": "1000", "x-ratelimit-limit": "3000"}
    wire = Wire(service)
    source = directory(wire)
    account = the_account(source)
    with pytest.raises(OutOfCalls, match=r"this hour are left to other apps \(1000 of 3000\)"):
        source.members(account)

    assert 2 == len(wire.requests)


def test_a_burst_is_waited_out() -> None:
    """A third of a burst's calls is left to others for half a minute, and then it goes on."""
    clock = ManualClock()
    service = DocuSign()
    service.headers = {"x-burstlimit-remaining": "60", "x-burstlimit-limit": "200"}
    source = directory(Wire(service), make_budget(clock))
    account = the_account(source)
    service.headers = {}
    members = all_of(source, account, "members")

    assert (5, [BURST_SECONDS]) == (len(members), clock.slept)


def test_no_call_without_time_to_ship_what_it_brings() -> None:
    """Near the end of the run, or after SIGTERM, it stops; a burst is not waited for in vain."""
    clock = ManualClock()
    budget = make_budget(clock, 100.0)
    service = DocuSign()
    service.headers = {"x-burstlimit-remaining": "60", "x-burstlimit-limit": "200"}
    source = directory(Wire(service), budget)
    account = the_account(source)
    clock.now += 55.0
    with pytest.raises(OutOfCalls, match="the run's time is used up"):
        source.members(account)
    clock.now += 30.0
    with pytest.raises(OutOfCalls, match="the run's time is used up"):
        directory(Wire(DocuSign()), budget).accounts(None)

    assert [] == clock.slept


@pytest.mark.parametrize("kind", ["members", "details"])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 302])
def test_a_list_that_is_refused(kind: str, status: int) -> None:
    """It is that account's trouble; 401 is one only after a new token."""
    wire = Wire(DocuSign())
    tokens = TokenSource(make_settings(), make_secrets(FakeVault()), _grants)
    source = directory(wire, tokens=tokens)
    account = the_account(source)
    wire.then(*[json_answer(status, {"errorCode": "NO"})] * (2 if status == 401 else 1))
    with pytest.raises(ListRefused, match=str(status)):
        all_of(source, account, kind)


@pytest.mark.parametrize("answer", [json_answer(503, {}), json_answer(200, {}), json_answer(200, [])])
def test_a_list_that_fails(answer: Answer) -> None:
    """It may come at another time."""
    wire = Wire(DocuSign())
    source = directory(wire)
    account = the_account(source)
    wire.then(answer)
    with pytest.raises(ListFailed) as failed:
        source.members(account)

    assert isinstance(failed.value.error, ServiceUnavailable)


def test_a_token_that_is_refused_is_no_accounts_trouble() -> None:
    """It fails the run with the token endpoint's own sentence."""
    refusal = json_answer(400, {"error": "consent_required"})
    answers = [json_answer(200, {"access_token": "t", "expires_in": 3600}), refusal]
    now = [0.0]
    tokens = TokenSource(
        make_settings(), make_secrets(FakeVault()), lambda _: answers.pop(0), now=lambda: now[0]
    )
    source = directory(Wire(DocuSign()), tokens=tokens)
    account = the_account(source)
    now[0] = 3600.0
    with pytest.raises(DocuSignRefused, match="has not given consent"):
        source.members(account)


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


def _grants(request: Request) -> Answer:
    return json_answer(200, {"access_token": "token", "expires_in": 3600})
