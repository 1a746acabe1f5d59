"""Both roads into a workspace: the connector's clients on the sandbox's real ends, without a socket."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from azure.core.credentials import AccessToken

from sandbox.identity import IdentityEndpoint
from sandbox.web import Request as Served
from sandbox.web import Service
from sandbox.workspace.data_collector import DataCollector as DataCollectorEnd
from sandbox.workspace.kql import query
from sandbox.workspace.logs_ingestion import LogsIngestion as LogsIngestionEnd
from sandbox.workspace.store import Workspace
from sandbox.world import LOG_TYPE, data_flows
from shared.errors import LeaseLost
from shared.ingestion.api import Ingestion
from shared.ingestion.data_collector import DataCollector
from shared.ingestion.delivery import Delivery
from shared.ingestion.logs_ingestion import LogsIngestion
from shared.ingestion.monitor_token import MonitorToken
from shared.retry import Retry
from shared.settings import LOGS_INGESTION, Settings
from shared.vault import Secrets
from shared.web import Answer, Request, Transport
from tests.support import WORKSPACE_ID, ManualClock, make_budget, make_settings

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ENDPOINT = "https://example-abcd.eastus-1.ingest.monitor.azure.com"
RULE_ID = "dcr-0123456789abcdef0123456789abcdef"
SCOPE = "https://monitor.azure.com/.default"
KEY = "d29ya3NwYWNlIGtleSBmb3IgdGVzdHM="


def make_retry(seconds: float = 480.0) -> Retry:
    """Give a retry that sleeps on a clock of its own."""
    return Retry(make_budget(ManualClock(), seconds))


class WorkspaceKey(Secrets):
    """A vault that holds the workspace key."""

    def __init__(self) -> None:
        """Have no client."""

    def read(self, name: str, retry: Retry) -> str:
        """Give the key, whichever secret is asked for."""
        return KEY if name and retry else ""


def logs_settings(**overrides: str) -> Settings:
    """Give the settings of an app on the Logs Ingestion API."""
    return make_settings(
        **{
            "INGESTION_API": LOGS_INGESTION,
            "WORKSPACE_ID": "",
            "DATA_COLLECTION_ENDPOINT": ENDPOINT,
            "DATA_COLLECTION_RULE_ID": RULE_ID,
            **overrides,
        }
    )


class Tokens:
    """A credential whose tokens are asked for here; `another` stands for a new one with an empty cache."""

    def __init__(self, make: Callable[[], str]) -> None:
        self._make = make
        self._cached = ""
        self.scopes: list[str] = []
        self.renewals = 0

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """Give the cached token, or a new one."""
        self.scopes += scopes
        self._cached = self._cached or self._make()
        return AccessToken(self._cached, 4102444800)

    def another(self) -> "Tokens":
        """Forget the token."""
        self._cached = ""
        self.renewals += 1
        return self

    @property
    def monitor(self) -> MonitorToken:
        """The connector's token on this credential."""
        return MonitorToken(self, self.another, SCOPE)


def served(service: Service) -> Transport:
    """Give the transport to a service of the sandbox."""

    def send(request: Request) -> Answer:
        parts = urlsplit(request.url)
        headers = {name.lower(): value for name, value in request.headers.items()}
        response = service(
            Served(
                request.method,
                parts.netloc,
                parts.path,
                dict(parse_qsl(parts.query)),
                headers,
                request.body or b"",
            )
        )
        answered = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, answered, response.body)

    return send


class Letters:
    """A dead-letter box that keeps what it gets."""

    def __init__(self) -> None:
        self.letters: list[tuple[Any, str, int, str]] = []
        self.pages: list[tuple[list[Any], str, int, str]] = []

    def write(self, event: Any, *, reason: str, status: int, cursor: str) -> None:
        """Keep one event."""
        self.letters.append((event, reason, status, cursor))

    def write_page(self, events: Sequence[Any], *, reason: str, status: int, cursor: str) -> None:
        """Keep events that were not looked through."""
        self.pages.append((list(events), reason, status, cursor))


@dataclass
class Road:
    """A client, the workspace behind it, and what was delivered by it."""

    ingestion: Ingestion
    end: DataCollectorEnd | LogsIngestionEnd
    workspace: Workspace
    letters: Letters

    def deliver(self, *events: Any) -> Delivery:
        """Ship a page of these events."""
        delivery = Delivery(self.ingestion, LOG_TYPE, self.letters, lambda: None)
        delivery.ship(events, "cursor")
        return delivery

    def rows(self, table: str = f"{LOG_TYPE}_CL") -> list[dict[str, Any]]:
        """Give the rows of a table, without the columns that hold nothing."""
        found = query(self.workspace, table).records()
        return [{name: value for name, value in row.items() if value not in (None, "")} for row in found]


def data_collector_road(folder: Path) -> Road:
    """Give the old road to an empty workspace, at a fixed time."""
    workspace = Workspace(folder / "classic.duckdb", clock=lambda: NOW)
    end = DataCollectorEnd(workspace, WORKSPACE_ID, [KEY], lambda: NOW)
    client = DataCollector(make_settings(), WorkspaceKey(), served(end), make_retry(), now=NOW.timestamp)
    return Road(client, end, workspace, Letters())


def logs_ingestion_road(folder: Path) -> Road:
    """Give the new road to an empty workspace, at a fixed time."""
    workspace = Workspace(folder / "rule.duckdb", clock=lambda: NOW)
    end = logs_ingestion_end(workspace, identity := IdentityEndpoint("id"))
    tokens = Tokens(lambda: identity.token("https://monitor.azure.com"))
    client = LogsIngestion(logs_settings(), tokens.monitor, served(end), make_retry())
    return Road(client, end, workspace, Letters())


def logs_ingestion_end(workspace: Workspace, identity: IdentityEndpoint) -> LogsIngestionEnd:
    """Give the sandbox's end of the new road, which trusts the identity's tokens."""
    return LogsIngestionEnd(
        workspace,
        RULE_ID,
        data_flows(LOG_TYPE),
        lambda token: identity.valid(token, "https://monitor.azure.com"),
        lambda: NOW,
    )


def lost() -> None:
    """Stand for a lease that another run took."""
    raise LeaseLost("the lease was lost")


def recent(hours: float) -> str:
    """Give a timestamp so many hours before `NOW`."""
    return (NOW - timedelta(hours=hours)).isoformat().replace("+00:00", "Z")
