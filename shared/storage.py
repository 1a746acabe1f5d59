"""The blob container that holds the state."""

from collections.abc import Callable
from typing import TypeVar

from azure.core.credentials import TokenCredential
from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.storage.blob import ContainerClient

from shared.azure_calls import ATTEMPT_SECONDS, NO_RETRIES, azure_call, azure_transport
from shared.errors import StorageRefused
from shared.retry import Retry
from shared.settings import Settings

T = TypeVar("T")

ROLE = (
    "Give the app's identity the role Storage Blob Data Owner on the account, check the AzureWebJobsStorage "
    "settings, and let the account's firewall admit the app"
)


def state_name(organization_id: str | None) -> str:
    """What an organization's blobs of state are named by: its id, or `default` where none is set."""
    return organization_id or "default"


def open_container(settings: Settings, credential: TokenCredential) -> ContainerClient:
    """The container, by connection string or by identity; nothing is asked of it yet.

    Raises:
        StorageRefused: The connection string is none.
    """
    name = settings.state_container
    if settings.storage_connection is None:
        return ContainerClient(
            settings.blob_service_url, name, credential=credential, transport=azure_transport(), **NO_RETRIES
        )
    try:
        return ContainerClient.from_connection_string(
            settings.storage_connection, name, transport=azure_transport(), **NO_RETRIES
        )
    except ValueError:
        raise StorageRefused(
            "AzureWebJobsStorage is no connection string of a storage account. Copy one from the account's "
            "page Access keys, or use AzureWebJobsStorage__accountName."
        ) from None


def ask_storage(container: ContainerClient, name: str, call: Callable[[], T], retry: Retry) -> T:
    """What storage gives, asked again while that may help, each time no longer than the run lasts.

    Args:
        container: Where the state lies; its account is named when it does not serve.
        name: What is asked for.
        call: Asks for it, once.
        retry: Repeats what fails for a moment.

    Raises:
        StorageRefused, NetworkRefused: A person must act.
        ServiceUnavailable: Storage stayed down.
        HttpResponseError: A status that the caller knows better (404, 409, 412).
    """
    what = f"{name} ({container.primary_hostname})"

    def once() -> T:
        return azure_call(what, call, StorageRefused, f"{ROLE}.", retry.attempt_seconds(ATTEMPT_SECONDS))

    return retry(once)


def make_container(container: ContainerClient, retry: Retry) -> None:
    """Create the container where it is missing."""
    name = f"container {container.container_name}"
    try:
        ask_storage(container, name, container.create_container, retry)
    except ResourceExistsError:
        return
    except HttpResponseError as error:
        raise refused(f"The container {container.container_name} cannot be made", error) from None


def refused(what: str, error: HttpResponseError) -> StorageRefused:
    """The error for a status of storage that nothing else is known about."""
    code = getattr(error, "error_code", None)
    known = getattr(code, "value", code) or "no code"
    return StorageRefused(f"{what}: status {error.status_code}, {known}. {ROLE}.")
