import json
import socket
import time
from collections.abc import Iterator
from email.utils import formatdate

import pytest
import requests

from sandbox.faults import Fault, Faults, Hit
from sandbox.web import Request, Response, WebServer, json_response

BODY = {"data": ["x" * 200]}


class Counting:
    """A service that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, _request: Request) -> Response:
        """Count and answer."""
        self.calls += 1
        return json_response(200, BODY)


@pytest.fixture
def service() -> Counting:
    """Give the service that the faults stand before."""
    return Counting()


@pytest.fixture
def faults() -> Faults:
    """Give faults with a clock that stands still."""
    return Faults(clock=lambda: 1_000_000.0)


@pytest.fixture
def server(service: Counting, faults: Faults) -> Iterator[WebServer]:
    """Serve the service behind the faults."""
    with WebServer({"127.0.0.1": service}, tls=None, faults=faults) as web:
        yield web
    assert [] == web.errors


def get(server: WebServer, path: str = "/", timeout: float = 5.0) -> requests.Response:
    """Ask the server."""
    return requests.get(f"http://127.0.0.1:{server.port}{path}", timeout=timeout)


def test_no_fault_no_change(server: WebServer, faults: Faults) -> None:
    """Without a matching fault the service's answer passes."""
    faults.add(Fault(kind="reset", path="/other"))

    assert BODY == get(server).json()
    assert [] == faults.hits


def test_status_with_headers(server: WebServer, faults: Faults, service: Counting) -> None:
    """A status comes with its body and headers, and the service is not asked."""
    faults.add(Fault(kind="status", status=429, body="slow down", headers={"X-A": "b"}, retry_after=2))
    answer = get(server)

    assert (429, "slow down", "b", "2") == (
        answer.status_code,
        answer.text,
        answer.headers["X-A"],
        answer.headers["Retry-After"],
    )
    assert 0 == service.calls


def test_retry_after_as_a_date(server: WebServer, faults: Faults) -> None:
    """Retry-After can be the HTTP date of a moment from now."""
    faults.add(Fault(kind="status", retry_after=60, retry_after_date=True))

    assert formatdate(1_000_060, usegmt=True) == get(server).headers["Retry-After"]


def test_skip_and_times(server: WebServer, faults: Faults) -> None:
    """A fault lets the skipped requests pass, strikes so often, and is spent."""
    faults.add(Fault(kind="status", status=500, skip=1, times=2))

    assert [200, 500, 500, 200] == [get(server).status_code for _ in range(4)]


def test_first_due_fault_wins(server: WebServer, faults: Faults) -> None:
    """Faults strike in the order they were added, the next when the one before is spent."""
    faults.add(Fault(kind="status", status=500), Fault(kind="status", status=503, times=None))

    assert [500, 503, 503] == [get(server).status_code for _ in range(3)]


def test_probability_is_repeatable() -> None:
    """The same seed gives the same faults; their share is near the probability."""

    def strikes(seed: int) -> list[bool]:
        faults = Faults([Fault(kind="reset", probability=0.3, times=None)], seed=seed)
        return [faults._due(Request("GET", "a.test", "/")) is not None for _ in range(1000)]

    assert strikes(1) == strikes(1)
    assert 250 < sum(strikes(1)) < 350


@pytest.mark.parametrize(
    ("fault", "matches"),
    [
        (Fault(kind="hang"), True),
        (Fault(kind="hang", host="*.test", path="/api/*", method="POST"), True),
        (Fault(kind="hang", host="*.other"), False),
        (Fault(kind="hang", path="/api"), False),
        (Fault(kind="hang", method="GET"), False),
    ],
)
def test_patterns(fault: Fault, matches: bool) -> None:  # noqa: FBT001  a parameter of the table above
    """Host, path and method must all match."""
    assert matches == fault.matches(Request("POST", "a.test", "/api/logs"))


def test_reset_before_the_answer(server: WebServer, faults: Faults, service: Counting) -> None:
    """The client sees a reset, and the service was not asked."""
    faults.add(Fault(kind="reset"))
    with pytest.raises(requests.ConnectionError, match="reset"):
        get(server)

    assert 0 == service.calls


