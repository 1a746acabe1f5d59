from datetime import UTC, datetime, timedelta

import pytest

from shared.clouds import CLOUDS
from shared.errors import SettingsError
from shared.settings import SETTINGS, Settings, read_settings, start_moment
from tests.support import ENVIRON, INTEGRATION_KEY, USER_ID, WORKSPACE_ID, make_settings

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
EARLIEST = datetime(2021, 1, 1, tzinfo=UTC)
GUID = "44444444-4444-4444-8444-444444444444"
CONNECTION = (
    "DefaultEndpointsProtocol=https;AccountName=examplestorage;"
    "AccountKey=c2VjcmV0LXNlY3JldC1zZWNyZXQ=;EndpointSuffix=core.windows.net"
)
LOGS_INGESTION = {
    "INGESTION_API": "logs-ingestion",
    "DATA_COLLECTION_ENDPOINT": "https://example-abcd.westeurope-1.ingest.monitor.azure.com",
    "DATA_COLLECTION_RULE_ID": "dcr-00000000000000000000000000000000",
}


def faults(**overrides: str) -> list[str]:
    """Give the faults of a minimal app with some app settings on top."""
    with pytest.raises(SettingsError) as raised:
        make_settings(**overrides)
    return raised.value.faults


def test_defaults() -> None:
    """A minimal app gets every default of the contract."""
    expected = Settings(
        environment="production",
        integration_key=INTEGRATION_KEY,
        user_id=USER_ID,
        organization_id=None,
        monitor_api="auto",
        start="P7D",
        auth_url="https://account.docusign.com",
        monitor_v2_url="https://lens.docusign.net",
        monitor_v3_url="https://api.docusign.com",
        admin_url="https://api.docusign.net",
        key_vault_url="https://example-vault.vault.azure.net",
        private_key_secret="docusign-private-key",
        workspace_key_secret="workspace-key",
        ingestion_api="data-collector",
        workspace_id=WORKSPACE_ID,
        log_type="DocuSignMonitor",
        data_collection_endpoint="",
        data_collection_rule_id="",
        cloud=CLOUDS["AzureCloud"],
        storage_connection=None,
        blob_service_url="https://examplestorage.blob.core.windows.net",
        identity_client_id=None,
        state_container="docusign-monitor",
        run_seconds=480,
        page_size=2000,
        page_interval=3.0,
    )

    assert expected == make_settings()


def test_every_setting_is_taken() -> None:
    """Every app setting arrives where it is used."""
    found = make_settings(
        DOCUSIGN_ENVIRONMENT="demo",
        DOCUSIGN_ORGANIZATION_ID=GUID.upper(),
        DOCUSIGN_MONITOR_API="v3",
        DOCUSIGN_START="earliest",
        DOCUSIGN_AUTH_URL="https://auth.example/",
        DOCUSIGN_MONITOR_URL="https://monitor.example/",
        DOCUSIGN_ADMIN_URL="https://admin.example/",
        KEY_VAULT_URL="https://vault.example/",
        DOCUSIGN_PRIVATE_KEY_SECRET="key",
        WORKSPACE_KEY_SECRET="other-key",
        **LOGS_INGESTION,
        LOG_TYPE="Other_1",
        AZURE_CLOUD="AzureUSGovernment",
        AzureWebJobsStorage=CONNECTION,
        AzureWebJobsStorage__blobServiceUri="https://blob.example/",
        AzureWebJobsStorage__clientId=GUID,
        STATE_CONTAINER="other",
        RUN_SECONDS="60",
        PAGE_SIZE="1",
        PAGE_INTERVAL_SECONDS="0.5",
    )
    expected = Settings(
        environment="demo",
        integration_key=INTEGRATION_KEY,
        user_id=USER_ID,
        organization_id=GUID,
        monitor_api="v3",
        start="earliest",
        auth_url="https://auth.example",
        monitor_v2_url="https://monitor.example",
        monitor_v3_url="https://monitor.example",
        admin_url="https://admin.example",
        key_vault_url="https://vault.example",
        private_key_secret="key",
        workspace_key_secret="other-key",
        ingestion_api="logs-ingestion",
        workspace_id=WORKSPACE_ID,
        log_type="Other_1",
        data_collection_endpoint=LOGS_INGESTION["DATA_COLLECTION_ENDPOINT"],
        data_collection_rule_id=LOGS_INGESTION["DATA_COLLECTION_RULE_ID"],
        cloud=CLOUDS["AzureUSGovernment"],
        storage_connection=CONNECTION,
        blob_service_url="https://blob.example",
        identity_client_id=GUID,
        state_container="other",
        run_seconds=60,
        page_size=1,
        page_interval=0.5,
    )

    assert expected == found


