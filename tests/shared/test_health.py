import logging
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from shared import __version__
from shared.errors import IngestionRefused, LeaseLost, ServiceUnavailable
from shared.health import Figures, describe, lag_seconds, report
from shared.ingestion.api import BatchRefused
from tests.support import RecordingIngestion

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ROW = {
    "runId": "run-1",
    "version": __version__,
    "outcome": "caught-up",
    "pages": 2,
    "events": 2001,
    "batches": 2,
    "retries": 0,
    "deadLetters": 0,
    "durationSeconds": 1.5,
    "lagSeconds": 12.5,
    "api": "v3",
    "ingestion": "data-collector",
    "lane": "live",
}


def figures(**overrides: Any) -> Figures:
    """Give the figures of a run that went well, with some of them replaced."""
    return Figures(**{"error": "", **ROW, **overrides})


def test_row() -> None:
    """The row has the contract's names; what is empty is left out, and a zero is not."""
    assert ROW == figures().row()
    assert {**ROW, "error": "E: x"} == figures(error="E: x").row()
    assert "lagSeconds" not in figures(lagSeconds=None).row()
    assert 0 == figures(lagSeconds=0.0).row()["lagSeconds"]


@pytest.mark.parametrize(
    ("newest", "expected"),
    [
        ("2026-11-21T11:59:47.5Z", 12.5),
        ("2026-11-21T11:59:59.9499999Z", 0.1),
        ("2026-11-21T13:00:00+02:00", 3600.0),
        ("2026-11-21T11:00:00", 3600.0),
        ("2026-11-21T12:05:00Z", 0.0),
        ("", None),
        ("yesterday", None),
    ],
)
def test_lag_seconds(newest: str, expected: float | None) -> None:
    """The lag is now minus the newest event's time, never below zero, and unknown without an event."""
    assert expected == lag_seconds(newest, NOW)


def test_describe() -> None:
    """An error is its class and its sentence."""
    assert "LeaseLost: The lease was lost." == describe(LeaseLost("The lease was lost."))


def test_report(caplog: pytest.LogCaptureFixture) -> None:
    """A run writes one line with the figures as JSON, and posts one row to the health table."""
    ingestion = RecordingIngestion()
    with caplog.at_level(logging.INFO, "docusign_monitor"):
        report(figures(), ingestion, "DocuSignMonitor")
    ((table, rows, time_field),) = ingestion.posts

    assert ("DocuSignMonitorHealth", None) == (table, time_field)
    assert [ROW] == [orjson.loads(row.body) for row in rows]
    assert [("docusign_monitor", logging.INFO)] == [(line.name, line.levelno) for line in caplog.records]
    assert ROW == orjson.loads(caplog.messages[0].removeprefix("DocuSign Monitor run "))


def test_report_without_a_road(caplog: pytest.LogCaptureFixture) -> None:
    """Where no row can be posted, the line is written all the same."""
    with caplog.at_level(logging.INFO, "docusign_monitor"):
        report(figures(), None, "DocuSignMonitor")

    assert 1 == len(caplog.records)


@pytest.mark.parametrize(
    "overrides", [{"outcome": "failed"}, {"outcome": "failed", "error": "E: x"}, {"error": "a note"}]
)
def test_level(caplog: pytest.LogCaptureFixture, overrides: dict[str, str]) -> None:
    """A run that failed, or that has something to say, is a warning."""
    with caplog.at_level(logging.INFO, "docusign_monitor"):
        report(figures(**overrides), None, "DocuSignMonitor")

    assert [logging.WARNING] == [line.levelno for line in caplog.records]


@pytest.mark.parametrize(
    "failure", [IngestionRefused("no"), ServiceUnavailable("no"), BatchRefused(400, "no")]
)
def test_a_lost_row_fails_no_run(caplog: pytest.LogCaptureFixture, failure: Exception) -> None:
    """A row that cannot be posted is a warning, and the run is as good as it was."""
    with caplog.at_level(logging.INFO, "docusign_monitor"):
        report(figures(), RecordingIngestion(failure), "DocuSignMonitor")

    assert "The health row could not be posted: no" == caplog.messages[1]
    assert [logging.INFO, logging.WARNING] == [line.levelno for line in caplog.records]


def test_an_odd_error_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    """An error whose text no UTF-8 line can hold still has its line and its row."""
    ingestion = RecordingIngestion()
    with caplog.at_level(logging.INFO, "docusign_monitor"):
        report(figures(outcome="failed", error="E: \ud800\n"), ingestion, "DocuSignMonitor")

    assert r"E: \ud800" + "\n" == orjson.loads(ingestion.posts[0][1][0].body)["error"]
    assert "\n" not in caplog.messages[0]
