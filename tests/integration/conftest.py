"""Fixtures on the real parts: the Functions runtime, Azurite, TLS, the Azure SDKs, DuckDB."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox.functions.host import FunctionHost
from sandbox.organization import Organization, make_organization
from sandbox.world import Sandbox


@pytest.fixture(scope="session")
def week() -> Organization:
    """A week of history; read only."""
    return make_organization(datetime.now(UTC))


@pytest.fixture
def small() -> Organization:
    """An organization of its own for a test, with little history."""
    return make_organization(datetime.now(UTC), events=2_500)


@pytest.fixture
def sandbox(small: Organization, tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox with little history."""
    with Sandbox(tmp_path, small) as world:
        yield world


@pytest.fixture
def host(sandbox: Sandbox) -> Iterator[FunctionHost]:
    """The function app on it, with pages of 500 so that a run has several."""
    with sandbox.function_host(PAGE_SIZE="500") as started:
        yield started