def test_empty_means_absent() -> None:
    """An empty or blank value counts as absent, and white space around a value does not count."""
    blank = {setting.name: " " for setting in SETTINGS if setting.name not in ENVIRON}

    assert make_settings() == make_settings(**blank)
    assert make_settings() == make_settings(WORKSPACE_ID=f" {WORKSPACE_ID}\n")


def test_demo_hosts() -> None:
    """The demo environment has hosts of its own."""
    found = make_settings(DOCUSIGN_ENVIRONMENT="demo")

    assert (
        "https://account-d.docusign.com",
        "https://lens-d.docusign.net",
        "https://api-d.docusign.com",
        "https://api-d.docusign.net",
    ) == (found.auth_url, found.monitor_v2_url, found.monitor_v3_url, found.admin_url)


@pytest.mark.parametrize(
    ("cloud", "host"),
    [
        ("AzureCloud", "https://examplestorage.blob.core.windows.net"),
        ("AzureUSGovernment", "https://examplestorage.blob.core.usgovcloudapi.net"),
        ("AzureChinaCloud", "https://examplestorage.blob.core.chinacloudapi.cn"),
    ],
)
def test_clouds(cloud: str, host: str) -> None:
    """The cloud gives the storage account its host."""
    found = make_settings(AZURE_CLOUD=cloud)

    assert (cloud, host) == (found.cloud.name, found.blob_service_url)


def test_nothing_is_set() -> None:
    """An app without settings is told all that it needs at once."""
    with pytest.raises(SettingsError) as raised:
        read_settings({})

    assert [
        "DOCUSIGN_INTEGRATION_KEY",
        "DOCUSIGN_USER_ID",
        "KEY_VAULT_URL",
        "WORKSPACE_ID",
        "AzureWebJobsStorage",
    ] == [fault.split()[0] for fault in raised.value.faults]
    assert all(" is missing: " in fault for fault in raised.value.faults)


def test_every_fault_is_reported_together() -> None:
    """A value that is wrong in each checked setting gives one fault a setting, in one error."""
    unchecked = {"AzureWebJobsStorage"}
    wrong = {setting.name: "?" for setting in SETTINGS if setting.name not in unchecked}
    with pytest.raises(SettingsError) as raised:
        read_settings(wrong)

    assert list(wrong) == [fault.split()[0] for fault in raised.value.faults]
    assert all("expected " in fault for fault in raised.value.faults)
    assert all(fault in str(raised.value) for fault in raised.value.faults)


