"""What a person learns from `doctor`, on the real parts, fault by fault."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from time import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from operate.commands import checks
from operate.doctor import Doctor, Finding
from operate.target import applied
from sandbox.faults import Fault
from sandbox.proxy import Proxy
from sandbox.state import container
from sandbox.world import PRIVATE_KEY_SECRET, WORKSPACE_KEY_SECRET, Sandbox, private_pem
from tests.operate.support import document, invoke

pytestmark = pytest.mark.integration

ORDER = (
    "settings",
    "vault",
    "private key",
    "token",
    "consent",
    "organization",
    "monitor",
    "storage",
    "lease",
    "ingestion",
)
AFTER_TOKEN = {"consent", "organization", "monitor"}
LOGS = {
    "INGESTION_API": "logs-ingestion",
    "DATA_COLLECTION_ENDPOINT": "https://docusign-sandbox-abcd.eastus-1.ingest.monitor.azure.com",
}
RULE = {"DATA_COLLECTION_RULE_ID": "dcr-0123456789abcdef0123456789abcdef"}


def examine(
    world: Sandbox, overrides: dict[str, str] | None = None, *, now: Callable[[], float] = time
) -> dict[str, Finding]:
    """Give the findings by check; a check gives up soon."""
    environ = world.environment | (overrides or {})
    with applied(environ):
        findings = list(Doctor(environ, seconds=0.5, now=now).examine())
    return {finding.check: finding for finding in findings}


def states(findings: dict[str, Finding], state: str) -> set[str]:
    """Give the checks that came out so."""
    return {name for name, finding in findings.items() if finding.state == state}


@contextmanager
def other(thing: Any, name: str, value: Any) -> Iterator[None]:
    """Set an attribute of the sandbox's while inside."""
    before = getattr(thing, name)
    setattr(thing, name, value)
    try:
        yield
    finally:
        setattr(thing, name, before)


@contextmanager
def secret(world: Sandbox, name: str, value: str) -> Iterator[None]:
    """Give a secret another value while inside."""
    before = world.vault._secrets[name][-1].value
    world.vault.set(name, value)
    try:
        yield
    finally:
        world.vault.set(name, before)


@contextmanager
def faulty(world: Sandbox, **fault: Any) -> Iterator[None]:
    """Spoil answers while inside."""
    world.faults.add(Fault(times=None, **fault))
    try:
        yield
    finally:
        world.faults.clear()


def test_all_is_well(world: Sandbox) -> None:
    """A healthy app: every check is ok, in the contract's order, exit status 0, and no row is left behind."""
    before = len(world.collector.posts)
    result = invoke(world, "doctor", "--json")
    plain = invoke(world, "doctor")

    assert [(name, "ok") for name in ORDER] == [(f["check"], f["state"]) for f in document(result)]
    assert (0, 0) == (result.exit_code, plain.exit_code)
    assert before == len(world.collector.posts)
    assert len(ORDER) == len(plain.stdout.splitlines())


def test_all_is_well_by_the_other_road(world: Sandbox) -> None:
    """With logs-ingestion the workspace key is not asked for, and the empty batch leaves no row."""
    with secret(world, WORKSPACE_KEY_SECRET, " "):
        findings = examine(world, {**LOGS, "DATA_COLLECTION_RULE_ID": world.ingestion.rule_id})

    assert set(ORDER) == states(findings, "ok")
    assert [] == [post for post in world.ingestion.posts if post.records]


Spoil = Callable[[Sandbox], AbstractContextManager[None]]
WRONG_KEY = private_pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))

