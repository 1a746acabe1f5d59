"""The connector's state in storage, looked at from outside a run."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob import ContainerClient

from operate.dead_letters.letter import day, is_page, letter_from_json
from shared.dead_letters import PREFIX as DEAD_LETTERS
from shared.retry import Retry
from shared.storage import ask_storage, refused

T = TypeVar("T")


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
            return ask_storage(self.container, name, download, self.retry)
        except ResourceNotFoundError:
            return None
        except HttpResponseError as error:
            raise refused(name, error) from None

    def names(self, prefix: str) -> list[str]:
        """The names that begin so, in order."""
        found, token = self._page_of_names(prefix, None)
        while token:
            more, token = self._page_of_names(prefix, token)
            found += more
        return found

    def _page_of_names(self, prefix: str, token: str | None) -> tuple[list[str], str | None]:
        """At most 5,000 names, and the token of those that follow: one call, however many there are."""

        def listed() -> tuple[list[str], str | None]:
            pages: Any = self.container.list_blob_names(name_starts_with=prefix).by_page(token)
            return list(next(pages)), pages.continuation_token

        try:
            return ask_storage(self.container, prefix, listed, self.retry)
        except ResourceNotFoundError:
            return [], None
        except HttpResponseError as error:
            raise refused(prefix, error) from None

    def write(self, name: str, content: bytes) -> None:
        """Write the blob, over one that is there."""

        def upload() -> object:
            return self.container.upload_blob(name, content, overwrite=True)

        try:
            ask_storage(self.container, name, upload, self.retry)
        except HttpResponseError as error:
            raise refused(name, error) from None

    def remove(self, name: str) -> None:
        """Delete the blob; one that is gone already is no fault."""

        def delete() -> None:
            self.container.delete_blob(name)

        try:
            ask_storage(self.container, name, delete, self.retry)
        except ResourceNotFoundError:
            return
        except HttpResponseError as error:
            raise refused(name, error) from None

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


def in_portions(items: list[T], size: int) -> Iterator[list[T]]:
    """The items, so many at a time."""
    yield from (items[start : start + size] for start in range(0, len(items), size))