def test_accept_then_reset_has_its_effect(server: WebServer, faults: Faults, service: Counting) -> None:
    """The client sees a reset although the service did its work: an ambiguous answer."""
    faults.add(Fault(kind="accept_then_reset"))
    with pytest.raises(requests.ConnectionError, match="reset"):
        get(server)

    assert 1 == service.calls


def test_reset_in_mid_answer(server: WebServer, faults: Faults) -> None:
    """The client gets the headers and half of the body, then a reset."""
    faults.add(Fault(kind="reset_mid"))
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        start = client.recv(10_000)
        with pytest.raises(ConnectionResetError):
            client.recv(1)

    assert len(json.dumps(BODY, separators=(",", ":"))) // 2 == len(start.partition(b"\r\n\r\n")[2])


def test_truncated_answer(server: WebServer, faults: Faults) -> None:
    """The body ends before the promised length."""
    faults.add(Fault(kind="truncate"))
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        get(server)


def test_malformed_json(server: WebServer, faults: Faults) -> None:
    """The answer is whole for HTTP, and no JSON."""
    faults.add(Fault(kind="malformed"))
    answer = get(server)

    assert "application/json; charset=utf-8" == answer.headers["content-type"]
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()


def test_html_page(server: WebServer, faults: Faults) -> None:
    """A gateway's page comes with status 200."""
    faults.add(Fault(kind="html"))
    answer = get(server)

    assert (200, True) == (answer.status_code, answer.text.startswith("<!DOCTYPE html>"))


def test_gzip_cut_short(server: WebServer, faults: Faults) -> None:
    """The compressed body ends in the middle, with a length that fits."""
    faults.add(Fault(kind="gzip_cut"))
    answer = requests.get(f"http://127.0.0.1:{server.port}/", timeout=5, stream=True)
    raw = answer.raw.read(decode_content=False)

    assert ("gzip", str(len(raw))) == (answer.headers["content-encoding"], answer.headers["content-length"])
    assert b"\x1f\x8b" == raw[:2]


def test_trickle_arrives_whole(server: WebServer, faults: Faults) -> None:
    """An answer byte by byte is slow and complete."""
    faults.add(Fault(kind="trickle", seconds=0.0001))

    assert BODY == get(server).json()


def test_delay(server: WebServer, faults: Faults) -> None:
    """An ordinary answer comes after the pause."""
    faults.add(Fault(kind="delay", seconds=0.2))
    start = time.monotonic()

    assert BODY == get(server).json()
    assert time.monotonic() - start >= 0.2


def test_hang_ends_with_the_server(server: WebServer, faults: Faults) -> None:
    """A request that is never answered runs into the client's timeout, and does not hold up the end."""
    faults.add(Fault(kind="hang"))
    with pytest.raises(requests.ReadTimeout):
        get(server, timeout=0.1)
    start = time.monotonic()
    server.stop()

    assert time.monotonic() - start < 1


def test_hits_and_clear(server: WebServer, faults: Faults) -> None:
    """Hits are kept in order, also after the faults are cleared."""
    faults.add(Fault(kind="html", times=None))
    get(server, "/a")
    faults.clear()
    get(server, "/b")

    assert [Hit("html", "GET", "127.0.0.1", "/a")] == faults.hits


def test_faults_survive_json() -> None:
    """A script in a file gives the same faults as before it was written."""
    script = [
        {"kind": "status", "host": "*.test", "status": 429, "times": None, "headers": {"Retry-After": "3"}}
    ]
    text = json.dumps(Faults.from_dicts(script).to_dicts())

    assert Faults.from_dicts(script).to_dicts() == Faults.from_dicts(json.loads(text)).to_dicts()
    assert script[0].items() <= json.loads(text)[0].items()


@pytest.mark.parametrize(
    ("item", "fault"),
    [({"kind": "explode"}, "Unknown kind of fault 'explode'"), ({"kind": "hang", "tims": 1}, "field 'tims'")],
)
def test_script_with_a_mistake_is_refused(item: dict[str, object], fault: str) -> None:
    """An unknown kind or field is named, with the known ones."""
    with pytest.raises(ValueError, match=f"{fault}.*known are"):
        Faults.from_dicts([item])
