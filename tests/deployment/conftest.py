"""The template, the form, and the offline checker."""

import sys
from typing import Any

import pytest

from deployment.template import TEMPLATE
from tests.deployment.arm import FORM, TOOLS, Json, strict


@pytest.fixture(scope="module")
def template() -> Json:
    """The committed template."""
    return strict(TEMPLATE)


@pytest.fixture(scope="module")
def form() -> Json:
    """The portal's form."""
    return strict(FORM)


@pytest.fixture(scope="module")
def tool() -> Any:
    """The offline checker, where it is."""
    if not (TOOLS / "check_arm.py").is_file():
        pytest.skip("the checker check_arm.py is not beside the project")
    sys.path.append(str(TOOLS))
    return pytest.importorskip("check_arm")
