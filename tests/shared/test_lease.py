import queue
import threading

import pytest
from azure.core.exceptions import ResourceNotFoundError

from shared.deadline import _current
from shared.errors import AlreadyRunning, LeaseLost, ServiceUnavailable, StorageRefused
from shared.lease import LEASE_SECONDS, RENEW_SECONDS, Lease
from shared.web import Answer, Request, Transport
from tests.shared.fakes import (
    Behaviour,
    BlobService,
    Wire,
    loses_answer,
    make_retry,
    passes,
    storage_answer,
    unreachable,
)
from tests.support import ManualClock

NAME = "checkpoint/default.json"


@pytest.fixture
def storage(clock: ManualClock) -> BlobService:
    """Give a container with one blob."""
    made = BlobService(clock)
    made.write(NAME, b"{}")
    return made


def make_lease(storage: BlobService, clock: ManualClock, wire: Transport | None = None) -> Lease:
    """Give a lease that is not taken yet."""
    blob = storage.client(wire).get_blob_client(NAME)
    return Lease(blob, make_retry(clock), clock)


def action(request: Request) -> str:
    """Tell what a request does to the lease."""
    return request.headers.get("x-ms-lease-action", "")


def test_taken_and_given_back(storage: BlobService, clock: ManualClock) -> None:
    """A lease lasts 60 s, and is free as soon as it is given back."""
    wire = Wire(storage)
    lease = make_lease(storage, clock, wire)
    lease.acquire()

    assert storage.leased(NAME)
    assert "60" == wire.requests[0].headers["x-ms-lease-duration"]
    lease.ensure()
    lease.release()
    assert not storage.leased(NAME)


def test_another_run_has_it(storage: BlobService, clock: ManualClock) -> None:
    """A second run leaves at once, without asking twice."""
    first, wire = make_lease(storage, clock), Wire(storage)
    first.acquire()

    with pytest.raises(AlreadyRunning, match=f"Another run holds the lease on {NAME}: this one leaves"):
        make_lease(storage, clock, wire).acquire()

    assert ([], 1) == (clock.slept, len(wire.requests))
    first.release()


def test_killed_run_blocks_a_minute(storage: BlobService, clock: ManualClock) -> None:
    """The lease of a run that was killed ends by itself after 60 s."""
    killed, second = make_lease(storage, clock), make_lease(storage, clock)
    killed.acquire()
    clock.now += LEASE_SECONDS - 1
    with pytest.raises(AlreadyRunning):
        second.acquire()
    clock.now += 1
    second.acquire()
    second.ensure()
    second.release()
    killed.release()


@pytest.mark.parametrize("step", [loses_answer, unreachable, storage_answer(503)])
def test_ambiguous_acquisition(storage: BlobService, clock: ManualClock, step: Behaviour | Answer) -> None:
    """A lease that was granted without an answer is had by asking again: its id is ours."""
    lease = make_lease(storage, clock, Wire(storage, step))
    lease.acquire()
    lease.ensure()
    lease.release()

    assert not storage.leased(NAME)


def test_missing_blob(clock: ManualClock) -> None:
    """Without a blob there is nothing to lease: whoever asks makes it."""
    with pytest.raises(ResourceNotFoundError):
        make_lease(BlobService(clock), clock).acquire()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (storage_answer(403, "AuthorizationFailure"), StorageRefused),
        (storage_answer(400, "InvalidHeaderValue"), StorageRefused),
        (storage_answer(503), ServiceUnavailable),
    ],
)
def test_storage_that_does_not_serve(
    storage: BlobService, clock: ManualClock, answer: Answer, kind: type[Exception]
) -> None:
    """A refusal is no other run: it is told as what it is."""
    with pytest.raises(kind, match=f"lease on {NAME}"):
        make_lease(storage, clock, Wire(answer)).acquire()


def test_trusted_while_young(storage: BlobService, clock: ManualClock) -> None:
    """A lease that was renewed lately is not asked about."""
    wire = Wire(storage)
    lease = make_lease(storage, clock, wire)
    lease.acquire()
    clock.now += 40
    lease.ensure()

    assert ["acquire"] == [action(request) for request in wire.requests]
    lease.release()


@pytest.mark.parametrize("pause", [41, 59, 61, 3600])
def test_pause_without_another_run(storage: BlobService, clock: ManualClock, pause: int) -> None:
    """A run that was paused renews before it goes on, even a lease that has expired, if nobody took it."""
    lease = make_lease(storage, clock)
    lease.acquire()
    clock.now += pause
    lease.ensure()

    assert storage.leased(NAME)
    lease.release()


@pytest.mark.parametrize("still_there", [True, False])
def test_pause_with_another_run(storage: BlobService, clock: ManualClock, *, still_there: bool) -> None:
    """A run that was paused while another began, or came and went, has lost the lease for good."""
    paused, other = make_lease(storage, clock), make_lease(storage, clock)
    paused.acquire()
    clock.now += 61
    other.acquire()
    if not still_there:
        other.release()

    with pytest.raises(LeaseLost, match=f"The lease on {NAME} was lost"):
        paused.ensure()
    with pytest.raises(LeaseLost):
        paused.ensure()
    paused.release()
    assert still_there == storage.leased(NAME)
    other.release()


@pytest.mark.parametrize("step", [storage_answer(503), storage_answer(403), unreachable])
def test_cut_off_from_storage(storage: BlobService, clock: ManualClock, step: Behaviour | Answer) -> None:
    """A run that cannot renew its old lease stops, and goes on where a later renewal comes through."""
    wire = Wire(storage)
    lease = make_lease(storage, clock, wire)
    lease.acquire()
    clock.now += 41
    wire.then(step)
    with pytest.raises(LeaseLost, match="cut off from storage"):
        lease.ensure()

    lease.ensure()
    lease.release()


