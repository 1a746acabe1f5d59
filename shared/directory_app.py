"""One sweep of the directory from its settings to its log line; it shares nothing with the events' run.

Its clients, tokens, lease and state are its own: whatever fails here, the events do not notice.
"""

import logging
import os
from collections.abc import Callable, Mapping
from functools import lru_cache

from shared import lenient_json, shutdown
from shared.app import Process, make_process, open_road
from shared.budget import Budget
from shared.directory import FAILED, Sweep, SweepFigures
from shared.directory_state import StateBlob
from shared.docusign.client import DocuSignClient
from shared.docusign.directory import ANSWERS, DIRECTORY_SCOPES, Directory
from shared.docusign.monitor import Pace
from shared.errors import AlreadyRunning
from shared.health import LOG, describe
from shared.retry import Retry
from shared.run import ALREADY_RUNNING
from shared.settings import Settings, read_settings

LINE = "DocuSign directory sweep "
"""How the log line begins; a JSON object follows."""
PAUSE_SECONDS = 0.2
"""Between two calls: 150 in the 30 s for which DocuSign counts a burst of 200 (demo) or 500."""


@lru_cache(maxsize=1)
def directory_process(settings: Settings) -> Process:
    """The parts of the sweep, which live as long as the process."""
    return make_process(settings, DIRECTORY_SCOPES)


def run_directory(
    environ: Mapping[str, str] = os.environ, make_retry: Callable[[Budget], Retry] = Retry
) -> SweepFigures:
    """Carry users and accounts into the workspace, as far as the hour's calls allow, and log the figures.

    Args:
        environ: The app settings.
        make_retry: How to wait within a budget: a timer's run has all of its time for an outage.

    Raises:
        ConnectorError: The sweep failed; the accounts that are done stay done.
    """
    settings = read_settings(environ)
    retry = make_retry(Budget(settings.run_seconds))
    with shutdown.ends(retry.budget.stop):
        parts = directory_process(settings)
        blob = StateBlob(parts.container, settings.organization_id, retry)
        sweep = make_sweep(settings, parts, blob, retry)
        try:
            with blob:
                sweep.run(settings.organization_id)
        except AlreadyRunning as busy:
            sweep.figures.outcome = ALREADY_RUNNING
            sweep.figures.notes.append(str(busy))
        except Exception as error:
            sweep.figures.outcome = FAILED
            sweep.figures.notes.append(describe(error))
            raise
        finally:
            report(sweep.figures)
    return sweep.figures


def make_sweep(settings: Settings, parts: Process, blob: StateBlob, retry: Retry) -> Sweep:
    """The sweep with all of its parts."""
    client = DocuSignClient(parts.tokens, parts.to_docusign, retry, ANSWERS)
    pace = Pace(PAUSE_SECONDS, retry.budget.sleep, retry.budget.clock)
    source = Directory(client, settings.admin_url, settings.auth_url, pace, retry.budget)
    return Sweep(source, open_road(settings, parts, retry), settings.log_type, blob, blob.lease.ensure)


def report(figures: SweepFigures) -> None:
    """Write the one log line; a warning where there is something to know."""
    level = logging.WARNING if figures.notes else logging.INFO
    LOG.log(level, "%s%s", LINE, lenient_json.dumps(figures.line()).decode())
