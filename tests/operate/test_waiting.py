"""How long the verbs wait for what may heal, and that a person learns of it: the real command line, real sockets."""

import http.server
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from operate import waiting
from operate.cli import cli
from operate.output import Output
from operate.waiting import patient, teller
from shared.budget import Budget
from shared.errors import ServiceUnavailable
from shared.vault import Secrets
from tests.operate.messages import ROOT
from tests.operate.support import document, settings_file
from tests.support import ENVIRON, ManualClock

NOBODY = "http://127.0.0.1:9"
"""The port discard, where nothing listens."""
VAULT = {"KEY_VAULT_URL": "https://typo-vault.vault.azure.net"}
PATIENT = "import sys; from operate import cli, waiting; waiting.PATIENCE_SECONDS = float(sys.argv.pop(1)); cli.cli()"


class Identity(http.server.BaseHTTPRequestHandler):
    """The managed identity's endpoint: it gives everybody a token."""

    def do_GET(self) -> None:
        """Answer as the platform's endpoint does."""
        token = {"access_token": "eyJh.e30.x", "expires_on": str(int(time.time()) + 86_400), "resource": "x"}
        body = json.dumps(token | {"token_type": "Bearer"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def nowhere() -> Iterator[dict[str, str]]:
    """Give an environment in which there is an identity, and no way to any other host."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Identity) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield {
            "IDENTITY_ENDPOINT": f"http://127.0.0.1:{server.server_port}/",
            "IDENTITY_HEADER": "x",
            "NO_PROXY": "127.0.0.1",
            "HTTPS_PROXY": NOBODY,
        }
        server.shutdown()


VERBS: dict[str, tuple[list[str], str]] = {
    "run": (["run"], "typo-vault.vault.azure.net"),
    "export": (["export", "--out", "events.ndjson"], "typo-vault.vault.azure.net"),
    "replay": (["replay"], "examplestorage.blob.core.windows.net"),
    "status": (["status"], "examplestorage.blob.core.windows.net"),
    "rewind": (["rewind", "--to", "2026-01-01", "--yes"], "examplestorage.blob.core.windows.net"),
}


@pytest.mark.parametrize(("command", "host"), VERBS.values(), ids=VERBS)
def test_what_may_heal_is_waited_for_and_told(
    nowhere: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], host: str
) -> None:
    """Each pause is a line on stderr that names the host; then the verb fails with the network's cure, once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 1.0)
    settings = settings_file(tmp_path, ENVIRON | VAULT)
    began = time.monotonic()
    result: Result = CliRunner().invoke(cli, [*command, "--settings", str(settings), "--json"], env=nowhere)
    told = document(result)

    assert time.monotonic() - began < 10
    assert (1, "ServiceUnavailable") == (result.exit_code, told["error"])
    assert re.search(rf"^Waiting \d+ s: .*{re.escape(host)}.*\.$", result.stderr, re.MULTILINE)
    assert host in told["message"]
    assert 1 == told["message"].count("HTTPS_PROXY")


@pytest.mark.parametrize("more", [[], ["--directory"]], ids=["events", "directory"])
def test_a_run_that_waits_for_storage_names_the_account(
    nowhere: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: list[str]
) -> None:
    """The vault has answered before, and storage does not: both kinds of run say which account it is."""
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 1.0)
    monkeypatch.setattr(Secrets, "read", lambda *_: "secret")
    settings = settings_file(tmp_path, ENVIRON | VAULT)
    command = ["run", *more, "--settings", str(settings), "--json"]
    result = CliRunner().invoke(cli, command, env=nowhere)

    assert (1, "ServiceUnavailable") == (result.exit_code, document(result)["error"])
    assert re.search(
        r"^Waiting \d+ s: lease on \S+ \(examplestorage\.blob\.core", result.stderr, re.MULTILINE
    )


def test_an_outage_with_a_terminal_of_its_own(nowhere: dict[str, str], tmp_path: Path) -> None:
    """The same in a process of its own: stdout is one document, stderr the waiting, and no traceback."""
    settings = settings_file(tmp_path, ENVIRON | VAULT)
    command = [sys.executable, "-c", PATIENT, "1.5", "run", "--settings", str(settings), "--json"]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | nowhere, capture_output=True, text=True, timeout=60, check=False
    )

    assert (1, "ServiceUnavailable") == (done.returncode, json.loads(done.stdout)["error"])
    assert "Waiting " in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_while_it_waits(nowhere: dict[str, str], tmp_path: Path) -> None:
    """Interrupted at its first pause: exit status 130 at once, a sentence, and a document."""
    settings = settings_file(tmp_path, ENVIRON | VAULT)
    command = [sys.executable, "-c", PATIENT, "300", "export", "--out", str(tmp_path / "e"), "--settings"]
    with subprocess.Popen(
        [*command, str(settings), "--json"],
        cwd=ROOT,
        env=os.environ | nowhere,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)

    assert first.startswith("Waiting ")
    assert (130, "Interrupted") == (process.returncode, json.loads(stdout)["error"])
    assert stderr.endswith("Interrupted. What was done before stays done: call again to go on.\n")
    assert "Traceback" not in stderr


def test_each_of_several_outages_has_its_own_time(
    clock: ManualClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """A long export may meet several short outages; one that lasts ends it after 20 s, far from its budget."""
    answers: list[Exception | str] = [
        *[ServiceUnavailable("host: reset.", retry_after=9.0)] * 2,
        "first",
        *[ServiceUnavailable("host: reset.", retry_after=9.0)] * 2,
        "second",
        *[ServiceUnavailable("host: reset.", retry_after=9.0)] * 3,
    ]

    def attempt() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    retry = patient(Output(as_json=True))(Budget(7 * 86_400.0, clock=clock, wait=clock.wait))
    healed = [retry(attempt), retry(attempt)]
    with pytest.raises(ServiceUnavailable):
        retry(attempt)

    assert ["first", "second"] == healed
    assert [9.0] * 6 == clock.slept
    assert "Waiting 9 s: host: reset.\n" * 6 == capsys.readouterr().err


class Terminal(io.StringIO):
    """A stderr that a person looks at."""

    def isatty(self) -> bool:
        """It is a terminal."""
        return True


def test_the_bar_stays_below_what_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pause is a whole line of its own, above the bar; no markup of a name is lost."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    out = Output(as_json=False)
    with out.progress("Exporting events") as bar:
        bar.show(1, 2, "1 event")
        teller(out)(ServiceUnavailable(f"{'host/' * 40}[a]: reset"), 2.2)
    out.aside("after it")
    told = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue()).replace("\r", "\n").splitlines()

    assert f"Waiting 3 s: {'host/' * 40}[a]: reset." in [line.strip() for line in told]
    assert "Exporting events" in terminal.getvalue()
    assert "after it" == told[-1]
