"""The organization's accounts and their users, from the Admin API and, for details, the eSignature API.

Sources: DocuSign's references "Organizations: getList", "Users: getUsers" (Admin API) and "Users: list"
(eSignature API). The calls are taken from the 3,000 an hour that all apps of the account share: there is
never one call a user, and once the hour's calls run low the rest is left to the customer's own apps.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from shared.answers import Action, Actor, Rule
from shared.budget import Budget
from shared.docusign.answers import API_ANSWERS
from shared.docusign.client import DocuSignClient
from shared.errors import DocuSignRefused, OperatorError, ServiceUnavailable
from shared.timestamps import normalise
from shared.web import Answer

DIRECTORY_SCOPES = "signature impersonation organization_read user_read"
MEMBERS_A_PAGE = 250
DETAILS_A_PAGE = 100
RESERVED_SHARE = 1 / 3
"""The share of the hour's calls, and of a burst's, that is left to the customer's own apps."""
SHIPPING_SHARE = 0.2
"""No call is begun with less than this share of the run left: what it brings must still be shipped and saved."""

ANSWERS: tuple[Rule, ...] = (
    *(rule for rule in API_ANSWERS if rule.action in (Action.RETRY, Action.RENEW)),
    Rule(
        (403,),
        Action.STOP,
        Actor.DOCUSIGN_ADMIN,
        "DocuSign does not let this user read users and accounts. Make it an Organization Administrator of "
        "DOCUSIGN_ORGANIZATION_ID, and see that its consent covers organization_read and user_read",
    ),
    Rule(
        (404,),
        Action.STOP,
        Actor.OPERATOR,
        "there is no directory at this address. Check DOCUSIGN_ENVIRONMENT, DOCUSIGN_ORGANIZATION_ID and "
        "DOCUSIGN_ADMIN_URL",
    ),
    Rule(
        range(300, 400),
        Action.STOP,
        Actor.OPERATOR,
        "DocuSign's directory redirects, which is never followed with a token. Look for a proxy in between; "
        "check DOCUSIGN_ADMIN_URL",
    ),
    Rule(
        range(600),
        Action.STOP,
        Actor.OPERATOR,
        "DocuSign's directory gave an answer that it does not document",
    ),
)

Row = dict[str, Any]
Page = tuple[list[Any], str]
"""What a page holds, and the address of the next one or nothing."""


class OutOfCalls(Exception):
    """The sweep stops here and goes on next time: the calls of the hour, or the run's time, are nearly used up."""


@dataclass(frozen=True)
class Account:
    """A DocuSign account; `base_uri` is empty where the impersonated user is not its member."""

    id: str
    name: str
    organization_id: str
    base_uri: str = ""
    is_default: bool = False

    def row(self) -> Row:
        """The account as a row of the accounts' table."""
        return _filled(
            accountId=self.id,
            accountName=self.name,
            organizationId=self.organization_id,
            baseUri=self.base_uri,
            isDefault=self.is_default,
        )


