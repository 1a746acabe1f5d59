import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import requests

from shared.deadline import deadline
from shared.web import make_session

Body = Callable[[socket.socket], None]


@pytest.fixture
def peer() -> Iterator[Callable[[Body], str]]:
    """Give a function that starts a peer which, once asked, does as it is told; and its address."""
    servers: list[socket.socket] = []

    def start(body: Body) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def serve() -> None:
            with server.accept()[0] as client:
                client.recv(65536)
                body(client)

        threading.Thread(target=lambda: _quietly(serve), daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}/"

    yield start
    for server in servers:
        server.close()


def _quietly(call: Callable[[], None]) -> None:
    try:
        call()
    except OSError:
        return


def drip(client: socket.socket, piece: bytes) -> None:
    """Send a piece now and then, for as long as somebody listens."""
    while True:
        client.sendall(piece)
        time.sleep(0.02)


def drip_status(client: socket.socket) -> None:
    """Never finish the first line."""
    client.sendall(b"HTTP/1.1 200 ")
    drip(client, b"O")


def drip_header(client: socket.socket) -> None:
    """Never finish a header."""
    client.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
    drip(client, b"x")


def drip_body(client: socket.socket) -> None:
    """Never finish a body whose length is known."""
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
    drip(client, b"x")


def drip_chunks(client: socket.socket) -> None:
    """Never finish a body of chunks."""
    client.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    drip(client, b"1\r\nx\r\n")


def drip_chunk_size(client: socket.socket) -> None:
    """Never finish the line that says how long a chunk is."""
    client.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=")
    drip(client, b"y")


def say_nothing(client: socket.socket) -> None:
    """Be silent until the other side leaves."""
    client.recv(1)


@pytest.mark.parametrize(
    "body", [drip_status, drip_header, drip_body, drip_chunks, drip_chunk_size, say_nothing]
)
def test_whatever_trickles_ends(peer: Callable[[Body], str], body: Body) -> None:
    """Wherever in an answer a peer dawdles, the exchange ends with the deadline, in the caller's own thread."""
    start = time.monotonic()

    with pytest.raises((requests.RequestException, TimeoutError)), deadline(0.3):
        make_session().get(peer(body), timeout=(5, 30)).content  # noqa: B018 - reading it is what dawdles

    assert 0.25 < time.monotonic() - start < 5


def test_the_silence_counts_too(peer: Callable[[Body], str]) -> None:
    """A read timeout that is shorter than the deadline still ends a silent exchange."""
    start = time.monotonic()

    with pytest.raises(requests.exceptions.ReadTimeout), deadline(30):
        make_session().get(peer(say_nothing), timeout=(5, 0.2))

    assert time.monotonic() - start < 5


def test_silence_is_counted_anew_with_each_byte(peer: Callable[[Body], str]) -> None:
    """Pauses that are each shorter than the read timeout are no fault while the deadline is far."""

    def slowly(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
        for _ in range(8):
            time.sleep(0.1)
            client.sendall(b"x")

    with deadline(30):
        assert b"x" * 8 == make_session().get(peer(slowly), timeout=(5, 0.5)).content


def test_giving_up(peer: Callable[[Body], str]) -> None:
    """The event ends an exchange that has time left; set before it, no byte is sent."""
    given_up = threading.Event()
    threading.Timer(0.1, given_up.set).start()

    with pytest.raises(requests.RequestException), deadline(30, given_up):
        make_session().get(peer(say_nothing), timeout=(5, 30))
    with pytest.raises((requests.RequestException, TimeoutError)), deadline(30, given_up):
        make_session().get(peer(say_nothing), timeout=(5, 30))


def test_each_thread_has_its_own(peer: Callable[[Body], str]) -> None:
    """A deadline of one thread does not end another's exchange."""

    def late(client: socket.socket) -> None:
        time.sleep(0.4)
        client.sendall(b"HTTP/1.1 204 OK\r\n\r\n")

    address = peer(late)
    found: list[int] = []
    other = threading.Thread(target=lambda: found.append(make_session().get(address, timeout=5).status_code))
    with deadline(0.1):
        other.start()
        other.join()

    assert [204] == found


def test_without_a_deadline(peer: Callable[[Body], str]) -> None:
    """Outside of one, the timeouts of the request hold alone."""
    answer = peer(lambda client: client.sendall(b"HTTP/1.1 204 No Content\r\n\r\n"))

    assert 204 == make_session().get(answer, timeout=5).status_code
