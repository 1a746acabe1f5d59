"""The verbs on the real parts: status, run, rewind, replay, export, and how they fail."""

import json
import signal
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from operate.cli import cli
from operate.commands import asking
from operate.target import from_sandbox
from sandbox.session import running
from sandbox.state import container, dead_letters, end_lease, saved_checkpoint
from sandbox.world import Sandbox
from shared.errors import OperatorError
from tests.integration.support import Record, records, sent_ids
from tests.operate.support import document, invoke

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module", autouse=True)
def _caught_up(world: Sandbox) -> None:
    """Let the module's tests begin behind a first run."""
    before = document(invoke(world, "status", "--json"))
    result = invoke(world, "run", "--json")

    assert ("", "free", {}) == (before["cursor"], before["lease"], before["deadLetters"])
    assert (0, "caught-up", 1_500) == (
        result.exit_code,
        document(result)["outcome"],
        document(result)["events"],
    )


def test_status(world: Sandbox) -> None:
    """It shows the checkpoint's cursor and age, the lag, the lease, and what a person reads of it."""
    result = document(invoke(world, "status", "--json"))
    plain = invoke(world, "status").stdout
    checkpoint = saved_checkpoint(world)

    assert (checkpoint["cursor"], "v3", "free") == (result["cursor"], result["api"], result["lease"])
    assert result["ageSeconds"] < 60
    assert result["lagSeconds"] > 0
    assert checkpoint["cursor"] in plain
    assert "dead letters  0\n" in plain


def test_a_lease_that_is_held_shows(world: Sandbox) -> None:
    """While a run is at work status says so, and rewind leaves without changing anything."""
    before = saved_checkpoint(world)
    with container(world) as client:
        client.get_blob_client("checkpoint/default.json").acquire_lease(60)
    held = document(invoke(world, "status", "--json"))
    refused = invoke(world, "rewind", "--to", "2026-11-01T00:00:00Z", "--yes")
    end_lease(world)

    assert "held" == held["lease"]
    assert 1 == refused.exit_code
    assert "Another run holds the lease" in refused.stderr
    assert before == saved_checkpoint(world)


def test_rewind_asks_and_explains(world: Sandbox) -> None:
    """It says what comes twice, and without a yes changes nothing."""
    before = saved_checkpoint(world)
    to = (datetime.now(UTC) - timedelta(days=2)).isoformat()
    result = invoke(world, "rewind", "--to", to, typed="n\n")

    assert 1 == result.exit_code
    assert "are sent a second time" in result.stderr
    assert "Nothing was changed." in result.stderr
    assert before == saved_checkpoint(world)


def test_rewind_without_anybody_to_ask(world: Sandbox) -> None:
    """In a script there is no terminal: it says what is missing, and nothing was interrupted."""
    before = saved_checkpoint(world)
    result = invoke(world, "rewind", "--to", "2026-11-01", "--json")

    assert (1, "There is nobody to ask: give --yes.") == (result.exit_code, document(result)["message"])
    assert before == saved_checkpoint(world)


def test_rewind_repeats_what_it_says(world: Sandbox) -> None:
    """The next run brings again exactly the events that were inserted since the moment."""
    moment = datetime.now(UTC) - timedelta(days=1)
    since = [
        str(entry.event["eventId"])
        for entry in world.docusign.organization.history
        if entry.inserted_at > moment
    ]
    result = invoke(world, "rewind", "--to", moment.isoformat(), "--yes", "--json")
    record = Record(world)
    again = document(invoke(world, "run", "--json"))

    assert 0 == result.exit_code
    assert document(result)["cursor"][:19] == moment.isoformat()[:19]
    assert since == record.ids
    assert len(since) == again["events"]


