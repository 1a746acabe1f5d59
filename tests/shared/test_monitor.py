from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from shared.docusign.monitor import V2, V3, Monitor, Pace, Page, monitor_v2, monitor_v3
from shared.errors import AnswerTooLarge, ServiceUnavailable
from shared.web import Answer, Request, Transport
from tests.shared.fakes import TRACE, Wire, json_answer, make_client, never
from tests.support import ManualClock, make_budget

ORGANIZATION = "0a6e6c5c-9c5d-4b8a-8d1e-2f6b0c9d7e11"
KEYS = {V2: "data", V3: "resultData"}

both = pytest.mark.parametrize("api", [V2, V3])


def make_monitor(api: str, send: Transport) -> Monitor:
    """Give the stream of either generation."""
    if api == V2:
        return monitor_v2(make_client(send), "https://lens.docusign.net", 2000)
    return monitor_v3(make_client(send), "https://api.docusign.com", ORGANIZATION, 1500)


def page_of(api: str, content: Any, **headers: str) -> Page:
    """Give the page that an answer to the cursor c1 makes."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return make_monitor(api, Wire(json_answer(200, content, {**TRACE, **given}))).page("c1")


@pytest.mark.parametrize(
    ("api", "address", "limit"),
    [
        (V2, "https://lens.docusign.net/api/v2.0/datasets/monitor/stream", "2000"),
        (V3, f"https://api.docusign.com/v1/organizations/{ORGANIZATION}/stream", "1500"),
    ],
)
def test_request(api: str, address: str, limit: str) -> None:
    """Each generation has its documented address; cursor and limit are always sent."""
    wire = Wire(json_answer(200, {KEYS[api]: [], "endCursor": "c2"}))
    make_monitor(api, wire).page("2026-11-01T00:00:00.000Z")
    url = urlsplit(wire.requests[0].url)

    assert address == f"{url.scheme}://{url.netloc}{url.path}"
    assert {"cursor": "2026-11-01T00:00:00.000Z", "limit": limit} == dict(parse_qsl(url.query))


@both
def test_page(api: str) -> None:
    """A page holds its events in order, whatever they are, and both cursors."""
    events: list[Any] = [{"eventId": "1"}, {"eventId": "2"}, None, "odd", 7]
    page = page_of(api, {KEYS[api]: events, "endCursor": "c2"})

    assert Page(events, "c1", "c2", api) == page
    assert not page.is_last


@both
@pytest.mark.parametrize("end_cursor", [{"endCursor": None}, {"endCursor": ""}, {}, {"endCursor": "c1"}])
def test_unmoved_cursor(api: str, end_cursor: dict[str, Any]) -> None:
    """A null, empty or missing endCursor means the old one; the events are taken, and the page is the last."""
    page = page_of(api, {KEYS[api]: [{"eventId": "1"}], **end_cursor})

    assert ("c1", [{"eventId": "1"}]) == (page.end_cursor, page.events)
    assert page.is_last


@both
@pytest.mark.parametrize("shape", ["null", "empty", "missing"])
def test_empty_page(api: str, shape: str) -> None:
    """An empty page in any shape is not the last where its cursor has moved."""
    content: dict[str, Any] = {"endCursor": "c2"}
    if shape != "missing":
        content[KEYS[api]] = None if shape == "null" else []
    page = page_of(api, content)

    assert ([], "c2", False) == (page.events, page.end_cursor, page.is_last)


@both
@pytest.mark.parametrize(
    "content",
    [
        None,
        7,
        "text",
        [],
        [{"eventId": "1"}],
        {},
        {"error": "maintenance"},
        {"data": {}, "resultData": {}, "endCursor": "c2"},
        {"data": "x", "resultData": "x", "endCursor": "c2"},
        {"data": [], "resultData": [], "endCursor": 7},
        {"data": [], "resultData": [], "endCursor": ["c2"]},
        {"events": [{"eventId": "1"}], "endCursor": "c2"},
    ],
)
def test_malformed(api: str, content: Any) -> None:
    """What has not the shape of a page is never passed as an empty one, and is told with the trace token."""
    with pytest.raises(
        ServiceUnavailable, match=r"not the shape of a page of events\. Trace token: trace-4711$"
    ):
        page_of(api, content)


def test_the_other_generations_shape() -> None:
    """Events under the other generation's name are not lost behind a cursor that moves on."""
    events = [{"eventId": "1"}]

    with pytest.raises(ServiceUnavailable):
        page_of(V2, {"resultData": events, "endCursor": "c2"})
    with pytest.raises(ServiceUnavailable):
        page_of(V3, {"data": events, "endCursor": "c2"})