class Ticks:
    """Stands for the wait between two renewals: each tick lets 15 s pass and one renewal happen."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._ticks: queue.Queue[bool] = queue.Queue()
        self._waiting: queue.Queue[float] = queue.Queue()

    def wait(self, ended: threading.Event, seconds: float) -> bool:
        """Wait for a tick instead of some seconds."""
        self._waiting.put(seconds)
        return self._ticks.get() or ended.is_set()

    def tick(self, *, ended: bool = False) -> None:
        """Let the renewing thread go round once, or end."""
        self._clock.now += self._waiting.get(timeout=5)
        self._ticks.put(ended)

    def settle(self) -> None:
        """Return when the thread waits again."""
        seconds = self._waiting.get(timeout=5)
        self._waiting.put(seconds)


def test_renewed_in_the_background(storage: BlobService, clock: ManualClock) -> None:
    """While a run lives its lease is renewed every 15 s, through an outage that is shorter than the lease."""
    wire, ticks = Wire(storage), Ticks(clock)
    lease = Lease(storage.client(wire).get_blob_client(NAME), make_retry(clock), clock, ticks.wait)
    lease.acquire()
    steps: list[Behaviour | Answer] = [passes, unreachable, storage_answer(503), passes]
    for step in steps:
        wire.then(step)
        ticks.tick()
        ticks.settle()

    assert 1000.0 + 4 * RENEW_SECONDS == clock.now
    assert storage.leased(NAME)
    lease.ensure()
    assert ["acquire", *["renew"] * 4] == [action(request) for request in wire.requests]
    lease.release()
    ticks.tick(ended=True)


def test_nothing_is_renewed_after_the_release(storage: BlobService, clock: ManualClock) -> None:
    """A renewal that comes too late does not take back a lease that was given up."""
    wire, ticks = Wire(storage), Ticks(clock)
    lease = Lease(
        storage.client(wire).get_blob_client(NAME),
        make_retry(clock),
        clock,
        lambda _, __: ticks.wait(threading.Event(), 15),
    )
    lease.acquire()
    lease.release()
    ticks.tick()
    ticks.settle()
    ticks.tick(ended=True)

    assert ["acquire", "release"] == [action(request) for request in wire.requests]


@pytest.mark.parametrize("step", [unreachable, storage_answer(503), loses_answer])
def test_release_that_fails_for_a_moment(
    storage: BlobService, clock: ManualClock, step: Behaviour | Answer
) -> None:
    """A release is tried again, for a lease that is kept blocks the next run."""
    lease = make_lease(storage, clock, Wire(storage, step, only=lambda request: action(request) == "release"))
    lease.acquire()
    lease.release()

    assert not storage.leased(NAME)


@pytest.mark.parametrize("answer", [storage_answer(503), storage_answer(403), storage_answer(409)])
def test_release_that_fails(storage: BlobService, clock: ManualClock, answer: Answer) -> None:
    """A release that fails for good disturbs nobody: the lease ends by itself."""
    wire = Wire(lambda request: answer if action(request) == "release" else storage(request))
    lease = make_lease(storage, clock, wire)
    lease.acquire()
    lease.release()
    clock.now += LEASE_SECONDS

    assert not storage.leased(NAME)


def test_a_refused_renewal_is_the_end(storage: BlobService, clock: ManualClock) -> None:
    """Once storage said that the lease is another's, nothing more is shipped, however young it was."""
    wire = Wire(storage)
    lease = make_lease(storage, clock, wire)
    lease.acquire()
    wire.then(storage_answer(409, "LeaseIdMismatchWithLeaseOperation"))
    lease._renew()

    with pytest.raises(LeaseLost) as raised:
        lease.ensure()
    assert (
        f"The lease on {NAME} was lost: this run was paused or cut off from storage for too long. Nothing more "
        "is shipped; the next run goes on from the saved cursor." == str(raised.value)
    )


def test_the_keeper_does_not_hold_up_a_dying_process(storage: BlobService, clock: ManualClock) -> None:
    """The thread that renews the lease is a daemon, and has a name."""
    lease = make_lease(storage, clock)
    lease.acquire()
    keepers = [thread for thread in threading.enumerate() if thread.name == "lease"]
    lease.release()

    assert keepers
    assert all(keeper.daemon for keeper in keepers)


@pytest.mark.parametrize(
    ("left", "expected"), [(480.0, [30.0, 15.0, 10.0]), (12.0, [12.0, 15.0, 10.0]), (0.0, [5.0, 15.0, 10.0])]
)
def test_how_long_an_attempt_may_take(
    storage: BlobService, clock: ManualClock, left: float, expected: list[float]
) -> None:
    """Taking it lasts no longer than the run does, renewing no longer than it may, giving it back 10 s."""
    allowed: list[float] = []

    def watched(request: Request) -> Answer:
        current = _current.get()
        allowed.append(round(current.left()) if current else -1)
        return storage(request)

    blob = storage.client(watched).get_blob_client(NAME)
    lease = Lease(blob, make_retry(clock, left), clock)
    lease.acquire()
    lease._renew()
    lease.release()

    assert expected == allowed


def test_a_refusal_names_the_account_and_the_cure(storage: BlobService, clock: ManualClock) -> None:
    """The sentence says which account refuses what, and what a person does about it."""
    with pytest.raises(StorageRefused) as raised:
        make_lease(storage, clock, Wire(storage, storage_answer(403, "AuthorizationFailure"))).acquire()

    assert str(raised.value).startswith(f"lease on {NAME} (")
    assert str(raised.value).endswith("let the account's firewall admit the app.")
