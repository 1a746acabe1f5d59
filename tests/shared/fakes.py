"""Stand-ins for what lies outside: transports, Azure's clients on them, a vault, blob storage.

A transport is a plain function from request to answer. Azure's clients are the real ones on such a transport,
so that their headers, conditions and exceptions are the real ones too.
"""

import io
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import jwt
import orjson
import requests
import urllib3
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.blob import ContainerClient
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from requests.adapters import BaseAdapter

from shared.azure_calls import NO_RETRIES
from shared.docusign.client import DocuSignClient
from shared.docusign.oauth import TokenSource
from shared.errors import ServiceUnavailable
from shared.retry import Retry
from shared.vault import Secrets
from shared.web import Answer, Request, Transport
from tests.support import ManualClock, make_budget, make_settings

VAULT_URL = "https://example-vault.vault.azure.net"
PRIVATE_KEY_SECRET = "docusign-private-key"
WORKSPACE_KEY_SECRET = "workspace-key"
WORKSPACE_KEY = "d29ya3NwYWNlIGtleSBmb3IgdGVzdHM="
IDENTITY_TOKEN = "token-of-the-identity"
TRACE: Final = {"x-docusign-tracetoken": "trace-4711"}


def make_retry(clock: ManualClock | None = None, seconds: float = 480.0) -> Retry:
    """Give a retry that sleeps on the clock."""
    return Retry(make_budget(clock or ManualClock(), seconds))


def never() -> Retry:
    """Give a retry that never repeats: its run has no time for a pause."""
    return make_retry(seconds=0.0)


@cache
def rsa_key(number: int = 0) -> tuple[str, rsa.RSAPublicKey]:
    """Give one of a few key pairs: the private half as PEM, and the public half."""
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    return pem.decode(), key.public_key()


def json_answer(status: int, value: Any, headers: Mapping[str, str] | None = None) -> Answer:
    """Give an answer whose body is JSON."""
    return Answer(status, {"content-type": "application/json", **(headers or {})}, orjson.dumps(value))


Behaviour = Callable[[Transport, Request], Answer]
"""What becomes of one request on its way to a service."""


def passes(service: Transport, request: Request) -> Answer:
    """Let the service answer."""
    return service(request)


def unreachable(service: Transport, request: Request) -> Answer:
    """Lose the request."""
    raise ServiceUnavailable(f"{request.host}: the connection was refused or reset")


def loses_answer(service: Transport, request: Request) -> Answer:
    """Let the service do its work, and lose its answer."""
    service(request)
    raise ServiceUnavailable(f"{request.host}: the answer broke off")


class Wire:
    """A transport to one service that keeps every request, and follows a script before it behaves well.

    Args:
        service: Who answers; an answer alone is given to everybody.
        script: What becomes of the first requests; an answer alone is given without asking the service.
        only: Which requests the script is for.
    """

    def __init__(
        self,
        service: Transport | Answer,
        *script: Behaviour | Answer,
        only: Callable[[Request], bool] = lambda _: True,
    ) -> None:
        self._service = _always(service) if isinstance(service, Answer) else service
        self._script = list(script)
        self._only = only
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> Answer:
        """Answer as the script says."""
        self.requests.append(request)
        step = self._script.pop(0) if self._script and self._only(request) else passes
        return step if isinstance(step, Answer) else step(self._service, request)

    def then(self, *script: Behaviour | Answer, only: Callable[[Request], bool] = lambda _: True) -> None:
        """Follow another script from now on."""
        self._script, self._only = list(script), only


def _always(answer: Answer) -> Transport:
    return lambda _: answer


