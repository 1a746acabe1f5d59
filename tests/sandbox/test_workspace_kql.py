from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from sandbox.web import Request, Response
from sandbox.workspace.kql import QueryError, query, timespan
from sandbox.workspace.query_api import query_api
from sandbox.workspace.store import Workspace

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
GUID = "7d444840-9dc0-11d1-b245-5ffdce74fad2"
PARSER = """
union isfuzzy=true (datatable(TimeGenerated:datetime)[]), DocuSignMonitor_CL
// column_ifexists("in a comment", "") is left alone
| extend EventId = coalesce(
    tostring(column_ifexists("eventId_g", "")), tostring(column_ifexists("eventId_s", ""))),
    Note = 'column_ifexists("in a string", 1)', Received = ingestion_time()
| summarize arg_max(TimeGenerated, *) by EventId
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace with the stored function DocuSignMonitor, and no table."""
    with Workspace(tmp_path / "w.duckdb", clock=lambda: NOW) as workspace:
        workspace.save_function("DocuSignMonitor", PARSER)
        yield workspace


@pytest.fixture
def filled(workspace: Workspace) -> Workspace:
    """The same with a table of three rows."""
    columns = {"user_s": "string", "n_d": "real", "data_s": "string", "id_g": "guid"}
    rows: list[dict[str, Any]] = [
        {"user_s": "ann", "n_d": 1, "data_s": '{"ids":["a","b"],"x":{"y":"deep"}}', "id_g": GUID},
        {"user_s": "ann", "n_d": 2},
        {"user_s": "Bob Stone", "TimeGenerated": "2026-02-01T00:00:00Z"},
    ]
    workspace.append("T_CL", columns, rows)
    return workspace


def values(workspace: Workspace, text: str, now: datetime = NOW) -> list[tuple[Any, ...]]:
    """The rows of the answer, in an order that does not depend on the query."""
    return sorted(query(workspace, text, now).rows, key=repr)


def add(workspace: Workspace, column: str, kind: str, *ids: str) -> None:
    """Add events that have nothing but an id."""
    workspace.append("DocuSignMonitor_CL", {column: kind}, [{column: i} for i in ids])


def test_parser_works_before_the_table_exists(workspace: Workspace) -> None:
    """A rule on the parser gives no rows, and no error, before the first event."""
    assert [] == values(workspace, "DocuSignMonitor | where EventId == 'x' | project TimeGenerated, EventId")
    assert [(0,)] == values(workspace, "DocuSignMonitor() | count")


@pytest.mark.parametrize(("column", "kind"), [("eventId_g", "guid"), ("eventId_s", "string")])
def test_parser_works_with_either_column(workspace: Workspace, column: str, kind: str) -> None:
    """An event counts once, whichever type its column has."""
    add(workspace, column, kind, GUID, GUID)

    assert [(GUID,)] == values(workspace, "DocuSignMonitor | project EventId")


def test_parser_works_with_both_columns(workspace: Workspace) -> None:
    """A column that appears later is seen by the next query."""
    add(workspace, "eventId_g", "guid", GUID)
    before = values(workspace, "DocuSignMonitor | project EventId")
    add(workspace, "eventId_s", "string", "not-a-guid", GUID)

    assert [(GUID,)] == before
    assert [(GUID,), ("not-a-guid",)] == values(workspace, "DocuSignMonitor | project EventId")


def test_strings_and_comments_are_left_alone(workspace: Workspace) -> None:
    """Only calls are resolved."""
    add(workspace, "eventId_g", "guid", GUID)

    assert [('column_ifexists("in a string", 1)',)] == values(workspace, "DocuSignMonitor | project Note")


