import re

from shared.ingestion.columns import EVENT_FIELDS, HEALTH_FIELDS, TIME_FIELD, Kind, table_columns

IDENTIFIERS = "eventId accountId organizationId userId integratorKey affectedUserId referencedUserId"
TEXTS = (
    "site userAgent ipAddress object action property field result source proxyStatus proxyType proxyLevel "
    "city state country browser device os"
)
FLAGS = "isUserMemberOfDomain referencedUserIsMemberOfDomain affectedUserIsMemberOfDomain"
EVENT = {
    Kind.MOMENT: {"timestamp"},
    Kind.IDENTIFIER: set(IDENTIFIERS.split()),
    Kind.TEXT: set(TEXTS.split()),
    Kind.FLAG: set(FLAGS.split()),
    Kind.NUMBER: {"latitude", "longitude"},
    Kind.JSON: {"userAgentClientInfo", "data", "additionalFields"},
}
HEALTH = {
    Kind.IDENTIFIER: {"runId", "organizationId"},
    Kind.TEXT: {"version", "lane", "outcome", "error", "api", "ingestion"},
    Kind.NUMBER: {"pages", "events", "batches", "retries", "deadLetters", "durationSeconds", "lagSeconds"},
}


def test_fields_of_the_contract() -> None:
    """The two tables have the contract's fields, each once, each of one kind."""
    for expected, fields in ((EVENT, EVENT_FIELDS), (HEALTH, HEALTH_FIELDS)):
        found = {kind: {field.name for field in fields if field.kind is kind} for kind in expected}

        assert expected == found
        assert sum(map(len, expected.values())) == len(fields)


def test_the_time_is_a_field() -> None:
    """`TimeGenerated` is taken from the event's own time."""
    assert "timestamp" == TIME_FIELD
    assert TIME_FIELD in EVENT[Kind.MOMENT]


def test_names_that_the_service_takes() -> None:
    """Names have letters only, at most 45 characters with the suffix, and none is reserved."""
    columns = {**table_columns(EVENT_FIELDS), **table_columns(HEALTH_FIELDS)}

    assert all(re.fullmatch(r"[A-Za-z]+(_[sgdbt])?", name) and len(name) <= 45 for name in columns)
    assert not {"tenant", "TimeGenerated", "RawData"} & {field.name for field in EVENT_FIELDS + HEALTH_FIELDS}
    assert len(table_columns(EVENT_FIELDS)) <= 50


def test_column_names() -> None:
    """A column has the suffix that the Data Collector API gives it; an identifier may be in one of two."""
    columns = table_columns(EVENT_FIELDS)
    some = ("TimeGenerated", "timestamp_t", "eventId_g", "eventId_s", "object_s", "latitude_d", "data_s")

    assert ["datetime", "datetime", "guid", "string", "string", "real", "string"] == [
        columns[name] for name in some
    ]
    assert "bool" == columns["isUserMemberOfDomain_b"]
    assert "object_g" not in columns
