import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.identity import ManagedIdentityCredential
from azure.storage.blob import BlobClient, BlobLeaseClient, BlobServiceClient, ContainerClient

from sandbox.authority import Authority
from sandbox.azurite import Azurite, forward
from sandbox.faults import Fault, Faults
from sandbox.identity import IdentityEndpoint
from sandbox.proxy import Proxy
from sandbox.web import WebServer

pytestmark = pytest.mark.integration

CLIENT_ID = "11111111-2222-3333-4444-555555555555"
MODULES = Path(__file__).parents[2] / "node_modules"


@dataclass
class Storage:
    """A storage account, its proxy, and the port its host name leads to."""

    azurite: Azurite
    authority: Authority
    proxy: Proxy
    port: int


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """Run Azurite behind a proxy that knows its account by the real name."""
    folder = tmp_path_factory.mktemp("azurite")
    authority = Authority(folder, ["*.blob.core.windows.net"])
    with Azurite(folder, authority, modules=MODULES) as azurite:
        made: list[Storage] = []
        with Proxy(lambda host, _: made[0].port if host == azurite.host else None) as proxy:
            made.append(Storage(azurite, authority, proxy, azurite.port))
            yield made[0]
    assert ([], set()) == (proxy.errors, proxy.refused())


@pytest.fixture(autouse=True)
def _environment(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HTTPS_PROXY", storage.proxy.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(storage.authority.ca_path))
    identity = IdentityEndpoint(CLIENT_ID)
    with WebServer({"127.0.0.1": identity}, tls=None) as server:
        for name, value in identity.environment(server.port).items():
            monkeypatch.setenv(name, value)
        yield


def by_identity(storage: Storage) -> BlobServiceClient:
    """Return the client of an app with a managed identity."""
    credential = ManagedIdentityCredential(client_id=CLIENT_ID)
    return BlobServiceClient(f"https://{storage.azurite.host}", credential, retry_total=0)


def by_key(storage: Storage) -> BlobServiceClient:
    """Return the client of an app with a connection string."""
    return BlobServiceClient.from_connection_string(storage.azurite.connection_string, retry_total=0)


@contextmanager
def led_to(storage: Storage, port: int) -> Iterator[None]:
    """Lead the account's host name to another port for a while, new connections and old."""
    storage.port = port
    cut(storage)
    try:
        yield
    finally:
        storage.port = storage.azurite.port
        cut(storage)


def cut(storage: Storage) -> None:
    """End the connections that a client has kept."""
    storage.proxy.down(storage.azurite.host)
    storage.proxy.up(storage.azurite.host)


Connect = Callable[[Storage], BlobServiceClient]
both_ways = pytest.mark.parametrize("connect", [by_identity, by_key])


@pytest.fixture
def container(
    storage: Storage, connect: Connect, request: pytest.FixtureRequest
) -> Iterator[ContainerClient]:
    """Give a new container, reached in the way under test."""
    name = f"c{abs(hash(request.node.name))}"
    with connect(storage) as service:
        yield service.create_container(name)


@both_ways
def test_blob_is_kept_and_listed(container: ContainerClient) -> None:
    """A blob comes back as it was, and is found by its prefix, whatever its name."""
    name = "dead-letters/2026/11/21/a b+ä&c.json"
    container.upload_blob(name, "{}", metadata={"kind": "test"})
    listed = [blob.name for blob in container.list_blobs(name_starts_with="dead-letters/")]
    blob = container.get_blob_client(name)

    assert [name] == listed
    assert (b"{}", {"kind": "test"}) == (blob.download_blob().readall(), blob.get_blob_properties().metadata)


@both_ways
def test_etag_is_a_fence(container: ContainerClient) -> None:
    """If-None-Match refuses a second first write, If-Match a write on a blob that has changed."""
    blob = container.get_blob_client("checkpoint/default.json")
    first = blob.upload_blob("1")
    with pytest.raises(ResourceExistsError, match="BlobAlreadyExists"):
        blob.upload_blob("2")
    overwrite(blob, "3", first["etag"])
    with pytest.raises(ResourceModifiedError):
        overwrite(blob, "4", first["etag"])

    assert b"3" == blob.download_blob().readall()


@both_ways
def test_lease_locks(container: ContainerClient) -> None:
    """A lease of 60 s keeps a second holder and writers without it out, until it is released."""
    blob = container.get_blob_client("checkpoint/default.json")
    blob.upload_blob("1")
    lease = blob.acquire_lease(60)
    with pytest.raises(ResourceExistsError, match="LeaseAlreadyPresent"):
        BlobLeaseClient(blob).acquire(60)
    with pytest.raises(HttpResponseError, match="LeaseIdMissing"):
        blob.upload_blob("2", overwrite=True)
    lease.renew()
    blob.upload_blob("3", overwrite=True, lease=lease)
    lease.release()
    BlobLeaseClient(blob).acquire(60)

    assert b"3" == blob.download_blob().readall()


@both_ways
def test_faults_reach_storage(storage: Storage, connect: Connect, container: ContainerClient) -> None:
    """Behind the relay Azurite works as before, and its answers can be lost after the write was done."""
    faults = Faults()
    relay = forward(storage.azurite.port, storage.authority.client_context())
    blob = container.get_blob_client("a b+ä&c.json")
    tls = storage.authority.server_context()
    with (
        WebServer({storage.azurite.host: relay}, tls=tls, faults=faults) as server,
        led_to(storage, server.port),
    ):
        blob.upload_blob("1")
        faults.add(Fault(kind="accept_then_reset", method="PUT"))
        # Behind a proxy urllib3 calls a reset in mid-request a failure to connect, so that Azure's library
        # raises ServiceRequestError where ServiceResponseError would be right.
        with pytest.raises((ServiceRequestError, ServiceResponseError)):
            blob.upload_blob("2", overwrite=True)
        size = blob.get_blob_properties().size
        content = blob.download_blob().readall()

    assert (1, b"2", []) == (size, content, server.errors)


def test_token_for_something_else_is_refused(storage: Storage) -> None:
    """Azurite checks a token's audience."""
    with (
        BlobServiceClient(
            f"https://{storage.azurite.host}",
            ManagedIdentityCredential(client_id=CLIENT_ID),
            audience="https://vault.azure.net",
            retry_total=0,
        ) as service,
        pytest.raises(ClientAuthenticationError),
    ):
        service.create_container("elsewhere")


def test_blobs_can_outlive_the_process(tmp_path: Path, storage: Storage) -> None:
    """With `keep`, a new process on the same folder finds what the last one stored, and none stays behind."""
    for expected in ([], ["kept"]):
        with (
            Azurite(tmp_path, storage.authority, modules=MODULES, keep=True) as azurite,
            led_to(storage, azurite.port),
            BlobServiceClient.from_connection_string(azurite.connection_string) as service,
        ):
            pid = azurite._process.pid if azurite._process else 0
            found = [item.name for item in service.list_containers()]
            if not found:
                service.create_container("kept")

        assert expected == found
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_failed_start_tells_why(tmp_path: Path, storage: Storage) -> None:
    """A process that ends at once is reported with what it said."""
    broken = Azurite(tmp_path, storage.authority, modules=tmp_path)
    with pytest.raises(RuntimeError, match="Cannot find module"):
        broken.start()


def overwrite(blob: BlobClient, content: str, etag: str) -> None:
    """Write if nobody else has."""
    blob.upload_blob(content, overwrite=True, etag=etag, match_condition=MatchConditions.IfNotModified)