def test_rewind_takes_over_anothers_checkpoint(world: Sandbox) -> None:
    """A run refuses the cursor of another user by name; rewind is the cure that its sentence names."""
    own, other = world.environment["DOCUSIGN_USER_ID"], "22222222-2222-4222-8222-222222222222"
    to = datetime.now(UTC).isoformat()
    refused = invoke(world, "run", "--json", DOCUSIGN_USER_ID=other)
    seen = document(invoke(world, "status", "--json", DOCUSIGN_USER_ID=other))
    plain = invoke(world, "status", DOCUSIGN_USER_ID=other).stdout
    taken = invoke(world, "rewind", "--to", to, "--yes", DOCUSIGN_USER_ID=other)
    owner = saved_checkpoint(world)["userId"]
    back = invoke(world, "rewind", "--to", to, "--yes")
    ours = document(invoke(world, "status", "--json"))
    environment = saved_checkpoint(world)["environment"]
    whose = f"{environment}, user {own}"

    assert (1, "StateError") == (refused.exit_code, document(refused)["error"])
    assert (whose, True, False) == (seen["owner"], seen["isForeign"], ours["isForeign"])
    assert f"owner         {whose}: not that of the settings, whose runs are refused\n" in plain
    assert (0, other) == (taken.exit_code, owner)
    assert taken.stderr.startswith(
        f"This checkpoint belongs to DocuSign {whose}; rewinding makes it that of {environment}, user {other}, and "
        "the other app is refused from then on.\nFrom  "
    )
    assert "second time" not in taken.stderr
    assert "skipped" not in taken.stderr
    assert (0, own) == (back.exit_code, saved_checkpoint(world)["userId"])


@pytest.mark.parametrize(
    ("to", "says"),
    [("soon", "ISO date-time"), ("2999-01-01", "future"), ("2020-12-31", "first moment")],
)
def test_rewind_refuses_a_moment_without_events(world: Sandbox, to: str, says: str) -> None:
    """A wrong --to is one sentence."""
    result = invoke(world, "rewind", "--to", to, "--yes")

    assert 1 == result.exit_code
    assert says in result.stderr


def test_replay(world: Sandbox) -> None:
    """Dead letters that the workspace takes now are removed; what it still refuses stays with its reason."""
    world.happen(12)
    ids = sent_ids(world)[-12:]
    world.collector.refuse = lambda row: row.get("eventId") in ids[:5]
    invoke(world, "run")
    kept = document(invoke(world, "status", "--json"))["deadLetters"]
    world.collector.refuse = lambda row: row.get("eventId") == ids[0]
    partly = invoke(world, "replay", "--json")
    left = dead_letters(world)
    world.collector.refuse = None
    rest = invoke(world, "replay")
    counted = records(world, "DocuSignMonitor_CL | summarize N = count() by eventId_g")
    arrived = {str(row["eventId_g"]): row["N"] for row in counted}

    assert 5 == sum(kept.values())
    assert (1, 4) == (partly.exit_code, document(partly)["accepted"])
    assert [ids[0]] == [letter["event"]["eventId"] for letter in left.values()]
    assert "refuses the record's format" in next(iter(document(partly)["refused"].values()))
    assert (0, "1 taken and removed, 0 still refused.\n") == (rest.exit_code, rest.stdout)
    assert {} == dead_letters(world)
    assert dict.fromkeys(ids, 1) == {identifier: arrived[identifier] for identifier in ids}


def test_a_second_replay_leaves(world: Sandbox) -> None:
    """While one holds the lock the other ends with a sentence; the lock counts as no dead letter."""
    invoke(world, "replay")
    with container(world) as client:
        client.get_blob_client("dead-letters.lock").acquire_lease(60)
    second = invoke(world, "replay", "--json")
    end_lease(world, "dead-letters.lock")
    after = invoke(world, "replay", "--json")

    assert (1, "AlreadyRunning") == (second.exit_code, document(second)["error"])
    assert "Another run holds the lease on dead-letters.lock" in document(second)["message"]
    assert (0, {"accepted": 0, "refused": {}}) == (after.exit_code, document(after))
    assert {} == document(invoke(world, "status", "--json"))["deadLetters"]