def test_ingestion_time_is_the_moment_of_the_post(workspace: Workspace) -> None:
    """It can be kept in a column, and used on a table; the hidden column itself stays out of answers."""
    workspace.append("DocuSignMonitor_CL", {}, [{"TimeGenerated": "2026-02-28T00:00:00Z"}])

    assert [(NOW,)] == values(workspace, "DocuSignMonitor | project Received")
    assert [(1,)] == values(workspace, "DocuSignMonitor_CL | where ingestion_time() > ago(1h) | count")
    assert ["TimeGenerated", "Type"] == [n for n, _ in query(workspace, "DocuSignMonitor_CL").columns]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("T_CL | extend v = column_ifexists('user_s', 'no')", "ann"),
        ("T_CL | extend v = column_ifexists('USER_S', 'no')", "no"),
        ("T_CL | extend a = 'new' | extend v = column_ifexists('a', 'no')", "new"),
        ("T_CL | project-away user_s | extend v = column_ifexists('user_s', 'gone')", "gone"),
        ("T_CL | extend v = column_ifexists('no', column_ifexists('user_s', 'no'))", "ann"),
        ("T_CL | extend v = column_ifexists(\"no\", strcat('a)', ',', \"b\"))", "a),b"),
        ("let A = T_CL | extend q = 'let'; A | extend v = column_ifexists('q', 'no')", "let"),
        ("let A = T_CL | extend q = column_ifexists('user_s', ''); A | extend v = q", "ann"),
        (("T_CL | join kind=inner (T_CL | extend r = column_ifexists('no', 'r')) on n_d"
         " | extend v = strcat(column_ifexists('r', 'no'), column_ifexists('user_s1', 'no'))"), "rann"),
        (("union (datatable(k:string)['k']), (T_CL | where column_ifexists('no', 1) == 2)"
         " | extend v = column_ifexists('k', 'no')"), "k"),
    ],
)  # fmt: skip
def test_column_ifexists_sees_the_pipeline_before_it(workspace: Workspace, text: str, expected: str) -> None:
    """The columns are those that the operator is given, however the pipeline made them."""
    workspace.append("T_CL", {"user_s": "string", "n_d": "real"}, [{"user_s": "ann", "n_d": 1}])

    assert [(expected,)] == values(workspace, f"{text} | project v")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("print column_ifexists('a', 1)", "SemanticError"),
        ("T_CL | extend v = column_ifexists(user_s, 1)", "SemanticError"),
        ("T_CL | extend v = column_ifexists('user_s')", "SemanticError"),
        ("Missing_CL | extend v = column_ifexists('a', 1)", "SemanticError"),
        ("Missing_CL | count", "SemanticError"),
        ("T_CL | where missing == 1", "SemanticError"),
        ("T_CL | | count", "SyntaxError"),
        ("T_CL | mv-apply x = user_s on (take 1)", "Unsupported"),
        ("let f = (t:(user_s:string)) { t | count }; f(T_CL)", "Unsupported"),
        (".drop table T_CL", "Unsupported"),
    ],
)
def test_faults_have_a_code(filled: Workspace, text: str, code: str) -> None:
    """A wrong query is told from one that the sandbox cannot run."""
    with pytest.raises(QueryError) as caught:
        query(filled, text)

    assert code == caught.value.code


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("T_CL | where TimeGenerated > ago(1d) | count", [(2,)]),
        ("T_CL | where user_s has 'stone' and user_s =~ 'bob STONE' and user_s in~ ('BOB stone') | count", [(1,)]),
        (("T_CL | extend d = parse_json(data_s) | mv-expand i = d.ids to typeof(string) | where i != ''"
         " | project i, y = tostring(d.x.y)"), [("a", "deep"), ("b", "deep")]),
        (("T_CL | summarize n = dcount(user_s), c = countif(n_d > 1), p = percentile(n_d, 50),"
         " s = make_set(user_s) by bin(TimeGenerated, 1d) | where n == 1 and c == 1 | project s"), [(["ann"],)]),
        ("T_CL | summarize arg_max(n_d, *) by user_s | project n_d", [(2.0,), (None,)]),
        ("let m = materialize(T_CL | summarize n = count()); m | extend t = toscalar(m) | project n, t", [(3, 3)]),
        (("T_CL | where id_g == '7d444840-9dc0-11d1-b245-5ffdce74fad2' | project id_g, tostring(id_g),"
         " isnotempty(id_g)"), [(GUID, GUID, True)]),
        ("T_CL | top 1 by n_d desc | project iff(n_d == 2, 'two', ''), case(n_d > 5, 'a', 'b')", [("two", "b")]),
        ("T_CL | join kind=leftanti (T_CL | where user_s == 'ann') on user_s | project user_s", [("Bob Stone",)]),
        (("T_CL | lookup kind=leftouter (T_CL | where n_d == 2 | project user_s, two = 'y') on user_s"
         " | summarize countif(isempty(two))"), [(1,)]),
        ("T_CL | where n_d == 1 | join kind=inner (T_CL | where n_d == 2) on user_s | project n_d1", [(2.0,)]),
        (("print d = datetime_diff('hour', now(), datetime(2026-03-01 10:00)),"
         " f = format_datetime(now(), 'yyyy-MM-dd HH:mm')"), [(2, "2026-03-01 12:00")]),
        ("print km = round(6371 * acos(sin(radians(0)) * sin(0.0) + cos(0) * cos(pi())), 0)", [(20015.0,)]),
        ("print a = array_length(dynamic([1, 2])), b = coalesce('', 'b'), c = todouble('1.5')", [(2, "b", 1.5)]),
    ],
)  # fmt: skip
def test_what_rules_need_runs(filled: Workspace, text: str, expected: list[tuple[Any, ...]]) -> None:
    """The operators and functions that the content relies on give Kusto's answers."""
    assert expected == values(filled, text)


def test_now_is_whatever_the_caller_says(filled: Workspace) -> None:
    """Old data can be queried as of its own time."""
    text = "T_CL | where TimeGenerated between (ago(1h) .. now()) | project user_s, now()"

    assert [("Bob Stone", datetime(2026, 2, 1, 0, 30, tzinfo=UTC))] == values(
        filled, text, datetime(2026, 2, 1, 0, 30, tzinfo=UTC)
    )


