import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from shared.checkpoint import Checkpoint
from shared.errors import AlreadyRunning, LeaseLost, ServiceUnavailable, StateError, StorageRefused
from shared.owner import Owner, owner_of
from shared.position import Position
from shared.web import Answer, Request, Transport
from tests.shared.fakes import (
    Behaviour,
    BlobService,
    Wire,
    loses_answer,
    make_retry,
    storage_answer,
    unreachable,
)
from tests.support import USER_ID, ManualClock, make_settings

NAME = "checkpoint/default.json"
START = Position("2026-11-14T00:00:00.000Z", "", "2026-11-21T00:00:00.000Z")
FIRST = Position("c1", "v2", "2026-11-21T09:00:00.000Z", "event-1", "2026-11-21T08:59:00Z")
SECOND = replace(FIRST, cursor="c2", saved_at="2026-11-21T09:00:05.000Z")


@pytest.fixture
def storage(clock: ManualClock) -> BlobService:
    """Give an account without the container."""
    return BlobService(clock, exists=False)


def make_checkpoint(
    storage: BlobService, clock: ManualClock, wire: Transport | None = None, start: Position = START
) -> Checkpoint:
    """Give a checkpoint that is not taken yet."""
    return Checkpoint(storage.client(wire), None, start, make_retry(clock))


def saved(storage: BlobService) -> Position:
    """Read the position that a next run would find."""
    value = json.loads(storage.content(NAME))
    last = value["lastEvent"]
    return Position(value["cursor"], value["api"], value["savedAt"], last["eventId"], last["timestamp"])


def work(checkpoint: Checkpoint, *positions: Position) -> None:
    """Do what a run does: take the checkpoint, read it, save some positions, and give it back."""
    with checkpoint:
        checkpoint.read()
        for position in positions:
            checkpoint.save(position)


def saves(request: Request) -> bool:
    """Tell whether a request overwrites the checkpoint."""
    return request.method == "PUT" and "if-match" in request.headers


def makes(request: Request) -> bool:
    """Tell whether a request makes the checkpoint's blob."""
    return request.method == "PUT" and "if-none-match" in request.headers


def reads(request: Request) -> bool:
    """Tell whether a request reads the checkpoint."""
    return request.method == "GET"


def test_first_run(storage: BlobService, clock: ManualClock) -> None:
    """On the very first run the container and the blob are made, and the start is saved at once."""
    with make_checkpoint(storage, clock) as checkpoint:
        assert START == saved(storage)
        assert START == checkpoint.read()
        assert storage.leased(NAME)

    assert not storage.leased(NAME)
    assert [NAME] == storage.names()


def test_failed_first_run_keeps_its_start(storage: BlobService, clock: ManualClock) -> None:
    """A start such as `now` does not move when the first run fails."""
    wire = Wire(storage, storage_answer(403), only=reads)
    with pytest.raises(StorageRefused):
        work(make_checkpoint(storage, clock, wire))

    with make_checkpoint(
        storage, clock, start=replace(START, cursor="2026-11-21T12:00:00.000Z")
    ) as checkpoint:
        assert START == checkpoint.read()


def test_name(storage: BlobService, clock: ManualClock) -> None:
    """The blob is named by the organization."""
    organization = "0a6e6c5c-9c5d-4b8a-8d1e-2f6b0c9d7e11"
    with Checkpoint(storage.client(), organization, START, make_retry(clock)):
        pass

    assert [f"checkpoint/{organization}.json"] == storage.names()


def test_saved_positions(storage: BlobService, clock: ManualClock) -> None:
    """Each save stands, and the next run finds the last one, every part of it."""
    with make_checkpoint(storage, clock) as checkpoint:
        checkpoint.read()
        checkpoint.save(FIRST)
        assert FIRST == saved(storage)
        checkpoint.save(SECOND)

    with make_checkpoint(storage, clock) as checkpoint:
        assert SECOND == checkpoint.read()


