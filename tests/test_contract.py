"""The names that deployed apps, templates and operators rely on, written out once more."""

import ast
import json
import re
import sys
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

import shared
from shared.settings import SETTINGS, read_settings
from tests import support

ROOT = Path(__file__).parents[1]

DEFAULTS = {
    "DOCUSIGN_ENVIRONMENT": "production",
    "DOCUSIGN_INTEGRATION_KEY": None,
    "DOCUSIGN_USER_ID": None,
    "DOCUSIGN_ORGANIZATION_ID": None,
    "DOCUSIGN_MONITOR_API": "auto",
    "DOCUSIGN_START": "P7D",
    "DOCUSIGN_AUTH_URL": None,
    "DOCUSIGN_MONITOR_URL": None,
    "DOCUSIGN_ADMIN_URL": None,
    "KEY_VAULT_URL": None,
    "DOCUSIGN_PRIVATE_KEY_SECRET": "docusign-private-key",
    "WORKSPACE_KEY_SECRET": "workspace-key",
    "INGESTION_API": "data-collector",
    "WORKSPACE_ID": None,
    "LOG_TYPE": "DocuSignMonitor",
    "DATA_COLLECTION_ENDPOINT": None,
    "DATA_COLLECTION_RULE_ID": None,
    "AZURE_CLOUD": "AzureCloud",
    "AzureWebJobsStorage": None,
    "AzureWebJobsStorage__accountName": None,
    "AzureWebJobsStorage__blobServiceUri": None,
    "AzureWebJobsStorage__clientId": None,
    "STATE_CONTAINER": "docusign-monitor",
    "MONITOR_SCHEDULE": "0 */5 * * * *",
    "DIRECTORY_SCHEDULE": "0 0 */6 * * *",
    "RUN_SECONDS": "480",
    "PAGE_SIZE": "2000",
    "PAGE_INTERVAL_SECONDS": "3",
}

RUNTIME = {
    "azure-functions",
    "azure-identity",
    "azure-keyvault-secrets",
    "azure-storage-blob",
    "requests",
    "PyJWT",
    "cryptography",
    "orjson",
    "tenacity",
}
RUNTIME_IMPORTS = {"azure", "requests", "urllib3", "jwt", "cryptography", "orjson", "tenacity"}
"""urllib3 comes with requests, whose sockets it makes."""

LAYERS = (
    {"directory_app"},
    {"app"},
    {"run", "health", "directory"},
    {"docusign", "ingestion"},
    {
        "checkpoint",
        "dead_letters",
        "fenced_blob",
        "vault",
        "lease",
        "storage",
        "position",
        "identity",
    },
    {"azure_calls", "web", "network", "deadline"},
    {"answers", "retry", "renewal", "budget", "shutdown"},
    {"settings", "owner", "clouds", "timestamps", "lenient_json", "heap", "errors"},
)
"""As the docstring of `shared` draws them, with the modules that it does not name."""


def load(name: str) -> Any:
    """Give the content of one of the project's JSON files, read strictly."""
    return json.loads((ROOT / name).read_text("utf-8"))


def test_settings() -> None:
    """The settings, in their order, and their defaults are the contract's."""
    assert list(DEFAULTS.items()) == [(setting.name, setting.default) for setting in SETTINGS]


def test_defaults_pass_their_own_checks() -> None:
    """No default is one that its own check refuses, and a required setting has none."""
    assert {} == {s.name: s.check(s.default) for s in SETTINGS if s.default and s.check(s.default)}
    assert [] == [s.name for s in SETTINGS if s.required and s.default is not None]


def test_every_setting_says_what_it_is_for() -> None:
    """Each setting has a sentence for the docs."""
    assert [] == [setting.name for setting in SETTINGS if not re.fullmatch(r"[A-Z].+\.", setting.meaning)]


class TestLocalSettings:
    """`local.settings.json.example`: what a developer copies."""

    values: dict[str, str] = load("local.settings.json.example")["Values"]

    def test_every_setting_is_there(self) -> None:
        """Every setting is in the example and nothing else, but for what the Functions tools need."""
        assert {"IsEncrypted": False, "Values": self.values} == load("local.settings.json.example")
        assert {"FUNCTIONS_WORKER_RUNTIME", *DEFAULTS} == set(self.values)
        assert "python" == self.values["FUNCTIONS_WORKER_RUNTIME"]

    def test_values(self) -> None:
        """Each value is text: the default where there is one, and empty for what may be left out."""
        examples = {"KEY_VAULT_URL", "WORKSPACE_ID", "AzureWebJobsStorage"} | {
            setting.name for setting in SETTINGS if setting.required
        }
        others = {name: value or "" for name, value in DEFAULTS.items() if name not in examples}

        assert others == {name: self.values[name] for name in others}
        assert all(isinstance(self.values[name], str) and self.values[name] for name in examples)

    def test_the_connector_takes_it(self) -> None:
        """The example is complete: the connector finds no fault in it."""
        assert "UseDevelopmentStorage=true" == read_settings(self.values).storage_connection


