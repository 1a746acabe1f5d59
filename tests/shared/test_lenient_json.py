import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.lenient_json import dumps, loads

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def nested(depth: int) -> Any:
    """Give lists and objects in turn, one inside the other."""
    value: Any = "core"
    for level in range(depth):
        value = {"k": value} if level % 2 else [value]
    return value


@given(JSON)
def test_round_trip(value: Any) -> None:
    """Every JSON value is read as it was written."""
    assert value == loads(dumps(value))
    assert value == loads(json.dumps(value).encode())


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e400"])
def test_odd_numbers_become_text(number: str) -> None:
    """A number that no double holds is kept as its own text, and its neighbours stay what they are."""
    assert [{"x": number}, {"y": 1, "z": 0.5}] == loads(f'[{{"x":{number}}},{{"y":1,"z":0.5}}]'.encode())


@pytest.mark.parametrize("number", [0, -1, 2**53 + 1, 2**63, 2**64 - 1, -(2**63)])
def test_integers_of_64_bits(number: int) -> None:
    """An integer of 64 bits stays a number to its last digit."""
    found = loads(f"[{number}]".encode())

    assert [number] == found
    assert type(found[0]) is int


@pytest.mark.parametrize("number", [str(2**64), str(-(2**63) - 1), "9" * 30, "-" + "9" * 30, "9" * 5000])
def test_integers_beyond_64_bits(number: str) -> None:
    """A longer integer becomes a text with every digit, for a double would round it."""
    assert {"id": number} == loads(f'{{"id":{number}}}'.encode())


def test_long_digits_in_a_text() -> None:
    """Digits that are no number, as in a cursor, change nothing."""
    assert ["aa_639308592001234567_6393085920012345678901_0"] == loads(
        b'["aa_639308592001234567_6393085920012345678901_0"]'
    )


def test_lone_surrogates() -> None:
    """A lone surrogate, as value and as key, is read, and written out as text."""
    value = loads(rb'{"\ud800":["\udfff", "\ud83d\ude00"]}')

    assert {"\ud800": ["\udfff", "\U0001f600"]} == value
    assert {r"\ud800": [r"\udfff", "\U0001f600"]} == orjson.loads(dumps(value))


def test_raw_control_characters() -> None:
    """A control character that its sender forgot to escape is read, and written escaped."""
    value = loads(b'["a\x00b\nc\x1f"]')

    assert ["a\x00b\nc\x1f"] == value
    assert rb'["a\u0000b\nc\u001f"]' == dumps(value)


def test_bytes_that_are_no_utf8() -> None:
    """A stray byte costs no more than itself."""
    assert [r"caf\udce9", "é"] == orjson.loads(dumps(loads(b'["caf\xe9", "\xc3\xa9"]')))


def test_byte_order_mark() -> None:
    """A byte order mark before the text is no fault."""
    assert {"a": 1} == loads(b'\xef\xbb\xbf{"a":1}')


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"<html>", b"{", b"[1,]", b"{'a':1}", b"nul", b"[1] [2]", b'{"a":1', b'"\xff', b"\xff\xfe"],
)
def test_no_json(body: bytes) -> None:
    """What is no JSON is a ValueError."""
    with pytest.raises(ValueError, match=r".+"):
        loads(body)


def test_too_deep_to_read() -> None:
    """Nesting beyond every reader is a ValueError, and no crash."""
    with pytest.raises(ValueError, match="nested too deeply"):
        loads(b"[" * 200_000 + b"]" * 200_000)


@pytest.mark.parametrize("depth", [1, 100, 254])
def test_depth_that_stays_nested(depth: int) -> None:
    """What orjson writes is written as it is."""
    assert nested(depth) == loads(dumps(nested(depth)))


@pytest.mark.parametrize("depth", [255, 1_000, 50_000])
def test_depth_that_becomes_text(depth: int) -> None:
    """Deeper nesting becomes a JSON text at its hundredth level, and nothing of it is lost."""
    inner = orjson.loads(dumps(nested(depth)))
    for level in range(100):
        inner = inner["k"] if isinstance(inner, dict) else inner[0]
        assert isinstance(inner, str) is (level == 99)

    assert 1 == inner.count('"core"')
    assert depth - 100 == inner.count("[") + inner.count("{")


def test_deep_text_is_json() -> None:
    """The text of a deep part is the JSON that the standard library would write."""
    deep: Any = {"a": [1, -0.5, True, None, "é\ud800\x00"], "": {}, "b": [[], [{}]], 'q"': "x"}
    value = deep
    for _ in range(100):
        value = [value]
    value.append("\ud800")  # orjson refuses it, so that the deep part is reached
    inner = orjson.loads(dumps(value))
    for _ in range(100):
        inner = inner[0]

    assert json.dumps(deep, separators=(",", ":")) == inner


def test_what_orjson_refuses() -> None:
    """One value that orjson refuses changes none of its neighbours."""
    value = {"big": 2**70, "bad": "\udc00", "flag": True, "none": None, "list": [1, 2.5, False]}

    assert {"big": str(2**70), "bad": r"\udc00", "flag": True, "none": None, "list": [1, 2.5, False]} == (
        orjson.loads(dumps(value))
    )
