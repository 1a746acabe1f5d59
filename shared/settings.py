"""The app settings: read once, checked together, every fault reported with its name and what is expected.

`SETTINGS` is the whole list; `local.settings.json.example`, the template and the docs are held against it
by tests. A setting that is empty counts as absent. Long values are never shown: one may be a secret that
was pasted into the wrong place.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

from shared.clouds import CLOUDS, Cloud
from shared.errors import SettingsError
from shared.timestamps import EARLIEST, parse, parse_duration

MOST_RUN_SECONDS = 500
"""The host ends a function after 600 s (host.json): a run that fails at its very end still has the time to give up
the call in hand, to report, and to give the lease back. A test adds these up."""
DATA_COLLECTOR = "data-collector"
LOGS_INGESTION = "logs-ingestion"

Check = Callable[[str], str | None]
"""A value to what is wrong with it, or None."""

_SHOWN = re.compile(r"[\w .:+*/-]{1,24}", re.ASCII)


def _fits(pattern: str, expected: str) -> Check:
    compiled = re.compile(pattern, re.ASCII)
    return lambda value: None if compiled.fullmatch(value) else f"is {_shown(value)}; expected {expected}"


def _one_of(*choices: str) -> Check:
    return lambda value: None if value in choices else f"is {_shown(value)}; expected {_listed(choices)}"


def _number(low: float, high: float, *, whole: bool, unit: str) -> Check:
    expected = f"a {'whole ' if whole else ''}number from {low:g} to {high:g}{unit}"

    def check(value: str) -> str | None:
        try:
            fits = low <= (int(value) if whole else float(value)) <= high
        except ValueError:
            fits = False
        return None if fits else f"is {_shown(value)}; expected {expected}"

    return check


def _https(value: str) -> str | None:
    try:
        parts = urlsplit(value)
        fits = (
            parts.scheme == "https"
            and parts.hostname
            and parts.port != 0
            and not (parts.query or parts.fragment or "@" in parts.netloc)
        )
    except ValueError:
        fits = False
    return None if fits else "is no https address; expected one such as https://host.example"


def _start(value: str) -> str | None:
    try:
        start_moment(value, datetime.now(UTC))
    except ValueError as error:
        return str(error)
    return None


def _shown(value: str) -> str:
    return f"'{value}'" if _SHOWN.fullmatch(value) else f"a value of {len(value)} characters"


def _listed(choices: tuple[str, ...]) -> str:
    return " or ".join((", ".join(choices[:-1]), choices[-1]))


def start_moment(value: str, now: datetime) -> datetime:
    """Where a first run starts, for a value of DOCUSIGN_START.

    Raises:
        ValueError: The value is none that the setting takes; the text says what is expected.
    """
    if value == "now":
        return now
    if value == "earliest":
        return EARLIEST
    expected = "expected an ISO date-time (2026-11-01T00:00:00Z), an ISO duration back (P7D), now or earliest"
    length, moment = (
        parse_duration(value),
        parse(f"{value}T00:00:00Z" if len(value) == len("2026-11-01") else value),
    )
    if length is not None:
        return max(EARLIEST, now - length) if length < now - EARLIEST else EARLIEST
    if moment is None:
        raise ValueError(f"is {_shown(value)}; {expected}")
    if moment > now:
        raise ValueError(f"lies in the future; {expected}")
    return max(EARLIEST, moment)


_GUID = _fits(
    r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", "a GUID (00000000-0000-0000-0000-000000000000)"
)
_SECRET_NAME = _fits(r"[0-9a-zA-Z-]{1,127}", "the name of a secret: letters, digits and hyphens, at most 127")
_SCHEDULE = _fits(r"\S+( \S+){5}", "an NCRONTAB expression of six fields, such as 0 */5 * * * *")


def _anything(_: str) -> str | None:
    return None


@dataclass(frozen=True)
class Setting:
    """One app setting: its name, default (None: no default), check, and meaning for the docs."""

    name: str
    default: str | None
    check: Check
    meaning: str
    required: bool = False


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "DOCUSIGN_ENVIRONMENT",
        "production",
        _one_of("production", "demo"),
        "Which DocuSign: production or demo.",
    ),
    Setting(
        "DOCUSIGN_INTEGRATION_KEY",
        None,
        _GUID,
        "The DocuSign app's integration key (client id).",
        required=True,
    ),
    Setting(
        "DOCUSIGN_USER_ID", None, _GUID, "The GUID of the DocuSign user that is impersonated.", required=True
    ),
    Setting(
        "DOCUSIGN_ORGANIZATION_ID", None, _GUID, "The DocuSign organization; found by userinfo when absent."
    ),
    Setting(
        "DOCUSIGN_MONITOR_API",
        "auto",
        _one_of("auto", "v2", "v3"),
        "Generation of the Monitor API; auto takes v3 when an organization is known and answers, v2 on 404.",
    ),
    Setting(
        "DOCUSIGN_START",
        "P7D",
        _start,
        "Where the first run starts: ISO date-time, ISO duration back, now or earliest.",
    ),
    Setting("DOCUSIGN_AUTH_URL", None, _https, "Overrides the host of OAuth."),
    Setting("DOCUSIGN_MONITOR_URL", None, _https, "Overrides the host of the Monitor API."),
    Setting("DOCUSIGN_ADMIN_URL", None, _https, "Overrides the host of the Admin API."),
    Setting("KEY_VAULT_URL", None, _https, "The Key Vault that holds the secrets.", required=True),
    Setting(
        "DOCUSIGN_PRIVATE_KEY_SECRET",
        "docusign-private-key",
        _SECRET_NAME,
        "Name of the secret that holds the RSA private key.",
    ),
    Setting(
        "WORKSPACE_KEY_SECRET",
        "workspace-key",
        _SECRET_NAME,
        "Name of the secret that holds the workspace key.",
    ),
    Setting(
        "INGESTION_API",
        DATA_COLLECTOR,
        _one_of(DATA_COLLECTOR, LOGS_INGESTION),
        "The road into the workspace.",
    ),
    Setting("WORKSPACE_ID", None, _GUID, "The workspace's id, for data-collector."),
    Setting(
        "LOG_TYPE",
        "DocuSignMonitor",
        _fits(r"[A-Za-z][A-Za-z0-9_]{0,91}", "letters, digits and underscores, a letter first, at most 92"),
        "The table's name without _CL.",
    ),
    Setting("DATA_COLLECTION_ENDPOINT", None, _https, "The ingestion endpoint, for logs-ingestion."),
    Setting(
        "DATA_COLLECTION_RULE_ID",
        None,
        _fits(r"dcr-[0-9a-zA-Z]{1,60}", "the rule's immutable id (dcr- and 32 digits)"),
        "The data collection rule's immutable id, for logs-ingestion.",
    ),
    Setting(
        "AZURE_CLOUD", "AzureCloud", _one_of(*CLOUDS), "The Azure cloud: host suffixes and token scopes."
    ),
    Setting("AzureWebJobsStorage", None, _anything, "Storage account, as a connection string."),
    Setting(
        "AzureWebJobsStorage__accountName",
        None,
        _fits(r"[a-z0-9]{3,24}", "a storage account's name"),
        "Storage account, by name and identity.",
    ),
    Setting("AzureWebJobsStorage__blobServiceUri", None, _https, "Storage account, by address and identity."),
    Setting("AzureWebJobsStorage__clientId", None, _GUID, "Client id of the user-assigned identity."),
    Setting(
        "STATE_CONTAINER",
        "docusign-monitor",
        _fits(
            r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*",
            "a container's name: 3 to 63 lower-case letters, digits, hyphens",
        ),
        "The blob container of the state.",
    ),
    Setting("MONITOR_SCHEDULE", "0 */5 * * * *", _SCHEDULE, "When events are fetched (NCRONTAB, UTC)."),
    Setting(
        "DIRECTORY_SCHEDULE",
        "0 0 */6 * * *",
        _SCHEDULE,
        "When users and accounts are fetched (NCRONTAB, UTC).",
    ),
    Setting(
        "RUN_SECONDS",
        "480",
        _number(1, MOST_RUN_SECONDS, whole=True, unit=" seconds"),
        "Time budget of a run.",
    ),
    Setting("PAGE_SIZE", "2000", _number(1, 2000, whole=True, unit=""), "Events a page."),
    Setting(
        "PAGE_INTERVAL_SECONDS",
        "3",
        _number(0, 60, whole=False, unit=" seconds"),
        "Pause between pages while behind.",
    ),
)

_DOCUSIGN_HOSTS = {
    "production": (
        "account.docusign.com",
        "https://lens.docusign.net",
        "https://api.docusign.com",
        "api.docusign.net",
    ),
    "demo": (
        "account-d.docusign.com",
        "https://lens-d.docusign.net",
        "https://api-d.docusign.com",
        "api-d.docusign.net",
    ),
}

_NEEDED_BY_ROAD = {
    DATA_COLLECTOR: ("WORKSPACE_ID",),
    LOGS_INGESTION: ("DATA_COLLECTION_ENDPOINT", "DATA_COLLECTION_RULE_ID"),
}


@dataclass(frozen=True)
class Settings:
    """All settings, checked; addresses have no trailing slash."""

    environment: str
    integration_key: str
    user_id: str
    organization_id: str | None
    monitor_api: str
    start: str
    auth_url: str
    monitor_v2_url: str
    monitor_v3_url: str
    admin_url: str
    key_vault_url: str
    private_key_secret: str
    workspace_key_secret: str
    ingestion_api: str
    workspace_id: str
    log_type: str
    data_collection_endpoint: str
    data_collection_rule_id: str
    cloud: Cloud
    storage_connection: str | None = field(repr=False)  # it holds the account's key
    blob_service_url: str
    identity_client_id: str | None
    state_container: str
    run_seconds: int
    page_size: int
    page_interval: float


def read_settings(environ: Mapping[str, str]) -> Settings:
    """The settings, from the app settings as environment variables.

    Raises:
        SettingsError: Names every fault.
    """
    given = {setting.name: environ.get(setting.name, "").strip() for setting in SETTINGS}
    faults = [
        f"{setting.name} {fault}"
        for setting in SETTINGS
        if given[setting.name] and (fault := setting.check(given[setting.name]))
    ]
    faults += _missing(given)
    if faults:
        raise SettingsError(faults)
    return _settings({setting.name: given[setting.name] or setting.default or "" for setting in SETTINGS})


def _missing(given: Mapping[str, str]) -> list[str]:
    """A fault for each setting that is needed, by itself or by another's value, and absent."""
    faults = [f"{s.name} is missing: {s.meaning}" for s in SETTINGS if s.required and not given[s.name]]
    api = given["INGESTION_API"] or DATA_COLLECTOR
    needed = _NEEDED_BY_ROAD.get(api, ())
    faults += [f"{name} is missing: INGESTION_API={api} needs it" for name in needed if not given[name]]
    if not any(given[f"AzureWebJobsStorage{part}"] for part in ("", "__accountName", "__blobServiceUri")):
        faults.append(
            "AzureWebJobsStorage is missing: give a connection string, or AzureWebJobsStorage__accountName or "
            "AzureWebJobsStorage__blobServiceUri to use the identity"
        )
    return faults


