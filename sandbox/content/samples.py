"""Samples: small histories on which a rule or a query must, or must not, find something.

A file holds the fields that its events share, and scenarios::

    event: {object: User, action: Login, result: Failed, userId: "@ann"}
    fires:
      - name: Six failures within an hour.
        events: [{at: 0m, times: 6, every: 10m}]
        expect: {UserId: "@ann", FailedLogins: 6}
    quiet:
      - name: Five failures.
        events: [{at: 0m, times: 5, every: 10m}]

`at` is the event's time after the scenario's begin. It arrives at once, or `late` after that, or with all its
repetitions at `arrives`, after the begin; `again` after its arrival it is delivered a second time. With `times` and
`every` an event is repeated, and `{n}` in a text is the number of the repetition. A text such as `"@ann"` stands for
the GUID of that name.
"""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from sandbox.content.harness import ACCOUNTS, DELAY, EVENTS, USERS, Bench, ticks, time_generated
from sandbox.content.load import HuntingQuery, Rule, duration
from sandbox.content.schedule import Incident, run

BEGIN = datetime(2026, 11, 18, 9, 2, 17, tzinfo=UTC)
"""The begin of every scenario, a Wednesday."""

FIRST_RUN = datetime(2026, 11, 18, 0, 0, 30, tzinfo=UTC)
"""One of a rule's runs; the others are whole intervals away."""

_NAMES = uuid.UUID("5b0ed3a5-07a9-4f2b-8f0a-6f3d6f6c1f52")
_PROMPT = timedelta(seconds=5)
_OF_EVENTS = {"timestamp", "eventId"}


@dataclass(frozen=True)
class Scenario:
    """A small history, and what is expected of it.

    Attributes:
        name: One sentence.
        fires: Whether something must be found.
        events: The events as written, with the fields that the file's events share.
        table: Where they arrive; for another table than the events' they are flat rows.
        users: Rows of the users' table; without any there is no such table.
        accounts: Rows of the accounts' table.
        expect: Columns of the first row that is found, and their values.
        alerts: How many rows must be found, over all the runs.
        until: How long the rule goes on running; without it, it runs when something has arrived.
    """

    name: str
    fires: bool
    events: list[dict[str, Any]]
    table: str = EVENTS
    users: list[dict[str, Any]] = field(default_factory=list)
    accounts: list[dict[str, Any]] = field(default_factory=list)
    expect: dict[str, Any] = field(default_factory=dict)
    alerts: int = 1
    until: timedelta | None = None


class Arrival(NamedTuple):
    """One delivery of an event."""

    at: datetime
    event: dict[str, Any]

    @property
    def ready(self) -> datetime:
        """From when on a rule can see it: rules run five minutes late."""
        return max(self.at, time_generated(self.event["timestamp"], self.at) + DELAY)


def scenarios(path: Path) -> Iterator[Scenario]:
    """Yield the scenarios of a file."""
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    shared = raw.get("event", {})
    for fires, listed in ((True, raw["fires"]), (False, raw["quiet"])):
        for one in listed:
            yield Scenario(
                name=one["name"],
                fires=fires,
                events=[shared | event for event in one["events"]],
                table=raw.get("table", EVENTS),
                users=_named(one.get("users", [])),
                accounts=_named(one.get("accounts", [])),
                expect=_named(one.get("expect", {})),
                alerts=one.get("alerts", 1) if fires else 0,
                until=duration(one["until"]) if "until" in one else None,
            )


def identifier(name: str) -> str:
    """The GUID that a name stands for."""
    return str(uuid.uuid5(_NAMES, name))


def play(bench: Bench, content: HuntingQuery, scenario: Scenario) -> list[dict[str, Any]]:
    """Return the rows that are found: by all the runs of a rule, or by a hunting query at the end."""
    if isinstance(content, Rule):
        return [incident.row for incident in raised(bench, content, scenario)]
    coming = _prepared(bench, scenario)
    for arrival in coming:
        _deliver(bench, scenario.table, [arrival])
    return bench.run(content, max(BEGIN + (scenario.until or DELAY), bench.now + DELAY))


def raised(bench: Bench, rule: Rule, scenario: Scenario) -> list[Incident]:
    """Return what the runs of a rule raise, each after what had arrived by then."""
    coming = _prepared(bench, scenario)
    found: list[Incident] = []
    for now in _runs(rule, scenario, [arrival.ready for arrival in coming]):
        due = [arrival for arrival in coming if arrival.ready <= now]
        coming = [arrival for arrival in coming if arrival.ready > now]
        _deliver(bench, scenario.table, due)
        bench.forget(now - rule.period)
        found += run(bench.workspace, rule, now)
    return found


def _runs(rule: Rule, scenario: Scenario, ready: list[datetime]) -> list[datetime]:
    if scenario.until is not None:
        count = scenario.until // rule.frequency
        ready = [BEGIN + number * rule.frequency for number in range(count + 1)]
    return ticks(ready, rule.frequency, FIRST_RUN)


def _prepared(bench: Bench, scenario: Scenario) -> list[Arrival]:
    """Fill the directory, and return the deliveries of the events in their order."""
    coming = sorted(_arrivals(scenario.events), key=lambda arrival: arrival.at)
    for table, rows in ((USERS, scenario.users), (ACCOUNTS, scenario.accounts)):
        if rows:
            bench.post(table, rows, coming[0].at)
    return coming


def _deliver(bench: Bench, table: str, due: list[Arrival]) -> None:
    for at, together in groupby(due, key=lambda arrival: arrival.at):
        events = [arrival.event for arrival in together]
        if table == EVENTS:
            bench.arrive(events, at)
        else:
            bench.post(table, ({k: v for k, v in e.items() if k not in _OF_EVENTS} for e in events), at)


def _arrivals(events: list[dict[str, Any]]) -> Iterator[Arrival]:
    for index, written in enumerate(events):
        fields = dict(written)
        times = int(fields.pop("times", 1))
        at, every, late, again, arrives = (
            _span(fields.pop(name, "")) for name in ("at", "every", "late", "again", "arrives")
        )
        for n in range(times):
            moment = BEGIN + (at or timedelta()) + n * (every or timedelta())
            event = _event(moment, f"{index}-{n}", _named(fields, n))
            arrival = moment + (late or _PROMPT) if arrives is None else BEGIN + arrives
            yield Arrival(arrival, event)
            if again:
                yield Arrival(arrival + again, event)


def _event(moment: datetime, key: str, fields: dict[str, Any]) -> dict[str, Any]:
    stamp = moment.isoformat().replace("+00:00", "Z")
    return {"timestamp": stamp, "eventId": identifier(key), **fields}


def _span(text: str) -> timedelta | None:
    if not text:
        return None
    return -duration(text[1:]) if text.startswith("-") else duration(text)


def _named(value: Any, n: int = 0) -> Any:
    """The value with the number of the repetition, and GUIDs in place of names."""
    if isinstance(value, Mapping):
        return {key: _named(part, n) for key, part in value.items()}
    if isinstance(value, list):
        return [_named(part, n) for part in value]
    if not isinstance(value, str):
        return value
    text = value.replace("{n}", str(n))
    return identifier(text[1:]) if text.startswith("@") else text
