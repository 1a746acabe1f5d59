from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest

from shared.answers import rule_for
from shared.docusign.answers import TOKEN_ANSWERS
from shared.docusign.oauth import TokenSource, consent_url
from shared.errors import ConnectorError, DocuSignRefused, OperatorError, SecretError, ServiceUnavailable
from shared.settings import Settings
from shared.web import Answer, Transport
from tests.shared.fakes import (
    PRIVATE_KEY_SECRET,
    TRACE,
    FakeVault,
    TokenEndpoint,
    Wire,
    json_answer,
    loses_answer,
    make_retry,
    make_secrets,
    never,
    rsa_key,
    unreachable,
)
from tests.support import INTEGRATION_KEY, USER_ID, ManualClock, make_settings

NOW = 1795251600.0

Case = tuple[int, str, type[ConnectorError], str]


def refused(error: str) -> str:
    """Give the body of a refusal, as DocuSign words it."""
    return f'{{"error":"invalid_grant","error_description":"{error}"}}'


HEALED: list[tuple[int, str]] = [
    (400, '{"error":"HOURLY_APIINVOCATION_LIMIT_EXCEEDED"}'),
    (429, '{"errorCode":"HOURLY_APIINVOCATION_LIMIT_EXCEEDED","message":"-"}'),
    (400, '{"errorCode":"BURST_APIINVOCATION_LIMIT_EXCEEDED"}'),
    (429, "BURST_APIINVOCATION_LIMIT_EXCEEDED"),
    (429, ""),
    (408, ""),
    (500, "<html>"),
    (503, ""),
    (599, ""),
]
STOPPED: list[Case] = [
    (400, '{"error":"consent_required"}', DocuSignRefused, r"https://account\.docusign\.com/oauth/auth\?"),
    (401, '{"error":"consent_required"}', DocuSignRefused, "has not given consent"),
    (400, refused("user_not_found"), OperatorError, "DOCUSIGN_USER_ID is not the GUID of an active user"),
    (400, refused("invalid_subject"), OperatorError, "DOCUSIGN_USER_ID is not the GUID of an active user"),
    (
        400,
        refused("issuer_not_found"),
        OperatorError,
        "DOCUSIGN_INTEGRATION_KEY is unknown in this environment",
    ),
    (400, refused("no_valid_keys_or_signatures"), OperatorError, "the secret docusign-private-key does not"),
    (400, refused("expired_grant"), OperatorError, "the clock of this machine"),
    (404, "", OperatorError, "Check DOCUSIGN_ENVIRONMENT and DOCUSIGN_AUTH_URL"),
    (400, "", OperatorError, "DocuSign gives no token"),
    (400, refused("something_new"), OperatorError, "DocuSign gives no token"),
    (302, "", OperatorError, "DocuSign gives no token"),
    (403, "<html>", OperatorError, "DocuSign gives no token"),
]


def make_source(
    send: Transport,
    vault: FakeVault | None = None,
    now: Callable[[], float] = lambda: NOW,
    settings: Settings | None = None,
) -> TokenSource:
    """Give a source of tokens on a vault and an endpoint of ours."""
    return TokenSource(settings or make_settings(), make_secrets(vault or FakeVault()), send, now=now)


def test_assertion() -> None:
    """The assertion is RS256 with the documented claims: the bare host as audience, an hour at most."""
    wire = Wire(TokenEndpoint())
    make_source(wire).read(never())
    (request,) = wire.requests
    form = dict(parse_qsl((request.body or b"").decode()))
    claims = jwt.decode(form["assertion"], options={"verify_signature": False})

    assert ("POST", "https://account.docusign.com/oauth/token") == (request.method, request.url)
    assert "application/x-www-form-urlencoded" == request.headers["Content-Type"]
    assert "urn:ietf:params:oauth:grant-type:jwt-bearer" == form["grant_type"]
    assert {
        "iss": INTEGRATION_KEY,
        "sub": USER_ID,
        "aud": "account.docusign.com",
        "iat": int(NOW),
        "exp": int(NOW) + 3600,
        "scope": "signature impersonation",
    } == claims


