"""The figures of one run of the directory's timer."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

COMPLETE, CONTINUES, FAILED = "complete", "continues", "failed"
"""Every account is done; the next run goes on; it failed, and the next run goes on."""
NOTES_IN_A_ROW = 20
"""So many notes stand in the health table; the log line has them all."""


@dataclass
class SweepFigures:
    """What one run did, by the names of its log line.

    Attributes:
        calls: Calls to DocuSign's lists.
        users: Users that were read.
        rows: Rows that the workspace took.
        batches: Posts that it took.
        deleted: Users and accounts that were reported as gone.
        refused: Rows that the workspace refused.
        notes: What a person should know.
    """

    sweepId: str = ""  # noqa: N815 - the table's column
    outcome: str = FAILED
    full: bool = False
    accounts: int = 0
    users: int = 0
    rows: int = 0
    batches: int = 0
    deleted: int = 0
    refused: int = 0
    calls: int = 0
    retries: int = 0
    organizationId: str = ""  # noqa: N815 - the table's column
    notes: list[str] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)

    def told(self) -> list[str]:
        """The notes, and one for each way in which rows were refused."""
        return [*self.notes, *(f"{sentence} (rows: {count})" for sentence, count in self.refusals.items())]

    def line(self) -> dict[str, Any]:
        """The figures for the log line; what is empty is left out."""
        named = {name: value for name, value in asdict(self).items() if name not in ("notes", "refusals")}
        return {
            name: value for name, value in (named | {"notes": self.told()}).items() if value not in ("", [])
        }

    def error(self) -> str:
        """The notes for the health row, as many as a table's field has room for."""
        told = self.told()
        more = len(told) - NOTES_IN_A_ROW
        return " | ".join([*told[:NOTES_IN_A_ROW], *([f"and {more} more in the log"] if more > 0 else [])])
