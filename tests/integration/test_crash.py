"""Hard and clean stops at every moment of a run, in the manner of Kafka Connect's bounce test.

A source that counts, a sink that records: a missing id fails, a repeated one is allowed only after a hard stop
or beside it, and never more than a page.
"""

import os
import random
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox.bounce import MOMENTS, Bouncer, Moment
from sandbox.demo import FUNCTION, figures_of
from sandbox.functions.host import FunctionHost
from sandbox.functions.process import WorkerDied
from sandbox.source import empty_organization, numbered_events, numbered_ids
from sandbox.state import end_lease
from sandbox.world import Sandbox
from tests.integration.support import Record, fire, records

pytestmark = pytest.mark.integration

PAGE = 100
EVENTS = 5_000


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox whose DocuSign gives a numbered stream."""
    with Sandbox(tmp_path, empty_organization()) as made:
        yield made


@pytest.fixture
def app(world: Sandbox) -> Iterator[FunctionHost]:
    """The function app with small pages."""
    with world.function_host(PAGE_SIZE=str(PAGE)) as host:
        yield host


def give(sandbox: Sandbox, count: int) -> list[str]:
    """Put a numbered stream into DocuSign; its ids."""
    for event in numbered_events(count, datetime.now(UTC)):
        sandbox.docusign.append_raw(event)
    return numbered_ids(count)


def test_no_event_is_lost_and_each_kill_repeats_a_page_at_most(world: Sandbox, app: FunctionHost) -> None:
    """SIGKILL at every moment, several times over: all ids arrive, in order, each kill repeats <= one page."""
    ids = give(world, EVENTS)
    record = Record(world)
    bouncer = Bouncer(world, lambda: app.worker_pid)
    dice = random.Random(7)
    for moment in [*MOMENTS, *MOMENTS, *MOMENTS[2:6]]:
        repeated = record.repeated
        bouncer.arm(moment, skip=dice.randrange(3))
        if stopped(app):
            app.restart()
            end_lease(world)

        assert record.repeated - repeated <= PAGE
    bouncer.disarm()
    end_lease(world)
    fire(app)

    assert ids == list(dict.fromkeys(record.ids))
    assert len(bouncer.struck) >= len(MOMENTS)
    assert record.repeated <= PAGE * len(bouncer.struck)


def stopped(app: FunctionHost) -> bool:
    """Fire; whether the worker died of it."""
    try:
        app.fire(FUNCTION)
    except WorkerDied:
        return True
    return False


@pytest.mark.parametrize("moment", [MOMENTS[0], MOMENTS[2], MOMENTS[4]], ids=lambda moment: moment.name)
def test_sigterm_ends_a_run_after_the_page_in_hand(world: Sandbox, app: FunctionHost, moment: Moment) -> None:
    """A clean stop loses nothing and repeats nothing, and the run says that it stopped early."""
    ids = give(world, 1_000)
    record = Record(world)
    bouncer = Bouncer(world, lambda: app.worker_pid)
    bouncer.arm(moment, skip=2, how=signal.SIGTERM)
    figures = figures_of(app.fire(FUNCTION))
    arrived = len(record.ids)
    app.restart()
    fire(app)

    assert "budget" == figures["outcome"]
    assert 0 < arrived < len(ids)
    assert ids == record.ids


def test_the_runner_after_a_kill_waits_no_longer_than_the_lease(world: Sandbox, app: FunctionHost) -> None:
    """A killed run holds the lease: the next leaves politely, and a minute later one works."""
    ids = give(world, 300)
    record = Record(world)
    bouncer = Bouncer(world, lambda: app.worker_pid)
    bouncer.arm(MOMENTS[3])
    killed_at = time.monotonic()

    assert stopped(app)
    app.restart()
    outcomes: list[str] = []
    while "caught-up" not in outcomes and time.monotonic() - killed_at < 70:
        outcomes.append(outcome(app))
        time.sleep(1)

    assert outcomes[0] == "already-running"
    assert outcomes[-1] == "caught-up"
    assert ids == list(dict.fromkeys(record.ids))


def outcome(app: FunctionHost) -> str:
    """The outcome of a run that does not fail."""
    return str(figures_of(app.fire(FUNCTION))["outcome"])


def test_of_two_apps_at_once_one_works_and_the_other_leaves(world: Sandbox, app: FunctionHost) -> None:
    """Overlapping timers, or a second app on the same storage: nothing is repeated, nothing fails."""
    ids = give(world, 2_000)
    record = Record(world)
    with world.function_host(PAGE_SIZE=str(PAGE)) as second:
        working = app.start(FUNCTION)
        while not record.ids:
            assert not working.done()
        other = outcome(second)
        first = figures_of(working.result())["outcome"]

    assert ("caught-up", "already-running") == (first, other)
    assert ids == record.ids
    assert 1 == records(world, "DocuSignMonitorHealth_CL | count")[0]["Count"]


def test_a_paused_runner_ships_no_further_once_another_has_taken_over(
    world: Sandbox, app: FunctionHost
) -> None:
    """A process that was stopped (SIGSTOP) while its lease ended cannot post or save any more."""
    ids = give(world, 2_000)
    record = Record(world)
    bouncer = Bouncer(world, lambda: app.worker_pid)
    bouncer.arm(MOMENTS[2], skip=3, how=signal.SIGSTOP)
    paused = app.start(FUNCTION)
    while not bouncer.struck:
        time.sleep(0.01)
    end_lease(world)
    with world.function_host(PAGE_SIZE=str(PAGE)) as second:
        fire(second)
    os.kill(app.worker_pid, signal.SIGCONT)
    failed = paused.result()

    assert not failed.succeeded
    assert "LeaseLost" in failed.error_type
    assert ids == list(dict.fromkeys(record.ids))
    assert record.repeated <= 2 * PAGE
