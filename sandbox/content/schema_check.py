"""Checks the content's YAML against the schemas of Microsoft's repository, in the words of a reviewer.

A query's columns come from Microsoft's parser (`kusto_check`), so that a mapping of a column that the query does not
have is found before the portal refuses it.
"""

import re
import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sandbox.content.attack import TACTICS
from sandbox.content.load import Content, HuntingQuery, Parser, Rule, duration


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


RULE_KEYS = _words(
    "id name description severity requiredDataConnectors queryFrequency queryPeriod triggerOperator "
    "triggerThreshold tactics relevantTechniques query entityMappings customDetails alertDetailsOverride "
    "eventGroupingSettings version kind"
)
HUNTING_KEYS = _words(
    "id name description requiredDataConnectors tactics relevantTechniques query entityMappings version"
)
PARSER_KEYS = _words("id Function Category FunctionName FunctionAlias FunctionQuery")

SECTIONS = ("What to do first:", "False positives:", "Tuning:")
"""What a rule's description has after its first paragraph; `docs/detections.md` is made from them."""

IDENTIFIERS: Mapping[str, frozenset[str]] = {
    "Account": frozenset(
        _words(
            "Name FullName NTDomain DnsDomain UPNSuffix Sid AadTenantId AadUserId PUID IsDomainJoined "
            "DisplayName ObjectGuid"
        )
    ),
    "IP": frozenset({"Address", "AddressScope"}),
    "CloudApplication": frozenset({"AppId", "Name", "InstanceName"}),
    "URL": frozenset({"Url"}),
    "Mailbox": frozenset({"MailboxPrimaryAddress", "DisplayName", "Upn"}),
}

_SHORTEST, _LONGEST, _TWO_DAYS, _HOUR = (
    timedelta(minutes=5),
    timedelta(days=14),
    timedelta(days=2),
    timedelta(hours=1),
)
_LIMITS = {"name": 256, "description": 5000, "query": 10_000}
_DETAIL = re.compile(r"[A-Za-z]{1,20}")
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_PLACEHOLDER = re.compile(r"\{\{.*?\}\}")
_CHOICES = {
    "severity": {"Informational", "Low", "Medium", "High"},
    "triggerOperator": {"gt", "lt", "eq", "ne"},
    "kind": {"Scheduled"},
}
_MOST_DETAILS, _MOST_PLACEHOLDERS, _MOST_ENTITIES, _MOST_FIELDS = 20, 3, 10, 3


def rule_faults(rule: Rule, columns: Collection[str]) -> list[str]:
    """Return what is wrong with a rule, whose query gives these columns."""
    return [
        *_keys(rule, RULE_KEYS, RULE_KEYS),
        *_query_faults(rule, columns),
        *_choices(rule.raw),
        *_times(rule),
        *_details(rule.raw["customDetails"]),
        *_override(rule.raw["alertDetailsOverride"]),
        *_sections(rule.description),
    ]


def hunting_faults(hunting: HuntingQuery, columns: Collection[str]) -> list[str]:
    """Return what is wrong with a hunting query, whose query gives these columns."""
    return [*_keys(hunting, HUNTING_KEYS, HUNTING_KEYS), *_query_faults(hunting, columns)]


def parser_faults(parser: Parser) -> list[str]:
    """Return what is wrong with a parser."""
    function = parser.raw.get("Function", {})
    faults = [*_keys(parser, PARSER_KEYS, PARSER_KEYS), *_common(parser)]
    if list(function) != ["Title", "Version", "LastUpdated"]:
        faults.append("Function has not just Title, Version and LastUpdated, in this order")
    if not _VERSION.fullmatch(str(function.get("Version"))):
        faults.append("Function.Version is not of the form 1.0.0")
    names = {parser.raw.get("FunctionName"), parser.name, parser.path.stem}
    if len(names) > 1:
        faults.append(f"file, FunctionName and FunctionAlias differ: {sorted(map(str, names))}")
    return faults


def repeated_ids(contents: Iterable[Content]) -> list[str]:
    """Return the ids that occur more than once."""
    return [one for one, count in Counter(content.id.lower() for content in contents).items() if count > 1]


def _keys(content: Content, order: Sequence[str], required: Iterable[str]) -> Iterator[str]:
    keys = list(content.raw)
    for missing in (key for key in required if key not in keys):
        yield f"{missing} is missing"
    for unknown in (key for key in keys if key not in order):
        yield f"{unknown} is no key of this kind"
    if keys != sorted(keys, key=lambda key: order.index(key) if key in order else len(order)):
        yield f"the keys are not in the order {', '.join(order)}"


