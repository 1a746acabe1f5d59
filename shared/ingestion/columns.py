"""The fields of every table's rows, written down once, and the columns that they become.

Both ingestion APIs get the same rows. The Data Collector API names columns by what it finds (`_s`, `_d`, `_b`,
`_t`, and `_g` for a text that is a GUID); a data collection rule's transformation gives the same names, so
that one table serves both. A field's kind never changes from row to row: the Data Collector API makes a second
column (`userId_s` beside `userId_g`) when it does.
"""

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a field holds, and so which columns it gets."""

    TEXT = "text"
    IDENTIFIER = "identifier"  # mostly a GUID; a masked or foreign one is plain text
    MOMENT = "moment"
    NUMBER = "number"
    FLAG = "flag"
    JSON = "json"  # a JSON text: what is nested stays in one column


@dataclass(frozen=True)
class Field:
    """One field of a row."""

    name: str
    kind: Kind

    @property
    def columns(self) -> dict[str, str]:
        """Its columns and their KQL types; an identifier is in one of two."""
        return {f"{self.name}{suffix}": kql_type for suffix, kql_type in _COLUMNS[self.kind]}


_COLUMNS = {
    Kind.TEXT: (("_s", "string"),),
    Kind.IDENTIFIER: (("_g", "guid"), ("_s", "string")),
    Kind.MOMENT: (("_t", "datetime"),),
    Kind.NUMBER: (("_d", "real"),),
    Kind.FLAG: (("_b", "bool"),),
    Kind.JSON: (("_s", "string"),),
}


def _fields(kind: Kind, names: str) -> tuple[Field, ...]:
    return tuple(Field(name, kind) for name in names.split())


EVENT_FIELDS: tuple[Field, ...] = (
    *_fields(Kind.MOMENT, "timestamp"),
    *_fields(Kind.IDENTIFIER, "eventId accountId organizationId userId integratorKey"),
    *_fields(Kind.IDENTIFIER, "affectedUserId referencedUserId"),
    *_fields(Kind.TEXT, "site userAgent ipAddress object action property field result source"),
    *_fields(Kind.FLAG, "isUserMemberOfDomain referencedUserIsMemberOfDomain affectedUserIsMemberOfDomain"),
    *_fields(Kind.TEXT, "proxyStatus proxyType proxyLevel"),
    *_fields(Kind.NUMBER, "latitude longitude"),
    *_fields(Kind.TEXT, "city state country browser device os"),
    *_fields(Kind.JSON, "userAgentClientInfo data additionalFields"),
)

HEALTH_FIELDS: tuple[Field, ...] = (
    *_fields(Kind.IDENTIFIER, "runId organizationId"),
    *_fields(Kind.TEXT, "version lane outcome"),
    *_fields(Kind.NUMBER, "pages events batches retries deadLetters durationSeconds lagSeconds"),
    *_fields(Kind.TEXT, "error api ingestion"),
)

USER_FIELDS: tuple[Field, ...] = (
    *_fields(Kind.IDENTIFIER, "userId accountId organizationId sweepId"),
    *_fields(
        Kind.TEXT, "userName email firstName lastName userStatus membershipStatus permissionProfileName"
    ),
    *_fields(Kind.FLAG, "isAdmin deleted"),
    *_fields(Kind.MOMENT, "lastLogin createdDateTime"),
)

ACCOUNT_FIELDS: tuple[Field, ...] = (
    *_fields(Kind.IDENTIFIER, "accountId organizationId sweepId"),
    *_fields(Kind.TEXT, "accountName baseUri"),
    *_fields(Kind.FLAG, "isDefault deleted"),
)

TABLES: dict[str, tuple[Field, ...]] = {
    "": EVENT_FIELDS,
    "Health": HEALTH_FIELDS,
    "Users": USER_FIELDS,
    "Accounts": ACCOUNT_FIELDS,
}
"""The fields of each table, by what follows LOG_TYPE in its name."""

TIME_FIELD = "timestamp"
"""The field of an event row that becomes `TimeGenerated`."""


def table_columns(fields: tuple[Field, ...]) -> dict[str, str]:
    """A table's columns and their KQL types, without Azure's own besides `TimeGenerated`."""
    columns = {"TimeGenerated": "datetime"}
    for field in fields:
        columns |= field.columns
    return columns
