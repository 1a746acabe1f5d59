"""The end of the HTTP Data Collector API, with its checks in the service's order.

::

    path -> API version -> Content-Type -> Log-Type -> size -> signature -> records -> columns -> table

Nothing of a post is kept unless all of it is. The documentation has no rule for nested values, so a record
that holds one is refused here: a client that relies on a guess fails in the sandbox and not in production.
"""

import base64
import hmac
import re
import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import orjson

from sandbox.web import Request, Response, json_response
from sandbox.workspace.columns import Columns, InvalidDataError, date_time
from sandbox.workspace.store import Workspace, utc_now

SUFFIXES = ("ods.opinsights.azure.com", "ods.opinsights.azure.us", "ods.opinsights.azure.cn")
"""The domains of the public, the US Government and the China cloud."""

MAX_BODY_BYTES = 30 * 1024 * 1024

_API_VERSION = "2016-04-01"
_MAX_SKEW = timedelta(minutes=15)
_MAX_AGE = timedelta(days=2)
_LOG_TYPE = re.compile(r"\w{1,100}", re.ASCII)

Record = dict[str, Any]


class Post(NamedTuple):
    """A post that was taken: its table, the number of its records, the bytes of its body."""

    table: str
    records: int
    size: int


class _RefusedError(Exception):
    """The answer to a post that is not taken."""

    def __init__(self, status: int, error: str, message: str) -> None:
        super().__init__(message)
        self.answer = json_response(status, {"Error": error, "Message": message})


@dataclass(eq=False)
class DataCollector:
    """A service for the hosts `<workspaceId>.ods.opinsights.azure.{com,us,cn}`.

    Attributes:
        workspace: Takes the rows.
        workspace_id: The workspace's GUID, the first label of the host.
        keys: The valid keys in base64; change the list to rotate them.
        clock: An aware time.
        refuse: Names records that the service does not take; one of them spoils its whole post.
        on_rows: Called with the table and the records of each post that was taken.
        too_large_status: The answer to more than 30 MB; both 413 and 404 occur.
        posts: The posts that were taken, in order.
        cuts: How many values were cut to 32 KB, which the service does in silence.
    """

    workspace: Workspace
    workspace_id: str
    keys: list[str]
    clock: Callable[[], datetime] = utc_now
    refuse: Callable[[Record], bool] | None = None
    on_rows: Callable[[str, list[Record]], None] | None = None
    too_large_status: int = 413
    posts: list[Post] = field(default_factory=list, init=False)
    cuts: int = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The host names that this service answers for, in lower case."""
        return tuple(f"{self.workspace_id.lower()}.{suffix}" for suffix in SUFFIXES)

    def __call__(self, request: Request) -> Response:
        """Take the post, or refuse it with the service's error."""
        try:
            self._check(request)
            self._take(request)
            answer = Response(200)
        except _RefusedError as error:
            answer = error.answer
        return Response(answer.status, answer.body, {**answer.headers, "x-ms-request-id": str(uuid.uuid4())})

    def _check(self, request: Request) -> None:
        if (request.method, request.path) != ("POST", "/api/logs"):
            raise _RefusedError(404, "NotFound", f"{request.method} {request.path} is not served.")
        if request.host not in self.hosts:
            raise _RefusedError(400, "InvalidCustomerId", "The workspace ID is not known.")
        _check_headers(request)
        if len(request.body) > MAX_BODY_BYTES:
            raise _RefusedError(self.too_large_status, "RequestTooLarge", "The body is over 30 MB.")
        self._check_date(request.headers.get("x-ms-date", ""))
        self._check_signature(request)

    def _check_date(self, text: str) -> None:
        try:
            skew = abs(parsedate_to_datetime(text) - self.clock())
        except (TypeError, ValueError):
            raise _unauthorized("x-ms-date is missing or no RFC 1123 date in GMT.") from None
        if skew > _MAX_SKEW:
            raise _unauthorized(f"x-ms-date is {skew} away from the service's clock.")

    def _check_signature(self, request: Request) -> None:
        date, size = request.headers["x-ms-date"], len(request.body)
        given = request.headers.get("authorization", "").encode()
        for key in self.keys:
            expected = f"SharedKey {self.workspace_id.lower()}:{sign(key, date, size)}".encode()
            if hmac.compare_digest(expected, _lower_id(given)):
                return
        raise _unauthorized("The workspace ID or its key is wrong.")

    def _take(self, request: Request) -> None:
        table = request.headers["log-type"] + "_CL"
        records = self._records(request.body)
        with self._lock:
            columns = Columns(self.workspace.columns(table))
            rows = self._rows(columns, records, request.headers.get("time-generated-field", ""))
            try:
                self.workspace.append(table, columns.used, rows)
            except ValueError as error:
                raise _invalid(str(error)) from error
            self.cuts += columns.cuts
            self.posts.append(Post(table, len(records), len(request.body)))
            if self.on_rows is not None:
                self.on_rows(table, records)

    def _records(self, body: bytes) -> list[Record]:
        try:
            records = orjson.loads(body)
        except ValueError as error:
            raise _invalid(f"The body is no JSON: {error}") from error
        if not isinstance(records, list) or not records:
            raise _invalid("The body is not a JSON array with records in it.")
        for index, record in enumerate(records):
            if not isinstance(record, dict):
                raise _invalid(f"Record {index} is no JSON object.")
            if self.refuse is not None and self.refuse(record):
                raise _invalid(f"Record {index} has a value that the service does not take.")
        return records

    def _rows(self, columns: Columns, records: Iterable[Record], time_field: str) -> list[Record]:
        now = self.clock()
        rows = []
        for index, record in enumerate(records):
            try:
                row = columns.row(record)
            except InvalidDataError as error:
                raise _invalid(f"Record {index}: {error}") from error
            row["TimeGenerated"] = _time_generated(record.get(time_field), now)
            rows.append(row)
        return rows


