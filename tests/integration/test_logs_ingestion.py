"""The other road, from the timer to the table: a data collection rule in place of the workspace key."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.demo import FUNCTION
from sandbox.faults import Fault
from sandbox.functions.host import FunctionHost
from sandbox.organization import Organization
from sandbox.state import saved_checkpoint
from sandbox.world import INGESTION_HOST, WORKSPACE_KEY_SECRET, Sandbox
from shared.settings import LOGS_INGESTION
from tests.integration.support import fire, records, sent_ids

pytestmark = pytest.mark.integration


@pytest.fixture
def sandbox(small: Organization, tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox whose settings choose the Logs Ingestion API."""
    with Sandbox(tmp_path, small, ingestion=LOGS_INGESTION) as world:
        yield world


@pytest.fixture
def host(sandbox: Sandbox) -> Iterator[FunctionHost]:
    """The function app on it."""
    with sandbox.function_host() as started:
        yield started


def taken_ids(sandbox: Sandbox) -> list[str]:
    """Fill with the event ids that the workspace takes from now on."""
    ids: list[str] = []

    def add(table: str, rows: list[dict[str, Any]]) -> None:
        if table == "DocuSignMonitor_CL":
            ids.extend(str(row.get("eventId")) for row in rows)

    sandbox.ingestion.on_rows = add
    return ids


def test_every_event_arrives_once_by_the_other_road(sandbox: Sandbox, host: FunctionHost) -> None:
    """All events, new ones at the next tick, and a health row; no workspace key and no old API."""
    taken = taken_ids(sandbox)
    first = fire(host)
    sandbox.happen(40)
    second = fire(host)
    health = records(sandbox, "DocuSignMonitorHealth_CL | sort by TimeGenerated asc")

    assert sorted(sent_ids(sandbox)) == sorted(taken)
    assert ("caught-up", LOGS_INGESTION) == (first["outcome"], first["ingestion"])
    assert 40 == second["events"]
    assert [first["runId"], second["runId"]] == [row["runId_g"] for row in health]
    assert INGESTION_HOST in sandbox.contacted()
    assert [] == [name for name in sandbox.contacted() if "ods.opinsights" in name]
    assert [] == sandbox.collector.posts
    assert [] == sandbox.web.errors


def test_the_workspace_key_is_not_read(sandbox: Sandbox, host: FunctionHost) -> None:
    """A vault that holds no workspace key will do."""
    sandbox.faults.add(
        Fault(
            kind="status", host="*.vault.azure.net", path=f"*{WORKSPACE_KEY_SECRET}*", status=404, times=None
        )
    )
    figures = fire(host)

    assert "caught-up" == figures["outcome"]


def test_a_role_that_does_not_work_yet_is_explained(sandbox: Sandbox, host: FunctionHost) -> None:
    """The first runs after a deployment fail with the reason; once the role works nothing is missing."""
    taken = taken_ids(sandbox)
    fire(host)
    before = saved_checkpoint(sandbox)
    sandbox.happen(30)
    sandbox.ingestion.granted = False
    failed = host.fire(FUNCTION)
    after = saved_checkpoint(sandbox)
    sandbox.ingestion.granted = True
    healed = fire(host)

    assert not failed.succeeded
    assert "Monitoring Metrics Publisher" in failed.error
    assert before == after
    assert 30 == healed["events"]
    assert sorted(sent_ids(sandbox)) == sorted(taken)


def test_throttling_and_a_lost_answer_cost_no_event(sandbox: Sandbox, host: FunctionHost) -> None:
    """429 with Retry-After, a reset and a lost answer are ridden out, and nothing is missing."""
    taken = taken_ids(sandbox)
    sandbox.faults.add(Fault(kind="status", host=INGESTION_HOST, status=429, times=2, retry_after=1))
    sandbox.faults.add(Fault(kind="accept_then_reset", host=INGESTION_HOST))
    figures = fire(host)
    missing = set(sent_ids(sandbox)) - set(taken)

    assert ("caught-up", set()) == (figures["outcome"], missing)
    assert figures["retries"] >= 3
