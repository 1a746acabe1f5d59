import json
import subprocess
import sys
import venv
import zipfile
from datetime import UTC, datetime
from email.message import Message
from hashlib import sha256
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from deployment.package import app_files, build, find_python, library_files, write_zip
from deployment.template import ROOT
from deployment.wheels import MINOR, PackageError, Wheel, closure, requirements
from sandbox.functions.host import FunctionHost
from sandbox.organization import make_organization
from sandbox.workspace.kql import query
from sandbox.world import Sandbox

LIBRARIES = ".python_packages/lib/site-packages/"
RUNTIME = ("azure-functions-runtime-v1", "grpcio", "protobuf", "typing_extensions")
"""What the Functions worker brings by itself."""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, built from the working tree."""
    return build(tmp_path_factory.mktemp("dist"), find_python() or sys.executable)


def make_wheel(folder: Path, name: str, version: str, *requires: str, **files: str) -> Path:
    """A wheel with a module of its name, and other files where given."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {one}" for one in requires)]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}-{version}.dist-info/METADATA", "\n".join(lines) + "\n")
        archive.writestr(f"{name}.py", "")
        for place, text in files.items():
            archive.writestr(place, text)
    return path


def pinned(folder: Path, wanted: str, pins: str = "") -> Path:
    """A project's folder with these two files."""
    (folder / "requirements.txt").write_text(wanted)
    (folder / "constraints.txt").write_text(pins)
    return folder


class TestClosure:
    """Which wheels go in."""

    def test_takes_the_lines_for_the_target(self, tmp_path: Path) -> None:
        """Markers are judged for Python 3.13 on Linux, whichever Python builds."""
        lines = (
            'a==2; python_version >= "3.13"\na==1; python_version < "3.13"\nb==1; sys_platform == "win32"\n'
        )

        assert ["a==2"] == [
            f"{one.name}{one.specifier}" for one in requirements(pinned(tmp_path, lines) / "requirements.txt")
        ]

    def test_takes_the_target_s_azure_functions(self) -> None:
        """The deployed library is the one for 3.13, not the older one that pip of another minor takes."""
        lines = {one.name: str(one.specifier) for one in requirements(ROOT / "requirements.txt")}

        assert "==2.3.0" == lines["azure-functions"]

    def test_follows_what_wheels_ask_for(self, tmp_path: Path) -> None:
        """Extras count when they are asked for, and what is for another system does not."""
        root = pinned(tmp_path, "a==1", "b==1\nc==1\n")
        paths = {
            "a": make_wheel(tmp_path, "a", "1", "b[more]", 'd; sys_platform == "win32"'),
            "b": make_wheel(tmp_path, "b", "1", 'c; extra == "more"', 'd; extra == "other"'),
            "c": make_wheel(tmp_path, "c", "1"),
        }

        assert ["a", "b", "c"] == list(closure(root, lambda versions: [paths[name] for name in versions]))

    def test_what_is_not_pinned(self, tmp_path: Path) -> None:
        """A dependency without a pin stops the build, by name."""
        root = pinned(tmp_path, "a==1")
        wheel = make_wheel(tmp_path, "a", "1", "b>=2")

        with pytest.raises(PackageError, match=r"a needs b>=2, which constraints\.txt does not pin"):
            closure(root, lambda _: [wheel])

    def test_a_pin_that_does_not_fit(self, tmp_path: Path) -> None:
        """A pin outside of what another wheel asks for stops the build."""
        root = pinned(tmp_path, "a==1", "b==1")
        wheel = make_wheel(tmp_path, "a", "1", "b>=2")

        with pytest.raises(PackageError, match="a needs b>=2, but the pin is 1"):
            closure(root, lambda _: [wheel])


class TestFiles:
    """What is taken from the project and from wheels."""

    def test_the_app_by_an_allow_list(self) -> None:
        """Nothing gets into the package by lying in the folder."""
        tops = {name.partition("/")[0] for name in app_files(ROOT)}
        functions = {path.parent.name for path in ROOT.glob("*/function.json")}

        assert {"host.json", "requirements.txt", "shared", *functions} == tops

    def test_data_folders(self, tmp_path: Path) -> None:
        """A wheel's purelib and platlib are unpacked in place; its scripts are left out."""
        files = {"a-1.data/purelib/x.py": "", "a-1.data/scripts/a": ""}
        path = make_wheel(tmp_path, "a", "1", **files)
        found = library_files({"a": Wheel(path, "a", "1", (), Message())})

        assert {"a-1.dist-info/METADATA", "a.py", "x.py"} == {name.removeprefix(LIBRARIES) for name in found}

    def test_two_wheels_one_path(self, tmp_path: Path) -> None:
        """Two wheels that hold different files of one name stop the build."""
        wheels = {
            name: Wheel(make_wheel(tmp_path, name, "1", **{"same.py": name}), name, "1", (), Message())
            for name in ("a", "b")
        }

        with pytest.raises(PackageError, match=r"b and another wheel both hold same\.py"):
            library_files(wheels)

    def test_order_does_not_count(self, tmp_path: Path) -> None:
        """The zip's bytes depend on the files, not on the order or the time they come in."""
        write_zip(tmp_path / "one.zip", {"a": b"1", "b": b"2"})
        write_zip(tmp_path / "two.zip", {"b": b"2", "a": b"1"})

        assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