def test_demo_audience() -> None:
    """In the demo environment another host is asked, and is the audience."""
    wire = Wire(json_answer(200, {"access_token": "a", "expires_in": 3600}))
    make_source(wire, settings=make_settings(DOCUSIGN_ENVIRONMENT="demo")).read(never())
    form = dict(parse_qsl((wire.requests[0].body or b"").decode()))
    claims = jwt.decode(form["assertion"], options={"verify_signature": False})

    assert "https://account-d.docusign.com/oauth/token" == wire.requests[0].url
    assert "account-d.docusign.com" == claims["aud"]


def test_cached_and_renewed_before_its_end() -> None:
    """A token serves until five minutes before its end; then the next one is asked for."""
    clock = ManualClock(NOW)
    source = make_source(TokenEndpoint(), now=clock)

    assert "token-1" == source.read(never())
    clock.now = NOW + 3600 - 301
    assert "token-1" == source.read(never())
    clock.now = NOW + 3600 - 300
    assert "token-2" == source.read(never())


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("3600", 3300), (3600, 3300), (28800, 28500), (60, 30), (None, 3300), (0, 3300), ("", 3300)],
)
def test_lifetimes(given: object, seconds: int) -> None:
    """`expires_in` may be a number, a string or absent; of a short life half is used."""
    clock = ManualClock(NOW)
    wire = Wire(json_answer(200, {"access_token": "a", "expires_in": given}))
    source = make_source(wire, now=clock)
    source.read(never())
    clock.now += seconds - 1
    source.read(never())

    assert 1 == len(wire.requests)
    clock.now += 1
    source.read(never())
    assert 2 == len(wire.requests)


def test_discard() -> None:
    """A rejected token is forgotten; one that was replaced meanwhile is not."""
    source = make_source(TokenEndpoint())
    source.read(never())
    assert source.changed("token-0", never())

    assert "token-1" == source.read(never())
    assert source.changed("token-1", never())
    assert "token-2" == source.read(never())


@pytest.mark.parametrize(("status", "body"), HEALED)
def test_outlasted(status: int, body: str) -> None:
    """What heals by itself is tried again, after the pause that DocuSign asks for."""
    clock = ManualClock()
    busy = Answer(status, {"retry-after": "11"}, body.encode())

    assert "token-1" == make_source(Wire(TokenEndpoint(), busy)).read(make_retry(clock))
    assert [11.0] == clock.slept


@pytest.mark.parametrize("step", [unreachable, loses_answer])
def test_lost_exchanges_are_outlasted(step: Any) -> None:
    """A token whose answer was lost is asked for again."""
    retry = make_retry()

    assert make_source(Wire(TokenEndpoint(), step)).read(retry).startswith("token-")
    assert 1 == retry.count


@pytest.mark.parametrize(("status", "body"), HEALED)
def test_outage_beyond_the_run(status: int, body: str) -> None:
    """An outage that outlasts the run is raised with the trace token."""
    with pytest.raises(ServiceUnavailable, match=rf"^DocuSign's token endpoint \({status}\): .*trace-4711$"):
        make_source(Wire(Answer(status, TRACE, body.encode()))).read(never())


@pytest.mark.parametrize(("status", "body", "kind", "says"), STOPPED)
def test_refusals(status: int, body: str, kind: type[ConnectorError], says: str) -> None:
    """Each refusal is asked for once, names its cure and who must act, and carries the trace token."""
    wire = Wire(Answer(status, TRACE, body.encode()))

    with pytest.raises(kind, match=says) as raised:
        make_source(wire).read(make_retry())

    assert kind is type(raised.value)
    assert 1 == len(wire.requests)
    assert str(raised.value).endswith("Trace token: trace-4711")
    assert not any(brace in str(raised.value) for brace in "{}")


