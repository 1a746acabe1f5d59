import gzip
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from sandbox import web
from sandbox.authority import Authority
from sandbox.faults import Fault, Faults, Kind
from sandbox.proxy import Proxy
from shared.deadline import MOST_BYTES
from shared.errors import AnswerTooLarge, NetworkRefused, ServiceUnavailable
from shared.web import USER_AGENT, Answer, Request, https_transport

TOKEN = "Bearer token-that-nobody-may-see"


class Peer:
    """A server with a certificate of its own, which shows what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder, ["localhost"])
        self.faults = Faults()
        self.answer = web.Response(200, b'{"ok":true}')
        self.seen: list[web.Request] = []
        self._server = web.WebServer(
            {"localhost": self._serve}, tls=self.authority.server_context(), faults=self.faults
        )

    @property
    def url(self) -> str:
        """The server's address."""
        return f"https://localhost:{self._server.port}"

    def _serve(self, request: web.Request) -> web.Response:
        self.seen.append(request)
        return self.answer

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()


@pytest.fixture
def peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Peer]:
    """Run a server whose CA is named in REQUESTS_CA_BUNDLE."""
    with Peer(tmp_path) as running:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(running.authority.ca_path))
        yield running


def test_exchange(peer: Peer) -> None:
    """A request arrives as it was meant, and its answer comes back whole, with header names in lower case."""
    peer.answer = web.Response(201, "Ä".encode(), {"X-Trace": "1"})
    answer = https_transport()(Request("POST", f"{peer.url}/a?b=c", {"Authorization": TOKEN}, "ß".encode()))
    (seen,) = peer.seen

    assert (201, "Ä", "1") == (answer.status, answer.text, answer.headers["x-trace"])
    assert ("POST", "/a", {"b": "c"}, "ß".encode()) == (seen.method, seen.path, seen.query, seen.body)
    assert (TOKEN, USER_AGENT) == (seen.headers["authorization"], seen.headers["user-agent"])


def test_gzip_is_unpacked(peer: Peer) -> None:
    """Compression is asked for and undone."""
    peer.answer = web.Response(200, gzip.compress(b'{"a":1}'), {"Content-Encoding": "gzip"})
    answer = https_transport()(Request("GET", peer.url))

    assert {"a": 1} == answer.json()
    assert "gzip" == peer.seen[0].headers["accept-encoding"]


def test_redirects_are_not_followed(peer: Peer) -> None:
    """A redirect is an answer like any other: the token goes to no other address."""
    peer.answer = web.Response(302, b"", {"Location": f"{peer.url}/elsewhere"})
    answer = https_transport()(Request("GET", peer.url, {"Authorization": TOKEN}))

    assert (302, 1) == (answer.status, len(peer.seen))


