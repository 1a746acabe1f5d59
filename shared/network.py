"""Why no whole answer came, in words with a cure; what lasts is told from what heals by itself.

A library's own text is never shown: it can hold the whole URL.
"""

import re
import ssl

import requests
from urllib3.exceptions import (
    HTTPError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
)

from shared.deadline import MOST_BYTES, TooLarge
from shared.errors import AnswerTooLarge, NetworkRefused, OperatorError, ServiceUnavailable

SILENCE_WORDS = "no whole answer in time"


def network_error(what: str, error: BaseException) -> OperatorError | ServiceUnavailable:
    """The error for an exchange that brought no whole answer.

    Args:
        what: The host, or the thing that was asked for.
        error: What a library raised.
    """
    causes = _causes(error)
    if any(isinstance(cause, TooLarge) for cause in causes):
        return AnswerTooLarge(
            f"{what}: the answer is larger than {MOST_BYTES // 1024**2} MB. Look for a proxy in between; where it is "
            "DocuSign's, set a smaller PAGE_SIZE."
        )
    for fits, words in _LASTING:
        if any(fits(cause) for cause in causes):
            return NetworkRefused(f"{what}: {words}.")
    for kind, words in _PASSING:
        if any(isinstance(cause, kind) for cause in causes):
            return ServiceUnavailable(f"{what}: {words}")
    return ServiceUnavailable(f"{what}: the exchange broke ({type(error).__name__}); it is tried again")


def _causes(error: BaseException) -> list[BaseException]:
    """The error, and those that it was made of: libraries wrap them as reasons, arguments and contexts."""
    found: list[BaseException] = []
    left: list[object] = [error]
    while left:
        item = left.pop()
        if isinstance(item, BaseException) and item not in found:
            found.append(item)
            inner = (getattr(item, name, None) for name in ("reason", "original_error", "inner_exception"))
            context = None if item.__suppress_context__ else item.__context__
            left += [*item.args, *inner, item.__cause__, context]
    return found


def _is_untrusted(error: BaseException) -> bool:
    return isinstance(error, ssl.SSLCertVerificationError)


def _is_proxys_refusal(error: BaseException) -> bool:
    return _tunnel_status(error) == "403"


def _is_proxys_login(error: BaseException) -> bool:
    return _tunnel_status(error) == "407"


def _tunnel_status(error: BaseException) -> str:
    match = _TUNNEL_FAILED.match(str(error)) if isinstance(error, OSError) else None
    return match[1] if match else ""


def _is_ca_file(error: BaseException) -> bool:
    """A bundle that is missing (requests), or holds no certificate (OpenSSL)."""
    if isinstance(error, ssl.SSLError):
        return error.reason in ("NO_CERTIFICATE_OR_CRL_FOUND", "NO_START_LINE", "PEM_LIB")
    return isinstance(error, OSError) and "CA certificate" in str(error)


def _is_address(error: BaseException) -> bool:
    return isinstance(error, _ADDRESS_ERRORS)


def _is_proxys_address(error: BaseException) -> bool:
    return isinstance(error, requests.exceptions.InvalidProxyURL) or (
        isinstance(error, requests.exceptions.InvalidSchema) and "SOCKS" in str(error)
    )


_TUNNEL_FAILED = re.compile(r"Tunnel connection failed: (\d+)")
"""How http.client tells what a proxy answered to CONNECT."""
_ADDRESS_ERRORS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
    LocationParseError,
    UnicodeError,
)

_LASTING = (
    (
        _is_proxys_address,
        "HTTPS_PROXY is no address of a proxy that can be used, such as http://proxy.example:8080",
    ),
    (
        _is_proxys_login,
        "the proxy in HTTPS_PROXY wants a login (407). Write it into the address, as in http://user:password@host:port",
    ),
    (
        _is_proxys_refusal,
        "the proxy in HTTPS_PROXY does not let this host through (403). Have it allowed, or name it in NO_PROXY",
    ),
    (
        _is_ca_file,
        "REQUESTS_CA_BUNDLE names no readable file of certificates. Correct the path, or store the proxy's CA there",
    ),
    (
        _is_untrusted,
        "the TLS certificate was not accepted; behind an inspecting proxy, name its CA in REQUESTS_CA_BUNDLE",
    ),
    (_is_address, "the address cannot be read. Correct the setting that it comes from"),
)
"""What does not heal by itself; the first that fits decides."""

_PASSING: tuple[tuple[type[BaseException], str], ...] = (
    (
        NameResolutionError,
        "its name was not found; check the spelling, DNS and, where there is one, HTTPS_PROXY",
    ),
    (
        requests.exceptions.ProxyError,
        "the proxy in HTTPS_PROXY refused the connection or lost it; check that it is up and lets this host through",
    ),
    (ssl.SSLError, "TLS broke off; look for a proxy in between"),
    (requests.exceptions.SSLError, "TLS broke off; look for a proxy in between"),
    (requests.exceptions.ConnectTimeout, "no connection; check the firewall and the network"),
    (TimeoutError, SILENCE_WORDS),
    (requests.exceptions.Timeout, SILENCE_WORDS),
    (requests.exceptions.ChunkedEncodingError, "the answer broke off"),
    (requests.exceptions.ContentDecodingError, "the answer's compression is broken"),
    (NewConnectionError, "the connection was refused; check the firewall, DNS and HTTPS_PROXY"),
    (
        requests.exceptions.ConnectionError,
        "the connection was refused or reset; check the firewall and the network",
    ),
    (HTTPError, "the exchange broke off"),
)
"""What may heal by itself, the more special kinds first."""
