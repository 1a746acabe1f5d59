"""HTTP: one request, one whole answer. Who retries, and what a status means, is decided elsewhere.

Always https, TLS 1.2 or later, certificates verified, redirects never followed: a token is sent only to
the host that it is meant for. Proxies and private CAs come from HTTPS_PROXY, NO_PROXY and
REQUESTS_CA_BUNDLE.
"""

import email.utils
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from shared import __version__, lenient_json
from shared.budget import within
from shared.errors import ServiceUnavailable

USER_AGENT = f"docusign-monitor-connector/{__version__}"
CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 30.0
"""The longest silence inside an answer."""
WHOLE_SECONDS = 120.0
"""The longest that a whole request may take, so that a trickling peer cannot hold a run."""

_CHUNK = 256 * 1024
"""Bytes of an answer that are unpacked at once; with requests' own 10 KB it takes half as long again."""


@dataclass(frozen=True)
class Request:
    """One HTTP request; `seconds` bounds all of it."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    seconds: float = WHOLE_SECONDS

    @property
    def host(self) -> str:
        """The host it goes to."""
        return self.url.split("/")[2]


@dataclass(frozen=True)
class Answer:
    """One HTTP answer, whole; header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def text(self) -> str:
        """The body as text, whatever bytes it has."""
        return self.body.decode("utf-8", "replace")

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
            except ValueError:
                return None
        return None if seconds is None or seconds != seconds else max(0.0, seconds)  # noqa: PLR0124 - NaN


Transport = Callable[[Request], Answer]
"""A request to its answer; raises ServiceUnavailable when no whole answer came."""


def https_transport() -> Transport:
    """A transport with its own pool of connections, for one service and one caller at a time."""
    session = requests.Session()
    session.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": "gzip"})
    session.auth = lambda prepared: prepared  # else a .netrc of the machine replaces the Authorization header

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
            return within(request.seconds, lambda: exchange(request))
        except (requests.RequestException, TimeoutError) as error:
            raise ServiceUnavailable(f"{request.host}: {_reason(error)}") from None

    return send


def _reason(error: Exception) -> str:
    """The failure in words; a library's own text can hold the whole URL."""
    for kind, words in _REASONS:
        if isinstance(error, kind):
            return words
    return f"the exchange broke ({type(error).__name__}); it is tried again"


_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (requests.exceptions.ProxyError, "the proxy in HTTPS_PROXY refused the connection or lost it"),
    (
        requests.exceptions.SSLError,
        "the TLS certificate was not accepted; behind an inspecting proxy, name its CA in REQUESTS_CA_BUNDLE",
    ),
    (requests.exceptions.ConnectTimeout, "no connection; check the firewall and the network"),
    (requests.exceptions.Timeout, f"silent for more than {SILENCE_SECONDS:.0f} s"),
    (TimeoutError, "no whole answer in time"),
    (requests.exceptions.ChunkedEncodingError, "the answer broke off"),
    (requests.exceptions.ContentDecodingError, "the answer's compression is broken"),
    (requests.exceptions.ConnectionError, "the connection was refused or reset"),
)
