"""The bounds of the exchange that is under way, kept by its sockets and its answer.

A read timeout starts again with each byte: against a peer that trickles, only the whole exchange can be bounded.
So a socket made here waits no longer than until the deadline of the thread that uses it, and looks once a second
whether the exchange was given up. Nothing of what was given up goes on anywhere.

The time that a name takes to be looked up is the resolver's own; a connection is tried address by address, each
for as long as the connect timeout says. All connections of an adapter trust one store of certificates: that of
REQUESTS_CA_BUNDLE, which does not change while the process lives.
"""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse, HTTPResponse
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ProtocolError
from urllib3.util.ssl_ import create_urllib3_context

T = TypeVar("T")

MOST_BYTES = 64 * 1024 * 1024
"""Of an answer, unpacked: 30 times a page of 2,000 events."""
_FIRST_FINAL = 200
_LOOK_SECONDS = 1.0
_PIECE = 64 * 1024
"""Bytes that are written at once: each piece has the whole of the silence that is allowed."""


@dataclass(frozen=True)
class Deadline:
    """When an exchange must have ended, and what ends it earlier."""

    end: float
    given_up: threading.Event

    def left(self) -> float:
        """Seconds until the end.

        Raises:
            TimeoutError: It is over, or given up.
        """
        seconds = self.end - time.monotonic()
        if seconds <= 0 or self.given_up.is_set():
            raise TimeoutError("no whole answer in time")
        return seconds


_current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


@contextlib.contextmanager
def deadline(seconds: float, given_up: threading.Event | None = None) -> Iterator[Deadline]:
    """While inside, this thread's sockets raise TimeoutError once the seconds are over, or the event is set."""
    entered = Deadline(time.monotonic() + seconds, given_up or threading.Event())
    token = _current.set(entered)
    try:
        yield entered
    finally:
        _current.reset(token)


class TooLarge(OSError):
    """The answer has more bytes than any of the service's."""


class BoundedAdapter(HTTPAdapter):
    """An adapter for requests whose sockets keep the deadline, and whose answers their size; TLS 1.2 or later."""

    def build_response(self, req: PreparedRequest, resp: BaseHTTPResponse) -> Response:
        """Have the body counted while it is unpacked."""
        pieces = resp.stream

        def bounded(*args: Any, **kwargs: Any) -> Iterator[bytes]:
            size = 0
            for piece in pieces(*args, **kwargs):
                size += len(piece)
                if size > MOST_BYTES:
                    raise TooLarge
                yield piece

        resp.stream = bounded  # type: ignore[method-assign]
        return super().build_response(req, resp)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pool of direct connections."""
        super().init_poolmanager(*args, ssl_context=_context(), **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Make the pool of connections by a proxy."""
        if proxy in self.proxy_manager:
            return self.proxy_manager[proxy]
        manager = super().proxy_manager_for(proxy, ssl_context=_context(), **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


def _context() -> ssl.SSLContext:
    context = create_urllib3_context(ssl_minimum_version=ssl.TLSVersion.TLSv1_2)
    context.sslsocket_class = _TlsSocket
    return context


class _Bounded(socket.socket):
    """Reads and writes that end with the thread's deadline."""

    def recv(self, *args: Any) -> bytes:
        return self._within(lambda: super(_Bounded, self).recv(*args))

    def recv_into(self, *args: Any) -> int:
        return self._within(lambda: super(_Bounded, self).recv_into(*args))

    def send(self, *args: Any) -> int:
        return self._within(lambda: super(_Bounded, self).send(*args))

    def sendall(self, data: Any, *args: Any) -> None:
        with memoryview(data) as view, view.cast("B") as octets:
            sent = 0
            while sent < len(octets):
                sent += self.send(octets[sent : sent + _PIECE], *args)

    def _within(self, call: Callable[[], T]) -> T:
        """The call's result, waited for in short steps: no longer than the socket's timeout and the deadline."""
        current, silence = _current.get(), self.gettimeout()
        if current is None or not silence:
            return call()
        quiet_until = time.monotonic() + silence
        try:
            while True:
                left = min(current.left(), quiet_until - time.monotonic())
                self.settimeout(max(0.001, min(left, _LOOK_SECONDS)))
                try:
                    return call()
                except TimeoutError:
                    if time.monotonic() >= quiet_until:
                        raise
        finally:
            if self.fileno() >= 0:
                self.settimeout(silence)


class _TlsSocket(_Bounded, ssl.SSLSocket):
    """The same over TLS, its handshake too."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - as the library calls it
        self._within(lambda: super(_TlsSocket, self).do_handshake(block))


class _PlainSocket(_Bounded):
    """The same without: to a proxy before TLS begins, and to the platform's own identity endpoint."""


class _Connection(HTTPConnection):
    """Connects with a bounded socket."""

    def _new_conn(self) -> socket.socket:
        current = _current.get()
        if current is not None:
            self.timeout = min(self.timeout or current.left(), current.left())
        made = super()._new_conn()
        timeout = made.gettimeout()
        bounded = _PlainSocket(made.family, made.type, made.proto, fileno=made.detach())
        bounded.settimeout(timeout)
        return bounded

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]
        """The final answer; after an early one the next would be taken for that of the next request."""
        response = super().getresponse()
        if response.status < _FIRST_FINAL:
            self.close()
            raise ProtocolError("early answer")
        return response


class _TlsConnection(_Connection, HTTPSConnection):
    """The same for https."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS = {"http": _Pool, "https": _TlsPool}
