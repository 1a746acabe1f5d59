"""One run of the sweep from its settings to its report; it shares nothing with the events' run.

Its clients, tokens, lease and state are its own: whatever fails here, the events do not notice.
"""

import logging
import os
import uuid
from collections.abc import Callable, Mapping
from functools import lru_cache

from shared import health, lenient_json, shutdown
from shared.app import REPORT_SECONDS, Process, make_process, open_road
from shared.budget import Budget
from shared.directory.account import Means
from shared.directory.calls import Calls
from shared.directory.figures import FAILED, SweepFigures
from shared.directory.head import PREFIX, HeadBlob
from shared.directory.journal import Journals
from shared.directory.source import Directory
from shared.directory.sweep import Sweep
from shared.directory.tables import Tables
from shared.docusign.answers import DIRECTORY_ANSWERS
from shared.docusign.client import DocuSignClient
from shared.docusign.monitor import Pace
from shared.docusign.oauth import DIRECTORY_SCOPES
from shared.errors import AlreadyRunning
from shared.owner import owner_of
from shared.retry import Retry
from shared.run import ALREADY_RUNNING
from shared.settings import Settings, read_settings
from shared.storage import state_name

LINE = "DocuSign directory sweep "
"""How the log line begins; a JSON object follows."""
PAUSE_SECONDS = 0.2
"""Between two calls: 150 in the 30 s for which DocuSign counts a burst of 200 (demo) or 500."""
PATIENCE_SECONDS = 60.0
"""What one call may take to heal: the other accounts wait behind it."""


@lru_cache(maxsize=1)
def directory_process(settings: Settings) -> Process:
    """The parts of the sweep, which live as long as the process."""
    return make_process(settings, DIRECTORY_SCOPES)


def run_directory(
    environ: Mapping[str, str] = os.environ, make_retry: Callable[[Budget], Retry] = Retry
) -> SweepFigures:
    """Carry users and accounts into the workspace, as far as calls and time allow, and report it.

    Args:
        environ: The app settings.
        make_retry: How to wait within a budget: a timer's run has all of its time for an outage.

    Raises:
        ConnectorError: The run failed; what was saved before is gone on with.
    """
    settings = read_settings(environ)
    run = DirectoryRun(settings, directory_process(settings), make_retry)
    with shutdown.ends(run.retry.budget.stop):
        try:
            run.carry_on()
        except AlreadyRunning as busy:
            run.figures.outcome = ALREADY_RUNNING
            run.figures.notes.append(str(busy))
        except Exception as error:
            run.figures.outcome = FAILED
            run.figures.notes.append(health.describe(error))
            raise
        finally:
            run.report()
    return run.figures


class DirectoryRun:
    """One run of the directory's timer."""

    def __init__(
        self, settings: Settings, parts: Process, make_retry: Callable[[Budget], Retry] = Retry
    ) -> None:
        self._settings = settings
        self._parts = parts
        self._id = str(uuid.uuid4())
        self.retry = make_retry(Budget(settings.run_seconds))
        self._to_docusign = self.retry.with_patience(PATIENCE_SECONDS)
        self._name = state_name(settings.organization_id)
        self._head = HeadBlob(parts.container, self._name, owner_of(settings), self.retry)
        self.figures = SweepFigures()

    def carry_on(self) -> None:
        """Take up the sweep, or begin one, while nobody else does."""
        sweep = Sweep(self._means(), self._head)
        with self._head:
            sweep.run(self._settings.organization_id)

    def report(self) -> None:
        """Write the one log line, and post the health row; a run that only met another one leaves none."""
        self.figures.retries = self.retry.count + self._to_docusign.count
        level = logging.WARNING if self.figures.told() else logging.INFO
        health.LOG.log(level, "%s%s", LINE, lenient_json.dumps(self.figures.line()).decode())
        if self.figures.outcome != ALREADY_RUNNING:
            road = open_road(self._settings, self._parts, Retry(Budget(REPORT_SECONDS)))
            health.post(self._row(), road, self._settings.log_type)

    def _row(self) -> health.Figures:
        figures = self.figures
        return health.Figures(
            runId=self._id,
            outcome=figures.outcome,
            pages=figures.calls,
            events=figures.users,
            batches=figures.batches,
            retries=figures.retries,
            deadLetters=0,
            durationSeconds=round(self.retry.budget.spent, 3),
            lagSeconds=None,
            error=figures.error(),
            api="",
            ingestion=self._settings.ingestion_api,
            lane=health.DIRECTORY,
            organizationId=figures.organizationId or self._settings.organization_id or "",
        )

    def _means(self) -> Means:
        """What the sweep is made with."""
        settings, parts, budget = self._settings, self._parts, self.retry.budget
        client = DocuSignClient(parts.tokens, parts.to_docusign, self._to_docusign, DIRECTORY_ANSWERS)
        calls = Calls(client, Pace(PAUSE_SECONDS, budget.sleep, budget.clock), budget)
        may = self._head.lease.ensure
        road = open_road(settings, parts, self.retry)
        return Means(
            Directory(calls, settings.admin_url, settings.auth_url),
            Tables(road, settings.log_type, may, budget, self.figures),
            Journals(parts.container, f"{PREFIX}{self._name}/", self.retry, may),
            self.figures,
        )
