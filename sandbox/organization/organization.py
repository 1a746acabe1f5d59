"""The organization as a whole: one call makes it, from a seed and an end time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from sandbox.organization import samples
from sandbox.organization.identifiers import guid
from sandbox.organization.incidents import Director
from sandbox.organization.model import Account, Entry, Incident, IntegrationKey, User
from sandbox.organization.people import make_accounts, make_users
from sandbox.organization.shapes import EventMaker
from sandbox.organization.traffic import Moment, Traffic

SLACK = timedelta(hours=1)
"""The history is this much shorter than asked for, so that none of it has left DocuSign's seven days when a
run that starts minutes later asks for them."""

_LATE, _LATEST = 0.08, 300.0
_GUESSES = 6


@dataclass
class Organization:
    """A synthetic DocuSign organization.

    Attributes:
        organization_id: GUID.
        name: The organization's name.
        accounts: Its accounts; one is the default.
        users: People, applications' users, and closed users.
        integration_keys: Applications in use, ids spelled as in events.
        history: Every event so far, in insertion order; `more` appends.
        incidents: What was planted in the history; `more` appends.
    """

    organization_id: str
    name: str
    accounts: list[Account]
    users: list[User]
    integration_keys: list[IntegrationKey]
    history: list[Entry]
    incidents: list[Incident]
    _traffic: Traffic
    _director: Director

    def more(self, now: datetime, count: int) -> list[Entry]:
        """Let new events happen: return that many entries that were inserted just before now, in order.

        From six events on, the last minutes hold six failed logins of one user.
        """
        moments: list[Moment] = []
        if count >= _GUESSES:
            moments = self._guess(now)
        moments += self._traffic.now(now, count - len(moments))
        moments.sort(key=lambda moment: moment[0])
        entries = [
            Entry(now - timedelta(microseconds=len(moments) - n), event)
            for n, (_, event) in enumerate(moments, start=1)
        ]
        self.history += entries
        return entries

    def _guess(self, now: datetime) -> list[Moment]:
        people = [user for user in self.users if user.clients and user.status == "Active"]
        user = self._traffic.rng.choice(people)
        scene = self._director.guessing(now - timedelta(minutes=4), user, _GUESSES, seconds=35)
        self.incidents.append(scene.incident())
        return scene.moments


def make_organization(until: datetime, *, seed: int = 7, days: int = 7, events: int = 21_000) -> Organization:
    """Return the organization that a seed stands for, with a history that ends at the given time.

    Args:
        until: End of the history, with a time zone.
        seed: The same seed and end give the same organization, byte for byte.
        days: Length of the history; the incidents need two of them.
        events: Number of entries in the history, samples and incidents included.
    """
    rng = Random(seed)
    organization_id = guid(rng)
    maker = EventMaker(rng, organization_id)
    accounts = make_accounts(rng)
    users = make_users(rng, accounts)
    keys = _integration_keys(rng)
    start = until - timedelta(days=days) + SLACK
    director = Director(rng, maker, users, until)
    scenes = list(director.stage())
    staged = [moment for scene in scenes for moment in scene.moments]
    real = list(_real_entries(start, until))
    traffic = Traffic(rng, maker, users, [key.id for key in keys], start, until)
    ordinary = traffic.history(events - len(staged) - len(real))
    history = [_inserted(rng, moment, until) for moment in (*staged, *ordinary)] + real
    history.sort(key=lambda entry: entry.inserted_at)
    incidents = sorted((scene.incident() for scene in scenes), key=lambda incident: incident.when)
    return Organization(
        organization_id, "Harbor Paper", accounts, users, keys, history, incidents, traffic, director
    )


def _integration_keys(rng: Random) -> list[IntegrationKey]:
    names = ("Contract Archive", "Sales CRM", "HR Onboarding", "Invoice Robot")
    keys = [IntegrationKey(guid(rng), name) for name in names]
    return [*keys, IntegrationKey(f"QTES-{guid(rng)}", "Data Warehouse (trial)")]


def _inserted(rng: Random, moment: Moment, until: datetime) -> Entry:
    """Return the entry of an event: most are inserted within seconds, some up to five minutes late."""
    at, event = moment
    late = rng.random() < _LATE
    seconds = rng.uniform(5, _LATEST) if late else rng.uniform(0.2, 4)
    return Entry(min(at + timedelta(seconds=seconds), until), event)


def _real_entries(start: datetime, until: datetime) -> Iterator[Entry]:
    """Yield the published payloads, verbatim, spread over the first half of the history."""
    events = samples.load("real")
    for n, event in enumerate(events, start=1):
        yield Entry(start + (until - start) / 2 * n / (len(events) + 1), event)
