import base64
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from sandbox.web import Request, Response
from sandbox.workspace.data_collector import MAX_BODY_BYTES, DataCollector, Post, sign
from sandbox.workspace.kql import query
from sandbox.workspace.store import Workspace

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WORKSPACE_ID = "0aa11bb2-1111-4222-8333-444455556666"
KEY = base64.b64encode(b"k" * 64).decode()
OTHER_KEY = base64.b64encode(b"o" * 64).decode()
GUID = "7d444840-9dc0-11d1-b245-5ffdce74fad2"


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[DataCollector]:
    """An empty workspace's Data Collector end, at a fixed time."""
    with Workspace(tmp_path / "w.duckdb", clock=lambda: NOW) as workspace:
        yield DataCollector(workspace, WORKSPACE_ID, [KEY], lambda: NOW)


def signed(
    body: bytes, headers: Mapping[str, str | None] | None = None, *, key: str = KEY, at: datetime = NOW
) -> Request:
    """A post as the connector sends it, with some headers changed or, where None, left out."""
    date = format_datetime(at, usegmt=True)
    sent = {
        "content-type": "application/json",
        "log-type": "DocuSignMonitor",
        "x-ms-date": date,
        "authorization": f"SharedKey {WORKSPACE_ID}:{sign(key, date, len(body))}",
        **(headers or {}),
    }
    return Request(
        "POST",
        f"{WORKSPACE_ID}.ods.opinsights.azure.com",
        "/api/logs",
        {"api-version": "2016-04-01"},
        {name: value for name, value in sent.items() if value is not None},
        body,
    )


def post(collector: DataCollector, *records: dict[str, Any], time_field: str = "") -> Response:
    """The answer to a post of these records."""
    return collector(signed(orjson.dumps(records), {"time-generated-field": time_field}))


def outcome(response: Response) -> tuple[int, str]:
    """The status and the error's code."""
    return response.status, orjson.loads(response.body)["Error"] if response.body else ""


def rows(collector: DataCollector, columns: str) -> list[tuple[Any, ...]]:
    """What the table holds in these columns."""
    return query(collector.workspace, f"DocuSignMonitor_CL | project {columns}").rows


def test_a_post_is_taken(collector: DataCollector) -> None:
    """A signed post gets 200 with an empty body and a request id, and its rows are in the table."""
    response = post(collector, {"action": "Login"}, {"action": "Logout"})

    assert (200, b"") == (response.status, response.body)
    assert len(response.headers["x-ms-request-id"]) == 36
    assert [("Login",), ("Logout",)] == rows(collector, "action_s")
    assert [Post("DocuSignMonitor_CL", 2, 40)] == collector.posts


def test_suffixes_follow_the_values(collector: DataCollector) -> None:
    """Each value lands in the column of its type; nulls and empty strings land nowhere."""
    record = {
        "text": "x", "flag": False, "count": 0, "ratio": 1.5, "id": GUID,
        "at": "2026-03-01T10:00:00.1234567+01:00", "day": "2026-03-01", "none": None, "empty": "",
    }  # fmt: skip
    post(collector, record)

    assert {
        "text_s": "string", "flag_b": "bool", "count_d": "real", "ratio_d": "real", "id_g": "guid",
        "at_t": "datetime", "day_s": "string", "TimeGenerated": "datetime", "Type": "string",
    } == collector.workspace.columns("DocuSignMonitor_CL")  # fmt: skip
    assert [("x", False, 0.0, GUID, datetime(2026, 3, 1, 9, 0, 0, 123456, UTC))] == rows(
        collector, "text_s, flag_b, count_d, id_g, at_t"
    )


@pytest.mark.parametrize(
    ("first", "then", "column", "stored"),
    [
        (1, "2.5", "v_d", 2.5),
        (True, "False", "v_b", False),
        ("x", 7, "v_s", "7"),
        ("x", True, "v_s", "true"),
        ("x", GUID, "v_s", GUID),
        ("x", "2026-03-01T10:00:00.1234567Z", "v_s", "2026-03-01T10:00:00.1234567Z"),
        (GUID, "not a guid", "v_s", "not a guid"),
        (1, "many", "v_s", "many"),
        (1, True, "v_b", True),
        (True, 1, "v_d", 1.0),
    ],
)
def test_a_drifting_value_goes_where_it_can(
    collector: DataCollector, first: object, then: object, column: str, stored: object
) -> None:
    """An existing column takes what converts to it; what does not convert makes a second column."""
    post(collector, {"v": first})
    post(collector, {"v": then})

    assert (stored,) in rows(collector, column)


