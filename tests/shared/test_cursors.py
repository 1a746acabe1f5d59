from datetime import UTC, datetime
from typing import Any

import pytest

from shared.docusign.cursors import inserted_at, restart_of
from shared.position import Position

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


TICKS = "aa_639308592000000000_639308000000000000_0"
"""A cursor behind an event that was inserted at noon."""
SAVED = "2026-11-21T12:05:00.000Z"
ODD = ("0001-01-01T00:00:00Z", "2021-03-01T00:00:00Z", "2026-11-21T12:04:00Z", "2027-11-21T12:00:00Z")


def at(minute: int) -> str:
    """Give a time of the hour before noon."""
    return f"2026-11-21T11:{minute:02}:00Z"


def position(cursor: str = "opaque", **known: Any) -> Position:
    """Give a position that was saved shortly after noon."""
    return Position(cursor, "v3", SAVED, **known)


@pytest.mark.parametrize("recent", [(), (ODD[0],), (ODD[1],) * 5, (ODD[3],)])
def test_the_insertion_alone_decides(recent: tuple[str, ...]) -> None:
    """Where the cursor tells the insertion, no event's own time moves the restart, however odd it is."""
    restart = restart_of(position(TICKS, recent=recent, last_event_time=recent[-1] if recent else None))

    assert ("2026-11-21T11:50:00.000Z", "the insertion that the cursor tells") == (
        restart.cursor,
        restart.why.removeprefix("ten minutes before "),
    )


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("place", range(5))
def test_one_odd_time_moves_nothing_far(odd: str, place: int) -> None:
    """Of the last five times one may lie in 2021, or in the future: the restart stays with the other four."""
    times = [at(30), at(31), at(32), at(33), at(34)]
    times[place] = odd
    restart = restart_of(position(recent=tuple(times), origin="2021-01-01T00:00:00.000Z"))

    assert "2026-11-21T11:20:00.000Z" <= restart.cursor <= "2026-11-21T11:23:00.000Z"
    assert "ten minutes before the time of the last delivered events" == restart.why


def test_two_odd_times_move_nothing_far_either() -> None:
    """Two of five may be odd."""
    restart = restart_of(position(recent=(at(30), ODD[1], at(32), ODD[0], at(34))))

    assert "2026-11-21T11:20:00.000Z" == restart.cursor


@pytest.mark.parametrize(
    "recent", [(), (ODD[0],), (ODD[3],), (ODD[2],), (at(1), at(2)), (*(ODD[0],) * 4, ODD[2])]
)
def test_without_any_time_the_stream_begins_again(recent: tuple[str, ...]) -> None:
    """Fewer than three times, or most of them odd, tell nothing: never past what was not delivered."""
    known = restart_of(position(recent=recent, origin="2023-05-01T00:00:00.000Z"))
    unknown = restart_of(position())

    assert ("2023-05-01T00:00:00.000Z", True) == (known.cursor, known.why.startswith("where it was begun"))
    assert ("2021-01-01T00:00:00.000Z", True) == (unknown.cursor, "first moment" in unknown.why)


def test_never_before_the_beginning() -> None:
    """What lies before the stream's own beginning was not asked for, and is not now."""
    restart = restart_of(position(recent=(at(3), at(4), at(5)), origin="2026-11-21T11:00:00.000Z"))

    assert "2026-11-21T11:00:00.000Z" == restart.cursor


@pytest.mark.parametrize(
    "cursor",
    ["aa_100000000000000000_1_1", "aa_100000000000000000_100000000000000000_1", TICKS.replace("639", "649")],
)
def test_ticks_that_cannot_be_an_insertion(cursor: str) -> None:
    """A cursor of the known shape that tells a moment before 2021, or after its saving, tells nothing."""
    restart = restart_of(position(cursor, recent=(at(30), at(31), at(32))))

    assert "2026-11-21T11:21:00.000Z" == restart.cursor


def test_a_checkpoint_of_an_older_version() -> None:
    """It has the last event's time alone, which is believed where it can be."""
    assert "2026-11-21T11:20:00.000Z" == restart_of(position(last_event_time=at(30))).cursor
    assert "2021-01-01T00:00:00.000Z" == restart_of(position(last_event_time=ODD[3])).cursor
