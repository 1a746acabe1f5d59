"""The lines of an account's journal.

::

    {"detail": {row}}                                  a user of the eSignature list, until its other half comes
    {"user": id, "hash": .., "userName": .., ..}       a user whose row was settled: one a user and sweep
    {"phase": .., "next": address, ..}                 where the next page starts; the last one counts
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

from shared.directory.journal import Line
from shared.directory.rows import Row, filled, mark, text

DETAILS, MEMBERS, CLOSING, PASSING, CLOSED = "details", "members", "closing", "passing", "closed"
GONE = 2
"""A user or account is reported as gone after so many complete sweeps in a row without it."""


@dataclass(frozen=True)
class Progress:
    """What comes next.

    Attributes:
        phase: The list that is read, or what is done once both are.
        next: The address of the list's next page; empty for its first.
        detailed: Whether the list of details was read to its end and had users: who is not in it was missed.
        listed: The same of the list of members, as far as it was read.
        doubted: Whether the list that is read was cut short, or has users without an id: nobody is missed by it.
        idle: How many pages in a row brought nobody new.
        reason: Why the account is passed over; empty while it is not.
    """

    phase: str = DETAILS
    next: str = ""
    detailed: bool = False
    listed: bool = False
    doubted: bool = False
    idle: int = 0
    reason: str = ""

    def line(self) -> Line:
        """Its line."""
        return asdict(self)


@dataclass(frozen=True)
class Entry:
    """A user whose row was settled.

    Attributes:
        user: The id.
        hash: What the row says; empty when the workspace refused it.
        name, email: For the row about its end.
        only_details: Whether only the eSignature list knows the user.
        in_details: Whether that list knew a member, too, when its row was settled.
        missed: How many complete sweeps in a row were without it; from `GONE` on it was reported.
    """

    user: str
    hash: str
    name: str = ""
    email: str = ""
    only_details: bool = False
    missed: int = 0
    in_details: bool = False

    def line(self) -> Line:
        """Its line; what says nothing is left out."""
        more = filled(userName=self.name, email=self.email)
        flags = {"onlyDetails": True} if self.only_details else {}
        flags |= {"inDetails": True} if self.in_details else {}
        missed = {"missed": self.missed} if self.missed else {}
        return {"user": self.user, "hash": self.hash, **more, **flags, **missed}

    def gone_row(self) -> Row:
        """The row about its end, with the names that it had: an investigator still asks for them."""
        return filled(userId=self.user, userName=self.name, email=self.email)


def new_entry(row: Row, hashed: str, *, only_details: bool, in_details: bool = False) -> Entry:
    """The entry of a user who was read."""
    name, email = text(row.get("userName")), text(row.get("email"))
    return Entry(row["userId"], hashed, name, email, only_details, in_details=in_details)


def entry_of(line: Line) -> Entry | None:
    """The entry that a line holds, or None."""
    user, missed = text(line.get("user")), line.get("missed")
    if not user:
        return None
    return Entry(
        user,
        text(line.get("hash")),
        text(line.get("userName")),
        text(line.get("email")),
        line.get("onlyDetails") is True,
        missed if isinstance(missed, int) else 0,
        line.get("inDetails") is True,
    )


def progress_of(line: Line) -> Progress | None:
    """The progress that a line holds, or None."""
    if not (phase := text(line.get("phase"))):
        return None
    detailed, listed, doubted = (line.get(name) is True for name in ("detailed", "listed", "doubted"))
    idle = found if isinstance(found := line.get("idle"), int) else 0
    return Progress(phase, text(line.get("next")), detailed, listed, doubted, idle, text(line.get("reason")))


def entries(lines: Iterable[Line]) -> Iterator[Entry]:
    """The users that a closed journal still knows."""
    return (entry for line in lines if (entry := entry_of(line)) and entry.missed < GONE)


def marks(lines: Iterable[Line]) -> set[int]:
    """The users of a closed journal with what their rows said, 64 bits each."""
    return {mark(entry.user, entry.hash) for entry in entries(lines)}
