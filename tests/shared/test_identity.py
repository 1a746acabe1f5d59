from collections.abc import Iterator

import pytest
from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

from sandbox.identity import IdentityEndpoint
from sandbox.web import Request, Response, WebServer, json_response
from shared.azure_calls import azure_call
from shared.errors import SecretError, ServiceUnavailable
from shared.identity import make_credential

CLIENT_ID = "55555555-5555-4555-8555-555555555555"
AUTHORITY = "login.microsoftonline.com"
SCOPE = "https://vault.azure.net/.default"


class Endpoint:
    """The identity endpoint, which first gives some answers that it is told to give."""

    def __init__(self) -> None:
        self.identity = IdentityEndpoint(CLIENT_ID)
        self.answers: list[Response] = []
        self.requests = 0

    def __call__(self, request: Request) -> Response:
        """Answer a request for a token."""
        self.requests += 1
        return self.answers.pop(0) if self.answers else self.identity(request)


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """Serve an identity as Azure does, and name it in the environment."""
    service = Endpoint()
    with WebServer({"127.0.0.1": service}, tls=None) as server:
        for name, value in service.identity.environment(server.port).items():
            monkeypatch.setenv(name, value)
        yield service


def ask(client_id: str | None = CLIENT_ID) -> str:
    """Ask for a token, as a call of an Azure client does."""
    credential = make_credential(client_id, AUTHORITY)
    return azure_call("vault", lambda: credential.get_token(SCOPE).token, SecretError, "Assign the identity.")


def test_managed_identity(endpoint: Endpoint) -> None:
    """In Azure the token is the user-assigned identity's, and is asked for once."""
    credential = make_credential(CLIENT_ID, AUTHORITY)
    first, second = credential.get_token(SCOPE).token, credential.get_token(SCOPE).token

    assert isinstance(credential, ManagedIdentityCredential)
    assert endpoint.identity.valid(first, "https://vault.azure.net")
    assert (first, 1) == (second, endpoint.requests)


def test_developer_login() -> None:
    """Elsewhere it is the developer's own login; a managed identity is not looked for."""
    credential = make_credential(None, AUTHORITY)

    assert isinstance(credential, DefaultAzureCredential)
    assert not any(isinstance(one, ManagedIdentityCredential) for one in credential.credentials)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_outage(endpoint: Endpoint, status: int) -> None:
    """An endpoint that fails is an outage, which heals, and is asked once an attempt."""
    endpoint.answers = [json_response(status, {"message": "busy"}, {"Retry-After": "4"})]

    with pytest.raises(ServiceUnavailable, match=f"status {status}") as raised:
        ask()

    assert (4.0, 1) == (raised.value.retry_after, endpoint.requests)


@pytest.mark.parametrize("body", [b"<html>Sign in", b"", b'{"access_token":'])
def test_foreign_page(endpoint: Endpoint, body: bytes) -> None:
    """An answer that is no JSON comes from something in between."""
    endpoint.answers = [Response(200, body)]

    with pytest.raises(ServiceUnavailable):
        ask()


def test_unknown_identity(endpoint: Endpoint) -> None:
    """An identity that the app does not have is a refusal, with the cure."""
    with pytest.raises(SecretError, match=r"the identity was refused\. Assign the identity\.$"):
        ask("66666666-6666-4666-8666-666666666666")