def _settings(value: Mapping[str, str]) -> Settings:
    auth, lens, api, admin = _DOCUSIGN_HOSTS[value["DOCUSIGN_ENVIRONMENT"]]
    cloud = CLOUDS[value["AZURE_CLOUD"]]
    account = value["AzureWebJobsStorage__accountName"]

    def url(name: str, default: str) -> str:
        return (value[name] or default).rstrip("/")

    return Settings(
        environment=value["DOCUSIGN_ENVIRONMENT"],
        integration_key=value["DOCUSIGN_INTEGRATION_KEY"],
        user_id=value["DOCUSIGN_USER_ID"],
        organization_id=value["DOCUSIGN_ORGANIZATION_ID"].lower() or None,
        monitor_api=value["DOCUSIGN_MONITOR_API"],
        start=value["DOCUSIGN_START"],
        auth_url=url("DOCUSIGN_AUTH_URL", f"https://{auth}"),
        monitor_v2_url=url("DOCUSIGN_MONITOR_URL", lens),
        monitor_v3_url=url("DOCUSIGN_MONITOR_URL", api),
        admin_url=url("DOCUSIGN_ADMIN_URL", f"https://{admin}"),
        key_vault_url=url("KEY_VAULT_URL", ""),
        private_key_secret=value["DOCUSIGN_PRIVATE_KEY_SECRET"],
        workspace_key_secret=value["WORKSPACE_KEY_SECRET"],
        ingestion_api=value["INGESTION_API"],
        workspace_id=value["WORKSPACE_ID"].lower(),
        log_type=value["LOG_TYPE"],
        data_collection_endpoint=url("DATA_COLLECTION_ENDPOINT", ""),
        data_collection_rule_id=value["DATA_COLLECTION_RULE_ID"],
        cloud=cloud,
        storage_connection=value["AzureWebJobsStorage"] or None,
        blob_service_url=url("AzureWebJobsStorage__blobServiceUri", f"https://{account}.{cloud.blob_suffix}"),
        identity_client_id=value["AzureWebJobsStorage__clientId"] or None,
        state_container=value["STATE_CONTAINER"],
        run_seconds=int(value["RUN_SECONDS"]),
        page_size=int(value["PAGE_SIZE"]),
        page_interval=float(value["PAGE_INTERVAL_SECONDS"]),
    )
