"""What the integration tests ask of a sandbox."""

from collections import Counter
from typing import Any

from sandbox.demo import FUNCTION, figures_of
from sandbox.functions.host import FunctionHost
from sandbox.workspace.kql import query
from sandbox.world import Sandbox


class Record:
    """The event ids that the workspace took, in the order of their acceptance."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.ids: list[str] = []
        sandbox.collector.on_rows = self._add

    def _add(self, table: str, rows: list[dict[str, Any]]) -> None:
        if table == "DocuSignMonitor_CL":
            self.ids += [str(row.get("eventId")) for row in rows]

    @property
    def repeated(self) -> int:
        """Rows that came more than once."""
        return sum(times - 1 for times in Counter(self.ids).values())


def sent_ids(sandbox: Sandbox) -> list[str]:
    """The ids of every event that DocuSign has, in the order of their insertion."""
    return [str(entry.event["eventId"]) for entry in sandbox.docusign.organization.history]


def fire(host: FunctionHost) -> dict[str, Any]:
    """The figures of one run, which must not fail."""
    return figures_of(host.fire(FUNCTION))


def records(sandbox: Sandbox, kql: str) -> list[dict[str, Any]]:
    """The rows of a query."""
    return query(sandbox.workspace, kql).records()