def test_ctrl_c_ends_a_replay_behind_what_is_in_hand(world: Sandbox) -> None:
    """The nine in hand are posted and removed, then the document says that it was interrupted."""
    ids: list[str] = []
    world.collector.refuse = lambda row: row.get("eventId") in ids
    for _ in range(2):  # ten that are refused alike would end the run
        world.happen(6)
        ids += sent_ids(world)[-6:]
        invoke(world, "run")
    main = threading.get_ident()

    def interrupts(row: Any) -> bool:
        if row.get("eventId") == min(ids):
            signal.pthread_kill(main, signal.SIGINT)
        return False

    world.collector.refuse = interrupts
    interrupted = invoke(world, "replay", "--json")
    left = dead_letters(world)
    world.collector.refuse = None
    rest = invoke(world, "replay", "--json")
    counted = records(world, "DocuSignMonitor_CL | summarize N = count() by eventId_g")
    arrived = {str(row["eventId_g"]): row["N"] for row in counted}

    assert (130, "Interrupted") == (interrupted.exit_code, document(interrupted)["error"])
    assert (9, 3, 3) == (document(interrupted)["accepted"], len(left), document(rest)["accepted"])
    assert "What is in hand is finished first" in interrupted.stderr
    assert dict.fromkeys(ids, 1) == {identifier: arrived[identifier] for identifier in ids}


def test_replay_keeps_what_would_be_cut_again(world: Sandbox) -> None:
    """A truncated event is in the table already; its whole form stays, and no second row is made."""
    event: dict[str, Any] = dict(world.docusign.organization.history[-1].event) | {
        "eventId": "5e7d0000-0000-4000-8000-00000000abcd",
        "userAgent": "x" * 40_000,
    }
    world.docusign.append([event])
    invoke(world, "run")
    result = invoke(world, "replay", "--json")
    name = next(iter(dead_letters(world)))
    with container(world) as client:
        client.delete_blob(name)
    kql = 'DocuSignMonitor_CL | where tostring(eventId_g) endswith "abcd" | count'

    assert {name: "userAgent would be cut again at 32768 bytes"} == document(result)["refused"]
    assert 1 == records(world, kql)[0]["Count"]


def test_a_page_of_dead_letters(world: Sandbox) -> None:
    """A page that was kept unsorted counts by its events; replay has it taken, and one refused stays by itself."""
    world.happen(20)
    kept = [dict(entry.event) for entry in world.docusign.organization.history[-20:]]
    invoke(world, "run")
    page = {"reason": "r", "status": 400, "events": kept, "cursor": "c", "at": "2026-11-21T09:00:00.000Z"}
    with container(world) as client:
        client.upload_blob("dead-letters/2026/11/21/page-0123.json", json.dumps(page))
    counted = document(invoke(world, "status", "--json"))["deadLetters"]
    world.collector.refuse = lambda row: row.get("eventId") == kept[7]["eventId"]
    partly = invoke(world, "replay", "--json")
    left = dead_letters(world)
    world.collector.refuse = None
    rest = invoke(world, "replay")

    assert {"2026-11-21": 20} == counted
    assert (1, 19) == (partly.exit_code, document(partly)["accepted"])
    assert [f"dead-letters/2026/11/21/{kept[7]['eventId']}.json"] == [*left]
    assert [kept[7]] == [letter["event"] for letter in left.values()]
    assert (0, {}) == (rest.exit_code, dead_letters(world))


def test_export(world: Sandbox, tmp_path: Path) -> None:
    """Every event once, in order, as NDJSON; a second call appends only what is new."""
    out = tmp_path / "events.ndjson"
    first = invoke(world, "export", "--out", str(out), "--from", "earliest", "--json", PAGE_SIZE="400")
    world.happen(7)
    second = invoke(world, "export", "--out", str(out), "--json")
    sent = [json.loads(body)["eventId"] for body in world.docusign.stream._bodies]

    assert (0, "caught-up") == (first.exit_code, document(first)["outcome"])
    assert 7 == document(second)["events"]
    assert sent == [json.loads(line)["eventId"] for line in out.read_text().splitlines()]


