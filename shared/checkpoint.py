"""The checkpoint: the saved position, fenced by its lease and its ETag.

Blob `checkpoint/<organization id or "default">.json`. Only a runner that holds the lease and has read or
written the blob's present version can save: two runners can never overwrite each other.
"""

from typing import Self

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import ContainerClient

from shared.azure_calls import azure_call
from shared.errors import LeaseLost, StorageRefused
from shared.lease import Lease
from shared.position import Position, position_from_json
from shared.retry import Retry
from shared.storage import ROLE, make_container, refused

PREFIX = "checkpoint/"
_PRECONDITION = 412


class Checkpoint:
    """One organization's position; a context manager that holds the lease.

    Args:
        container: Where the state lies.
        organization_id: Names the blob; None names it `default`.
        start: Where the very first run starts. It is saved before the first page is asked for, so that a
            first run that fails does not move a start such as `now`.
        retry: Repeats what fails for a moment.
    """

    def __init__(
        self, container: ContainerClient, organization_id: str | None, start: Position, retry: Retry
    ) -> None:
        self.name = f"{PREFIX}{organization_id or 'default'}.json"
        self._container = container
        self._blob = container.get_blob_client(self.name)
        self._start = start
        self._retry = retry
        self._etag: str | None = None
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

    def read(self) -> Position:
        """The saved position.

        Raises:
            StateError: It is unreadable, or a later version wrote it.
        """
        content, etag = self._read()
        self._etag = etag
        return position_from_json(content, f"{self._container.container_name}/{self.name}")

    def save(self, position: Position) -> None:
        """Save the position; everything up to it was accepted.

        Raises:
            LeaseLost: Another runner has taken over; nothing was saved.
            StorageRefused, ServiceUnavailable: Storage does not serve.
        """
        self.lease.ensure()
        content = position.to_json()
        try:
            self._etag = self._retry(lambda: self._upload(content))
        except HttpResponseError as error:
            if error.status_code != _PRECONDITION:
                raise refused(self.name, error) from None
            self._etag = self._etag_if_ours(content)

    def _upload(self, content: bytes) -> str:
        def upload() -> dict[str, str]:
            return self._blob.upload_blob(
                content,
                overwrite=True,
                lease=self.lease.fence,
                etag=self._etag,
                match_condition=MatchConditions.IfNotModified,
            )

        return azure_call(self.name, upload, StorageRefused, f"{ROLE}.")["etag"]

    def _etag_if_ours(self, content: bytes) -> str:
        """A save whose answer was lost is refused when repeated, for the first one changed the ETag."""
        found, etag = self._read()
        if found == content:
            return etag
        raise LeaseLost(
            f"The checkpoint {self.name} was changed by another run. This one stops; nothing was overwritten."
        )

    def _read(self) -> tuple[bytes, str]:
        def download() -> tuple[bytes, str]:
            stream = self._blob.download_blob()
            return stream.readall(), str(stream.properties.etag)

        try:
            return self._retry(lambda: azure_call(self.name, download, StorageRefused, f"{ROLE}."))
        except HttpResponseError as error:
            raise refused(self.name, error) from None

    def _create(self) -> None:
        content = self._start.to_json()
        self._retry(lambda: make_container(self._container))
        try:
            self._retry(
                lambda: azure_call(
                    self.name, lambda: self._blob.upload_blob(content), StorageRefused, f"{ROLE}."
                )
            )
        except ResourceExistsError:
            return  # another first run was faster; its start counts
        except HttpResponseError as error:
            raise refused(self.name, error) from None
