"""A sandbox with little history, one for all tests of a module: a test that spoils it mends it again."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from sandbox.organization import make_organization
from sandbox.world import Sandbox


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox that is up."""
    folder = tmp_path_factory.mktemp("sandbox")
    with Sandbox(folder, make_organization(datetime.now(UTC), events=1_500)) as sandbox:
        yield sandbox
