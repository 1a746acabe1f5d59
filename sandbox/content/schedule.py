"""The scheduler over a history: what the rules would have raised, had they been running all the time.

A rule names the interval between its runs once, in `let Frequency = 1h;`, and asks what arrived in it. So one run
with a longer interval answers for all the runs in between, and a week needs one run and not two hundred. What
differs: several bursts of one user become one incident.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import duckdb_kql

from sandbox.content.harness import DELAY
from sandbox.content.load import Rule, rules
from sandbox.workspace.kql import query
from sandbox.workspace.store import Workspace

_FREQUENCY = re.compile(r"let Frequency = \w+;")
_PARSED = "Parsed"


@dataclass(frozen=True)
class Incident:
    """What an analyst would find in the queue.

    Attributes:
        severity: Informational, Low, Medium or High.
        rule: The rule's file name, without `.yaml`.
        what: The alert's title.
        who: E-mail address, name or id of the user; the address where there are many users.
        where: Place and address.
        when: Time of the event, or of the last of them.
        row: The row of the rule's result.
    """

    severity: str
    rule: str
    what: str
    who: str
    where: str
    when: datetime
    row: dict[str, Any]


def incidents(workspace: Workspace, since: datetime, until: datetime) -> list[Incident]:
    """Return what every rule raises on arrivals between two moments, in the order of time.

    Args:
        workspace: Its tables and stored functions; `hold_parsed` makes many runs fast.
        since: Before the first arrival that counts.
        until: The last arrival that counts.
    """
    now = until + DELAY
    found = [incident for rule in rules() for incident in run(workspace, rule, now, now - since)]
    return sorted(found, key=lambda incident: incident.when)


def run(workspace: Workspace, rule: Rule, now: datetime, interval: timedelta | None = None) -> list[Incident]:
    """Return what one run of a rule raises, with another interval than the rule's own where one is given."""
    text = rule.query
    if interval is not None:
        text = _FREQUENCY.sub(f"let Frequency = {interval // timedelta(minutes=1)}m;", text)
    return [_incident(rule, row) for row in query(workspace, text, now).records()]


def _incident(rule: Rule, row: dict[str, Any]) -> Incident:
    address = row.get("IpAddress", "")
    place = row["Place"]
    return Incident(
        severity=rule.severity_of(row),
        rule=rule.path.stem,
        what=rule.title(row),
        who=row["User"],
        where=f"{place} ({address})" if address else place,
        when=row["EventTime"],
        row=row,
    )


def hold_parsed(workspace: Workspace) -> None:
    """Put the parser's result into a table that the function then reads: for many queries over fixed rows.

    Do this on a copy: rows that come later are not seen.
    """
    text = "DocuSignMonitor"
    with workspace.reader() as connection:
        functions = workspace.functions.used_by(text, connection, workspace.version)
        duckdb_kql.kql(connection, text, allow_write=False, functions=functions).create(_PARSED)
    workspace.save_function("DocuSignMonitor", _PARSED)