@both
def test_unknown_names_beside_the_events(api: str) -> None:
    """What DocuSign may add to a page does not disturb it."""
    content = {KEYS[api]: [{"eventId": "1"}], "endCursor": "c2", "warnings": ["a"], "count": 1}

    assert [{"eventId": "1"}] == page_of(api, content).events


@pytest.mark.parametrize(
    ("headers", "low"),
    [
        ({}, False),
        ({"X_RateLimit_Remaining": "1500", "X_RateLimit_Limit": "3000"}, False),
        ({"X_RateLimit_Remaining": "61", "X_RateLimit_Limit": "3000"}, False),
        ({"X_RateLimit_Remaining": "60", "X_RateLimit_Limit": "3000"}, True),
        ({"X_RateLimit_Remaining": "0", "X_RateLimit_Limit": "3000"}, True),
        ({"X_RateLimit_Remaining": "10"}, True),
        ({"X_RateLimit_Remaining": "11"}, False),
        ({"X_RateLimit_Remaining": "many"}, False),
        ({"X_RateLimit_Limit": "3000"}, False),
    ],
)
def test_quota_low(headers: dict[str, str], *, low: bool) -> None:
    """The last calls of the hour are seen coming, where DocuSign tells how many are left."""
    lower = {name.lower(): value for name, value in headers.items()}

    assert low is page_of(V2, {"data": [], "endCursor": "c2"}, **lower).quota_low


def test_failed_page() -> None:
    """A page that fails for a moment is asked for again."""
    wire = Wire(json_answer(200, {"data": [1], "endCursor": "c2"}), Answer(502))

    assert [1] == make_monitor(V2, wire).page("c1").events


def test_pace(clock: ManualClock) -> None:
    """Requests start so many seconds apart; one that took longer itself is not waited for."""
    pace = Pace(3.0, make_budget(clock).sleep, clock)
    starts = []
    for took in (0.5, 1.0, 7.0, 0.0):
        pace()
        starts.append(clock.now)
        clock.now += took

    assert [1000.0, 1003.0, 1006.0, 1013.0] == starts


def test_a_page_that_is_too_large_is_asked_for_with_fewer_events() -> None:
    """Events of 34 KB by the thousand are more than is held: the limit goes down until the page can be taken."""
    limits: list[int] = []

    def service(request: Request) -> Answer:
        limits.append(int(request.url.rpartition("limit=")[2]))
        if limits[-1] > 200:
            raise AnswerTooLarge("too large")
        return json_answer(200, {"resultData": [], "endCursor": "c1"})

    monitor = monitor_v3(make_client(Wire(service)), "https://api", "0a6e", 2000)
    page, _ = monitor.page("c0"), monitor.page("c1")

    assert ([2000, 500, 125, 125], "c1") == (limits, page.end_cursor)


def test_one_event_that_is_too_large() -> None:
    """Where even one event is, nothing is left to try."""

    def service(request: Request) -> Answer:
        raise AnswerTooLarge("too large")

    with pytest.raises(AnswerTooLarge):
        monitor_v3(make_client(Wire(service)), "https://api", "0a6e", 2000).page("c0")


def test_a_cursor_that_cannot_be_sent_back() -> None:
    """A lone surrogate in a cursor is an answer of another shape, and no traceback."""
    answer = Answer(200, {}, b'{"resultData":[],"endCursor":"c\\ud800"}')

    with pytest.raises(ServiceUnavailable, match="not the shape of a page"):
        monitor_v3(make_client(Wire(answer), never()), "https://api", "0a6e", 10).page("c0")
