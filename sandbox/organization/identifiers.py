"""Identifiers and times, written as DocuSign writes them."""

from datetime import datetime
from random import Random

_VERSION = 0xF << 76, 0x4 << 76
_VARIANT = 0x3 << 62, 0x2 << 62
_WHOLE_SECOND = 0.01


def guid(rng: Random) -> str:
    """Return a GUID of version 4 whose randomness comes from the seed."""
    number = rng.getrandbits(128)
    for mask, value in (_VERSION, _VARIANT):
        number = number & ~mask | value
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def timestamp(rng: Random, moment: datetime) -> str:
    """Return the moment with up to seven fractional digits, without trailing zeros, as .NET prints it."""
    seconds = moment.strftime("%Y-%m-%dT%H:%M:%S")
    if rng.random() < _WHOLE_SECOND:
        return f"{seconds}Z"
    fraction = f"{moment.microsecond:06d}{rng.randrange(10)}".rstrip("0")
    return f"{seconds}.{fraction}Z" if fraction else f"{seconds}Z"
