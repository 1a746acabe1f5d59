"""A small threaded web server that picks a service by the Host header.

A service is a plain function from request to response, so that tests call it without a socket::

    client -> connection thread -> TLS -> Request -> [ faults ] -> service -> Response -> one send
"""

import contextlib
import socket
import ssl
import struct
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import BaseRequestHandler, TCPServer, ThreadingMixIn
from typing import Any, Protocol, Self, cast
from urllib.parse import parse_qsl, urlsplit

import orjson

LOOPBACK = "127.0.0.1"
_STOP_SECONDS = 5.0
_POLL_SECONDS = 0.05
RESET = struct.pack("ii", 1, 0)
"""The value of SO_LINGER that turns a close into a reset (RST)."""

_NO_BODY = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}


@dataclass(frozen=True)
class Request:
    """A request as a service sees it.

    Attributes:
        method: Upper case, as sent.
        host: Lower case, without the port.
        path: As sent, that is percent-encoded, without the query.
        query: Decoded; of a repeated name the last value counts.
        headers: Names in lower case; repeated headers are joined by a comma.
        body: The bytes as sent, out of their chunks but still compressed.
    """

    method: str
    host: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Response:
    """An answer; the server adds `Date` and `Content-Length`."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


Service = Callable[[Request], Response]


class Wire(Protocol):
    """The client's connection, for answers that are wrong on purpose."""

    @property
    def stopping(self) -> threading.Event:
        """The event that is set when the server stops; every wait is a wait on it."""

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""

    def close(self) -> None:
        """Close the connection after this answer."""

    def reset(self) -> None:
        """Reset the connection (RST): what the client has not read yet may be lost."""


class Answering(Protocol):
    """What stands between the server and a service, such as `sandbox.faults.Faults`."""

    def answer(self, request: Request, service: Service, wire: Wire) -> None:
        """Answer the request on the wire."""


