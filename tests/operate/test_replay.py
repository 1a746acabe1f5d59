"""Dead letters sent again: single ones and whole pages, what is left of them, and that none is ever lost."""

import json
import signal
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from operate.dead_letters.road import Replayed
from operate.interrupts import TOLD, AtRest, patiently
from operate.replay import LOCK, alone, replay
from shared.errors import AlreadyRunning, IngestionRefused, LeaseLost, ServiceUnavailable
from shared.ingestion import refusals
from shared.ingestion.api import BatchRefused
from shared.ingestion.rows import EncodedRow
from shared.web import Answer, Request
from tests.operate.storage import FOLDER, Storage
from tests.support import ManualClock

PAGE = f"{FOLDER}page-0123.json"


class Killed(BaseException):
    """The process ends here."""


class Table:
    """A workspace that refuses some events, and remembers what it took."""

    name = "data-collector"
    field_limit = 1_000
    batch_limit = 1_000_000

    def __init__(self, refuses: Callable[[str], bool] = lambda _: False) -> None:
        self.refuses = refuses
        self.ids: list[str] = []
        self.before_post: Callable[[], None] = lambda: None

    def post(self, table: str, rows: Sequence[EncodedRow], time_field: str | None) -> None:  # noqa: ARG002 - the protocol's
        """Take a batch, or refuse it for one of its rows."""
        self.before_post()
        ids = [str(row.event["eventId"]) for row in rows]
        if any(map(self.refuses, ids)):
            raise BatchRefused(400, "the workspace refuses the record's format", code="BadFormat")
        self.ids += ids


@pytest.fixture(autouse=True)
def _few_posts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let delivery look for refused records with so few posts that it leaves some unsorted."""
    monkeypatch.setattr(refusals, "MOST_POSTS", 20)


@pytest.fixture
def storage(clock: ManualClock) -> Storage:
    """Give an empty container."""
    return Storage(clock)


def events(count: int, **more: Any) -> list[Any]:
    """Give so many events."""
    return [{"eventId": f"e{n:02}", **more} for n in range(count)]


def about(**given: Any) -> dict[str, Any]:
    """Give what stands beside a dead letter's event."""
    return {"reason": "refused", "status": 400, "cursor": "c1", "at": "2026-11-21T09:00:00.000Z", **given}


def keep_page(storage: Storage, count: int) -> None:
    """Keep a page unsorted."""
    storage.write(PAGE, json.dumps(about(events=events(count))).encode())


def keep(storage: Storage, event: Any, **given: Any) -> str:
    """Keep one event; the blob's name."""
    name = f"{FOLDER}{event['eventId']}.json"
    storage.write(name, json.dumps(about(event=event, **given)).encode())
    return name


def sent(storage: Storage, table: Table, done: Replayed | None = None) -> Replayed:
    """Replay everything."""
    return replay(storage.blobs(), table, "T", lambda _count, _total: None, done)


def kept_ids(storage: Storage) -> set[str]:
    """Give the ids of the events that are dead letters."""
    letters = [json.loads(storage.content(name)) for name in storage.names()]
    return {event["eventId"] for letter in letters for event in letter.get("events", [letter.get("event")])}


def test_a_page_is_sent_in_order(storage: Storage) -> None:
    """All of its events are taken, in their order, and the blob is gone."""
    keep_page(storage, 30)
    table, seen = Table(), []
    done = replay(storage.blobs(), table, "T", lambda *at: seen.append(at))

    assert [event["eventId"] for event in events(30)] == table.ids
    assert (30, {}) == (done.accepted, done.refused)
    assert [] == storage.names()
    assert [(30, 30)] == seen


