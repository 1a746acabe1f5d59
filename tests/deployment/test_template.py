import json
import re

import yaml

from deployment.buttons import buttons
from deployment.guide import GUIDE, guide
from deployment.template import ROOT, TEMPLATE, rendered
from shared.settings import SETTINGS
from tests.deployment.arm import ALTERNATIVES, PLATFORM, PREMIUM, Json, of_type


class TestSources:
    """The files as they are written."""

    def test_current(self) -> None:
        """The committed template is what the sources make; scripts/make_template.py writes it."""
        assert rendered() == TEMPLATE.read_text(encoding="utf-8")

    def test_guide_is_current(self) -> None:
        """The guide's table of parameters is what the sources make."""
        assert guide() == GUIDE.read_text(encoding="utf-8")

    def test_strict_json(self, template: Json, form: Json) -> None:
        """Both files are strict JSON without a key given twice."""
        assert "deploymentTemplate.json#" in template["$schema"]
        assert "CreateUIDefinition" in form["$schema"]

    def test_parameters_are_described(self, template: Json) -> None:
        """Every parameter says what it is for."""
        described = [name for name, spec in template["parameters"].items() if spec["metadata"]["description"]]

        assert [*template["parameters"]] == described

    def test_outputs_are_described(self, template: Json) -> None:
        """The guide to deployment names every output."""
        text = GUIDE.read_text(encoding="utf-8")

        assert [] == [name for name in template["outputs"] if f"`{name}`" not in text]

    def test_the_private_key_goes_to_the_vault_only(self, template: Json) -> None:
        """The one secret parameter is secure, has no default, and becomes a vault's secret, nothing else."""
        key = "docusignPrivateKey"
        secure = [name for name, spec in template["parameters"].items() if spec["type"] == "securestring"]
        users = [one for one in template["resources"] if key in json.dumps(one)]

        assert [key] == secure
        assert not template["parameters"][key]["defaultValue"]
        assert ["Microsoft.KeyVault/vaults/secrets"] == [one["type"] for one in users]
        assert key not in json.dumps([template["outputs"], template["variables"]])

    def test_the_workspace_key_goes_to_the_vault_only(self, template: Json) -> None:
        """The workspace key is read once, where it becomes a vault's secret."""
        (user,) = (one for one in template["resources"] if "listKeys" in json.dumps(one))
        (secret,) = user["properties"]["template"]["resources"]

        assert "Microsoft.KeyVault/vaults/secrets" == secret["type"]
        assert "listKeys" in secret["properties"]["value"]
        assert "listKeys" not in json.dumps([template["outputs"], template["variables"]])

    def test_setting_names(self, template: Json) -> None:
        """Every app setting of the contract is in the template, and none but the platform's besides."""
        (config,) = of_type(template["resources"], "Microsoft.Web/sites/config")
        late = set(re.findall(r"'([A-Za-z_]{9,})', (?:reference|if|format)\(", config["properties"]))
        contract = {setting.name for setting in SETTINGS} - ALTERNATIVES

        assert contract | PLATFORM == template["variables"]["settings"].keys() | late
        assert PREMIUM == template["variables"]["premiumSettings"].keys()

    def test_all_content_is_in_it(self, template: Json) -> None:
        """Every parser, rule and hunting query is in the template with its query unchanged."""
        nested = [one for one in template["resources"] if one["type"] == "Microsoft.Resources/deployments"]
        inside = [one for content in nested for one in content["properties"]["template"]["resources"]]
        queries = [one["properties"]["query"] for one in inside if "query" in one["properties"]]
        folders = ("parsers", "analytics_rules", "hunting_queries")
        files = [yaml.safe_load(path.read_text()) for one in folders for path in (ROOT / one).glob("*.yaml")]
        sources = [one.get("query") or one["FunctionQuery"] for one in files]

        assert sorted(sources) == sorted(re.sub(r"^\[\[", "[", query) for query in queries)
        assert [] == [query for query in queries if re.match(r"\[(?!\[)", query)]

    def test_buttons(self) -> None:
        """Each button opens its cloud's portal with the template and the form, from one place."""
        public, government = buttons().splitlines()

        assert "https://portal.azure.com/#create/Microsoft.Template/uri/https%3A%2F%2Fraw." in public
        assert "https://portal.azure.us/#create/Microsoft.Template/uri/https%3A%2F%2Fraw." in government
        assert all("/createUIDefinitionUri/https%3A%2F%2F" in button for button in (public, government))
