"""The whole sandbox: DocuSign, Azure and a workspace on one machine, under their real names.

::

    connector --HTTPS_PROXY--> proxy --> web server --> DocuSign, Key Vault, both ingestion APIs, query API
        |                        '-----> (faults) ---> Azurite
        '--IDENTITY_ENDPOINT---> managed identity

`Sandbox.environment` holds the app settings and variables with which the connector runs here. They are the
production ones: nothing in the connector knows of the sandbox.
"""

import base64
import secrets
import uuid
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from time import time
from typing import Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.authority import Authority
from sandbox.azurite import Azurite, forward
from sandbox.content.harness import install
from sandbox.docusign.service import DocuSign
from sandbox.faults import Faults
from sandbox.functions.host import FunctionHost
from sandbox.identity import IdentityEndpoint
from sandbox.keyvault import KeyVault
from sandbox.organization import Organization, make_organization
from sandbox.proxy import Proxy
from sandbox.taps import Taps
from sandbox.web import Service, WebServer
from sandbox.workspace.data_collector import DataCollector
from sandbox.workspace.logs_ingestion import Flow, LogsIngestion
from sandbox.workspace.query_api import HOSTS as QUERY_HOSTS
from sandbox.workspace.query_api import query_api
from sandbox.workspace.store import Workspace
from shared.ingestion.columns import TABLES, table_columns
from shared.ingestion.schema import stream_declarations, stream_name, transformation
from shared.settings import DATA_COLLECTOR

ROOT = Path(__file__).parent.parent
VAULT_HOST = "docusign-sandbox.vault.azure.net"
INGESTION_HOST = "docusign-sandbox-abcd.eastus-1.ingest.monitor.azure.com"
LOG_TYPE = "DocuSignMonitor"
PRIVATE_KEY_SECRET, WORKSPACE_KEY_SECRET = "docusign-private-key", "workspace-key"
_KEY_BITS = 2048


