"""The connector's state in storage, looked at from outside a run."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob import ContainerClient

from operate.dead_letters.letter import day, is_page, letter_from_json
from shared.azure_calls import azure_call
from shared.dead_letters import PREFIX as DEAD_LETTERS
from shared.errors import StorageRefused
from shared.retry import Retry
from shared.storage import ROLE, refused

T = TypeVar("T")

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
        self.retry = retry

    def read(self, name: str) -> Found | None:
        """The blob, or None when there is none of that name."""

        def download() -> Found:
            stream = self.container.download_blob(name)
            return Found(stream.readall(), stream.properties.lease.state == "leased")

        try:
            return self.retry(lambda: azure_call(self._where(name), download, StorageRefused, f"{ROLE}."))
        except ResourceNotFoundError:
            return None
        except HttpResponseError as error:
            raise refused(self._where(name), error) from None

    def names(self, prefix: str) -> list[str]:
        """The names that begin so, in order."""

        def listed() -> list[str]:
            return list(self.container.list_blob_names(name_starts_with=prefix))

        try:
            return self.retry(
                lambda: azure_call(self._where(prefix), listed, StorageRefused, f"{ROLE}.", _LISTING_SECONDS)
            )
        except ResourceNotFoundError:
            return []
        except HttpResponseError as error:
            raise refused(self._where(prefix), error) from None

    def write(self, name: str, content: bytes) -> None:
        """Write the blob, over one that is there."""

        def upload() -> object:
            return self.container.upload_blob(name, content, overwrite=True)

        try:
            self.retry(lambda: azure_call(self._where(name), upload, StorageRefused, f"{ROLE}."))
        except HttpResponseError as error:
            raise refused(self._where(name), error) from None

    def remove(self, name: str) -> None:
        """Delete the blob; one that is gone already is no fault."""

        def delete() -> None:
            self.container.delete_blob(name)

        try:
            self.retry(lambda: azure_call(self._where(name), delete, StorageRefused, f"{ROLE}."))
        except ResourceNotFoundError:
            return
        except HttpResponseError as error:
            raise refused(self._where(name), error) from None

    def dead_letters(self) -> dict[str, int]:
        """How many events are dead letters, by the day they were written on (`2026-11-21`)."""
        days: dict[str, int] = {}
        for name in self.names(DEAD_LETTERS):
            days[day(name)] = days.get(day(name), 0) + (self._events_in(name) if is_page(name) else 1)
        return days

    def _events_in(self, page: str) -> int:
        """How many events a page's blob holds; one that cannot be read counts as one, for it must be seen."""
        found = self.read(page)
        try:
            return len(letter_from_json(found.content).events) if found else 0
        except ValueError:
            return 1

    def _where(self, name: str) -> str:
        """The blob with its account, for a person who waits for it."""
        return f"{self.container.primary_hostname}/{self.container.container_name}/{name}"


def in_portions(items: list[T], size: int) -> Iterator[list[T]]:
    """The items, so many at a time."""
    yield from (items[start : start + size] for start in range(0, len(items), size))