@pytest.mark.parametrize("failure", [None, ZeroDivisionError()])
def test_nothing_is_saved_on_exit(
    storage: BlobService, clock: ManualClock, failure: Exception | None
) -> None:
    """Leaving gives the lease back and writes nothing, whether or not the run failed."""
    wire = Wire(storage)
    with make_checkpoint(storage, clock, wire) as checkpoint:
        checkpoint.read()
        before = len(wire.requests)
        checkpoint.__exit__(type(failure), failure, None)

    assert [] == [request for request in wire.requests[before:] if saves(request) or makes(request)]
    assert START == saved(storage)


def test_two_runners(storage: BlobService, clock: ManualClock) -> None:
    """While one run holds the checkpoint another leaves, having read and written nothing."""
    wire = Wire(storage)
    with make_checkpoint(storage, clock) as first:
        first.read()
        with pytest.raises(AlreadyRunning), make_checkpoint(storage, clock, wire):
            pytest.fail("The second run got in.")
        first.save(FIRST)

    assert 1 == len(wire.requests)


@pytest.mark.parametrize("answer", [None, storage_answer(412, "LeaseIdMissing")])
def test_two_first_runners(storage: BlobService, clock: ManualClock, answer: Answer | None) -> None:
    """Of two first runs at once the slower leaves politely, in whatever words storage tells it."""
    first = make_checkpoint(storage, clock)

    def slower(service: Transport, request: Request) -> Answer:
        first.__enter__()
        return answer or service(request)

    wire = Wire(storage, slower, only=makes)

    with pytest.raises(AlreadyRunning), make_checkpoint(storage, clock, wire):
        pytest.fail("The second run got in.")
    assert START == first.read()
    first.__exit__()


@pytest.mark.parametrize("step", [loses_answer, unreachable, storage_answer(503)])
@pytest.mark.parametrize("what", [saves, makes, reads])
def test_outages(
    storage: BlobService,
    clock: ManualClock,
    step: Behaviour | Answer,
    what: Callable[[Request], bool],
) -> None:
    """Storage that fails for a moment, or answers in silence, changes nothing about what is saved."""
    wire = Wire(storage, step, step, only=what)
    work(make_checkpoint(storage, clock, wire), FIRST, SECOND)

    assert SECOND == saved(storage)


def test_ambiguous_save_is_asked_after(storage: BlobService, clock: ManualClock) -> None:
    """A save that was taken without an answer is refused when repeated, and what lies there shows it was ours."""
    wire = Wire(storage, loses_answer, only=saves)
    with make_checkpoint(storage, clock, wire) as checkpoint:
        checkpoint.read()
        before = len(wire.requests)
        checkpoint.save(FIRST)
        methods = [request.method for request in wire.requests[before:]]

    assert ["PUT", "PUT", "GET"] == methods
    assert FIRST == saved(storage)


@pytest.mark.parametrize("etag", ["", '"0x8D', "null"])
def test_answer_without_a_whole_etag(storage: BlobService, clock: ManualClock, etag: str) -> None:
    """A save or a reading whose ETag did not come whole is repeated: it is the fence of the next save."""

    def cut(service: Transport, request: Request) -> Answer:
        answer = service(request)
        headers = {name: value for name, value in answer.headers.items() if name != "etag"}
        return replace(answer, headers=headers | ({"etag": etag} if etag else {}))

    wire = Wire(storage, cut, only=lambda request: saves(request) or reads(request))
    with make_checkpoint(storage, clock, wire) as checkpoint:
        checkpoint.read()
        wire.then(cut, only=saves)
        checkpoint.save(FIRST)
        checkpoint.save(SECOND)

    assert SECOND == saved(storage)


def test_ambiguous_acquisition(storage: BlobService, clock: ManualClock) -> None:
    """A lease that was granted without an answer does not lock its own run out."""
    wire = Wire(storage, loses_answer, only=lambda request: "x-ms-lease-action" in request.headers)
    work(make_checkpoint(storage, clock, wire), FIRST)

    assert FIRST == saved(storage)


