"""The head of the sweeps' state: which accounts are known, and how far the sweep under way has come.

Blob `directory/<organization id or "default">.json`. It is small, and saved when an account is done; the users
are in the journals. It only saves rows that need not be sent again: where it is lost, unreadable, or somebody
else's, the next sweep is a full one, and nobody counts as gone. The lease on it is the sweep's lock.
"""

from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

from azure.storage.blob import ContainerClient

from shared import lenient_json
from shared.fenced_blob import FencedBlob
from shared.owner import Owner, owner_from_json
from shared.retry import Retry

PREFIX = "directory/"
VERSION = 2

T = TypeVar("T")


@dataclass
class KnownAccount:
    """An account that a sweep has seen.

    Attributes:
        hash: What its row says; empty when the workspace refused the row.
        name: For the row about its end.
        organization: Its organization's id.
        sweep: The sweep whose journal holds its users; empty before the first.
        missed: How many complete sweeps in a row were without it.
    """

    hash: str = ""
    name: str = ""
    organization: str = ""
    sweep: str = ""
    missed: int = 0


@dataclass
class UnderWay:
    """The sweep under way; an empty id for none.

    Attributes:
        id: Its GUID.
        startedAt: ISO 8601 UTC.
        full: Whether every row is sent, changed or not.
        done: The accounts whose users were all read.
        passed: The accounts that were passed over, and why.
        failing: The accounts whose list does not come, and since when.
        low: The accounts that had no calls left in the hour they were asked: they come last.
        counted: Whether the accounts that it did not list were counted.
    """

    id: str = ""
    startedAt: str = ""  # noqa: N815 - the blob's field
    full: bool = True
    done: list[str] = field(default_factory=list)
    passed: dict[str, str] = field(default_factory=dict)
    failing: dict[str, str] = field(default_factory=dict)
    low: list[str] = field(default_factory=list)
    counted: bool = False


@dataclass
class Complete:
    """The last complete sweep; an empty id for none."""

    id: str = ""
    startedAt: str = ""  # noqa: N815 - the blob's field


@dataclass
class Head:
    """All of it; `full_at` is when the last complete full sweep began."""

    owner: Owner
    full_at: str = ""
    complete: Complete = field(default_factory=Complete)
    under_way: UnderWay = field(default_factory=UnderWay)
    accounts: dict[str, KnownAccount] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """The blob's content."""
        return lenient_json.dumps(
            {
                "version": VERSION,
                **self.owner.to_json(),
                "fullAt": self.full_at,
                "complete": asdict(self.complete),
                "underWay": asdict(self.under_way),
                "accounts": {key: asdict(known) for key, known in self.accounts.items()},
            }
        )


def head_from_json(content: bytes) -> Head | None:
    """The head that a blob holds, or None when it is unreadable or of another version."""
    try:
        value = lenient_json.loads(content)
    except ValueError:
        return None
    if not isinstance(value, dict) or value.get("version") != VERSION:
        return None
    owner, full_at, known = owner_from_json(value), value.get("fullAt"), value.get("accounts")
    complete, under_way = _made(Complete(), value.get("complete")), _made(UnderWay(), value.get("underWay"))
    if owner is None or complete is None or under_way is None:
        return None
    if not isinstance(full_at, str) or not isinstance(known, dict):
        return None
    accounts = {key: _made(KnownAccount(), entry) for key, entry in known.items()}
    whole = {key: entry for key, entry in accounts.items() if entry is not None}
    return Head(owner, full_at, complete, under_way, whole) if len(whole) == len(accounts) else None


def _made(like: T, value: Any) -> T | None:
    """An object of the same class, its fields of the same kinds, or None."""
    kinds = {item.name: type(getattr(like, item.name)) for item in fields(like)}  # type: ignore[arg-type]
    if not isinstance(value, dict) or value.keys() != kinds.keys():
        return None
    right = all(isinstance(value[name], kind) for name, kind in kinds.items())
    return type(like)(**value) if right else None


class HeadBlob(FencedBlob):
    """The head's blob; a context manager that holds its lease.

    Args:
        container: Where the state lies.
        name: The organization's id, or `default`.
        owner: Whose state it is.
        retry: Repeats what fails for a moment.
    """

    def __init__(self, container: ContainerClient, name: str, owner: Owner, retry: Retry) -> None:
        super().__init__(container, f"{PREFIX}{name}.json", Head(owner).to_json(), retry)
        self.owner = owner

    def read(self) -> Head | None:
        """The head, whoever's it is, or None when it is unreadable."""
        return head_from_json(self.load())

    def save(self, head: Head) -> None:
        """Save the head; only the holder of the lease can."""
        self.store(head.to_json())
