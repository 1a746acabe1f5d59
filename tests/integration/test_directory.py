"""Users and accounts on the real parts, by both roads, beside the events."""

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.content.load import parsers
from sandbox.demo import FUNCTION
from sandbox.functions.host import FunctionHost, Invocation
from sandbox.organization import Organization
from sandbox.state import container
from sandbox.world import Sandbox
from shared.directory_app import LINE
from shared.settings import DATA_COLLECTOR, LOGS_INGESTION
from tests.integration.support import fire, records

pytestmark = pytest.mark.integration

DIRECTORY = "DirectoryTimerTrigger"
ON = {"AzureWebJobs.DirectoryTimerTrigger.Disabled": "false"}


def figures(run: Invocation) -> dict[str, Any]:
    """Give the figures in a sweep's one log line."""
    (line,) = [log.message for log in run.logs if log.message.startswith(LINE)]
    return dict(json.loads(line.removeprefix(LINE)))


@pytest.mark.parametrize("road", [DATA_COLLECTOR, LOGS_INGESTION])
def test_users_and_accounts_arrive(small: Organization, tmp_path: Path, road: str) -> None:
    """Every user and account is a row with its details; another sweep sends what changed and what is gone."""
    with Sandbox(tmp_path, small, road) as sandbox, sandbox.function_host(**ON) as host:
        first = figures(host.fire(DIRECTORY))
        users = records(sandbox, "DocuSignMonitorUsers_CL")
        accounts = records(sandbox, "DocuSignMonitorAccounts_CL")
        gone = small.users.pop()
        second = figures(host.fire(DIRECTORY))
        deleted = records(sandbox, "DocuSignMonitorUsers_CL | where deleted_b == true")
        for parser in parsers():
            sandbox.workspace.save_function(parser.name, parser.query)
        latest = records(sandbox, "DocuSignUsers | summarize N = count(), Gone = countif(Deleted)")

    assert ("complete", len(small.accounts), len(small.users) + 1) == (
        first["outcome"],
        first["accounts"],
        first["users"],
    )
    assert (len(small.users) + 1, len(small.accounts)) == (len(users), len(accounts))
    assert any(row["isAdmin_b"] for row in users)
    assert [{"N": len(small.users) + 1, "Gone": 1}] == latest
    assert {user.email for user in small.users} <= {row["email_s"] for row in users}
    assert (1, 1) == (second["rows"], second["deleted"])
    assert [(gone.id, gone.name)] == [(str(row["userId_g"]), row["userName_s"]) for row in deleted]


def test_it_is_off_until_asked_for(sandbox: Sandbox, host: FunctionHost) -> None:
    """As deployed, the platform's own switch keeps the timer out."""
    assert sandbox.environment["AzureWebJobs.DirectoryTimerTrigger.Disabled"] == "true"
    assert {FUNCTION} == set(host.functions)


def test_its_failure_never_touches_the_events(sandbox: Sandbox) -> None:
    """Without consent for the directory's scopes its run is red with the address, and the events flow."""
    sandbox.docusign.oauth.consented_scopes = {"signature", "impersonation"}
    with sandbox.function_host(**ON) as host:
        failed = host.fire(DIRECTORY)
        events = fire(host)

    assert not failed.succeeded
    assert "scope=signature%20impersonation%20organization_read%20user_read" in failed.error
    assert "failed" == figures(failed)["outcome"]
    assert "caught-up" == events["outcome"]


def test_both_timers_at_once(sandbox: Sandbox) -> None:
    """In one process and at one time each does its work: they share neither lease nor connection."""
    with sandbox.function_host(**ON) as host:
        sweep, run = host.start(DIRECTORY), host.start(FUNCTION)
        swept, carried = sweep.result(60), run.result(60)

    assert (True, True) == (swept.succeeded, carried.succeeded)
    assert "complete" == figures(swept)["outcome"]


def test_the_hours_calls_are_left_to_others(sandbox: Sandbox) -> None:
    """With a third of the calls left it stops; the next sweep goes on, and asks nothing a user."""
    sandbox.docusign.limit.remaining = 1_003
    with sandbox.function_host(**ON) as host:
        early = figures(host.fire(DIRECTORY))
        sandbox.docusign.limit.remaining = 3_000
        before = sandbox.docusign.requests.total()
        rest = figures(host.fire(DIRECTORY))
        asked = sandbox.docusign.requests.total() - before

    assert ("continues", "complete") == (early["outcome"], rest["outcome"])
    assert early["sweepId"] == rest["sweepId"]
    assert asked < len(sandbox.docusign.organization.users) / 5


def test_an_unreadable_state_is_told(sandbox: Sandbox) -> None:
    """The sweep is a full one, and says so."""
    with sandbox.function_host(**ON) as host:
        host.fire(DIRECTORY)
        with container(sandbox) as client:
            client.upload_blob("directory/default.json", b"?", overwrite=True)
        again = figures(host.fire(DIRECTORY))

    assert ("complete", True) == (again["outcome"], again["full"])
    assert "unreadable" in again["notes"][0]
