import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import pytest

from sandbox.workspace.store import Workspace

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
GUID = "7d444840-9dc0-11d1-b245-5ffdce74fad2"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace whose clock stands still."""
    with Workspace(tmp_path / "workspace.duckdb", clock=lambda: NOW) as workspace:
        yield workspace


def stored(workspace: Workspace, columns: str, table: str = "T_CL") -> list[tuple[Any, ...]]:
    """What DuckDB holds in these columns."""
    with workspace.reader() as connection:
        return connection.execute(f"SELECT {columns} FROM {table}").fetchall()  # noqa: S608  the test's own text


def test_table_has_the_columns_of_its_rows(workspace: Workspace) -> None:
    """A table is made with its first rows and grows with later ones."""
    workspace.append("T_CL", {"a_s": "string"}, [{"a_s": "x"}])
    workspace.append("T_CL", {"b_d": "real", "c_g": "guid"}, [{"b_d": 1.5, "c_g": GUID}])

    assert ["T_CL"] == workspace.tables()
    assert {
        "TimeGenerated": "datetime",
        "Type": "string",
        "a_s": "string",
        "b_d": "real",
        "c_g": "guid",
    } == workspace.columns("T_CL")


def test_missing_strings_are_empty_and_other_values_null(workspace: Workspace) -> None:
    """A string is never null, whether its column came with the row or later."""
    workspace.append("T_CL", {"a_s": "string", "b_s": "string", "n_d": "real"}, [{"a_s": "x"}])
    workspace.append("T_CL", {"c_s": "string"}, [{"c_s": "y"}])

    assert [("x", "", "", None), ("", "", "y", None)] == stored(workspace, "a_s, b_s, c_s, n_d")


def test_system_columns_are_filled(workspace: Workspace) -> None:
    """A row without a time has the time of ingestion, and every row names its table."""
    workspace.append("T_CL", {}, [{}, {"TimeGenerated": "2026-02-01T00:00:00Z"}])

    assert [
        (NOW.replace(tzinfo=None), "T_CL", NOW.replace(tzinfo=None)),
        (datetime(2026, 2, 1), "T_CL", NOW.replace(tzinfo=None)),  # noqa: DTZ001  DuckDB's times have no zone
    ] == stored(workspace, "TimeGenerated, Type, _TimeReceived")


@pytest.mark.parametrize(
    "text",
    ["2026-02-01T10:00:00.1234567Z", "2026-02-01T12:00:00.123456+02:00", "2026-02-01T10:00:00.123456"],
)
def test_times_are_stored_in_utc(workspace: Workspace, text: str) -> None:
    """An offset is applied, a time without one is UTC, and a seventh digit is dropped."""
    workspace.append("T_CL", {"t_t": "datetime"}, [{"t_t": text}])

    assert [(datetime(2026, 2, 1, 10, 0, 0, 123456),)] == stored(workspace, "t_t")  # noqa: DTZ001  as above


@pytest.mark.parametrize("text", ["a\0b", "\u2028 é 😀 \n \\ \"' $path", "x" * 40_000])
def test_any_text_survives(workspace: Workspace, text: str) -> None:
    """Text comes back as it was written, with NUL, line separators, quotes and any length."""
    workspace.append("T_CL", {"a_s": "string"}, [{"a_s": text}])

    assert [(text,)] == stored(workspace, "a_s")


def test_a_row_larger_than_the_json_reader_allows_by_default(workspace: Workspace) -> None:
    """A row of 17 MB is stored: 500 columns of 32 KB come near that."""
    workspace.append("T_CL", {"a_s": "string"}, [{"a_s": "x" * (17 << 20)}])

    assert [(17 << 20,)] == stored(workspace, "length(a_s)")


@pytest.mark.parametrize("delta", range(-4, 3))
def test_no_row_is_lost_where_the_readers_buffer_ends(workspace: Workspace, delta: int) -> None:
    """Rows that just fill the buffer of DuckDB's reader arrive all: without a last newline, one was lost."""
    megabyte, line = 1 << 20, len('{"a_s":""}\n')
    rows = [{"a_s": "x" * (megabyte - line)} for _ in range(16)]
    rows[-1]["a_s"] = "x" * (megabyte - line + delta)
    workspace.append("T_CL", {"a_s": "string"}, rows)

    assert [(16,)] == stored(workspace, "count(*)")


def test_every_type_is_stored(workspace: Workspace) -> None:
    """Each KQL type has its DuckDB type."""
    columns = {"b": "bool", "l": "long", "i": "int", "g": "guid", "d": "dynamic"}
    workspace.append("T_CL", columns, [{"b": True, "l": 1 << 40, "i": 1, "g": GUID.upper(), "d": {"a": [1]}}])

    assert [(True, 1 << 40, 1, UUID(GUID), '{"a":[1]}')] == stored(workspace, "b, l, i, g, d")


@pytest.mark.parametrize(
    ("table", "columns", "fault"),
    [
        ("T;CL", {}, "no name"),
        ("t_cl", {}, "case only"),
        ("T_CL", {'a"': "string"}, "no name"),
        ("T_CL", {"A_S": "string"}, "case only"),
        ("T_CL", {"a_s": "real"}, "is a string, not a real"),
        ("T_CL", {"b": "text"}, "known are string"),
    ],
)
def test_bad_names_and_types_are_refused(
    workspace: Workspace, table: str, columns: dict[str, str], fault: str
) -> None:
    """A name or a type that cannot be stored changes nothing."""
    workspace.append("T_CL", {"a_s": "string"}, [{}])
    before = workspace.columns("T_CL")

    with pytest.raises(ValueError, match=fault):
        workspace.append(table, columns, [{}])

    assert (["T_CL"], before) == (workspace.tables(), workspace.columns("T_CL"))


def test_all_rows_or_none(workspace: Workspace) -> None:
    """A value that cannot be converted keeps its neighbours out too."""
    with pytest.raises(duckdb.Error):
        workspace.append("T_CL", {"g": "guid"}, [{"g": GUID}, {"g": "x"}])

    assert [] == stored(workspace, "g")


def test_no_rows_make_no_table(workspace: Workspace) -> None:
    """Nothing to add leaves everything as it is."""
    workspace.append("T_CL", {"a_s": "string"}, [])

    assert [] == workspace.tables()


def test_content_outlives_the_process(tmp_path: Path) -> None:
    """A closed workspace opens again with its rows and its types."""
    columns = {"a_s": "string", "b_b": "bool", "c_d": "real", "d_g": "guid", "e": "dynamic"}
    with Workspace(tmp_path / "w.duckdb") as first:
        first.append("T_CL", columns, [{"a_s": "x"}])
        expected = first.columns("T_CL")
    with Workspace(tmp_path / "w.duckdb") as second:
        second.append("T_CL", columns, [{"a_s": "y"}])

        assert expected == second.columns("T_CL")
        assert [("x",), ("y",)] == stored(second, "a_s")


def test_threads_may_write_and_read_at_once(workspace: Workspace) -> None:
    """Four writers of tables and columns lose nothing, while a reader looks on."""

    def write(writer: int) -> None:
        for number in range(5):
            workspace.append("T_CL", {f"w{writer}_{number}_d": "real"}, [{f"w{writer}_{number}_d": 1}])
            stored(workspace, "count(*)")

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [(20,)] == stored(workspace, "count(*)")
    assert 22 == len(workspace.columns("T_CL"))
