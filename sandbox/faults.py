"""Faults that a server injects on purpose: what networks, gateways and overloaded services really do.

A fault is data, so that a test, a demo or a content author can script it in a file.
"""

import gzip
import random
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from email.utils import formatdate
from fnmatch import fnmatchcase
from time import time
from typing import Any, Literal, NamedTuple, Self, get_args

from sandbox.web import Request, Response, Service, Wire, encode, head

Kind = Literal[
    "status",  # an answer with this status, headers and body; the service is not asked
    "html",  # 200 with an HTML page, as captive portals answer; the service is not asked
    "reset",  # a reset before any answer; the service is not asked
    "accept_then_reset",  # the service does its work, and its answer is lost
    "reset_mid",  # the headers and half of the body, then a reset
    "truncate",  # the headers promise the whole body, half of it comes, then the end
    "malformed",  # half of the body, with headers that fit it
    "gzip_cut",  # half of the compressed body, with headers that fit it
    "trickle",  # the answer byte by byte, each after `seconds`
    "hang",  # no answer until the server stops; the service is not asked
    "delay",  # an ordinary answer after `seconds`
]

AMBIGUOUS: tuple[Kind, ...] = ("accept_then_reset", "reset_mid", "truncate", "malformed", "gzip_cut")
"""After these the service has done its work, and the client cannot know."""
SPOILED: tuple[Kind, ...] = ("html", "reset", *AMBIGUOUS)
"""The ways to spoil an answer that cost a client no long wait."""

_PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Sign in to continue.</body></html>"
_FLUSH_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault: what it does, to which requests, how often.

    Attributes:
        kind: What it does.
        host, path, method: Shell patterns (`*`, `?`) that a request must match.
        skip: Matching requests that pass before the first hit.
        times: Hits before the fault is spent; None for no end.
        probability: Of a hit, for each matching request after the skipped ones.
        status, body, headers: The answer of kind `status`.
        retry_after: Seconds that `status` puts into `Retry-After`.
        retry_after_date: Whether `Retry-After` is an HTTP date instead of seconds.
        seconds: The pause of `delay` and, before each byte, of `trickle`.
    """

    kind: Kind
    host: str = "*"
    path: str = "*"
    method: str = "*"
    skip: int = 0
    times: int | None = 1
    probability: float = 1.0
    status: int = 503
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    retry_after: float | None = None
    retry_after_date: bool = False
    seconds: float = 0.1

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"Unknown kind of fault {self.kind!r}; known are {', '.join(get_args(Kind))}.")

    def matches(self, request: Request) -> bool:
        """Return whether the request is one that this fault is about."""
        return (
            fnmatchcase(request.host, self.host)
            and fnmatchcase(request.path, self.path)
            and fnmatchcase(request.method, self.method)
        )


class Hit(NamedTuple):
    """A request that met a fault."""

    kind: Kind
    method: str
    host: str
    path: str


class Faults:
    """A list of faults, of which the first that matches a request and is due spoils its answer.

    Args:
        faults: The faults to begin with.
        seed: Of the dice for `probability`, so that a run can be repeated.
        clock: Seconds since the epoch, for `Retry-After` as a date.
    """

    def __init__(
        self, faults: Iterable[Fault] = (), *, seed: int = 0, clock: Callable[[], float] = time
    ) -> None:
        self._random = random.Random(seed)
        self._clock = clock
        self._lock = threading.Lock()
        self._rules: list[_Rule] = []
        self._hits: list[Hit] = []
        self.add(*faults)

    @classmethod
    def from_dicts(cls, items: Iterable[Mapping[str, Any]], *, seed: int = 0) -> Self:
        """Return the faults that a JSON file describes, one object each, with the fields of `Fault`."""
        known = {item.name for item in fields(Fault)}
        faults = []
        for item in items:
            if unknown := sorted(set(item) - known):
                raise ValueError(
                    f"Unknown field {unknown[0]!r} of a fault; known are {', '.join(sorted(known))}."
                )
            faults.append(Fault(**item))
        return cls(faults, seed=seed)

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the faults as they were added, for JSON."""
        with self._lock:
            return [asdict(rule.fault) for rule in self._rules]

    @property
    def hits(self) -> list[Hit]:
        """The requests that met a fault, in order."""
        with self._lock:
            return list(self._hits)

    def add(self, *faults: Fault) -> None:
        """Add faults behind those already there."""
        with self._lock:
            self._rules += [_Rule(fault) for fault in faults]

    def clear(self) -> None:
        """Remove every fault; the hits stay."""
        with self._lock:
            self._rules = []

    def answer(self, request: Request, service: Service, wire: Wire) -> None:
        """Answer the request on the wire, spoilt by the fault that is due."""
        fault = self._due(request)
        if fault is None:
            wire.send(encode(request, service(request)))
        elif fault.kind == "status":
            wire.send(encode(request, _status(fault, self._clock())))
        else:
            _PLAYS[fault.kind](fault, request, service, wire)

    def _due(self, request: Request) -> Fault | None:
        with self._lock:
            for rule in self._rules:
                if rule.fault.matches(request) and rule.strikes(self._random):
                    self._hits.append(Hit(rule.fault.kind, request.method, request.host, request.path))
                    return rule.fault
        return None


