"""Every kind of fault from every service: the run heals, or fails loudly with the cursor unmoved."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from sandbox.demo import FUNCTION
from sandbox.faults import AMBIGUOUS, SPOILED, Fault, Kind
from sandbox.functions.host import FunctionHost
from sandbox.organization import make_organization
from sandbox.state import end_lease, saved_checkpoint
from sandbox.world import Sandbox
from tests.integration.support import Record, fire, sent_ids

pytestmark = pytest.mark.integration

HOSTS = {
    "token": ("account.docusign.com", "/oauth/token"),
    "userinfo": ("account.docusign.com", "/oauth/userinfo"),
    "stream": ("api.docusign.com", "*"),
    "vault": ("*.vault.azure.net", "*"),
    "identity": ("127.0.0.1", "*"),
    "storage": ("*.blob.core.windows.net", "*"),
    "workspace": ("*.ods.opinsights.azure.com", "*"),
}
CACHED = {"token", "userinfo", "vault", "identity"}
"""What a process asks once."""


def every_fault(host: str, path: str) -> list[Fault]:
    """Each way to fail, once."""
    statuses = [Fault(kind="status", host=host, path=path, status=s) for s in (408, 429, 500, 502, 503)]
    dated = Fault(kind="status", host=host, path=path, status=503, retry_after=1, retry_after_date=True)
    asked = Fault(kind="status", host=host, path=path, status=429, retry_after=1)
    return [*statuses, asked, dated, *(Fault(kind=kind, host=host, path=path) for kind in SPOILED)]


def batched(faults: list[Fault]) -> list[list[Fault]]:
    """Pairs: longer rows would only wait for the back-off."""
    return [faults[i : i + 2] for i in range(0, len(faults), 2)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One sandbox for all of these tests."""
    with Sandbox(
        tmp_path_factory.mktemp("faults"), make_organization(datetime.now(UTC), events=2_500)
    ) as made:
        yield made


@pytest.fixture
def app(world: Sandbox) -> Iterator[FunctionHost]:
    """A process that holds no token and no secret yet, so that every service is asked."""
    end_lease(world)
    with world.function_host() as host:
        yield host
    world.faults.clear()


@pytest.mark.parametrize("service", HOSTS)
def test_a_service_that_fails_in_any_way_is_outlasted(
    world: Sandbox, app: FunctionHost, service: str
) -> None:
    """Statuses, resets, cut and foreign answers, two at a time: the run retries, and nothing is missing."""
    host, path = HOSTS[service]
    record = Record(world)
    struck = len(world.faults.hits)
    for pair in batched(every_fault(host, path)):
        world.happen(10)
        world.faults.add(*pair)
        if service in CACHED:
            app.restart()
        figures = fire(app)

        assert "caught-up" == figures["outcome"]
    known = sent_ids(world)

    assert known[-len(set(record.ids)) :] == list(dict.fromkeys(record.ids))
    assert len(every_fault(host, path)) == len(world.faults.hits) - struck
    assert service == "workspace" or record.repeated == 0


@pytest.mark.parametrize("kind", SPOILED)
def test_an_answer_of_the_workspace_that_is_lost_repeats_one_page_at_most(
    world: Sandbox, app: FunctionHost, kind: Kind
) -> None:
    """An ambiguous answer may repeat the page; a clear refusal repeats nothing."""
    fire(app)  # else the page would be the history's, where this test is the first on its sandbox
    record = Record(world)
    world.happen(7)
    world.faults.add(Fault(kind=kind, host=HOSTS["workspace"][0]))
    fire(app)

    assert set(sent_ids(world)[-7:]) <= set(record.ids)
    assert record.repeated <= (7 if kind in AMBIGUOUS else 0)


@pytest.mark.parametrize("service", HOSTS)
def test_a_service_that_is_down_for_the_whole_run_fails_it_and_keeps_the_cursor(
    world: Sandbox, app: FunctionHost, service: str
) -> None:
    """The run ends within its budget, red, with a sentence; the cursor has not moved; the next run goes on."""
    fire(app)
    record = Record(world)
    before = saved_checkpoint(world)
    world.happen(5)
    host, path = HOSTS[service]
    world.faults.add(Fault(kind="status", host=host, path=path, status=503, times=None))
    with world.function_host(RUN_SECONDS="2") as short:
        failed = short.fire(FUNCTION)
    world.faults.clear()
    after = saved_checkpoint(world)

    assert not failed.succeeded
    assert failed.error
    assert failed.seconds < 40
    assert before["cursor"] == after["cursor"]
    assert [] == record.ids or service == "storage"


@pytest.mark.parametrize("kind", ["hang", "trickle"])
def test_an_answer_that_never_comes_is_given_up(world: Sandbox, app: FunctionHost, kind: Kind) -> None:
    """A silent DocuSign, or one that sends a byte now and then, does not hold the run beyond its budget."""
    fire(app)
    world.happen(5)
    world.faults.add(Fault(kind=kind, host="api.docusign.com", times=None, seconds=0.5))
    with world.function_host(RUN_SECONDS="2") as short:
        failed = short.fire(FUNCTION)

    assert not failed.succeeded
    assert failed.seconds < 30


@pytest.mark.parametrize("reset", [False, True])
def test_a_host_that_refuses_connections_is_waited_for(
    world: Sandbox, app: FunctionHost, *, reset: bool
) -> None:
    """Connections refused by the workspace's host for a while: the run goes on once it is back."""
    fire(app)
    record = Record(world)
    world.happen(5)
    name = f"{world.workspace_id}.ods.opinsights.azure.com"
    world.proxy.down(name, reset=reset)
    firing = app.start(FUNCTION)
    while world.proxy.record[-1].host != name:
        assert not firing.done()
    world.proxy.up(name)

    assert firing.result().succeeded
    assert sent_ids(world)[-5:] == record.ids


def test_a_retry_after_beyond_the_run_ends_it_at_once(world: Sandbox, app: FunctionHost) -> None:
    """A service that asks for an hour is not slept for: the run fails now, and says so."""
    fire(app)
    world.happen(5)
    world.faults.add(
        Fault(kind="status", host="*.ods.opinsights.azure.com", status=429, retry_after=3600, times=None)
    )
    failed = app.fire(FUNCTION)

    assert not failed.succeeded
    assert failed.seconds < 20
    assert "429" in failed.error
