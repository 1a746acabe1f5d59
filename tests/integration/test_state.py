"""Budgets, quotas, cursors and checkpoints on the real parts."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.demo import FUNCTION
from sandbox.faults import Fault
from sandbox.functions.host import FunctionHost
from sandbox.state import container, saved_checkpoint
from sandbox.web import Request
from sandbox.world import Sandbox
from tests.integration.support import Record, fire, sent_ids

pytestmark = pytest.mark.integration

CHECKPOINT = "checkpoint/default.json"


def asked_cursors(sandbox: Sandbox) -> list[str]:
    """The cursors that DocuSign is asked for from now on."""
    cursors: list[str] = []

    def see(request: Request) -> None:
        if request.path.endswith("/stream"):
            cursors.append(request.query["cursor"])

    sandbox.taps.before.append(see)
    return cursors


def write_checkpoint(sandbox: Sandbox, content: bytes) -> None:
    """Put a checkpoint into storage from outside."""
    with container(sandbox) as client:
        client.upload_blob(CHECKPOINT, content, overwrite=True)


def test_a_backlog_longer_than_a_run_is_carried_in_several(sandbox: Sandbox) -> None:
    """With a slow DocuSign a run stops in time with a saved cursor, and the next one goes on there."""
    record = Record(sandbox)
    sandbox.faults.add(Fault(kind="delay", host="api.docusign.com", seconds=0.4, times=None))
    outcomes: list[str] = []
    with sandbox.function_host(PAGE_SIZE="200", RUN_SECONDS="3") as host:
        while "caught-up" not in outcomes and len(outcomes) < 20:
            figures = fire(host)
            outcomes.append(str(figures["outcome"]))

            assert figures["durationSeconds"] < 3 + 7
    assert len(outcomes) > 2
    assert {"budget"} == set(outcomes[:-1])
    assert sent_ids(sandbox) == record.ids


def test_the_hours_calls_nearly_used_up_end_the_run_early(sandbox: Sandbox, host: FunctionHost) -> None:
    """The rest of the hour's calls is left to the customer's own apps, and the run says so."""
    record = Record(sandbox)
    sandbox.docusign.limit.remaining = 12
    figures = fire(host)
    sandbox.docusign.limit.remaining = 3_000
    fire(host)

    assert "budget" == figures["outcome"]
    assert 1 == figures["pages"]
    assert "nearly used up" in str(figures["error"])
    assert sent_ids(sandbox) == record.ids


def test_three_empty_pages_end_the_run_and_their_cursors_are_saved(
    sandbox: Sandbox, host: FunctionHost
) -> None:
    """An empty page is not the end; three in a row are, for this run."""
    fire(host)
    before = saved_checkpoint(sandbox)["cursor"]
    sandbox.docusign.stream.page_sizes.extend([0, 0, 0])
    sandbox.happen(10)
    record = Record(sandbox)
    figures = fire(host)
    after = saved_checkpoint(sandbox)["cursor"]
    fire(host)

    assert ("caught-up", 3, 0) == (figures["outcome"], figures["pages"], figures["events"])
    assert before != after
    assert sent_ids(sandbox)[-10:] == record.ids


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("now", timedelta(0)),
        ("P2D", timedelta(days=2)),
        ("PT36H", timedelta(hours=36)),
        ("earliest", None),
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
    ],
)
def test_the_first_run_starts_where_the_setting_says(sandbox: Sandbox, start: str, expected: Any) -> None:
    """`now`, a duration back, `earliest`, a date: the first request asks from there."""
    cursors = asked_cursors(sandbox)
    with sandbox.function_host(DOCUSIGN_START=start) as host:
        fire(host)
    first = datetime.fromisoformat(cursors[0])
    if expected is None:
        expected = datetime(2021, 1, 1, tzinfo=UTC)
    moment = expected if isinstance(expected, datetime) else datetime.now(UTC) - expected

    assert abs(first - moment) < timedelta(seconds=30)


def test_a_first_run_that_fails_does_not_move_the_start(sandbox: Sandbox) -> None:
    """With `now`, what happens between a failed first run and the next is not lost."""
    record = Record(sandbox)
    sandbox.docusign.monitor.entitled = False
    with sandbox.function_host(DOCUSIGN_START="now") as host:
        failed = host.fire(FUNCTION)
        sandbox.happen(8)
        sandbox.docusign.monitor.entitled = True
        fire(host)

    assert not failed.succeeded
    assert sent_ids(sandbox)[-8:] == record.ids


def test_an_expired_cursor_is_recovered_loudly(sandbox: Sandbox, host: FunctionHost) -> None:
    """The stream is taken up some minutes before the last delivered event, and the health row says so."""
    fire(host)
    last = saved_checkpoint(sandbox)["lastEvent"]["timestamp"]
    sandbox.docusign.expire_cursors()
    sandbox.happen(5)
    record = Record(sandbox)
    cursors = asked_cursors(sandbox)
    figures = fire(host)

    assert set(sent_ids(sandbox)[-5:]) <= set(record.ids)
    assert "caught-up" == figures["outcome"]
    assert "does not take the cursor" in str(figures["error"])
    lost, again, taken_up = cursors[:3]
    assert lost == again  # one stray refusal gives no cursor up
    assert datetime.fromisoformat(last) - datetime.fromisoformat(taken_up) >= timedelta(minutes=5)


def test_a_cursor_of_the_other_generation_is_not_sent(sandbox: Sandbox, host: FunctionHost) -> None:
    """After a switch of DOCUSIGN_MONITOR_API the stream is taken up by time, and nothing is missing."""
    fire(host)
    assert "v3" == saved_checkpoint(sandbox)["api"]

    sandbox.happen(5)
    record = Record(sandbox)
    cursors = asked_cursors(sandbox)
    with sandbox.function_host(DOCUSIGN_MONITOR_API="v2") as switched:
        figures = fire(switched)

    assert not cursors[0].startswith("aa_")
    assert "v2" == figures["api"] == saved_checkpoint(sandbox)["api"]
    assert set(sent_ids(sandbox)[-5:]) <= set(record.ids)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not JSON",
        b"[]",
        b'{"version":1}',
        b'{"version":2,"cursor":"aa_1_1_1"}',
        b'{"version":"1","cursor":"aa_1_1_1"}',
        b'{"version":1,"cursor":null}',
    ],
)
def test_a_checkpoint_that_cannot_be_read_is_refused_by_name(
    sandbox: Sandbox, host: FunctionHost, content: bytes
) -> None:
    """It is never ignored, for that would restart the stream in silence; and it is left as it is."""
    fire(host)
    write_checkpoint(sandbox, content)
    record = Record(sandbox)
    failed = host.fire(FUNCTION)
    with container(sandbox) as client:
        left = client.download_blob(CHECKPOINT).readall()

    assert not failed.succeeded
    assert CHECKPOINT in failed.error
    assert ([], content) == (record.ids, left)


def test_a_checkpoint_written_by_hand_is_followed(sandbox: Sandbox, host: FunctionHost) -> None:
    """The documented form is enough, without the optional parts."""
    write_at = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    with container(sandbox) as client:
        client.create_container()
    write_checkpoint(sandbox, json.dumps({"version": 1, "cursor": write_at}).encode())
    cursors = asked_cursors(sandbox)
    fire(host)

    assert write_at == cursors[0]
