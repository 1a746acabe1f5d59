"""Users and accounts on the real parts, by both roads, beside the events."""

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.bounce import Bouncer, Moment
from sandbox.content.load import parsers
from sandbox.demo import FUNCTION
from sandbox.functions.host import FunctionHost, Invocation
from sandbox.functions.process import WorkerDied
from sandbox.organization import Organization
from sandbox.state import container, end_lease
from sandbox.web import Request
from sandbox.world import Sandbox
from shared.directory_app import LINE
from shared.settings import DATA_COLLECTOR, LOGS_INGESTION
from tests.integration.support import fire, records

pytestmark = pytest.mark.integration

DIRECTORY = "DirectoryTimerTrigger"
ON = {"AzureWebJobs.DirectoryTimerTrigger.Disabled": "false"}


def _is_journal(request: Request) -> bool:
    return request.method == "PUT" and request.query.get("comp") == "appendblock"


def _is_members(request: Request) -> bool:
    return request.path.startswith("/management/") and request.path.endswith("/users")


def _is_users(request: Request) -> bool:
    return request.headers.get("log-type") == "DocuSignMonitorUsers"


def _is_head(request: Request) -> bool:
    return request.method == "PUT" and request.path.endswith("/directory/default.json") and not request.query


MOMENTS = (
    Moment("members on their way", _is_members, after=True),
    Moment("posting users", _is_users, after=False),
    Moment("users accepted, not answered", _is_users, after=True),
    Moment("appending", _is_journal, after=False),
    Moment("appended, not answered", _is_journal, after=True),
    Moment("saving that an account is done", _is_head, after=False),
    Moment("saved, not answered", _is_head, after=True),
)


def users_in(sandbox: Sandbox) -> set[str]:
    """Give the ids of the users in the workspace."""
    return {str(row["userId_g"]) for row in records(sandbox, "DocuSignMonitorUsers_CL | project userId_g")}


def health(sandbox: Sandbox) -> list[tuple[str, str]]:
    """Give lane and outcome of each run, as the health table has them."""
    found = records(
        sandbox, "DocuSignMonitorHealth_CL | sort by TimeGenerated asc | project lane_s, outcome_s"
    )
    return [(row["lane_s"], row["outcome_s"]) for row in found]


def figures(run: Invocation) -> dict[str, Any]:
    """Give the figures in a sweep's one log line."""
    (line,) = [log.message for log in run.logs if log.message.startswith(LINE)]
    return dict(json.loads(line.removeprefix(LINE)))


@pytest.mark.parametrize("road", [DATA_COLLECTOR, LOGS_INGESTION])
def test_users_and_accounts_arrive(small: Organization, tmp_path: Path, road: str) -> None:
    """Every user and account is a row with its details; who is gone is a row after two sweeps without it."""
    with Sandbox(tmp_path, small, road) as sandbox, sandbox.function_host(**ON) as host:
        first = figures(host.fire(DIRECTORY))
        users = records(sandbox, "DocuSignMonitorUsers_CL")
        accounts = records(sandbox, "DocuSignMonitorAccounts_CL")
        gone = small.users.pop()
        second, third = (figures(host.fire(DIRECTORY)) for _ in range(2))
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
    assert (0, 0) == (second["rows"], second["deleted"])
    assert (1, 1) == (third["rows"], third["deleted"])
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
    assert [("directory", "failed"), ("live", "caught-up")] == health(sandbox)
    assert "caught-up" == events["outcome"]


def test_both_timers_at_once(sandbox: Sandbox) -> None:
    """In one process and at one time each does its work: they share neither lease nor connection."""
    with sandbox.function_host(**ON) as host:
        sweep, run = host.start(DIRECTORY), host.start(FUNCTION)
        swept, carried = sweep.result(60), run.result(60)

    assert (True, True) == (swept.succeeded, carried.succeeded)
    assert "complete" == figures(swept)["outcome"]
    assert {("directory", "complete"), ("live", "caught-up")} == set(health(sandbox))


def test_an_account_that_refuses_is_passed_over(sandbox: Sandbox, small: Organization) -> None:
    """The others come, the sweep is complete, and once it is open again its users come too."""
    closed = small.accounts[0]
    sandbox.docusign.closed_accounts = {closed.id}
    with sandbox.function_host(**ON) as host:
        without = figures(host.fire(DIRECTORY))
        early = users_in(sandbox)
        sandbox.docusign.closed_accounts = set()
        rest = figures(host.fire(DIRECTORY))

    assert ("complete", "complete") == (without["outcome"], rest["outcome"])
    assert [f"The users of the account {closed.id} stay as they were"] == [
        note.partition(": ")[0] for note in without["notes"]
    ]
    assert {user.id for user in small.users if user.account != closed} <= early
    assert {user.id for user in small.users} == users_in(sandbox)


def test_what_a_killed_worker_began_is_gone_on_with(sandbox: Sandbox, small: Organization) -> None:
    """SIGKILL at every moment of a sweep: every user comes, nobody is gone, and the state stays small."""
    with sandbox.function_host(**ON) as host:
        bouncer = Bouncer(sandbox, lambda: host.worker_pid)
        for number, moment in enumerate(MOMENTS):
            bouncer.arm(moment, skip=number % 2)
            with pytest.raises(WorkerDied):
                host.fire(DIRECTORY)
            host.restart()
            end_lease(sandbox, "directory/")
        swept = figures(host.fire(DIRECTORY))
        again = figures(host.fire(DIRECTORY))
    with container(sandbox) as client:
        journals = list(client.list_blobs(name_starts_with="directory/default/"))

    assert ("complete", "complete", 0) == (swept["outcome"], again["outcome"], again["rows"])
    assert {user.id for user in small.users} == users_in(sandbox)
    assert [] == records(sandbox, "DocuSignMonitorUsers_CL | where deleted_b == true")
    assert {"AppendBlob"} == {str(blob.blob_type.value) for blob in journals}
    assert len(small.accounts) == len(journals)


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