class TestHost:
    """`host.json` and the functions' own files."""

    host = load("host.json")

    def test_timeout(self) -> None:
        """A run may take ten minutes, on any plan."""
        assert ("2.0", "00:10:00") == (self.host["version"], self.host["functionTimeout"])

    def test_sampling(self) -> None:
        """Sampling drops no log line, no failure and no run."""
        sampling = self.host["logging"]["applicationInsights"]["samplingSettings"]

        assert {"Trace", "Exception", "Request"} == set(sampling["excludedTypes"].split(";"))

    def test_the_run_ends_before_its_host(self) -> None:
        """The longest run that the setting allows leaves a failing run the time to report."""
        longest = next(setting for setting in SETTINGS if setting.name == "RUN_SECONDS")

        assert longest.check("500") is None
        assert longest.check("501")

    def test_monitor_timer(self) -> None:
        """The timer runs on its setting, catches up once after downtime, and never on start."""
        (binding,) = load("MonitorTimerTrigger/function.json")["bindings"]

        assert {
            "name": "timer",
            "type": "timerTrigger",
            "direction": "in",
            "schedule": "%MONITOR_SCHEDULE%",
            "useMonitor": True,
            "runOnStartup": False,
        } == binding

    @pytest.mark.parametrize("path", sorted(ROOT.glob("*/function.json")), ids=lambda path: path.parent.name)
    def test_every_timer(self, path: Path) -> None:
        """A function's schedule is a setting, its script is beside it, and it does not run on start."""
        function = load(str(path.relative_to(ROOT)))
        (binding,) = function["bindings"]

        assert (path.parent / function["scriptFile"]).is_file()
        assert DEFAULTS.keys() >= {binding["schedule"].strip("%")}
        assert (True, False) == (binding["useMonitor"], binding["runOnStartup"])


def requirements(name: str) -> list[str]:
    """Give a requirements file's lines, without comments and options."""
    lines = (line.split("#")[0].strip() for line in (ROOT / name).read_text("utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("-")]


def test_runtime_dependencies() -> None:
    """The app is deployed with the contract's packages, and no other."""
    assert RUNTIME == {line.split("==")[0] for line in requirements("requirements.txt")}


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt", "constraints.txt"])
def test_pins(name: str) -> None:
    """Every package has one exact version."""
    form = re.compile(r"[A-Za-z0-9._-]+(\[[a-z]+\])?==\d[\w.]*(; python_version (<|>=) \"3\.\d+\")?")

    assert [] == [line for line in requirements(name) if not form.fullmatch(line)]


def modules() -> dict[str, ast.Module]:
    """Give the modules of `shared`, by their dotted names."""
    found = {}
    for path in sorted((ROOT / "shared").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text("utf-8"))
    return found


MODULES = modules()


def imports(tree: ast.Module) -> set[str]:
    """Give the dotted names of the modules that a module imports; a relative one starts with a dot."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            found |= {
                name if (name := f"{origin}.{alias.name}") in MODULES else origin for alias in node.names
            }
    return found


IMPORTS = {name: imports(tree) for name, tree in MODULES.items()}


def layer(module: str) -> int:
    """Give the number of a module's layer, counted from the top."""
    part = module.split(".")[1]
    return next(number for number, names in enumerate(LAYERS) if part in names)


class TestLayers:
    """Imports in `shared` run one way."""

    def test_every_module_has_a_layer(self) -> None:
        """Each module stands in one layer; a new one must be given its place."""
        names = {name.split(".")[1] for name in MODULES if "." in name}

        assert names == set().union(*LAYERS)
        assert len(names) == sum(map(len, LAYERS))

    def test_the_docstring_draws_them(self) -> None:
        """The package's docstring draws the same layers, in the same order."""
        picture = (shared.__doc__ or "").split("::\n\n")[1].splitlines()
        drawn = [set(re.findall(r"[a-z_]+", re.split(r" {2,}", line.strip())[0])) for line in picture if line]

        assert len(LAYERS) == len(drawn)
        assert all(named <= layer for named, layer in zip(drawn, LAYERS, strict=True))

    @pytest.mark.parametrize("name", [name for name in MODULES if "." in name])
    def test_nothing_imports_upwards(self, name: str) -> None:
        """A module imports from its own layer and those below, and DocuSign's side not the workspace's."""
        other_side = {"docusign": "ingestion", "ingestion": "docusign"}.get(name.split(".")[1])
        inside = {module for module in IMPORTS[name] if module.startswith("shared.")}

        assert [] == sorted(module for module in inside if layer(module) < layer(name))
        assert [] == sorted(module for module in inside if module.split(".")[1] == other_side)

    def test_no_circles(self) -> None:
        """No module imports itself by way of others."""
        order = list(TopologicalSorter(IMPORTS).static_order())

        assert set(MODULES) <= set(order)

    def test_absolute(self) -> None:
        """Every import is absolute: `from ..shared` would be a second copy of the package in the worker."""
        assert {} == {name: found for name in MODULES if (found := [i for i in IMPORTS[name] if i[0] == "."])}

    def test_only_what_is_deployed(self) -> None:
        """The connector imports the standard library, its dependencies and itself: no sandbox, no tests."""
        allowed = {"shared", *RUNTIME_IMPORTS, *sys.stdlib_module_names}

        assert set() == {i.split(".")[0] for found in IMPORTS.values() for i in found} - allowed

    def test_functions_import_the_package_absolutely(self) -> None:
        """The functions import Azure's library and `shared`, and no more."""
        for path in ROOT.glob("*/function.json"):
            tree = ast.parse((path.parent / "__init__.py").read_text("utf-8"))

            assert {"azure", "shared"} == {module.split(".")[0] for module in imports(tree)}


def test_our_tests_are_the_ones_imported() -> None:
    """`tests` is this folder, though a package of the Functions runtime brings a `tests` of its own."""
    assert ROOT / "tests" / "support.py" == Path(support.__file__)
