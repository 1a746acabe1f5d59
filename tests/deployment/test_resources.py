from collections import Counter
from itertools import product
from typing import Any

import pytest

from deployment.template import ROOT
from shared.ingestion.columns import TABLES
from tests.deployment.arm import Json, app_settings, choice, errors, of_type, values

ALWAYS = Counter(
    {
        "Microsoft.ManagedIdentity/userAssignedIdentities": 1,
        "Microsoft.Storage/storageAccounts": 1,
        "Microsoft.Storage/storageAccounts/blobServices": 1,
        "Microsoft.Storage/storageAccounts/blobServices/containers": 2,
        "Microsoft.Storage/storageAccounts/managementPolicies": 1,
        "Microsoft.KeyVault/vaults": 1,
        "Microsoft.KeyVault/vaults/secrets": 1,
        "Microsoft.Authorization/roleAssignments": 3,
        "Microsoft.Insights/components": 1,
        "Microsoft.Insights/diagnosticSettings": 3,
        "Microsoft.Web/serverfarms": 1,
        "Microsoft.Web/sites": 1,
        "Microsoft.Web/sites/basicPublishingCredentialsPolicies": 2,
        "Microsoft.Web/sites/config": 1,
        "Microsoft.Resources/deployments": 3,
        "Microsoft.OperationalInsights/workspaces/savedSearches": len([*ROOT.glob("parsers/*.yaml")]),
    }
)
BY_ROAD = {
    "data-collector": Counter({"Microsoft.KeyVault/vaults/secrets": 1}),
    "logs-ingestion": Counter(
        {
            "Microsoft.OperationalInsights/workspaces/tables": len(TABLES),
            "Microsoft.Insights/dataCollectionRules": 1,
            "Microsoft.Authorization/roleAssignments": 1,
        }
    ),
}
BY_PLAN = {
    "FlexConsumption": Counter({"Microsoft.Web/sites/extensions": 1}),
    "ElasticPremium": Counter[str](),
}
BY_NETWORK = {
    False: Counter[str](),
    True: Counter(
        {
            "Microsoft.Network/networkSecurityGroups": 1,
            "Microsoft.Network/virtualNetworks": 1,
            "Microsoft.Network/privateDnsZones": 2,
            "Microsoft.Network/privateDnsZones/virtualNetworkLinks": 2,
            "Microsoft.Network/privateEndpoints": 2,
            "Microsoft.Network/privateEndpoints/privateDnsZoneGroups": 2,
        }
    ),
}
CONTENT = Counter(
    {
        "Microsoft.SecurityInsights/alertRules": len([*ROOT.glob("analytics_rules/*.yaml")]),
        "Microsoft.OperationalInsights/workspaces/savedSearches": len([*ROOT.glob("hunting_queries/*.yaml")]),
        "Microsoft.Insights/workbooks": len([*ROOT.glob("workbooks/*.json")]),
    }
)
CHOICES = [*product(BY_ROAD, BY_PLAN, BY_NETWORK)]


class TestResources:
    """What each choice deploys."""

    @pytest.mark.parametrize(("road", "plan", "network"), CHOICES)
    def test_what_is_deployed(self, tool: Any, template: Json, road: str, plan: str, network: bool) -> None:  # noqa: FBT001
        """Each combination deploys these resources and no others, all valid by Microsoft's type data."""
        given = choice(road, plan, network)
        deployed = Counter(one["type"] for one in tool.expand(template, given))

        assert [] == errors(tool.check(template, given))
        assert ALWAYS + BY_ROAD[road] + BY_PLAN[plan] + BY_NETWORK[network] + CONTENT == deployed

    def test_without_content(self, tool: Any, template: Json) -> None:
        """The switches leave out the rules, the hunting queries, the workbook and the diagnostic settings."""
        switches = (
            "deployAnalyticsRules",
            "deployHuntingQueries",
            "deployWorkbook",
            "deployDiagnosticSettings",
        )
        given = values(**dict.fromkeys(switches, False))
        deployed = Counter(one["type"] for one in tool.expand(template, given))
        expected = ALWAYS + BY_ROAD["data-collector"] + BY_PLAN["FlexConsumption"]
        del expected["Microsoft.Insights/diagnosticSettings"]

        assert [] == errors(tool.check(template, given))
        assert expected == deployed

    @pytest.mark.parametrize("enabled", [False, True])
    def test_rules_are_on_by_choice(self, tool: Any, template: Json, enabled: bool) -> None:  # noqa: FBT001
        """Rules come switched off unless enableAnalyticsRules says otherwise."""
        rules = of_type(
            tool.expand(template, values(enableAnalyticsRules=enabled)),
            "Microsoft.SecurityInsights/alertRules",
        )

        assert {enabled} == {one["properties"]["enabled"] for one in rules}

    @pytest.mark.parametrize("cloud", ["AzureUSGovernment", "AzureChinaCloud"])
    def test_other_clouds(self, tool: Any, template: Json, cloud: str) -> None:
        """In each cloud the names of its own hosts are used, and the form of the template holds."""
        given = choice("logs-ingestion", "ElasticPremium", network=True)
        settings = app_settings(tool.expand(template, given, cloud))

        assert [] == errors(tool.check(template, given, cloud))
        assert cloud == settings["AZURE_CLOUD"]
        assert "core.windows.net" not in settings["AzureWebJobsStorage__blobServiceUri"]
        assert not settings["KEY_VAULT_URL"].endswith("vault.azure.net")

    def test_every_choice_of_every_parameter(self, tool: Any, template: Json) -> None:
        """Every allowed value, both ways of every switch, and the shortest and longest of what has limits are valid."""
        found = []
        for name, spec in template["parameters"].items():
            ways = spec.get("allowedValues") or {"bool": [True, False]}.get(spec["type"], [])
            ways = ways or [spec[limit] for limit in ("minValue", "maxValue") if limit in spec]
            for value in ways:
                found += errors(tool.check(template, values(**{name: value})))

        assert [] == found

    def test_an_update_needs_no_private_key(self, tool: Any, template: Json) -> None:
        """Without the key the secret is left as it is in the vault."""
        resources = tool.expand(template, values(docusignPrivateKey=""))
        secrets = [one["name"] for one in of_type(resources, "Microsoft.KeyVault/vaults/secrets")]

        assert 1 == len(secrets)
        assert secrets[0].endswith("/workspace-key")


