import gzip
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from sandbox.identity import IdentityEndpoint
from sandbox.web import Request, Response
from sandbox.workspace.data_collector import Post
from sandbox.workspace.kql import query
from sandbox.workspace.logs_ingestion import MAX_CALL_BYTES, MAX_FIELD_BYTES, Flow, LogsIngestion
from sandbox.workspace.store import Workspace

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOST = "example-abcd.eastus-1.ingest.monitor.azure.com"
RULE = "dcr-0123456789abcdef0123456789abcdef"
STREAM = "Custom-Things_CL"
GUID = "7d444840-9dc0-11d1-b245-5ffdce74fad2"
AUDIENCE = "https://monitor.azure.com"
COLUMNS = {"at": "datetime", "id": "string", "name": "string", "size": "real", "good": "boolean"}
TABLE = {
    "TimeGenerated": "datetime",
    "id_g": "guid",
    "id_s": "string",
    "name_s": "string",
    "size_d": "real",
    "good_b": "bool",
}
TRANSFORMATION = """
source
| extend id_g = toguid(id)
| project TimeGenerated = iif(isnull(at), now(), at), id_g, id_s = iif(isnull(id_g), id, ""), name_s = name,
    size_d = size, good_b = good, unknown_s = name
"""

identity = IdentityEndpoint("id")


@pytest.fixture
def end(tmp_path: Path) -> Iterator[LogsIngestion]:
    """A rule with one flow to an empty workspace, at a fixed time."""
    flow = Flow("Things_CL", TABLE, COLUMNS, TRANSFORMATION)
    with Workspace(tmp_path / "w.duckdb", clock=lambda: NOW) as workspace:
        yield LogsIngestion(
            workspace, RULE, {STREAM: flow}, lambda token: identity.valid(token, AUDIENCE), lambda: NOW
        )


def request(body: bytes, headers: Mapping[str, str] | None = None) -> Request:
    """A post as a client should send it, with some headers changed."""
    sent = {
        "content-type": "application/json",
        "content-encoding": "gzip",
        "authorization": f"Bearer {identity.token(AUDIENCE)}",
        **(headers or {}),
    }
    path = f"/dataCollectionRules/{RULE}/streams/{STREAM}"
    return Request("POST", HOST, path, {"api-version": "2023-01-01"}, sent, body)


def post(end: LogsIngestion, *records: Any) -> Response:
    """The answer to a post of these records."""
    return end(request(gzip.compress(orjson.dumps(records), mtime=0)))


def outcome(response: Response) -> tuple[int, str]:
    """The status and the error's code."""
    return response.status, orjson.loads(response.body)["error"]["code"] if response.body else ""


def rows(end: LogsIngestion, columns: str) -> list[tuple[Any, ...]]:
    """What the table holds in these columns."""
    return query(end.workspace, f"Things_CL | project {columns}").rows


def test_a_post_is_taken(end: LogsIngestion) -> None:
    """204 without a body, a request id, and the rows in the table."""
    response = post(end, {"name": "a"}, {"name": "b", "size": 2, "good": True})

    assert (204, b"") == (response.status, response.body)
    assert 36 == len(response.headers["x-ms-request-id"])
    assert [("a", None, None), ("b", 2.0, True)] == rows(end, "name_s, size_d, good_b")
    assert [Post("Things_CL", 2, 48)] == end.posts


def test_the_table_has_its_columns_from_the_first_row_on(end: LogsIngestion) -> None:
    """Columns come from the schema, not from values; what the table lacks is dropped in silence."""
    post(end, {"undeclared": 1})

    assert TABLE | {"Type": "string"} == end.workspace.columns("Things_CL")


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        (GUID, (GUID, "")),
        (GUID.upper(), (GUID, "")),
        (f"{{{GUID}}}", (GUID, "")),
        (f"({GUID})", (GUID, "")),
        (GUID.replace("-", ""), (GUID, "")),
        (f"urn:uuid:{GUID}", (None, f"urn:uuid:{GUID}")),
        (GUID[:-1], (None, GUID[:-1])),
        (f"{GUID[1:9]}-{GUID[9:]}", (None, f"{GUID[1:9]}-{GUID[9:]}")),
        ("masked", (None, "masked")),
        (None, (None, "")),
    ],
)
def test_toguid_is_kustos(end: LogsIngestion, identifier: str | None, expected: tuple[Any, ...]) -> None:
    """The forms that .NET reads are GUIDs, hyphens in odd places are not."""
    post(end, {"id": identifier})

    assert [expected] == rows(end, "id_g, id_s")


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (timedelta(hours=1), NOW - timedelta(hours=1)),
        (timedelta(hours=47.9), NOW - timedelta(hours=47.9)),
        (timedelta(hours=48.1), NOW),
        (timedelta(seconds=-1), NOW),
    ],
)
def test_old_and_future_times_become_the_time_of_arrival(
    end: LogsIngestion, age: timedelta, expected: datetime
) -> None:
    """`TimeGenerated` is the transformation's only within two days before arrival."""
    post(end, {"at": (NOW - age).isoformat()})

    assert [(expected,)] == rows(end, "TimeGenerated")