def test_export_leaves_the_hours_last_calls(world: Sandbox, tmp_path: Path) -> None:
    """When the account's calls run low it stops with a sentence and exit status 1, and goes on later."""
    out = tmp_path / "events.ndjson"
    world.docusign.limit.remaining = 12
    low = invoke(world, "export", "--out", str(out), "--from", "earliest", PAGE_SIZE="100")
    world.docusign.limit.remaining = 3_000
    rest = invoke(world, "export", "--out", str(out), PAGE_SIZE="2000")

    assert (1, 0) == (low.exit_code, rest.exit_code)
    assert "run low: call again in an hour" in low.stdout
    assert len(world.docusign.stream) == len(out.read_text().splitlines())


def test_a_fault_is_one_sentence(world: Sandbox) -> None:
    """A refusal ends a verb with status 1 and a sentence, as JSON where that is asked for; no traceback."""
    world.docusign.monitor.entitled = False
    plain = invoke(world, "run")
    machine = invoke(world, "run", "--json")
    world.docusign.monitor.entitled = True

    assert (1, 1) == (plain.exit_code, machine.exit_code)
    assert "has no DocuSign Monitor" in plain.stderr
    assert "Traceback" not in plain.output
    assert "DocuSignRefused" == document(machine)["error"]


def test_consent_url(world: Sandbox) -> None:
    """The address carries the app's key, and with --directory the scopes for users and accounts."""
    plain = invoke(world, "consent-url").stdout
    more = document(invoke(world, "consent-url", "--directory", "--json"))

    assert plain.startswith(
        "https://account.docusign.com/oauth/auth?response_type=code&scope=signature%20imp"
    )
    assert f"client_id={world.integration_key}" in plain
    assert "organization_read%20user_read" in more["url"]


def test_a_sandbox_that_is_up_is_found_by_its_session(world: Sandbox) -> None:
    """--sandbox takes the settings of the session file, while somebody listens there."""
    with running(world):
        found = from_sandbox(world.folder / "session.json")
    with pytest.raises(OperatorError, match="No sandbox is up"):
        from_sandbox(world.folder / "session.json")

    assert world.environment == found.environ


def test_a_killed_sandbox_is_none(tmp_path: Path) -> None:
    """A session file whose proxy does not listen was left by a sandbox that is gone."""
    session = tmp_path / "session.json"
    session.write_text(json.dumps({"environment": {"HTTPS_PROXY": "http://127.0.0.1:9"}}))
    with pytest.raises(OperatorError, match="No sandbox is up"):
        from_sandbox(session)


def test_query_as_json_is_one_document(world: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows are a list, one a line; a question that cannot be asked is a fault."""
    monkeypatch.setattr(asking, "SANDBOX", world.folder)
    with running(world):
        rows = CliRunner().invoke(cli, ["query", "range N from 1 to 2 step 1", "--json"])
        wrong = CliRunner().invoke(cli, ["query", "NoSuchTable", "--json"])

    assert '[{"N": 1},\n {"N": 2}]\n' == rows.stdout
    assert (1, "OperatorError") == (wrong.exit_code, document(wrong)["error"])


def test_run_with_directory_sweeps_once(world: Sandbox) -> None:
    """`run --directory` brings users and accounts, and status then tells of it."""
    result = invoke(world, "run", "--directory", "--json")
    found = document(invoke(world, "status", "--json"))

    assert (0, "complete") == (result.exit_code, document(result)["outcome"])
    assert len(world.docusign.organization.users) == document(result)["users"]
    assert found["directory"]


def test_outside_of_a_project_it_says_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no settings anywhere every missing one is named."""
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, ["status"])

    assert 1 == result.exit_code
    assert "DOCUSIGN_USER_ID is missing" in result.stderr
