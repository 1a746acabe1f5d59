"""The command line as a person meets it: help, options, which app is meant."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from operate.cli import cli
from operate.target import applied, from_environment, from_file
from operate.verbs import choose
from shared.errors import OperatorError
from tests.operate.support import settings_file

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