def test_now_is_the_time_of_arrival(end: LogsIngestion) -> None:
    """The transformation's clock is that of each post."""
    moments = [NOW, NOW + timedelta(minutes=5)]
    coming = iter(moments)
    end.clock = lambda: next(coming)
    for _ in moments:
        post(end, {"name": "x"})

    assert [(moment,) for moment in moments] == rows(end, "TimeGenerated")


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01T00:00:00Z"])
def test_a_time_that_cannot_be_read_is_null(end: LogsIngestion, text: str) -> None:
    """The row is taken, with the time of arrival."""
    post(end, {"at": text})

    assert [(NOW,)] == rows(end, "TimeGenerated")


def test_long_values_are_cut_in_silence(end: LogsIngestion) -> None:
    """64 KB of UTF-8 are kept, without half a character."""
    post(end, {"name": "x" + "ä" * 40_000})
    ((kept,),) = rows(end, "name_s")

    assert MAX_FIELD_BYTES - 1 == len(kept.encode())
    assert 1 == end.cuts


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": ""},
        {"authorization": "Bearer x.y.z"},
        {"authorization": f"Bearer {identity.token('https://vault.azure.net')}"},
        {"authorization": f"Basic {identity.token(AUDIENCE)}"},
    ],
)
def test_a_token_must_be_for_azure_monitor(end: LogsIngestion, headers: dict[str, str]) -> None:
    """No token, a forged one, or one for another audience is refused."""
    response = end(request(gzip.compress(b"[]", mtime=0), headers))

    assert (401, "InvalidToken") == outcome(response)


def test_the_identity_needs_the_role(end: LogsIngestion) -> None:
    """A good token without the role on the rule gets 403."""
    end.granted = False

    assert (403, "OperationFailed") == outcome(post(end, {"name": "a"}))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"/dataCollectionRules/dcr-other/streams/{STREAM}", (404, "NotFound")),
        (f"/dataCollectionRules/{RULE}/streams/Custom-Other_CL", (400, "InvalidStream")),
        ("/api/logs", (404, "NotFound")),
    ],
)
def test_rule_and_stream_must_be_known(end: LogsIngestion, path: str, expected: tuple[int, str]) -> None:
    """Another rule, stream or path is refused."""
    response = end(replace(request(gzip.compress(b"[]", mtime=0)), path=path))

    assert expected == outcome(response)


def test_the_version_must_be_known(end: LogsIngestion) -> None:
    """A post without the api-version is refused."""
    assert (400, "UnsupportedApiVersion") == outcome(end(replace(request(b""), query={})))


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_a_megabyte_is_the_most_before_compression(end: LogsIngestion, encoding: str) -> None:
    """One byte less passes, one more is 413, compressed or not."""
    frame = len(orjson.dumps([{"other": ""}]))
    answers = []
    for size in (MAX_CALL_BYTES, MAX_CALL_BYTES + 1):
        body = orjson.dumps([{"other": "x" * (size - frame)}])
        packed = gzip.compress(body, mtime=0) if encoding == "gzip" else body
        answers.append(end(request(packed, {"content-encoding": encoding})).status)

    assert [204, 413] == answers


@pytest.mark.parametrize(
    "body",
    [
        b"no gzip",
        gzip.compress(b'[{"name": "a"}]', mtime=0)[:-4],
        gzip.compress(b"{", mtime=0),
        gzip.compress(b'{"name": "a"}', mtime=0),
        gzip.compress(b'[{"name": "a"}, 1]', mtime=0),
        gzip.compress(b'[{"name": {"nested": 1}}]', mtime=0),
        gzip.compress(b'[{"name": 1}]', mtime=0),
        gzip.compress(b'[{"size": "1"}]', mtime=0),
        gzip.compress(b'[{"size": true}]', mtime=0),
        gzip.compress(b'[{"good": "true"}]', mtime=0),
        gzip.compress(b'[{"at": 1}]', mtime=0),
    ],
)
def test_a_body_that_is_not_as_declared_is_refused_whole(end: LogsIngestion, body: bytes) -> None:
    """Nothing of it is kept."""
    response = end(request(body))

    assert (400, "InvalidRequest") == outcome(response)
    assert ([], []) == (end.posts, end.workspace.tables())


def test_the_content_type_is_looked_at(end: LogsIngestion) -> None:
    """Only JSON is taken."""
    response = end(request(gzip.compress(b"[]", mtime=0), {"content-type": "text/plain"}))

    assert (415, "UnsupportedMediaType") == outcome(response)


def test_a_poisonous_record_spoils_its_post(end: LogsIngestion) -> None:
    """As with the other end, a test can name records that are not taken."""
    end.refuse = lambda record: record.get("name") == "bad"
    answers = [outcome(post(end, {"name": "good"}, {"name": "bad"})), outcome(post(end, {"name": "good"}))]

    assert [(400, "InvalidRequest"), (204, "")] == answers
    assert [("good",)] == rows(end, "name_s")


def test_a_transformation_is_quick_enough_for_a_week(end: LogsIngestion) -> None:
    """A thousand rows take well under half a second, so that 21,000 take less than ten."""
    post(end, {"name": "the first one compiles"})
    start = time.process_time()
    post(end, *[{"id": GUID, "name": "a", "size": 1.5, "good": True} for _ in range(1_000)])

    assert time.process_time() - start < 0.45
