"""The end of the Log Analytics query API: other processes query while the sandbox holds the file."""

from datetime import datetime, timedelta
from typing import Any

import orjson

from sandbox.web import Request, Response, Service, json_response
from sandbox.workspace.kql import QueryError, query, timespan
from sandbox.workspace.store import Workspace

HOSTS = ("api.loganalytics.azure.com", "api.loganalytics.io")
"""The hosts of the query API in the public cloud."""


def query_api(workspace: Workspace, workspace_id: str) -> Service:
    """Return a service for `POST /v1/workspaces/{id}/query` with the body `{"query": "..."}`.

    The token is not looked at. Dynamic values come as JSON text, as from the service.
    """
    path = f"/v1/workspaces/{workspace_id}/query".lower()

    def answer(request: Request) -> Response:
        if request.path.lower() != path:
            return _error(404, "PathNotFoundError", "The requested path does not exist.")
        if request.method != "POST":
            return _error(405, "MethodNotAllowed", "A query is posted.")
        text = _query(request.body)
        if text is None:
            return _error(400, "BadArgumentError", 'The body is not {"query": "..."}.')
        return _answer(workspace, text)

    return answer


def _query(body: bytes) -> str | None:
    try:
        value = orjson.loads(body)
    except ValueError:
        return None
    text = value.get("query") if isinstance(value, dict) else None
    return text if isinstance(text, str) else None


def _answer(workspace: Workspace, text: str) -> Response:
    try:
        result = query(workspace, text)
    except QueryError as error:
        inner = {"code": error.code, "message": str(error)}
        return _error(400, "BadArgumentError", f"The query cannot run: {error}", inner)
    kinds = [kind for _, kind in result.columns]
    table = {
        "name": "PrimaryResult",
        "columns": [{"name": name, "type": kind} for name, kind in result.columns],
        "rows": [[_json(v, kind) for v, kind in zip(row, kinds, strict=True)] for row in result.rows],
    }
    return json_response(200, {"tables": [table]})


def _json(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "dynamic":
        return orjson.dumps(value).decode()
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return timespan(value)
    return value if isinstance(value, str | int | float) else str(value)


def _error(status: int, code: str, message: str, inner: dict[str, str] | None = None) -> Response:
    error: dict[str, Any] = {"code": code, "message": message}
    return json_response(status, {"error": error | ({"innererror": inner} if inner else {})})