def test_functions_call_functions_with_parameters(filled: Workspace) -> None:
    """A function may use another that is saved later; parameters and defaults work beside column_ifexists."""
    filled.save_function("Busy", "Of(who) | where n_d >= least | extend v = column_ifexists('q', who)",
                         "who:string, least:real = 2.0")  # fmt: skip
    filled.save_function(
        "Of", "T_CL | where user_s == name | extend q = column_ifexists('no', name)", "name:string"
    )

    assert [("ann",)] == values(filled, "Busy('ann') | project v")
    assert [(2,)] == values(filled, "Busy('ann', 1.0) | count")


def test_a_saved_function_replaces_the_old_one(filled: Workspace) -> None:
    """The next query sees the new body."""
    filled.save_function("F", "T_CL | count")
    first = values(filled, "F")
    filled.save_function("F", "T_CL | where user_s == 'ann' | count")

    assert ([(3,)], [(2,)]) == (first, values(filled, "F"))


def test_a_function_that_calls_itself_is_refused(filled: Workspace) -> None:
    """The error shows the circle."""
    filled.save_function("A", "B | take 1")
    filled.save_function("B", "A | take 1")

    with pytest.raises(QueryError, match="A > B > A"):
        query(filled, "A")


def test_a_function_that_does_not_parse_is_refused(workspace: Workspace) -> None:
    """The fault shows when the function is saved, not when it is used."""
    with pytest.raises(ValueError, match="does not parse"):
        workspace.save_function("F", "T_CL | | count")


def test_result_has_types_and_records(filled: Workspace) -> None:
    """Values come as Python's own types, and an outer join's missing string is empty as in Kusto."""
    text = (
        "T_CL | where n_d == 1 | project TimeGenerated, id_g, d = parse_json(data_s), since = now() - TimeGenerated"
        ", k = 'x'"
        " | join kind=leftouter (T_CL | project k = user_s, other = user_s) on k | project-away k, k1"
    )
    result = query(filled, text, NOW + timedelta(hours=1))

    assert [
        ("TimeGenerated", "datetime"), ("id_g", "guid"), ("d", "dynamic"), ("since", "timespan"), ("other", "string"),
    ] == result.columns  # fmt: skip
    assert [
        {
            "TimeGenerated": NOW,
            "id_g": GUID,
            "d": {"ids": ["a", "b"], "x": {"y": "deep"}},
            "since": timedelta(hours=1),
            "other": "",
        }
    ] == result.records()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(hours=1), "01:00:00"),
        (timedelta(days=2, seconds=61, microseconds=5), "2.00:01:01.0000050"),
        (-timedelta(seconds=1), "-00:00:01"),
    ],
)
def test_timespans_are_written_as_the_service_does(value: timedelta, text: str) -> None:
    """Days, a fraction and a sign show only where there are any."""
    assert text == timespan(value)


def ask(
    workspace: Workspace, body: bytes, path: str = "/v1/workspaces/w/query", method: str = "POST"
) -> Response:
    """The answer of the query API of workspace W."""
    return query_api(workspace, "W")(Request(method, "api.loganalytics.azure.com", path, {}, {}, body))


def test_query_api_answers_with_a_table(filled: Workspace) -> None:
    """The answer has the service's shape, with dynamic values as JSON text."""
    text = (
        "T_CL | where n_d == 1 | project TimeGenerated, n_d, id_g, d = parse_json(data_s).ids,"
        " s = TimeGenerated - TimeGenerated, e = real(null)"
    )
    answer = ask(filled, orjson.dumps({"query": text}))

    assert 200 == answer.status
    assert {
        "tables": [
            {
                "name": "PrimaryResult",
                "columns": [
                    {"name": "TimeGenerated", "type": "datetime"},
                    {"name": "n_d", "type": "real"},
                    {"name": "id_g", "type": "guid"},
                    {"name": "d", "type": "dynamic"},
                    {"name": "s", "type": "timespan"},
                    {"name": "e", "type": "real"},
                ],
                "rows": [["2026-03-01T12:00:00Z", 1.0, GUID, '["a","b"]', "00:00:00", None]],
            }
        ]
    } == orjson.loads(answer.body)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"query":1}'])
def test_query_api_refuses_a_body_without_a_query(filled: Workspace, body: bytes) -> None:
    """A body of another shape is a bad argument."""
    answer = ask(filled, body)

    assert (400, "BadArgumentError") == (answer.status, orjson.loads(answer.body)["error"]["code"])


def test_query_api_tells_the_fault_of_a_query(filled: Workspace) -> None:
    """The inner error says what kind of fault it is."""
    answer = ask(filled, b'{"query":"T_CL | | count"}')

    assert (400, "SyntaxError") == (answer.status, orjson.loads(answer.body)["error"]["innererror"]["code"])


def test_query_api_knows_one_path_and_one_method(filled: Workspace) -> None:
    """Another workspace and another method are refused."""
    assert 404 == ask(filled, b"{}", path="/v1/workspaces/other/query").status
    assert 405 == ask(filled, b"{}", method="GET").status
