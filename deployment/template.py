"""azuredeploy.json, put together: the YAML files here, with the content in the places that they name.

::

    parameters, variables, outputs.yaml ------------------------.
    identity, storage, vault, telemetry, network, app.yaml -----+--> azuredeploy.json
    workspace.yaml <- tables, streams, functions, rules, ... ---'

The same sources give the same bytes, so that a check can tell a template that is not current.
"""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from deployment import content, tables

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent
TEMPLATE = ROOT / "azuredeploy.json"
FILES = ("identity", "storage", "vault", "telemetry", "network", "workspace", "app")
SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"

Generate = Callable[[], Any]


def generators(root: Path) -> dict[str, Generate]:
    """What stands for each `<name>` in the YAML files: a list joins the list around it."""
    return {
        "tables": tables.tables,
        "streams": tables.streams,
        "flows": tables.flows,
        "functions": lambda: content.functions(root),
        "rules": lambda: content.rules(root),
        "queries": lambda: content.queries(root),
        "workbooks": lambda: content.workbooks(root),
    }


def make_template(root: Path = ROOT) -> dict[str, Any]:
    """The template.

    Args:
        root: The folder of the content: parsers, rules, queries, workbooks.
    """
    resources = [resource for name in FILES for resource in _read(name)]
    return {
        "$schema": SCHEMA,
        "contentVersion": f"{version()}.0",
        "metadata": {
            "title": "DocuSign Monitor for Microsoft Sentinel",
            "description": "Carries DocuSign Monitor events into an existing Log Analytics workspace.",
            "generated": "by scripts/make_template.py from deployment/ and the content's own files",
        },
        "parameters": _read("parameters"),
        "variables": {"releasedPackage": released_package(), **_read("variables")},
        "resources": _fill(resources, generators(root)),
        "outputs": _read("outputs"),
    }


def rendered(root: Path = ROOT) -> str:
    """The template as it stands in azuredeploy.json."""
    return json.dumps(make_template(root), indent=2, ensure_ascii=False) + "\n"


def version() -> str:
    """The connector's version."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])


def repository() -> str:
    """Where releases and raw files are: `owner/name` on GitHub, from release.yaml."""
    return str(_read("release")["repository"])


def released_package() -> str:
    """The address of this version's zip, a release file that never changes."""
    number = version()
    file = f"docusign-monitor-connector-{number}.zip"
    return f"https://github.com/{repository()}/releases/download/v{number}/{file}"


def _read(name: str) -> Any:
    return yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))


def _fill(node: Any, make: dict[str, Generate]) -> Any:
    """`node` with the content in the place of every `<name>`."""
    if isinstance(node, dict):
        return {key: _fill(value, make) for key, value in node.items()}
    if isinstance(node, list):
        filled = [(_is_place(item, make), _fill(item, make)) for item in node]
        return [one for joins, made in filled for one in (made if joins else [made])]
    return make[node[1:-1]]() if _is_place(node, make) else node


def _is_place(node: Any, make: dict[str, Generate]) -> bool:
    return isinstance(node, str) and node[:1] == "<" and node[1:-1] in make