def test_the_column_of_its_own_type_comes_first(collector: DataCollector) -> None:
    """With both columns there, a GUID goes to the GUID column again."""
    post(collector, {"userId": GUID}, {"userId": "unknown"}, {"userId": GUID.upper()})

    assert [(GUID, ""), (None, "unknown"), (GUID, "")] == rows(collector, "userId_g, userId_s")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01T11:59:00Z", NOW - timedelta(minutes=1)),
        ("2026-02-27T12:00:00Z", NOW - timedelta(days=2)),
        ("2026-02-27T11:59:59Z", NOW),
        ("2026-03-01T12:00:01Z", NOW),
        ("yesterday", NOW),
    ],
)
def test_time_generated(collector: DataCollector, text: str, expected: datetime) -> None:
    """The named field is the row's time, unless it is too old, in the future, or no time at all."""
    post(collector, {"timestamp": text}, time_field="timestamp")

    assert [(expected,)] == rows(collector, "TimeGenerated")


def test_the_named_field_keeps_a_column(collector: DataCollector) -> None:
    """An event's own time is stored beside TimeGenerated, however old it is."""
    post(collector, {"timestamp": "2025-01-01T00:00:00Z"}, time_field="timestamp")

    assert [(datetime(2025, 1, 1, tzinfo=UTC),)] == rows(collector, "timestamp_t")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{}", b'{"a":1}', b"[1]", b'["a"]', b"[null]", b'[{"a":1},[]]', b'[{"a":NaN}]',
        b'[{"a":1e999}]', b'[{"a":"\xff"}]', b'[{"a":"\\ud800"}]', b'[{"a":1}]x', b'[{"a":1},]',
        b'[{"a":{"b":1}}]', b'[{"a":[1]}]', b'[{"a-b":1}]', b'[{"":1}]', b'[{"TimeGenerated":"x"}]',
        b'[{"%s":1}]' % (b"n" * 44), b'[{"A":1,"a":1}]',
    ],
)  # fmt: skip
def test_bad_bodies_are_refused_whole(collector: DataCollector, body: bytes) -> None:
    """What is no array of flat records with good names is InvalidDataFormat, and nothing is kept of it."""
    assert (400, "InvalidDataFormat") == outcome(collector(signed(body)))
    assert [] == collector.workspace.tables()


def test_a_name_of_45_characters_with_its_suffix_is_taken(collector: DataCollector) -> None:
    """The limit counts the suffix."""
    assert 200 == post(collector, {"n" * 43: 1}).status


def test_the_500th_column_is_the_last(collector: DataCollector) -> None:
    """A table has at most 500 columns; a post that needs one more is refused."""
    system = 2
    assert 200 == post(collector, {f"c{n}": 1 for n in range(500 - system)}).status
    assert (400, "InvalidDataFormat") == outcome(post(collector, {"more": 1}))
    assert 200 == post(collector, {"c1": 1}).status


