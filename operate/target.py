"""Which app the command line works on: a settings file, an app in Azure, a sandbox that is up, or the environment."""

import contextlib
import json
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from shared.errors import OperatorError
from shared.settings import SETTINGS

DEFAULT_FILE = Path("local.settings.json")
SESSION = Path(__file__).parent.parent / ".sandbox" / "session.json"
DIRECTORY_SWITCH = "AzureWebJobs.DirectoryTimerTrigger.Disabled"
NAMES = frozenset({setting.name for setting in SETTINGS} | {DIRECTORY_SWITCH})
"""What the connector reads of an app's settings."""
_CONNECT_SECONDS = 2.0


@dataclass(frozen=True)
class Target:
    """An app's settings, and where they come from in words."""

    where: str
    environ: Mapping[str, str]


def from_file(path: Path) -> Target:
    """The settings in a file of the shape of local.settings.json.

    Raises:
        OperatorError: It is missing, or of another shape.
    """
    content = _read_json(path, f"{path} cannot be read. Copy local.settings.json.example and fill it in.")
    values = content.get("Values")
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise OperatorError(f"{path} has no object Values with texts in it: see local.settings.json.example.")
    return Target(f"the settings in {path}", values)


def from_sandbox(session: Path = SESSION) -> Target:
    """The settings of the sandbox that is up.

    Args:
        session: The file by which it is found.

    Raises:
        OperatorError: None is up.
    """
    none = "No sandbox is up. Start one in another terminal: scripts/demo --keep."
    environ = _read_json(session, none).get("environment")
    if not isinstance(environ, dict) or not _listens(str(environ.get("HTTPS_PROXY"))):
        raise OperatorError(none)
    return Target("the sandbox", environ)


def from_environment(environ: Mapping[str, str] = os.environ) -> Target:
    """The settings that stand in the process's environment, as they do in a deployed app.

    Windows gives all names in capitals: a setting whose own name is absent is found without regard to case.
    """
    by_capitals = {name.upper(): value for name, value in environ.items()}
    ours = {name: by_capitals[name.upper()] for name in NAMES if name.upper() in by_capitals}
    return Target("the environment's variables", ours | dict(environ))


@contextlib.contextmanager
def applied(environ: Mapping[str, str]) -> Iterator[None]:
    """While inside, the process has these variables too: proxies, CAs and identities are read from there."""
    before = dict(os.environ)
    os.environ.update(environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _read_json(path: Path, fault: str) -> dict[str, object]:
    try:
        content = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError):
        raise OperatorError(fault) from None
    return content if isinstance(content, dict) else {}


def _listens(proxy: str) -> bool:
    """Whether the sandbox's proxy is there: a killed sandbox leaves its session file behind."""
    parts = urlsplit(proxy)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 0), _CONNECT_SECONDS).close()
    except (OSError, ValueError):
        return False
    return True