def test_wrong_and_missing_together() -> None:
    """What is wrong and what is missing stand in the same error."""
    with pytest.raises(SettingsError) as raised:
        read_settings(ENVIRON | {"DOCUSIGN_USER_ID": "", "PAGE_SIZE": "5000"})

    assert [
        "PAGE_SIZE is '5000'; expected a whole number from 1 to 2000",
        "DOCUSIGN_USER_ID is missing: The GUID of the DocuSign user that is impersonated.",
    ] == raised.value.faults


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("DOCUSIGN_ENVIRONMENT", ["Production", "stage"]),
        ("DOCUSIGN_INTEGRATION_KEY", ["key", GUID[:-1], GUID + "0", f"{{{GUID}}}", GUID.replace("-", "")]),
        ("DOCUSIGN_USER_ID", ["someone@example.com"]),
        ("DOCUSIGN_ORGANIZATION_ID", ["default", "../x"]),
        ("DOCUSIGN_MONITOR_API", ["v1", "V2", "2"]),
        ("DOCUSIGN_START", ["yesterday", "7", "P", "2026-11-41", "2999-01-01", "P" + "9" * 5000 + "D"]),
        (
            "KEY_VAULT_URL",
            [
                "vault",
                "http://vault.example",
                "https://",
                "https://v?x=1",
                "https://v#x",
                "https://a:b@v",
                "https://:b@v",
                "https://v:x",
                "https://v:99999",
                "https://[v",
                "vault.example",
            ],
        ),
        ("DOCUSIGN_AUTH_URL", ["http://auth.example"]),
        ("DOCUSIGN_MONITOR_URL", ["http://monitor.example", "ftp://monitor.example"]),
        ("DOCUSIGN_ADMIN_URL", ["http://admin.example"]),
        ("DATA_COLLECTION_ENDPOINT", ["http://endpoint.example"]),
        ("AzureWebJobsStorage__blobServiceUri", ["http://blob.example"]),
        ("DOCUSIGN_PRIVATE_KEY_SECRET", ["a b", "a/b", "a" * 128]),
        ("WORKSPACE_KEY_SECRET", ["a_b"]),
        ("INGESTION_API", ["DCR"]),
        ("WORKSPACE_ID", ["my-workspace"]),
        ("LOG_TYPE", ["1st", "a-b", "Ünicode", "a" * 93]),
        ("DATA_COLLECTION_RULE_ID", ["my-rule", "dcr-", "dcr-a/b"]),
        ("AZURE_CLOUD", ["AzurePublicCloud", "azurecloud"]),
        ("AzureWebJobsStorage__accountName", ["My", "ab", "a" * 25, "a.b"]),
        ("AzureWebJobsStorage__clientId", ["me"]),
        ("STATE_CONTAINER", ["ab", "Upper", "a--b", "-ab", "ab-", "a_b", "a" * 64]),
        ("MONITOR_SCHEDULE", ["*/5 * * * *", "0 */5 * * * * *", "00:05:00"]),
        ("DIRECTORY_SCHEDULE", ["hourly"]),
        ("RUN_SECONDS", ["0", "501", "1.5", "-1", "ten", "nan", "9" * 5000]),
        ("PAGE_SIZE", ["0", "2001", "1e3", "inf"]),
        ("PAGE_INTERVAL_SECONDS", ["-0.1", "61", "nan", "inf", "three"]),
    ],
)
def test_wrong_values(name: str, values: list[str]) -> None:
    """Each wrong value is one fault, which opens with the setting's name and says what is expected."""
    for value in values:
        found = faults(**{name: value})

        assert [name] == [fault.split()[0] for fault in found if " is missing: " not in fault]
        assert any("expected " in fault for fault in found)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("DOCUSIGN_USER_ID", [GUID, GUID.upper()]),
        (
            "DOCUSIGN_START",
            ["now", "earliest", "P30D", "p1d", "PT12H", "2026-01-01", "2026-01-01T00:00:00+02:00"],
        ),
        ("KEY_VAULT_URL", ["https://v.example:8443", "https://v.example/", "HTTPS://v.example"]),
        ("LOG_TYPE", ["A", "a" * 92]),
        ("STATE_CONTAINER", ["abc", "a-b-c", "a" * 63, "123"]),
        ("MONITOR_SCHEDULE", ["0 */5 * * * *", "0 0 0,12 1-5 JAN MON"]),
        ("RUN_SECONDS", ["1", "500"]),
        ("PAGE_SIZE", ["1", "2000"]),
        ("PAGE_INTERVAL_SECONDS", ["0", "60", "0.25"]),
    ],
)
def test_right_values(name: str, values: list[str]) -> None:
    """Values at the edges are taken."""
    for value in values:
        assert make_settings(**{name: value})


