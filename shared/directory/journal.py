"""An account's journal: an append blob of JSON lines, written a page at a time and read line by line.

An append is taken whole or not at all, so a page and the place where the next one starts are never apart. Each
shows the length at which it belongs: one whose answer was lost is recognised, and not taken twice.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob import ContainerClient

from shared import lenient_json
from shared.errors import LeaseLost, ServiceUnavailable
from shared.retry import Retry
from shared.storage import ask_storage, refused

PIECE_BYTES = 1_000_000
"""Read at once."""
_CONFLICT, _PRECONDITION, _BEHIND_THE_END = 409, 412, 416

Line = dict[str, Any]


class Journal:
    """One journal, for one writer: the holder of the sweep's lease.

    Args:
        container: Where the state lies.
        name: The blob's name.
        retry: Repeats what fails for a moment.
        may_write: Called before every write; raises when this run may write no more.
    """

    def __init__(
        self, container: ContainerClient, name: str, retry: Retry, may_write: Callable[[], None]
    ) -> None:
        self.name = name
        self._container = container
        self._blob = container.get_blob_client(name)
        self._retry = retry
        self._may_write = may_write
        self._length = 0
        self._exists = False

    def lines(self) -> Iterator[Line]:
        """The lines in their order; none where there is no such blob. To be read to the end before a write.

        A line that somebody spoiled is left out: its user counts as new and is sent once more.
        """
        rest, self._length = b"", 0
        while piece := self._read(self._length, PIECE_BYTES):
            self._length += len(piece)
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                try:
                    value = lenient_json.loads(line)
                except ValueError:
                    continue
                if isinstance(value, dict):
                    yield value

    def append(self, lines: Iterable[Line]) -> None:
        """Return once the lines are saved.

        Raises:
            LeaseLost: Another runner has taken over; nothing was saved.
            StorageRefused, ServiceUnavailable: Storage does not serve.
        """
        content = b"".join(lenient_json.dumps(line) + b"\n" for line in lines)
        self._may_write()
        if not self._exists:
            self._create()
        try:
            self._call(lambda: self._blob.append_block(content, appendpos_condition=self._length))
        except HttpResponseError as error:
            if error.status_code != _PRECONDITION:
                raise refused(self.name, error) from None
            if self._read(self._length, 2 * len(content)) != content:
                raise LeaseLost(
                    f"{self.name} was changed by another run. This one stops; nothing was overwritten."
                ) from None
        self._length += len(content)

    def _create(self) -> None:
        try:
            self._call(lambda: self._blob.create_append_blob(match_condition=MatchConditions.IfMissing))
        except HttpResponseError as error:
            if error.status_code not in (_CONFLICT, _PRECONDITION):  # it is there: the length decides
                raise refused(self.name, error) from None
        self._exists = True

    def _read(self, start: int, most: int) -> bytes:
        """What lies there from a place on; nothing behind the end."""

        def download() -> bytes:
            stream = self._blob.download_blob(start, most)
            content = stream.readall()
            if len(content) != stream.size:
                raise ServiceUnavailable(f"{self.name}: the answer is not the whole blob")
            return bytes(content)

        try:
            content: bytes = self._call(download)
        except ResourceNotFoundError:
            return b""
        except HttpResponseError as error:
            if error.status_code != _BEHIND_THE_END:
                raise refused(self.name, error) from None
            content = b""
        self._exists = True
        return content

    def _call(self, call: Callable[[], Any]) -> Any:
        return ask_storage(self._container, self.name, call, self._retry)


class Journals:
    """The journals of one organization.

    Args:
        container: Where the state lies.
        prefix: What their names begin with, such as `directory/default/`.
        retry: Repeats what fails for a moment.
        may_write: Called before every write; raises when this run may write no more.
    """

    def __init__(
        self, container: ContainerClient, prefix: str, retry: Retry, may_write: Callable[[], None]
    ) -> None:
        self._container = container
        self._prefix = prefix
        self._retry = retry
        self._may_write = may_write

    def open(self, account: str, sweep: str) -> Journal:
        """The journal of an account and sweep; nothing is asked for yet."""
        return Journal(self._container, self._name(account, sweep), self._retry, self._may_write)

    def keep_only(self, kept: Iterable[tuple[str, str]]) -> None:
        """Delete all journals but those of these accounts and sweeps."""
        names = {self._name(account, sweep) for account, sweep in kept}
        for name in self._call(lambda: list(self._container.list_blob_names(name_starts_with=self._prefix))):
            if name not in names:
                self._may_write()
                self._delete(name)

    def _delete(self, name: str) -> None:
        try:
            self._call(lambda: self._container.delete_blob(name))
        except ResourceNotFoundError:
            return

    def _name(self, account: str, sweep: str) -> str:
        return f"{self._prefix}{quote(account, safe='')}/{sweep}.ndjson"

    def _call(self, call: Callable[[], Any]) -> Any:
        try:
            return ask_storage(self._container, self._prefix, call, self._retry)
        except ResourceNotFoundError:
            raise
        except HttpResponseError as error:
            raise refused(self._prefix, error) from None