def test_every_line_is_tested() -> None:
    """The cases above reach every line of the table."""
    cases = [*HEALED, *((status, body) for status, body, *_ in STOPPED)]
    reached = [rule_for(TOKEN_ANSWERS, *case) for case in cases]

    assert [] == [rule for rule in TOKEN_ANSWERS if rule not in reached]


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Sign in",
        b"",
        b"[]",
        b"null",
        b'"token"',
        b"{}",
        b'{"access_token":null}',
        b'{"access_token":""}',
        b'{"access_token":7}',
        b'{"access_token":"a\\r\\nHost: b"}',
        b'{"access_token":"\\u20ac"}',
        b'{"access_token":"a","expires_in":"soon"}',
        b'{"access_token":"a","expires_in":[]',
    ],
)
def test_success_without_a_token(body: bytes) -> None:
    """A 200 that holds no usable token comes from something in between, and is tried again."""
    strange = Answer(200, TRACE, body)
    retry = make_retry()

    assert "token-1" == make_source(Wire(TokenEndpoint(), strange)).read(retry)
    assert 1 == retry.count
    with pytest.raises(ServiceUnavailable, match=r"the answer holds no token\. Trace token: trace-4711$"):
        make_source(Wire(strange)).read(never())


def test_key_rotation() -> None:
    """A key that DocuSign no longer knows is read again, once, and the new one is gone on with."""
    vault, endpoint = FakeVault(), TokenEndpoint(rsa_key(1)[1])
    source = make_source(endpoint, vault)
    with pytest.raises(OperatorError, match="does not belong to the integration key"):
        source.read(make_retry())
    vault.values[PRIVATE_KEY_SECRET] = rsa_key(1)[0]

    assert "token-1" == source.read(make_retry())
    assert [PRIVATE_KEY_SECRET] * 3 == vault.reads  # at first, and again at each refusal
    assert "token-1" == source.read(make_retry())
    assert 3 == len(vault.reads)


@pytest.mark.parametrize(
    "unusable", ["no key at all", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"]
)
def test_mended_key(unusable: str) -> None:
    """An unusable key is read again at each try, so that a mended one needs no restart."""
    vault = FakeVault({PRIVATE_KEY_SECRET: unusable})
    wire = Wire(TokenEndpoint())
    source = make_source(wire, vault)
    with pytest.raises(
        SecretError, match="secret docusign-private-key is no usable RSA private key"
    ) as raised:
        source.read(make_retry())

    assert [] == wire.requests
    assert unusable not in str(raised.value)
    vault.values[PRIVATE_KEY_SECRET] = rsa_key()[0]
    assert "token-1" == source.read(make_retry())


def test_consent_url() -> None:
    """The consent URL asks for the very scopes of the token, with spaces as `%20`."""
    url = consent_url(make_settings())

    assert {
        "response_type": "code",
        "scope": "signature impersonation",
        "client_id": INTEGRATION_KEY,
        "redirect_uri": "https://www.docusign.com",
    } == dict(parse_qsl(urlsplit(url).query))
    assert url.startswith("https://account.docusign.com/oauth/auth?")
    assert "scope=signature%20impersonation&" in url


def test_consent_required_prints_the_url() -> None:
    """Whoever reads that consent is missing can open the page at once."""
    wire = Wire(json_answer(400, {"error": "consent_required"}))

    with pytest.raises(DocuSignRefused) as raised:
        make_source(wire).read(never())

    assert consent_url(make_settings()) in str(raised.value)


def test_no_key_in_any_text() -> None:
    """Neither the private key nor the assertion is part of a refusal, of itself or of what it came from."""
    wire = Wire(Answer(400, {}, refused("something_new").encode()))

    with pytest.raises(OperatorError) as raised:
        make_source(wire).read(never())

    assertion = dict(parse_qsl((wire.requests[0].body or b"").decode()))["assertion"]
    texts = f"{raised.value!r} {raised.value.__context__!r}"
    assert assertion not in texts
    assert not any(line in texts for line in rsa_key()[0].split("\n")[1:-2])