class _Adapter(BaseAdapter):
    """Sends what `requests` was given through a transport of this project."""

    def __init__(self, transport: Transport) -> None:
        super().__init__()
        self._transport = transport

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Give the transport's answer in the form of `requests`."""
        body: Any = request.body
        content = body.read() if hasattr(body, "read") else body
        headers = {name.lower(): str(value) for name, value in request.headers.items()}
        try:
            answer = self._transport(Request(str(request.method), str(request.url), headers, content))
        except ServiceUnavailable as error:
            raise requests.exceptions.ReadTimeout(str(error)) from None
        return _response(request, answer)

    def close(self) -> None:
        """Close nothing."""


def _response(request: requests.PreparedRequest, answer: Answer) -> requests.Response:
    response = requests.Response()
    response.request, response.url = request, str(request.url)
    response.status_code, response.reason = answer.status, "-"
    response.headers.update(answer.headers)
    body = io.BytesIO(answer.body)
    response.raw = urllib3.HTTPResponse(body, dict(answer.headers), answer.status, preload_content=False)
    return response


def azure_transport(transport: Transport) -> RequestsTransport:
    """Give what an Azure client takes as its `transport`."""
    session = requests.Session()
    session.trust_env = False
    session.mount("https://", _Adapter(transport))
    return RequestsTransport(session=session, session_owner=False)


class FakeCredential:
    """A credential that always has a token, or fails in one way."""

    def __init__(self, failure: Exception | None = None) -> None:
        self._failure = failure

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        """Give a token that lasts."""
        if self._failure:
            raise self._failure
        return AccessToken(IDENTITY_TOKEN, 4102444800)


class FakeVault:
    """Key Vault: serves `values`, and remembers what was read."""

    def __init__(self, values: dict[str, str | None] | None = None) -> None:
        good = {PRIVATE_KEY_SECRET: rsa_key()[0], WORKSPACE_KEY_SECRET: WORKSPACE_KEY}
        self.values: dict[str, str | None] = {**good, **(values or {})}
        self.reads: list[str] = []

    def __call__(self, request: Request) -> Answer:
        """Answer a request for a secret."""
        name = urlsplit(request.url).path.split("/")[2]
        self.reads.append(name)
        if name not in self.values:
            return json_answer(
                404, {"error": {"code": "SecretNotFound", "message": "A secret was not found"}}
            )
        identifier = f"{VAULT_URL}/secrets/{name}/1"
        return json_answer(
            200, {"value": self.values[name], "id": identifier, "attributes": {"enabled": True}}
        )


def make_secrets(vault: Transport) -> Secrets:
    """Give the connector's secrets, read from a vault of ours."""
    return Secrets(VAULT_URL, FakeCredential(), azure_transport(vault))


class TokenEndpoint:
    """DocuSign's token endpoint: checks the assertion with the public key it knows, and numbers its tokens."""

    def __init__(self, key: rsa.RSAPublicKey | None = None) -> None:
        self.key = key or rsa_key()[1]
        self.grants: list[dict[str, Any]] = []

    def __call__(self, request: Request) -> Answer:
        """Answer a request for a token."""
        assertion = dict(parse_qsl((request.body or b"").decode()))["assertion"]
        unchecked: Any = {"verify_exp": False, "verify_iat": False}
        try:
            claims = jwt.decode(assertion, self.key, ["RS256"], unchecked, audience="account.docusign.com")
        except jwt.InvalidTokenError:
            problem = {"error": "invalid_grant", "error_description": "no_valid_keys_or_signatures"}
            return json_answer(400, problem, TRACE)
        self.grants.append(claims)
        token = {"access_token": f"token-{len(self.grants)}", "token_type": "Bearer", "expires_in": 3600}
        return json_answer(200, token, TRACE)


@cache
def signed_in() -> TokenSource:
    """Give a source of good tokens, one for all tests: each new one costs an RSA signature."""
    return TokenSource(make_settings(), make_secrets(FakeVault()), TokenEndpoint())


def make_client(api: Transport, retry: Retry | None = None) -> DocuSignClient:
    """Give a signed-in client of DocuSign's APIs, which a transport stands for."""
    return DocuSignClient(signed_in(), api, retry or make_retry())


