"""The software bill of materials of a package, in CycloneDX 1.6 JSON."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from packaging.utils import canonicalize_name

from deployment.wheels import Wheel

Component = dict[str, Any]


@dataclass(frozen=True)
class Application:
    """The package: its name, its version, and the SHA-256 of its file in hexadecimal."""

    name: str
    version: str
    digest: str

    @property
    def reference(self) -> str:
        """What the bill calls it."""
        return f"{self.name}@{self.version}"


def bill_of_materials(
    application: Application, direct: Iterable[str], wheels: Mapping[str, Wheel]
) -> Component:
    """The bill. It carries no time: the same package has the same bill.

    Args:
        application: What the bill is of.
        direct: The names of what it asks for itself.
        wheels: All that is in it, by canonical name.
    """
    roots = sorted(purl(wheels[canonicalize_name(name)]) for name in direct)
    needs = [{"ref": purl(wheel), "dependsOn": _depends_on(wheel, wheels)} for wheel in wheels.values()]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, application.digest)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": application.reference,
                "name": application.name,
                "version": application.version,
                "hashes": [{"alg": "SHA-256", "content": application.digest}],
                "licenses": [{"license": {"id": "MIT"}}],
            }
        },
        "components": [_component(wheel) for wheel in wheels.values()],
        "dependencies": [{"ref": application.reference, "dependsOn": roots}, *needs],
    }


def purl(wheel: Wheel) -> str:
    """The package URL, which is also the reference inside the bill."""
    return f"pkg:pypi/{wheel.name}@{wheel.version}"


def _component(wheel: Wheel) -> Component:
    return {
        "type": "library",
        "bom-ref": purl(wheel),
        "name": wheel.name,
        "version": wheel.version,
        "purl": purl(wheel),
        "hashes": [{"alg": "SHA-256", "content": wheel.sha256}],
        "licenses": _licenses(wheel),
        "externalReferences": [
            {"type": "distribution", "url": f"https://pypi.org/project/{wheel.name}/{wheel.version}/"}
        ],
    }


def _licenses(wheel: Wheel) -> list[dict[str, Any]]:
    """The SPDX expression where the wheel has one, else the name that it gives."""
    expression = wheel.metadata.get("License-Expression")
    if expression:
        return [{"expression": expression}]
    classifiers = wheel.metadata.get_all("Classifier", [])
    names = [one.rpartition(" :: ")[2] for one in classifiers if one.startswith("License :: ")]
    first_line = str(wheel.metadata.get("License", "")).strip().partition("\n")[0]
    return [{"license": {"name": name}} for name in names or [first_line] if name]


def _depends_on(wheel: Wheel, wheels: Mapping[str, Wheel]) -> list[str]:
    names = {canonicalize_name(one.name) for one in wheel.needs(frozenset())}
    return sorted(purl(wheels[name]) for name in names if name in wheels)
