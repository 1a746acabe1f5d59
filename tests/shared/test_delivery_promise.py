"""The promise of the connector, against everything that can go wrong, in any order.

Every event before the saved cursor was accepted, or kept as a dead letter; events are accepted in the stream's
order; and an event is accepted twice only after a crash, a lost lease or an ambiguous answer, one page at most
for each of these, or where DocuSign itself gives it twice.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from shared.budget import Budget
from shared.checkpoint import Checkpoint
from shared.dead_letters import DeadLetters
from shared.docusign.monitor import Page
from shared.errors import AlreadyRunning, ConnectorError, ServiceUnavailable
from shared.ingestion.api import BatchRefused
from shared.ingestion.delivery import Delivery
from shared.ingestion.refusals import MANY_ALIKE
from shared.ingestion.rows import EncodedRow
from shared.position import Position
from shared.retry import Retry
from shared.run import CAUGHT_UP, OUT_OF_BUDGET, Progress, carry
from shared.web import Answer, Request
from tests.shared.fakes import BlobService
from tests.support import ManualClock

START = Position("2026-11-13T00:00:00.000Z", "", "2026-11-20T00:00:00.000Z")
CHECKPOINT = "checkpoint/default.json"
EVENT, GAP, POISON = "event", "gap", "poison"
SLOTS = st.sampled_from([EVENT] * 8 + [GAP, POISON])
NEW_SLOTS = st.one_of(st.lists(SLOTS, max_size=20), st.integers(3, 9).map(lambda count: [GAP] * count))
PAUSES_BETWEEN_RUNS = st.sampled_from([300.0, 300.0, 61.0, 30.0, 5.0])
"""The timer's, and others: after a crash the lease may still be held."""
ALREADY_RUNNING = "already running"
LONGER_THAN_A_LEASE = 61.0

FETCH = ("fails", "killed")
POST = (
    *("fails", "fails after", "repeated", "killed", "killed after", "stopped", "second runner"),
    "refuses all",
)
LASTING = ("down", "refuses all")
"""What goes on from its first call to the end of the run."""
PAUSES = ("paused", "paused after", "paused unseen", "paused unseen after")
STORAGE = ("lost", "lost after", "down", "killed", "killed after")


class Killed(BaseException):
    """The process died: nothing of it goes on."""


@dataclass(frozen=True)
class Plan:
    """How a run goes.

    Attributes:
        sizes: Slots of the stream on each page; the last size holds for all that follow.
        last_page: The page after which DocuSign has no calls left for this hour.
        unmoved: The page whose cursor stays where it was, with or without events.
        place, number, what: The one incident: at which kind of call, at which of them, and what happens.
        other: How the run goes that begins while this one is paused.
    """

    sizes: tuple[int, ...] = (4,)
    last_page: int = 99
    unmoved: int = 99
    place: str = ""
    number: int = 0
    what: str = ""
    other: "Plan | None" = None


