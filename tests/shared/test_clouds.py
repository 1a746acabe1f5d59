import re
from dataclasses import asdict

import pytest

from shared.clouds import CLOUDS, Cloud

EXPECTED = {
    "AzureCloud": (
        "ods.opinsights.azure.com",
        "blob.core.windows.net",
        "login.microsoftonline.com",
        "https://monitor.azure.com/.default",
    ),
    "AzureUSGovernment": (
        "ods.opinsights.azure.us",
        "blob.core.usgovcloudapi.net",
        "login.microsoftonline.us",
        "https://monitor.azure.us/.default",
    ),
    "AzureChinaCloud": (
        "ods.opinsights.azure.cn",
        "blob.core.chinacloudapi.cn",
        "login.chinacloudapi.cn",
        "https://monitor.azure.cn/.default",
    ),
}


def test_every_cloud() -> None:
    """Three clouds are known, each under its own name, with the hosts that Microsoft lists."""
    found = {
        name: (cloud.data_collector_suffix, cloud.blob_suffix, cloud.authority, cloud.monitor_scope)
        for name, cloud in CLOUDS.items()
    }

    assert EXPECTED == found
    assert list(CLOUDS) == [cloud.name for cloud in CLOUDS.values()]


@pytest.mark.parametrize("cloud", CLOUDS.values(), ids=lambda cloud: cloud.name)
def test_form(cloud: Cloud) -> None:
    """Suffixes and sign-in hosts are bare host names, to be put behind a name and a dot."""
    hosts = [cloud.data_collector_suffix, cloud.blob_suffix, cloud.authority]

    assert all(re.fullmatch(r"[a-z]+(\.[a-z]+)+", host) for host in hosts)


def test_clouds_share_no_host() -> None:
    """Nothing of one cloud is ever taken for another's."""
    values = [value for cloud in CLOUDS.values() for value in asdict(cloud).values()]

    assert len(values) == len(set(values))
