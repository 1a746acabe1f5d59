"""The command line as a person meets it: help, options, which app is meant."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from operate.cli import cli
from operate.failures import failure
from operate.target import applied, from_environment, from_file
from operate.verbs import choose
from shared.errors import OperatorError
from tests.operate.messages import ROOT
from tests.operate.support import document, settings_file

VERBS = {"doctor", "consent-url", "run", "status", "rewind", "replay", "export", "query"}


def test_the_verbs_are_the_contracts() -> None:
    """Each verb of the contract is there, and no other."""
    assert VERBS == set(cli.commands)


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_help_teaches(verb: str) -> None:
    """Each verb has help of more than a line, and --json for machines."""
    text = CliRunner().invoke(cli, [verb, "--help"]).stdout

    assert "--json" in text
    assert len(text.split("Options:")[0].split()) > 20


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"sandbox": True, "app": "one"}, "one of --settings, --app and --sandbox"),
        ({"app": "one"}, "--resource-group"),
        ({"app": "one", "resource_group": "group"}, "AZURE_SUBSCRIPTION_ID"),
        ({"settings": Path("none.json")}, "none.json cannot be read"),
    ],
)
def test_options_that_mean_no_app(given: dict[str, object], says: str) -> None:
    """Options that mean no one app are refused with a sentence."""
    options = dict.fromkeys(("settings", "app", "resource_group", "subscription"), None)
    with pytest.raises(OperatorError, match=says):
        choose(**{**options, "cloud": "AzureCloud", "sandbox": False, **given})  # type: ignore[arg-type]


@pytest.mark.parametrize("command", [["--json", "status"], ["--json"], ["no-such-verb", "--json"]])
def test_json_before_the_verb_is_a_document_too(command: list[str]) -> None:
    """Wrong usage is told to a machine wherever --json stands."""
    result = CliRunner().invoke(cli, command)

    assert (2, "WrongUsage") == (result.exit_code, document(result)["error"])
    assert "Usage:" in result.stderr


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_ctrl_c_while_modules_are_read(tmp_path: Path, options: list[str]) -> None:
    """Before there is a verb, manage.py says what a verb would."""
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt")
    done = subprocess.run(
        [sys.executable, "manage.py", "status", *options],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    told = failure(KeyboardInterrupt())

    assert (130, f"{told.sentence}\n") == (done.returncode, done.stderr)
    assert options == [] or {"error": told.kind, "message": told.sentence} == json.loads(done.stdout)


def test_a_file_of_another_shape_is_refused(tmp_path: Path) -> None:
    """A settings file needs its Values, all of them texts."""
    file = tmp_path / "settings.json"
    file.write_text('{"Values": {"RUN_SECONDS": 480}}')
    with pytest.raises(OperatorError, match="no object Values"):
        from_file(file)


def test_settings_hold_while_a_verb_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file's variables are the process's while inside, and forgotten afterwards."""
    monkeypatch.delenv("LOG_TYPE", raising=False)
    found = from_file(settings_file(tmp_path, {"LOG_TYPE": "Mine"}))
    with applied(found.environ):
        inside = from_environment().environ.get("LOG_TYPE")

    assert ("Mine", None) == (inside, from_environment().environ.get("LOG_TYPE"))


def test_a_names_case_is_no_matter_where_windows_gives_capitals() -> None:
    """Windows has all names in capitals: settings are found all the same, and an exact name goes first."""
    found = from_environment({"AZUREWEBJOBSSTORAGE__ACCOUNTNAME": "mine", "PATH": "x"}).environ
    both = from_environment({"LOG_TYPE": "Exact", "log_type": "other"}).environ

    assert ("mine", "x") == (found["AzureWebJobsStorage__accountName"], found["PATH"])
    assert "Exact" == both["LOG_TYPE"]