class World:
    """DocuSign's stream, the storage account, and what the workspace has accepted."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.storage = BlobService(self.clock, exists=False)
        self.stream: list[str] = []
        self.accepted: list[int] = []
        self.firsts: list[int] = []
        self.may_repeat: Counter[int] = Counter()
        self.blamed: set[int] = set()
        self.unmoved: dict[int, int] = {}
        self.broken: list[str] = []

    def accept(self, slots: Sequence[int]) -> None:
        """Take a batch into the workspace, and note what comes twice without a reason."""
        for slot in slots:
            if slot not in self.firsts:
                self.firsts.append(slot)
            elif self.may_repeat[slot] > 0:
                self.may_repeat[slot] -= 1
            else:
                self.broken.append(f"event {slot} came again without a reason")
        self.accepted += slots

    def saved_slot(self) -> int:
        """Where the next run would begin."""
        if CHECKPOINT not in self.storage.names():
            return 0
        return slot_of(json.loads(self.storage.content(CHECKPOINT))["cursor"])

    def dead_letters(self) -> set[int]:
        """The events that were kept as dead letters."""
        letters = [json.loads(self.storage.content(name)) for name in self.storage.names("dead-letters/")]
        events = [event for letter in letters for event in letter.get("events", [letter.get("event")])]
        return {int(event["eventId"]) for event in events}

    def missing(self, before: int) -> set[int]:
        """The events before a slot that are neither accepted nor kept."""
        events = {slot for slot, kind in enumerate(self.stream[:before]) if kind != GAP}
        return events - set(self.firsts) - self.dead_letters()

    def look(self) -> None:
        """Note what is wrong at this very moment: the parts under test would swallow an AssertionError."""
        if missing := self.missing(self.saved_slot()):
            self.broken.append(f"the saved cursor is behind events {missing}, which have not arrived")
        if sorted(self.firsts) != self.firsts:
            self.broken.append(f"accepted out of order: {self.firsts}")
        if fine := [slot for slot in self.dead_letters() - self.blamed if self.stream[slot] != POISON]:
            self.broken.append(f"events {fine} are dead letters without a reason")


def slot_of(cursor: str) -> int:
    """Tell which slot of the stream a cursor stands before."""
    return 0 if cursor == START.cursor else int(cursor.removeprefix("cursor-"))


class OwnClock:
    """A run's clock, which can miss a pause: some machines' clocks stand still while they are frozen."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.missed = 0.0

    def __call__(self) -> float:
        """The time that this run believes it is."""
        return self._clock() - self.missed


