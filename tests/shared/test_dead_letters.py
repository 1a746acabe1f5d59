import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.dead_letters import DeadLetters
from shared.errors import ServiceUnavailable, StorageRefused
from shared.web import Answer, Transport
from tests.shared.fakes import (
    Behaviour,
    BlobService,
    Wire,
    loses_answer,
    make_retry,
    never,
    storage_answer,
    unreachable,
)
from tests.support import EVENT, ManualClock, make_event

AT = datetime(2026, 11, 21, 23, 59, 59, tzinfo=UTC)
FOLDER = "dead-letters/2026/11/21/"
NAME = f"{FOLDER}{EVENT['eventId']}.json"


@pytest.fixture
def storage(clock: ManualClock) -> BlobService:
    """Give an empty container."""
    return BlobService(clock)


def write(storage: BlobService, event: Any, wire: Transport | None = None, reason: str = "too odd") -> None:
    """Keep one event."""
    letters = DeadLetters(storage.client(wire), make_retry(), lambda: AT)
    letters.write(event, reason=reason, status=400, cursor="c1")


def letter(storage: BlobService, name: str) -> Any:
    """Give what a dead letter's blob holds."""
    return json.loads(storage.content(name))


def test_letter(storage: BlobService) -> None:
    """A dead letter holds the whole event, and all that is needed to send it again."""
    write(storage, EVENT)

    assert [NAME] == storage.names()
    assert {
        "reason": "too odd",
        "status": 400,
        "event": EVENT,
        "cursor": "c1",
        "at": "2026-11-21T23:59:59.000Z",
    } == letter(storage, NAME)


@pytest.mark.parametrize(
    "event",
    [
        make_event(eventId=None),
        make_event(eventId=""),
        make_event(eventId=7),
        make_event(eventId="../../checkpoint/default"),
        make_event(eventId="a/b"),
        make_event(eventId="x" * 65),
        "no object",
        None,
        [1, 2],
        {"eventId": "\ud800", "city": "Zürich"},
    ],
)
def test_events_without_a_usable_id(storage: BlobService, event: Any) -> None:
    """An event whose id cannot be a blob's name is named by the hash of its content."""
    write(storage, event)
    (name,) = storage.names()
    text = json.dumps(event, sort_keys=True, separators=(",", ":")).encode("ascii")

    assert f"{FOLDER}{hashlib.sha256(text).hexdigest()}.json" == name
    assert event == letter(storage, name)["event"]
    assert storage.content(name).isascii()


@pytest.mark.parametrize("event", [EVENT, {"city": "Zürich"}])
def test_kept_once(storage: BlobService, event: Any) -> None:
    """An event that is delivered again is not kept twice; the first reason stays."""
    write(storage, event)
    write(storage, event, reason="again")
    (name,) = storage.names()

    assert "too odd" == letter(storage, name)["reason"]


@pytest.mark.parametrize("content", [None, b"", b"no json", b"[]", b'{"reason":"-"}'])
def test_another_event_of_the_same_id(storage: BlobService, content: bytes | None) -> None:
    """Where another event, or something else, has the id's name, the event is kept by its hash."""
    if content is None:
        write(storage, make_event(city="elsewhere"))
    else:
        storage.write(NAME, content)
    write(storage, EVENT)
    (other,) = set(storage.names()) - {NAME}

    assert EVENT == letter(storage, other)["event"]


@pytest.mark.parametrize("step", [storage_answer(503), storage_answer(429), unreachable, loses_answer])
@pytest.mark.parametrize("event", [EVENT, {"city": "Zürich"}])
def test_outage_is_outlasted(storage: BlobService, event: Any, step: Behaviour | Answer) -> None:
    """Storage that fails for a moment is asked again, and an ambiguous answer makes no second letter."""
    write(storage, event, Wire(storage, step))
    (name,) = storage.names()

    assert event == letter(storage, name)["event"]


def test_outage_beyond_the_run(storage: BlobService) -> None:
    """An event that cannot be kept stops the run: its page must not be passed."""
    letters = DeadLetters(storage.client(Wire(storage_answer(503))), never(), lambda: AT)

    with pytest.raises(ServiceUnavailable):
        letters.write(EVENT, reason="-", status=400, cursor="c1")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (storage_answer(403, "AuthorizationPermissionMismatch"), "role Storage Blob Data Owner"),
        (storage_answer(404, "ContainerNotFound"), "status 404, ContainerNotFound"),
        (storage_answer(400, "InvalidUri"), "status 400, InvalidUri"),
    ],
)
def test_refusals(storage: BlobService, answer: Answer, says: str) -> None:
    """A refusal of storage names the blob and the cure, and nothing of the event."""
    with pytest.raises(StorageRefused, match=says) as raised:
        write(storage, EVENT, Wire(answer))

    assert NAME in str(raised.value)
    assert EVENT["ipAddress"] not in str(raised.value)


def test_letter_that_vanishes(storage: BlobService) -> None:
    """A letter that was replayed and removed just now does not stop the next one from being kept."""
    write(storage, EVENT)
    gone = storage_answer(404, "BlobNotFound")
    write(storage, EVENT, Wire(storage, gone, only=lambda request: request.method == "GET"))

    assert 2 == len(storage.names())
