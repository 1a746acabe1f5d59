import re
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.world import private_pem
from shared.docusign.private_key import load_private_key
from tests.deployment.arm import GUID, Json, errors


class TestForm:
    """The portal's form."""

    def test_fits_the_template(self, tool: Any, form: Json, template: Json) -> None:
        """What the form hands over is what the template takes."""
        assert [] == errors(tool.check_ui(form, template))

    def test_pem(self, form: Json) -> None:
        """The form takes a key with and without line ends, as the connector does, and no public key."""
        pattern = re.compile(element(form, "docusign", "privateKey")["constraints"]["regex"])
        pem = private_pem(rsa.generate_private_key(65537, 2048))
        one_line = pem.replace("\n", "")

        assert pattern.fullmatch(pem)
        assert pattern.fullmatch(one_line)
        assert pattern.fullmatch(pem.replace("\n", "\\n"))
        assert load_private_key(one_line, "docusign-private-key")
        assert not pattern.fullmatch(pem.replace("PRIVATE", "PUBLIC"))
        assert not pattern.fullmatch(pem[:200])

    @pytest.mark.parametrize("name", ["integrationKey", "userId", "organizationId"])
    def test_guids(self, form: Json, name: str) -> None:
        """The form takes GUIDs, and nothing in their place only where they are optional."""
        constraints = element(form, "docusign", name)["constraints"]
        pattern = re.compile(constraints["regex"])

        assert pattern.fullmatch(GUID)
        assert not pattern.fullmatch(GUID[:-1])
        assert constraints["required"] is not bool(pattern.fullmatch(""))

    def test_names(self, form: Json) -> None:
        """The form takes the template's own default name and no name that Azure refuses."""
        pattern = re.compile(form["parameters"]["basics"][0]["constraints"]["regex"])

        assert [True, False, False, False] == [
            bool(pattern.fullmatch(name)) for name in ("docusign-monitor", "ab", "acme_1", "acme-")
        ]


def element(form: Json, step: str, name: str) -> Json:
    """One field of the form."""
    (found,) = (
        one
        for page in form["parameters"]["steps"]
        if page["name"] == step
        for one in page["elements"]
        if one["name"] == name
    )
    return dict(found)
