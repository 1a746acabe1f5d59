"""The Monitor API in both generations: the same stream at two addresses."""

import re

import orjson

from sandbox.docusign.answers import api_error, json, not_found
from sandbox.docusign.stream import DEFAULT_LIMIT, HIGHEST_LIMIT, InvalidCursorError, Stream
from sandbox.web import Request, Response

V2_PATH = "/api/v2.0/datasets/monitor/stream"
V3_PATH = re.compile(r"/v1/organizations/([^/]+)/stream")


class Monitor:
    """Answers requests for the stream.

    Args:
        stream: The events.
        organization_id: The organization the stream belongs to.
        entitled: Whether the organization has bought Monitor.

    Attributes:
        entitled: As given.
        is_administrator: Whether the user may read the organization's events.
        organizations: How many organizations the user administers; v2.0 refuses two or more.
        v2: Whether v2.0 is there; when off it answers 404.
        v3: Whether v3 is there; when off it answers 404.
    """

    def __init__(self, stream: Stream, organization_id: str, *, entitled: bool) -> None:
        self.entitled = entitled
        self.is_administrator = True
        self.organizations = 1
        self.v2 = True
        self.v3 = True
        self._stream = stream
        self._organization_id = organization_id

    def answer_v2(self, request: Request) -> Response:
        """Answer `GET /api/v2.0/datasets/monitor/stream`."""
        if not self.v2:
            return not_found()
        if self.organizations > 1:
            return api_error(403, "FORBIDDEN", "The user is an administrator of more than one organization.")
        if not self.entitled:
            return Response(403)
        return self._refusal() or self._page(request, "data")

    def answer_v3(self, request: Request, organization_id: str) -> Response:
        """Answer `GET /v1/organizations/{organizationId}/stream`."""
        if not self.v3:
            return not_found()
        if organization_id.lower() != self._organization_id:
            return api_error(403, "FORBIDDEN", "The user does not belong to the organization.")
        if not self.entitled:
            return json(403, {"error": "Organization does not have Monitor entitlement"})
        return self._refusal() or self._page(request, "resultData")

    def _refusal(self) -> Response | None:
        if self.is_administrator:
            return None
        message = "The user is neither Organization Administrator nor Security Reports Administrator."
        return api_error(403, "FORBIDDEN", message)

    def _page(self, request: Request, field: str) -> Response:
        limit = _limit(request.query.get("limit", str(DEFAULT_LIMIT)))
        if limit is None:
            return api_error(400, "INVALID_LIMIT", f"The limit must be a number from 1 to {HIGHEST_LIMIT}.")
        try:
            page = self._stream.page(request.query.get("cursor", ""), limit)
        except InvalidCursorError as error:
            return api_error(400, "INVALID_CURSOR", str(error))
        body = b'{"endCursor":%b,"%b":%b}' % (orjson.dumps(page.end_cursor), field.encode(), page.events)
        return Response(200, body, {"Content-Type": "application/json; charset=utf-8"})


def _limit(text: str) -> int | None:
    limit = int(text) if text.isascii() and text.isdigit() else 0
    return limit if 1 <= limit <= HIGHEST_LIMIT else None
