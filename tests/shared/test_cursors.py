from datetime import UTC, datetime

import pytest

from shared.docusign.cursors import inserted_at, restart_before

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cursor", "expected"),
    [
        ("aa_639308592000000000_639308000000000000_0", NOON),
        ("zz_639308592000000000_639308000000000000_17", NOON),
        ("2026-11-21T12:00:00.000Z", NOON),
        ("aa_9999999999999999999_9999999999999999999_0", None),
        ("aa_639308592000000000_0", None),
        ("aa_639308592000000000_639308000000000000_0x", None),
        ("opaque", None),
        ("", None),
    ],
)
def test_inserted_at(cursor: str, expected: datetime | None) -> None:
    """A cursor of the observed shape, or a date-time, tells when; any other tells nothing."""
    assert expected == inserted_at(cursor)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (NOON, "2026-11-21T11:50:00.000Z"),
        (datetime(2021, 1, 1, 0, 5, tzinfo=UTC), "2021-01-01T00:00:00.000Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "2021-01-01T00:00:00.000Z"),
        (datetime.max.replace(tzinfo=UTC), "9999-12-31T23:49:59.999Z"),
    ],
)
def test_restart_before(moment: datetime, expected: str) -> None:
    """A restart steps back by more than events are late, and not before DocuSign's first data."""
    assert expected == restart_before(moment)
