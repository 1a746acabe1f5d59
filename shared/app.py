"""One run from its settings to its report: the only place that knows all parts."""

import logging
import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial

from azure.storage.blob import ContainerClient

from shared import health, heap, shutdown
from shared.budget import Budget
from shared.checkpoint import Checkpoint
from shared.dead_letters import DeadLetters
from shared.docusign.client import DocuSignClient
from shared.docusign.monitor import V2, V3, Monitor, Pace, monitor_v2, monitor_v3
from shared.docusign.oauth import MONITOR_SCOPES, TokenSource
from shared.docusign.organization import find_organizations
from shared.docusign.stream import EventStream
from shared.errors import AlreadyRunning, OperatorError
from shared.identity import make_credential
from shared.ingestion.api import Ingestion
from shared.ingestion.data_collector import DataCollector
from shared.ingestion.delivery import Delivery
from shared.ingestion.logs_ingestion import LogsIngestion
from shared.ingestion.monitor_token import MonitorToken
from shared.owner import owner_of
from shared.position import Position
from shared.retry import Retry
from shared.run import ALREADY_RUNNING, FAILED, Progress, carry
from shared.settings import DATA_COLLECTOR, Settings, read_settings, start_moment
from shared.storage import open_container
from shared.timestamps import iso_utc
from shared.vault import Secrets
from shared.web import Transport, https_transport

REPORT_SECONDS = 10.0
"""What the health row may take beyond the run's own time."""


@dataclass(frozen=True)
class Process:
    """What outlives a run: clients with their connections, and the secrets and tokens they cached."""

    secrets: Secrets
    tokens: TokenSource
    monitor_token: MonitorToken
    container: ContainerClient
    to_docusign: Transport
    to_workspace: Transport
    organizations: set[str]  # those of the user, once userinfo was asked


@lru_cache(maxsize=1)
def process(settings: Settings) -> Process:
    """The parts of the events' run, which live as long as the process."""
    return make_process(settings)


def make_process(settings: Settings, scopes: str = MONITOR_SCOPES) -> Process:
    """New parts, with tokens for these scopes; nobody is asked for anything yet."""
    new_credential = partial(make_credential, settings.identity_client_id, settings.cloud.authority)
    credential = new_credential()
    secrets = Secrets(settings.key_vault_url, credential)
    to_docusign = https_transport()
    return Process(
        secrets=secrets,
        tokens=TokenSource(settings, secrets, to_docusign, scopes=scopes),
        monitor_token=MonitorToken(credential, new_credential, settings.cloud.monitor_scope),
        container=open_container(settings, credential),
        to_docusign=to_docusign,
        to_workspace=https_transport(),
        organizations={settings.organization_id} if settings.organization_id else set(),
    )


def run_monitor(
    environ: Mapping[str, str] = os.environ, make_retry: Callable[[Budget], Retry] = Retry
) -> health.Figures:
    """Carry what DocuSign has into the workspace, once, and report it.

    Args:
        environ: The app settings.
        make_retry: How to wait within a budget: a timer's run has all of its time for an outage.

    Raises:
        ConnectorError: The run failed; what was accepted before is saved.
    """
    settings = read_settings(environ)
    run = MonitorRun(settings, process(settings), make_retry)
    with shutdown.ends(run.retry.budget.stop):
        try:
            return run.carry_on()
        except AlreadyRunning as busy:
            figures = run.figures(ALREADY_RUNNING, busy)
            health.report(figures, None, settings.log_type)
            return figures
        except Exception as error:
            run.report(run.figures(FAILED, error))
            raise
        finally:
            run.retry.budget.end()  # a fetch that nobody waits for any more ends too


