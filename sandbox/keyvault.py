"""A stand-in for Azure Key Vault that the real `SecretClient` takes for one."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import time
from uuid import uuid4

from sandbox.web import Request, Response, json_response

_AUTHORITY = "https://login.microsoftonline.com/00000000-0000-0000-0000-00000000a2e5"


@dataclass(frozen=True)
class _Version:
    id: str
    value: str
    created: int


class KeyVault:
    """A service for `<name>.vault.azure.net` and the vault hosts of the other clouds.

    Errors have the bodies that Azure gives. Versions of a secret are kept when it is rotated.

    Args:
        secrets: Values by name.
        check_token: Says whether a bearer token is good here.

    Attributes:
        deny: While True, every read is answered 403, as without the role Key Vault Secrets User.
        throttled: So many of the next reads are answered 429.
        reads: How often each secret was given out.
    """

    def __init__(self, secrets: Mapping[str, str], check_token: Callable[[str], bool]) -> None:
        self.deny = False
        self.throttled = 0
        self.reads: Counter[str] = Counter()
        self._check_token = check_token
        self._lock = threading.Lock()
        self._secrets: dict[str, list[_Version]] = {}
        for name, value in secrets.items():
            self.set(name, value)

    def set(self, name: str, value: str) -> None:
        """Give the secret a new version; the next read sees it."""
        version = _Version(uuid4().hex, value, int(time()))
        with self._lock:
            self._secrets.setdefault(name, []).append(version)

    def __call__(self, request: Request) -> Response:
        """Answer a request of the client library: a challenge first, then the secret."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not self._check_token(token):
            return _challenge(request.host, known=bool(token))
        _, collection, name, version = (*request.path.split("/"), "", "", "")[:4]
        if request.method != "GET" or collection != "secrets" or not name:
            return _error(404, "NotFound", f"No operation matches {request.method} {request.path}.")
        with self._lock:
            return self._read(request.host, name, version)

    def _read(self, host: str, name: str, version: str) -> Response:
        if self.throttled > 0:
            self.throttled -= 1
            return _throttled()
        if self.deny:
            return _forbidden(host, name)
        versions = self._secrets.get(name, [])
        found = next((item for item in reversed(versions) if version in {"", item.id}), None)
        if found is None:
            return _not_found(name)
        self.reads[name] += 1
        return json_response(200, _bundle(host, name, found))


def _bundle(host: str, name: str, version: _Version) -> dict[str, object]:
    times = {"created": version.created, "updated": version.created}
    attributes = {"enabled": True, **times, "recoveryLevel": "Recoverable+Purgeable", "recoverableDays": 90}
    return {
        "value": version.value,
        "id": f"https://{host}/secrets/{name}/{version.id}",
        "attributes": attributes,
        "tags": {},
    }


def _challenge(host: str, *, known: bool) -> Response:
    """Return 401 with the resource a token must be for: the vault's host without the vault's name."""
    text = (
        "AKV10022: Invalid audience or an expired token."
        if known
        else "AKV10000: Request is missing a Bearer or PoP token."
    )
    resource = f"https://{host.partition('.')[2]}"
    challenge = f'Bearer authorization="{_AUTHORITY}", resource="{resource}"'
    return _error(401, "Unauthorized", text, headers={"WWW-Authenticate": challenge})


def _forbidden(host: str, name: str) -> Response:
    vault = host.partition(".")[0]
    text = (
        "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or "
        "role definitions were changed recently, please observe propagation time.\r\n"
        "Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'\r\n"
        f"Resource: '.../providers/microsoft.keyvault/vaults/{vault}/secrets/{name}'\r\n"
        f"Assignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: null \r\nVault: {vault}\r\n"
    )
    return _error(403, "Forbidden", text, inner="ForbiddenByRbac")


def _not_found(name: str) -> Response:
    text = (
        f"A secret with (name/id) {name} was not found in this key vault. If you recently deleted this "
        "secret you may be able to recover it using the correct recovery command."
    )
    return _error(404, "SecretNotFound", text)


def _throttled() -> Response:
    reason = "VaultRequestTypeLimitReached"
    text = f"Request was not processed because too many requests were received. Reason: {reason}"
    return _error(429, "Throttled", text, inner=reason)


def _error(
    status: int, code: str, message: str, *, inner: str = "", headers: Mapping[str, str] | None = None
) -> Response:
    error: dict[str, object] = {"code": code, "message": message}
    if inner:
        error["innererror"] = {"code": inner}
    return json_response(status, {"error": error}, headers)
