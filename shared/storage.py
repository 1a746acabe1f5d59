"""The blob container that holds the state."""

from azure.core.credentials import TokenCredential
from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.storage.blob import ContainerClient

from shared.azure_calls import NO_RETRIES, azure_call, azure_transport
from shared.errors import StorageRefused
from shared.settings import Settings

ROLE = (
    "Give the app's identity the role Storage Blob Data Owner on the account, check the AzureWebJobsStorage "
    "settings, and let the account's firewall admit the app"
)


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


def make_container(container: ContainerClient) -> None:
    """Create the container where it is missing. One attempt."""
    try:
        azure_call(f"container {container.container_name}", container.create_container, StorageRefused, ROLE)
    except ResourceExistsError:
        return
    except HttpResponseError as error:
        raise refused(f"The container {container.container_name} cannot be made", error) from None


def refused(what: str, error: HttpResponseError) -> StorageRefused:
    """The error for a status of storage that nothing else is known about."""
    code = getattr(error, "error_code", None)
    known = getattr(code, "value", code) or "no code"
    return StorageRefused(f"{what}: status {error.status_code}, {known}. {ROLE}.")
