"""JSON as it really comes, and text that a strict reader takes.

DocuSign's answers are parsed by orjson. What it refuses (NaN, infinities, lone surrogates, raw control
characters, bytes that are no UTF-8) or rounds (integers beyond 64 bits) goes to the standard library's
reader, with odd numbers kept as their own text: one odd event must not block the page that it came with.
"""

import json
import math
import re
from typing import Any

import orjson

_LARGEST = 2**64
_SMALLEST = -(2**63)
_LONGEST_INTEGER = 20
_LONG_NUMBER = re.compile(rb"(?:^|[-:,\[\s])\d{19}")
"""It may mean more than 64 bits, of which orjson makes a double: the last digits would be lost."""
_DIGITS_AS_ZEROS = bytes(ord("0") if chr(byte) in "0123456789" else ord(" ") for byte in range(256))
_LONG_ZEROS = b"0" * 19
_STRETCH = 65_536
"""Bytes that are searched at once, for a copy of the whole body would be one large block more."""


def _integer(text: str) -> int | str:
    if len(text) > _LONGEST_INTEGER:
        return text
    value = int(text)
    return value if _SMALLEST <= value < _LARGEST else text


def _real(text: str) -> float | str:
    value = float(text)
    return value if math.isfinite(value) else text


def loads(body: bytes) -> Any:
    """The value of a JSON text, odd numbers as strings.

    Raises:
        ValueError: It is not JSON at all, or it is nested deeper than any reader goes.
    """
    if not _has_long_number(body):
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            pass
    text = body.decode("utf-8-sig", "surrogateescape")
    try:
        return json.loads(text, strict=False, parse_int=_integer, parse_float=_real, parse_constant=str)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _has_long_number(body: bytes) -> bool:
    """Whether there may be a number of 19 digits and more, outside of a text as far as can be seen.

    The search by bytes comes first because almost no body has so many digits in a row: the expression alone
    takes longer than orjson takes to parse.
    """
    stretches = (body[at : at + _STRETCH + len(_LONG_ZEROS)] for at in range(0, len(body), _STRETCH))
    may_have = any(_LONG_ZEROS in stretch.translate(_DIGITS_AS_ZEROS) for stretch in stretches)
    return may_have and bool(_LONG_NUMBER.search(body))


def dumps(value: Any) -> bytes:
    """The value as strict UTF-8 JSON; lone surrogates and what no reader takes become text."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return orjson.dumps(_strict(value, 0))


_DEEPEST = 100
"""orjson writes 254 levels, and Python 3.11 calls itself 1,000 times: what is deeper becomes a text."""


def _strict(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _without_surrogates(value)
    if isinstance(value, int) and not _SMALLEST <= value < _LARGEST:
        return str(value)
    if isinstance(value, dict | list) and depth >= _DEEPEST:
        return _written(value)
    if isinstance(value, dict):
        return {_without_surrogates(key): _strict(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [_strict(inner, depth + 1) for inner in value]
    return value


def _written(value: Any) -> str:
    """The JSON text of a value of any depth: a stack of its own instead of calls."""
    text: list[str] = []
    to_do: list[Any] = [value]  # bytes are punctuation: no JSON value is bytes
    while to_do:
        item = to_do.pop()
        if isinstance(item, dict):
            inner = [part for key, value in item.items() for part in (b",", key, b":", value)]
            to_do += [b"}", *reversed(inner[1:]), b"{"]
        elif isinstance(item, list):
            inner = [part for value in item for part in (b",", value)]
            to_do += [b"]", *reversed(inner[1:]), b"["]
        else:
            text.append(item.decode() if isinstance(item, bytes) else json.dumps(item))
    return "".join(text)


def _without_surrogates(text: str) -> str:
    r"""The text with each lone surrogate written out, as in `\ud800`: no UTF-8 text can hold one."""
    return text.encode("utf-8", "backslashreplace").decode()
