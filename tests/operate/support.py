"""The command line on a sandbox, in this process."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from operate.cli import cli
from sandbox.world import Sandbox


def invoke(sandbox: Sandbox, *arguments: str, typed: str = "", **overrides: str) -> Result:
    """Run a verb with the sandbox's settings in a file, some of them replaced; `typed` answers its questions."""
    file = settings_file(sandbox.folder, sandbox.environment | overrides)
    verb, *rest = arguments
    command = [verb, "--settings", str(file), *rest]
    return CliRunner().invoke(cli, command, input=typed, catch_exceptions=False)


def settings_file(folder: Path, values: dict[str, str]) -> Path:
    """Write settings in the shape of local.settings.json."""
    file = folder / "settings.json"
    file.write_text(json.dumps({"IsEncrypted": False, "Values": values}))
    return file


def document(result: Result) -> Any:
    """The JSON document that a verb printed."""
    return json.loads(result.stdout)