def test_netrc_does_not_replace_the_token(
    peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A login for the host in the machine's .netrc leaves the Authorization header alone."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login somebody password something\n")
    monkeypatch.setenv("NETRC", str(netrc))
    https_transport()(Request("GET", peer.url, {"Authorization": TOKEN}))

    assert TOKEN == peer.seen[0].headers["authorization"]


def test_strange_certificate_is_refused(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate of an unknown CA is not accepted, and the sentence says where to name that CA."""
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")

    with pytest.raises(NetworkRefused, match="name its CA in REQUESTS_CA_BUNDLE"):
        https_transport()(Request("GET", peer.url))


def test_another_hosts_certificate_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate of a trusted CA for another name is not accepted."""
    authority = Authority(tmp_path, ["elsewhere.example"])
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.ca_path))
    with (
        web.WebServer({}, tls=authority.server_context()) as server,
        Proxy(lambda _, __: server.port) as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(NetworkRefused, match="certificate was not accepted"):
            https_transport()(Request("GET", "https://lens.docusign.net/"))


def test_old_tls_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that speaks nothing newer than TLS 1.1 gets no request."""
    authority = Authority(tmp_path, ["localhost"])
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.ca_path))
    context = authority.server_context()
    with pytest.warns(DeprecationWarning, match=r"TLSv1"):
        context.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match=r"TLSv1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with web.WebServer({}, tls=context) as server, pytest.raises(ServiceUnavailable):
        https_transport()(Request("GET", f"https://localhost:{server.port}"))


@pytest.mark.parametrize("kind", ["reset", "reset_mid", "truncate", "accept_then_reset"])
def test_broken_exchange(peer: Peer, kind: Kind) -> None:
    """Whatever breaks an answer, what comes of it is one short sentence without the URL's secrets."""
    peer.faults.add(Fault(kind=kind))

    with pytest.raises(ServiceUnavailable) as raised:
        https_transport()(Request("GET", f"{peer.url}/path?cursor=opaque", {"Authorization": TOKEN}))

    assert str(raised.value).startswith("localhost:")
    assert raised.value.__suppress_context__
    assert not any(part in str(raised.value) for part in ("opaque", "path", TOKEN))


@pytest.mark.parametrize("kind", ["hang", "trickle"])
def test_bounded_in_time(peer: Peer, kind: Kind) -> None:
    """A silent peer, and one that sends a byte now and then, are given up after the request's seconds."""
    peer.faults.add(Fault(kind=kind, seconds=0.1))

    with pytest.raises(ServiceUnavailable, match=r"^localhost:\d+: no whole answer in time$"):
        https_transport()(Request("GET", peer.url, seconds=0.3))


def test_nothing_goes_on_after_it_was_given_up(peer: Peer) -> None:
    """An exchange that was given up leaves no thread, and the transport serves the next one."""
    peer.faults.add(Fault(kind="trickle", seconds=0.05))
    send, threads = https_transport(), threading.active_count()
    with pytest.raises(ServiceUnavailable):
        send(Request("GET", peer.url, seconds=0.3))

    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("connector")]
    assert threading.active_count() <= threads + 1  # the peer's own, for the connection
    assert 200 == send(Request("GET", peer.url)).status


@pytest.mark.parametrize("status", [101, 102, 103])
def test_an_early_answer_is_none(status: int) -> None:
    """What follows an early answer is not taken for the answer to the next request: its connection is closed."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for number in range(2):
                with server.accept()[0] as client:
                    client.recv(65536)
                    early = f"HTTP/1.1 {status} Early\r\n\r\n" if number == 0 else ""
                    client.sendall(f"{early}HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{number}".encode())

        thread = threading.Thread(target=serve)
        thread.start()
        send, url = https_transport(), f"http://127.0.0.1:{server.getsockname()[1]}/"
        with pytest.raises(ServiceUnavailable):
            send(Request("GET", url))
        answer = send(Request("GET", url))
        thread.join()

    assert (200, b"1") == (answer.status, answer.body)


def test_a_silent_handshake_ends_with_the_deadline() -> None:
    """A peer that is silent once TLS should begin is given up after the request's seconds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        start = time.monotonic()
        with pytest.raises(ServiceUnavailable):
            https_transport()(Request("GET", f"https://127.0.0.1:{server.getsockname()[1]}/", seconds=0.5))

    assert time.monotonic() - start < 5


def test_given_up_from_outside(peer: Peer) -> None:
    """Setting the request's event ends a silent exchange within a second or two, long before its own end."""
    peer.faults.add(Fault(kind="hang", seconds=20.0))
    given_up, start = threading.Event(), time.monotonic()
    threading.Timer(0.1, given_up.set).start()
    with pytest.raises(ServiceUnavailable, match="no whole answer in time"):
        https_transport()(Request("GET", peer.url, given_up=given_up))

    assert time.monotonic() - start < 10


def test_large_body_is_sent_whole(peer: Peer) -> None:
    """A body of many pieces arrives as it was."""
    body = bytes(range(256)) * 20_000
    https_transport()(Request("POST", peer.url, {}, body))

    assert body == peer.seen[0].body