def test_what_is_refused_of_a_page_becomes_single_letters(storage: Storage) -> None:
    """However many posts one page may take, at the end each event is taken once, or kept by itself."""
    keep_page(storage, 60)
    table = Table(lambda identifier: identifier.endswith("7"))
    done = sent(storage, table)
    letter = json.loads(storage.content(f"{FOLDER}e07.json"))
    again = Table()
    rest = sent(storage, again)

    refused = [f"e{n:02}" for n in range(7, 60, 10)]
    assert [e["eventId"] for e in events(60) if e["eventId"] not in refused] == table.ids
    assert (54, [f"{PAGE}, event {identifier}" for identifier in refused]) == (done.accepted, [*done.refused])
    assert {"the workspace refuses the record's format"} == set(done.refused.values())
    assert about(event={"eventId": "e07"}, reason="the workspace refuses the record's format") == letter
    assert (refused, 6, []) == (again.ids, rest.accepted, storage.names())


def test_a_page_that_is_refused_alike_ends_the_replay(storage: Storage) -> None:
    """The cause is not in the page: the service's words, and everything stays as it was."""
    keep(storage, {"eventId": "single"})
    keep_page(storage, 12)
    before = storage.content(PAGE)
    done = Replayed()
    with pytest.raises(IngestionRefused, match="All 12 records of a page were refused alike"):
        sent(storage, Table(lambda identifier: identifier != "single"), done)

    assert 1 == done.accepted
    assert ([PAGE], before) == (storage.names(), storage.content(PAGE))


def test_many_single_letters_refused_alike_are_listed(storage: Storage) -> None:
    """A person wants to see each that is still refused, with the reason; nothing is lost."""
    names = [keep(storage, event) for event in events(25)]
    done = sent(storage, Table(lambda _: True))

    assert names == [*done.refused] == storage.names()
    assert 0 == done.accepted


@pytest.mark.parametrize("refuses", ["7", "none"])
def test_a_kill_may_repeat_and_never_loses(clock: ManualClock, refuses: str) -> None:
    """Killed at each call that it makes, the next replay brings or keeps every event."""
    for moment in range(1, 60):
        storage, table = Storage(clock), Table(lambda identifier: identifier.endswith(refuses))
        keep_page(storage, 40)
        left = moment

        def die() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise Killed

        def dying(request: Request, service: Storage = storage) -> Answer:
            die()
            return service(request)

        table.before_post = die
        try:
            replay(storage.blobs(dying), table, "T", lambda _count, _total: None)
        except Killed:
            assert {event["eventId"] for event in events(40)} == {*table.ids} | kept_ids(storage)
        left = 0
        sent(storage, table)

        assert {event["eventId"] for event in events(40)} == {*table.ids} | kept_ids(storage)
        assert {event for event in kept_ids(storage) if not event.endswith(refuses)} == set()


def test_what_was_taken_before_an_outage_is_not_sent_again(storage: Storage) -> None:
    """The road closes while the rest of a page is sorted: only the nine in hand may come again."""
    keep_page(storage, 60)
    table, posts = Table(lambda identifier: identifier.endswith("7")), 0

    def closes() -> None:
        nonlocal posts
        posts += 1
        if posts == 26:
            raise ServiceUnavailable("the workspace is down")

    table.before_post = closes
    with pytest.raises(ServiceUnavailable):
        sent(storage, table)
    before = set(table.ids)
    table.ids = []
    sent(storage, table)

    assert 10 < len(before) < 54
    assert len(before & set(table.ids)) < 9
    assert 54 == len(before | set(table.ids))


def test_an_event_that_is_taken_cut_is_not_sent_again(storage: Storage) -> None:
    """A letter that was refused and is too long reaches the table once; then the whole one only stays."""
    name = keep(storage, {"eventId": "e1", "userAgent": "x" * 2_000})
    table = Table()
    first, second = sent(storage, table), sent(storage, table)

    assert ["e1"] == table.ids
    assert {name: "truncated: userAgent"} == first.refused
    assert {name: "userAgent would be cut again at 1000 bytes"} == second.refused


def test_a_blob_that_is_no_letter_is_named(storage: Storage) -> None:
    """Something of another's stays, and the others are sent."""
    storage.write(f"{FOLDER}page-x.json", b'{"events": 5}')
    keep(storage, {"eventId": "page-1"})
    done = sent(storage, Table())

    assert {f"{FOLDER}page-x.json": "the blob is no dead letter of the connector's"} == done.refused
    assert (1, [f"{FOLDER}page-x.json"]) == (done.accepted, storage.names())


