"""The checkpoint: the saved position, in the blob `checkpoint/<organization id or "default">.json`."""

from azure.storage.blob import ContainerClient

from shared import lenient_json
from shared.errors import StateError
from shared.fenced_blob import FencedBlob
from shared.owner import Owner, owner_from_json
from shared.position import Position, position_from_json
from shared.retry import Retry
from shared.storage import state_name

PREFIX = "checkpoint/"


def checkpoint_name(organization_id: str | None) -> str:
    """The name of an organization's checkpoint."""
    return f"{PREFIX}{state_name(organization_id)}.json"


class Checkpoint(FencedBlob):
    """One organization's position; a context manager that holds the lease.

    Args:
        container: Where the state lies.
        organization_id: Names the blob; None names it `default`.
        start: Where the very first run starts. It is saved before the first page is asked for, so that a
            first run that fails does not move a start such as `now`.
        retry: Repeats what fails for a moment.
        owner: Whose stream it is; None for a look at anybody's.
    """

    def __init__(
        self,
        container: ContainerClient,
        organization_id: str | None,
        start: Position,
        retry: Retry,
        owner: Owner | None = None,
    ) -> None:
        self._owner = owner
        super().__init__(container, checkpoint_name(organization_id), self._content_of(start), retry)

    def read(self) -> Position:
        """The saved position. One that names no owner is taken over: an older version wrote it.

        Raises:
            StateError: It is unreadable, a later version wrote it, or it is another owner's.
        """
        position, owner = self._found()
        if self._owner and owner is None:
            self.save(position)
        elif self._owner:
            refuse_another(self._where, owner, self._owner)
        return position

    def before(self) -> Position:
        """The saved position, whosever it is, for one who is about to replace it.

        Raises:
            StateError: It is unreadable, or a later version wrote it.
        """
        return self._found()[0]

    def save(self, position: Position) -> None:
        """Save the position; everything up to it was accepted."""
        self.store(self._content_of(position))

    @property
    def _where(self) -> str:
        return f"{self._container.container_name}/{self.name}"

    def _found(self) -> tuple[Position, Owner | None]:
        content = self.load()
        return position_from_json(content, self._where), owner_from_json(lenient_json.loads(content))

    def _content_of(self, position: Position) -> bytes:
        owner = self._owner.to_json() if self._owner else {}
        return lenient_json.dumps(position.fields() | owner)


def refuse_another(where: str, owner: Owner | None, own: Owner) -> None:
    """Return where a checkpoint is one's own, or names nobody.

    Args:
        where: The blob.
        owner: Whom it names.
        own: The owner that the settings mean.

    Raises:
        StateError: It is another's.
    """
    if owner is not None and owner != own:
        raise StateError(
            f"The checkpoint {where} belongs to DocuSign {owner}, and the settings say {own}: "
            "a cursor of the one means nothing to the other. Correct DOCUSIGN_ENVIRONMENT or DOCUSIGN_USER_ID, "
            "or give this app a STATE_CONTAINER of its own; to go on here from a moment that you choose: "
            "`python manage.py rewind --to <date-time>`."
        )
