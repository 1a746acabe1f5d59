"""The page of the settings, made from `shared.settings`."""

from collections.abc import Iterator

from shared.clouds import CLOUDS
from shared.settings import SETTINGS, Setting

_HEAD = """# Settings

Made by `scripts/make-docs` from `shared/settings.py`. They are the app settings of the function app; on your own
machine they stand in `local.settings.json`. An empty value counts as absent. All of them are checked at the start
of each run, and all faults are reported together."""

_TAIL = """## Around them

* `AzureWebJobs.MonitorTimerTrigger.Disabled` and `AzureWebJobs.DirectoryTimerTrigger.Disabled`: the platform's own
  switches, `true` or `false`. The template sets the second to `true`: users and accounts are off until asked for.
* `HTTPS_PROXY`, `NO_PROXY`, `REQUESTS_CA_BUNDLE`: proxies and private certificate authorities, as everywhere.
* Storage is found by `AzureWebJobsStorage` (a connection string), or by `AzureWebJobsStorage__accountName` or
  `AzureWebJobsStorage__blobServiceUri` and the identity. One of the three is needed.

## Hosts

A firewall or proxy must let these through, all on port 443.

| for | production | demo |
|---|---|---|
| tokens | `account.docusign.com` | `account-d.docusign.com` |
| events, v2.0 | `lens.docusign.net` | `lens-d.docusign.net` |
| events, v3 | `api.docusign.com` | `api-d.docusign.com` |
| users and accounts | `api.docusign.net` | `api-d.docusign.net` |
| details of users | each account's own, such as `na3.docusign.net` | `demo.docusign.net` |
"""


def settings_page() -> str:
    """The reference of the settings."""
    table = ["| name | default | takes | meaning |", "|---|---|---|---|", *map(_line, SETTINGS)]
    return "\n".join([_HEAD, "", *table, "", _TAIL, *_clouds()]) + "\n"


def expected(setting: Setting) -> str:
    """What the setting takes, in the words of its own check; nothing when it takes any text."""
    fault = setting.check("\n") or ""
    return fault.partition("expected ")[2].removeprefix("one such as ")


def _line(setting: Setting) -> str:
    default = f"`{setting.default}`" if setting.default is not None else ""
    cells = (
        f"`{setting.name}`",
        "**required**" if setting.required else default,
        expected(setting),
        setting.meaning,
    )
    return f"| {' | '.join(cells)} |"


def _clouds() -> Iterator[str]:
    yield "| Azure | the workspace by `data-collector` | storage | sign-in |"
    yield "|---|---|---|---|"
    for cloud in CLOUDS.values():
        yield (
            f"| `{cloud.name}` | `<WORKSPACE_ID>.{cloud.data_collector_suffix}` | `<account>.{cloud.blob_suffix}` | "
            f"`{cloud.authority}` |"
        )
    yield ""
    yield (
        "Besides: the vault of `KEY_VAULT_URL`, and for `logs-ingestion` the host of `DATA_COLLECTION_ENDPOINT`. In "
        "Azure the managed identity is local and needs no host."
    )