def _common(content: Content) -> Iterator[str]:
    try:
        uuid.UUID(content.id)
    except ValueError:
        yield f"id {content.id!r} is no GUID"
    text = content.path.read_text(encoding="utf-8")
    if re.search(r"(?<!Microsoft )\bSentinel\b", text):
        yield 'it says "Sentinel" without "Microsoft"'
    if not re.fullmatch(r"[A-Z][A-Za-z0-9]+", content.path.stem):
        yield "the file's name is not in PascalCase"


def _query_faults(content: HuntingQuery, columns: Collection[str]) -> Iterator[str]:
    yield from _common(content)
    for key, limit in _LIMITS.items():
        if not 0 < len(str(content.raw[key])) <= limit:
            yield f"{key} is empty or has more than {limit} characters"
    for required in content.raw["requiredDataConnectors"]:
        if list(required) != ["connectorId", "dataTypes"] or not required["dataTypes"]:
            yield "requiredDataConnectors needs connectorId and dataTypes"
    if not _VERSION.fullmatch(str(content.raw["version"])):
        yield "version is not of the form 1.0.0"
    if missing := content.columns() - set(columns):
        yield f"the query does not give {', '.join(sorted(missing))}"
    if re.search(r"\bDocuSign\w*_CL\b", content.query):
        yield "the query reads a table: only the parsers work before the table exists"
    yield from _attack(content.raw["tactics"], content.raw["relevantTechniques"])
    yield from _entities(content.entities())


def _attack(tactics: Sequence[str], techniques: Sequence[str]) -> Iterator[str]:
    for technique in techniques:
        if technique not in TACTICS:
            yield f"{technique} is not in sandbox/content/attack.py"
        elif not set(TACTICS[technique]) & set(tactics):
            yield f"{technique} belongs to none of {', '.join(tactics)}"
    if not tactics or not techniques:
        yield "a tactic and a technique are needed"
    known = {tactic for group in TACTICS.values() for tactic in group}
    yield from (f"{tactic} is no known tactic" for tactic in tactics if tactic not in known)


def _entities(entities: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not 1 <= len(entities) <= _MOST_ENTITIES:
        yield f"there are {len(entities)} entity mappings, and 1 to {_MOST_ENTITIES} are allowed"
    for entity in entities:
        kind, fields = entity["entityType"], entity["fieldMappings"]
        if not 1 <= len(fields) <= _MOST_FIELDS:
            yield f"{kind} has {len(fields)} fields, and 1 to {_MOST_FIELDS} are allowed"
        for field in fields:
            if field["identifier"] not in IDENTIFIERS.get(kind, ()):
                yield f"{field['identifier']} does not identify an entity {kind}"


def _choices(raw: Mapping[str, Any]) -> Iterator[str]:
    for key, allowed in _CHOICES.items():
        if raw[key] not in allowed:
            yield f"{key} is {raw[key]!r}, and not one of {', '.join(sorted(allowed))}"
    if raw["eventGroupingSettings"].get("aggregationKind") not in {"SingleAlert", "AlertPerResult"}:
        yield "aggregationKind is not SingleAlert or AlertPerResult"
    if not isinstance(raw["triggerThreshold"], int):
        yield "triggerThreshold is no whole number"


def _times(rule: Rule) -> Iterator[str]:
    for name, span in (("queryFrequency", rule.frequency), ("queryPeriod", rule.period)):
        if not _SHORTEST <= span <= _LONGEST:
            yield f"{name} is not within 5m and 14d"
    if rule.period < rule.frequency:
        yield "queryPeriod is shorter than queryFrequency"
    if rule.period >= _TWO_DAYS and rule.frequency < _HOUR:
        yield "queryPeriod of 2d or more needs a queryFrequency of 1h or more"
    named = re.findall(r"let Frequency = (\w+);", rule.query)
    if [duration(text) for text in named] != [rule.frequency]:
        yield "`let Frequency` in the query is not queryFrequency"


def _details(details: Mapping[str, str]) -> Iterator[str]:
    if len(details) > _MOST_DETAILS:
        yield f"there are more than {_MOST_DETAILS} custom details"
    yield from (
        f"the custom detail {key} is not 1 to 20 letters" for key in details if not _DETAIL.fullmatch(key)
    )


def _override(override: Mapping[str, str]) -> Iterator[str]:
    for key in ("alertDisplayNameFormat", "alertDescriptionFormat"):
        found = len(_PLACEHOLDER.findall(str(override.get(key, ""))))
        if not 1 <= found <= _MOST_PLACEHOLDERS:
            yield f"{key} has {found} placeholders, and 1 to {_MOST_PLACEHOLDERS} are allowed"


def _sections(description: str) -> Iterator[str]:
    found = [
        start for paragraph in description.split("\n\n") for start in SECTIONS if paragraph.startswith(start)
    ]
    if found != list(SECTIONS):
        yield f"the description has not just the sections {', '.join(SECTIONS)} in this order"
