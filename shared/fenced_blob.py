"""A blob of state that one runner at a time may change, fenced by its lease and its ETag.

Only a runner that holds the lease and has read or written the blob's present version can save: two runners can
never overwrite each other.
"""

from collections.abc import Callable
from typing import Self, TypeVar

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob import ContainerClient

from shared.errors import LeaseLost, ServiceUnavailable
from shared.lease import Lease
from shared.retry import Retry
from shared.storage import ask_storage, make_container, refused

T = TypeVar("T")

_PRECONDITION = 412
_FASTER = frozenset({409, 412})
"""There is such a blob; 412 where storage first sees that it is leased."""


class FencedBlob:
    """One blob; a context manager that holds its lease. What it holds is loaded before it is stored.

    Args:
        container: Where the state lies.
        name: The blob's name.
        first: What it holds on the very first run.
        retry: Repeats what fails for a moment.
    """

    def __init__(self, container: ContainerClient, name: str, first: bytes, retry: Retry) -> None:
        self.name = name
        self._container = container
        self._blob = container.get_blob_client(name)
        self._first = first
        self._retry = retry
        self.lease = Lease(self._blob, retry, retry.budget.clock)

    def __enter__(self) -> Self:
        """Take the lease, creating the blob on the very first run.

        Raises:
            AlreadyRunning: Another run has it.
            StorageRefused, ServiceUnavailable: Storage does not serve.
        """
        try:
            self.lease.acquire()
        except ResourceNotFoundError:
            self._create()
            self.lease.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        """Give the lease back. Nothing is saved here."""
        self.lease.release()

    def load(self) -> bytes:
        """What the blob holds, whole.

        Raises:
            StorageRefused, ServiceUnavailable: Storage does not serve.
        """
        self._content, self._etag = self._read()
        return self._content

    def store(self, content: bytes) -> None:
        """Put the content in place of what was last loaded or stored.

        Raises:
            LeaseLost: Another runner has taken over; nothing was saved.
            StorageRefused, ServiceUnavailable: Storage does not serve.
        """
        self.lease.ensure()
        if not self._saved(content):
            self._agree_with_storage(content)
        self._content = content

    def _saved(self, content: bytes) -> bool:
        """Whether the upload was taken; False when the blob is not as this run knows it."""
        try:
            self._etag = self._ask(lambda: self._upload(content))
        except HttpResponseError as error:
            if error.status_code == _PRECONDITION:
                return False
            raise refused(self.name, error) from None
        return True

    def _upload(self, content: bytes) -> str:
        properties = self._blob.upload_blob(
            content,
            lease=self.lease.fence,
            etag=self._etag,
            match_condition=MatchConditions.IfNotModified,
        )
        return whole_etag(properties.get("etag"), self.name)

    def _agree_with_storage(self, content: bytes) -> None:
        """A save whose answer was lost or cut short is refused when repeated: its ETag is not known here.

        What lies there tells whether it was ours. The lease is the fence that no one else can pass.
        """
        found, self._etag = self._read()
        if found == content or (found == self._content and self._saved(content)):
            return
        raise LeaseLost(f"{self.name} was changed by another run. This one stops; nothing was overwritten.")

    def _read(self) -> tuple[bytes, str]:
        try:
            return self._ask(self._download)
        except HttpResponseError as error:
            raise refused(self.name, error) from None

    def _download(self) -> tuple[bytes, str]:
        stream = self._blob.download_blob()
        content = stream.readall()
        if len(content) != stream.size:
            raise ServiceUnavailable(f"{self.name}: the answer is not the whole blob")
        return content, whole_etag(stream.properties.etag, self.name)

    def _create(self) -> None:
        make_container(self._container, self._retry)
        try:
            self._ask(lambda: self._blob.upload_blob(self._first))
        except HttpResponseError as error:
            if error.status_code not in _FASTER:  # another first run may be faster: its content counts
                raise refused(self.name, error) from None

    def _ask(self, call: Callable[[], T]) -> T:
        return ask_storage(self._container, self.name, call, self._retry)


def whole_etag(etag: object, name: str) -> str:
    """The ETag of an answer.

    Raises:
        ServiceUnavailable: There is none, or half of one: the answer was cut short, or is not the service's.
    """
    if isinstance(etag, str) and etag.startswith('"') and etag.endswith('"') and len(etag) > len('""'):
        return etag
    raise ServiceUnavailable(f"{name}: the answer has no ETag")
