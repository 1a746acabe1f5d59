"""What many tests need: settings, events, and a clock that is moved by hand."""

import threading
from collections.abc import Sequence
from typing import Any

from shared.budget import Budget
from shared.ingestion.rows import EncodedRow
from shared.settings import Settings, read_settings

INTEGRATION_KEY = "11111111-1111-4111-8111-111111111111"
USER_ID = "22222222-2222-4222-8222-222222222222"
WORKSPACE_ID = "33333333-3333-4333-8333-333333333333"

ENVIRON = {
    "DOCUSIGN_INTEGRATION_KEY": INTEGRATION_KEY,
    "DOCUSIGN_USER_ID": USER_ID,
    "KEY_VAULT_URL": "https://example-vault.vault.azure.net",
    "WORKSPACE_ID": WORKSPACE_ID,
    "AzureWebJobsStorage__accountName": "examplestorage",
}
"""The least that a deployed app must set."""

EVENT: dict[str, Any] = {
    "timestamp": "2026-11-20T02:10:05.1234567Z",
    "eventId": "5e7d0000-0000-4000-8000-000000000005",
    "site": "NA1",
    "accountId": "93a15559-3c1e-4b0e-9a51-683ea233c123",
    "organizationId": "0a6e6c5c-9c5d-4b8a-8d1e-2f6b0c9d7e11",
    "userId": "fc8d7d8c-2222-4222-8222-2c7df1510123",
    "integratorKey": "QTES-7a1c2b3d-0000-4000-8000-000000000001",
    "userAgent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/126.0.0.0",
    "ipAddress": "203.0.113.7",
    "object": "Account",
    "action": "Updated",
    "property": "SecurityPolicy",
    "field": "RecipientAuthenticationSettings",
    "result": "Optional",
    "source": "Web",
    "affectedUserId": "8b340000-0000-4000-8000-000000000008",
    "referencedUserId": "9c450000-0000-4000-8000-000000000009",
    "isUserMemberOfDomain": True,
    "referencedUserIsMemberOfDomain": False,
    "affectedUserIsMemberOfDomain": True,
    "proxyStatus": "proxy",
    "proxyType": "hosting",
    "proxyLevel": "elite",
    "latitude": 52.52,
    "longitude": 13.4,
    "city": "berlin",
    "state": "berlin",
    "country": "germany",
    "browser": "Chrome 126",
    "device": "Other",
    "os": "Linux",
    "userAgentClientInfo": {"browser": {"family": "Chrome", "version": {"major": "126"}}},
    "data": {"AffectedUserId": "8b340000-0000-4000-8000-000000000008"},
}
"""An event in which every field of DocuSign's has a value of the right kind."""

ABSENT: Any = object()
"""As an override: leave the name out."""


def make_settings(**overrides: str) -> Settings:
    """Give the settings of a minimal app, with some app settings on top."""
    return read_settings(ENVIRON | overrides)


def make_event(**overrides: Any) -> dict[str, Any]:
    """Give a full event with some values replaced, added, or (by `ABSENT`) left out."""
    return {name: value for name, value in (EVENT | overrides).items() if value is not ABSENT}


class ManualClock:
    """A clock that only moves when it is told to, or slept on."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self.slept: list[float] = []

    def __call__(self) -> float:
        """The time on it, in seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let the seconds pass at once."""
        self.slept.append(seconds)
        self.now += seconds

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        """Sleep, or return at once when the event is set: `threading.Event.wait` on this clock."""
        if not stop.is_set():
            self.sleep(seconds)
        return stop.is_set()


def make_budget(clock: ManualClock, seconds: float = 480.0) -> Budget:
    """Give a budget whose clock and sleep are the manual clock's."""
    return Budget(seconds, clock=clock, wait=clock.wait)


class RecordingIngestion:
    """An ingestion API that takes everything, or raises what it is told to."""

    name = "data-collector"
    field_limit = 32 * 1024
    batch_limit = 1_000_000

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.posts: list[tuple[str, list[EncodedRow], str | None]] = []

    def post(self, table: str, rows: Sequence[EncodedRow], time_field: str | None) -> None:
        """Remember the batch."""
        if self.failure is not None:
            raise self.failure
        self.posts.append((table, list(rows), time_field))
