"""What the connector has put into the sandbox's storage, seen from outside the proxy."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobLeaseClient, ContainerClient

from sandbox.world import Sandbox

CONTAINER = "docusign-monitor"


@contextlib.contextmanager
def container(sandbox: Sandbox) -> Iterator[ContainerClient]:
    """The container of the connector's state."""
    azurite = sandbox.azurite
    connection = azurite.connection_string.replace(
        f"https://{azurite.host}/", f"https://127.0.0.1:{azurite.port}/{azurite.account}"
    )
    ca = sandbox.environment["REQUESTS_CA_BUNDLE"]
    with ContainerClient.from_connection_string(connection, CONTAINER, connection_verify=ca) as client:
        yield client


def saved_checkpoint(sandbox: Sandbox) -> dict[str, Any]:
    """The checkpoint's content."""
    with container(sandbox) as client:
        blob = next(iter(client.list_blobs(name_starts_with="checkpoint/")))
        return dict(json.loads(client.download_blob(blob.name).readall()))


def dead_letters(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    """The dead letters by the names of their blobs."""
    with container(sandbox) as client:
        names = [blob.name for blob in client.list_blobs(name_starts_with="dead-letters/")]
        return {name: json.loads(client.download_blob(name).readall()) for name in names}


def end_lease(sandbox: Sandbox, folder: str = "checkpoint/") -> None:
    """End the lease on a folder's first blob at once, which a killed run would hold for up to a minute more."""
    with container(sandbox) as client, contextlib.suppress(HttpResponseError, StopIteration):
        blob = next(iter(client.list_blobs(name_starts_with=folder)))
        BlobLeaseClient(client.get_blob_client(blob.name)).break_lease(0)
