"""The table of parameters in docs/deploy.md, made from parameters.yaml."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from deployment.template import FOLDER, ROOT

GUIDE = ROOT / "docs/deploy.md"
_TABLE = re.compile(r"(<!-- parameters:[^\n]*-->\n).*?(?=\n<!-- end of parameters -->)", re.DOTALL)


def guide(path: Path = GUIDE) -> str:
    """The guide with its table as it should be.

    Raises:
        ValueError: The comments around the table are gone.
    """
    text = path.read_text(encoding="utf-8")
    if not _TABLE.search(text):
        raise ValueError(f"{path.name} has no table of parameters between its two comments")
    return _TABLE.sub(lambda match: match[1] + parameter_table(), text)


def parameter_table() -> str:
    """Name, default and meaning of each parameter, as Markdown."""
    parameters = yaml.safe_load((FOLDER / "parameters.yaml").read_text(encoding="utf-8"))
    rows = [f"| `{name}` | {_default(spec)} | {_meaning(spec)} |" for name, spec in parameters.items()]
    return "\n".join(["| name | default | meaning |", "|---|---|---|", *rows])


def _default(spec: dict[str, Any]) -> str:
    if "defaultValue" not in spec:
        return "required"
    value = spec["defaultValue"]
    if value in ("", {}):
        return "empty"
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value)}`"


def _meaning(spec: dict[str, Any]) -> str:
    description = str(spec["metadata"]["description"]).replace("|", "\\|")
    if "allowedValues" in spec:
        return f"{description} One of {', '.join(f'`{value}`' for value in spec['allowedValues'])}."
    if "minValue" in spec:
        return f"{description} From {spec['minValue']} to {spec['maxValue']}."
    return description
