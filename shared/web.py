"""HTTP: one request, one whole answer. Who retries, and what a status means, is decided elsewhere.

Always https, TLS 1.2 or later, certificates verified, redirects never followed: a token is sent only to
the host that it is meant for. Proxies and private CAs come from HTTPS_PROXY, NO_PROXY and
REQUESTS_CA_BUNDLE.
"""

import email.utils
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from shared import __version__, lenient_json
from shared.deadline import BoundedAdapter, deadline
from shared.network import network_error

USER_AGENT = f"docusign-monitor-connector/{__version__}"
CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 30.0
"""The longest silence inside an answer."""
WHOLE_SECONDS = 120.0
"""The longest that a whole request may take, so that a trickling peer cannot hold a run."""

_TEXT_BYTES = 64 * 1024
_CHUNK = 256 * 1024
"""Bytes of an answer that are unpacked at once; with requests' own 10 KB it takes half as long again."""


@dataclass(frozen=True)
class Request:
    """One HTTP request; `seconds` bounds all of it, and setting `given_up` ends it within a second."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    seconds: float = WHOLE_SECONDS
    given_up: threading.Event | None = None

    @property
    def host(self) -> str:
        """The host it goes to."""
        return self.url.split("/")[2] if self.url.count("/") > 1 else self.url


@dataclass(frozen=True)
class Answer:
    """One HTTP answer, whole; header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def text(self) -> str:
        """The body's beginning as text, whatever bytes it has: as much as an error can say."""
        return self.body[:_TEXT_BYTES].decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON. Raises ValueError when it is none."""
        return lenient_json.loads(self.body)

    def number(self, header: str) -> float | None:
        """A header's number, or None when it is absent or none."""
        try:
            return float(self.headers[header])
        except (KeyError, ValueError):
            return None

    def retry_after(self, now: Callable[[], float] = time.time) -> float | None:
        """Seconds that the service asks to wait (given as seconds or as a date), or None."""
        seconds = self.number("retry-after")
        if seconds is None and (text := self.headers.get("retry-after")):
            try:
                seconds = email.utils.parsedate_to_datetime(text).timestamp() - now()
            except (ValueError, OverflowError):
                return None
        return None if seconds is None or seconds != seconds else max(0.0, seconds)  # noqa: PLR0124 - NaN


Transport = Callable[[Request], Answer]
"""A request to its answer; raises ServiceUnavailable, or NetworkRefused, when no whole answer came."""


def make_session() -> requests.Session:
    """A session whose exchanges keep the deadline of their thread, and which no file of the machine gives a login."""
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, BoundedAdapter())
    session.auth = lambda prepared: prepared  # else a .netrc of the machine replaces the Authorization header
    return session


def https_transport() -> Transport:
    """A transport with its own pool of connections, for one service; threads may share it."""
    session = make_session()
    session.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": "gzip"})

    def exchange(request: Request) -> Answer:
        silence = min(SILENCE_SECONDS, request.seconds)
        with session.request(
            request.method,
            request.url,
            headers=request.headers,
            data=request.body,
            timeout=(min(CONNECT_SECONDS, silence), silence),
            allow_redirects=False,
            stream=True,
        ) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status_code, headers, b"".join(response.iter_content(_CHUNK)))

    def send(request: Request) -> Answer:
        try:
            with deadline(request.seconds, request.given_up):
                return exchange(request)
        except Exception as error:  # noqa: BLE001 - requests lets OSError, ValueError and urllib3's own through
            raise network_error(request.host, error) from None

    return send
