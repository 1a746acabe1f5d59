from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from sandbox.content.harness import Bench
from sandbox.content.load import Rule, rules
from sandbox.content.samples import BEGIN, Scenario, raised, scenarios

SAMPLES = Path(__file__).parent / "samples"
RULES = {rule.path.stem: rule for rule in rules()}
CASES = [
    pytest.param(rule, scenario, id=f"{name}-{scenario.name}")
    for name, rule in RULES.items()
    for scenario in scenarios(SAMPLES / f"{name}.yaml")
]


@pytest.fixture(scope="module")
def shared_bench() -> Iterator[Bench]:
    """One workspace for all scenarios: binding the parser to new columns is what takes long."""
    with Bench() as bench:
        yield bench


@pytest.fixture
def bench(shared_bench: Bench) -> Bench:
    """A workspace without rows."""
    shared_bench.empty()
    return shared_bench


@pytest.mark.parametrize(("rule", "scenario"), CASES)
def test_scenario(bench: Bench, rule: Rule, scenario: Scenario) -> None:
    """A rule raises the alerts of each of its samples, with their user and place, and no others."""
    found = raised(bench, rule, scenario)

    assert scenario.alerts == len(found), [incident.what for incident in found]
    for incident in found[:1]:
        assert scenario.expect == {name: incident.row[name] for name in scenario.expect}
        assert "{{" not in incident.what
        assert len(incident.what) <= 256


@pytest.mark.parametrize("name", RULES)
def test_samples_fire_and_do_not(name: str) -> None:
    """Every rule has samples of both kinds, and one of those that fire names what the entities hold."""
    rule, cases = RULES[name], list(scenarios(SAMPLES / f"{name}.yaml"))
    entities = {field["columnName"] for entity in rule.entities() for field in entity["fieldMappings"]}

    assert {True, False} == {case.fires for case in cases}
    assert entities <= {column for case in cases for column in case.expect}


def test_before_the_first_event() -> None:
    """Every rule runs, and raises nothing, in a workspace without tables."""
    with Bench() as bench:
        assert {name: [] for name in RULES} == {name: bench.run(rule, BEGIN) for name, rule in RULES.items()}


def test_after_one_small_event() -> None:
    """Every rule runs, and raises nothing, when the table has only the columns of one small event."""
    with Bench() as bench:
        bench.arrive([{"object": "Envelope"}], BEGIN)
        later = BEGIN + timedelta(minutes=6)

        assert {name: [] for name in RULES} == {name: bench.run(rule, later) for name, rule in RULES.items()}