FAULTS: dict[str, tuple[Spoil, str, str, set[str]]] = {
    "key of another app": (
        lambda w: secret(w, PRIVATE_KEY_SECRET, WRONG_KEY),
        "token",
        "does not belong to the integration key",
        AFTER_TOKEN,
    ),
    "no key at all": (
        lambda w: secret(w, PRIVATE_KEY_SECRET, "secret"),
        "private key",
        "no usable RSA private key",
        {"token", *AFTER_TOKEN},
    ),
    "missing consent": (
        lambda w: other(w.docusign.oauth, "consented", value=False),
        "consent",
        "/oauth/auth?response_type=code&scope=signature%20impersonation",
        {"organization", "monitor"},
    ),
    "user without role": (
        lambda w: other(w.docusign.monitor, "is_administrator", value=False),
        "monitor",
        "Security Reports Administrator",
        set(),
    ),
    "no entitlement": (
        lambda w: other(w.docusign.monitor, "entitled", value=False),
        "monitor",
        "has no DocuSign Monitor",
        set(),
    ),
    "missing vault role": (
        lambda w: other(w.vault, "deny", value=True),
        "vault",
        "Key Vault Secrets User",
        {"private key", "token", *AFTER_TOKEN, "ingestion"},
    ),
    "missing storage role": (
        lambda w: faulty(w, kind="status", host="*.blob.core.windows.net", status=403),
        "storage",
        "Storage Blob Data Owner",
        {"lease"},
    ),
    "role that only reads": (
        lambda w: faulty(
            w, kind="status", host="*.blob.core.windows.net", method="PUT", path="*/doctor/*", status=403
        ),
        "storage",
        "Storage Blob Data Owner",
        {"lease"},
    ),
    "proxy in the way": (
        lambda w: faulty(w, kind="html", host="account.docusign.com"),
        "token",
        "HTTPS_PROXY",
        AFTER_TOKEN,
    ),
    "wrong workspace key": (
        lambda w: other(w.collector, "keys", ["bm90IHRoZSBrZXk="]),
        "ingestion",
        "does not hold a key of the workspace",
        set(),
    ),
}


