"""One run of the sweep from its settings to its report, on the connector's own parts over transports."""

import json
import logging
from typing import Any

import pytest

from shared import directory_app
from shared.app import Process
from shared.directory_app import LINE, run_directory
from shared.docusign.oauth import TokenSource
from shared.errors import DocuSignRefused
from shared.ingestion.monitor_token import MonitorToken
from shared.web import Answer, Request
from tests.shared.directory.world import DocuSign
from tests.shared.fakes import (
    BlobService,
    FakeCredential,
    FakeVault,
    TokenEndpoint,
    make_secrets,
)
from tests.support import ENVIRON, ManualClock, make_settings

HEAD = "directory/default.json"
DEMO = {"DOCUSIGN_ENVIRONMENT": "demo"}


class World:
    """All that a run of the sweep meets."""

    def __init__(self) -> None:
        self.docusign = DocuSign(ManualClock())
        self.docusign.members = {"a1": {"u1": "Ann", "u2": "Bea"}, "a2": {"u1": "Ann"}}
        self.storage = BlobService(ManualClock(), exists=False)
        self.tables: dict[str, list[dict[str, Any]]] = {}
        secrets, credential, tokens = make_secrets(FakeVault()), FakeCredential(), TokenEndpoint()
        self.parts = Process(
            secrets=secrets,
            tokens=TokenSource(make_settings(), secrets, tokens),
            monitor_token=MonitorToken(credential, FakeCredential, "scope"),
            container=self.storage.client(),
            to_docusign=self.docusign,
            to_workspace=self._take,
            organizations=set(),
        )

    def _take(self, request: Request) -> Answer:
        rows = json.loads(request.body or b"[]")
        self.tables.setdefault(request.headers["Log-Type"].removeprefix("DocuSignMonitor"), []).extend(rows)
        return Answer(200)

    @property
    def health(self) -> list[dict[str, Any]]:
        """The rows of the health table."""
        return self.tables.get("Health", [])


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Give a world whose parts are the process's."""
    made = World()
    monkeypatch.setattr(directory_app, "directory_process", lambda _: made.parts)
    monkeypatch.setattr(directory_app, "PAUSE_SECONDS", 0.0)
    return made


def line(caplog: pytest.LogCaptureFixture) -> tuple[int, dict[str, Any]]:
    """Give the level and the figures of the one line that a run logs."""
    (record,) = [record for record in caplog.records if record.getMessage().startswith(LINE)]
    return record.levelno, json.loads(record.getMessage().removeprefix(LINE))


def test_a_run_leaves_a_row_and_a_line(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """The row has the lane of its own, calls as pages and users as events; the line has all figures."""
    with caplog.at_level(logging.INFO, "docusign_monitor"):
        figures = run_directory(ENVIRON)
    level, told = line(caplog)
    (row,) = world.health
    run_id, seconds = row.pop("runId"), row.pop("durationSeconds")

    assert {
        "lane": "directory",
        "organizationId": "org",
        "outcome": "complete",
        "pages": 4,
        "events": 3,
        "batches": 3,
        "retries": 0,
        "deadLetters": 0,
        "ingestion": "data-collector",
        "version": row["version"],
    } == row
    assert run_id != figures.sweepId
    assert seconds >= 0
    assert (logging.INFO, "complete", 5, 3) == (level, told["outcome"], told["rows"], told["users"])
    assert 3 == len(world.tables["Users"])


def test_the_state_is_a_head_and_a_journal_an_account(world: World) -> None:
    """The next run compares with it, and of older sweeps nothing is left."""
    run_directory(ENVIRON)
    second = run_directory(ENVIRON)
    names = world.storage.names("directory/")

    assert (0, 3) == (second.rows, len(names))
    assert {HEAD, "directory/default/a1", "directory/default/a2"} == {
        name if name == HEAD else name.rpartition("/")[0] for name in names
    }
    assert not world.storage.leased(HEAD)


def test_a_failed_run_is_red_and_has_its_row(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """The sentence stands in the row and in the line."""
    world.docusign.members_status = {"a1": 403, "a2": 403}
    with caplog.at_level(logging.INFO, "docusign_monitor"), pytest.raises(DocuSignRefused):
        run_directory(ENVIRON)
    level, told = line(caplog)
    (row,) = world.health

    assert (logging.WARNING, "failed", "failed") == (level, told["outcome"], row["outcome"])
    assert "DocuSignRefused: DocuSign gives the users of no account" in row["error"]


def test_many_notes_fit_the_row(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """The row has the first ones and says how many more there are; the line has all."""
    refused = {f"closed-{number}": 404 for number in range(30)}
    world.docusign.members |= {name: {"u1": "Ann"} for name in refused}
    world.docusign.members_status = refused
    with caplog.at_level(logging.INFO, "docusign_monitor"):
        run_directory(ENVIRON)
    (row,) = world.health

    assert ("complete", 30) == (row["outcome"], len(line(caplog)[1]["notes"]))
    assert row["error"].endswith(" | and 10 more in the log")
    assert len(row["error"]) < 32_000


def test_a_second_runner_leaves_no_row(world: World) -> None:
    """It did nothing, and says so in the log alone."""
    run_directory(ENVIRON)
    world.parts.container.get_blob_client(HEAD).acquire_lease(60)
    figures = run_directory(ENVIRON)

    assert "already-running" == figures.outcome
    assert 1 == len(world.health)


def test_demos_state_is_begun_anew(world: World) -> None:
    """After going live nobody of demo is reported as deleted, and the note names both owners."""
    run_directory(ENVIRON | DEMO)
    world.docusign.members = {"prod": {"p1": "Pia"}}
    figures = [run_directory(ENVIRON) for _ in range(3)]

    assert "is that of demo, user " in figures[0].notes[0]
    assert [0, 0, 0] == [one.deleted for one in figures]
    assert [] == [row for row in world.tables["Users"] if row["deleted"]]
