import re
from itertools import product
from typing import Any

import pytest

from shared.settings import SETTINGS, read_settings
from tests.deployment.arm import GUID, PREMIUM, Json, app_settings, choice, of_type, values

OWNER = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"
SECRETS_USER = "4633458b-17de-408a-b874-0445c86b69e6"
PUBLISHER = "3913510d-42f4-4e42-8a64-420c390055eb"

ROADS = ("data-collector", "logs-ingestion")
PLANS = ("FlexConsumption", "ElasticPremium")


class TestRoles:
    """What the identity may do."""

    @pytest.mark.parametrize("road", ROADS)
    def test_least_privilege(self, tool: Any, template: Json, road: str) -> None:
        """The identity has one role on each thing that it uses, and none on a group or the workspace."""
        assignments = of_type(
            tool.expand(template, values(ingestionApi=road)), "Microsoft.Authorization/roleAssignments"
        )
        granted = {
            (
                one["scope"].rpartition("/providers/")[2].rpartition("/")[0],
                one["properties"]["roleDefinitionId"][-36:],
            )
            for one in assignments
        }
        rule = {("Microsoft.Insights/dataCollectionRules", PUBLISHER)} if road == "logs-ingestion" else set()

        assert granted == rule | {
            ("Microsoft.Storage/storageAccounts", OWNER),
            ("Microsoft.KeyVault/vaults", SECRETS_USER),
            ("Microsoft.Insights/components", PUBLISHER),
        }

    def test_named_and_typed(self, tool: Any, template: Json) -> None:
        """Each assignment has a GUID that repeats, and says that the identity is a service principal."""
        given = values(ingestionApi="logs-ingestion")
        first, second = (
            of_type(tool.expand(template, given), "Microsoft.Authorization/roleAssignments") for _ in range(2)
        )

        assert [one["name"] for one in first] == [one["name"] for one in second]
        assert {"ServicePrincipal"} == {one["properties"]["principalType"] for one in first}
        assert all(re.fullmatch(r"[0-9a-f-]{36}", one["name"]) for one in first)


class TestSettings:
    """The app settings."""

    @pytest.mark.parametrize(("road", "plan"), [*product(ROADS, PLANS)])
    def test_the_connector_takes_them(self, tool: Any, template: Json, road: str, plan: str) -> None:
        """The connector accepts the settings, and only Premium has those that Flex refuses."""
        settings = app_settings(tool.expand(template, choice(road, plan, network=False)))
        known_by_azure = {
            "WORKSPACE_ID": GUID,
            "AzureWebJobsStorage__clientId": GUID,
            "DATA_COLLECTION_ENDPOINT": "https://rule.example",
            "DATA_COLLECTION_RULE_ID": f"dcr-{GUID.replace('-', '')}",
        }
        late = {
            name: known_by_azure[name] for name, value in settings.items() if name in known_by_azure and value
        }
        read = read_settings(settings | late)

        assert road == read.ingestion_api
        assert settings["AzureWebJobsStorage__blobServiceUri"] == read.blob_service_url
        assert (PREMIUM if plan == "ElasticPremium" else set()) == PREMIUM & settings.keys()

    def test_defaults(self, tool: Any, template: Json) -> None:
        """What nobody chooses is as the contract says."""
        settings = app_settings(tool.expand(template, values()))
        defaults = {one.name: one.default for one in SETTINGS if one.default is not None}

        assert defaults == {name: settings[name] for name in defaults}
        assert "true" == settings["AzureWebJobs.DirectoryTimerTrigger.Disabled"]

    def test_the_directory_by_choice(self, tool: Any, template: Json) -> None:
        """The second timer runs when it is asked for, and the consent covers what it reads."""
        settings = app_settings(tool.expand(template, values(enableDirectory=True)))

        assert "false" == settings["AzureWebJobs.DirectoryTimerTrigger.Disabled"]
        assert "organization_read user_read" in template["outputs"]["consentUrl"]["value"]
