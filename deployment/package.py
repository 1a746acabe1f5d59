"""The zip that Azure runs: the connector by an allow list, and its dependencies unpacked from wheels.

The same sources and pins give the same bytes: entries are sorted, times and modes are fixed, and nothing is
compiled. Beside the zip stand its SHA-256 and a bill of materials.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path, PurePosixPath

from deployment.sbom import Application, bill_of_materials
from deployment.template import ROOT, version
from deployment.wheels import MINOR, PackageError, Wheel, closure, pip_fetch, requirements

NAME = "docusign-monitor-connector"
ALLOWED = (
    "host.json",
    "requirements.txt",
    "MonitorTimerTrigger/__init__.py",
    "MonitorTimerTrigger/function.json",
    "DirectoryTimerTrigger/__init__.py",
    "DirectoryTimerTrigger/function.json",
    "shared/**/*.py",
)
PACKAGES = PurePosixPath(".python_packages/lib/site-packages")
_TIME = (1980, 1, 1, 0, 0, 0)
_MODE = 0o100644
_LEVEL = 9

Files = Mapping[str, bytes]
"""Contents by the path in the zip."""


def app_files(root: Path) -> dict[str, bytes]:
    """The connector's own files."""
    paths = {path for pattern in ALLOWED for path in root.glob(pattern)}
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


def library_files(wheels: Mapping[str, Wheel]) -> dict[str, bytes]:
    """The wheels' files, where the Functions worker looks for them.

    Raises:
        PackageError: Two wheels hold the same path.
    """
    found: dict[str, bytes] = {}
    for wheel in wheels.values():
        for place, content in _unpacked(wheel):
            path = str(PACKAGES / place)
            if found.setdefault(path, content) != content:
                raise PackageError(f"{wheel.name} and another wheel both hold {place}.")
    return found


def write_zip(path: Path, files: Files) -> None:
    """Write a zip whose bytes depend on the files alone (and on zlib, which packs them)."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system = 3  # Unix, wherever it is built
            entry.external_attr = _MODE << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[name])


def build(folder: Path, python: str, root: Path = ROOT) -> Path:
    """Build the package, its digest and its bill into the folder; the zip's path.

    Args:
        folder: Is made where it is missing.
        python: An interpreter whose pip fetches the wheels.
        root: The project.

    Raises:
        PackageError: The pins do not make a package.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{NAME}-{version()}.zip"
    with tempfile.TemporaryDirectory() as scratch:
        wheels = closure(root, pip_fetch(python, Path(scratch)))
        write_zip(path, library_files(wheels) | app_files(root))
        digest = sha256(path.read_bytes()).hexdigest()
        direct = [one.name for one in requirements(root / "requirements.txt")]
        bill = bill_of_materials(Application(NAME, version(), digest), direct, wheels)
    path.with_name(f"{path.name}.sha256").write_text(f"{digest}  {path.name}\n", encoding="ascii")
    path.with_name(f"{path.stem}.cdx.json").write_text(json.dumps(bill, indent=2) + "\n", encoding="utf-8")
    return path


def find_python() -> str | None:
    """A Python of the target's minor that runs and has pip; a version manager's shim may do neither."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [sys.executable, shutil.which(f"python{MINOR}"), *map(str, pyenv.glob(f"{MINOR}.*/bin/python"))]
    return next((python for python in found if python and _fits(python)), None)


def _unpacked(wheel: Wheel) -> Iterator[tuple[str, bytes]]:
    """The wheel's files by their place below site-packages; scripts and headers have no use there."""
    with zipfile.ZipFile(wheel.path) as archive:
        for name in archive.namelist():
            place = _place(name)
            if place and not name.endswith("/"):
                yield place, archive.read(name)


def _place(name: str) -> str | None:
    top, _, rest = name.partition("/")
    if not top.endswith(".data"):
        return name
    kind, _, inner = rest.partition("/")
    return inner if kind in ("purelib", "platlib") else None


def _fits(python: str) -> bool:
    check = f"import sys, pip; sys.exit('%d.%d' % sys.version_info[:2] != '{MINOR}')"
    return not subprocess.run([python, "-c", check], capture_output=True, check=False).returncode  # noqa: S603 - Python