def test_dead_letters_are_counted_by_their_events(storage: Storage) -> None:
    """A page counts as many as it holds, and what cannot be read as one."""
    keep(storage, {"eventId": "e1"})
    keep_page(storage, 12)
    storage.write("dead-letters/2026/11/22/page-x.json", b"{")

    assert {"2026-11-21": 13, "2026-11-22": 1} == storage.blobs().dead_letters()


def test_two_replays_at_once(storage: Storage) -> None:
    """The second leaves: it would send every letter a second time. The lock is no dead letter, and is given back."""
    keep(storage, {"eventId": "e1"})
    with alone(storage.blobs()) as ensure:
        ensure()
        with (
            pytest.raises(AlreadyRunning, match=r"holds the lease on dead-letters\.lock"),
            alone(storage.blobs()),
        ):
            raise AssertionError
    with alone(storage.blobs()):
        counted = storage.blobs().dead_letters()
        done = sent(storage, Table())

    assert {"2026-11-21": 1} == counted
    assert (1, {}) == (done.accepted, done.refused)
    assert [LOCK] == storage.names()


def test_a_replay_that_lost_its_lock_sends_no_more(storage: Storage) -> None:
    """It was cut off from storage for too long: another may be at work, and what is left stays."""
    keep(storage, {"eventId": "e1"})
    table = Table()

    def lost() -> None:
        raise LeaseLost("lost")

    with pytest.raises(LeaseLost):
        replay(storage.blobs(), table, "T", lambda _count, _total: None, ensure=lost)

    assert ([], {"e1"}) == (table.ids, kept_ids(storage))


@pytest.mark.parametrize("at", range(1, 27, 3))
def test_interrupted_at_a_rest_nothing_comes_twice(storage: Storage, at: int) -> None:
    """Ctrl+C during any post: what is in hand is posted and removed, and the next replay sends just the rest."""
    for event in events(20):
        keep(storage, {"eventId": f"single-{event['eventId']}"})
    keep_page(storage, 60)
    table, posts = Table(lambda identifier: identifier.endswith("7")), 0

    def interrupts() -> None:
        nonlocal posts
        posts += 1
        if posts == at:
            signal.raise_signal(signal.SIGINT)

    table.before_post = interrupts
    heard: list[str] = []
    with pytest.raises(AtRest), patiently(heard.append) as rest:
        replay(storage.blobs(), table, "T", lambda _count, _total: None, rest=rest)
    table.before_post = lambda: None
    sent(storage, table)

    assert [TOLD] == heard
    assert len(table.ids) == len(set(table.ids))
    assert 80 == len(set(table.ids) | kept_ids(storage))
    assert signal.default_int_handler is signal.getsignal(signal.SIGINT)


def test_a_second_interruption_ends_it_at_once(storage: Storage) -> None:
    """Whoever presses Ctrl+C again does not wait for the portion."""
    keep(storage, {"eventId": "e1"})
    table = Table()

    def twice() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    table.before_post = twice
    with pytest.raises(KeyboardInterrupt) as ended, patiently(lambda _: None) as rest:
        replay(storage.blobs(), table, "T", lambda _count, _total: None, rest=rest)

    assert KeyboardInterrupt is ended.type
    assert ([], {"e1"}) == (table.ids, kept_ids(storage))


def test_elsewhere_ctrl_c_is_as_it_was() -> None:
    """In a thread no handler can be set, and an ignored Ctrl+C stays ignored."""
    ended: list[str] = []

    def work() -> None:
        with patiently(lambda _: None) as rest:
            rest()
            ended.append("well")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with patiently(lambda _: None) as rest:
            signal.raise_signal(signal.SIGINT)
            rest()
    finally:
        signal.signal(signal.SIGINT, before)

    assert ["well"] == ended
