"""The state of the sweeps: what is written comes back, and nothing else does."""

import pytest

from shared.directory_state import Snapshot, State, StateBlob, state_from_json
from shared.errors import AlreadyRunning, LeaseLost
from tests.shared.fakes import BlobService, make_retry
from tests.support import ManualClock

NAME = "directory/default.json"
FULL = State(
    Snapshot("s1", "2026-11-21T09:00:00.000Z", {"a": ["h", "Main"]}, {"a/u": ["h", "Nüme", "u@x"]}, ["a"]),
    Snapshot("s2", "2026-11-21T15:00:00.000Z", full=False),
    "2026-11-21T09:00:00.000Z",
)


@pytest.mark.parametrize("state", [State(), FULL])
def test_round_trip(state: State) -> None:
    """A state that was written is read as it was."""
    assert state == state_from_json(state.to_json())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"version":1}',
        FULL.to_json().replace(b'"version":1', b'"version":2'),
        FULL.to_json().replace(b'"full_at":"2026-11-21T09:00:00.000Z"', b'"full_at":null'),
        FULL.to_json().replace(b'"done":["a"]', b'"done":"a"'),
        FULL.to_json().replace(b'["h","Main"]', b'"h"'),
        FULL.to_json().replace(b'"done":["a"],', b""),
    ],
)
def test_what_is_no_state(content: bytes) -> None:
    """Anything else is none, so that the sweep is a full one."""
    assert state_from_json(content) is None


def test_the_blob_is_made_and_saved_under_its_lease() -> None:
    """The first sweep makes container and blob; its lease is given back at the end."""
    clock = ManualClock()
    service = BlobService(clock, exists=False)
    with StateBlob(service.client(), None, make_retry(clock)) as blob:
        first = blob.read()
        blob.save(FULL)
        held = service.leased(NAME)

    assert (State(), True, False) == (first, held, service.leased(NAME))
    assert FULL == state_from_json(service.content(NAME))


def test_two_sweeps_do_not_run_at_once() -> None:
    """The second one leaves."""
    clock = ManualClock()
    service = BlobService(clock)
    first, second = (StateBlob(service.client(), "org", make_retry(clock)) for _ in range(2))
    with first, pytest.raises(AlreadyRunning):
        second.__enter__()

    assert ["directory/org.json"] == service.names()


def test_a_sweep_that_lost_its_lease_saves_nothing() -> None:
    """After a pause longer than the lease another sweep may be at work."""
    clock = ManualClock()
    service = BlobService(clock)
    with StateBlob(service.client(), None, make_retry(clock)) as blob:
        before = service.content(NAME)
        clock.now += 120
        service._blobs[NAME].lease = "another"
        with pytest.raises(LeaseLost):
            blob.save(FULL)

    assert before == service.content(NAME)
