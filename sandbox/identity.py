"""A stand-in for the managed identity endpoint that Azure gives an app."""

import secrets
from collections.abc import Callable
from time import time
from uuid import uuid4

import jwt

from sandbox.web import LOOPBACK, Request, Response, json_response

_PATH = "/msi/token"
_API_VERSION = "2019-08-01"
_TENANT = "00000000-0000-0000-0000-00000000a2e5"
_UNKNOWN = (
    "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId."
)


class IdentityEndpoint:
    """A service that gives out tokens for one user-assigned identity, to whoever knows its header.

    It answers as App Service does, so that the real `ManagedIdentityCredential` is satisfied. The tokens
    carry the claims that Azurite checks, and are signed with a key that only this object has.

    Args:
        client_id: Of the identity.
        tenant: Of the issuer.
        lifetime: Of a token, in seconds; Azure's is a day.
        clock: Seconds since the epoch.

    Attributes:
        header: What a client must send as `X-IDENTITY-HEADER`.
        resources: The resources that tokens were asked for, in order.
    """

    def __init__(
        self,
        client_id: str,
        *,
        tenant: str = _TENANT,
        lifetime: int = 86_400,
        clock: Callable[[], float] = time,
    ) -> None:
        self.client_id = client_id
        self.header = secrets.token_hex(16)
        self.resources: list[str] = []
        self._issuer = f"https://sts.windows.net/{tenant}/"
        self._tenant = tenant
        self._lifetime = lifetime
        self._clock = clock
        self._key = secrets.token_bytes(32)

    def environment(self, port: int) -> dict[str, str]:
        """Return the variables by which the client library finds the endpoint."""
        return {"IDENTITY_ENDPOINT": f"http://{LOOPBACK}:{port}{_PATH}", "IDENTITY_HEADER": self.header}

    def __call__(self, request: Request) -> Response:
        """Answer a request for a token."""
        if request.path != _PATH or request.method != "GET":
            return _error(404, "No such endpoint.")
        if not secrets.compare_digest(request.headers.get("x-identity-header", ""), self.header):
            return _error(401, "The header X-IDENTITY-HEADER is missing or wrong.")
        if request.query.get("api-version") != _API_VERSION or not request.query.get("resource"):
            return _error(400, f"The api-version must be {_API_VERSION} and a resource must be named.")
        if request.query.get("client_id") != self.client_id:
            return _error(400, _UNKNOWN)
        return self._grant(request.query["resource"])

    def token(self, resource: str) -> str:
        """Return a fresh token for the resource."""
        now = int(self._clock())
        claims = {
            "aud": resource,
            "iss": self._issuer,
            "iat": now,
            "nbf": now,
            "exp": now + self._lifetime,
            "appid": self.client_id,
            "oid": self.client_id,
            "sub": self.client_id,
            "tid": self._tenant,
            "ver": "1.0",
        }
        return jwt.encode(claims, self._key, algorithm="HS256")

    def valid(self, token: str, audience: str) -> bool:
        """Return whether the token came from here, is for the audience and has not expired.

        A slash at the end of the audience does not matter, as it does not in Azure.
        """
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=["HS256"],
                options={"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError:
            return False
        meant = str(claims["aud"]).rstrip("/") == audience.rstrip("/")
        return meant and self._clock() < float(claims["exp"])

    def _grant(self, resource: str) -> Response:
        self.resources.append(resource)
        answer = {
            "access_token": self.token(resource),
            "client_id": self.client_id,
            "expires_on": str(int(self._clock()) + self._lifetime),
            "not_before": str(int(self._clock())),
            "resource": resource,
            "token_type": "Bearer",
        }
        return json_response(200, answer)


def _error(status: int, message: str) -> Response:
    return json_response(status, {"statusCode": status, "message": message, "correlationId": str(uuid4())})
