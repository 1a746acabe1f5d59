"""What holds for every test: a clean environment, a manual clock, and how hard hypothesis tries."""

import os
import re
from collections.abc import Iterator

import hypothesis
import pytest

from shared.settings import SETTINGS
from tests.support import ManualClock

hypothesis.settings.register_profile("default", max_examples=300, deadline=None, derandomize=True)
hypothesis.settings.register_profile("thorough", max_examples=20_000, deadline=None)
hypothesis.settings.load_profile("default")

_PROXIES_AND_IDENTITIES = re.compile(
    r"(HTTPS?|ALL|NO)_PROXY|(REQUESTS|CURL)_CA_BUNDLE|(AZURE|DOCUSIGN|IDENTITY|MSI|IMDS)_.*|AzureWebJobs.*",
    re.IGNORECASE,
)


@pytest.fixture(scope="session", autouse=True)
def _clean_environment() -> Iterator[None]:
    """Forget the machine's proxies, CAs, logins and app settings; a test sets what it needs itself.

    Once a session, for a fixture of a module may set variables that hold for all of its tests.
    """
    settings = {setting.name for setting in SETTINGS}
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name in settings or _PROXIES_AND_IDENTITIES.fullmatch(name):
                patch.delenv(name)
        yield


@pytest.fixture
def clock() -> ManualClock:
    """Give a clock that stands still until it is moved."""
    return ManualClock()
