from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.content import kusto_check
from sandbox.content.load import HuntingQuery, Rule, duration, hunting_queries, parsers, rules
from sandbox.content.schema_check import hunting_faults, parser_faults, repeated_ids, rule_faults
from shared.ingestion.columns import TABLES

RULES = {rule.path.stem: rule for rule in rules()}
HUNTING = {query.path.stem: query for query in hunting_queries()}
PARSERS = {parser.path.stem: parser for parser in parsers()}
RULE = RULES["FailedLogins"]


@pytest.fixture(scope="module")
def columns() -> Mapping[str, dict[str, str]]:
    """The columns of each rule and hunting query, by Microsoft's parser."""
    contents: dict[str, HuntingQuery] = {**RULES, **HUNTING}
    verdicts = kusto_check.check([content.query for content in contents.values()], kusto_check.FULL)
    return {name: verdict.columns for name, verdict in zip(contents, verdicts, strict=True)}


@pytest.mark.parametrize("name", RULES)
def test_rule(name: str, columns: Mapping[str, dict[str, str]]) -> None:
    """Every rule keeps to the schema."""
    assert [] == rule_faults(RULES[name], columns[name])


@pytest.mark.parametrize("name", HUNTING)
def test_hunting_query(name: str, columns: Mapping[str, dict[str, str]]) -> None:
    """Every hunting query keeps to the schema."""
    assert [] == hunting_faults(HUNTING[name], columns[name])


@pytest.mark.parametrize("name", PARSERS)
def test_parser(name: str) -> None:
    """Every parser keeps to the schema."""
    assert [] == parser_faults(PARSERS[name])


def test_ids_are_unique() -> None:
    """No two files have one id."""
    assert [] == repeated_ids([*RULES.values(), *HUNTING.values(), *PARSERS.values()])


def test_there_are_the_rules_that_were_asked_for() -> None:
    """Nothing was lost on the way."""
    assert 23 == len(RULES)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"id": "1"}, "id '1' is no GUID"),
        ({"severity": "Critical"}, "severity is 'Critical'"),
        ({"queryPeriod": "3d", "queryFrequency": "5m"}, "needs a queryFrequency of 1h or more"),
        ({"queryFrequency": "10m"}, "is not queryFrequency"),
        ({"queryPeriod": "4m"}, "is not within 5m and 14d"),
        ({"relevantTechniques": ["T1485"]}, "belongs to none of"),
        ({"relevantTechniques": ["T9999"]}, "is not in"),
        ({"entityMappings": []}, "there are 0 entity mappings"),
        ({"customDetails": {"With2": "User"}}, "is not 1 to 20 letters"),
        ({"customDetails": {"Nothing": "NoSuchColumn"}}, "does not give NoSuchColumn"),
        ({"description": "What?"}, "has not just the sections"),
        ({"version": "1"}, "version is not of the form"),
        ({"extra": 1}, "extra is no key"),
        ({"query": "let Frequency = 5m; DocuSignMonitor_CL"}, "reads a table"),
        ({"alertDetailsOverride": {"alertDisplayNameFormat": "{{a}}{{b}}{{c}}{{d}}"}}, "has 4 placeholders"),
    ],
)
def test_a_fault_is_found(changes: dict[str, Any], fault: str) -> None:
    """The check sees what is wrong, and does not just nod."""
    faults = rule_faults(Rule(RULE.path, dict(RULE.raw) | changes), RULE.columns())

    assert any(fault in found for found in faults), faults


def test_the_order_of_keys_counts() -> None:
    """Keys in another order are a fault."""
    turned = Rule(RULE.path, dict(reversed(list(RULE.raw.items()))))

    assert any("order" in found for found in rule_faults(turned, RULE.columns()))


@pytest.mark.parametrize("table", TABLES)
def test_parser_reads_every_column(table: str) -> None:
    """Each field of the connector's rows is in its parser, under every suffix that its kind has."""
    function = {"Users": "DocuSignUsers", "Accounts": "DocuSignAccounts"}.get(
        table, f"DocuSignMonitor{table}"
    )
    wanted = {column for field in TABLES[table] for column in field.columns}

    assert set() == {name for name in wanted if f'column_ifexists("{name}"' not in PARSERS[function].query}


@pytest.mark.parametrize(("text", "minutes"), [("5m", 5), ("2h", 120), ("1d", 1440)])
def test_duration(text: str, minutes: int) -> None:
    """Durations are read as the portal does."""
    assert timedelta(minutes=minutes) == duration(text)


def test_no_duration() -> None:
    """What is no duration is refused."""
    with pytest.raises(ValueError, match="no duration"):
        duration("PT5M")


def test_readme_is_about_the_rules() -> None:
    """The reasoning on time stands beside the rules."""
    assert "ArrivedAt" in Path(RULE.path.parent / "README.md").read_text(encoding="utf-8")
