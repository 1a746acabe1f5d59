import pytest

from shared.docusign.client import DocuSignClient
from shared.docusign.oauth import TokenSource
from shared.errors import DocuSignRefused, ServiceUnavailable
from shared.retry import Retry
from shared.web import WHOLE_SECONDS, Answer, Transport
from tests.shared.fakes import (
    FakeVault,
    TokenEndpoint,
    Wire,
    json_answer,
    make_client,
    make_retry,
    make_secrets,
    unreachable,
)
from tests.support import ManualClock, make_budget, make_settings

URL = "https://lens.docusign.net/api/v2.0/datasets/monitor/stream"
EXPIRED = json_answer(401, {"error": "invalid_token"})


def on_tokens(tokens: Transport, api: Transport, retry: Retry | None = None) -> DocuSignClient:
    """Give a client whose tokens come from an endpoint of ours."""
    source = TokenSource(make_settings(), make_secrets(FakeVault()), tokens)
    return DocuSignClient(source, api, retry or make_retry())


def test_request() -> None:
    """A request carries the token, asks for JSON, and encodes what it is given."""
    wire = Wire(json_answer(200, {"a": "Ä"}, {"x-ratelimit-limit": "3000"}))
    client = on_tokens(TokenEndpoint(), wire)
    content, answer = client.get(URL, {"cursor": "a b&c", "limit": "10"})
    (request,) = wire.requests

    assert ({"a": "Ä"}, 3000.0) == (content, answer.number("x-ratelimit-limit"))
    assert ("GET", f"{URL}?cursor=a+b%26c&limit=10", None) == (request.method, request.url, request.body)
    assert {"Authorization": "Bearer token-1", "Accept": "application/json"} == request.headers


def test_address_without_parameters() -> None:
    """An address without parameters is asked for as it is."""
    wire = Wire(json_answer(200, {}))
    make_client(wire).get(URL)

    assert URL == wire.requests[0].url


def test_token_is_kept() -> None:
    """Two requests share one token."""
    tokens = TokenEndpoint()
    client = on_tokens(tokens, Wire(json_answer(200, {})))
    client.get(URL)
    client.get(URL)

    assert 1 == len(tokens.grants)


def test_rejected_token_is_renewed_once() -> None:
    """On 401 the request is repeated with a new token."""
    wire = Wire(json_answer(200, {}), EXPIRED)
    on_tokens(TokenEndpoint(), wire).get(URL)

    assert ["Bearer token-1", "Bearer token-2"] == [r.headers["Authorization"] for r in wire.requests]


def test_rejected_again() -> None:
    """A second 401 ends it: DocuSign rejects what it has just issued."""
    wire, tokens = Wire(EXPIRED), TokenEndpoint()

    with pytest.raises(DocuSignRefused, match="rejects a token that it has just issued"):
        on_tokens(tokens, wire).get(URL)

    assert (2, 2) == (len(wire.requests), len(tokens.grants))


def test_each_request_may_renew() -> None:
    """A token that is revoked later in the run is renewed again."""
    wire = Wire(json_answer(200, {}), EXPIRED)
    client = on_tokens(TokenEndpoint(), wire)
    client.get(URL)
    wire.then(EXPIRED)
    client.get(URL)

    assert "Bearer token-3" == wire.requests[-1].headers["Authorization"]


def test_outage_while_a_token_is_renewed() -> None:
    """An outage after the renewal is outlasted too."""
    wire = Wire(json_answer(200, 7), EXPIRED, Answer(503), unreachable)

    assert 7 == make_client(wire).get(URL)[0]
    assert 4 == len(wire.requests)


def test_token_endpoint_down() -> None:
    """Without a token DocuSign is not asked."""
    wire = Wire(json_answer(200, {}))

    with pytest.raises(ServiceUnavailable, match="token endpoint"):
        on_tokens(Wire(Answer(503)), wire, make_retry(seconds=60)).get(URL)

    assert [] == wire.requests


def test_outage_ends_with_the_run() -> None:
    """Retrying never outlasts the run's budget."""
    clock = ManualClock()
    wire = Wire(Answer(503))

    with pytest.raises(ServiceUnavailable):
        make_client(wire, make_retry(clock, 120)).get(URL)

    assert 5 < len(wire.requests) < 100
    assert 120 > sum(clock.slept)


@pytest.mark.parametrize(("left", "seconds"), [(480.0, WHOLE_SECONDS), (30.0, 30.0), (1.0, 5.0)])
def test_request_fits_into_the_run(left: float, seconds: float) -> None:
    """A request may take what is left of the run, but is always given a fair attempt."""
    wire = Wire(json_answer(200, {}))
    make_client(wire, Retry(make_budget(ManualClock(), left))).get(URL)

    assert seconds == wire.requests[0].seconds
