import http.client
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sandbox.authority import Authority
from sandbox.web import Request, Response, WebServer, json_response


def echo(request: Request) -> Response:
    """Answer with what arrived."""
    return json_response(
        200,
        {
            "method": request.method,
            "host": request.host,
            "path": request.path,
            "query": request.query,
            "size": len(request.body),
            "header": request.headers.get("x-test"),
        },
    )


def fail(request: Request) -> Response:
    """Stand for a service with a fault of its own."""
    raise LookupError("no such thing")


def empty(request: Request) -> Response:
    """Answer without a body."""
    return Response(204)


@pytest.fixture
def server() -> Iterator[WebServer]:
    """Serve the services of this file."""
    services = {"127.0.0.1": echo, "fail.test": fail, "empty.test": empty, "*.wild.test": echo}
    with WebServer(services, tls=None) as web:
        yield web


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """Give a client that knows no proxy."""
    with requests.Session() as client:
        client.trust_env = False
        yield client


def url(server: WebServer, target: str = "/") -> str:
    """Return an address on the server."""
    return f"http://127.0.0.1:{server.port}{target}"


def test_service_sees_the_request(server: WebServer, session: requests.Session) -> None:
    """The path stays as sent, the last of a repeated query name counts, a header's name is in lower case."""
    answer = session.post(url(server, "/a%20b?x=1&x=&y=2"), data="12345", headers={"X-Test": "yes"})

    expected = {
        "method": "POST",
        "host": "127.0.0.1",
        "path": "/a%20b",
        "query": {"x": "", "y": "2"},
        "size": 5,
        "header": "yes",
    }

    assert expected == answer.json()


def test_chunked_body_is_joined(server: WebServer, session: requests.Session) -> None:
    """A body sent in chunks reaches the service whole, and the connection goes on."""
    sizes = [session.post(url(server), data=iter([b"abc", b"defg"])).json()["size"] for _ in range(2)]

    assert [7, 7] == sizes


def test_large_post_arrives(server: WebServer, session: requests.Session) -> None:
    """A body of 25 MB, near the Data Collector API's limit, arrives whole."""
    assert 25_000_000 == session.post(url(server), data=b"x" * 25_000_000).json()["size"]


def test_connection_is_kept(server: WebServer) -> None:
    """HTTP/1.1 connections carry more than one request."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("GET", "/")
    connection.getresponse().read()
    first = connection.sock
    connection.request("GET", "/")
    connection.getresponse().read()
    second = connection.sock
    connection.close()

    assert first is second


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("a.wild.test", 200),
        ("a.b.WILD.test:443", 200),
        ("wild.test", 421),
        ("elsewhere.test", 421),
        ("empty.test", 204),
    ],
)
def test_host_chooses_the_service(
    server: WebServer, session: requests.Session, host: str, status: int
) -> None:
    """A name or a wildcard finds its service, without port and case; a stranger gets 421."""
    assert status == session.get(url(server), headers={"Host": host}).status_code


def test_failing_service_is_not_lost(server: WebServer, session: requests.Session) -> None:
    """A service that raises gives 500, and the traceback is kept."""
    answer = session.get(url(server), headers={"Host": "fail.test"})

    assert 500 == answer.status_code
    assert "LookupError: no such thing" in server.errors[0]


def test_head_has_no_body(server: WebServer, session: requests.Session) -> None:
    """HEAD gives the length of the body that GET would give, and the connection stays usable."""
    length = session.head(url(server)).headers["Content-Length"]

    assert 0 < int(length)
    assert 200 == session.get(url(server)).status_code


def test_half_a_body_never_reaches_a_service() -> None:
    """A client that goes away in mid-body leaves no trace in the service, and no error."""
    seen: list[Request] = []

    def note(request: Request) -> Response:
        seen.append(request)
        return Response(200)

    with (
        WebServer({"*.test": note}, tls=None) as server,
        socket.create_connection(("127.0.0.1", server.port)) as client,
    ):
        client.sendall(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\n12345")
        client.shutdown(socket.SHUT_WR)
        end = client.recv(10)

    assert b"" == end
    assert ([], []) == (seen, server.errors)


def test_certificate_passes_the_strict_checks(tmp_path: Path) -> None:
    """Python's strict X.509 verification accepts the authority and a wildcard name."""
    authority = Authority(tmp_path, ["*.wild.test"])
    trust = authority.client_context()
    trust.verify_flags |= ssl.VERIFY_X509_STRICT
    with (
        WebServer({"*.wild.test": echo}, tls=authority.server_context()) as server,
        socket.create_connection(("127.0.0.1", server.port)) as raw,
        trust.wrap_socket(raw, server_hostname="a.wild.test") as client,
    ):
        version = client.version()

    assert "TLSv1.3" == version


def test_tls_is_1_2_at_least(tmp_path: Path) -> None:
    """No side of the sandbox speaks anything older than TLS 1.2."""
    authority = Authority(tmp_path, [])
    versions = {authority.server_context().minimum_version, authority.client_context().minimum_version}

    assert {ssl.TLSVersion.TLSv1_2} == versions


def test_private_key_is_private(tmp_path: Path) -> None:
    """Nobody but the owner can read the server's key."""
    assert 0o600 == Authority(tmp_path, []).key_path.stat().st_mode & 0o777


def test_slow_handshake_holds_up_nobody(tmp_path: Path, session: requests.Session) -> None:
    """A client that connects and says nothing delays neither the others nor the end."""
    authority = Authority(tmp_path, [])
    with (
        WebServer({"localhost": echo}, tls=authority.server_context()) as server,
        socket.create_connection(("127.0.0.1", server.port)),
    ):
        address = f"https://localhost:{server.port}/"
        answer = session.get(address, verify=str(authority.ca_path), timeout=5)
        server.stop()

    assert 200 == answer.status_code


def test_port_is_unknown_before_the_start() -> None:
    """Asking for the port too early is an error, not a wrong number."""
    with pytest.raises(RuntimeError, match="before it was started"):
        _ = WebServer({}, tls=None).port
