from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.identity import ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient

from sandbox.authority import Authority
from sandbox.identity import IdentityEndpoint
from sandbox.keyvault import KeyVault
from sandbox.proxy import Proxy
from sandbox.web import Request, WebServer

CLIENT_ID = "11111111-2222-3333-4444-555555555555"
HOST = "docusign-sandbox.vault.azure.net"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityEndpoint]:
    """Serve a managed identity, and name it in the environment."""
    endpoint = IdentityEndpoint(CLIENT_ID)
    with WebServer({"127.0.0.1": endpoint}, tls=None) as server:
        for name, value in endpoint.environment(server.port).items():
            monkeypatch.setenv(name, value)
        yield endpoint


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, identity: IdentityEndpoint) -> Iterator[KeyVault]:
    """Serve a vault under its real name, behind the environment's proxy."""
    secrets = {"docusign-private-key": PEM, "workspace-key": "a2V5"}
    keyvault = KeyVault(secrets, lambda token: identity.valid(token, "https://vault.azure.net"))
    authority = Authority(tmp_path, ["*.vault.azure.net"])
    with (
        WebServer({"*.vault.azure.net": keyvault}, tls=authority.server_context()) as server,
        Proxy(lambda host, _: server.port if host == HOST else None) as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.ca_path))
        yield keyvault
    assert ([], [], set()) == (server.errors, proxy.errors, proxy.refused())


@pytest.fixture
def client(vault: KeyVault) -> Iterator[SecretClient]:
    """Give the client library's own client, without retries."""
    with (
        ManagedIdentityCredential(client_id=CLIENT_ID) as credential,
        SecretClient(f"https://{HOST}", credential, retry_total=0) as secrets,
    ):
        yield secrets


def test_real_client_reads_a_secret(
    client: SecretClient, vault: KeyVault, identity: IdentityEndpoint
) -> None:
    """`SecretClient` follows the challenge, gets its token and the secret, unchanged."""
    secret = client.get_secret("docusign-private-key")

    assert PEM == secret.value
    assert ["https://vault.azure.net"] == identity.resources
    assert {"docusign-private-key": 1} == vault.reads


def test_rotation_is_seen_and_the_old_version_kept(client: SecretClient, vault: KeyVault) -> None:
    """After a rotation the next read gives the new value, and the old version its own."""
    old = client.get_secret("workspace-key")
    vault.set("workspace-key", "bmV3")
    values = [
        client.get_secret("workspace-key").value,
        client.get_secret("workspace-key", old.properties.version).value,
    ]

    assert ["bmV3", "a2V5"] == values


def test_missing_secret(client: SecretClient) -> None:
    """A secret that is not there is an error that says so."""
    with pytest.raises(ResourceNotFoundError, match="SecretNotFound"):
        client.get_secret("elsewhere")


def test_denied(client: SecretClient, vault: KeyVault) -> None:
    """Without the role every read is forbidden, and is not counted."""
    vault.deny = True
    with pytest.raises(HttpResponseError, match="Caller is not authorized") as caught:
        client.get_secret("workspace-key")

    assert 403 == caught.value.status_code
    assert {} == vault.reads


def test_throttled(client: SecretClient, vault: KeyVault) -> None:
    """A throttled vault answers 429, and recovers."""
    vault.throttled = 1
    with pytest.raises(HttpResponseError, match="too many requests") as caught:
        client.get_secret("workspace-key")

    assert 429 == caught.value.status_code
    assert "a2V5" == client.get_secret("workspace-key").value


def test_token_for_something_else(vault: KeyVault, identity: IdentityEndpoint) -> None:
    """A token that is good elsewhere is challenged again."""
    headers = {"authorization": f"Bearer {identity.token('https://storage.azure.com')}"}
    answer = vault(Request("GET", HOST, "/secrets/workspace-key", {}, headers))

    assert 401 == answer.status
    assert 'resource="https://vault.azure.net"' in answer.headers["WWW-Authenticate"]


def test_token_that_is_never_good(client: SecretClient, vault: KeyVault) -> None:
    """A vault that knows no token ends in an authentication error, not in a loop."""
    vault._check_token = lambda _: False
    with pytest.raises(ClientAuthenticationError, match="AKV10022"):
        client.get_secret("workspace-key")


@pytest.mark.parametrize("suffix", ["vault.azure.net", "vault.usgovcloudapi.net", "vault.azure.cn"])
def test_challenge_names_the_resource_of_the_cloud(suffix: str) -> None:
    """Each cloud's vault asks for a token for its own resource."""
    answer = KeyVault({}, lambda _: True)(Request("GET", f"v.{suffix}", "/secrets/a"))

    assert f'resource="https://{suffix}"' in answer.headers["WWW-Authenticate"]