class Sandbox:
    """All services, started together; a context manager.

    Args:
        folder: Takes the workspace's file, the certificates and Azurite's log.
        organization: Whose events DocuSign serves; by default a made one with a week of history.
        ingestion: The road that `environment` sets, as in INGESTION_API; both ends always answer.

    Attributes:
        docusign: DocuSign's side and its switches.
        vault: Key Vault; `set` rotates a secret.
        workspace: The workspace's tables.
        collector: The Data Collector API's end.
        ingestion: The Logs Ingestion API's end.
        azurite: Blob storage.
        faults: What goes wrong on purpose; empty at first.
        taps: Callbacks around every request.
        proxy: The record of every host that was asked for.
        environment: The app settings and variables for the connector.
    """

    def __init__(
        self, folder: Path, organization: Organization | None = None, ingestion: str = DATA_COLLECTOR
    ) -> None:
        self.folder = folder
        self._road = ingestion
        organization = organization or make_organization(datetime.now(UTC))
        key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
        self.integration_key, self.user_id = str(uuid.uuid4()), str(uuid.uuid4())
        self.workspace_id = str(uuid.uuid4())
        self.docusign = DocuSign(organization, self.integration_key, self.user_id, public_pem(key), time)
        self.identity = IdentityEndpoint(str(uuid.uuid4()))
        workspace_key = base64.b64encode(secrets.token_bytes(64)).decode()
        self.vault = KeyVault(
            {PRIVATE_KEY_SECRET: private_pem(key), WORKSPACE_KEY_SECRET: workspace_key},
            lambda token: self.identity.valid(token, "https://vault.azure.net"),
        )
        self.workspace = Workspace(folder / "workspace.duckdb")
        install(self.workspace)
        self.collector = DataCollector(self.workspace, self.workspace_id, [workspace_key])
        self.ingestion = LogsIngestion(
            self.workspace,
            f"dcr-{uuid.uuid4().hex}",
            data_flows(LOG_TYPE),
            lambda token: self.identity.valid(token, "https://monitor.azure.com"),
        )
        self.faults = Faults()
        self.taps = Taps(self.faults)
        self._authority = Authority(
            folder, ["*.vault.azure.net", "*.blob.core.windows.net", *self._services()]
        )
        self.azurite = Azurite(folder, self._authority, modules=ROOT / "node_modules")
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            starting.callback(self.workspace.close)
            starting.enter_context(self.azurite)
            web = starting.enter_context(
                WebServer(self._all_services(), tls=self._authority.server_context(), faults=self.taps)
            )
            metadata = starting.enter_context(
                WebServer({"127.0.0.1": self.identity}, tls=None, faults=self.taps)
            )
            known = set(self._all_services())
            self.proxy = starting.enter_context(Proxy(lambda host, _: web.port if host in known else None))
            self.web = web
            self.environment = self._environment(metadata.port)
            self._stack = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def function_host(self, **overrides: str) -> FunctionHost:
        """The host that fires the connector's functions, with settings of one's own where given."""
        return FunctionHost(ROOT, self.environment | overrides)

    def happen(self, count: int) -> None:
        """Let so many new events happen in DocuSign, just now."""
        entries = self.docusign.organization.more(datetime.now(UTC), count)
        self.docusign.append((entry.event for entry in entries), entries[-1].inserted_at)

    def contacted(self) -> set[str]:
        """Every host that was asked for, also those that were refused."""
        return self.proxy.hosts() | self.proxy.refused()

    def _services(self) -> dict[str, Service]:
        ends: dict[str, Service] = {
            f"{self.workspace_id}.ods.opinsights.azure.com": self.collector,
            INGESTION_HOST: self.ingestion,
        }
        queries = dict.fromkeys(QUERY_HOSTS, query_api(self.workspace, self.workspace_id))
        return {**self.docusign.services(), VAULT_HOST: self.vault, **ends, **queries}

    def _all_services(self) -> dict[str, Service]:
        blobs = forward(self.azurite.port, self._authority.client_context())
        return {**self._services(), self.azurite.host: blobs}

    def _road_settings(self) -> dict[str, str]:
        if self._road == DATA_COLLECTOR:
            return {"WORKSPACE_ID": self.workspace_id}
        return {
            "INGESTION_API": self._road,
            "DATA_COLLECTION_ENDPOINT": f"https://{INGESTION_HOST}",
            "DATA_COLLECTION_RULE_ID": self.ingestion.rule_id,
        }

    def _environment(self, identity_port: int) -> dict[str, str]:
        return {
            "DOCUSIGN_INTEGRATION_KEY": self.integration_key,
            "DOCUSIGN_USER_ID": self.user_id,
            "KEY_VAULT_URL": f"https://{VAULT_HOST}",
            **self._road_settings(),
            "AzureWebJobsStorage__accountName": self.azurite.account,
            "AzureWebJobsStorage__clientId": self.identity.client_id,
            "MONITOR_SCHEDULE": "0 */5 * * * *",
            "DIRECTORY_SCHEDULE": "0 0 */6 * * *",
            "AzureWebJobs.DirectoryTimerTrigger.Disabled": "true",  # as deployed: off until asked for
            "PAGE_INTERVAL_SECONDS": "0",  # the courtesy is DocuSign's due, not the sandbox's
            "HTTPS_PROXY": self.proxy.url,
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            "REQUESTS_CA_BUNDLE": str(self._authority.ca_path),
            **self.identity.environment(identity_port),
        }


def data_flows(log_type: str) -> dict[str, Flow]:
    """The flows of the data collection rule that belongs to the connector, by stream."""
    streams = stream_declarations(log_type)
    flows = {}
    for suffix, fields in TABLES.items():
        name = stream_name(log_type + suffix)
        columns = {column["name"]: column["type"] for column in streams[name]["columns"]}
        table = f"{log_type}{suffix}_CL"
        flows[name] = Flow(table, table_columns(fields), columns, transformation(fields))
    return flows


def public_pem(key: rsa.RSAPrivateKey) -> bytes:
    """The public half, as DocuSign keeps it."""
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def private_pem(key: rsa.RSAPrivateKey) -> str:
    """The private half in PKCS#1, as DocuSign shows it once."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()