@pytest.mark.integration
class TestPackage:
    """The package itself."""

    def test_same_input_same_bytes(self, package: Path, tmp_path: Path) -> None:
        """A second build, wheels fetched anew, makes the same three files."""
        again = build(tmp_path, find_python() or sys.executable)

        assert {path.name: path.read_bytes() for path in package.parent.iterdir()} == {
            path.name: path.read_bytes() for path in again.parent.iterdir()
        }

    def test_digest(self, package: Path) -> None:
        """The file beside the zip is what `sha256sum --check` reads."""
        digest = sha256(package.read_bytes()).hexdigest()

        assert f"{digest}  {package.name}\n" == package.with_name(f"{package.name}.sha256").read_text()

    def test_bill_of_materials(self, package: Path) -> None:
        """The bill names every library in the zip, with its licence and its wheel's digest."""
        bill = json.loads(package.with_name(f"{package.stem}.cdx.json").read_text())
        with zipfile.ZipFile(package) as archive:
            inside = {
                name.removeprefix(LIBRARIES).partition(".dist-info")[0]
                for name in archive.namelist()
                if name.endswith(".dist-info/METADATA")
            }
        listed = {f"{one['name'].replace('-', '_')}-{one['version']}" for one in bill["components"]}

        assert ("CycloneDX", "1.6") == (bill["bomFormat"], bill["specVersion"])
        assert inside == listed
        assert all(one["licenses"] and len(one["hashes"][0]["content"]) == 64 for one in bill["components"])
        assert {one["ref"] for one in bill["dependencies"]} >= {one["purl"] for one in bill["components"]}

    def test_libraries_are_built_for_azure(self, package: Path) -> None:
        """Compiled libraries are for CPython 3.13 on Linux, or for every version; nothing is bytecode."""
        with zipfile.ZipFile(package) as archive:
            names = archive.namelist()
        compiled = [name for name in names if name.endswith(".so")]

        assert compiled
        assert [] == [name for name in compiled if "cpython-313-x86_64" not in name and "abi3" not in name]
        assert [] == [name for name in names if name.endswith(".pyc")]

    @pytest.mark.skipif(
        f"{sys.version_info.major}.{sys.version_info.minor}" != MINOR,
        reason=f"the package's compiled libraries are for Python {MINOR}, as in Azure",
    )
    def test_runs_without_anything_else(self, package: Path, tmp_path: Path) -> None:
        """Unpacked beside an empty environment, the function carries events on Microsoft's runtime."""
        with zipfile.ZipFile(package) as archive:
            archive.extractall(tmp_path / "app")
        python = empty_environment(tmp_path / "venv")
        with Sandbox(tmp_path, make_organization(datetime.now(UTC), events=500)) as sandbox:
            settings = {**sandbox.environment, "AzureWebJobs.DirectoryTimerTrigger.Disabled": "true"}
            runtime = functions_runtime(tmp_path / "runtime")
            with FunctionHost(tmp_path / "app", settings, python, site_packages=[runtime]) as host:
                run = host.fire("MonitorTimerTrigger")
            _, rows = query(sandbox.workspace, "DocuSignMonitor_CL | count")

        assert (True, "") == (run.succeeded, run.error)
        assert [(500,)] == [tuple(row) for row in rows]


def empty_environment(folder: Path) -> str:
    """A Python that has none of the connector's libraries; its path."""
    venv.create(folder, with_pip=False, symlinks=True)
    python = str(folder / "bin" / "python")
    for library in ("azure.functions", "requests", "jwt", "orjson", "shared"):
        probe = subprocess.run([python, "-I", "-c", f"import {library}"], capture_output=True, check=False)
        assert probe.returncode, f"{library} should not be there"
    return python


def functions_runtime(folder: Path) -> Path:
    """The Functions worker's own libraries, alone in a folder."""
    folder.mkdir()
    for name in RUNTIME:
        distribution = metadata.distribution(name)
        for top in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            (folder / top).symlink_to(str(distribution.locate_file(top)))
    return folder


def test_pins_are_exact() -> None:
    """Every library of the package is pinned to one version."""
    lines = requirements(ROOT / "requirements.txt")

    assert [] == [str(one) for one in lines if not is_pinned(one)]


def is_pinned(requirement: Requirement) -> bool:
    """Whether it takes one version only."""
    return [spec.operator for spec in requirement.specifier] == ["=="]
