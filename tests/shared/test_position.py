import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import StateError
from shared.position import Position, position_from_json

BLOB = "docusign-monitor/checkpoint/default.json"
POSITION = Position("aa_1_2_0", "v2", "2026-11-21T12:00:00.000Z", "id-1", "2026-11-21T11:00:00.1234567Z")


def test_form() -> None:
    """The blob has the form of the contract, and no more."""
    assert {
        "version": 1,
        "cursor": "aa_1_2_0",
        "api": "v2",
        "savedAt": "2026-11-21T12:00:00.000Z",
        "lastEvent": {"eventId": "id-1", "timestamp": "2026-11-21T11:00:00.1234567Z"},
    } == orjson.loads(POSITION.to_json())


@pytest.mark.parametrize("position", [POSITION, Position("2026-11-21T12:00:00.000Z", "", "")])
def test_round_trip(position: Position) -> None:
    """What was written is read again, also before the first event."""
    assert position == position_from_json(position.to_json(), BLOB)


@given(st.text(min_size=1), st.none() | st.text(min_size=1))
def test_any_text_round_trip(cursor: str, event_id: str | None) -> None:
    """Any cursor comes back as it was."""
    position = Position(cursor, "v3", "now", event_id)

    assert position == position_from_json(position.to_json(), BLOB)


def test_an_odd_event_id_is_saved() -> None:
    """An event's id that no UTF-8 text can hold does not keep the cursor from being saved."""
    position = Position("aa_1_2_0", "v2", "now", "\ud800", None)

    assert Position("aa_1_2_0", "v2", "now", r"\ud800", None) == position_from_json(position.to_json(), BLOB)


def test_what_may_be_missing() -> None:
    """A cursor is enough; what else is missing or odd counts as unknown."""
    assert Position("c", "", "") == position_from_json(b'{"version":1,"cursor":"c"}', BLOB)
    assert Position("c", "", "") == position_from_json(
        b'{"version":1,"cursor":"c","api":null,"savedAt":null,"lastEvent":7,"more":1}', BLOB
    )
    assert Position("c", "", "") == position_from_json(
        b'{"version":1,"cursor":"c","lastEvent":{"eventId":5,"timestamp":""}}', BLOB
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not JSON"),
        (b"\x00" * 100, "is not JSON"),
        (b'{"version":1,"cursor":"c"', "is not JSON"),
        (b'{"version":1,"cursor":"\xff"}', "is not JSON"),
        (b"null", "has no version"),
        (b"[]", "has no version"),
        (b"{}", "has no version"),
        (b'{"version":"1","cursor":"c"}', "has no version"),
        (b'{"version":1.0,"cursor":"c"}', "has no version"),
        (b'{"version":2,"cursor":"c"}', "has version 2, and this connector knows version 1"),
        (b'{"version":0,"cursor":"c"}', "has version 0"),
        (b'{"version":1}', "has no cursor"),
        (b'{"version":1,"cursor":""}', "has no cursor"),
        (b'{"version":1,"cursor":null}', "has no cursor"),
        (b'{"version":1,"cursor":7}', "has no cursor"),
        (b'{"version":1,"cursor":"c","api":3}', "has no cursor"),
    ],
)
def test_refused(content: bytes, words: str) -> None:
    """What cannot be read, or is of another version, is refused with the blob's name and a cure."""
    with pytest.raises(StateError, match=words) as raised:
        position_from_json(content, BLOB)

    assert str(raised.value).startswith(f"The checkpoint {BLOB} ")
    assert "Deploy the connector" in str(raised.value) or "manage.py rewind" in str(raised.value)
