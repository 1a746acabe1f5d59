"""The production code on the real parts, from the timer to the table."""

import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.demo import FUNCTION
from sandbox.faults import Fault
from sandbox.functions.host import FunctionHost
from sandbox.organization import Organization
from sandbox.state import saved_checkpoint
from sandbox.world import PRIVATE_KEY_SECRET, WORKSPACE_KEY_SECRET, Sandbox, private_pem, public_pem
from tests.integration.support import Record, fire, records, sent_ids

pytestmark = pytest.mark.integration

CONTRACT_HOSTS = re.compile(
    r"account\.docusign\.com|lens\.docusign\.net|api\.docusign\.com|[0-9a-f-]{36}\.ods\.opinsights\.azure\.com"
    r"|docusign-sandbox\.vault\.azure\.net|docusignsandbox\.blob\.core\.windows\.net"
)


def test_a_week_of_events_arrives_once_and_in_order(week: Organization, tmp_path: Path) -> None:
    """Over 20,000 events arrive once, in order, and the next tick brings only what is new."""
    with Sandbox(tmp_path, week) as sandbox, sandbox.function_host() as host:
        record = Record(sandbox)
        first = fire(host)
        history = sent_ids(sandbox)
        arrived = list(record.ids)
        sandbox.happen(40)
        second = fire(host)
        new = record.ids[len(arrived) :]

        assert len(history) > 20_000
        assert history == arrived
        assert ("caught-up", len(history)) == (first["outcome"], first["events"])
        assert sent_ids(sandbox)[len(history) :] == new
        assert ("caught-up", 40) == (second["outcome"], second["events"])
        assert len(history) + 40 == records(sandbox, "DocuSignMonitor_CL | count")[0]["Count"]
        assert all(CONTRACT_HOSTS.fullmatch(name) for name in sandbox.contacted())
        assert [] == sandbox.web.errors


def test_every_run_leaves_a_health_row_with_the_figures_of_its_log_line(
    sandbox: Sandbox, host: FunctionHost
) -> None:
    """The health table and the log tell the same."""
    figures = fire(host)
    row = records(sandbox, "DocuSignMonitorHealth_CL")[0]

    assert figures["runId"] == row["runId_g"]
    assert (figures["events"], figures["pages"]) == (row["events_d"], row["pages_d"])
    assert ("caught-up", "v3", "data-collector") == (row["outcome_s"], row["api_s"], row["ingestion_s"])


def test_a_failing_run_raises_one_sentence_and_keeps_the_cursor(sandbox: Sandbox, host: FunctionHost) -> None:
    """A refusal by the workspace shows as a red run; the cursor stays, and once mended nothing is missing."""
    record = Record(sandbox)
    fire(host)
    before = saved_checkpoint(sandbox)
    sandbox.happen(30)
    good_keys, sandbox.collector.keys = sandbox.collector.keys, ["bm90IHRoZSBrZXk="]
    failed = host.fire(FUNCTION)
    after = saved_checkpoint(sandbox)
    sandbox.collector.keys = good_keys
    healed = fire(host)

    assert not failed.succeeded
    assert "IngestionRefused" in failed.error_type
    assert "workspace-key" in failed.error
    assert before == after
    assert 30 == healed["events"]
    assert sent_ids(sandbox) == record.ids


def test_rotated_keys_are_picked_up_without_a_restart(sandbox: Sandbox, host: FunctionHost) -> None:
    """New keys in the vault, old ones refused: the next run goes on in the same process."""
    record = Record(sandbox)
    fire(host)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    sandbox.docusign.oauth.public_keys = [public_pem(key)]
    sandbox.docusign.revoke_tokens()
    sandbox.vault.set(PRIVATE_KEY_SECRET, private_pem(key))
    sandbox.collector.keys = ["dGhlIG5ldyB3b3Jrc3BhY2Uga2V5"]
    sandbox.vault.set(WORKSPACE_KEY_SECRET, sandbox.collector.keys[0])
    sandbox.happen(20)
    figures = fire(host)

    assert ("caught-up", 20) == (figures["outcome"], figures["events"])
    assert sent_ids(sandbox) == record.ids


