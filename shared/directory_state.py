"""What the last complete sweep of the directory saw, and how far the present one has come.

Blob `directory/<organization id or "default">.json`. It only saves rows that need not be sent again: where it
is lost or unreadable, the next sweep is a full one. The lease on it is the sweep's lock, and not the events'.
"""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from azure.storage.blob import ContainerClient

from shared import lenient_json
from shared.fenced_blob import FencedBlob
from shared.retry import Retry

PREFIX = "directory/"
VERSION = 1

Seen = dict[str, list[str]]
"""By a row's key: the hash of the row, and the names that a row about its deletion shows."""


@dataclass
class Snapshot:
    """Rows that were seen.

    Attributes:
        sweep_id: The sweep that saw them; empty for none.
        started_at: When it began, ISO 8601 UTC.
        accounts: By account id.
        users: By `<account id>/<user id>`.
        done: The accounts whose users are all in it.
        full: Whether every row was sent, changed or not.
    """

    sweep_id: str = ""
    started_at: str = ""
    accounts: Seen = field(default_factory=dict)
    users: Seen = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    full: bool = True


@dataclass
class State:
    """The last complete sweep, the one under way, and when the last full one began."""

    complete: Snapshot = field(default_factory=Snapshot)
    present: Snapshot = field(default_factory=Snapshot)
    full_at: str = ""

    def to_json(self) -> bytes:
        """The blob's content."""
        return lenient_json.dumps({"version": VERSION, **asdict(self)})


def state_from_json(content: bytes) -> State | None:
    """The state that a blob holds, or None when it is unreadable or of another version."""
    try:
        value = lenient_json.loads(content)
    except ValueError:
        return None
    if not isinstance(value, dict) or value.get("version") != VERSION:
        return None
    complete, present = _snapshot(value.get("complete")), _snapshot(value.get("present"))
    full_at = value.get("full_at")
    if complete is None or present is None or not isinstance(full_at, str):
        return None
    return State(complete, present, full_at)


def _snapshot(value: Any) -> Snapshot | None:
    kinds = {item.name: type(getattr(Snapshot(), item.name)) for item in fields(Snapshot)}
    if not isinstance(value, dict) or value.keys() != kinds.keys():
        return None
    if not all(isinstance(value[name], kind) for name, kind in kinds.items()):
        return None
    entries = [*value["accounts"].values(), *value["users"].values()]
    return Snapshot(**value) if all(isinstance(entry, list) and entry for entry in entries) else None


class StateBlob(FencedBlob):
    """The state's blob; a context manager that holds its lease.

    Args:
        container: Where the state lies.
        organization_id: Names the blob; None names it `default`.
        retry: Repeats what fails for a moment.
    """

    def __init__(self, container: ContainerClient, organization_id: str | None, retry: Retry) -> None:
        super().__init__(container, f"{PREFIX}{organization_id or 'default'}.json", State().to_json(), retry)

    def read(self) -> State | None:
        """The state, or None when it is unreadable."""
        return state_from_json(self.load())

    def save(self, state: State) -> None:
        """Save the state; only the holder of the lease can."""
        self.store(state.to_json())