@pytest.mark.parametrize("name", [setting.name for setting in SETTINGS])
def test_long_values_are_not_shown(name: str) -> None:
    """A long value in the wrong place, which may be a secret, is shown in no fault."""
    for secret in (CONNECTION, "MIIEowIBAAKCAQEA" * 8, "hunter2-hunter2-hunter2-hunter2"):
        shown = " ".join(faults(**{name: secret, "PAGE_SIZE": "0" if name != "PAGE_SIZE" else secret}))

        assert secret not in shown
        assert secret[:12] not in shown


def test_the_connection_string_is_never_shown() -> None:
    """Neither a fault beside it nor the settings' own text shows the storage account's key."""
    found = faults(AzureWebJobsStorage=CONNECTION, WORKSPACE_ID="?", PAGE_SIZE=CONNECTION)

    assert "AccountKey" not in " ".join(found)
    assert "AccountKey" not in repr(make_settings(AzureWebJobsStorage=CONNECTION))


def test_strange_characters_are_not_shown() -> None:
    """A short value with characters that could forge a log line is shown by its length alone."""
    assert ["PAGE_SIZE is a value of 5 characters; expected a whole number from 1 to 2000"] == faults(
        PAGE_SIZE="1\n2\x1b3"
    )


def test_data_collector_needs() -> None:
    """The Data Collector API needs the workspace's id, whether it is chosen or the default."""
    for api in ("", "data-collector"):
        assert ["WORKSPACE_ID is missing: INGESTION_API=data-collector needs it"] == faults(
            WORKSPACE_ID="", INGESTION_API=api
        )


def test_logs_ingestion_needs() -> None:
    """The Logs Ingestion API needs an endpoint and a rule, and no workspace id."""
    assert [
        "DATA_COLLECTION_ENDPOINT is missing: INGESTION_API=logs-ingestion needs it",
        "DATA_COLLECTION_RULE_ID is missing: INGESTION_API=logs-ingestion needs it",
    ] == faults(INGESTION_API="logs-ingestion", WORKSPACE_ID="")
    assert "" == make_settings(**LOGS_INGESTION, WORKSPACE_ID="").workspace_id


@pytest.mark.parametrize(
    "storage",
    [
        {"AzureWebJobsStorage": CONNECTION},
        {"AzureWebJobsStorage__accountName": "examplestorage"},
        {"AzureWebJobsStorage__blobServiceUri": "https://examplestorage.blob.core.windows.net"},
    ],
)
def test_ways_to_storage(storage: dict[str, str]) -> None:
    """A connection string, an account's name or its address: each alone is enough."""
    none = {"AzureWebJobsStorage__accountName": ""}

    assert make_settings(**none | storage)
    assert "AzureWebJobsStorage" == faults(**none)[0].split()[0]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("now", NOW),
        ("earliest", EARLIEST),
        ("P7D", NOW - timedelta(days=7)),
        ("PT1H", NOW - timedelta(hours=1)),
        ("P0D", NOW),
        ("P50Y", EARLIEST),
        ("P5000Y", EARLIEST),
        ("P9999999Y", None),
        ("2026-11-20T00:00:00Z", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20T02:00:00+02:00", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("1999-12-31", EARLIEST),
        ("2026-11-21T12:00:00Z", NOW),
        ("2026-11-21T12:00:01Z", None),
        ("2026-11-20T25:00:00Z", None),
        ("tomorrow", None),
        ("", None),
    ],
)
def test_start_moment(value: str, expected: datetime | None) -> None:
    """A start is a moment between DocuSign's earliest data and now, or a fault that says what is expected."""
    if expected is not None:
        assert expected == start_moment(value, NOW)
        return
    with pytest.raises(ValueError, match="expected an ISO date-time"):
        start_moment(value, NOW)
