"""A CONNECT proxy on loopback that knows a few hosts and refuses every other.

It is what lets the sandbox use real host names, and the witness that nothing else was contacted.
"""

import contextlib
import socket
import threading
from collections.abc import Callable
from functools import partial
from socketserver import BaseRequestHandler
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from sandbox.web import LOOPBACK, RESET, Listener

_CHUNK = 256 * 1024
_LONGEST_HEAD = 64 * 1024
_CUT_SECONDS = 1.0
_ESTABLISHED = b"HTTP/1.1 200 Connection Established\r\n\r\n"


class Attempt(NamedTuple):
    """A host that a client asked for, and whether it was let through."""

    host: str
    port: int
    allowed: bool


class Proxy:
    """A CONNECT proxy that sends each host to a local port.

    Args:
        routes: Gives the local port for a host and port, or None, which refuses it with 403.

    Attributes:
        record: Every attempt, in order.
        errors: The tracebacks of connections that failed inside the proxy.
    """

    def __init__(self, routes: Callable[[str, int], int | None]) -> None:
        self.record: list[Attempt] = []
        self.errors: list[str] = []
        self._routes = routes
        self._closed = False
        self._down: dict[str, bool] = {}
        self._tunnels: set[_Tunnel] = set()
        self._lock = threading.Lock()
        self._listener: Listener | None = None

    @property
    def url(self) -> str:
        """The value for `HTTPS_PROXY`, known once the proxy was started."""
        if self._listener is None:
            raise RuntimeError("The proxy has no port before it was started.")
        return f"http://{LOOPBACK}:{self._listener.port}"

    def start(self) -> None:
        """Bind a free port and serve it in the background."""
        self._closed = False
        self._listener = Listener(partial(_Client, self), errors=self.errors)
        self._listener.start()

    def stop(self) -> None:
        """Close the port and every tunnel; harmless when repeated."""
        if self._listener is not None:
            with self._lock:
                self._closed = True
            self._cut("*")
            self._listener.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def hosts(self) -> set[str]:
        """Return the hosts that were let through."""
        return {attempt.host for attempt in self.record if attempt.allowed}

    def refused(self) -> set[str]:
        """Return the hosts that were refused."""
        return {attempt.host for attempt in self.record if not attempt.allowed}

    def down(self, host: str, *, reset: bool = False) -> None:
        """Take a host down: its open tunnels are reset, new ones refused with 502 or, if asked, reset too."""
        with self._lock:
            self._down[host] = reset
        self._cut(host)

    def up(self, host: str) -> None:
        """Bring a host back; harmless when it is up."""
        with self._lock:
            self._down.pop(host, None)

    def route(self, host: str, port: int) -> int | None:
        """Record the attempt and return the local port, or None to refuse."""
        local = self._routes(host, port)
        self.record.append(Attempt(host, port, local is not None))
        return local

    def is_down(self, host: str) -> bool | None:
        """Return None for a host that is up, else whether its clients are reset."""
        return self._down.get(host)

    def carry(self, tunnel: "_Tunnel") -> None:
        """Run the tunnel until both ends are done with it."""
        with self._lock:
            self._tunnels.add(tunnel)
            late = self._closed or tunnel.host in self._down
        if late:
            tunnel.cut()
        tunnel.run()
        with self._lock:
            self._tunnels.discard(tunnel)

    def _cut(self, host: str) -> None:
        with self._lock:
            tunnels = [tunnel for tunnel in self._tunnels if host in {"*", tunnel.host}]
        for tunnel in tunnels:
            tunnel.cut()
            tunnel.ended.wait(_CUT_SECONDS)


class _Client(BaseRequestHandler):
    """One client's connection, from its CONNECT to the end of its tunnel."""

    def __init__(self, proxy: Proxy, *args: Any) -> None:
        self._proxy = proxy
        super().__init__(*args)

    def handle(self) -> None:
        head, _, early = self._head().partition(b"\r\n\r\n")
        method, target = (*head.decode("latin-1").split()[:2], "", "")[:2]
        if method == "CONNECT":
            host, _, port = target.lower().rpartition(":")
            self._connect(host, int(port), early)
        elif method:
            self._proxy.record.append(Attempt(urlsplit(target).hostname or "", 0, allowed=False))
            self._refuse("405 Method Not Allowed\r\nAllow: CONNECT")

    def _connect(self, host: str, port: int, early: bytes) -> None:
        local = self._proxy.route(host, port)
        reset = self._proxy.is_down(host)
        if local is None:
            self._refuse("403 Forbidden")
        elif reset:
            _linger_none(self.request)
        elif reset is not None:
            self._refuse("502 Bad Gateway")
        else:
            self._tunnel(host, local, early)

    def _tunnel(self, host: str, port: int, early: bytes) -> None:
        try:
            upstream = socket.create_connection((LOOPBACK, port))
        except OSError:
            self._refuse("502 Bad Gateway")
            return
        with upstream:
            upstream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.request.sendall(_ESTABLISHED)
            upstream.sendall(early)
            self._proxy.carry(_Tunnel(host, self.request, upstream))

    def _head(self) -> bytes:
        head = b""
        while b"\r\n\r\n" not in head and len(head) < _LONGEST_HEAD:
            data: bytes = self.request.recv(_LONGEST_HEAD)
            if not data:
                return b""
            head += data
        return head

    def _refuse(self, status: str) -> None:
        answer = f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        self.request.sendall(answer.encode())


class _Tunnel:
    """Two sockets and the bytes between them; a reset on one side is a reset on the other."""

    def __init__(self, host: str, client: socket.socket, upstream: socket.socket) -> None:
        self.host = host
        self.ended = threading.Event()
        self._client = client
        self._upstream = upstream

    def run(self) -> None:
        """Carry bytes both ways until both directions have ended, and close both sockets."""
        back = threading.Thread(target=self._pump, args=(self._upstream, self._client), daemon=True)
        back.start()
        self._pump(self._client, self._upstream)
        back.join()
        self._client.close()
        self._upstream.close()
        self.ended.set()

    def cut(self) -> None:
        """Make both pumps end, and the closing of the sockets a reset."""
        for end in (self._client, self._upstream):
            _linger_none(end)
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RD)  # wakes the pump and, unlike SHUT_RDWR, sends no FIN

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(_CHUNK):
                target.sendall(data)
            if not _is_reset(target):
                target.shutdown(socket.SHUT_WR)
        except OSError:
            self.cut()


def _linger_none(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def _is_reset(end: socket.socket) -> bool:
    return end.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(RESET)) == RESET