def test_a_long_value_is_cut_in_silence(collector: DataCollector) -> None:
    """A value over 32 KB of UTF-8 is cut on a character boundary; the cut is counted."""
    assert 200 == post(collector, {"a": "x" + "é" * 20_000, "b": "x" * 32_768}).status

    assert [("x" + "é" * 16_383, "x" * 32_768)] == rows(collector, "a_s, b_s")
    assert 1 == collector.cuts


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"log-type": None}, (400, "MissingLogType")),
        ({"log-type": "Docu-Sign"}, (400, "InvalidLogType")),
        ({"log-type": "x" * 101}, (400, "InvalidLogType")),
        ({"log-type": ""}, (400, "InvalidLogType")),
        ({"content-type": None}, (400, "MissingContentType")),
        ({"content-type": "text/plain"}, (400, "UnsupportedContentType")),
        ({"x-ms-date": None}, (403, "InvalidAuthorization")),
        ({"x-ms-date": "2026-03-01T12:00:00Z"}, (403, "InvalidAuthorization")),
        ({"authorization": None}, (403, "InvalidAuthorization")),
        ({"authorization": "SharedKey é"}, (403, "InvalidAuthorization")),
    ],
)
def test_bad_headers_are_refused(
    collector: DataCollector, headers: dict[str, str | None], expected: tuple[int, str]
) -> None:
    """Each header that is missing or wrong has its own error."""
    assert expected == outcome(collector(signed(b'[{"a":1}]', headers)))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"path": "/api/log"}, (404, "NotFound")),
        ({"method": "GET"}, (404, "NotFound")),
        ({"host": "another.ods.opinsights.azure.com"}, (400, "InvalidCustomerId")),
        ({"query": {}}, (400, "MissingApiVersion")),
        ({"query": {"api-version": "2020-01-01"}}, (400, "InvalidApiVersion")),
    ],
)
def test_bad_addresses_are_refused(
    collector: DataCollector, change: dict[str, Any], expected: tuple[int, str]
) -> None:
    """Path, method, host and version are checked before the signature."""
    request = Request(**{**vars(signed(b'[{"a":1}]')), **change})

    assert expected == outcome(collector(request))


@pytest.mark.parametrize(
    ("age", "status"), [(timedelta(minutes=15), 200), (timedelta(minutes=15, seconds=1), 403)]
)
@pytest.mark.parametrize("side", [1, -1])
def test_a_signature_ages(collector: DataCollector, age: timedelta, status: int, side: int) -> None:
    """The date may be 15 minutes off, to either side."""
    assert status == collector(signed(b'[{"a":1}]', at=NOW + side * age)).status


def test_the_signature_covers_bytes(collector: DataCollector) -> None:
    """A length in characters is the classic mistake, and fails on the first name with an accent."""
    text = '[{"name":"Zoë"}]'
    date = format_datetime(NOW, usegmt=True)
    wrong = f"SharedKey {WORKSPACE_ID}:{sign(KEY, date, len(text))}"

    assert 200 == collector(signed(text.encode())).status
    assert (403, "InvalidAuthorization") == outcome(
        collector(signed(text.encode(), {"authorization": wrong}))
    )


def test_keys_rotate(collector: DataCollector) -> None:
    """Either key signs while both are valid, and the old one fails once it is gone."""
    collector.keys = [KEY, OTHER_KEY]
    both = [collector(signed(b'[{"a":1}]', key=key)).status for key in (KEY, OTHER_KEY)]
    collector.keys = [OTHER_KEY]
    after = [collector(signed(b'[{"a":1}]', key=key)).status for key in (KEY, OTHER_KEY)]

    assert ([200, 200], [403, 200]) == (both, after)


@pytest.mark.parametrize("status", [413, 404])
def test_30_mb_is_the_limit(collector: DataCollector, status: int) -> None:
    """A body over 30 MB is refused with either of the two answers that occur."""
    collector.too_large_status = status

    assert status == collector(signed(b" " * (MAX_BODY_BYTES + 1))).status


def test_one_poisonous_record_spoils_its_post(collector: DataCollector) -> None:
    """A test can make a record that the service will not take; its neighbours are refused with it."""
    collector.refuse = lambda record: record["a"] == "poison"

    assert (400, "InvalidDataFormat") == outcome(post(collector, {"a": "good"}, {"a": "poison"}))
    assert 200 == post(collector, {"a": "good"}).status
    assert [("good",)] == rows(collector, "a_s")


def test_what_is_taken_is_told(collector: DataCollector) -> None:
    """The callback has every record of a post that was taken, and of no other."""
    told: list[tuple[str, list[dict[str, Any]]]] = []
    collector.on_rows = lambda table, records: told.append((table, records))

    post(collector, {"eventId": GUID})
    post(collector, {"nested": {}})

    assert [("DocuSignMonitor_CL", [{"eventId": GUID}])] == told


@pytest.mark.parametrize("suffix", ["com", "us", "cn"])
def test_every_cloud_is_served(collector: DataCollector, suffix: str) -> None:
    """The public, the US Government and the China cloud have hosts of their own."""
    host = f"{WORKSPACE_ID}.ods.opinsights.azure.{suffix}"
    request = Request(**{**vars(signed(b'[{"a":1}]')), "host": host})

    assert 200 == collector(request).status
    assert host in collector.hosts