class Directory:
    """Reads accounts and users.

    Args:
        client: Signed-in requests, with `DIRECTORY_SCOPES` and this module's `ANSWERS`.
        admin_url: The Admin API's host.
        auth_url: The host of userinfo, which knows each account's eSignature address.
        pace: Waits until the next request may start.
        budget: The run's time.

    Attributes:
        calls: Requests so far.
        notes: What a person should know, such as an account without details.
    """

    def __init__(
        self, client: DocuSignClient, admin_url: str, auth_url: str, pace: Callable[[], None], budget: Budget
    ) -> None:
        self._client = client
        self._url = f"{admin_url}/management/v2/organizations"
        self._userinfo = f"{auth_url}/oauth/userinfo"
        self._pace = pace
        self._budget = budget
        self._low = ""
        self.calls = 0
        self.notes: list[str] = []

    def accounts(self, organization_id: str | None) -> list[Account]:
        """The accounts of one organization, or of all that the user administers.

        Raises:
            DocuSignRefused: There is no such organization: an empty answer is never taken for a deletion.
            OutOfCalls: The sweep must stop.
        """
        own = {
            _lower(item.get("account_id")): item for item in _objects(self._get(self._userinfo), "accounts")
        }
        found = _objects(self._get(self._url), "organizations")
        chosen = [item for item in found if organization_id in (None, _lower(item.get("id")))]
        if not chosen:
            wanted = f"the organization {organization_id}" if organization_id else "any organization"
            raise DocuSignRefused(
                f"The user does not administer {wanted}, so its users cannot be read. Make it an Organization "
                "Administrator, or correct DOCUSIGN_ORGANIZATION_ID."
            )
        return [
            _account(item, _lower(organization.get("id")), own.get(_lower(item.get("id")), {}))
            for organization in chosen
            for item in _objects(organization, "accounts")
            if _lower(item.get("id"))
        ]

    def users(self, account: Account) -> list[Row]:
        """The rows of an account's users, each with its details where the user may read them.

        Raises:
            OutOfCalls: The sweep must stop; the account is begun again next time.
        """
        rows = {}
        for item in self._pages(self._members(account)):
            if identifier := _lower(item.get("id")):
                rows[identifier] = _member(item, identifier, account)
        for item in self._pages(self._details(account)) if account.base_uri else ():
            if identifier := _lower(item.get("userId")):
                known = rows.get(identifier, {})
                rows[identifier] = _detail(item, identifier, account) | known
        return list(rows.values())

    def _pages(self, pages: Iterator[list[Any]]) -> Iterator[dict[str, Any]]:
        for page in pages:
            yield from (item for item in page if isinstance(item, dict))

    def _members(self, account: Account) -> Iterator[list[Any]]:
        query = urlencode({"account_id": account.id, "start": 0, "take": MEMBERS_A_PAGE})
        address = f"{self._url}/{account.organization_id}/users?{query}"
        return self._follow(address, lambda content: _text((content.get("paging") or {}).get("next")))

    def _details(self, account: Account) -> Iterator[list[Any]]:
        """The eSignature API's list; an account that refuses it is told, and does without details."""
        api = f"{account.base_uri}/restapi/v2.1"
        query = urlencode({"count": DETAILS_A_PAGE, "start_position": 0, "additional_info": "true"})

        def following(content: dict[str, Any]) -> str:
            address = _text(content.get("nextUri"))
            return f"{api}{address}" if address.startswith("/") else address

        try:
            yield from self._follow(f"{api}/accounts/{account.id}/users?{query}", following)
        except (DocuSignRefused, OperatorError) as error:
            self.notes.append(f"The users of the account {account.id} come without details: {error}")

    def _follow(self, address: str, following: Callable[[dict[str, Any]], str]) -> Iterator[list[Any]]:
        """The pages' users; each next address must have the same origin, for a token goes with it."""
        origin, seen = urlsplit(address)[:2], set()
        while address:
            if urlsplit(address)[:2] != origin:
                raise OperatorError(
                    f"DocuSign's directory at {origin[1]} names a next page on another host, which is not "
                    "followed with a token. Check DOCUSIGN_ADMIN_URL."
                )
            if address in seen:
                raise ServiceUnavailable(f"DocuSign's directory at {origin[1]}: the pages go in a circle")
            seen.add(address)
            content = self._get(address)
            yield _objects(content, "users")
            address = following(content)

    def _get(self, address: str) -> dict[str, Any]:
        left = self._budget.remaining
        if self._low or left <= SHIPPING_SHARE * (self._budget.spent + left):
            raise OutOfCalls(self._low or "the run's time is used up")
        self._pace()
        self.calls += 1
        content, answer = self._client.get(address)
        self._low = _low(answer)
        if not isinstance(content, dict):
            raise ServiceUnavailable(
                f"{address.partition('?')[0]}: the answer has not the shape of a directory"
            )
        return content


def _low(answer: Answer) -> str:
    for kind, words in (
        ("ratelimit", "the account's API calls for this hour"),
        ("burstlimit", "the burst's calls"),
    ):
        remaining, limit = answer.number(f"x-{kind}-remaining"), answer.number(f"x-{kind}-limit")
        if remaining is not None and limit and remaining <= limit * RESERVED_SHARE:
            return f"{words} are left to other apps ({remaining:.0f} of {limit:.0f})"
    return ""


def _account(item: dict[str, Any], organization_id: str, own: dict[str, Any]) -> Account:
    base_uri = _text(own.get("base_uri")).rstrip("/")
    return Account(
        _lower(item.get("id")),
        _text(item.get("name")),
        organization_id,
        base_uri if base_uri.startswith("https://") else "",
        _flag(own.get("is_default")) or False,
    )


def _member(item: dict[str, Any], identifier: str, account: Account) -> Row:
    """A row's part from the Admin API."""
    return _filled(
        userId=identifier,
        accountId=account.id,
        organizationId=account.organization_id,
        userName=_text(item.get("user_name")),
        email=_text(item.get("email")),
        firstName=_text(item.get("first_name")),
        lastName=_text(item.get("last_name")),
        userStatus=_text(item.get("user_status")),
        membershipStatus=_text(item.get("membership_status")),
        createdDateTime=normalise(_text(item.get("created_on"))),
    )


def _detail(item: dict[str, Any], identifier: str, account: Account) -> Row:
    """A row's part from the eSignature API."""
    return _filled(
        userId=identifier,
        accountId=account.id,
        organizationId=account.organization_id,
        userName=_text(item.get("userName")),
        email=_text(item.get("email")),
        firstName=_text(item.get("firstName")),
        lastName=_text(item.get("lastName")),
        userStatus=_text(item.get("userStatus")).lower(),
        isAdmin=_flag(item.get("isAdmin")),
        permissionProfileName=_text(item.get("permissionProfileName")),
        lastLogin=normalise(_text(item.get("lastLogin"))),
        createdDateTime=normalise(_text(item.get("createdDateTime"))),
    )


def _filled(**values: Any) -> Row:
    return {name: value for name, value in values.items() if value not in (None, "")}


def _objects(content: dict[str, Any], name: str) -> list[Any]:
    """The list of that name, its objects alone.

    Raises:
        ServiceUnavailable: There is none: an answer of another shape must not pass for an empty directory.
    """
    found = content.get(name)
    if not isinstance(found, list):
        raise ServiceUnavailable(f"DocuSign's directory: the answer has no list of {name}")
    return [item for item in found if isinstance(item, dict)]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _lower(value: Any) -> str:
    return _text(value).lower()


def _flag(value: Any) -> bool | None:
    """A flag, also as the eSignature API writes it: "True", "False"."""
    return value if isinstance(value, bool) else {"true": True, "false": False}.get(_lower(value))
