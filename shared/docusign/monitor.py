"""The Monitor API, v2.0 and v3, behind one interface: `page(cursor) -> Page`.

Sources: DocuSign's Monitor API reference (v2.0 "lens", v3 "organizations").
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared.docusign.answers import trace
from shared.docusign.client import DocuSignClient
from shared.errors import AnswerTooLarge, ServiceUnavailable
from shared.web import Answer

V2, V3 = "v2", "v3"

_NEAR_ZERO = 0.02
"""The share of the hour's calls that is left to the customer's own applications."""
_NEAR_ZERO_CALLS = 10


@dataclass(frozen=True)
class Page:
    """One answer of the stream.

    Attributes:
        events: What it brought, in insertion order; mostly objects, but nothing is sure.
        sent: The cursor that asked for it.
        end_cursor: Where the next page starts; equal to `sent` when DocuSign has nothing more.
        api: The generation that gave it, "v2" or "v3".
        quota_low: Whether the account's calls for this hour are nearly used up.
        warning: One sentence when the stream had to be taken up at another place, else empty.
    """

    events: list[Any]
    sent: str
    end_cursor: str
    api: str
    quota_low: bool = False
    warning: str = ""

    @property
    def is_last(self) -> bool:
        """Whether DocuSign has nothing more."""
        return self.end_cursor == self.sent


class Monitor:
    """The event stream of one organization.

    Args:
        client: Signed-in requests.
        api: "v2" or "v3".
        url: The stream's address.
        page_size: Events a page, 1 to 2000; a cap, never a promise.
    """

    def __init__(self, client: DocuSignClient, api: str, url: str, page_size: int) -> None:
        self.api = api
        self._client = client
        self._url = url
        self._page_size = page_size
        self._events_key = "data" if api == V2 else "resultData"

    def page(self, cursor: str) -> Page:
        """The events after the cursor, which may also be an ISO date-time."""
        content, answer = self._asked(cursor)
        events, end_cursor = self._parts(content, answer)
        return Page(events, cursor, end_cursor or cursor, self.api, _quota_low(answer))

    def _asked(self, cursor: str) -> tuple[Any, Answer]:
        """What the stream answers; a page that is too large to be held is asked for again with fewer events."""
        while True:
            try:
                return self._client.get(self._url, {"cursor": cursor, "limit": str(self._page_size)})
            except AnswerTooLarge:
                if self._page_size == 1:
                    raise
                self._page_size = max(1, self._page_size // 4)

    def _parts(self, content: Any, answer: Answer) -> tuple[list[Any], str | None]:
        if isinstance(content, dict) and content.keys() & {self._events_key, "endCursor"}:
            events, end_cursor = content.get(self._events_key), content.get("endCursor")
            # events under another generation's name must not pass for an empty page
            elsewhere = events is None and any(
                isinstance(value, list) and value for value in content.values()
            )
            if isinstance(events, list | None) and _is_cursor(end_cursor) and not elsewhere:
                return events or [], end_cursor
        raise ServiceUnavailable(
            f"{self._url}: the answer has not the shape of a page of events. {trace(answer)}"
        )


def _is_cursor(value: Any) -> bool:
    """Whether it can be sent back: a text without lone surrogates, or none at all."""
    return value is None or (isinstance(value, str) and value.encode(errors="replace").decode() == value)


def monitor_v2(client: DocuSignClient, base_url: str, page_size: int) -> Monitor:
    """The stream of v2.0: the organization is the impersonated user's only one."""
    return Monitor(client, V2, f"{base_url}/api/v2.0/datasets/monitor/stream", page_size)


def monitor_v3(client: DocuSignClient, base_url: str, organization_id: str, page_size: int) -> Monitor:
    """The stream of v3: the organization is named."""
    return Monitor(client, V3, f"{base_url}/v1/organizations/{organization_id}/stream", page_size)


def _quota_low(answer: Answer) -> bool:
    remaining = answer.number("x-ratelimit-remaining")
    limit = answer.number("x-ratelimit-limit") or 0.0
    return remaining is not None and remaining <= max(_NEAR_ZERO_CALLS, limit * _NEAR_ZERO)


class Pace:
    """Keeps the starts of two requests apart (DocuSign's own samples page with 3 to 5 s in between)."""

    def __init__(
        self, seconds: float, sleep: Callable[[float], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._sleep = sleep
        self._clock = clock
        self._next = 0.0

    def __call__(self) -> None:
        """Wait until the next request may start.

        Raises:
            RunOver: The run was asked to stop meanwhile, where the given sleep tells so.
        """
        self._sleep(self._next - self._clock())
        self._next = self._clock() + self._seconds