@pytest.mark.parametrize(("spoil", "check", "says", "unchecked"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_named_with_its_cure(
    world: Sandbox, spoil: Spoil, check: str, says: str, unchecked: set[str]
) -> None:
    """One line is the fault, with its cure; what depends on it is not checked; the rest is ok."""
    with spoil(world):
        findings = examine(world)

    assert {check} == states(findings, "fault")
    assert unchecked == states(findings, "not checked")
    assert says in findings[check].detail


SETTINGS: dict[str, tuple[dict[str, str], str, str]] = {
    "demo key in production": (
        {"DOCUSIGN_INTEGRATION_KEY": "11111111-1111-4111-8111-111111111111"},
        "token",
        "is unknown in this environment",
    ),
    "unknown user": (
        {"DOCUSIGN_USER_ID": "22222222-2222-4222-8222-222222222222"},
        "token",
        "is not the GUID of an active user",
    ),
    "wrong settings": ({"DOCUSIGN_USER_ID": "me", "RUN_SECONDS": "soon"}, "settings", "RUN_SECONDS"),
    "wrong region": (
        {
            **LOGS,
            "DATA_COLLECTION_ENDPOINT": "https://other-wxyz.westeurope-1.ingest.monitor.azure.com",
            "DATA_COLLECTION_RULE_ID": "dcr-0123456789abcdef0123456789abcdef",
        },
        "ingestion",
        "HTTPS_PROXY",
    ),
    "wrong rule": (
        {**LOGS, "DATA_COLLECTION_RULE_ID": "dcr-0123456789abcdef0123456789abcdef"},
        "ingestion",
        "endpoint and rule lie in one region",
    ),
    "wrong vault": ({"KEY_VAULT_URL": "https://no-such.vault.azure.net"}, "vault", "HTTPS_PROXY"),
    "no such secret": ({"WORKSPACE_KEY_SECRET": "no-such"}, "vault", "there is no such secret"),
    "wrong organization": (
        {"DOCUSIGN_ORGANIZATION_ID": "33333333-3333-4333-8333-333333333333"},
        "organization",
        "the user's accounts belong to",
    ),
}


@pytest.mark.parametrize(("overrides", "check", "says"), SETTINGS.values(), ids=SETTINGS)
def test_a_wrong_setting_is_named(world: Sandbox, overrides: dict[str, str], check: str, says: str) -> None:
    """The first fault is where the wrong setting shows, and the sentence names what to correct."""
    findings = examine(world, overrides)
    first = next(finding for finding in findings.values() if finding.state == "fault")

    assert check == first.check
    assert says in first.detail


def test_a_secret_that_is_missing_spoils_only_what_needs_it(world: Sandbox) -> None:
    """Without the workspace key DocuSign's side is checked all the same."""
    findings = examine(world, {"WORKSPACE_KEY_SECRET": "no-such"})

    assert {"vault"} == states(findings, "fault")
    assert {"ingestion"} == states(findings, "not checked")


def test_a_clock_that_is_off(world: Sandbox) -> None:
    """The refused token comes with the clock's error, measured by DocuSign's own."""
    findings = examine(world, now=lambda: time() - 7200)

    assert {"token"} == states(findings, "fault")
    assert "the clock of this machine is off" in findings["token"].detail
    assert re.search(r"clock is (719\d|720\d) s behind DocuSign's", findings["token"].detail)


def test_a_proxy_that_refuses(world: Sandbox) -> None:
    """With nothing reachable the first line says proxy, and the rest waits."""
    with Proxy(lambda *_: None) as closed:
        findings = examine(world, {"HTTPS_PROXY": closed.url})

    assert {"vault", "storage"} == states(findings, "fault")
    assert "HTTPS_PROXY" in findings["vault"].detail


def test_consent_for_the_directory_is_checked_where_it_is_on(world: Sandbox) -> None:
    """With the directory's timer on, consent must cover its scopes too."""
    with other(world.docusign.oauth, "consented_scopes", {"signature", "impersonation"}):
        on = examine(world, {"AzureWebJobs.DirectoryTimerTrigger.Disabled": "false"})
        off = examine(world)

    assert "organization_read%20user_read" in on["consent"].detail
    assert "ok" == off["consent"].state


def test_a_fault_is_an_exit_status(world: Sandbox) -> None:
    """Status 1, one line a check, no traceback."""
    with other(world.docusign.monitor, "entitled", value=False):
        result = invoke(world, "doctor")

    assert 1 == result.exit_code
    assert "FAULT        monitor" in result.stdout
    assert "Traceback" not in result.output


def test_a_first_run_is_not_begun(world: Sandbox) -> None:
    """The doctor makes no checkpoint: with DOCUSIGN_START=now that would fix the start."""
    findings = examine(world)

    assert "no run has saved a checkpoint yet" in findings["storage"].detail


def test_anothers_checkpoint_is_a_fault(world: Sandbox) -> None:
    """What every run would refuse is no `ok`: the doctor says what the run says."""
    examine(world)  # makes the container
    content = {"version": 1, "environment": "demo", "userId": "u2", "cursor": "c", "api": "v3"}
    with container(world) as client:
        blob = client.get_blob_client("checkpoint/default.json")
        blob.upload_blob(json.dumps(content))
        try:
            findings = examine(world)
        finally:
            blob.delete_blob()

    assert "fault" == findings["storage"].state
    assert "belongs to DocuSign demo, user u2, and the settings say" in findings["storage"].detail


def test_no_finding_is_lost_whatever_breaks(world: Sandbox) -> None:
    """A CA file that is not there breaks every exchange: still each check has its finding, and --json prints them."""
    findings = examine(world, {**LOGS, "REQUESTS_CA_BUNDLE": "/no/such/ca.pem"} | RULE)

    assert list(ORDER) == list(findings)
    assert {"settings"} == states(findings, "ok")
    assert {"vault", "storage", "ingestion"} == states(findings, "fault")


class Broken(Doctor):
    """A doctor one of whose checks has a fault of its own, and another is interrupted."""

    def _check_private_key(self) -> str:
        raise KeyError("of ours")

    def _check_storage(self) -> str:
        raise KeyboardInterrupt


def test_findings_survive_a_fault_and_an_interruption(
    world: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check that breaks is a finding; an interrupted doctor still tells what it found until then."""
    monkeypatch.setattr(checks, "Doctor", Broken)
    monkeypatch.setenv("DOCUSIGN_TRACEBACK", "1")
    result = invoke(world, "doctor", "--json")
    told = document(result)

    assert (130, "Interrupted") == (result.exit_code, told["error"])
    assert ["settings", "vault", "private key"] == [found["check"] for found in told["findings"]][:3]
    assert "A fault of the connector: KeyError" in told["findings"][2]["detail"]
    assert "KeyError: 'of ours'" in result.stderr