def test_outage_beyond_the_run(storage: BlobService, clock: ManualClock) -> None:
    """A save that never comes through is told: whoever saves knows that the position is the old one."""
    wire = Wire(storage, *[unreachable] * 1000, only=saves)
    with pytest.raises(ServiceUnavailable):
        work(make_checkpoint(storage, clock, wire), FIRST)

    assert START == saved(storage)


def test_lease_lost_in_a_pause(storage: BlobService, clock: ManualClock) -> None:
    """A run that was paused while another ran saves nothing more, and says why."""
    with make_checkpoint(storage, clock) as paused:
        paused.read()
        clock.now += 61
        work(make_checkpoint(storage, clock), SECOND)
        with pytest.raises(LeaseLost, match="was paused or cut off from storage"):
            paused.save(FIRST)

    assert SECOND == saved(storage)


def test_pause_that_the_clock_does_not_show(storage: BlobService, clock: ManualClock) -> None:
    """Where a frozen machine's own clock stood still, lease and ETag keep the save from overwriting the other's."""
    frozen = ManualClock()
    with Checkpoint(storage.client(), None, START, make_retry(frozen)) as paused:
        paused.read()
        clock.now += 61
        work(make_checkpoint(storage, clock), SECOND)
        with pytest.raises(LeaseLost, match="changed by another run"):
            paused.save(FIRST)

    assert SECOND == saved(storage)


@pytest.mark.parametrize("other_ran", [True, False])
def test_expired_lease_that_the_clock_does_not_show(
    storage: BlobService, clock: ManualClock, *, other_ran: bool
) -> None:
    """A save under an expired lease is refused, even if the other run has saved nothing."""
    frozen = ManualClock()
    with Checkpoint(storage.client(), None, START, make_retry(frozen)) as paused:
        paused.read()
        clock.now += 61
        if other_ran:
            work(make_checkpoint(storage, clock))
        with pytest.raises(LeaseLost):
            paused.save(FIRST)

    assert START == saved(storage)


def test_blob_written_from_outside(storage: BlobService, clock: ManualClock) -> None:
    """The ETag is a fence of its own: what somebody wrote by hand is not overwritten."""
    with make_checkpoint(storage, clock) as checkpoint:
        checkpoint.read()
        storage.write(NAME, SECOND.to_json())
        with pytest.raises(LeaseLost, match="nothing was overwritten"):
            checkpoint.save(FIRST)

    assert SECOND == saved(storage)


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"{", b"[]", b"null", b"{}", b'{"version":1}', b'{"version":"1"}']
)
def test_unreadable(storage: BlobService, clock: ManualClock, content: bytes) -> None:
    """An unreadable checkpoint is refused by its name, never restarted in silence, and left as it is."""
    storage.exists = True
    storage.write(NAME, content)

    with pytest.raises(StateError, match=f"docusign-monitor/{NAME}"):
        work(make_checkpoint(storage, clock))

    assert content == storage.content(NAME)
    assert not storage.leased(NAME)


def test_later_version(storage: BlobService, clock: ManualClock) -> None:
    """A checkpoint that a later connector wrote is refused by its name and version."""
    storage.exists = True
    storage.write(NAME, b'{"version":2,"cursor":"c9"}')

    with pytest.raises(StateError, match=f"docusign-monitor/{NAME} has version 2"):
        work(make_checkpoint(storage, clock))


@pytest.mark.parametrize("what", [saves, makes, reads])
def test_refused(storage: BlobService, clock: ManualClock, what: Callable[[Request], bool]) -> None:
    """A refusal of storage stops the run with the role that is missing."""
    wire = Wire(storage, *[storage_answer(403, "AuthorizationPermissionMismatch")] * 9, only=what)

    with pytest.raises(StorageRefused, match="Storage Blob Data Owner"):
        work(make_checkpoint(storage, clock, wire), FIRST)


