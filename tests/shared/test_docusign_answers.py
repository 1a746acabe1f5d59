import pytest

from shared.answers import Action, rule_for
from shared.docusign.answers import API_ANSWERS, trace
from shared.errors import (
    ConnectorError,
    CursorRefused,
    DocuSignRefused,
    NothingThere,
    OperatorError,
    ServiceUnavailable,
)
from shared.web import Answer
from tests.shared.fakes import (
    TRACE,
    Behaviour,
    Wire,
    json_answer,
    make_client,
    make_retry,
    never,
    unreachable,
)
from tests.support import ManualClock

URL = "https://lens.docusign.net/api/v2.0/datasets/monitor/stream"

HEALED: list[tuple[int, str]] = [
    (400, '{"errorCode":"HOURLY_APIINVOCATION_LIMIT_EXCEEDED","message":"-"}'),
    (429, '{"error":"hourly_apiinvocation_limit_exceeded"}'),
    (400, "BURST_APIINVOCATION_LIMIT_EXCEEDED"),
    (429, "BURST_APIINVOCATION_LIMIT_EXCEEDED"),
    (429, ""),
    (408, ""),
    (500, "<html>"),
    (502, ""),
    (503, '{"errorCode":"UNSPECIFIED_ERROR"}'),
    (504, ""),
]
STOPPED: list[tuple[int, str, type[ConnectorError], str]] = [
    (401, "", DocuSignRefused, "rejects a token that it has just issued"),
    (403, "Organization does not have Monitor entitlement", DocuSignRefused, "Ask DocuSign to add Monitor"),
    (403, "", DocuSignRefused, "neither Organization Administrator nor Security Reports Administrator"),
    (404, "<html>", NothingThere, "there is nothing at this address"),
    (400, '{"error":"invalid_cursor"}', CursorRefused, "does not take the cursor"),
    (410, "", CursorRefused, "does not take the cursor"),
    (422, "", CursorRefused, "does not take the cursor"),
    (301, "", OperatorError, "redirects, which is never followed"),
    (308, "", OperatorError, "redirects, which is never followed"),
    (204, "", OperatorError, "an answer that it does not document"),
    (418, "", OperatorError, "an answer that it does not document"),
]


@pytest.mark.parametrize(("status", "body"), HEALED)
def test_outlasted(status: int, body: str) -> None:
    """What heals by itself is asked again, after the pause that DocuSign asks for."""
    clock = ManualClock()
    wire = Wire(json_answer(200, [1]), Answer(status, {"retry-after": "13"}, body.encode()))
    content, _ = make_client(wire, make_retry(clock)).get(URL)

    assert ([1], [13.0]) == (content, clock.slept)


@pytest.mark.parametrize(("status", "body"), HEALED)
def test_outage_beyond_the_run(status: int, body: str) -> None:
    """An outage that outlasts the run is told with address, status and trace token."""
    with pytest.raises(ServiceUnavailable, match=rf"^{URL} \({status}\): .*\. Trace token: trace-4711$"):
        make_client(Wire(Answer(status, TRACE, body.encode())), never()).get(URL, {"cursor": "c"})


@pytest.mark.parametrize(("status", "body", "kind", "says"), STOPPED)
def test_refusals(status: int, body: str, kind: type[ConnectorError], says: str) -> None:
    """Each refusal has its class, its cure, the address without the cursor, and the trace token."""
    wire = Wire(Answer(status, TRACE, body.encode()))

    with pytest.raises(kind, match=says) as raised:
        make_client(wire).get(URL, {"cursor": "opaque"})

    assert kind is type(raised.value)
    assert (2 if status == 401 else 1) == len(wire.requests)
    assert str(raised.value).startswith(f"{URL} ({status}): ")
    assert str(raised.value).endswith(". Trace token: trace-4711")
    assert "opaque" not in str(raised.value)


def test_every_line_is_tested() -> None:
    """The cases above reach every line of the table."""
    cases = [*HEALED, *((status, body) for status, body, *_ in STOPPED)]
    reached = [rule_for(API_ANSWERS, *case) for case in cases]

    assert [] == [rule for rule in API_ANSWERS if rule not in reached]


def test_every_status_has_a_line() -> None:
    """No status falls through, and none but 200 is taken."""
    assert all(any(rule.fits(status, "") for rule in API_ANSWERS) for status in range(100, 600))
    assert Action.TAKE not in {rule.action for rule in API_ANSWERS}


@pytest.mark.parametrize("body", [b"<html>Sign in", b"", b'{"data":[', b"\xff"])
def test_success_that_is_no_json(body: bytes) -> None:
    """A 200 without JSON is half an answer, or somebody else's: it is asked again, and told with the trace."""
    strange = Answer(200, TRACE, body)
    content, _ = make_client(Wire(json_answer(200, {"data": []}), strange)).get(URL)

    assert {"data": []} == content
    with pytest.raises(ServiceUnavailable, match=r"the answer is not JSON\. Trace token: trace-4711$"):
        make_client(Wire(strange), never()).get(URL)


@pytest.mark.parametrize("step", [unreachable])
def test_lost_exchange_is_outlasted(step: Behaviour) -> None:
    """A broken connection is made again."""
    content, _ = make_client(Wire(json_answer(200, 7), step, step)).get(URL)

    assert 7 == content


def test_trace_of_an_answer_without_one() -> None:
    """An answer that does not come from DocuSign says so by having no trace token."""
    assert ("Trace token: none", "Trace token: trace-4711") == (trace(Answer(500)), trace(Answer(500, TRACE)))
