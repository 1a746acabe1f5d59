"""The end of the Logs Ingestion API: one data collection rule, with its checks and its transformation.

::

    path -> API version -> token -> role -> rule -> stream -> size -> gzip -> size -> records
         -> columns of the stream -> transformation -> TimeGenerated -> columns of the table

Nothing of a post is kept unless all of it is. What the documentation leaves open is refused here: a value
that is nested, or of another type than its column in the stream, fails in the sandbox and not in production.
"""

import re
import threading
import uuid
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import orjson
import streaming_kql

from sandbox.web import Request, Response, json_response
from sandbox.workspace.columns import date_time
from sandbox.workspace.data_collector import Post
from sandbox.workspace.store import Workspace, utc_now

MAX_CALL_BYTES = 1024 * 1024
MAX_FIELD_BYTES = 64 * 1024

_API_VERSION = "2023-01-01"
_MAX_AGE = timedelta(days=2)
_PATH = re.compile(r"/dataCollectionRules/(?P<rule>[^/]+)/streams/(?P<stream>[^/]+)")
_HEX = r"[0-9a-fA-F]"
_GUID = re.compile(
    rf"{_HEX}{{32}}|(?P<open>[{{(])?{_HEX}{{8}}(-{_HEX}{{4}}){{3}}-{_HEX}{{12}}(?(open)[)}}])", re.ASCII
)
_GZIP = 16 + zlib.MAX_WBITS

Record = dict[str, Any]


def _toguid(value: object) -> str | None:
    """KQL's `toguid`; the library's own takes hyphens anywhere."""
    fits = isinstance(value, str) and _GUID.fullmatch(value)
    return str(uuid.UUID(str(value).strip("{}()"))) if fits else None


streaming_kql.function("toguid")(_toguid)


class _RefusedError(Exception):
    """The answer to a post that is not taken."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.answer = json_response(status, {"error": {"code": code, "message": message}})


class Flow:
    """One data flow of a rule, from a stream to a table.

    Args:
        table: The table's name, with its `_CL`.
        columns: The KQL type of each of the table's columns.
        stream: The type of each column of the stream, by the names of a rule.
        transformation: The flow's `transformKql`.
    """

    def __init__(
        self, table: str, columns: Mapping[str, str], stream: Mapping[str, str], transformation: str
    ) -> None:
        self.table = table
        self.columns = dict(columns)
        self._stream = dict(stream)
        self._transformation = transformation

    @cached_property
    def _query(self) -> Any:
        """The compiled transformation; made when it is needed, for it takes half a second."""
        return streaming_kql.compile(self._transformation)

    def rows(self, records: list[Record], now: datetime) -> tuple[list[Record], int]:
        """Return the table's rows for the records, and how many values were cut to 64 KB."""
        self._query._compiled._opts.now = now  # noqa: SLF001  the library fixes the clock when it compiles
        rows, cuts = [], 0
        for index, record in enumerate(records):
            row, cut = self._typed(index, record)
            cuts += cut
            for out in self._query.transform(row):
                kept = {name: value for name, value in out.items() if name in self.columns}
                kept["TimeGenerated"] = _time_generated(kept.get("TimeGenerated"), now)
                rows.append(kept)
        return rows, cuts

    def _typed(self, index: int, record: Record) -> tuple[Record, int]:
        """Return the record's values for the stream's columns; strings that are missing are empty."""
        row: Record = {}
        cuts = 0
        for name, kind in self._stream.items():
            value = record.get(name)
            if value is None:
                row[name] = "" if kind == "string" else None
                continue
            if not isinstance(value, _JSON_TYPES[kind]) or (kind == "real" and isinstance(value, bool)):
                raise _RefusedError(400, "InvalidRequest", f"Record {index}: {name!r} is no {kind}.")
            row[name] = value
            if kind == "datetime":
                row[name] = date_time(value)
            elif kind == "string" and len(value) * 4 > MAX_FIELD_BYTES:
                row[name] = value.encode()[:MAX_FIELD_BYTES].decode(errors="ignore")
                cuts += row[name] != value
        return row, cuts


_JSON_TYPES: dict[str, Any] = {"string": str, "datetime": str, "boolean": bool, "real": int | float}


