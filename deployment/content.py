"""The Microsoft Sentinel content as resources: its YAML files and workbooks, in the shapes that Azure takes."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from deployment.tables import Resource

_OPERATORS = {"gt": "GreaterThan", "lt": "LessThan", "eq": "Equal", "ne": "NotEqual"}
_DURATION = re.compile(r"(\d+)([mhd])")
_AS_THEY_ARE = ("severity", "triggerThreshold", "tactics", "entityMappings", "customDetails")
_SAVED_SEARCH: Resource = {
    "type": "Microsoft.OperationalInsights/workspaces/savedSearches",
    "apiVersion": "2025-07-01",
}
_HEALTH_TABLE = "DocuSignMonitorHealth_CL"
_ONE_INCIDENT = {
    "createIncident": True,
    "groupingConfiguration": {
        "enabled": True,
        "reopenClosedIncident": False,
        "lookbackDuration": "PT5H",
        "matchingMethod": "AllEntities",
    },
}
"""A connector that stays broken is told each hour, into the incident that is open already."""
_OVERWRITE = "*"
"""As an ETag: a second deployment writes over the first one's query."""


def functions(root: Path) -> list[Resource]:
    """The parsers as saved functions."""
    return [_function(content) for _, content in _files(root / "parsers")]


def rules(root: Path) -> list[Resource]:
    """The analytics rules, each named by a GUID of the workspace and the rule's id."""
    return [_rule(content) for _, content in _files(root / "analytics_rules")]


def queries(root: Path) -> list[Resource]:
    """The hunting queries as saved searches in the category that Microsoft Sentinel reads."""
    return [_query(content) for _, content in _files(root / "hunting_queries")]


def workbooks(root: Path) -> list[Resource]:
    """The workbooks, each in its file as the portal exports it."""
    files = sorted((root / "workbooks").glob("*.json"))
    return [_workbook(path.stem, json.loads(path.read_text(encoding="utf-8"))) for path in files]


def duration(short: str) -> str:
    """A rule file's duration (`5m`, `1h`, `14d`) in ISO 8601; one that already is stays.

    Raises:
        ValueError: It is neither.
    """
    if short.startswith("P"):
        return short
    match = _DURATION.fullmatch(short)
    if match is None:
        raise ValueError(f"{short!r} is no duration such as 5m, 1h or 14d")
    number, unit = match.groups()
    return f"P{number}D" if unit == "d" else f"PT{number}{unit.upper()}"


def text(value: str) -> str:
    """Text that a template must not take for an expression."""
    return f"[{value}" if value.startswith("[") else value


def _files(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted(folder.glob("*.yaml")):
        yield path, yaml.safe_load(path.read_text(encoding="utf-8"))


def _function(content: dict[str, Any]) -> Resource:
    alias = content["FunctionAlias"]
    return _SAVED_SEARCH | {
        "name": f"[format('{{0}}/{alias}', parameters('workspaceName'))]",
        "etag": _OVERWRITE,
        "properties": {
            "category": content.get("Category", "DocuSign"),
            "displayName": content["Function"]["Title"],
            "functionAlias": alias,
            "query": text(content["FunctionQuery"]),
            "version": 2,
        },
    }


def _query(content: dict[str, Any]) -> Resource:
    tags = {
        "description": _line(content["description"]),
        "tactics": ",".join(content["tactics"]),
        "techniques": ",".join(content["relevantTechniques"]),
    }
    return _SAVED_SEARCH | {
        "name": f"[format('{{0}}/{content['id']}', parameters('workspaceName'))]",
        "condition": "[parameters('deployHuntingQueries')]",
        "etag": _OVERWRITE,
        "properties": {
            "category": "Hunting Queries",
            "displayName": text(content["name"]),
            "query": text(content["query"]),
            "tags": [{"name": name, "value": text(value)} for name, value in tags.items() if value],
            "version": 2,
        },
    }


def _rule(content: dict[str, Any]) -> Resource:
    properties = {
        "displayName": text(content["name"]),
        "description": text(content["description"].strip()),
        "enabled": "[parameters('enableAnalyticsRules')]",
        "query": text(content["query"]),
        "queryFrequency": duration(content["queryFrequency"]),
        "queryPeriod": duration(content["queryPeriod"]),
        "triggerOperator": _OPERATORS[content["triggerOperator"]],
        **{key: content[key] for key in _AS_THEY_ARE if key in content},
        # The API knows techniques without their sub-techniques: T1110.003 is T1110.
        "techniques": list(dict.fromkeys(one.partition(".")[0] for one in content["relevantTechniques"])),
        **_incidents(content),
        "suppressionEnabled": False,
        "suppressionDuration": "PT1H",
    }
    return {
        "type": "Microsoft.SecurityInsights/alertRules",
        "apiVersion": "2025-06-01",
        "name": f"[guid(variables('workspaceId'), '{content['id']}')]",
        "condition": "[parameters('deployAnalyticsRules')]",
        "scope": "[variables('workspaceId')]",
        "kind": content["kind"],
        "properties": properties,
    }


def _incidents(content: dict[str, Any]) -> dict[str, Any]:
    """How alerts are grouped, titled and turned into incidents, as far as the rule says so."""
    found: dict[str, Any] = {}
    if "eventGroupingSettings" in content:
        found["eventGroupingSettings"] = content["eventGroupingSettings"]
    if "alertDetailsOverride" in content:
        override = content["alertDetailsOverride"]
        found["alertDetailsOverride"] = {
            key: text(value) if isinstance(value, str) else value for key, value in override.items()
        }
    if any(_HEALTH_TABLE in connector["dataTypes"] for connector in content["requiredDataConnectors"]):
        found["incidentConfiguration"] = _ONE_INCIDENT
    return found


def _workbook(name: str, content: dict[str, Any]) -> Resource:
    return {
        "type": "Microsoft.Insights/workbooks",
        "apiVersion": "2023-06-01",
        "name": f"[guid(variables('workspaceId'), 'workbooks/{name}')]",
        "condition": "[parameters('deployWorkbook')]",
        "location": "[parameters('workspaceLocation')]",
        "kind": "shared",
        "properties": {
            "displayName": "DocuSign Monitor" if name == "DocuSignMonitor" else name,
            "category": "sentinel",
            "sourceId": "[variables('workspaceId')]",
            "version": "1.0",
            "serializedData": json.dumps(content, ensure_ascii=False, separators=(",", ":")),
        },
    }


def _line(description: str) -> str:
    return " ".join(description.split())