class TestNames:
    """Names, and Azure's limits for them."""

    def test_longest(self, tool: Any, template: Json) -> None:
        """With the longest inputs all names stay within Azure's limits, and the app's within a host id."""
        given = choice(
            "logs-ingestion",
            "FlexConsumption",
            network=True,
            name="n" * 18,
            workspaceName="w" * 63,
            workspaceResourceGroup="g" * 90,
        )
        resources = tool.expand(template, given)
        longest = {one["type"]: len(one["name"].rpartition("/")[2]) for one in resources}

        assert [] == errors(tool.check(template, given))
        assert 32 == longest["Microsoft.Web/sites"]
        assert longest["Microsoft.Storage/storageAccounts"] <= 24
        assert longest["Microsoft.KeyVault/vaults"] <= 24
        assert longest["Microsoft.Resources/deployments"] <= 64

    def test_two_in_one_group(self, tool: Any, template: Json) -> None:
        """Two deployments in one group share only what belongs to the workspace and the zones that Azure names."""
        one, two = (
            {
                resource["id"].lower(): resource["type"]
                for resource in tool.expand(
                    template,
                    choice(
                        "logs-ingestion", "FlexConsumption", network=True, name=f"docusign-monitor-{which}"
                    ),
                )
            }
            for which in "ab"
        )
        shared = {one[found] for found in one.keys() & two.keys()}

        assert shared - CONTENT.keys() == {
            "Microsoft.Network/privateDnsZones",
            "Microsoft.OperationalInsights/workspaces/tables",
        }

    def test_case_is_no_difference(self, tool: Any, template: Json) -> None:
        """A name in capitals is the same deployment: Azure's names do not tell them apart."""
        small, large = (
            {resource["id"] for resource in tool.expand(template, values(name=name))}
            for name in ("acme", "ACME")
        )

        assert small == large

    def test_the_workspace_s_own_group(self, tool: Any, template: Json) -> None:
        """What belongs to the workspace goes to its group; all else stays in the deployment's."""
        resources = tool.expand(template, values(ingestionApi="logs-ingestion"))
        there = {one["type"] for one in resources if "/resourcegroups/security-rg/" in one["id"].lower()}
        here = {one["type"] for one in resources if "/resourcegroups/rg/" in one["id"].lower()}

        content = {kind for kind, count in CONTENT.items() if count}

        assert not (there & here) - {"Microsoft.Resources/deployments"}
        assert there == {
            "Microsoft.OperationalInsights/workspaces/savedSearches",
            "Microsoft.OperationalInsights/workspaces/tables",
            "Microsoft.Resources/deployments",
            *content,
        }


class TestSafety:
    """What is closed, kept and pinned."""

    def test_storage(self, tool: Any, template: Json) -> None:
        """Storage takes no keys, shows nothing in public, and keeps what was deleted or overwritten."""
        resources = tool.expand(template, values())
        (account,) = of_type(resources, "Microsoft.Storage/storageAccounts")
        (blobs,) = of_type(resources, "Microsoft.Storage/storageAccounts/blobServices")
        expected = {
            "allowSharedKeyAccess": False,
            "allowBlobPublicAccess": False,
            "minimumTlsVersion": "TLS1_2",
        }

        assert expected == {name: account["properties"][name] for name in expected}
        assert blobs["properties"]["isVersioningEnabled"]
        assert blobs["properties"]["deleteRetentionPolicy"]["enabled"]

    def test_vault(self, tool: Any, template: Json) -> None:
        """The vault goes by roles and cannot be purged."""
        (vault,) = of_type(tool.expand(template, values()), "Microsoft.KeyVault/vaults")

        assert (True, True) == (
            vault["properties"]["enableRbacAuthorization"],
            vault["properties"]["enablePurgeProtection"],
        )

    @pytest.mark.parametrize(("network", "access"), [(True, "Disabled"), (False, "Enabled")])
    def test_private_network(self, tool: Any, template: Json, network: bool, access: str) -> None:  # noqa: FBT001
        """With a network of its own, storage and vault are closed to every other."""
        resources = tool.expand(template, values(privateNetworking=network))
        kinds = ("Microsoft.Storage/storageAccounts", "Microsoft.KeyVault/vaults")

        assert [access] * 2 == [
            one["properties"]["publicNetworkAccess"] for kind in kinds for one in of_type(resources, kind)
        ]

    def test_the_code(self, tool: Any, template: Json) -> None:
        """The package is this version's release unless another is given, by the plan's own way."""
        (extension,) = of_type(tool.expand(template, values()), "Microsoft.Web/sites/extensions")
        premium = app_settings(
            tool.expand(template, values(plan="ElasticPremium", packageUri="https://files.example/other.zip"))
        )

        assert template["variables"]["releasedPackage"] == extension["properties"]["packageUri"]
        assert "https://files.example/other.zip" == premium["WEBSITE_RUN_FROM_PACKAGE"]
