"""docs/operate.md and docs/settings.md, held against the code."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from operate.cli import cli
from sandbox.content.kusto_check import check
from sandbox.workspace.kql import query
from sandbox.workspace.store import Workspace
from scripts.settings_page import expected
from shared.settings import SETTINGS
from tests.operate.messages import messages, normalised

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/operate.md").read_text("utf-8")
TEXT = normalised(PAGE + (ROOT / "docs/settings.md").read_text("utf-8"))
QUERIES = re.findall(r"```kql\n(.*?)```", PAGE, re.DOTALL)
TRACES = {"AppTraces": {"TimeGenerated": "datetime", "Message": "string"}}


@pytest.mark.parametrize(("where", "pieces"), messages().items(), ids=messages())
def test_every_sentence_is_in_the_docs(where: str, pieces: list[str]) -> None:
    """A person who searches the docs for what the connector said finds it, with cause and cure."""
    assert where
    assert [] == [piece for piece in pieces if piece not in TEXT]


def test_sentences_are_collected() -> None:
    """The collector finds texts of every kind: f-strings, answer tables, notes, faults."""
    found = {piece for pieces in messages().values() for piece in pieces}

    assert {
        "DocuSign throttles the account",
        "some events come twice",
        "the stream goes on from",
        "the secret is empty. Store its value",
        "is no https address; expected one such as https://host.example",
    } <= found


@pytest.mark.parametrize("verb", sorted(cli.commands))
def test_every_verb_is_in_the_docs(verb: str) -> None:
    """Each verb has its line."""
    assert re.search(rf"^\| `{verb}[` ]", PAGE, re.MULTILINE)


def test_every_setting_says_what_it_takes() -> None:
    """But for the connection string, which is any text, each setting's line says what is expected."""
    assert ["AzureWebJobsStorage"] == [setting.name for setting in SETTINGS if not expected(setting)]


def test_the_queries_pass_microsofts_parser() -> None:
    """The charts' queries are right against the table of Application Insights, and draw a chart."""
    verdicts = check(QUERIES, TRACES)

    assert 2 == len(QUERIES)
    assert [[], []] == [verdict.errors for verdict in verdicts]
    assert all("render timechart" in text for text in QUERIES)


def test_the_queries_count_what_the_lines_say(tmp_path: Path) -> None:
    """An hour with a failed run of two is half available, an hour without one not at all."""
    now = datetime.now(UTC)
    lines = [(3, "caught-up", 10), (3, "failed", 0), (1, "caught-up", 5)]
    rows = [
        {
            "TimeGenerated": now - timedelta(hours=hours),
            "Message": "DocuSign Monitor run "
            + orjson.dumps(
                {"outcome": outcome, "events": events, "lagSeconds": 120, "deadLetters": 0}
            ).decode(),
        }
        for hours, outcome, events in lines
    ]
    with Workspace(tmp_path / "insights.duckdb") as workspace:
        workspace.append("AppTraces", TRACES["AppTraces"], rows)
        availability, figures = (query(workspace, text).records() for text in QUERIES)
    by_hour = {row["Hour"].replace(tzinfo=UTC): row["Availability"] for row in availability}
    hours = [
        by_hour[(now - timedelta(hours=n)).replace(minute=0, second=0, microsecond=0)] for n in (3, 2, 1)
    ]

    assert [50.0, 0.0, 100.0] == hours
    assert [(10.0, 2.0), (5.0, 2.0)] == [(row["Events"], row["LagMinutes"]) for row in figures]
