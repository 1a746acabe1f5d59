"""The wheels that the deployed app needs: of the pinned versions, for CPython 3.13 on Linux, whatever runs this.

pip decides by the Python that it runs on which lines of requirements.txt count, even when it downloads for
another: of another minor it once took an older azure-functions without a word. So the lines are judged here, for
the target, and pip only fetches one exact version at a time.
"""

import os
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from hashlib import sha256
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

MINOR = "3.13"
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
"""Azure's images for Python 3.13 have glibc 2.36; wheels for an older one are taken first come."""
TARGET = {
    "implementation_name": "cpython",
    "implementation_version": f"{MINOR}.0",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_system": "Linux",
    "platform_version": "",
    "python_full_version": f"{MINOR}.0",
    "python_version": MINOR,
    "sys_platform": "linux",
}

Fetch = Callable[[Mapping[str, str]], Iterable[Path]]
"""Versions by canonical name, to their wheels in any order."""


class PackageError(Exception):
    """The package cannot be built from these pins; the sentence says what to change."""


@dataclass(frozen=True)
class Wheel:
    """One wheel of the package, and what it says of itself."""

    path: Path
    name: str
    version: str
    requires: tuple[Requirement, ...]
    metadata: Message

    @property
    def sha256(self) -> str:
        """The digest of the file, as PyPI shows it."""
        return sha256(self.path.read_bytes()).hexdigest()

    def needs(self, extras: frozenset[str]) -> Iterator[Requirement]:
        """What it asks for on the target, with these extras of its own."""
        asked = extras or {""}
        return (one for one in self.requires if any(_counts(one, extra) for extra in asked))


def requirements(file: Path) -> list[Requirement]:
    """The lines of a requirements file that count on the target."""
    lines = (line.partition("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines())
    found = [Requirement(line) for line in lines if line and not line.startswith("-")]
    return [one for one in found if _counts(one)]


def closure(root: Path, fetch: Fetch) -> dict[str, Wheel]:
    """All wheels by canonical name, each of the version that requirements.txt or constraints.txt pins.

    Raises:
        PackageError: Something is not pinned, or a pin is not what another wheel asks for.
    """
    wanted = requirements(root / "requirements.txt")
    pins = _pins([*requirements(root / "constraints.txt"), *wanted])
    wheels: dict[str, Wheel] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    asked = [("requirements.txt", one) for one in wanted]
    while asked:
        for by, requirement in asked:
            _check_pin(requirement, by, pins)
        new = {(canonicalize_name(one.name), frozenset(one.extras)) for _, one in asked} - seen
        missing = sorted({name for name, _ in new} - wheels.keys())
        for wheel in map(read_wheel, fetch({name: pins[name] for name in missing}) if missing else ()):
            wheels[wheel.name] = wheel
        seen |= new
        asked = [(name, one) for name, extras in sorted(new, key=str) for one in wheels[name].needs(extras)]
    return dict(sorted(wheels.items()))


def read_wheel(path: Path) -> Wheel:
    """A wheel from its file."""
    with zipfile.ZipFile(path) as file:
        (inside,) = (
            one for one in file.namelist() if one.endswith(".dist-info/METADATA") and one.count("/") == 1
        )
        metadata = Parser().parsestr(file.read(inside).decode("utf-8"))
    requires = tuple(Requirement(line) for line in metadata.get_all("Requires-Dist", []))
    return Wheel(path, canonicalize_name(metadata["Name"]), metadata["Version"], requires, metadata)


def pip_fetch(python: str, folder: Path) -> Fetch:
    """Fetch with the pip of the given interpreter, into the folder."""
    target = ["--implementation=cp", f"--python-version={MINOR}", "--abi=cp313", "--abi=abi3", "--abi=none"]
    platforms = [f"--platform={platform}" for platform in PLATFORMS]

    def fetch(versions: Mapping[str, str]) -> Iterable[Path]:
        place = Path(tempfile.mkdtemp(dir=folder))
        command = [python, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += [*target, *platforms, f"--dest={place}"]
        command += [f"{name}=={version}" for name, version in versions.items()]
        environment = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)  # noqa: S603 - pip
        if done.returncode:
            raise PackageError(f"pip did not find every wheel for Python {MINOR}:\n{done.stderr.strip()}")
        return place.glob("*.whl")

    return fetch


def _pins(pinned: list[Requirement]) -> Mapping[str, str]:
    return {
        canonicalize_name(one.name): spec.version
        for one in pinned
        for spec in one.specifier
        if spec.operator == "=="
    }


def _check_pin(requirement: Requirement, by: str, pins: Mapping[str, str]) -> None:
    pin = pins.get(canonicalize_name(requirement.name))
    if pin is None:
        raise PackageError(
            f"{by} needs {requirement}, which constraints.txt does not pin: add a line for it."
        )
    if not requirement.specifier.contains(pin, prereleases=True):
        raise PackageError(f"{by} needs {requirement}, but the pin is {pin}: change one of the two.")


def _counts(requirement: Requirement, extra: str = "") -> bool:
    return requirement.marker is None or requirement.marker.evaluate({**TARGET, "extra": extra})
