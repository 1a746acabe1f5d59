"""A long numbered stream of events for the soak and the crash tests: it counts what it gives."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import orjson

from sandbox.organization import Organization, make_organization

_SHAPES = 2_000


def numbered_ids(count: int) -> list[str]:
    """The ids of a stream of so many events, in order: the n-th GUID is the number n."""
    return [str(uuid.UUID(int=n)) for n in range(1, count + 1)]


def numbered_events(count: int, until: datetime) -> Iterator[bytes]:
    """So many events as JSON, of the shapes of a synthetic organization, with the numbers as ids."""
    history = make_organization(until, events=_SHAPES).history
    heads = [orjson.dumps({k: v for k, v in entry.event.items() if k != "eventId"}) for entry in history]
    for n, identifier in enumerate(numbered_ids(count)):
        yield b'{"eventId":"' + identifier.encode() + b'",' + heads[n % len(heads)][1:]


def empty_organization(seed: int = 7) -> Organization:
    """An organization whose history is yet to come."""
    organization = make_organization(datetime.now(UTC) - timedelta(hours=1), seed=seed, events=_SHAPES)
    organization.history.clear()
    return organization
