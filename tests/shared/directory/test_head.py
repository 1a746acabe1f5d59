"""The head of the sweeps' state: what is written comes back, and nothing else does."""

import pytest

from shared.directory.head import Complete, Head, HeadBlob, KnownAccount, UnderWay, head_from_json
from shared.errors import AlreadyRunning, LeaseLost
from shared.owner import Owner
from tests.shared.fakes import BlobService, make_retry
from tests.support import ManualClock

NAME = "directory/default.json"
OWNER = Owner("production", "user")
FULL = Head(
    OWNER,
    "2026-11-21T09:00:00.000Z",
    Complete("s1", "2026-11-21T09:00:00.000Z"),
    UnderWay(
        "s2", "2026-11-21T15:00:00.000Z", full=False, done=["a"], passed={"b": "no"}, failing={"c": "t"}
    ),
    {"a": KnownAccount("h", "Nüme", "org", "s1", 1), "b": KnownAccount()},
)


@pytest.mark.parametrize("head", [Head(OWNER), FULL])
def test_round_trip(head: Head) -> None:
    """A head that was written is read as it was."""
    assert head == head_from_json(head.to_json())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"version":2}',
        FULL.to_json().replace(b'"version":2', b'"version":1'),
        FULL.to_json().replace(b'"environment":"production"', b'"environment":""'),
        FULL.to_json().replace(b'"fullAt":"2026-11-21T09:00:00.000Z"', b'"fullAt":null'),
        FULL.to_json().replace(b'"done":["a"]', b'"done":"a"'),
        FULL.to_json().replace(b'"missed":1', b'"missed":"1"'),
        FULL.to_json().replace(b'"done":["a"],', b""),
        FULL.to_json().replace(b'"accounts":{', b'"accounts":[],"other":{'),
    ],
)
def test_what_is_no_head(content: bytes) -> None:
    """Anything else is none, so that the sweep is a full one."""
    assert head_from_json(content) is None


def test_the_blob_is_made_and_saved_under_its_lease() -> None:
    """The first sweep makes container and blob; its lease is given back at the end."""
    clock = ManualClock()
    service = BlobService(clock, exists=False)
    with HeadBlob(service.client(), "default", OWNER, make_retry(clock)) as blob:
        first = blob.read()
        blob.save(FULL)
        held = service.leased(NAME)

    assert (Head(OWNER), True, False) == (first, held, service.leased(NAME))
    assert FULL == head_from_json(service.content(NAME))


def test_two_sweeps_do_not_run_at_once() -> None:
    """The second one leaves."""
    clock = ManualClock()
    service = BlobService(clock)
    first, second = (HeadBlob(service.client(), "org", OWNER, make_retry(clock)) for _ in range(2))
    with first, pytest.raises(AlreadyRunning):
        second.__enter__()

    assert ["directory/org.json"] == service.names()


def test_a_sweep_that_lost_its_lease_saves_nothing() -> None:
    """After a pause longer than the lease another sweep may be at work."""
    clock = ManualClock()
    service = BlobService(clock)
    with HeadBlob(service.client(), "default", OWNER, make_retry(clock)) as blob:
        before = service.content(NAME)
        clock.now += 120
        service._blobs[NAME].lease = "another"
        with pytest.raises(LeaseLost):
            blob.save(FULL)

    assert before == service.content(NAME)
