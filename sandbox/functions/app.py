"""A function app on disk: host.json, and one folder with a function.json for each function."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class FunctionAppError(Exception):
    """The app cannot run as it is on disk, or with the settings it was given."""


@dataclass(frozen=True)
class TimerFunction:
    """One function with a timer trigger, its schedule resolved from the app settings."""

    name: str
    directory: Path
    script_file: Path
    entry_point: str
    timer: str
    schedule: str
    bindings: tuple[Mapping[str, Any], ...]


def read_app(app_root: Path, settings: Mapping[str, str]) -> dict[str, TimerFunction]:
    """The app's functions by name, without the disabled ones.

    Raises:
        FunctionAppError: a file is missing or unreadable, or a setting that a schedule names is absent.
    """
    version = _read_json(app_root / "host.json").get("version")
    if version != "2.0":
        raise FunctionAppError(f"host.json: version is {version!r}, the host takes '2.0'")
    names = [path.parent.name for path in sorted(app_root.glob("*/function.json"))]
    enabled = [name for name in names if not _is_disabled(name, settings)]
    return {name: _read_function(app_root / name, settings) for name in enabled}


def resolve(text: str, settings: Mapping[str, str]) -> str:
    """Each ``%NAME%`` gives way to the setting of that name.

    Raises:
        FunctionAppError: a named setting is absent.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in settings:
            raise FunctionAppError(f"the app setting {name}, named in {text!r}, is absent")
        return settings[name]

    return re.sub("%([^%]+)%", value, text)


def _is_disabled(name: str, settings: Mapping[str, str]) -> bool:
    return settings.get(f"AzureWebJobs.{name}.Disabled", "").lower() in {"1", "true"}


def _read_function(directory: Path, settings: Mapping[str, str]) -> TimerFunction:
    content = _read_json(directory / "function.json")
    bindings = content.get("bindings", [])
    timer = next((binding for binding in bindings if binding.get("type") == "timerTrigger"), None)
    if timer is None:
        raise FunctionAppError(f"{directory.name}: it has no timerTrigger, and this host fires nothing else")
    try:
        schedule = resolve(timer["schedule"], settings)
    except FunctionAppError as error:
        raise FunctionAppError(f"{directory.name}: {error}") from None
    return TimerFunction(
        name=directory.name,
        directory=directory,
        script_file=directory / content.get("scriptFile", "__init__.py"),
        entry_point=content.get("entryPoint", ""),
        timer=timer["name"],
        schedule=schedule,
        bindings=tuple(bindings),
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise FunctionAppError(f"{path.parent.name}/{path.name} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise FunctionAppError(f"{path.parent.name}/{path.name} is not a JSON object")
    return content