@pytest.mark.parametrize("what", [saves, makes, reads])
def test_strange_status(storage: BlobService, clock: ManualClock, what: Callable[[Request], bool]) -> None:
    """A status that nobody knows stops the run too, with its code."""
    wire = Wire(storage, storage_answer(400, "InvalidHeaderValue"), only=what)

    with pytest.raises(StorageRefused, match=f"{NAME}: status 400, InvalidHeaderValue"):
        work(make_checkpoint(storage, clock, wire), FIRST)


OWNER = Owner("production", USER_ID)
OTHERS = [Owner("demo", USER_ID), Owner("production", "99999999-9999-4999-8999-999999999999")]


def owned(storage: BlobService, clock: ManualClock, owner: Owner = OWNER) -> Checkpoint:
    """Give an owner's checkpoint."""
    return Checkpoint(storage.client(), None, START, make_retry(clock), owner)


def named_owner(storage: BlobService) -> tuple[str | None, str | None]:
    """Give the environment and the user that the blob names."""
    value = json.loads(storage.content(NAME))
    return value.get("environment"), value.get("userId")


def test_the_blob_names_its_owner(storage: BlobService, clock: ManualClock) -> None:
    """From the first run on, and after each save."""
    with owned(storage, clock) as checkpoint:
        first = named_owner(storage)
        checkpoint.read()
        checkpoint.save(FIRST)

    assert [("production", USER_ID)] * 2 == [first, named_owner(storage)]


@pytest.mark.parametrize("other", OTHERS)
def test_another_owners_checkpoint_is_refused(storage: BlobService, clock: ManualClock, other: Owner) -> None:
    """Another environment's or user's cursor is never asked with; the sentence names both, and the cure."""
    work(owned(storage, clock, other), FIRST)
    before = storage.content(NAME)

    with pytest.raises(
        StateError, match=f"belongs to DocuSign {other}, and the settings say {OWNER}"
    ) as raised:
        work(owned(storage, clock))
    assert all(
        word in str(raised.value) for word in ("STATE_CONTAINER", "DOCUSIGN_ENVIRONMENT", "rewind --to")
    )
    assert before == storage.content(NAME)
    assert not storage.leased(NAME)


def test_a_checkpoint_without_an_owner_is_taken_over_once(storage: BlobService, clock: ManualClock) -> None:
    """An older version's blob gets the first owner who reads it, at once; the next one is refused."""
    work(make_checkpoint(storage, clock), FIRST)

    with owned(storage, clock) as checkpoint:
        assert FIRST == checkpoint.read()
    assert ("production", USER_ID) == named_owner(storage)
    assert FIRST == saved(storage)
    with pytest.raises(StateError, match="belongs to DocuSign production"):
        work(owned(storage, clock, OTHERS[0]))


def test_the_case_of_a_user_is_nobodys_else(storage: BlobService, clock: ManualClock) -> None:
    """A GUID in capital letters is the same user."""
    settings = make_settings(DOCUSIGN_USER_ID="ABCDEF00-0000-4000-8000-000000000000")
    work(owned(storage, clock, owner_of(settings)), FIRST)
    again = make_settings(DOCUSIGN_USER_ID="abcdef00-0000-4000-8000-000000000000")

    with owned(storage, clock, owner_of(again)) as checkpoint:
        assert FIRST == checkpoint.read()


def test_replacing_another_owners_position(storage: BlobService, clock: ManualClock) -> None:
    """Who sets a new position may replace a foreign one; from then on the checkpoint is theirs."""
    work(owned(storage, clock, OTHERS[0]), FIRST)
    with owned(storage, clock) as checkpoint:
        before = checkpoint.before()
        checkpoint.save(SECOND)

    assert (FIRST, ("production", USER_ID)) == (before, named_owner(storage))


def test_what_a_lost_cursor_needs_is_kept(storage: BlobService, clock: ManualClock) -> None:
    """Origin, recent times and what was delivered with an unmoved cursor are found again."""
    known = replace(
        FIRST, delivered=7, digest="d", origin="2026-11-14T00:00:00.000Z", recent=("2026-11-21T08:59:00Z",)
    )
    work(owned(storage, clock), known)

    with owned(storage, clock) as checkpoint:
        assert known == checkpoint.read()
