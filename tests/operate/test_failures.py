"""How a verb ends when it fails: one sentence, one JSON document, an exit status, and never a traceback."""

import errno
import json
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from operate.cli import cli
from operate.commands import asking
from operate.failures import NETWORK, sentence
from operate.output import Output
from operate.verbs import Environ, verb
from shared.errors import OperatorError, ServiceUnavailable
from tests.operate.support import document, settings_file
from tests.support import ENVIRON

SECRET = "sig=c2VjcmV0"


def ended(tmp_path: Path, work: Callable[[Output], int], *options: str, **environ: str) -> Result:
    """Run a verb that does this work."""

    @verb("work")
    def working(environ: Environ, out: Output) -> int:
        """Do the work."""
        assert environ
        return work(out)

    command = ["--settings", str(settings_file(tmp_path, ENVIRON)), *options]
    return CliRunner().invoke(working, command, env=environ)


def raising(error: BaseException) -> Callable[[Output], int]:
    """Give work that fails so."""

    def work(out: Output) -> int:
        with out.partly(lambda: ({"events": 5}, ["5 events written."])):
            raise error

    return work


FAILURES: dict[str, tuple[BaseException, int, str, str]] = {
    "outage": (
        ServiceUnavailable("vault: no whole answer in time"),
        1,
        "ServiceUnavailable",
        f"in time. {NETWORK}.",
    ),
    "refusal": (OperatorError("Set it."), 1, "OperatorError", "Set it."),
    "no folder": (
        FileNotFoundError(errno.ENOENT, "No such file", "a/b"),
        1,
        "FileNotFoundError",
        "a/b: there is no such file or folder. Make it, or name another.",
    ),
    "full disk": (
        OSError(errno.ENOSPC, "No space", "e.ndjson"),
        1,
        "OSError",
        "e.ndjson: the disk is full. Make room, and call again to go on.",
    ),
    "our fault": (
        ValueError(f"https://host/?{SECRET}"),
        1,
        "ValueError",
        "A fault of the connector: ValueError in",
    ),
    "a library's": (OSError(f"https://host/?{SECRET}"), 1, "OSError", "DOCUSIGN_TRACEBACK=1"),
    "Ctrl+C": (KeyboardInterrupt(), 130, "Interrupted", "Interrupted. What was done before stays done"),
    "Ctrl+C at a question": (click.Abort(), 130, "Interrupted", "Interrupted."),
}


@pytest.mark.parametrize(("error", "status", "kind", "says"), FAILURES.values(), ids=FAILURES)
def test_a_failure_is_a_sentence_and_a_status(
    tmp_path: Path, error: BaseException, status: int, kind: str, says: str
) -> None:
    """For a person on stderr, for a machine as one document on stdout, both with what was done before."""
    plain = ended(tmp_path, raising(error))
    machine = ended(tmp_path, raising(error), "--json")
    told = document(machine)

    assert (status, status) == (plain.exit_code, machine.exit_code)
    assert (kind, 5) == (told["error"], told["events"])
    assert says in told["message"]
    assert says in plain.stderr
    assert "5 events written." in plain.stderr
    assert "" == plain.stdout
    assert SECRET not in plain.output + machine.output
    assert "Traceback" not in plain.output + machine.output


def test_an_interruption_is_told_to_the_person_too(tmp_path: Path) -> None:
    """Whoever pressed Ctrl+C looks at the terminal, also when stdout goes to a machine."""
    assert "Interrupted." in ended(tmp_path, raising(KeyboardInterrupt()), "--json").stderr


def test_the_traceback_can_be_had(tmp_path: Path) -> None:
    """An environment variable shows it on stderr; stdout stays one document."""
    result = ended(tmp_path, raising(ValueError("why")), "--json", DOCUSIGN_TRACEBACK="1")

    assert "ValueError: why" in result.stderr
    assert "ValueError" == document(result)["error"]


def test_a_failure_after_the_result_is_no_second_document(tmp_path: Path) -> None:
    """What was printed stays the only document; the exit status tells the rest."""

    def work(out: Output) -> int:
        out.result({"events": 5})
        raise KeyboardInterrupt

    result = ended(tmp_path, work, "--json")

    assert (130, {"events": 5}) == (result.exit_code, document(result))


def test_the_networks_cure_stands_once() -> None:
    """A cause with a cure of its own is given no other; a service that asks to wait was reached."""
    cured = ServiceUnavailable("host: no connection; check the firewall and the network")
    busy = ServiceUnavailable("host (429): too many calls. Trace token: t", retry_after=2_400)

    assert f"{cured}." == sentence(cured)
    assert (
        "host (429): too many calls. Trace token: t. It asks to wait 40 min: call again after that."
        == sentence(busy)
    )


def test_wrong_usage_is_a_document_too() -> None:
    """The exit status is 2, and --json holds for what cannot even be begun."""
    result = CliRunner().invoke(cli, ["status", "--json", "--no-such-option"])

    assert (2, "WrongUsage") == (result.exit_code, document(result)["error"])
    assert "--no-such-option" in document(result)["message"]
    assert "Usage:" in result.stderr


def test_export_into_a_missing_folder(tmp_path: Path) -> None:
    """It is refused before anybody is asked for anything, and names the folder."""
    settings, out = settings_file(tmp_path, ENVIRON), tmp_path / "missing" / "x"
    result = CliRunner().invoke(cli, ["export", "--out", str(out), "--settings", str(settings), "--json"])

    assert 1 == result.exit_code
    assert f"The folder {out.parent} of --out does not exist" in document(result)["message"]


def test_export_with_a_state_that_cannot_be_read(tmp_path: Path) -> None:
    """A fault of the disk names its file."""
    settings, out = settings_file(tmp_path, ENVIRON), tmp_path / "x"
    (tmp_path / "x.state.json").mkdir()
    result = CliRunner().invoke(cli, ["export", "--out", str(out), "--settings", str(settings)])

    assert 1 == result.exit_code
    assert f"{out}.state.json: it is a folder. Name a file." in result.stderr


def test_query_fails_by_the_same_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a sandbox, and where one was killed: a sentence, or a document."""
    monkeypatch.setattr(asking, "SANDBOX", tmp_path)
    none = CliRunner().invoke(cli, ["query", "print 1", "--json"])
    gone = {"HTTPS_PROXY": "http://127.0.0.1:9", "REQUESTS_CA_BUNDLE": ""}
    (tmp_path / "session.json").write_text(json.dumps({"workspaceId": "w", "environment": gone}))
    killed = CliRunner().invoke(cli, ["query", "print 1", "--json"])

    assert (1, 1) == (none.exit_code, killed.exit_code)
    assert "run scripts/demo first" in document(none)["message"]
    assert "does not answer. Start it again" in document(killed)["message"]
