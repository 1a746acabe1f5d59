import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from sandbox.organization import Incident, Organization, make_organization, samples

UNTIL = datetime(2026, 11, 20, 16, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")

Event = dict[str, Any]


@pytest.fixture(scope="module")
def organization() -> Organization:
    """The organization that the sandbox shows by default."""
    return make_organization(UNTIL)


@pytest.fixture(scope="module")
def ordinary(organization: Organization) -> list[tuple[datetime, Event]]:
    """Time and event of everything that is neither planted nor a published payload, in time order."""
    odd = {event["eventId"] for event in samples.load("real")}
    odd |= {event_id for incident in organization.incidents for event_id in incident.event_ids}
    moments = [(time_of(e.event), e.event) for e in organization.history if e.event["eventId"] not in odd]
    return sorted(moments, key=lambda moment: moment[0])


def time_of(event: Event) -> datetime:
    """Return the event's own time; digits beyond microseconds are dropped."""
    return datetime.fromisoformat(re.sub(r"(\.\d{1,6})\d*Z", r"\1Z", event["timestamp"]))


def combination(event: Event) -> tuple[str, ...]:
    """Return the five strings that say what happened."""
    return tuple(event[name] for name in ("object", "action", "property", "field", "result"))


def incident(organization: Organization, name: str) -> tuple[Incident, list[Event]]:
    """Return an incident and its events in time order."""
    found = next(incident for incident in organization.incidents if incident.name == name)
    by_id = {entry.event["eventId"]: entry.event for entry in organization.history}
    return found, [by_id[event_id] for event_id in found.event_ids]


def most_in_an_hour(moments: Iterator[tuple[datetime, str]]) -> int:
    """Return how often the busiest key occurs within any hour."""
    by_key: dict[str, list[datetime]] = defaultdict(list)
    for at, key in moments:
        by_key[key].append(at)
    counts = (sum(1 for t in times if at <= t < at + HOUR) for times in by_key.values() for at in times)
    return max(counts, default=0)


def kilometres(a: Event, b: Event) -> float:
    """Return the great-circle distance between two events."""
    p, q = math.radians(a["latitude"]), math.radians(b["latitude"])
    half = math.sin((q - p) / 2) ** 2
    half += math.cos(p) * math.cos(q) * math.sin(math.radians(b["longitude"] - a["longitude"]) / 2) ** 2
    return 12_742 * math.asin(math.sqrt(half))


def test_same_seed_same_organization() -> None:
    """A seed and an end time stand for one organization, later events included."""
    one, other = (make_organization(UNTIL, days=3, events=600) for _ in range(2))

    assert one.history == other.history
    assert one.more(UNTIL + HOUR, 20) == other.more(UNTIL + HOUR, 20)


def test_other_seed_other_organization() -> None:
    """Another seed gives other people."""
    one, other = (make_organization(UNTIL, seed=seed, days=3, events=600) for seed in (1, 2))

    assert {user.id for user in one.users}.isdisjoint(user.id for user in other.users)


@pytest.mark.parametrize("seed", range(5))
def test_any_seed_works(seed: int) -> None:
    """Every seed finds a cast for all the incidents, whenever the history ends."""
    organization = make_organization(UNTIL + seed * timedelta(hours=17), seed=seed, days=4, events=900)

    assert len(organization.incidents) == 13
    assert len(organization.history) == 900


def test_size_and_span(organization: Organization) -> None:
    """The history holds what was asked for and stays inside DocuSign's seven days."""
    inserted = [entry.inserted_at for entry in organization.history]

    assert len(inserted) == 21_000
    assert UNTIL - timedelta(days=7) + timedelta(minutes=30) < inserted[0]
    assert inserted[-1] <= UNTIL


def test_insertion_order_is_not_time_order(organization: Organization) -> None:
    """Entries come in insertion order, and some events are up to five minutes late."""
    real = len(samples.load("real"))
    inserted = [entry.inserted_at for entry in organization.history]
    delays = sorted(e.inserted_at - time_of(e.event) for e in organization.history)[:-real]

    assert sorted(inserted) == inserted
    assert timedelta(minutes=4) < delays[-1] < timedelta(minutes=5, seconds=2)
    assert any(time_of(b.event) < time_of(a.event) for a, b in pairwise(organization.history))


def test_rhythm(ordinary: list[tuple[datetime, Event]]) -> None:
    """A Sunday has a fraction of a Tuesday's events, and 3 o'clock UTC a fraction of 15 o'clock."""
    days = Counter(at.weekday() for at, _ in ordinary)
    hours = Counter(at.hour for at, _ in ordinary)

    assert days[6] < days[1] / 4
    assert hours[3] < hours[15] / 2


def test_real_payloads_are_verbatim(organization: Organization) -> None:
    """Every published payload is in the history as it was published."""
    history = [json.dumps(entry.event) for entry in organization.history]

    assert all(json.dumps(event) in history for event in samples.load("real"))


def test_every_sample_combination_occurs(organization: Organization) -> None:
    """The history holds each combination that has a sample, and those only known from tables."""
    expected = {combination(event) for name in ("real", "synthetic") for event in samples.load(name)}
    expected |= {
        ("Account", "Updated", "SecurityPolicy", "RecipientAuthenticationSettings", "Optional"),
        ("Account", "Updated", "", "", ""),
        ("Connect", "Updated", "", "", ""),
        ("User", "Updated", "", "", ""),
        ("PermissionSet", "Updated", "", "", ""),
        ("Template", "Created", "", "", ""),
        ("Group", "Deleted", "", "", ""),
    }

    assert set() == expected - {combination(entry.event) for entry in organization.history}


def test_ids_are_unique_guids(organization: Organization) -> None:
    """No event id occurs twice, and all but the published ones are GUIDs of version 4."""
    published = {event["eventId"] for event in samples.load("real")}
    ids = [str(entry.event["eventId"]) for entry in organization.history]

    assert len(ids) == len(set(ids))
    assert all(GUID.fullmatch(event_id) for event_id in ids if event_id not in published)


def test_shapes_vary(organization: Organization) -> None:
    """Events disagree about their fields as real ones do."""
    events: list[Event] = [entry.event for entry in organization.history]
    keys = {GUID.sub("guid", event.get("integratorKey", "none")) for event in events}

    assert {"", "guid", "QTES-guid", "##DOCUSIGN_INTERNAL_NOT_USED##"} <= keys
    assert any("userAgentClientInfo" not in event for event in events)
    assert any("ipAddressLocation" in event and "country" not in event for event in events)
    assert any("ipAddressLocation" not in event and event["latitude"] == 0 for event in events)
    assert any(event["data"].get("EnvelopeType") == list("Envelope") for event in events)
    assert any(":" in event["ipAddress"] for event in events)
    assert {0, 6, 7} <= {len(event["timestamp"].partition(".")[2].rstrip("Z")) for event in events}


def test_people(organization: Organization) -> None:
    """Some 150 people with unique addresses live in six countries or more, and not all names are ASCII."""
    users = organization.users

    assert 150 <= len(users) <= 170
    assert len({user.email for user in users}) == len(users)
    assert all(user.email.isascii() for user in users)
    assert any(not user.name.isascii() for user in users)
    assert len({user.home.country for user in users}) >= 6
    assert len(organization.accounts) == 3
    assert sum(account.is_default for account in organization.accounts) == 1


def test_incidents_are_recent_and_complete(organization: Organization) -> None:
    """Every incident lies within three days of the end, and its events are in the history."""
    history = {entry.event["eventId"] for entry in organization.history}

    assert len({incident.name for incident in organization.incidents}) == 13
    assert all(incident.when > UNTIL - timedelta(days=3) for incident in organization.incidents)
    assert all(history.issuperset(incident.event_ids) for incident in organization.incidents)


def test_password_spray(organization: Organization) -> None:
    """One address abroad fails once or twice on 15 users or more in 20 minutes, and gets in at last."""
    found, events = incident(organization, "password-spray")
    failures = Counter(event["userId"] for event in events if event["result"] == "Failed")
    before = {e.event.get("country") for e in organization.history if time_of(e.event) < found.when}

    assert len(failures) >= 15
    assert set(failures.values()) <= {1, 2}
    assert len({event["ipAddress"] for event in events}) == 1
    assert time_of(events[-1]) - found.when <= timedelta(minutes=20)
    assert (events[-1]["result"], events[-1]["userId"] in failures) == ("Success", True)
    assert "moldova" not in before


def test_sprayed_user_exports_in_bulk(organization: Organization) -> None:
    """The user whose password was found starts both bulk exports from the same address."""
    _, spray = incident(organization, "password-spray")
    export, events = incident(organization, "bulk-export")

    assert (spray[-1]["userId"],) == export.who
    assert {spray[-1]["ipAddress"]} == {event["ipAddress"] for event in events}


def test_brute_force(organization: Organization) -> None:
    """Six failures or more within an hour end in a success, and DocuSign's alert names the failures."""
    found, events = incident(organization, "brute-force")
    failures = [event["eventId"] for event in events if event["result"] == "Failed"]
    alert = next(event for event in events if event["object"] == "Alert")

    assert len(failures) >= 6
    assert len(found.who) == 1
    assert time_of(events[-1]) - found.when < HOUR
    assert events[-1]["result"] == "Success"
    assert set(alert["data"]["EventIds"]) <= set(failures)
    assert alert["data"]["Severity"] == "High"


def test_mass_download_at_night(organization: Organization) -> None:
    """One user downloads 25 envelopes or more within an hour of the night."""
    found, events = incident(organization, "mass-download")
    user = next(user for user in organization.users if user.id == found.who[0])

    assert sum(event["action"] == "Downloaded" for event in events) >= 25
    assert time_of(events[-1]) - found.when < HOUR
    assert user.home.local(found.when).hour < 5


def test_leavers_are_deleted(organization: Organization) -> None:
    """The deleted users are the closed ones, and they do nothing themselves."""
    _, events = incident(organization, "mass-user-deletion")
    closed = {user.id for user in organization.users if user.status == "Closed"}

    assert len(events) >= 6
    assert closed == {event["data"]["AffectedUserId"] for event in events}
    assert closed.isdisjoint(entry.event["userId"] for entry in organization.history)


def test_new_integration_key(organization: Organization) -> None:
    """The unknown integration key occurs nowhere else."""
    found, events = incident(organization, "new-integration-key")
    (key,) = {event["integratorKey"] for event in events}
    users_of = [e.event["eventId"] for e in organization.history if e.event.get("integratorKey") == key]

    assert sorted(found.event_ids) == sorted(str(event_id) for event_id in users_of)
    assert key not in {known.id for known in organization.integration_keys}


def test_impossible_travel(organization: Organization) -> None:
    """Two logins of one user lie further apart than an aeroplane flies in the time between."""
    _, (home, away) = incident(organization, "impossible-travel")
    hours = (time_of(away) - time_of(home)) / HOUR

    assert home["userId"] == away["userId"]
    assert kilometres(home, away) / hours > 1000


def test_known_keys_are_seen_early(organization: Organization) -> None:
    """Every integration key in use occurs before the last three days."""
    early = {e.event.get("integratorKey") for e in organization.history if e.inserted_at < UNTIL - 72 * HOUR}

    assert {key.id for key in organization.integration_keys} <= early


def test_ordinary_failures_are_rare(ordinary: list[tuple[datetime, Event]]) -> None:
    """Nobody mistypes a password more than twice an hour, and no address fails for more than a few users."""
    failed = [(at, event) for at, event in ordinary if event["result"] == "Failed"]

    assert most_in_an_hour((at, event["userId"]) for at, event in failed) <= 2
    assert most_in_an_hour((at, event["ipAddress"]) for at, event in failed) <= 5


@pytest.mark.parametrize(
    ("action", "most"), [("Downloaded", 12), ("Voided", 3), ("Deleted", 3), ("UserDeleted", 2)]
)
def test_ordinary_days_are_quiet(ordinary: list[tuple[datetime, Event]], action: str, most: int) -> None:
    """What a rule counts by the hour stays far below any threshold."""
    moments = ((at, event["userId"]) for at, event in ordinary if event["action"] == action)

    assert most_in_an_hour(moments) <= most


def test_ordinary_travel_is_possible(ordinary: list[tuple[datetime, Event]]) -> None:
    """Nobody logs in from two places that no train or aeroplane connects in the time between."""
    logins: dict[str, list[tuple[datetime, Event]]] = defaultdict(list)
    for at, event in ordinary:
        if event["action"] == "Login":
            logins[event["userId"]].append((at, event))
    trips = [
        (kilometres(a, b), (later - earlier) / HOUR)
        for visits in logins.values()
        for (earlier, a), (later, b) in pairwise(visits)
        if a["city"] != b["city"]
    ]

    assert len(trips) > 10
    assert all(distance / hours < 500 for distance, hours in trips)


def test_second_offices_are_known(ordinary: list[tuple[datetime, Event]]) -> None:
    """Nobody logs in from a country for the first time in the last three days, except beginners."""
    seen: dict[str, set[str]] = defaultdict(set)
    new = set()
    for at, event in ordinary:
        if event["action"] == "Login":
            known = seen[event["userId"]]
            if known and event["country"] not in known and at > UNTIL - timedelta(days=3):
                new.add(event["userId"])
            known.add(event["country"])

    assert set() == new


def test_more() -> None:
    """New events just happened, come in order, have new ids, and hold six guesses at one password."""
    organization = make_organization(UNTIL, days=3, events=600)
    known = {entry.event["eventId"] for entry in organization.history}
    now = UNTIL + HOUR
    entries = organization.more(now, 40)
    failed = Counter(e.event["userId"] for e in entries if e.event["result"] == "Failed")

    assert len(entries) == 40
    assert organization.history[-40:] == entries
    assert sorted(e.inserted_at for e in entries) == [e.inserted_at for e in entries]
    assert all(now - timedelta(minutes=5) < time_of(e.event) < e.inserted_at <= now for e in entries)
    assert known.isdisjoint(e.event["eventId"] for e in entries)
    assert list(failed.values()) == [6]
    assert organization.incidents[-1].who == tuple(failed)


def test_more_of_a_few() -> None:
    """A handful of new events holds no incident, even in a night."""
    organization = make_organization(UNTIL, days=3, events=600)
    entries = organization.more(datetime(2026, 11, 22, 3, tzinfo=UTC), 3)

    assert len(entries) == 3
    assert len(organization.incidents) == 13