def test_a_connection_string_opens_the_storage_too(sandbox: Sandbox) -> None:
    """AzureWebJobsStorage as a connection string works as the identity does."""
    with sandbox.function_host(
        AzureWebJobsStorage=sandbox.azurite.connection_string, AzureWebJobsStorage__accountName=""
    ) as host:
        figures = fire(host)

    assert "caught-up" == figures["outcome"]


def test_wrong_settings_are_reported_all_together(sandbox: Sandbox) -> None:
    """One red run names every wrong setting."""
    with sandbox.function_host(DOCUSIGN_USER_ID="me", KEY_VAULT_URL="", RUN_SECONDS="soon") as host:
        failed = host.fire(FUNCTION)

    assert not failed.succeeded
    assert all(name in failed.error for name in ("DOCUSIGN_USER_ID", "KEY_VAULT_URL", "RUN_SECONDS"))


def test_missing_consent_prints_the_consent_url(sandbox: Sandbox, host: FunctionHost) -> None:
    """The person reads where to give consent."""
    sandbox.docusign.oauth.consented = False
    failed = host.fire(FUNCTION)

    assert not failed.succeeded
    assert (
        f"/oauth/auth?response_type=code&scope=signature%20impersonation&client_id={sandbox.integration_key}"
        in (failed.error)
    )


def test_no_secret_token_or_event_reaches_a_log(sandbox: Sandbox, host: FunctionHost) -> None:
    """Neither a good run nor failing ones write what must not be read."""
    good = host.fire(FUNCTION)
    sandbox.happen(10)
    sandbox.faults.add(Fault(kind="status", host="*.ods.opinsights.azure.com", status=400, times=None))
    bad = host.fire(FUNCTION)
    text = " ".join(
        [host.output, *(f"{line.message}" for run in (good, bad) for line in run.logs), bad.error, bad.stack]
    )
    secrets = [
        sandbox.collector.keys[0],
        "BEGIN RSA",
        "SharedKey",
        "Bearer ",
        sandbox.identity.header,
        *sent_ids(sandbox)[-50:],
    ]

    assert [] == [secret for secret in secrets if secret in text]
    assert 1 == sum(line.message.startswith("DocuSign Monitor run ") for line in good.logs)


def test_a_demo_and_v2_account_work(sandbox: Sandbox) -> None:
    """The demo environment and the older generation of the API are a setting away."""
    record = Record(sandbox)
    with sandbox.function_host(DOCUSIGN_ENVIRONMENT="demo", DOCUSIGN_MONITOR_API="v2") as host:
        figures = fire(host)

    assert "v2" == figures["api"]
    assert {"account-d.docusign.com", "lens-d.docusign.net"} <= sandbox.contacted()
    assert sent_ids(sandbox) == record.ids


def test_v3_that_does_not_answer_gives_way_to_v2(sandbox: Sandbox, host: FunctionHost) -> None:
    """With `auto`, a 404 of v3 leads to v2."""
    sandbox.docusign.monitor.v3 = False
    record = Record(sandbox)
    figures = fire(host)

    assert ("caught-up", "v2") == (figures["outcome"], figures["api"])
    assert sent_ids(sandbox) == record.ids


def test_a_403_is_reported_and_never_flipped_on(sandbox: Sandbox, host: FunctionHost) -> None:
    """A missing entitlement is a sentence for the DocuSign administrator, not a reason to try v2."""
    sandbox.docusign.monitor.entitled = False
    failed = host.fire(FUNCTION)

    assert not failed.succeeded
    assert "DocuSign Monitor" in failed.error
    assert 0 == sandbox.docusign.requests["monitor-v2"]
