"""The connector's state in storage, looked at from outside a run."""

from collections.abc import Iterator
from dataclasses import dataclass

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob import ContainerClient

from shared.azure_calls import azure_call
from shared.dead_letters import PREFIX as DEAD_LETTERS
from shared.errors import StorageRefused
from shared.retry import Retry
from shared.storage import ROLE, refused

_LISTING_SECONDS = 300.0


@dataclass(frozen=True)
class Found:
    """A blob's content, and whether somebody holds its lease."""

    content: bytes
    leased: bool


class Blobs:
    """The blobs of the state's container."""

    def __init__(self, container: ContainerClient, retry: Retry) -> None:
        self.container = container
        self._retry = retry

    def read(self, name: str) -> Found | None:
        """The blob, or None when there is none of that name."""

        def download() -> Found:
            stream = self.container.download_blob(name)
            return Found(stream.readall(), stream.properties.lease.state == "leased")

        try:
            return self._retry(lambda: azure_call(name, download, StorageRefused, f"{ROLE}."))
        except ResourceNotFoundError:
            return None
        except HttpResponseError as error:
            raise refused(name, error) from None

    def names(self, prefix: str) -> list[str]:
        """The names that begin so, in order."""

        def listed() -> list[str]:
            return list(self.container.list_blob_names(name_starts_with=prefix))

        try:
            return self._retry(
                lambda: azure_call(prefix, listed, StorageRefused, f"{ROLE}.", _LISTING_SECONDS)
            )
        except ResourceNotFoundError:
            return []
        except HttpResponseError as error:
            raise refused(prefix, error) from None

    def write(self, name: str, content: bytes) -> None:
        """Write the blob, over one that is there."""

        def upload() -> object:
            return self.container.upload_blob(name, content, overwrite=True)

        try:
            self._retry(lambda: azure_call(name, upload, StorageRefused, f"{ROLE}."))
        except HttpResponseError as error:
            raise refused(name, error) from None

    def remove(self, name: str) -> None:
        """Delete the blob; one that is gone already is no fault."""

        def delete() -> None:
            self.container.delete_blob(name)

        try:
            self._retry(lambda: azure_call(name, delete, StorageRefused, f"{ROLE}."))
        except ResourceNotFoundError:
            return
        except HttpResponseError as error:
            raise refused(name, error) from None

    def dead_letters(self) -> dict[str, int]:
        """How many dead letters there are, by the day they were written on (`2026-11-21`)."""
        days: dict[str, int] = {}
        for day in map(_day, self.names(DEAD_LETTERS)):
            days[day] = days.get(day, 0) + 1
        return days


def in_portions(names: list[str], size: int) -> Iterator[list[str]]:
    """The names, so many at a time."""
    yield from (names[start : start + size] for start in range(0, len(names), size))


def _day(name: str) -> str:
    return "-".join(name.removeprefix(DEAD_LETTERS).split("/")[:3])
