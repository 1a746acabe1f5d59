import base64
import hashlib
import hmac
from email.utils import formatdate

import pytest

from shared.answers import rule_for
from shared.errors import ConnectorError, IngestionRefused, SecretError, ServiceUnavailable
from shared.ingestion.api import BatchRefused
from shared.ingestion.data_collector import ANSWERS, DataCollector
from shared.ingestion.rows import EncodedRow, encode_event
from shared.retry import Retry
from shared.web import Answer, Request, Transport
from tests.shared.fakes import (
    WORKSPACE_KEY,
    WORKSPACE_KEY_SECRET,
    Behaviour,
    FakeVault,
    Wire,
    json_answer,
    loses_answer,
    make_retry,
    make_secrets,
    never,
    unreachable,
)
from tests.support import WORKSPACE_ID, ManualClock, make_event, make_settings

NOW = 1795251600.0
ROWS = [
    EncodedRow('{"eventId":"1","city":"Zürich","userAgent":"☂ 𝄞"}'.encode(), {}),
    EncodedRow(b'{"a":1}', {}),
]
BODY = b"[" + ROWS[0].body + b"," + ROWS[1].body + b"]"
TAKEN = Answer(200)
FORBIDDEN = json_answer(403, {"Error": "InvalidAuthorization", "Message": "-"})

HEALED = [408, 429, 500, 502, 503, 504]
STOPPED: list[tuple[int, str, str]] = [
    (400, "InactiveCustomer", "the workspace is closed"),
    (400, "InvalidCustomerId", "WORKSPACE_ID is no workspace's id"),
    (400, "InvalidLogType", "LOG_TYPE is not taken"),
    (400, "MissingLogType", "LOG_TYPE is not taken"),
    (400, "MissingApiVersion", "Check WORKSPACE_ID, LOG_TYPE and AZURE_CLOUD"),
    (400, "", "Check WORKSPACE_ID, LOG_TYPE and AZURE_CLOUD"),
    (401, "", "the secret workspace-key does not hold a key of the workspace"),
    (403, "InvalidAuthorization", "the secret workspace-key does not hold a key of the workspace"),
    (202, "", "an answer that it does not document"),
    (302, "", "an answer that it does not document"),
    (405, "", "an answer that it does not document"),
]
SPLIT: list[tuple[int, str, bool, str]] = [
    (400, "InvalidDataFormat", False, "refuses the record's format"),
    (413, "", False, "too large for the workspace"),
    (404, "", True, "no workspace at this address, or the post is too large"),
]


def make_collector(
    send: Transport,
    vault: FakeVault | None = None,
    retry: Retry | None = None,
    now: ManualClock | None = None,
    **environ: str,
) -> DataCollector:
    """Give a client of a workspace that a transport stands for."""
    secrets = make_secrets(vault or FakeVault())
    settings = make_settings(**environ)
    return DataCollector(settings, secrets, send, retry or make_retry(), now=now or ManualClock(NOW))


def signed(request: Request, key: str) -> bool:
    """Tell whether the signature is right, by Microsoft's text: over the length of the body in bytes."""
    text = "\n".join(
        [
            "POST",
            str(len(request.body or b"")),
            "application/json",
            f"x-ms-date:{request.headers['x-ms-date']}",
            "/api/logs",
        ]
    )
    digest = hmac.digest(base64.b64decode(key), text.encode("utf-8"), hashlib.sha256)
    return f"SharedKey {WORKSPACE_ID}:{base64.b64encode(digest).decode()}" == request.headers["Authorization"]


def test_request() -> None:
    """A post goes to the documented address with the documented headers, its rows as one JSON array."""
    wire = Wire(TAKEN)
    make_collector(wire).post("DocuSignMonitor", ROWS, "timestamp")
    (request,) = wire.requests
    headers = request.headers

    assert (
        "POST",
        f"https://{WORKSPACE_ID}.ods.opinsights.azure.com/api/logs?api-version=2016-04-01",
        BODY,
    ) == (request.method, request.url, request.body)
    assert ("application/json", "DocuSignMonitor") == (headers["Content-Type"], headers["Log-Type"])
    assert ("timestamp", "Sat, 21 Nov 2026 09:00:00 GMT") == (
        headers["time-generated-field"],
        headers["x-ms-date"],
    )


def test_signature_is_over_bytes() -> None:
    """Names beyond ASCII do not break the signature, whose length is that of the bytes."""
    wire = Wire(TAKEN)
    make_collector(wire).post("DocuSignMonitor", ROWS, None)

    assert len(BODY) != len(BODY.decode())
    assert signed(wire.requests[0], WORKSPACE_KEY)