def test_an_answer_without_bounds(peer: Peer) -> None:
    """A small answer that unpacks to more than any of the service's is given up, and never held whole."""
    bomb = gzip.compress(bytes(MOST_BYTES + 1))
    peer.answer = web.Response(200, bomb, {"Content-Encoding": "gzip"})

    assert len(bomb) < 100_000
    with pytest.raises(AnswerTooLarge, match="larger than 64 MB"):
        https_transport()(Request("GET", peer.url))


@pytest.mark.parametrize(
    ("url", "variables", "words"),
    [
        (f"https://{'a' * 70}.example.com/x", {}, "address cannot be read"),
        ("https://.example.com/x", {}, "address cannot be read"),
        ("https://[::1/x", {}, "address cannot be read"),
        ("nonsense", {}, "address cannot be read"),
        (
            "https://example.com/x",
            {"REQUESTS_CA_BUNDLE": "/no/such.pem"},
            "REQUESTS_CA_BUNDLE names no readable",
        ),
        ("https://example.com/x", {"HTTPS_PROXY": "://bad"}, "HTTPS_PROXY is no address of a proxy"),
        (
            "https://example.com/x",
            {"HTTPS_PROXY": "socks5://127.0.0.1:1"},
            "HTTPS_PROXY is no address of a proxy",
        ),
    ],
)
def test_what_lasts_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, url: str, variables: dict[str, str], words: str
) -> None:
    """A wrong path, proxy or address is one sentence for a person, and no retry can help."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(NetworkRefused, match=words):
        https_transport()(Request("GET", url, seconds=6))


def test_a_bundle_without_certificates(peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is there, and holds no certificate, is named by its setting."""
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(junk))

    with pytest.raises(NetworkRefused, match="REQUESTS_CA_BUNDLE names no readable"):
        https_transport()(Request("GET", peer.url))


@pytest.mark.parametrize(
    ("status", "words"),
    [("407 Proxy Authentication Required", "wants a login"), ("403 Forbidden", "let this host through")],
)
def test_a_proxy_that_will_never_let_it_through(
    monkeypatch: pytest.MonkeyPatch, status: str, words: str
) -> None:
    """A proxy that asks for a login, or forbids the host, does so tomorrow too."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:

        def refuse() -> None:
            with proxy.accept()[0] as tunnel:
                tunnel.recv(65536)
                tunnel.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())

        thread = threading.Thread(target=refuse)
        thread.start()
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        with pytest.raises(NetworkRefused, match=words):
            https_transport()(Request("GET", "https://lens.docusign.net/", seconds=6))
        thread.join()


def test_no_connection() -> None:
    """A port where nobody listens is a failure that a retry may heal."""
    with pytest.raises(ServiceUnavailable, match="connection was refused"):
        https_transport()(Request("GET", "https://127.0.0.1:1"))


def test_proxy_that_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that is not there is named by its setting."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")

    with pytest.raises(ServiceUnavailable, match="the proxy in HTTPS_PROXY"):
        https_transport()(Request("GET", "https://lens.docusign.net/"))


def test_text_of_any_bytes() -> None:
    """A body that is no UTF-8 is shown all the same."""
    assert "a\ufffd" == Answer(200, {}, b"a\xff").text
    assert 65_536 == len(Answer(500, {}, b"a" * 1_000_000).text)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "Sat, 21 Nov 2026 09:01:00 GMT"}, 60.0),
        ({"retry-after": "Sat, 21 Nov 2026 08:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "Mon, 01 Jan 2024 00:00:00 +99999999999999"}, None),
        ({"retry-after": "Mon, 01 Jan 2024 99999999999999999999:00:00 GMT"}, None),
    ],
)
def test_retry_after(given: dict[str, str], seconds: float | None) -> None:
    """Retry-After is read as seconds and as a date; what is neither counts as absent."""
    now = 1795251600.0  # 2026-11-21 09:00:00 UTC

    assert seconds == Answer(429, given).retry_after(lambda: now)


@pytest.mark.parametrize(("given", "number"), [({}, None), ({"n": "12"}, 12.0), ({"n": "many"}, None)])
def test_number(given: dict[str, str], number: float | None) -> None:
    """A header's number is read where it is one."""
    assert number == Answer(200, given).number("n")
