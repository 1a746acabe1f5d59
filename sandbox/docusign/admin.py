"""The two ways to list users: the Admin API for an organization, eSignature for an account."""

import re
import uuid
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlencode

from sandbox.docusign.answers import api_error, json, oauth_error
from sandbox.organization import Account, Organization, User
from sandbox.web import Request, Response

ORGANIZATIONS_PATH = "/management/v2/organizations"
ORGANIZATION_USERS_PATH = re.compile(r"/management/v2/organizations/([^/]+)/users")
ACCOUNT_USERS_PATH = re.compile(r"/restapi/v2\.1/accounts/([^/]+)/users")

_TAKE, _MOST = 20, 250
_COUNT, _MOST_COUNT = 100, 100


def organizations(organization: Organization) -> Response:
    """Answer `GET /management/v2/organizations`."""
    default = next(account for account in organization.accounts if account.is_default)
    accounts = [
        {"id": account.id, "name": account.name, "site": account.site} for account in organization.accounts
    ]
    described = {
        "id": organization.organization_id,
        "name": organization.name,
        "description": "",
        "default_account_id": default.id,
        "accounts": accounts,
    }
    return json(200, {"organizations": [described]})


def organization_users(organization: Organization, request: Request, organization_id: str) -> Response:
    """Answer `GET /management/v2/organizations/{orgId}/users`, which must be told an account or an e-mail."""
    if organization_id.lower() != organization.organization_id:
        return oauth_error("forbidden", "The user does not belong to the organization.", status=403)
    query = request.query
    if not query.get("account_id") and not query.get("email"):
        return oauth_error(
            "invalid_request", "One of account_id, organization_reserved_domain_id and email is needed."
        )
    try:
        found = [user for user in organization.users if _matches(user, query)]
        start, take = int(query.get("start", "0")), int(query.get("take", _TAKE))
    except ValueError as error:
        return oauth_error("invalid_request", str(error))
    if start < 0 or not 1 <= take <= _MOST:
        return oauth_error("invalid_request", f"take must be 1 to {_MOST}, start 0 or more.")
    page = found[start : start + take]
    paging = _paging(request, start, take, len(page), len(found))
    return json(200, {"users": [_member(user) for user in page], "paging": paging})


def account_users(organization: Organization, account: Account, request: Request) -> Response:
    """Answer `GET /restapi/v2.1/accounts/{accountId}/users`; numbers are strings, `nextUri` is relative."""
    users = [user for user in organization.users if user.account == account and user.status == "Active"]
    count, start = request.query.get("count", str(_COUNT)), request.query.get("start_position", "0")
    if not (count.isdigit() and start.isdigit() and 1 <= int(count) <= _MOST_COUNT):
        return api_error(
            400, "INVALID_REQUEST_PARAMETER", "count must be 1 to 100, start_position 0 or more."
        )
    page = users[int(start) : int(start) + int(count)]
    end = int(start) + len(page)
    logins = _last_logins(organization)
    answer = {
        "users": [_account_user(user, logins.get(user.id, "")) for user in page],
        "resultSetSize": str(len(page)),
        "totalSetSize": str(len(users)),
        "startPosition": start,
        "endPosition": str(max(end - 1, 0)),
    }
    if end < len(users):
        query = request.query | {"count": count, "start_position": str(end)}
        answer["nextUri"] = f"/accounts/{account.id}/users?{urlencode(query)}"
    return json(200, answer)


def _matches(user: User, query: dict[str, str]) -> bool:
    since = query.get("last_modified_since")
    return (
        query.get("account_id", user.account.id).lower() == user.account.id
        and query.get("email", user.email).lower() == user.email
        and (since is None or user.created_on >= _aware(since, user.created_on))
    )


def _aware(text: str, like: datetime) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=like.tzinfo)


def _paging(request: Request, start: int, take: int, count: int, total: int) -> dict[str, object]:
    paging: dict[str, object] = {
        "result_set_size": count,
        "result_set_start_position": start,
        "result_set_end_position": max(start + count - 1, 0),
        "total_set_size": total,
    }
    address = f"https://{request.host}{request.path}?"
    if start + count < total:
        paging["next"] = address + urlencode(request.query | {"start": start + take, "take": take})
    if start > 0:
        paging["previous"] = address + urlencode(
            request.query | {"start": max(start - take, 0), "take": take}
        )
    return paging


def _names(user: User) -> Sequence[str]:
    first, _, last = user.name.partition(" ")
    return first, last


def _member(user: User) -> dict[str, object]:
    first, last = _names(user)
    return {
        "id": user.id,
        "user_name": user.name,
        "first_name": first,
        "last_name": last,
        "email": user.email,
        "user_status": user.status.lower(),
        "membership_status": user.status.lower(),
        "membership_id": str(uuid.uuid5(uuid.UUID(user.id), "membership")),
        "created_on": user.created_on.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _last_logins(organization: Organization) -> dict[object, str]:
    """Return the time of every user's last successful login in the history."""
    events = (entry.event for entry in organization.history)
    logins = (event for event in events if event["action"] == "Login" and event["result"] == "Success")
    return {event["userId"]: str(event["timestamp"]) for event in logins}


def _account_user(user: User, last_login: str) -> dict[str, str]:
    first, last = _names(user)
    return {
        "userId": user.id,
        "userName": user.name,
        "firstName": first,
        "lastName": last,
        "email": user.email,
        "userStatus": user.status,
        "userType": "CompanyUser",
        "isAdmin": str(user.is_admin),
        "createdDateTime": user.created_on.strftime("%Y-%m-%dT%H:%M:%S.0000000Z"),
        "lastLogin": last_login,
        "permissionProfileName": "Account Administrator" if user.is_admin else "DocuSign Sender",
    }
