"""JSON as it really comes, and text that a strict reader takes.

DocuSign's answers are parsed by orjson. What it refuses (NaN, infinities, numbers beyond a double, lone
surrogates) goes to the standard library's reader, with odd numbers kept as their own text: one odd event
must not block the page that it came with.
"""

import json
import math
from typing import Any

import orjson

_LARGEST = 2**64
_SMALLEST = -(2**63)
_LONGEST_INTEGER = 20


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
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(body, parse_int=_integer, parse_float=_real, parse_constant=str)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def dumps(value: Any) -> bytes:
    """The value as strict UTF-8 JSON; lone surrogates and what no reader takes become text."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return orjson.dumps(_strict(value, 0))


_DEEPEST = 200
"""orjson writes 254 levels."""


def _strict(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _without_surrogates(value)
    if isinstance(value, int) and not _SMALLEST <= value < _LARGEST:
        return str(value)
    if isinstance(value, dict | list) and depth >= _DEEPEST:
        return json.dumps(value)
    if isinstance(value, dict):
        return {_without_surrogates(key): _strict(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [_strict(inner, depth + 1) for inner in value]
    return value


def _without_surrogates(text: str) -> str:
    r"""The text with each lone surrogate written out, as in `\ud800`: no UTF-8 text can hold one."""
    return text.encode("utf-8", "backslashreplace").decode()
