"""Accounts and users as rows of their tables, and how a row is recognised when it comes again.

Sources: DocuSign's references "Organizations: getList", "Users: getUsers" (Admin API) and "Users: list"
(eSignature API).
"""

import hashlib
from dataclasses import dataclass
from typing import Any

from shared import lenient_json
from shared.timestamps import normalise

Row = dict[str, Any]


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
        return filled(
            accountId=self.id,
            accountName=self.name,
            organizationId=self.organization_id,
            baseUri=self.base_uri,
            isDefault=self.is_default,
        )

    def user_row(self, user: Row) -> Row:
        """One of its users as a row of the users' table."""
        return filled(accountId=self.id, organizationId=self.organization_id) | user


def account(item: Row, organization_id: str, own: Row) -> Account:
    """The account of the Admin API's list, with what userinfo knows of it."""
    base_uri = text(own.get("base_uri")).rstrip("/")
    return Account(
        lower(item.get("id")),
        text(item.get("name")),
        organization_id,
        base_uri if base_uri.startswith("https://") else "",
        _flag(own.get("is_default")) or False,
    )


def member(item: Row) -> Row:
    """A user's part from the Admin API; without `userId` where the item names none."""
    return filled(
        userId=lower(item.get("id")),
        userName=text(item.get("user_name")),
        email=text(item.get("email")),
        firstName=text(item.get("first_name")),
        lastName=text(item.get("last_name")),
        userStatus=text(item.get("user_status")),
        membershipStatus=text(item.get("membership_status")),
        createdDateTime=normalise(text(item.get("created_on"))),
    )


def detail(item: Row) -> Row:
    """A user's part from the eSignature API; without `userId` where the item names none."""
    return filled(
        userId=lower(item.get("userId")),
        userName=text(item.get("userName")),
        email=text(item.get("email")),
        firstName=text(item.get("firstName")),
        lastName=text(item.get("lastName")),
        userStatus=text(item.get("userStatus")).lower(),
        isAdmin=_flag(item.get("isAdmin")),
        permissionProfileName=text(item.get("permissionProfileName")),
        lastLogin=normalise(text(item.get("lastLogin"))),
        createdDateTime=normalise(text(item.get("createdDateTime"))),
    )


def row_hash(row: Row) -> str:
    """What a row says, in 16 hexadecimal digits."""
    return hashlib.blake2b(lenient_json.dumps(sorted(row.items())), digest_size=8).hexdigest()


def user_key(user: str) -> bytes:
    """A user's id in 16 bytes, for sets of hundreds of thousands."""
    return hashlib.blake2b(user.encode(errors="backslashreplace"), digest_size=16).digest()


def mark(user: str, hashed: str) -> int:
    """A user with what its row says, in 64 bits."""
    content = f"{user}/{hashed}".encode(errors="backslashreplace")
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest())


def filled(**values: Any) -> Row:
    """The values that say something."""
    return {name: value for name, value in values.items() if value not in (None, "")}


def text(value: Any) -> str:
    """A text; empty for anything else."""
    return value if isinstance(value, str) else ""


def lower(value: Any) -> str:
    """An id: lower case, for DocuSign writes ids in both."""
    return text(value).lower()


def _flag(value: Any) -> bool | None:
    """A flag, also as the eSignature API writes it: "True", "False"."""
    return value if isinstance(value, bool) else {"true": True, "false": False}.get(lower(value))
