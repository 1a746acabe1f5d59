"""Refusals on the real parts: who is blamed, what it costs, and what a person gets to know and can do."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.demo import FUNCTION
from sandbox.functions.host import FunctionHost
from sandbox.organization import Organization
from sandbox.state import dead_letters, saved_checkpoint
from sandbox.web import Response
from sandbox.workspace.data_collector import DataCollector
from sandbox.workspace.logs_ingestion import LogsIngestion
from sandbox.world import Sandbox
from shared.settings import DATA_COLLECTOR, LOGS_INGESTION
from tests.integration.support import fire, records

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]


@pytest.fixture(params=[DATA_COLLECTOR, LOGS_INGESTION])
def world(request: pytest.FixtureRequest, small: Organization, tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox on each of the two roads."""
    with Sandbox(tmp_path, small, ingestion=request.param) as made:
        yield made


@pytest.fixture
def app(world: Sandbox) -> Iterator[FunctionHost]:
    """The function app on it."""
    with world.function_host(PAGE_SIZE="500") as started:
        yield started


def road_of(world: Sandbox) -> str:
    """The road that the app's settings choose."""
    return world.environment.get("INGESTION_API", DATA_COLLECTOR)


def end_of(world: Sandbox) -> DataCollector | LogsIngestion:
    """The service at the end of the road."""
    return world.collector if road_of(world) == DATA_COLLECTOR else world.ingestion


def ids_in_the_table(world: Sandbox) -> list[str]:
    """Watch the events that arrive from now on."""
    found: list[str] = []

    def see(table: str, rows: list[dict[str, Any]]) -> None:
        if table == "DocuSignMonitor_CL":
            found.extend(str(row.get("eventId")) for row in rows)

    end_of(world).on_rows = see
    return found


def manage(world: Sandbox, *arguments: str) -> tuple[int, Any]:
    """The exit status of a verb, and its JSON document."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments, "--json"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **world.environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


def happened(world: Sandbox, count: int) -> list[str]:
    """Let events happen, and give their ids."""
    world.happen(count)
    return [str(entry.event["eventId"]) for entry in world.docusign.organization.history[-count:]]


def test_a_page_that_is_refused_whole_blames_nobody(world: Sandbox, app: FunctionHost) -> None:
    """Every event is refused: the run is red, nothing is set aside, and the next run delivers."""
    fire(app)
    cursor = saved_checkpoint(world)["cursor"]
    wanted = happened(world, 40)
    end_of(world).refuse = lambda row: "eventId" in row
    failed = app.fire(FUNCTION)
    letters, after = dead_letters(world), saved_checkpoint(world)["cursor"]
    (told,) = records(world, "DocuSignMonitorHealth | top 1 by TimeGenerated | project Outcome, DeadLetters")
    end_of(world).refuse = None
    arrived = ids_in_the_table(world)
    fire(app)

    assert not failed.succeeded
    assert "All 40 records of a page were refused alike" in failed.error
    assert ("failed", 0, {}, cursor) == (told["Outcome"], told["DeadLetters"], letters, after)
    assert wanted == arrived


def test_many_refused_records_do_not_hold_up_the_stream(world: Sandbox, app: FunctionHost) -> None:
    """Every second of 500: found or kept as they came within the bounds; once mended, replay brings all of them."""
    fire(app)
    wanted = happened(world, 500)
    bad = set(wanted[::2])
    arrived = ids_in_the_table(world)
    asked = world.taps.before
    posts: list[str] = []
    asked.append(lambda request: posts.append(request.host) if request.method == "POST" else None)
    end_of(world).refuse = lambda row: row.get("eventId") in bad
    figures = fire(app)
    letters = dead_letters(world)
    status, state = manage(world, "status")
    end_of(world).refuse = None
    replay, result = manage(world, "replay")

    assert "caught-up" == figures["outcome"]
    assert set(arrived) == set(wanted)
    assert sorted(set(arrived), key=arrived.index) == arrived  # nothing came twice
    assert any(name.rsplit("/", 1)[1].startswith("page-") for name in letters)
    assert figures["deadLetters"] >= len(bad)
    assert len([host for host in posts if host.endswith(("opinsights.azure.com", "monitor.azure.com"))]) < 320
    assert str(figures["error"]).startswith(f"Dead letters: {figures['deadLetters']} (")
    assert (0, figures["deadLetters"]) == (status, sum(state["deadLetters"].values()))
    assert (0, figures["deadLetters"], {}) == (replay, result["accepted"], dead_letters(world))


def test_a_400_that_is_not_the_records_fault(world: Sandbox, app: FunctionHost) -> None:
    """A gateway's page with status 400 is never halved: one post, one red run, the cursor where it was."""
    fire(app)
    before = saved_checkpoint(world)["cursor"]
    happened(world, 30)
    host = next(name for name in world.web._services if name.endswith(_ends_with(world)))
    original, posts = world.web._services[host], list[int]()

    def gateway(_: Any) -> Response:
        posts.append(1)
        return Response(400, b"<html>400 Bad Request</html>", {"Content-Type": "text/html"})

    world.web._services[host] = gateway
    failed = app.fire(FUNCTION)
    world.web._services[host] = original

    assert not failed.succeeded
    assert "it answers with text/html, and no error of the service's" in failed.error
    assert (2, {}, before) == (
        len(posts),
        dead_letters(world),
        saved_checkpoint(world)["cursor"],
    )  # a health row


def test_a_foreign_success_is_none(sandbox: Sandbox) -> None:
    """A proxy that answers 200 with a page of its own takes nothing: the run is red, and the next one delivers."""
    with sandbox.function_host(PAGE_SIZE="500", RUN_SECONDS="4") as app:
        fire(app)
        before, wanted = saved_checkpoint(sandbox)["cursor"], happened(sandbox, 30)
        host = next(name for name in sandbox.web._services if name.endswith(_ends_with(sandbox)))
        original = sandbox.web._services[host]
        sandbox.web._services[host] = lambda _: Response(200, b"\xef\xbb\xbfAccess to this site is blocked.")
        failed = app.fire(FUNCTION)
        after = saved_checkpoint(sandbox)["cursor"]
        sandbox.web._services[host] = original
        arrived = ids_in_the_table(sandbox)
        fire(app)

    assert not failed.succeeded
    assert "the answer is not the workspace's" in failed.error
    assert (before, wanted) == (after, arrived)


def _ends_with(world: Sandbox) -> str:
    return ".ods.opinsights.azure.com" if road_of(world) == DATA_COLLECTOR else ".ingest.monitor.azure.com"
