"""The fields of a row, written down once.

Both ingestion APIs get the same rows. A field's kind never changes from row to row: the Data Collector API
makes a second column (`userId_s` beside `userId_g`) when it does.
"""

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a field holds, and so which column type it gets."""

    TEXT = "string"
    MOMENT = "datetime"
    NUMBER = "real"
    FLAG = "boolean"
    JSON = "json"  # a JSON text in a string column: what is nested stays in one column


@dataclass(frozen=True)
class Field:
    """One field of a row."""

    name: str
    kind: Kind


def _fields(kind: Kind, names: str) -> tuple[Field, ...]:
    return tuple(Field(name, kind) for name in names.split())


EVENT_FIELDS: tuple[Field, ...] = (
    *_fields(Kind.MOMENT, "timestamp"),
    *_fields(Kind.TEXT, "eventId site accountId organizationId userId integratorKey userAgent ipAddress"),
    *_fields(Kind.TEXT, "object action property field result source affectedUserId referencedUserId"),
    *_fields(Kind.FLAG, "isUserMemberOfDomain referencedUserIsMemberOfDomain affectedUserIsMemberOfDomain"),
    *_fields(Kind.TEXT, "proxyStatus proxyType proxyLevel"),
    *_fields(Kind.NUMBER, "latitude longitude"),
    *_fields(Kind.TEXT, "city state country browser device os"),
    *_fields(Kind.JSON, "userAgentClientInfo data additionalFields"),
)

HEALTH_FIELDS: tuple[Field, ...] = (
    *_fields(Kind.TEXT, "runId version outcome"),
    *_fields(Kind.NUMBER, "pages events batches retries deadLetters durationSeconds lagSeconds"),
    *_fields(Kind.TEXT, "error api ingestion"),
)

TIME_FIELD = "timestamp"
"""The field of an event row that becomes `TimeGenerated`."""