class Run:
    """One run: the real loop, delivery, checkpoint and dead letters between fakes that fail to a plan."""

    name = "workspace"
    field_limit = 1000
    batch_limit = 200

    def __init__(self, world: World, plan: Plan) -> None:
        self._world = world
        self._plan = plan
        self._counts: Counter[str] = Counter()
        self._in_hand: list[int] = []
        self._taken = self._refused = 0
        self._may_repeat_page = True
        self._dead = False
        self._clock = OwnClock(world.clock)
        self._budget = Budget(600, clock=self._clock, wait=lambda _, seconds: world.clock.sleep(seconds))
        self._retry = Retry(self._budget)

    @property
    def posts(self) -> int:
        """How often the workspace was asked."""
        return self._counts["post"]

    @property
    def taken(self) -> int:
        """How much of the page in hand was accepted before it failed."""
        return self._delivery.taken

    def go(self) -> str:
        """Do the run; tell how it ended."""
        try:
            outcome = self._carry()
        except AlreadyRunning:
            return ALREADY_RUNNING
        except (ConnectorError, Killed) as error:
            self._page_may_repeat()
            return type(error).__name__
        finally:
            self._budget.stop.set()
        return outcome

    def _carry(self) -> str:
        container = self._world.storage.client(self._storage)
        progress = Progress()
        with Checkpoint(container, None, START, self._retry) as self._checkpoint:
            letters = DeadLetters(container, self._retry)
            self._delivery = Delivery(self, "DocuSignMonitor", letters, self._checkpoint.lease.ensure)
            try:
                carry(self, self, self, self._checkpoint.read(), self._budget, progress)
            except Killed:
                self._dead = True
                raise
        return progress.outcome

    def ship(self, events: Sequence[Any], cursor: str) -> None:
        """Deliver a page, and know that it is in hand."""
        self._in_hand = [int(event["eventId"]) for event in events]
        self._taken = self._refused = 0
        self._delivery.ship(events, cursor)
        if not self._taken and len(events) >= MANY_ALIKE and self._refused:
            self._world.broken.append(f"all of a page were blamed: {self._in_hand}")

    def save(self, position: Position) -> None:
        """Save the position behind the page in hand, or within it, where it failed."""
        self._checkpoint.save(position)
        start = slot_of(position.cursor)
        behind = int(position.last_event_id or start - 1) + 1 if position.delivered else start
        if position.delivered:
            self._world.unmoved[start] = max(behind, self._world.unmoved.get(start, 0))
        self._in_hand = [slot for slot in self._in_hand if slot >= behind]

    def page(self, position: Position) -> Page:
        """Give the page after a position, as DocuSign does."""
        number = self._counts["fetch"]
        what = self._incident("fetch")
        if what == "fails":
            raise ServiceUnavailable("DocuSign is down")
        if what == "killed":
            raise Killed
        start = slot_of(position.cursor)
        end = min(start + self._plan.sizes[min(number, len(self._plan.sizes) - 1)], len(self._world.stream))
        end = max(
            end, self._world.unmoved.get(start, 0)
        )  # with one cursor and limit, no page becomes shorter
        slots = [slot for slot in range(start, end) if self._world.stream[slot] != GAP]
        events = [
            {"eventId": str(slot), "timestamp": f"2026-11-20T{slot // 60:02}:{slot % 60:02}:00Z"}
            for slot in slots
        ]
        stays = number == self._plan.unmoved or start == end
        if stays:
            self._world.unmoved[start] = end
        end_cursor = position.cursor if stays else f"cursor-{end}"
        return Page(events, position.cursor, end_cursor, "v2", quota_low=number == self._plan.last_page)

    def post(self, table: str, rows: Sequence[EncodedRow], time_field: str | None) -> None:
        """Answer a batch, as the workspace does."""
        assert ("DocuSignMonitor", "timestamp") == (table, time_field)
        slots = [int(row.event["eventId"]) for row in rows]
        what = self._incident("post")
        self._before(what)
        if what == "refuses all":
            self._refused += len(slots)
            self._world.blamed |= set(slots)
            raise BatchRefused(400, "odd")
        if any(self._world.stream[slot] == POISON for slot in slots):
            raise BatchRefused(400, "odd")
        self._taken += len(slots)
        self._world.accept(slots)
        self._after(what, slots)

    def _before(self, what: str) -> None:
        if what == "killed":
            self._die()
        if what == "fails":
            raise ServiceUnavailable("the workspace is down")
        if what == "stopped":
            self._budget.stop.set()
        if what == "second runner":
            second = Run(self._world, Plan())
            if (ALREADY_RUNNING, 0) != (second.go(), second.posts):
                self._world.broken.append("two runs at once")
        if what in ("paused", "paused unseen"):
            self._pause(what)

    def _after(self, what: str, slots: Sequence[int]) -> None:
        if what == "killed after":
            self._die()
        if what == "fails after":
            raise ServiceUnavailable("the workspace's answer was lost")
        if what == "repeated":
            self._world.may_repeat.update(slots)
            self._world.accept(slots)
        if what in ("paused after", "paused unseen after"):
            self._pause(what)

    def _pause(self, what: str) -> None:
        """Stand still for longer than the lease lasts, while another run does its work."""
        self._page_may_repeat()
        self._world.clock.sleep(LONGER_THAN_A_LEASE)
        before = self._world.clock()
        Run(self._world, self._plan.other or Plan()).go()
        if "unseen" in what:
            self._clock.missed += LONGER_THAN_A_LEASE + self._world.clock() - before

    def _storage(self, request: Request) -> Answer:
        """Answer a request to storage, and look at what it left behind."""
        if self._dead:
            raise Killed
        what = self._incident("storage")
        if what == "killed":
            self._die()
        if what in ("lost", "down"):
            raise ServiceUnavailable("storage is down")
        answer = self._world.storage(request)
        self._world.look()
        if what == "killed after":
            self._die()
        if what == "lost after":
            raise ServiceUnavailable("storage's answer was lost")
        return answer

    def _incident(self, place: str) -> str:
        number = self._counts[place]
        self._counts[place] += 1
        if place != self._plan.place:
            return ""
        due = number >= self._plan.number if self._plan.what in LASTING else number == self._plan.number
        return self._plan.what if due else ""

    def _page_may_repeat(self) -> None:
        """Count the one page that a run may cause to be accepted again."""
        if self._may_repeat_page:
            saved = self._world.saved_slot()
            self._world.may_repeat.update(slot for slot in self._in_hand if slot >= saved)
        self._may_repeat_page = False

    def _die(self) -> None:
        self._dead = True
        raise Killed


