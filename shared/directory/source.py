"""Accounts, and the two lists of an account's users, a page a call: there is never one call a user."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import urlencode, urljoin, urlsplit

from shared.directory.calls import Calls
from shared.directory.rows import Account, Row, account, detail, lower, member, text
from shared.errors import ConnectorError, DocuSignRefused, OperatorError, ServiceUnavailable

MEMBERS_A_PAGE = 250
DETAILS_A_PAGE = 100
_HTTPS = 443


class ListRefused(Exception):
    """DocuSign refuses a list of one account's users; `str` is its sentence."""


class ListFailed(Exception):
    """A list of one account's users does not come at the moment.

    Attributes:
        error: What failed.
    """

    def __init__(self, error: ConnectorError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True)
class UserPage:
    """One page of a list of users.

    Attributes:
        users: Rows without their account, each with a `userId`.
        following: The address of the next page; empty when this is the last.
        total: How many users the whole list has, where the answer says so.
        nameless: How many users of the page have no id that can be read.
    """

    users: list[Row]
    following: str
    total: int | None = None
    nameless: int = 0


class Directory:
    """Reads accounts and users.

    Args:
        calls: Makes the calls.
        admin_url: The Admin API's host.
        auth_url: The host of userinfo, which knows each account's eSignature address.
    """

    def __init__(self, calls: Calls, admin_url: str, auth_url: str) -> None:
        self.calls = calls
        self._url = f"{admin_url}/management/v2/organizations"
        self._userinfo = f"{auth_url}/oauth/userinfo"

    def accounts(self, organization_id: str | None) -> list[Account]:
        """The accounts of one organization, or of all that the user administers.

        Raises:
            DocuSignRefused: There is no such organization: an empty answer is never taken for a deletion.
            OutOfCalls: The sweep must stop.
        """
        own = {lower(item.get("account_id")): item for item in self._listed(self._userinfo, "accounts")}
        found = self._listed(self._url, "organizations")
        chosen = [item for item in found if organization_id in (None, lower(item.get("id")))]
        if not chosen:
            wanted = f"the organization {organization_id}" if organization_id else "any organization"
            raise DocuSignRefused(
                f"The user does not administer {wanted}, so its users cannot be read. Make it an Organization "
                "Administrator, or correct DOCUSIGN_ORGANIZATION_ID."
            )
        return [
            account(item, lower(organization.get("id")), own.get(lower(item.get("id")), {}))
            for organization in chosen
            for item in _listed_accounts(organization)
            if lower(item.get("id"))
        ]

    def members(self, of: Account, address: str = "") -> UserPage:
        """A page of the Admin API's list: the first, or the one at an address.

        Raises:
            ListRefused, ListFailed: DocuSign does not give it.
            OutOfCalls: The sweep must stop.
        """
        query = urlencode({"account_id": of.id, "start": 0, "take": MEMBERS_A_PAGE})
        first = f"{self._url}/{of.organization_id}/users?{query}"
        return self._page(first, address, member, lambda content: _next(content.get("paging")))

    def details(self, of: Account, address: str = "") -> UserPage:
        """A page of the eSignature API's list, whose next address is a part of one.

        Raises:
            ListRefused, ListFailed: DocuSign does not give it.
            OutOfCalls: The sweep must stop.
        """
        api = f"{of.base_uri}/restapi/v2.1"
        query = urlencode({"count": DETAILS_A_PAGE, "start_position": 0, "additional_info": "true"})

        def following(content: Row) -> str:
            found = text(content.get("nextUri"))
            return f"{api}{found}" if found.startswith("/") else found

        return self._page(f"{api}/accounts/{of.id}/users?{query}", address, detail, following)

    def _page(
        self, first: str, address: str, row: Callable[[Row], Row], following: Callable[[Row], str]
    ) -> UserPage:
        self.calls.ready()
        try:
            asked = _same_origin(address or first, first)
            content = self.calls.get(asked)
            items = _objects(content, "users")
            users = [found for item in items if (found := row(item)).get("userId")]
            nameless = len(content["users"]) - len(users)
            following_address = following(content)
            joined = urljoin(asked, following_address) if following_address else ""
            return UserPage(users, _same_origin(joined, first), _total(content), nameless)
        except ServiceUnavailable as error:
            raise ListFailed(error) from None
        except (DocuSignRefused, OperatorError) as error:
            raise ListRefused(str(error)) from None

    def _listed(self, address: str, name: str) -> list[Row]:
        self.calls.ready()
        return _objects(self.calls.get(address), name)


def _listed_accounts(organization: Row) -> list[Row]:
    """An organization's accounts; none where it lists none, which is never taken for their end."""
    return _objects(organization, "accounts") if organization.get("accounts") is not None else []


def _next(paging: Any) -> str:
    return text(paging.get("next")) if isinstance(paging, dict) else ""


def _total(content: Row) -> int | None:
    """The size of the whole list: a number in `paging` (Admin API), or a text (eSignature API)."""
    paging = content.get("paging")
    found = paging.get("total_set_size") if isinstance(paging, dict) else content.get("totalSetSize")
    return int(found) if isinstance(found, int | str) and str(found).isdecimal() else None


def _same_origin(address: str, first: str) -> str:
    """The address; it must have the origin of the list's first page, for a token goes with it."""
    if address and _origin(address) != _origin(first):
        _elsewhere(urlsplit(first).netloc)
    return address


def _origin(address: str) -> tuple[str, str | None, int]:
    parts = urlsplit(address)
    return parts.scheme, parts.hostname, parts.port or _HTTPS


def _elsewhere(host: str) -> NoReturn:
    raise ListFailed(
        OperatorError(
            f"DocuSign's directory at {host} names a next page on another host, which is not followed with a "
            "token. Check DOCUSIGN_ADMIN_URL."
        )
    )


def _objects(content: Row, name: str) -> list[Row]:
    """The list of that name, its objects alone.

    Raises:
        ServiceUnavailable: There is none: an answer of another shape must not pass for an empty directory.
    """
    found = content.get(name)
    if not isinstance(found, list):
        raise ServiceUnavailable(f"DocuSign's directory: the answer has no list of {name}")
    return [item for item in found if isinstance(item, dict)]