@dataclass
class _Blob:
    content: bytes = b""
    etag: str = ""
    lease: str | None = None
    lease_seconds: float = 0.0
    lease_end: float = 0.0
    kind: str = "BlockBlob"


class BlobService:
    """One container of Azure Blob Storage: conditions, ETags, append blobs, and leases that expire by a clock.

    Its error codes, and the order of its checks, were compared with Azurite's.

    Args:
        clock: Seconds, for the leases.
        exists: Whether the container was made.
    """

    def __init__(self, clock: Callable[[], float], *, exists: bool = True) -> None:
        self.exists = exists
        self._clock = clock
        self._blobs: dict[str, _Blob] = {}
        self._versions = 0x8DE000
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Answer:
        """Answer as blob storage does."""
        address = urlsplit(request.url)
        query = dict(parse_qsl(address.query))
        name = unquote(address.path).lstrip("/").partition("/")[2]
        with self._lock:
            if query.get("restype") == "container":
                return self._list(query) if query.get("comp") == "list" else self._make_container()
            if not self.exists:
                return storage_answer(404, "ContainerNotFound")
            if query.get("comp") == "lease":
                return self._lease(name, request.headers)
            if query.get("comp") == "appendblock":
                return self._append(name, request)
            if request.method == "DELETE":
                return self._delete(name)
            return self._put(name, request) if request.method == "PUT" else self._get(name, request.headers)

    def names(self, prefix: str = "") -> list[str]:
        """Give the names of the blobs."""
        return sorted(name for name in self._blobs if name.startswith(prefix))

    def content(self, name: str) -> bytes:
        """Give what a blob holds."""
        return self._blobs[name].content

    def write(self, name: str, content: bytes) -> None:
        """Write a blob from outside, whoever holds it."""
        self._versions += 1
        blob = self._blobs.setdefault(name, _Blob())
        blob.content, blob.etag = content, f'"0x{self._versions:X}"'

    def leased(self, name: str) -> bool:
        """Tell whether anybody holds the blob at this moment."""
        return self._held(self._blobs[name])

    def client(self, wire: Transport | None = None) -> ContainerClient:
        """Give Azure's own client of this container, by way of the wire."""
        return ContainerClient.from_container_url(
            "https://example.blob.core.windows.net/docusign-monitor",
            transport=azure_transport(wire or self),
            **NO_RETRIES,
        )

    def _make_container(self) -> Answer:
        if self.exists:
            return storage_answer(409, "ContainerAlreadyExists")
        self.exists = True
        return Answer(201, _stamp('"0x0"'))

    def _get(self, name: str, headers: Mapping[str, str]) -> Answer:
        blob = self._blobs.get(name)
        if blob is None:
            return storage_answer(404, "BlobNotFound")
        if not blob.content:
            ranged = "x-ms-range" in headers
            return storage_answer(416, "InvalidRange") if ranged else Answer(200, _stamp(blob.etag))
        size = len(blob.content)
        first, _, last = headers.get("x-ms-range", "bytes=0-").removeprefix("bytes=").partition("-")
        start, end = int(first), min(int(last or size), size - 1)
        if start >= size:
            return storage_answer(416, "InvalidRange")
        found = {
            **_stamp(blob.etag),
            "content-range": f"bytes {start}-{end}/{size}",
            "content-length": str(end + 1 - start),
            "x-ms-blob-type": blob.kind,
        }
        return Answer(206, found, blob.content[start : end + 1])

    def _append(self, name: str, request: Request) -> Answer:
        blob = self._blobs.get(name)
        if blob is None:
            return storage_answer(404, "BlobNotFound")
        if blob.kind != "AppendBlob":
            return storage_answer(409, "InvalidBlobType")
        at = len(blob.content)
        if request.headers.get("x-ms-blob-condition-appendpos", str(at)) != str(at):
            return storage_answer(412, "AppendPositionConditionNotMet")
        self.write(name, blob.content + bytes(request.body or b""))
        return Answer(201, {**_stamp(blob.etag), "x-ms-blob-append-offset": str(at)})

    def _delete(self, name: str) -> Answer:
        return Answer(202) if self._blobs.pop(name, None) else storage_answer(404, "BlobNotFound")

    def _list(self, query: Mapping[str, str]) -> Answer:
        if not self.exists:
            return storage_answer(404, "ContainerNotFound")
        found = "".join(f"<Blob><Name>{name}</Name></Blob>" for name in self.names(query.get("prefix", "")))
        body = f"<?xml version='1.0' encoding='utf-8'?><EnumerationResults><Blobs>{found}</Blobs></EnumerationResults>"
        return Answer(200, {"content-type": "application/xml"}, body.encode())

    def _put(self, name: str, request: Request) -> Answer:
        blob, headers = self._blobs.get(name), request.headers
        if blob is not None:
            if refusal := self._refused(blob, headers):
                return refusal
        elif "if-match" in headers or "x-ms-lease-id" in headers:
            return storage_answer(412, "ConditionNotMet")
        self.write(name, bytes(request.body or b""))
        self._blobs[name].kind = headers.get("x-ms-blob-type", "BlockBlob")
        return Answer(201, _stamp(self._blobs[name].etag))

    def _refused(self, blob: _Blob, headers: Mapping[str, str]) -> Answer | None:
        shown = headers.get("x-ms-lease-id")
        if headers.get("if-none-match") == "*":
            return storage_answer(409, "BlobAlreadyExists")
        if headers.get("if-match", blob.etag) != blob.etag:
            return storage_answer(412, "ConditionNotMet")
        if self._held(blob) and shown != blob.lease:
            return storage_answer(412, "LeaseIdMismatchWithBlobOperation" if shown else "LeaseIdMissing")
        if shown is not None and not self._held(blob):
            return storage_answer(412, "LeaseNotPresentWithBlobOperation")
        return None

    def _held(self, blob: _Blob) -> bool:
        return blob.lease is not None and self._clock() < blob.lease_end

    def _lease(self, name: str, headers: Mapping[str, str]) -> Answer:
        blob = self._blobs.get(name)
        if blob is None:
            return storage_answer(404, "BlobNotFound")
        action = headers["x-ms-lease-action"]
        if action == "acquire":
            return self._acquire(blob, headers)
        if blob.lease != headers["x-ms-lease-id"]:
            return storage_answer(409, "LeaseIdMismatchWithLeaseOperation")
        if action == "renew":
            blob.lease_end = self._clock() + blob.lease_seconds
            return Answer(200, {**_stamp(blob.etag), "x-ms-lease-id": blob.lease})
        blob.lease = None
        return Answer(200, _stamp(blob.etag))

    def _acquire(self, blob: _Blob, headers: Mapping[str, str]) -> Answer:
        proposed = headers["x-ms-proposed-lease-id"]
        if self._held(blob) and blob.lease != proposed:
            return storage_answer(409, "LeaseAlreadyPresent")
        blob.lease, blob.lease_seconds = proposed, float(headers["x-ms-lease-duration"])
        blob.lease_end = self._clock() + blob.lease_seconds
        return Answer(201, {**_stamp(blob.etag), "x-ms-lease-id": proposed})


def _stamp(etag: str) -> dict[str, str]:
    return {"etag": etag, "last-modified": "Sat, 21 Nov 2026 09:00:00 GMT"}


def storage_answer(status: int, code: str = "ServerBusy", **headers: str) -> Answer:
    """Give a refusal in the words of blob storage."""
    body = f"<?xml version='1.0' encoding='utf-8'?><Error><Code>{code}</Code><Message>-</Message></Error>"
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(
        status, {"x-ms-error-code": code, "content-type": "application/xml", **given}, body.encode()
    )