def test_signature_over_a_real_event() -> None:
    """The row of an event with umlauts is signed as it is posted."""
    wire = Wire(TAKEN)
    row = encode_event(make_event(city="Łódź", userAgent="日本"), DataCollector.field_limit)
    make_collector(wire).post("DocuSignMonitor", [row], "timestamp")

    assert signed(wire.requests[0], WORKSPACE_KEY)
    assert "Łódź".encode() in (wire.requests[0].body or b"")


@pytest.mark.parametrize(("left", "seconds"), [(480.0, 120.0), (60.0, 60.0), (0.0, 5.0)])
def test_an_attempt_ends_with_the_run(left: float, seconds: float) -> None:
    """No post may take longer than the run has time, but for a fair attempt."""
    wire = Wire(TAKEN)
    make_collector(wire, retry=make_retry(seconds=left)).post("DocuSignMonitor", ROWS, None)

    assert [seconds] == [request.seconds for request in wire.requests]


def test_no_time_field() -> None:
    """Without a field for the time there is no header for it: its value would be taken for a name."""
    wire = Wire(TAKEN)
    make_collector(wire).post("DocuSignMonitorHealth", ROWS, None)

    assert "time-generated-field" not in wire.requests[0].headers


@pytest.mark.parametrize(
    ("cloud", "suffix"),
    [("AzureUSGovernment", "ods.opinsights.azure.us"), ("AzureChinaCloud", "ods.opinsights.azure.cn")],
)
def test_other_clouds(cloud: str, suffix: str) -> None:
    """Another cloud has another address."""
    wire = Wire(TAKEN)
    make_collector(wire, AZURE_CLOUD=cloud).post("DocuSignMonitor", ROWS, None)

    assert f"{WORKSPACE_ID}.{suffix}" == wire.requests[0].host


def test_signed_anew_for_each_attempt() -> None:
    """A signature ages: after a pause the date and the signature are new, and the body is the same."""
    clock = ManualClock(NOW)
    retry = make_retry(clock)
    wire = Wire(TAKEN, Answer(503, {"retry-after": "90"}), unreachable, loses_answer)
    make_collector(wire, retry=retry, now=clock).post("DocuSignMonitor", ROWS, "timestamp")
    dates = [request.headers["x-ms-date"] for request in wire.requests]

    assert 4 == len(wire.requests)
    assert [True] * 4 == [signed(request, WORKSPACE_KEY) for request in wire.requests]
    assert (formatdate(NOW, usegmt=True), formatdate(NOW + 90, usegmt=True)) == (dates[0], dates[1])
    assert {BODY} == {request.body for request in wire.requests}


@pytest.mark.parametrize("status", HEALED)
def test_outlasted(status: int) -> None:
    """What heals by itself is tried again, after the pause that the workspace asks for."""
    clock = ManualClock()
    make_collector(Wire(TAKEN, Answer(status, {"retry-after": "21"})), retry=make_retry(clock)).post(
        "DocuSignMonitor", ROWS, None
    )

    assert [21.0] == clock.slept


@pytest.mark.parametrize("status", HEALED)
def test_outage_beyond_the_run(status: int) -> None:
    """An outage that outlasts the run is told with address and status."""
    with pytest.raises(ServiceUnavailable, match=rf"^https://{WORKSPACE_ID}\.ods.*/api/logs \({status}\): "):
        make_collector(Wire(Answer(status)), retry=never()).post("DocuSignMonitor", ROWS, None)


@pytest.mark.parametrize(("status", "error", "says"), STOPPED)
def test_refusals(status: int, error: str, says: str) -> None:
    """A refusal that lies in the configuration stops at once, and names the setting to look at."""
    wire = Wire(json_answer(status, {"Error": error, "Message": "-"}))

    with pytest.raises(IngestionRefused, match=says) as raised:
        make_collector(wire).post("DocuSignMonitor", ROWS, None)

    assert 1 == len(wire.requests)
    assert f"/api/logs ({status}): " in str(raised.value)
    assert not any(brace in str(raised.value) for brace in "{}")


@pytest.mark.parametrize(("status", "error", "once", "says"), SPLIT)
def test_batch_refusals(status: int, error: str, says: str, *, once: bool) -> None:
    """A refusal that lies in the batch is for whoever can halve it."""
    with pytest.raises(BatchRefused, match=says) as raised:
        make_collector(Wire(json_answer(status, {"Error": error, "Message": "-"}))).post(
            "DocuSignMonitor", ROWS, None
        )

    assert (status, once) == (raised.value.status, raised.value.once)


