"""The content's files as plain values: analytics rules, hunting queries, parsers, and other places with KQL."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent.parent
PARSERS, RULES, HUNTING = "parsers", "analytics_rules", "hunting_queries"

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")


@dataclass(frozen=True)
class Content:
    """One YAML file.

    Attributes:
        path: Where it is.
        raw: What it holds, keys in the file's order.
    """

    path: Path
    raw: Mapping[str, Any]

    @property
    def id(self) -> str:
        """Its GUID."""
        return str(self.raw["id"])

    @property
    def query(self) -> str:
        """Its KQL."""
        return str(self.raw["query"])


@dataclass(frozen=True)
class HuntingQuery(Content):
    """A query that an analyst starts."""

    @property
    def name(self) -> str:
        """What it is called."""
        return str(self.raw["name"])

    @property
    def description(self) -> str:
        """What it tells an analyst."""
        return str(self.raw["description"])

    def columns(self) -> set[str]:
        """The columns that its entity mappings, custom details and titles take from the query's result."""
        mapped = (field["columnName"] for entity in self.entities() for field in entity["fieldMappings"])
        override = self.raw.get("alertDetailsOverride", {})
        named = {value for key, value in override.items() if key.endswith("ColumnName")}
        placed = (name for text in override.values() for name in _PLACEHOLDER.findall(str(text)))
        return {*mapped, *self.raw.get("customDetails", {}).values(), *named, *placed}

    def entities(self) -> list[Mapping[str, Any]]:
        """Its entity mappings."""
        return list(self.raw.get("entityMappings", []))


@dataclass(frozen=True)
class Rule(HuntingQuery):
    """A query that Microsoft Sentinel runs on a schedule; rows in its result become alerts."""

    @property
    def severity(self) -> str:
        """Informational, Low, Medium or High."""
        return str(self.raw["severity"])

    @property
    def frequency(self) -> timedelta:
        """How often it runs."""
        return duration(self.raw["queryFrequency"])

    @property
    def period(self) -> timedelta:
        """How far back it sees rows, by their `TimeGenerated`."""
        return duration(self.raw["queryPeriod"])

    def title(self, row: Mapping[str, Any]) -> str:
        """The alert's title for a row of the result."""
        form = self.raw.get("alertDetailsOverride", {}).get("alertDisplayNameFormat", self.name)
        return _PLACEHOLDER.sub(lambda match: str(row[match[1]]), form)

    def severity_of(self, row: Mapping[str, Any]) -> str:
        """The alert's severity for a row of the result."""
        column = self.raw.get("alertDetailsOverride", {}).get("alertSeverityColumnName")
        return str(row[column]) if column else self.severity


@dataclass(frozen=True)
class Parser(Content):
    """A stored function."""

    @property
    def name(self) -> str:
        """What queries call it by."""
        return str(self.raw["FunctionAlias"])

    @property
    def query(self) -> str:
        """Its body."""
        return str(self.raw["FunctionQuery"])


@dataclass(frozen=True)
class Query:
    """KQL from elsewhere than a YAML file; `name` says where it stands."""

    name: str
    text: str


def rules(root: Path = ROOT) -> list[Rule]:
    """The analytics rules, by file name."""
    return [Rule(path, raw) for path, raw in _read(root / RULES)]


def hunting_queries(root: Path = ROOT) -> list[HuntingQuery]:
    """The hunting queries, by file name."""
    return [HuntingQuery(path, raw) for path, raw in _read(root / HUNTING)]


def parsers(root: Path = ROOT) -> list[Parser]:
    """The stored functions, by file name."""
    return [Parser(path, raw) for path, raw in _read(root / PARSERS)]


def other_queries(root: Path = ROOT) -> list[Query]:
    """The queries of the workbooks and the connector page, a workbook's parameters filled in."""
    return [
        Query(f"{path.relative_to(root)} {place}", text)
        for folder in ("workbooks", "connector_page")
        for path in sorted((root / folder).glob("*.json"))
        for place, text in _queries_in(json.loads(path.read_text(encoding="utf-8")))
    ]


def duration(text: str) -> timedelta:
    """The span that `5m`, `1h` or `14d` stands for.

    Raises:
        ValueError: The text is of another form.
    """
    match = re.fullmatch(r"(\d+)([mhd])", text)
    if match is None:
        raise ValueError(f"{text!r} is no duration such as 5m, 1h or 14d.")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _read(folder: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    for path in sorted(folder.glob("*.yaml")):
        yield path, yaml.safe_load(path.read_text(encoding="utf-8"))


_KQL_KEYS = {"query", "baseQuery", "lastDataReceivedQuery"}
_LISTS_OF_KQL = {"connectivityCriterias": "value", "connectivityCriteria": "value"}


def _queries_in(node: Any, place: str = "", name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the place and the text of each query in a JSON document."""
    if isinstance(node, dict):
        own = str(node.get("name") or node.get("id") or node.get("metricName") or name)
        for key, value in node.items():
            if key in _KQL_KEYS and isinstance(value, str) and value.strip():
                yield f"{own}:{key}", with_parameters(value)
            elif key in _LISTS_OF_KQL:
                yield from ((f"{key}[{n}]", text) for n, text in enumerate(_values(value)))
            else:
                yield from _queries_in(value, place, own)
    elif isinstance(node, list):
        for value in node:
            yield from _queries_in(value, place, name)


def _values(criteria: Any) -> Iterator[str]:
    for criterion in criteria if isinstance(criteria, list) else []:
        yield from criterion.get("value", [])


_BOUNDS = {"TimeRange:start": "ago(7d)", "TimeRange:end": "now()", "TimeRange:grain": "1h"}


def with_parameters(text: str) -> str:
    """A workbook's query with values in place of its parameters: the last week, and every account or user."""
    for name, value in _BOUNDS.items():
        text = text.replace("{" + name + "}", value)
    text = re.sub(r"\{TimeRange(:\w+)?\}", "> ago(7d)", text)
    return re.sub(r"\{[A-Z]\w*(:\w+)?\}", "'*'", text)
