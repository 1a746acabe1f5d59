"""The Azure clouds as data: host suffixes, token scopes, sign-in hosts.

Sources: Microsoft's lists of endpoints for Azure Government and Azure operated by 21Vianet.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cloud:
    """What differs from one Azure cloud to another; suffixes have no leading dot."""

    name: str
    data_collector_suffix: str
    blob_suffix: str
    authority: str
    monitor_scope: str


CLOUDS = {
    cloud.name: cloud
    for cloud in (
        Cloud(
            name="AzureCloud",
            data_collector_suffix="ods.opinsights.azure.com",
            blob_suffix="blob.core.windows.net",
            authority="login.microsoftonline.com",
            monitor_scope="https://monitor.azure.com/.default",
        ),
        Cloud(
            name="AzureUSGovernment",
            data_collector_suffix="ods.opinsights.azure.us",
            blob_suffix="blob.core.usgovcloudapi.net",
            authority="login.microsoftonline.us",
            monitor_scope="https://monitor.azure.us/.default",
        ),
        Cloud(
            name="AzureChinaCloud",
            data_collector_suffix="ods.opinsights.azure.cn",
            blob_suffix="blob.core.chinacloudapi.cn",
            authority="login.chinacloudapi.cn",
            monitor_scope="https://monitor.azure.cn/.default",
        ),
    )
}