class _Rule:
    """A fault and how often it was met."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self._seen = 0
        self._struck = 0

    def strikes(self, dice: random.Random) -> bool:
        self._seen += 1
        spent = self.fault.times is not None and self._struck >= self.fault.times
        due = not spent and self._seen > self.fault.skip and dice.random() < self.fault.probability
        self._struck += due
        return due


def _status(fault: Fault, now: float) -> Response:
    headers = dict(fault.headers)
    if fault.retry_after is not None:
        date = formatdate(now + fault.retry_after, usegmt=True)
        headers["Retry-After"] = date if fault.retry_after_date else f"{fault.retry_after:g}"
    return Response(fault.status, fault.body.encode(), headers)


def _html(_fault: Fault, request: Request, _service: Service, wire: Wire) -> None:
    wire.send(encode(request, Response(200, _PAGE, {"Content-Type": "text/html; charset=utf-8"})))


def _reset(_fault: Fault, _request: Request, _service: Service, wire: Wire) -> None:
    wire.reset()


def _accept_then_reset(_fault: Fault, request: Request, service: Service, wire: Wire) -> None:
    service(request)
    wire.reset()


def _reset_mid(_fault: Fault, request: Request, service: Service, wire: Wire) -> None:
    wire.send(_first_half(service(request)))
    wire.stopping.wait(_FLUSH_SECONDS)  # a reset at once would overtake the bytes
    wire.reset()


def _truncate(_fault: Fault, request: Request, service: Service, wire: Wire) -> None:
    wire.send(_first_half(service(request)))
    wire.close()


def _malformed(_fault: Fault, request: Request, service: Service, wire: Wire) -> None:
    plain = _plain(service(request))
    wire.send(encode(request, Response(plain.status, _half(plain.body), plain.headers)))


def _gzip_cut(_fault: Fault, request: Request, service: Service, wire: Wire) -> None:
    plain = _plain(service(request))
    headers = plain.headers | {"Content-Encoding": "gzip"}
    wire.send(encode(request, Response(plain.status, _half(gzip.compress(plain.body)), headers)))


def _trickle(fault: Fault, request: Request, service: Service, wire: Wire) -> None:
    for byte in encode(request, service(request)):
        if wire.stopping.wait(fault.seconds):
            break
        wire.send(bytes([byte]))


def _hang(_fault: Fault, _request: Request, _service: Service, wire: Wire) -> None:
    wire.stopping.wait()
    wire.reset()


def _delay(fault: Fault, request: Request, service: Service, wire: Wire) -> None:
    wire.stopping.wait(fault.seconds)
    wire.send(encode(request, service(request)))


_PLAYS: dict[Kind, Callable[[Fault, Request, Service, Wire], None]] = {
    "html": _html,
    "reset": _reset,
    "accept_then_reset": _accept_then_reset,
    "reset_mid": _reset_mid,
    "truncate": _truncate,
    "malformed": _malformed,
    "gzip_cut": _gzip_cut,
    "trickle": _trickle,
    "hang": _hang,
    "delay": _delay,
}


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _first_half(response: Response) -> bytes:
    """Return the answer up to the middle of its body, or of its head when it has none."""
    top = head(response)
    return top + _half(response.body) if response.body else _half(top)


def _plain(response: Response) -> Response:
    """Return the answer without compression and without a length, to be cut."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    headers.pop("content-length", None)
    packed = headers.pop("content-encoding", "") == "gzip"
    return Response(response.status, gzip.decompress(response.body) if packed else response.body, headers)
