import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.world import LOG_TYPE, ROOT
from shared import health
from shared.ingestion.columns import EVENT_FIELDS, TABLES, Field, Kind, table_columns
from shared.ingestion.schema import stream_declarations, table_schema, transformation
from tests.shared.roads import Road, data_collector_road, logs_ingestion_road, recent
from tests.support import EVENT, make_event

SUPPORTED = {"source", "extend", "project", "toguid", "iif", "strlen", "isnull", "now"}
"""What the transformations use of Microsoft's list for Azure Monitor."""
SAMPLES = [
    orjson.loads(line)
    for name in ("real", "synthetic")
    for line in (ROOT / f"sandbox/organization/samples/{name}.ndjson").read_bytes().splitlines()
]
GUID = "7d444840-9dc0-11d1-b245-5ffdce74fad2"
IDENTIFIERS = [field.name for field in EVENT_FIELDS if field.kind is Kind.IDENTIFIER]
EVERY_COLUMN = [
    make_event(**dict.fromkeys(IDENTIFIERS, GUID), extra=1),
    make_event(**dict.fromkeys(IDENTIFIERS, "masked")),
]
"""Two events that between them have a value for every column, as a table in use has."""

NODE = shutil.which("node", path=f"{ROOT / '.venv/bin'}{os.pathsep}{os.environ['PATH']}")
ANALYSIS = """
const fs = require("fs"), folder = process.argv[1];
require(folder + "/bridge.min.js");
require(folder + "/Kusto.Language.Bridge.min.js");
const S = Kusto.Language.Symbols, none = Kusto.Language.GlobalState.Default;
const items = list => Array.from({length: list.Count}, (_, i) => list.getItem(i));
const bound = ({schema, kql}) => {
  const database = new S.DatabaseSymbol.$ctor1("db", [new S.TableSymbol.$ctor7("source", schema, null)]);
  const code = Kusto.Language.KustoCode.ParseAndAnalyze(kql, none.WithDatabase(database));
  return {
    faults: items(code.GetDiagnostics()).map(fault => fault.Message),
    columns: Object.fromEntries(items(code.ResultType.Columns).map(c => [c.Name, c.Type.Name])),
  };
};
console.log(JSON.stringify(JSON.parse(fs.readFileSync(0)).map(bound)));
"""
"""Has Microsoft's own KQL library bind transformations to the columns of their streams."""


@pytest.fixture(scope="module")
def roads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Road, Road]]:
    """Both roads, to tables that have all of their columns."""
    folder = tmp_path_factory.mktemp("roads")
    both = data_collector_road(folder), logs_ingestion_road(folder)
    for road in both:
        road.deliver(*EVERY_COLUMN)
    yield both
    for road in both:
        road.workspace.close()
        vars(
            road
        ).clear()  # hypothesis holds on to the roads, and DuckDB complains at exit about what is held


def stream_columns(suffix: str) -> dict[str, str]:
    """The types of a stream's columns."""
    stream = stream_declarations(LOG_TYPE)[f"Custom-{LOG_TYPE}{suffix}_CL"]
    return {column["name"]: column["type"] for column in stream["columns"]}


@pytest.mark.parametrize("suffix", TABLES)
def test_a_stream_has_the_fields_of_the_rows(suffix: str) -> None:
    """Streams are declared under the tables' names, with the types that a rule knows."""
    columns = stream_columns(suffix)

    assert [field.name for field in TABLES[suffix]] == list(columns)
    assert {"string", "datetime", "real", "boolean"} >= set(columns.values())


def test_guids_are_strings_in_a_stream() -> None:
    """A stream has no GUIDs: identifiers are declared as strings."""
    columns = stream_columns("")

    assert ("string", "datetime", "real", "boolean") == (
        columns["eventId"],
        columns["timestamp"],
        columns["latitude"],
        columns["isUserMemberOfDomain"],
    )


@pytest.mark.parametrize("suffix", TABLES)
def test_a_table_has_the_columns_of_the_fields(suffix: str) -> None:
    """The template's table has the same columns, by the resource provider's names of the types."""
    schema = {column["name"]: column["type"] for column in table_schema(LOG_TYPE, suffix)}

    assert list(table_columns(TABLES[suffix])) == list(schema)
    assert {"string", "dateTime", "real", "boolean", "guid"} >= set(schema.values())
    assert "dateTime" == schema["TimeGenerated"]


@pytest.mark.parametrize("suffix", TABLES)
def test_names_are_within_azures_rules(suffix: str) -> None:
    """Columns have at most 45 characters, begin with a letter, and are none of the reserved ones."""
    reserved = {"id", "_ResourceId", "_SubscriptionId", "TenantId", "Type", "UniqueId", "Title"}
    names = {column["name"] for column in table_schema(LOG_TYPE, suffix)}

    assert [] == [name for name in names if not re.fullmatch(r"[A-Za-z]\w{0,44}", name)]
    assert set() == names & reserved


@pytest.mark.parametrize("fields", TABLES.values(), ids=TABLES)
def test_a_transformation_uses_what_azure_supports(fields: tuple[Field, ...]) -> None:
    """Besides columns there is nothing in it that Microsoft's page does not list."""
    text = re.sub(r'"[^"]*"', "", transformation(fields))
    columns = {field.name for field in fields} | set(table_columns(fields))

    assert set() == set(re.findall(r"[A-Za-z]\w*", text)) - columns - SUPPORTED