def test_every_line_is_tested() -> None:
    """The cases above reach every line of the table."""
    cases = [(200, ""), *((status, "") for status in HEALED)]
    cases += [(status, error) for status, error, _ in STOPPED]
    cases += [(status, error) for status, error, *_ in SPLIT]
    reached = [rule_for(ANSWERS, *case) for case in cases]

    assert [] == [rule for rule in ANSWERS if rule not in reached]


def test_key_rotation() -> None:
    """A key that the workspace no longer takes is read again, once, and the new one is gone on with."""
    vault, new = FakeVault(), base64.b64encode(b"the other key").decode()
    wire = Wire(lambda request: TAKEN if signed(request, new) else FORBIDDEN)
    collector = make_collector(wire, vault)
    with pytest.raises(IngestionRefused):
        collector.post("DocuSignMonitor", ROWS, None)
    assert (1, 2) == (len(wire.requests), len(vault.reads))
    vault.values[WORKSPACE_KEY_SECRET] = new
    collector.post("DocuSignMonitor", ROWS, None)
    collector.post("DocuSignMonitor", ROWS, None)

    assert 3 == len(vault.reads)
    assert [False, False, True, True] == [signed(request, new) for request in wire.requests]


@pytest.mark.parametrize("unusable", ["not base64!", "clé", "abc", "d29y$"])
def test_mended_key(unusable: str) -> None:
    """An unusable key is told without being shown, and read again at the next try."""
    vault = FakeVault({WORKSPACE_KEY_SECRET: unusable})
    wire = Wire(TAKEN)
    collector = make_collector(wire, vault)
    with pytest.raises(SecretError, match="workspace-key is not base64") as raised:
        collector.post("DocuSignMonitor", ROWS, None)

    assert unusable not in str(raised.value)
    assert [] == wire.requests
    vault.values[WORKSPACE_KEY_SECRET] = f"{WORKSPACE_KEY}\n"
    collector.post("DocuSignMonitor", ROWS, None)
    assert signed(wire.requests[0], WORKSPACE_KEY)


BODIES_OF_OTHERS = [
    b"<!DOCTYPE html><p>Sign in",
    b"  <html>",
    b"\xef\xbb\xbf<html><body>Access to this site is blocked by policy</body></html>",
    b"Access to this site is blocked by your organisation.",
    b'{"error":"blocked by policy","code":"DLP"}',
    b"//<!--\n<html>",
    b"\x00\x00",
    b'{"half',
    b"[1,",
    b"{}",
    b'"OK"',
    b"OK",
    b"\xef\xbb\xbf",
]
"""With status 200; the service itself sends no body."""


@pytest.mark.parametrize("body", BODIES_OF_OTHERS)
def test_success_that_is_not_believable(body: bytes) -> None:
    """A page sent as a success comes from something in between: nothing was taken, and it is sent again."""
    wire = Wire(TAKEN, Answer(200, {}, body))
    make_collector(wire).post("DocuSignMonitor", ROWS, None)

    assert 2 == len(wire.requests)
    with pytest.raises(ServiceUnavailable, match="not the workspace's"):
        make_collector(Wire(Answer(200, {}, body)), retry=never()).post("DocuSignMonitor", ROWS, None)


@pytest.mark.parametrize("body", [b"", b"\r\n"])
def test_success_that_is_believable(body: bytes) -> None:
    """An empty body is a success."""
    wire = Wire(Answer(200, {}, body))
    make_collector(wire).post("DocuSignMonitor", ROWS, None)

    assert 1 == len(wire.requests)


@pytest.mark.parametrize("step", [FORBIDDEN, Answer(400), Answer(404), Answer(503), unreachable])
def test_nothing_secret_in_any_text(step: Behaviour | Answer) -> None:
    """No refusal shows the key, the signature or a row."""
    wire = Wire(TAKEN, *[step] * 3)

    with pytest.raises((ConnectorError, BatchRefused)) as raised:
        make_collector(wire, retry=never()).post("DocuSignMonitor", ROWS, None)

    text = f"{raised.value!r} {raised.value.__context__!r}"
    shown = [WORKSPACE_KEY, wire.requests[0].headers["Authorization"].partition(":")[2], "Zürich"]
    assert [] == [secret for secret in shown if secret in text]
