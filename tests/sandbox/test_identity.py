from collections.abc import Iterator

import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ManagedIdentityCredential

from sandbox.identity import IdentityEndpoint
from sandbox.web import Request, Response, WebServer

CLIENT_ID = "11111111-2222-3333-4444-555555555555"
VAULT = "https://vault.azure.net"


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityEndpoint]:
    """Serve the endpoint, and name it in the environment."""
    identity = IdentityEndpoint(CLIENT_ID)
    with WebServer({"127.0.0.1": identity}, tls=None) as server:
        for name, value in identity.environment(server.port).items():
            monkeypatch.setenv(name, value)
        yield identity
    assert [] == server.errors


def ask(endpoint: IdentityEndpoint, **changes: str) -> Response:
    """Ask as the client library does, but for the changes."""
    query = {"api-version": "2019-08-01", "resource": VAULT, "client_id": CLIENT_ID} | changes
    return endpoint(Request("GET", "127.0.0.1", "/msi/token", query, {"x-identity-header": endpoint.header}))


def test_real_credential_gets_a_token(endpoint: IdentityEndpoint) -> None:
    """`ManagedIdentityCredential` gets a token for its scope, which the endpoint knows as its own."""
    with ManagedIdentityCredential(client_id=CLIENT_ID) as credential:
        token = credential.get_token(f"{VAULT}/.default")

    assert [VAULT] == endpoint.resources
    assert endpoint.valid(token.token, VAULT)
    assert not endpoint.valid(token.token, "https://monitor.azure.com")


def test_unknown_identity_is_refused(endpoint: IdentityEndpoint) -> None:
    """A client id that is not assigned to the app gets Azure's error, which the library reports."""
    with (
        ManagedIdentityCredential(client_id="00000000-0000-0000-0000-000000000000") as credential,
        pytest.raises(
            ClientAuthenticationError, match="No User Assigned or Delegated Managed Identity found"
        ),
    ):
        credential.get_token(f"{VAULT}/.default")


def test_token_has_the_claims_that_azure_gives() -> None:
    """Audience, issuer and times are those of a token of Microsoft Entra."""
    endpoint = IdentityEndpoint(CLIENT_ID, tenant="t", lifetime=100, clock=lambda: 1_000_000.5)
    claims = jwt.decode(endpoint.token(VAULT), options={"verify_signature": False})
    expected = {
        "aud": VAULT,
        "iss": "https://sts.windows.net/t/",
        "iat": 1_000_000,
        "nbf": 1_000_000,
        "exp": 1_000_100,
    }

    assert expected.items() <= claims.items()


def test_token_expires() -> None:
    """A token is good until its lifetime is over."""
    now = [1_000_000.0]
    endpoint = IdentityEndpoint(CLIENT_ID, lifetime=100, clock=lambda: now[0])
    token = endpoint.token(VAULT)
    before = endpoint.valid(token, f"{VAULT}/")
    now[0] += 100

    assert (True, False) == (before, endpoint.valid(token, VAULT))


def test_foreign_token_is_no_good() -> None:
    """A token with the right claims from elsewhere is refused, and so is any other text."""
    endpoint = IdentityEndpoint(CLIENT_ID)

    assert not endpoint.valid(IdentityEndpoint(CLIENT_ID).token(VAULT), VAULT)
    assert not endpoint.valid("nonsense", VAULT)


@pytest.mark.parametrize(
    ("changes", "status"),
    [({}, 200), ({"client_id": ""}, 400), ({"resource": ""}, 400), ({"api-version": "2017-09-01"}, 400)],
)
def test_request_must_be_complete(changes: dict[str, str], status: int) -> None:
    """The version, the resource and the identity must be named."""
    assert status == ask(IdentityEndpoint(CLIENT_ID), **changes).status


def test_header_must_be_known() -> None:
    """Whoever does not know the header gets no token: it is what keeps other programs out."""
    request = Request("GET", "127.0.0.1", "/msi/token", {"resource": VAULT}, {"x-identity-header": "guess"})

    assert 401 == IdentityEndpoint(CLIENT_ID)(request).status