def test_microsofts_parser_binds_the_transformations() -> None:
    """Microsoft's KQL library finds no fault, and each result has its table's columns and types."""
    questions = []
    for suffix, fields in TABLES.items():
        columns = ", ".join(f"{name}: {kind}" for name, kind in stream_columns(suffix).items())
        questions.append({"schema": f"({columns.replace('boolean', 'bool')})", "kql": transformation(fields)})
    done = subprocess.run(
        [str(NODE), "-e", ANALYSIS, str(ROOT / "node_modules/@kusto/language-service-next")],
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        check=True,
    )

    assert [{"faults": [], "columns": table_columns(fields)} for fields in TABLES.values()] == json.loads(
        done.stdout
    )


@pytest.mark.parametrize("event", SAMPLES, ids=range(len(SAMPLES)))
def test_both_roads_give_the_same_row_for_a_sample(roads: tuple[Road, Road], event: dict[str, Any]) -> None:
    """Columns, types and values are the same, whichever road an event took."""
    both = []
    for road in roads:
        road.deliver(event)
        both.append(road.rows()[-1])

    assert both[0] == both[1]
    assert [type(value) for value in both[0].values()] == [type(both[1][name]) for name in both[0]]


@pytest.mark.parametrize("hours", [1, 47.9, 48.1, -1])
def test_both_roads_give_the_same_time(roads: tuple[Road, Road], hours: float) -> None:
    """Event time, or the time of arrival for what is old or in the future; the event's own stays beside it."""
    event = make_event(timestamp=recent(hours))
    for road in roads:
        road.deliver(event)
    classic, rule = (road.rows()[-1] for road in roads)
    times = classic["TimeGenerated"], classic["timestamp_t"]

    assert times == (rule["TimeGenerated"], rule["timestamp_t"])
    assert (0 <= hours < 48) == (times[0] == times[1])


def test_both_roads_give_every_column(roads: tuple[Road, Road]) -> None:
    """The columns of the tables are those that the schema promises, on either road."""
    promised = table_columns(TABLES[""]) | {"Type": "string"}
    classic, rule = (road.workspace.columns(f"{LOG_TYPE}_CL") for road in roads)

    assert promised == rule
    assert promised == classic


def test_both_roads_give_the_same_health_row(roads: tuple[Road, Road]) -> None:
    """A run's report has the same columns on either road, and the time of arrival."""
    figures = health.Figures(
        runId=EVENT["eventId"],
        outcome="caught-up",
        pages=2,
        events=3,
        batches=2,
        retries=0,
        deadLetters=0,
        durationSeconds=1.5,
        lagSeconds=0.0,
        error="a note",
        api="v3",
        ingestion="either",
    )
    for road in roads:
        health.report(figures, road.ingestion, LOG_TYPE)
    classic, rule = (road.rows(f"{LOG_TYPE}Health_CL")[-1] for road in roads)

    assert classic == rule
    assert {"TimeGenerated", "Type", "runId_g", "pages_d", "error_s"} <= set(rule)


TEXTS = st.text(st.characters(exclude_characters="\0"), max_size=20) | st.sampled_from(
    [
        GUID,
        GUID.upper(),
        GUID.replace("-", ""),
        f"{{{GUID}}}",
        f"{GUID[:-1]}-",
        f"QTES-{GUID}",
        "x" * 36,
        "2026-11-20T02:10:05Z",
        "2026-11-20",
        "true",
        "1.5",
        "[]",
        '{"a": 1}',
        "ä" * 10_000,
    ]
)
LEAVES = (
    TEXTS
    | st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
)
VALUES = LEAVES | st.dictionaries(TEXTS, LEAVES, max_size=2) | st.lists(LEAVES, max_size=2)
NAMES = st.sampled_from([*(field.name for field in EVENT_FIELDS), "ipAddressLocation", "new"])
ODD_EVENTS = st.lists(st.dictionaries(NAMES, VALUES, max_size=12) | LEAVES, min_size=1, max_size=12)


@given(ODD_EVENTS)
@settings(max_examples=40)
def test_both_roads_give_the_same_rows_for_odd_events(roads: tuple[Road, Road], events: list[Any]) -> None:
    """Whatever an event holds, in whichever field: the rows are the same."""
    both = []
    for road in roads:
        before = len(road.rows())
        road.deliver(*events)
        both.append(road.rows()[before:])

    assert both[0] == both[1]
    assert len(events) == len(both[0])


def test_an_identifier_is_in_one_of_two_columns(tmp_path: Path) -> None:
    """A GUID is a GUID; what only resembles one stays text, as the Data Collector API has it."""
    road = logs_ingestion_road(tmp_path)
    road.deliver(make_event(), make_event(userId=GUID.replace("-", "")), make_event(userId="masked"))
    rows = [(row.get("userId_g"), row.get("userId_s")) for row in road.rows()]
    road.workspace.close()

    assert [(EVENT["userId"], None), (None, GUID.replace("-", "")), (None, "masked")] == rows
