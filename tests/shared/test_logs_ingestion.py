import gzip
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ServiceRequestError

from shared.errors import IngestionRefused, ServiceUnavailable
from shared.ingestion.api import BatchRefused
from shared.ingestion.columns import EVENT_FIELDS, Kind
from shared.ingestion.logs_ingestion import RECORD_FAULTS, LogsIngestion
from shared.ingestion.rows import EncodedRow, encode_event
from shared.retry import Retry
from shared.web import Answer, Request
from tests.shared.roads import (
    ENDPOINT,
    RULE_ID,
    SCOPE,
    Tokens,
    logs_ingestion_road,
    logs_settings,
    make_retry,
)
from tests.support import ManualClock, make_budget, make_event

TAKEN = Answer(204)


@dataclass
class Script:
    """A transport that gives these answers in turn, then 204, and keeps the requests."""

    answers: list[Answer | Exception] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer:
        """Give the next answer."""
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else TAKEN
        if isinstance(answer, Exception):
            raise answer
        return answer


def refusal(status: int, code: str = "") -> Answer:
    """An answer in the service's form."""
    return Answer(status, {}, orjson.dumps({"error": {"code": code, "message": "-"}}))


def numbered() -> Callable[[], str]:
    """Tokens that differ each time."""
    numbers = itertools.count(1)
    return lambda: f"token-{next(numbers)}"


def client(*answers: Answer | Exception, seconds: float = 480.0) -> tuple[LogsIngestion, Script]:
    """The client, and what it talks to."""
    script = Script(list(answers))
    return LogsIngestion(logs_settings(), Tokens(numbered()).monitor, script, make_retry(seconds)), script


def rows_of(*events: Any) -> list[EncodedRow]:
    """The rows of some events."""
    return [encode_event(event, LogsIngestion.field_limit) for event in events or (make_event(),)]


def post(ingestion: LogsIngestion, *events: Any) -> None:
    """Post the events in one batch."""
    ingestion.post("DocuSignMonitor", rows_of(*events), "timestamp")


# --- the request ------------------------------------------------------------------------------------------


def test_a_post_is_what_the_service_asks_for() -> None:
    """Address, version, token, and a gzip of the rows as a JSON array."""
    ingestion, script = client()
    post(ingestion, make_event(), make_event(city="Köln"))
    (request,) = script.requests
    rows = orjson.loads(gzip.decompress(request.body or b""))

    assert (
        f"{ENDPOINT}/dataCollectionRules/{RULE_ID}/streams/Custom-DocuSignMonitor_CL?api-version=2023-01-01"
        == request.url
    )
    assert {
        "Authorization": "Bearer token-1",
        "Content-Type": "application/json",
        "Content-Encoding": "gzip",
    } == request.headers
    assert ["berlin", "Köln"] == [row["city"] for row in rows]


def test_a_row_over_a_megabyte_is_not_even_sent() -> None:
    """An upload that is cut off would look like an outage and block the stream."""
    ingestion, script = client()
    long = {f"field{number}": "x" * 60_000 for number in range(20)}
    with pytest.raises(BatchRefused) as refused:
        ingestion.post("DocuSignMonitor", [EncodedRow(orjson.dumps(long), long)], None)

    assert (413, False, True) == (refused.value.status, refused.value.once, refused.value.certain)
    assert "1,200,".replace(",", "") in refused.value.sentence
    assert refused.value.sentence.endswith(" bytes are more than the workspace takes in one call")
    assert [] == script.requests


def test_a_row_of_a_megabyte_is_sent() -> None:
    """A body of exactly the limit is the service's to judge."""
    ingestion, script = client(Answer(204))
    ingestion.post("DocuSignMonitor", [EncodedRow(b"x" * (1024 * 1024 - 2), {})], None)

    assert 1024 * 1024 == len(gzip.decompress(script.requests[0].body or b""))


def test_a_body_is_the_same_whenever_it_is_made() -> None:
    """The compression writes no time, so that a repeated post is byte for byte the same."""
    ingestion, script = client(Answer(204))
    post(ingestion)

    assert b"\0\0\0\0" == (script.requests[0].body or b"")[4:8]


@pytest.mark.parametrize(("left", "seconds"), [(480.0, 120.0), (60.0, 60.0), (0.0, 5.0)])
def test_an_attempt_ends_with_the_run(left: float, seconds: float) -> None:
    """No post may take longer than the run has time, but for a fair attempt."""
    ingestion, script = client(Answer(204), seconds=left)
    post(ingestion)

    assert [seconds] == [request.seconds for request in script.requests]


# --- the answers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "code"), [*((400, code) for code in RECORD_FAULTS), (413, "")])
def test_what_the_records_are_to_blame_for_is_halved(status: int, code: str) -> None:
    """A body that is refused for its content, or its size, is refused as a batch."""
    ingestion, _ = client(refusal(status, code))
    with pytest.raises(BatchRefused) as refused:
        post(ingestion)

    assert (status, False) == (refused.value.status, refused.value.once)


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (400, "InvalidStream", ["Custom-DocuSignMonitor_CL", "LOG_TYPE"]),
        (400, "InvalidDcrImmutableId", ["DATA_COLLECTION_RULE_ID", "one region"]),
        (403, "OperationFailed", ["Monitoring Metrics Publisher", "takes minutes"]),
        (404, "NotFound", ["DATA_COLLECTION_ENDPOINT", "DATA_COLLECTION_RULE_ID", "LOG_TYPE"]),
        (400, "", ["not known to lie in its records", "a proxy in between"]),
        (400, "InvalidTransformOutput", ["Custom-DocuSignMonitor_CL", "it says InvalidTransformOutput"]),
        (400, "InvalidApiVersion", ["none is set aside"]),
        (415, "", ["does not document", "AZURE_CLOUD"]),
        (302, "", ["a proxy in between"]),
    ],
)
def test_what_a_person_must_mend_stops_the_run(status: int, code: str, words: list[str]) -> None:
    """The sentence names the setting or the role; nothing is tried again."""
    ingestion, script = client(refusal(status, code))
    with pytest.raises(
        IngestionRefused, match=r"^https://[^ ]+ingest\.monitor\.azure\.com \(\d+\): "
    ) as stopped:
        post(ingestion)

    assert [] == [word for word in words if word not in str(stopped.value)]
    assert 1 == len(script.requests)