def plans(posts: Sequence[str], other: st.SearchStrategy[Plan | None]) -> st.SearchStrategy[Plan]:
    """Give runs in which these things can happen to a post."""
    places = {"": ("",), "fetch": FETCH, "post": tuple(posts), "storage": STORAGE}
    calls = {"": 0, "fetch": 3, "post": 6, "storage": 9}
    incidents = [
        (place, what, number)
        for place, everything in places.items()
        for what in everything
        for number in range(calls[place] + 1)
    ]
    return st.builds(
        lambda incident, **rest: Plan(place=incident[0], what=incident[1], number=incident[2], **rest),
        st.sampled_from(incidents),
        sizes=st.lists(st.integers(1, 8) | st.integers(9, 16), min_size=1, max_size=4).map(tuple),
        last_page=st.sampled_from([99, 99, 99, 0, 1, 2]),
        unmoved=st.sampled_from([99, 99, 99, 99, 99, 0, 1, 2]),
        other=other,
    )


class DeliveryPromise(RuleBasedStateMachine):
    """Events happen, runs come and go, and each may meet one incident."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @initialize(slots=st.lists(SLOTS, min_size=10, max_size=60))
    def backlog(self, slots: list[str]) -> None:
        """There is something before the first run."""
        self.world.stream += slots

    @rule(pause=PAUSES_BETWEEN_RUNS, slots=NEW_SLOTS, plan=plans(POST, st.none()))
    def run(self, pause: float, slots: list[str], plan: Plan) -> None:
        """Something happens, and the timer fires."""
        self._fire(pause, slots, plan)

    @rule(pause=PAUSES_BETWEEN_RUNS, slots=NEW_SLOTS, plan=plans(PAUSES, plans(POST, st.none())))
    def run_with_a_pause(self, pause: float, slots: list[str], plan: Plan) -> None:
        """The same, and the run may be paused until another one has begun."""
        self._fire(pause, slots, plan)

    @invariant()
    def promise(self) -> None:
        """What is before the cursor has arrived, in order, and nothing came twice without a reason."""
        self.world.look()

        assert [] == self.world.broken

    def teardown(self) -> None:
        """Once nothing goes wrong any more everything arrives: no incident has done lasting harm."""
        for _ in range(len(self.world.stream) // 12 + 2):
            self._fire(LONGER_THAN_A_LEASE, [], Plan(sizes=(12,)))

        assert set() == self.world.missing(len(self.world.stream))
        assert len(self.world.stream) == self.world.saved_slot()
        self.promise()

    def _fire(self, pause: float, slots: list[str], plan: Plan) -> None:
        self.world.clock.sleep(pause)
        self.world.stream += slots
        locked = CHECKPOINT in self.world.storage.names() and self.world.storage.leased(CHECKPOINT)
        before = list(self.world.accepted), self.world.saved_slot()
        outcome = Run(self.world, plan).go()
        if not plan.place:
            assert outcome in ({ALREADY_RUNNING} if locked else {CAUGHT_UP, OUT_OF_BUDGET})
            assert locked == self.world.storage.leased(CHECKPOINT)
        if outcome == ALREADY_RUNNING:
            assert before == (self.world.accepted, self.world.saved_slot())


TestDeliveryPromise = DeliveryPromise.TestCase
TestDeliveryPromise.settings = hypothesis.settings(
    max_examples=hypothesis.settings().max_examples // 8, stateful_step_count=20
)