def sign(key: str, date: str, size: int) -> str:
    """Return the signature of a post: HMAC-SHA256 over its length in bytes, in base64."""
    text = f"POST\n{size}\napplication/json\nx-ms-date:{date}\n/api/logs"
    return base64.b64encode(hmac.digest(base64.b64decode(key), text.encode(), "sha256")).decode()


def _check_headers(request: Request) -> None:
    version = request.query.get("api-version")
    if version is None:
        raise _RefusedError(400, "MissingApiVersion", "The api-version was not specified.")
    if version != _API_VERSION:
        raise _RefusedError(400, "InvalidApiVersion", f"The api-version {version!r} is not supported.")
    content_type = request.headers.get("content-type")
    if content_type is None:
        raise _RefusedError(400, "MissingContentType", "Content-Type was not specified.")
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise _RefusedError(400, "UnsupportedContentType", f"{content_type!r} is not application/json.")
    log_type = request.headers.get("log-type")
    if log_type is None:
        raise _RefusedError(400, "MissingLogType", "Log-Type was not specified.")
    if not _LOG_TYPE.fullmatch(log_type):
        raise _RefusedError(400, "InvalidLogType", "Log-Type is 1 to 100 letters, digits and underscores.")


def _lower_id(authorization: bytes) -> bytes:
    scheme_and_id, colon, signature = authorization.partition(b":")
    scheme, space, workspace_id = scheme_and_id.partition(b" ")
    return scheme + space + workspace_id.lower() + colon + signature


def _time_generated(value: object, now: datetime) -> datetime:
    moment = date_time(value) if isinstance(value, str) else None
    return moment if moment is not None and now - _MAX_AGE <= moment <= now else now


def _invalid(message: str) -> _RefusedError:
    return _RefusedError(400, "InvalidDataFormat", message)


def _unauthorized(message: str) -> _RefusedError:
    return _RefusedError(403, "InvalidAuthorization", message)
