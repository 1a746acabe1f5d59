import re
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from sandbox.content.harness import Bench
from sandbox.content.kusto_check import SCHEMAS, check_all
from sandbox.content.load import HuntingQuery, hunting_queries, rules
from sandbox.content.samples import BEGIN, Scenario, play, scenarios
from sandbox.content.schema_check import hunting_faults

SAMPLES = Path(__file__).parent / "hunting_samples"
QUERIES = {query.path.stem: query for query in hunting_queries()}
CASES = [
    pytest.param(query, scenario, id=f"{name}-{scenario.name}")
    for name, query in QUERIES.items()
    for scenario in scenarios(SAMPLES / f"{name}.yaml")
]
CUT_AT = 40_000


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


@pytest.mark.parametrize(("query", "scenario"), CASES)
def test_scenario(bench: Bench, query: HuntingQuery, scenario: Scenario) -> None:
    """A query finds what is in each of its samples, the most telling row first, and nothing in a near miss."""
    found = [{name: _in_order(value) for name, value in row.items()} for row in play(bench, query, scenario)]

    assert scenario.alerts == len(found), found
    for row in found[:1]:
        assert scenario.expect == {name: row[name] for name in scenario.expect}


def _in_order(value: object) -> object:
    return sorted(value, key=str) if isinstance(value, list) else value


def test_a_cut_event_is_odd(bench: Bench) -> None:
    """A value over the limit of a field is named, with the event that it was cut from."""
    bench.arrive([{"eventId": "e", "object": "Envelope", "userAgent": "x" * CUT_AT}], BEGIN)
    found = bench.run(QUERIES["OddEvents"], BEGIN)

    assert [("e", "cut", "userAgent")] == [(row["EventId"], row["Oddity"], row["Cut"]) for row in found]


@pytest.mark.parametrize("name", QUERIES)
def test_samples_fire_and_do_not(name: str) -> None:
    """Every query has samples of both kinds, and one of those that fire names what the entities hold."""
    query, cases = QUERIES[name], list(scenarios(SAMPLES / f"{name}.yaml"))
    entities = {field["columnName"] for entity in query.entities() for field in entity["fieldMappings"]}

    assert {True, False} == {case.fires for case in cases}
    assert entities <= {column for case in cases for column in case.expect}


def test_there_are_no_samples_without_a_query() -> None:
    """A sample file belongs to a query."""
    assert set(QUERIES) == {path.stem for path in SAMPLES.glob("*.yaml")}


def test_an_analyst_has_enough_to_choose_from() -> None:
    """There are at least ten queries, and no two contents share an id or a name."""
    contents = [*QUERIES.values(), *rules()]

    assert len(QUERIES) >= 10
    assert len(contents) == len({UUID(content.id) for content in contents})
    assert len(contents) == len({content.name for content in contents})


@pytest.mark.parametrize("name", QUERIES)
def test_form(name: str) -> None:
    """A query tells an analyst what it lists, what to look for, how far back it looks, and what is only noise."""
    query = QUERIES[name]

    assert query.name.startswith("DocuSign: ")
    assert "What to look for:" in query.description
    assert re.search(r"Time range: \d+ days\.", query.description)
    assert "Noise:" in query.description


@pytest.mark.parametrize("name", QUERIES)
def test_time_range_covers_the_history(name: str) -> None:
    """The time range that the description names is as long as the query looks back."""
    query = QUERIES[name]
    days = re.search(r"Time range: (\d+) days\.", query.description)
    history = re.search(r"let History = (\d+)d;", query.query)

    assert days is not None
    assert history is not None
    assert days[1] == history[1]


def test_no_query_reads_a_table() -> None:
    """The functions are the only thing that is read: a table may not exist yet, or lack a column."""
    assert [] == [name for name, query in QUERIES.items() if "_CL" in query.query]


def test_microsofts_parser_accepts_every_query() -> None:
    """Every query is right before the first event, after a small one and later, and its file is of Microsoft's form."""
    for verdicts in check_all(SCHEMAS, [query.query for query in QUERIES.values()]).values():
        for query, verdict in zip(QUERIES.values(), verdicts, strict=True):
            assert [] == verdict.errors, query.path.stem
            assert [] == hunting_faults(query, verdict.columns), query.path.stem


def test_before_the_first_event() -> None:
    """Every query runs, and finds nothing, in a workspace without tables."""
    with Bench() as bench:
        assert {name: [] for name in QUERIES} == {n: bench.run(query, BEGIN) for n, query in QUERIES.items()}


def test_after_one_small_event() -> None:
    """Every query runs when the table has only the columns of one small event."""
    small = {"eventId": "e", "timestamp": BEGIN.isoformat(), "object": "Envelope"}
    with Bench() as bench:
        bench.arrive([small], BEGIN)

        assert {name: [] for name in QUERIES} == {n: bench.run(query, BEGIN) for n, query in QUERIES.items()}
