"""What the tests of the template share: values for its parameters, and ways to read its resources."""

import json
from pathlib import Path
from typing import Any

from deployment.template import ROOT

TOOLS = ROOT.parent / "shared/tools"
FORM = ROOT / "createUiDefinition.json"
GUID = "9b2c3d4e-0000-4000-8000-00000000000f"

ALTERNATIVES = {"AzureWebJobsStorage"}
"""Left out of the template: a connection string holds a key, and the account takes none."""
PLATFORM = {
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "AzureWebJobs.DirectoryTimerTrigger.Disabled",
    "AzureWebJobsStorage__credential",
}
"""Read by the Functions host, not by the connector."""
PREMIUM = {"FUNCTIONS_EXTENSION_VERSION", "FUNCTIONS_WORKER_RUNTIME", "WEBSITE_RUN_FROM_PACKAGE"}
"""Read by the Functions host on Elastic Premium; Flex Consumption refuses them."""

Json = dict[str, Any]


def strict(path: Path) -> Json:
    """A JSON file; a key that stands twice in one object is an error."""

    def unique(pairs: list[tuple[str, Any]]) -> Json:
        assert len(dict(pairs)) == len(pairs), [name for name, _ in pairs]
        return dict(pairs)

    content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=unique)
    assert isinstance(content, dict)
    return content


def values(**others: Any) -> Json:
    """Values for the parameters that have no default, and others."""
    return {
        "workspaceName": "security",
        "workspaceResourceGroup": "security-rg",
        "docusignIntegrationKey": GUID,
        "docusignUserId": GUID,
        "docusignPrivateKey": "-----BEGIN RSA PRIVATE KEY-----",
        **others,
    }


def choice(road: str, plan: str, network: bool, **others: Any) -> Json:  # noqa: FBT001 - a row of CHOICES
    """The parameters of one combination."""
    return values(ingestionApi=road, plan=plan, privateNetworking=network, **others)


def errors(findings: list[Any]) -> list[str]:
    """The findings that would fail or endanger a deployment."""
    return [f"{one.path}: {one.message}" for one in findings if one.severity == "error"]


def of_type(resources: list[Json], kind: str) -> list[Json]:
    """The resources of one type."""
    return [one for one in resources if one["type"] == kind]


def app_settings(resources: list[Json]) -> Json:
    """The app settings."""
    (config,) = of_type(resources, "Microsoft.Web/sites/config")
    return dict(config["properties"])