@dataclass(eq=False)
class LogsIngestion:
    """A service for the ingestion endpoint of one data collection rule.

    Attributes:
        workspace: Takes the rows.
        rule_id: The rule's immutable id.
        flows: The rule's data flows, by the stream's name.
        valid: Whether a token is good for Azure Monitor.
        clock: An aware time.
        granted: Whether the identity has the role Monitoring Metrics Publisher on the rule.
        refuse: Names records that the service does not take; one of them spoils its whole post.
        on_rows: Called with the table and the records of each post that was taken, one post at a time.
        posts: The posts that were taken, in order; their size is that before compression.
        cuts: How many values were cut to 64 KB, which the service does in silence.
    """

    workspace: Workspace
    rule_id: str
    flows: Mapping[str, Flow]
    valid: Callable[[str], bool]
    clock: Callable[[], datetime] = utc_now
    granted: bool = True
    refuse: Callable[[Record], bool] | None = None
    on_rows: Callable[[str, list[Record]], None] | None = None
    posts: list[Post] = field(default_factory=list, init=False)
    cuts: int = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __call__(self, request: Request) -> Response:
        """Take the post, or refuse it with the service's error."""
        try:
            flow = self._checked(request)
            self._take(flow, _body(request))
            answer = Response(204)
        except _RefusedError as error:
            answer = error.answer
        return Response(answer.status, answer.body, {**answer.headers, "x-ms-request-id": str(uuid.uuid4())})

    def _checked(self, request: Request) -> Flow:
        path = _PATH.fullmatch(request.path)
        if path is None or request.method != "POST":
            raise _RefusedError(404, "NotFound", f"{request.method} {request.path} is not served.")
        if request.query.get("api-version") != _API_VERSION:
            raise _RefusedError(400, "UnsupportedApiVersion", f"The api-version must be {_API_VERSION}.")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not self.valid(token):
            raise _RefusedError(401, "InvalidToken", "The token is missing, expired or for another audience.")
        if path["rule"] != self.rule_id:
            raise _RefusedError(404, "NotFound", f"Data collection rule {path['rule']} is not found.")
        if not self.granted:
            raise _RefusedError(403, "OperationFailed", "The token does not have access to the rule.")
        if path["stream"] not in self.flows:
            raise _RefusedError(400, "InvalidStream", f"The rule has no stream {path['stream']}.")
        return self.flows[path["stream"]]

    def _take(self, flow: Flow, body: bytes) -> None:
        records = self._records(body)
        with self._lock:
            rows, cuts = flow.rows(records, self.clock())
            self.workspace.append(flow.table, flow.columns, rows)
            self.cuts += cuts
            self.posts.append(Post(flow.table, len(records), len(body)))
            if self.on_rows is not None:
                self.on_rows(flow.table, records)

    def _records(self, body: bytes) -> list[Record]:
        try:
            records = orjson.loads(body)
        except ValueError as error:
            raise _RefusedError(400, "InvalidRequest", f"The body is no JSON: {error}") from error
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            raise _RefusedError(400, "InvalidRequest", "The body is not a JSON array of objects.")
        if self.refuse is not None and any(self.refuse(record) for record in records):
            raise _RefusedError(400, "InvalidRequest", "A record has a value that the service does not take.")
        return records


def _body(request: Request) -> bytes:
    """Return the body without its compression, which must not hide more than the limit."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise _RefusedError(415, "UnsupportedMediaType", "The Content-Type is not application/json.")
    _check_size(len(request.body))
    if request.headers.get("content-encoding", "") != "gzip":
        return request.body
    reader = zlib.decompressobj(_GZIP)
    try:
        body = reader.decompress(request.body, MAX_CALL_BYTES + 1)
    except zlib.error as error:
        raise _RefusedError(400, "InvalidRequest", "The body is no gzip.") from error
    _check_size(len(body))
    if not reader.eof:
        raise _RefusedError(400, "InvalidRequest", "The gzip breaks off.")
    return body


def _check_size(size: int) -> None:
    if size > MAX_CALL_BYTES:
        raise _RefusedError(413, "ContentLengthLimitExceeded", "The body is over 1 MB.")


def _time_generated(moment: object, now: datetime) -> datetime:
    return moment if isinstance(moment, datetime) and now - _MAX_AGE <= moment <= now else now
