from collections.abc import Callable
from dataclasses import replace

import pytest

from shared.docusign.monitor import V2, V3, Page, monitor_v2, monitor_v3
from shared.docusign.stream import EventStream
from shared.errors import ConnectorError, CursorRefused, DocuSignRefused, NothingThere
from shared.position import Position
from shared.retry import Retry
from shared.web import Answer, Request
from tests.shared.fakes import TRACE, Wire, json_answer, make_client, make_retry

TICKS = "aa_639307693200000000_639307692000000000_1"
"""A cursor behind an event of 2026-11-20, 11:00, which was inserted at 11:02."""
POSITION = Position(
    TICKS, V3, "2026-11-20T12:00:00.000Z", "5e7d0000-0000-4000-8000-000000000005", "2026-11-20T11:00:00Z"
)
V3_PAGE = json_answer(200, {"resultData": [{"eventId": "3"}], "endCursor": "three"})
V2_PAGE = json_answer(200, {"data": [{"eventId": "2"}], "endCursor": "two"})


def is_v3(request: Request) -> bool:
    """Tell whether the request is for v3."""
    return "/v1/organizations/" in request.url


def make_wire(*v3: Answer, v2: Answer = V2_PAGE) -> Wire:
    """Give both generations: v3 follows a script of answers, the last of which stays."""
    script = list(v3)
    return Wire(lambda request: v2 if not is_v3(request) else script.pop(0) if len(script) > 1 else script[0])


def make_stream(
    wire: Wire, apis: str = "auto", pace: Callable[[], None] = lambda: None, retry: Retry | None = None
) -> EventStream:
    """Give a stream of the generations that the setting allows."""
    client = make_client(wire, retry or make_retry())
    v2, v3 = monitor_v2(client, "https://lens", 10), monitor_v3(client, "https://api", "0a6e", 10)
    return EventStream({"auto": [v3, v2], V2: [v2], V3: [v3]}[apis], pace)


def cursors(wire: Wire) -> list[tuple[str, str]]:
    """Give the generation and the cursor of each request."""
    return [
        (V3 if is_v3(r) else V2, r.url.partition("cursor=")[2].partition("&")[0].replace("%3A", ":"))
        for r in wire.requests
    ]


def test_page_after_a_position() -> None:
    """The saved cursor is sent as it is to the generation that gave it."""
    wire = make_wire(V3_PAGE)

    assert Page([{"eventId": "3"}], TICKS, "three", V3) == make_stream(wire).page(POSITION)
    assert [(V3, TICKS)] == cursors(wire)


def test_first_page() -> None:
    """A start, which no generation gave, is sent to the preferred one, without a warning."""
    wire = make_wire(V3_PAGE)
    page = make_stream(wire).page(Position("2026-11-13T00:00:00.000Z", "", "2026-11-20T00:00:00.000Z"))

    assert [(V3, "2026-11-13T00:00:00.000Z")] == cursors(wire)
    assert "" == page.warning


def test_auto_takes_v2_on_404() -> None:
    """Where v3 has nothing, v2 is asked, at once and for the rest of the run."""
    wire = make_wire(Answer(404))
    stream = make_stream(wire)
    page = stream.page(replace(POSITION, api=V2, cursor="old"))
    stream.page(replace(POSITION, api=V2, cursor="two"))

    assert (V2, "", "two") == (page.api, page.warning, page.end_cursor)
    # v2's cursor means nothing to v3, which is therefore asked by time
    assert [(V3, "2026-11-20T10:50:00.000Z"), (V2, "old"), (V2, "two")] == cursors(wire)


@pytest.mark.parametrize("body", [b"", b"Organization does not have Monitor entitlement"])
def test_403_never_flips(body: bytes) -> None:
    """A 403 is reported, and the other generation is not asked."""
    wire = make_wire(Answer(403, TRACE, body))

    with pytest.raises(DocuSignRefused, match="trace-4711"):
        make_stream(wire).page(POSITION)

    assert [(V3, TICKS)] == cursors(wire)


@pytest.mark.parametrize("apis", [V2, V3])
def test_404_without_another_generation(apis: str) -> None:
    """Where only one generation may be asked, its 404 is raised."""
    with pytest.raises(NothingThere):
        make_stream(make_wire(Answer(404), v2=Answer(404)), apis).page(replace(POSITION, api=apis))


def test_404_of_both() -> None:
    """Where neither is there, the run fails."""
    with pytest.raises(NothingThere):
        make_stream(make_wire(Answer(404), v2=Answer(404))).page(POSITION)