def json_response(status: int, value: object, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer whose body is the value as JSON."""
    content_type = {"Content-Type": "application/json; charset=utf-8"}
    return Response(status, orjson.dumps(value), content_type | dict(headers or {}))


def head(response: Response) -> bytes:
    """Return the status line and the headers of an answer, up to and with the empty line."""
    phrase = HTTPStatus(response.status).phrase if response.status in set(HTTPStatus) else ""
    lines = [f"HTTP/1.1 {response.status} {phrase}", f"Date: {formatdate(usegmt=True)}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    if response.status not in _NO_BODY and "content-length" not in {
        name.lower() for name in response.headers
    }:
        lines.append(f"Content-Length: {len(response.body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def encode(request: Request, response: Response) -> bytes:
    """Return the whole answer as bytes; an answer to HEAD has no body."""
    bodiless = request.method == "HEAD" or response.status in _NO_BODY
    return head(response) + (b"" if bodiless else response.body)


class WebServer:
    """A server on a free loopback port, with one service a host name.

    Args:
        services: Services by host name; `*.suffix` matches every name below the suffix.
        tls: The server's side of TLS; None for plain HTTP.
        faults: Stands before the services, and may spoil their answers.

    A host without a service gets 421. A service that raises gives 500, and its traceback is kept in `errors`.
    """

    host = LOOPBACK

    def __init__(
        self,
        services: Mapping[str, Service],
        *,
        tls: ssl.SSLContext | None,
        faults: Answering | None = None,
    ) -> None:
        self.errors: list[str] = []
        self._services = {name.lower(): service for name, service in services.items()}
        self._tls = tls
        self._faults = faults
        self._listener: Listener | None = None

    @property
    def port(self) -> int:
        """The port, known once the server was started."""
        if self._listener is None:
            raise RuntimeError("The server has no port before it was started.")
        return self._listener.port

    def start(self) -> None:
        """Bind a free port and serve it in the background."""
        self._listener = Listener(partial(_Connection, self._answer), tls=self._tls, errors=self.errors)
        self._listener.start()

    def stop(self) -> None:
        """Close the port and every connection, and wait for their threads; harmless when repeated."""
        if self._listener is not None:
            self._listener.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def respond(self, request: Request) -> Response:
        """Return the answer of the service that the request's host names."""
        service = self._service(request.host)
        if service is None:
            return json_response(421, {"error": f"No service is known by the name {request.host!r}."})
        try:
            return service(request)
        except Exception:  # noqa: BLE001  a fault of a service must reach the test, not end the thread
            self.errors.append(traceback.format_exc())
            return json_response(
                500, {"error": "The service failed; its traceback is in the server's errors."}
            )

    def _answer(self, request: Request, wire: Wire) -> None:
        if self._faults is None:
            wire.send(encode(request, self.respond(request)))
        else:
            self._faults.answer(request, self.respond, wire)

    def _service(self, host: str) -> Service | None:
        labels = host.split(".")
        names = [host, *("*." + ".".join(labels[i:]) for i in range(1, len(labels)))]
        return next((self._services[name] for name in names if name in self._services), None)


class Listener(ThreadingMixIn, TCPServer):
    """Accepts connections on a free loopback port, each served by a thread that `stop` can end.

    Args:
        handler: Called with the connection, the client's address and this listener.
        tls: The server's side of TLS; the handshake is the handler's, so that no client holds up the next.
        errors: Takes the traceback of every handler that failed for another reason than a lost client.
    """

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(
        self,
        handler: Callable[[Any, Any, "Listener"], BaseRequestHandler],
        *,
        errors: list[str],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.stopping = threading.Event()
        self._tls = tls
        self._errors = errors
        self._live: dict[socket.socket, threading.Thread] = {}
        super().__init__((LOOPBACK, 0), cast("Any", handler))

    @property
    def port(self) -> int:
        """The port that was free."""
        return int(self.server_address[1])

    def start(self) -> None:
        """Accept connections in the background."""
        threading.Thread(target=self.serve_forever, args=(_POLL_SECONDS,), daemon=True).start()

    def stop(self) -> None:
        """Close the port and every connection, and wait for their threads; harmless when repeated."""
        if self.stopping.is_set():
            return
        self.stopping.set()
        self.shutdown()
        self.server_close()
        for client, thread in list(self._live.items()):
            with contextlib.suppress(OSError):  # SSLSocket.shutdown would trip up the thread that reads
                socket.socket.shutdown(client, socket.SHUT_RDWR)
            thread.join(_STOP_SECONDS)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection without its TLS handshake."""
        client, address = super().get_request()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is not None:
            client = self._tls.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
        return client, address

    def process_request(self, request: Any, client_address: Any) -> None:
        """Register the connection before its thread starts, so that `stop` misses none."""
        work = partial(self.process_request_thread, request, client_address)
        self._live[request] = threading.Thread(target=work, daemon=True)
        self._live[request].start()

    def shutdown_request(self, request: Any) -> None:
        """Close without the usual FIN first, which would hide a reset."""
        self._live.pop(request, None)
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  the base names them
        """Keep the traceback, unless the client only went away."""
        if not isinstance(sys.exception(), OSError):
            self._errors.append(traceback.format_exc())


class _Connection(BaseHTTPRequestHandler):
    """Reads requests off one connection until either side has enough."""

    protocol_version = "HTTP/1.1"
    server: Listener

    def __init__(self, answer: Callable[[Request, Wire], None], *args: Any) -> None:
        self._answer = answer
        super().__init__(*args)

    @property
    def stopping(self) -> threading.Event:
        return self.server.stopping

    def setup(self) -> None:
        if isinstance(self.request, ssl.SSLSocket):
            self.request.do_handshake()
        super().setup()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base names it
        """Stay silent: services count for themselves."""

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def close(self) -> None:
        self.close_connection = True

    def reset(self) -> None:
        self.close()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    def _serve(self) -> None:
        target = urlsplit(self.path)
        headers: dict[str, str] = {}
        for name, value in self.headers.items():
            key = name.lower()
            headers[key] = f"{headers[key]}, {value}" if key in headers else value
        query = dict(parse_qsl(target.query, keep_blank_values=True))
        host = headers.get("host", "").split(":")[0].lower()
        body = self._body(headers)
        self._answer(Request(self.command, host, target.path, query, headers, body), self)

    # http.server finds a method's handler by this name
    do_DELETE = do_GET = do_HEAD = do_OPTIONS = do_PATCH = do_POST = do_PUT = _serve  # noqa: N815

    def _body(self, headers: dict[str, str]) -> bytes:
        if "chunked" not in headers.get("transfer-encoding", "").lower():
            return self._read(int(headers.get("content-length", "0")))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self._read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return b"".join(chunks)

    def _read(self, size: int) -> bytes:
        data = self.rfile.read(size)
        if len(data) < size:  # half a body must never reach a service
            raise ConnectionError(f"The client sent {len(data)} of {size} bytes.")
        return data