class MonitorRun:
    """One run of the timer."""

    def __init__(
        self, settings: Settings, parts: Process, make_retry: Callable[[Budget], Retry] = Retry
    ) -> None:
        self._settings = settings
        self._parts = parts
        self._make_retry = make_retry
        self._id = str(uuid.uuid4())
        self._progress = Progress()
        self.retry = make_retry(Budget(settings.run_seconds))
        self._ingestion = self._road(self.retry)
        start = iso_utc(start_moment(settings.start, datetime.now(UTC)))
        self._checkpoint = Checkpoint(
            parts.container,
            settings.organization_id,
            Position(start, "", start),
            self.retry,
            owner_of(settings),
        )
        self._delivery = Delivery(
            self._ingestion,
            settings.log_type,
            DeadLetters(parts.container, self.retry),
            self._checkpoint.lease.ensure,
            self.retry.budget,
        )
        self._last_event_time = ""

    def carry_on(self) -> health.Figures:
        """Take up the stream at the checkpoint; report while the lease is still held."""
        self._read_secrets()
        with self._checkpoint as checkpoint:
            position = checkpoint.read()
            self._last_event_time = position.last_event_time or ""
            carry(self._stream(), self._delivery, checkpoint, position, self.retry.budget, self._progress)
            figures = self.figures(self._progress.outcome)
            self.report(figures)
        return figures

    def figures(self, outcome: str, error: Exception | None = None) -> health.Figures:
        """The run's figures so far."""
        counts = self._delivery.counts
        notes = [*self._progress.notes, *counts.notes(), *([health.describe(error)] if error else [])]
        return health.Figures(
            runId=self._id,
            outcome=outcome,
            pages=self._progress.pages,
            events=counts.events,
            batches=counts.batches,
            retries=self.retry.count,
            deadLetters=counts.dead_letters,
            durationSeconds=round(self.retry.budget.spent, 3),
            lagSeconds=health.lag_seconds(counts.newest or self._last_event_time, datetime.now(UTC)),
            error=" | ".join(notes),
            api=self._progress.api,
            ingestion=self._settings.ingestion_api,
            organizationId=self._organization(),
        )

    def _organization(self) -> str:
        """The organization, where one alone is known."""
        known = self._parts.organizations
        return next(iter(known)) if len(known) == 1 else ""

    def report(self, figures: health.Figures) -> None:
        """Log the figures and post them, in a time of their own."""
        road = self._road(self._make_retry(Budget(REPORT_SECONDS)))
        health.report(figures, road, self._settings.log_type)

    def _read_secrets(self) -> None:
        """Ask the vault before anything else: without it no run can work."""
        self._parts.secrets.read(self._settings.private_key_secret, self.retry)
        if self._settings.ingestion_api == DATA_COLLECTOR:
            self._parts.secrets.read(self._settings.workspace_key_secret, self.retry)

    def _road(self, retry: Retry) -> Ingestion:
        return open_road(self._settings, self._parts, retry)

    def _stream(self) -> EventStream:
        return open_stream(self._settings, self._parts, self.retry)


def open_road(settings: Settings, parts: Process, retry: Retry) -> Ingestion:
    """The road into the workspace that the settings choose."""
    if settings.ingestion_api == DATA_COLLECTOR:
        return DataCollector(settings, parts.secrets, parts.to_workspace, retry)
    return LogsIngestion(settings, parts.monitor_token, parts.to_workspace, retry)


def open_stream(settings: Settings, parts: Process, retry: Retry) -> EventStream:
    """DocuSign's events; userinfo is asked once a process where no organization is set."""
    client = DocuSignClient(parts.tokens, parts.to_docusign, retry)
    pace = Pace(settings.page_interval, retry.budget.pause, retry.budget.clock)
    known = parts.organizations
    if settings.monitor_api != V2 and not known:
        known |= find_organizations(client, settings.auth_url)
    return EventStream(generations(settings, client, known), pace)


def generations(settings: Settings, client: DocuSignClient, organizations: set[str]) -> list[Monitor]:
    """The generations of the Monitor API that the settings allow, the preferred first.

    Raises:
        OperatorError: v3 is asked for, and no one organization is known.
    """
    v2 = monitor_v2(client, settings.monitor_v2_url, settings.page_size)
    if settings.monitor_api == V2:
        return [v2]
    if len(organizations) == 1:
        v3 = monitor_v3(client, settings.monitor_v3_url, next(iter(organizations)), settings.page_size)
        return [v3] if settings.monitor_api == V3 else [v3, v2]
    if settings.monitor_api == V3:
        found = (
            f"has {len(organizations)}: {', '.join(sorted(organizations))}" if organizations else "has none"
        )
        raise OperatorError(
            f"DOCUSIGN_MONITOR_API=v3 needs one organization, and the user {found}. "
            "Set DOCUSIGN_ORGANIZATION_ID."
        )
    return [v2]


def set_up_process() -> None:
    """Prepare a worker, once, where it imports the function: its log, its shutdown, its heap."""
    set_up_logging()
    shutdown.install()
    heap.bound()


def set_up_logging() -> None:
    """Let through what is ours: one line a run, and warnings of the libraries."""
    for name in ("azure", "urllib3", "requests", "msal"):
        logging.getLogger(name).setLevel(logging.WARNING)
    health.LOG.setLevel(logging.INFO)
