import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from sandbox.authority import Authority
from sandbox.faults import Fault, Faults
from sandbox.proxy import Attempt, Proxy
from sandbox.web import Request, Response, WebServer, json_response

HOST = "api.known.test"
ADDRESS = f"https://{HOST}/x"


def count(request: Request) -> Response:
    """Answer with the size of the body, and a body of its own as large."""
    return json_response(200, {"size": len(request.body), "back": "y" * len(request.body)})


@pytest.fixture
def faults() -> Faults:
    """Give the faults that stand before the known host."""
    return Faults()


@pytest.fixture
def proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faults: Faults) -> Iterator[Proxy]:
    """Give a running proxy that knows one host, and make it the environment's."""
    authority = Authority(tmp_path, ["*.known.test"])
    with (
        WebServer({HOST: count}, tls=authority.server_context(), faults=faults) as server,
        Proxy(lambda host, port: server.port if (host, port) == (HOST, 443) else None) as running,
    ):
        monkeypatch.setenv("HTTPS_PROXY", running.url)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.ca_path))
        yield running
    assert [] == running.errors + server.errors


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """Give a client that goes by the environment."""
    with requests.Session() as client:
        yield client


def test_known_host_is_reached(proxy: Proxy, session: requests.Session) -> None:
    """A routed host answers under its real name, through TLS, and is recorded."""
    answer = session.get(ADDRESS)

    assert 0 == answer.json()["size"]
    assert [Attempt(HOST, 443, allowed=True)] == proxy.record
    assert ({HOST}, set()) == (proxy.hosts(), proxy.refused())


def test_unknown_host_is_refused(proxy: Proxy, session: requests.Session) -> None:
    """Any other host, and a known one on another port, is refused with 403 and recorded."""
    for address in ("https://elsewhere.test/", f"https://{HOST}:8443/"):
        with pytest.raises(requests.exceptions.ProxyError, match="403"):
            session.get(address)

    assert {"elsewhere.test", HOST} == proxy.refused()
    assert set() == proxy.hosts()


def test_plain_http_is_refused(proxy: Proxy) -> None:
    """Only CONNECT is served; what was asked for in plain text is recorded as refused."""
    answer = requests.get("http://plain.test/x", proxies={"http": proxy.url}, timeout=5)

    assert (405, "CONNECT") == (answer.status_code, answer.headers["Allow"])
    assert {"plain.test"} == proxy.refused()


def test_large_bodies_pass_both_ways(proxy: Proxy, session: requests.Session) -> None:
    """A tunnel carries 25 MB in and 25 MB out."""
    answer = session.post(ADDRESS, data=b"x" * 25_000_000).json()

    assert (25_000_000, 25_000_000) == (answer["size"], len(answer["back"]))


def test_requests_at_once_do_not_mix(proxy: Proxy) -> None:
    """Tunnels of several threads carry their own bytes."""
    sizes: list[int] = []

    def post(size: int) -> None:
        sizes.append(requests.post(ADDRESS, data=b"x" * size, timeout=10).json()["size"])

    threads = [threading.Thread(target=post, args=(size,)) for size in range(1000, 9000, 1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert list(range(1000, 9000, 1000)) == sorted(sizes)


def test_host_that_is_down_refuses(proxy: Proxy, session: requests.Session) -> None:
    """A host that went down loses its open tunnels and gets 502 until it is up again."""
    session.get(ADDRESS)
    proxy.down(HOST)
    with pytest.raises(requests.exceptions.ProxyError, match="502"):
        session.get(ADDRESS)
    proxy.up(HOST)

    assert 200 == session.get(ADDRESS).status_code


def test_host_that_is_down_resets(proxy: Proxy) -> None:
    """A host can also go down by resetting those who ask for it."""
    proxy.down(HOST, reset=True)
    host, port = proxy.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(f"CONNECT {HOST}:443 HTTP/1.1\r\n\r\n".encode())
        with pytest.raises(ConnectionResetError):
            client.recv(100)


def test_open_tunnel_is_reset_when_its_host_goes_down(
    proxy: Proxy, session: requests.Session, faults: Faults
) -> None:
    """A request that waits for its answer is reset when the host goes down."""
    faults.add(Fault(kind="hang"))
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            session.get(ADDRESS)
        except requests.ConnectionError as error:
            errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    wait_for(lambda: bool(faults.hits))
    proxy.down(HOST)
    thread.join(5)

    assert 1 == len(errors)


def test_reset_passes_through() -> None:
    """A reset by the server is a reset for the client, not an ordinary end."""
    with (
        WebServer({HOST: count}, tls=None, faults=Faults([Fault(kind="reset")])) as server,
        Proxy(lambda *_: server.port) as proxy,
        socket.create_connection(("127.0.0.1", int(proxy.url.rpartition(":")[2]))) as client,
    ):
        client.sendall(f"CONNECT {HOST}:80 HTTP/1.1\r\n\r\n".encode())
        established = client.recv(100)
        client.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        with pytest.raises(ConnectionResetError):
            client.recv(100)

    assert established.startswith(b"HTTP/1.1 200 ")


def test_stopping_ends_open_tunnels(proxy: Proxy, session: requests.Session, faults: Faults) -> None:
    """A tunnel whose server never answers does not hold up the end."""
    faults.add(Fault(kind="hang"))
    with pytest.raises(requests.ReadTimeout):
        session.get(ADDRESS, timeout=0.2)
    start = time.monotonic()
    proxy.stop()

    assert time.monotonic() - start < 1


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    raise TimeoutError