@pytest.mark.parametrize("status", [200, 202, 408, 429, 500, 502, 503, 504])
def test_what_heals_is_tried_again(status: int) -> None:
    """Throttling, outages, and a success that the service would not word like this."""
    ingestion, script = client(refusal(status), refusal(status))
    post(ingestion)

    assert 3 == len(script.requests)


def test_retry_after_is_kept() -> None:
    """The pause is the one that the service asks for."""
    clock = ManualClock()
    script = Script([Answer(429, {"retry-after": "17"})])
    retry = Retry(make_budget(clock))
    post(LogsIngestion(logs_settings(), Tokens(numbered()).monitor, script, retry))

    assert [17.0] == clock.slept
    assert 1 == retry.count


def test_an_outage_ends_with_the_run() -> None:
    """Without time for another attempt the failure is passed on."""
    ingestion, script = client(ServiceUnavailable("down"), seconds=0.0)
    with pytest.raises(ServiceUnavailable):
        post(ingestion)

    assert 1 == len(script.requests)


# --- the token --------------------------------------------------------------------------------------------


def test_a_rejected_token_is_renewed_once() -> None:
    """After 401 the post goes on with another token."""
    ingestion, script = client(refusal(401))
    post(ingestion)

    assert ["Bearer token-1", "Bearer token-2"] == [r.headers["Authorization"] for r in script.requests]


def test_a_token_that_is_rejected_again_stops_the_run() -> None:
    """Each new token differs, and still only one is tried."""
    ingestion, script = client(*[refusal(401)] * 9)
    with pytest.raises(IngestionRefused, match="AZURE_CLOUD"):
        post(ingestion)

    assert 2 == len(script.requests)


def test_the_same_token_again_is_not_tried() -> None:
    """Where the identity endpoint has no other token, the run stops at once."""
    script = Script([refusal(401)])
    tokens = Tokens(lambda: "always the same")
    with pytest.raises(IngestionRefused):
        post(LogsIngestion(logs_settings(), tokens.monitor, script, make_retry()))

    assert (1, 1) == (len(script.requests), tokens.renewals)


def test_threads_renew_a_rejected_token_together() -> None:
    """The second thread finds the token that the first one got, and throws none away."""
    tokens = Tokens(numbered())
    token, retry = tokens.monitor, make_retry()
    rejected = token.read(retry)
    changed = [token.changed(rejected, retry) for _ in range(2)]

    assert [True, True] == changed
    assert (1, "token-2") == (tokens.renewals, token.read(retry))


def test_the_token_is_for_azure_monitor() -> None:
    """The scope is the cloud's."""
    tokens = Tokens(numbered())
    tokens.monitor.read(make_retry())

    assert [SCOPE] == tokens.scopes


def status_error(status: int) -> HttpResponseError:
    """An error of the Azure library with a status."""
    error = HttpResponseError("-")
    error.status_code = status
    return error


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (ClientAuthenticationError("no identity"), IngestionRefused),
        (status_error(404), IngestionRefused),
        (status_error(503), ServiceUnavailable),
        (ServiceRequestError("down"), ServiceUnavailable),
    ],
)
def test_a_token_that_cannot_be_had(error: Exception, raised: type[Exception]) -> None:
    """A refusal names what to check; an outage of the identity endpoint is an outage."""

    def fail() -> str:
        raise error

    with pytest.raises(raised) as failure:
        Tokens(fail).monitor.read(make_retry(0.0))

    assert SCOPE in str(failure.value)
    assert ("managed identity" in str(failure.value)) == (raised is IngestionRefused)


def events(count: int) -> list[dict[str, Any]]:
    """Events with ids e0, e1, ..."""
    return [make_event(eventId=f"e{number}") for number in range(count)]


# --- on the sandbox's end ---------------------------------------------------------------------------------


def test_a_page_with_a_monster_and_a_poisonous_record_arrives(tmp_path: Path) -> None:
    """All but these two are in the table; these two are dead letters, and the run goes on."""
    road = logs_ingestion_road(tmp_path)
    noise = random.Random(1)
    monster = make_event(
        eventId="monster",
        **{field.name: noise.randbytes(30_000).hex() for field in EVENT_FIELDS if field.kind is Kind.TEXT},
    )
    page = [*events(2_000), monster, make_event(eventId="poison")]
    road.end.refuse = lambda record: record.get("eventId") == "poison"
    delivery = road.deliver(*page)
    arrived = [row["eventId_s"] for row in road.rows()]
    road.workspace.close()

    assert sorted(event["eventId"] for event in events(2_000)) == sorted(arrived)
    assert {("monster", 413), ("poison", 400)} == {
        (event["eventId"], status) for event, _, status, _ in road.letters.letters
    }
    assert (2_002, 2) == (delivery.counts.events, delivery.counts.dead_letters)
    assert max(p.size for p in road.end.posts) <= 900_000
