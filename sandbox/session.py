"""The sandbox's folder between processes: what another one needs to ask a sandbox that is up."""

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from sandbox.content.harness import install
from sandbox.workspace.kql import query
from sandbox.workspace.query_api import HOSTS
from sandbox.workspace.store import Workspace
from sandbox.world import Sandbox

SESSION = "session.json"
WORKSPACE = "workspace.duckdb"
_SECONDS = 60
_OK = 200


class NoSandboxError(Exception):
    """There is no sandbox here, nor the file of one."""


def clean(folder: Path) -> None:
    """Make the folder empty, unless a sandbox is up in it."""
    if (folder / SESSION).exists() and _is_up(folder):
        raise SystemExit(f"A sandbox is up in {folder}: end it first (Ctrl+C in its terminal).")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


@contextlib.contextmanager
def running(sandbox: Sandbox) -> Iterator[None]:
    """While inside, other processes find the sandbox by its folder; only this user can read how."""
    file = sandbox.folder / SESSION
    file.touch(mode=0o600)
    file.write_text(json.dumps({"workspaceId": sandbox.workspace_id, "environment": sandbox.environment}))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def ask(folder: Path, text: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The columns and rows of a KQL query, from the sandbox that is up, or from the file that one left.

    Raises:
        NoSandboxError: There is neither.
        ValueError: The query cannot run.
    """
    if (folder / SESSION).exists():
        return _ask_running(json.loads((folder / SESSION).read_text()), text)
    if not (folder / WORKSPACE).exists():
        raise NoSandboxError("There is no sandbox yet: run scripts/demo first.")
    with Workspace(folder / WORKSPACE) as workspace:
        install(workspace)
        result = query(workspace, text)
    return [name for name, _ in result.columns], result.rows


def _ask_running(session: dict[str, Any], text: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    environment = session["environment"]
    answer = requests.post(
        f"https://{HOSTS[0]}/v1/workspaces/{session['workspaceId']}/query",
        json={"query": text},
        proxies={"https": environment["HTTPS_PROXY"]},
        verify=environment["REQUESTS_CA_BUNDLE"],
        timeout=_SECONDS,
    )
    content = answer.json()
    if answer.status_code != _OK:
        raise ValueError(content["error"]["message"])
    table = content["tables"][0]
    return [column["name"] for column in table["columns"]], [tuple(row) for row in table["rows"]]


def _is_up(folder: Path) -> bool:
    try:
        _ask_running(json.loads((folder / SESSION).read_text()), "print 1")
    except (OSError, ValueError, requests.RequestException):
        return False
    return True
