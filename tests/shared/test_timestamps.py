from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.timestamps import EARLIEST, from_ticks, iso_utc, normalise, parse, parse_duration

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def test_iso_utc() -> None:
    """A moment is written in milliseconds, with Z, in UTC whatever its zone."""
    assert "2026-11-21T12:00:00.000Z" == iso_utc(NOON)
    assert "2026-11-21T12:00:00.123Z" == iso_utc(NOON.replace(microsecond=123999))
    assert "2026-11-21T12:00:00.000Z" == iso_utc(NOON.astimezone(timezone(timedelta(hours=9))))


@pytest.mark.parametrize("fraction", ["", ".1", ".12", ".123", ".1234", ".12345", ".123456", ".1234567"])
def test_normalise_keeps_utc_as_it_came(fraction: str) -> None:
    """A time in UTC with 0 to 7 fractional digits keeps every digit."""
    text = f"2026-11-21T12:00:00{fraction}Z"

    assert text == normalise(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-21T14:00:00+02:00", "2026-11-21T12:00:00Z"),
        ("2026-11-21T07:30:00-04:30", "2026-11-21T12:00:00Z"),
        ("2026-11-21T12:00:00+00:00", "2026-11-21T12:00:00Z"),
        ("2026-11-21T12:00:00-00:00", "2026-11-21T12:00:00Z"),
        ("2026-11-21T14:00:00.5+02:00", "2026-11-21T12:00:00.500000Z"),
        ("2026-11-21T14:00:00.1234567+02:00", "2026-11-21T12:00:00.123456Z"),
        ("2026-11-21T12:00:00", "2026-11-21T12:00:00Z"),
        ("2026-11-21T12:00:00.1234567", "2026-11-21T12:00:00.123456Z"),
        ("2026-11-21 12:00:00", "2026-11-21T12:00:00Z"),
        ("2026-11-21T12:00", "2026-11-21T12:00:00Z"),
        ("2026-11-21T12:00:00.123456789Z", "2026-11-21T12:00:00.123456Z"),
        ("0001-01-01T00:00:00", "0001-01-01T00:00:00Z"),
    ],
)
def test_normalise_to_utc(text: str, expected: str) -> None:
    """Offsets are converted, a missing zone means UTC, and what Python cannot hold is cut."""
    assert expected == normalise(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-11-21",
        "2026-11-21T12",
        "1732190400",
        "20261121T120000Z",
        "2026-02-30T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "2026-11-21T25:00:00Z",
        "2026-11-21T12:61:00Z",
        "2026-11-21T12:00:00Q",
        "2026-11-21T12:00:00+25:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2026-11-21T12:00:00\ud800",
        "2026-11-21T12:00:00Z\n",
        "\u0662\u0660\u0662\u0666-11-21T12:00:00Z",
        "-2026-11-21T12:00:00Z",
    ],
)
def test_unreadable(text: str) -> None:
    """What is no date-time, or no moment at all, is None and no error."""
    assert normalise(text) is None
    assert parse(text) is None


def test_parse_names_the_zone() -> None:
    """Every moment that was read is in UTC."""
    moments = [parse(f"2026-11-21T{rest}") for rest in ("12:00:00Z", "12:00:00", "14:00:00+02:00")]

    assert [NOON] * 3 == moments
    assert [timedelta(0)] * 3 == [moment.utcoffset() for moment in moments if moment]


@given(st.datetimes(timezones=OFFSETS))
def test_any_moment_survives(moment: datetime) -> None:
    """A moment that is written in any zone is read as the same moment."""
    text = moment.isoformat()
    read = parse(text)

    if read is not None:  # None at the ends of the calendar only, where UTC has no such moment
        assert moment == read
        assert read == parse(normalise(text) or "")
    else:
        assert moment.year in (1, 9999)


@given(st.text())
def test_any_text(text: str) -> None:
    """No text makes the readers fail."""
    assert (normalise(text) is None) == (parse(text) is None)
    assert isinstance(parse_duration(text), timedelta | None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("P7D", timedelta(days=7)),
        ("p7d", timedelta(days=7)),
        ("PT36H", timedelta(hours=36)),
        ("P1DT12H30M5S", timedelta(days=1, hours=12, minutes=30, seconds=5)),
        ("P2W", timedelta(weeks=2)),
        ("P1M", timedelta(days=30)),
        ("P1Y", timedelta(days=365)),
        ("PT1M", timedelta(minutes=1)),
        ("P0D", timedelta(0)),
    ],
)
def test_duration(text: str, expected: timedelta) -> None:
    """An ISO 8601 duration is read; M is months before T and minutes after it."""
    assert expected == parse_duration(text)


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "P1DT", "7D", "P-7D", "P1.5D", "P7", "P1H", "P7D ", "P\u0667D", "P1D1D"]
)
def test_no_duration(text: str) -> None:
    """What is no ISO 8601 duration is None."""
    assert parse_duration(text) is None


@pytest.mark.parametrize("digits", [15, 5000])
def test_duration_beyond_time(digits: int) -> None:
    """A duration longer than Python can hold, or even read, is None and no error."""
    assert parse_duration(f"P{'9' * digits}D") is None


def test_ticks() -> None:
    """.NET ticks count 100 ns from year 1, and what lies beyond the calendar is None."""
    assert datetime(2021, 1, 1, tzinfo=UTC) == EARLIEST == from_ticks(637450560000000000)
    assert NOON.replace(microsecond=123456) == from_ticks(639308592001234567)
    assert from_ticks(9_999_999_999_999_999_999) is None