@pytest.mark.parametrize(("apis", "before"), [(V2, V3), (V3, V2), ("auto", V2)])
def test_other_generation_than_before(apis: str, before: str) -> None:
    """A cursor of the other generation is not sent: the stream goes on before the last event, with a warning."""
    wire = make_wire(V3_PAGE)
    page = make_stream(wire, apis).page(replace(POSITION, api=before))
    now = V2 if apis == V2 else V3

    assert [(now, "2026-11-20T10:52:00.000Z")] == cursors(wire)
    assert (
        f"The cursor was given by the Monitor API {before}, and {now} is asked now: the stream goes on from "
        "2026-11-20T10:52:00.000Z, ten minutes before the insertion that the cursor tells; some events "
        "come twice"
    ) == page.warning


def test_time_serves_both_generations() -> None:
    """An ISO date-time in the cursor's place is good for either generation, without a warning."""
    wire = make_wire(V3_PAGE)
    page = make_stream(wire, V3).page(replace(POSITION, cursor="2026-11-19T00:00:00.000Z", api=V2))

    assert ([(V3, "2026-11-19T00:00:00.000Z")], "") == (cursors(wire), page.warning)


@pytest.mark.parametrize("status", [400, 410, 422])
@pytest.mark.parametrize(
    ("position", "restart"),
    [
        (POSITION, "2026-11-20T10:52:00.000Z"),
        (replace(POSITION, last_event_time="0001-01-01T00:00:00Z"), "2026-11-20T10:52:00.000Z"),
        (replace(POSITION, cursor="opaque"), "2026-11-20T10:50:00.000Z"),
        (Position("opaque", V3, "", origin="2026-11-13T00:00:00.000Z"), "2026-11-13T00:00:00.000Z"),
    ],
)
def test_expired_cursor(status: int, position: Position, restart: str) -> None:
    """A cursor that is refused twice is replaced by a time before what was delivered, and it is told."""
    wire, paced = make_wire(Answer(status, TRACE), Answer(status, TRACE), V3_PAGE), list[int]()
    page = make_stream(wire, pace=lambda: paced.append(len(wire.requests))).page(position)

    assert [(V3, position.cursor), (V3, position.cursor), (V3, restart)] == cursors(wire)
    assert f"trace-4711: the stream goes on from {restart}, " in page.warning
    assert page.warning.endswith("; some events come twice")
    assert (restart, "three", [{"eventId": "3"}]) == (page.sent, page.end_cursor, page.events)
    assert [0, 1] == paced


def test_one_stray_refusal() -> None:
    """A single refusal of a good cursor moves nothing: it is asked with once more."""
    wire = make_wire(Answer(400, TRACE), V3_PAGE)
    page = make_stream(wire).page(POSITION)

    assert ([(V3, TICKS)] * 2, "") == (cursors(wire), page.warning)


def test_refused_time() -> None:
    """Where even a time is refused there is nothing left to try: the run fails, loudly."""
    wire = make_wire(Answer(400))

    with pytest.raises(CursorRefused):
        make_stream(wire).page(replace(POSITION, cursor="2026-11-19T00:00:00.000Z"))

    assert 2 == len(wire.requests)


def test_a_refused_time_that_docusign_gave() -> None:
    """A date-time that is not the stream's own beginning is a cursor like any other: it is recovered from."""
    given = replace(POSITION, cursor="2026-11-19T00:00:00.000Z", origin="2026-11-13T00:00:00.000Z")
    wire = make_wire(Answer(400), Answer(400), V3_PAGE)
    page = make_stream(wire).page(given)

    assert "2026-11-18T23:50:00.000Z" == page.sent


def test_refused_restart() -> None:
    """A restart that is refused as well is not repeated."""
    wire = make_wire(Answer(400))

    with pytest.raises(CursorRefused):
        make_stream(wire).page(POSITION)

    assert 3 == len(wire.requests)


def test_restart_that_finds_nothing_there() -> None:
    """A 404 in the middle of a restart leads to the other generation all the same."""
    page = make_stream(make_wire(Answer(400), Answer(400), Answer(404))).page(POSITION)

    assert (V2, "two") == (page.api, page.end_cursor)
    assert "the stream goes on from" in page.warning


def test_throttling_is_no_refusal_of_the_cursor() -> None:
    """A 400 that means the hour's calls are used up never restarts the stream."""
    busy = json_answer(400, {"errorCode": "HOURLY_APIINVOCATION_LIMIT_EXCEEDED"})
    wire = make_wire(busy, V3_PAGE)

    assert "" == make_stream(wire).page(POSITION).warning
    assert [(V3, TICKS)] * 2 == cursors(wire)


def test_pace_before_every_page() -> None:
    """A page is asked for at the pace of the stream, however the one before it ended."""
    paced: list[int] = []
    wire = make_wire(Answer(403), V3_PAGE)
    stream = make_stream(wire, pace=lambda: paced.append(len(wire.requests)))
    with pytest.raises(ConnectorError):
        stream.page(POSITION)
    stream.page(POSITION)

    assert [0, 1] == paced
