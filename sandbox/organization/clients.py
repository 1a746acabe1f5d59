"""The browsers people use."""

from sandbox.organization.model import Client

_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
_WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
_MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
_LINUX = "Mozilla/5.0 (X11; Linux x86_64)"
_IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X)"


def _chrome(system: str, major: int, os: str, os_version: str = "") -> Client:
    agent = f"{system} {_WEBKIT} Chrome/{major}.0.0.0 Safari/537.36"
    return Client(agent, "Chrome", (str(major), "0", "0"), os, os_version)


CLIENTS = (
    _chrome(_WINDOWS, 126, "Windows", "10"),
    _chrome(_WINDOWS, 131, "Windows", "10"),
    Client(
        f"{_WINDOWS} {_WEBKIT} Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0",
        "Edge",
        ("131", "0", "0"),
        "Windows",
        "10",
    ),
    _chrome(_MAC, 131, "Mac OS X", "10"),
    Client(
        f"{_MAC} AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
        "Safari",
        ("18", "1", ""),
        "Mac OS X",
        "10",
        "Mac",
    ),
    Client(
        "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
        "Firefox",
        ("132", "0", ""),
        "Ubuntu",
    ),
    Client(
        f"{_IPHONE} AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
        "Mobile Safari",
        ("18", "1", ""),
        "iOS",
        "18",
        "iPhone",
    ),
)

INTRUDER = _chrome(_LINUX, 109, "Linux")
"""An outdated headless browser that nobody in the organization uses."""
