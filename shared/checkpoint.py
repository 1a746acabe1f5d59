"""The checkpoint: the saved position, in the blob `checkpoint/<organization id or "default">.json`."""

from azure.storage.blob import ContainerClient

from shared.fenced_blob import FencedBlob
from shared.position import Position, position_from_json
from shared.retry import Retry

PREFIX = "checkpoint/"


class Checkpoint(FencedBlob):
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
        super().__init__(container, f"{PREFIX}{organization_id or 'default'}.json", start.to_json(), retry)

    def read(self) -> Position:
        """The saved position.

        Raises:
            StateError: It is unreadable, or a later version wrote it.
        """
        return position_from_json(self.load(), f"{self._container.container_name}/{self.name}")

    def save(self, position: Position) -> None:
        """Save the position; everything up to it was accepted."""
        self.store(position.to_json())
