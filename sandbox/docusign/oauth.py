"""DocuSign's token endpoint (JWT Grant) and userinfo."""

import secrets
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import jwt
from jwt.types import Options

from sandbox.docusign.answers import json, not_found, oauth_error
from sandbox.docusign.environments import Environment
from sandbox.organization import Organization
from sandbox.web import Request, Response

JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPES = ("signature", "impersonation", "organization_read", "user_read")

_LEEWAY = 60
_LONGEST = 3600
_SIGNATURE_ONLY: Options = {
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "verify_aud": False,
    "verify_sub": False,
}
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Token:
    """An access token that was given out."""

    expires_at: float
    scopes: frozenset[str]
    environment: str


class GrantError(Exception):
    """Raised when an assertion earns no token; carries OAuth's `error` and `error_description`."""

    def __init__(self, error: str, description: str = "") -> None:
        super().__init__(error, description)
        self.answer = oauth_error(error, description)


class OAuth:
    """Gives out access tokens for assertions that the registered public key verifies.

    Args:
        organization: Whose accounts userinfo shows.
        integration_key: The one application known here.
        user_id: The one user it may act for.
        public_keys: PEM; several while keys are rotated.
        clock: Returns the seconds since 1970.

    Attributes:
        public_keys: The keys in force; change the list to rotate.
        consented: False until the user has given consent.
        consented_scopes: What the consent covers.
        token_lifetime: Seconds that a new token lives.
        expires_in_as_text: Write `expires_in` as a string, as DocuSign sometimes does.
    """

    def __init__(
        self,
        organization: Organization,
        integration_key: str,
        user_id: str,
        public_keys: Iterable[bytes],
        clock: Callable[[], float],
    ) -> None:
        self.public_keys = list(public_keys)
        self.consented = True
        self.consented_scopes: set[str] = set(SCOPES)
        self.token_lifetime = 3600
        self.expires_in_as_text = False
        self._organization = organization
        self._integration_key = integration_key
        self._user_id = user_id
        self._clock = clock
        self._tokens: dict[str, Token] = {}
        self._lock = threading.Lock()

    def revoke_tokens(self) -> None:
        """Make every token given out so far worthless."""
        with self._lock:
            self._tokens.clear()

    def token_of(self, request: Request, environment: Environment) -> Token | None:
        """Return the token that a request bears, or None if it is missing, expired, revoked or foreign."""
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        with self._lock:
            token = self._tokens.get(text) if scheme.lower() == "bearer" else None
        valid = token and self._clock() < token.expires_at and token.environment == environment.name
        return token if valid else None

    def token(self, request: Request, environment: Environment) -> Response:
        """Answer `POST /oauth/token`."""
        if request.method != "POST":
            return not_found()
        if not request.headers.get("content-type", "").startswith(_FORM):
            return oauth_error("invalid_request", "The content type must be that of a form.")
        form = {name: values[-1] for name, values in parse_qs(request.body.decode("latin-1")).items()}
        if form.get("grant_type") != JWT_GRANT:
            return oauth_error("unsupported_grant_type")
        try:
            scopes = self._verify(form.get("assertion", ""), environment)
        except GrantError as error:
            return error.answer
        return self._grant(scopes, environment)

    def userinfo(self, environment: Environment) -> Response:
        """Answer `GET /oauth/userinfo`."""
        organization = self._organization
        user = next((user for user in organization.users if user.id == self._user_id), None)
        links = [{"rel": "self", "href": f"https://{environment.auth_host}/organizations"}]
        accounts = [
            {
                "account_id": account.id,
                "is_default": account.is_default,
                "account_name": account.name,
                "base_uri": environment.base_uri(account),
                "organization": {"organization_id": organization.organization_id, "links": links},
            }
            for account in organization.accounts
        ]
        name, email = (
            (user.name, user.email) if user else ("Monitor Connector", "monitor@harbor-paper.example")
        )
        return json(200, {"sub": self._user_id, "name": name, "email": email, "accounts": accounts})

    def _grant(self, scopes: frozenset[str], environment: Environment) -> Response:
        text = secrets.token_urlsafe(48)
        lifetime = self.token_lifetime
        with self._lock:
            self._tokens[text] = Token(self._clock() + lifetime, scopes, environment.name)
        expires_in: object = str(lifetime) if self.expires_in_as_text else lifetime
        answer = {"access_token": text, "token_type": "Bearer", "expires_in": expires_in}
        return json(200, answer | {"scope": " ".join(sorted(scopes))})

    def _verify(self, assertion: str, environment: Environment) -> frozenset[str]:
        """Return the scopes an assertion asks for, after every check DocuSign is known to make."""
        claims = _unverified(assertion)
        if claims.get("iss") != self._integration_key:
            raise GrantError("invalid_grant", "issuer_not_found")
        if not _signed_by(assertion, self.public_keys) or claims.get("aud") != environment.auth_host:
            raise GrantError("invalid_grant", "no_valid_keys_or_signatures")
        self._check_times(claims)
        if claims.get("sub") != self._user_id:
            raise GrantError("invalid_grant", "user_not_found")
        scopes = frozenset(str(claims.get("scope", "")).split())
        if not scopes:
            raise GrantError("invalid_request", "The scope claim is missing.")
        if not self.consented or not scopes <= self.consented_scopes:
            raise GrantError("consent_required")
        return scopes

    def _check_times(self, claims: dict[str, Any]) -> None:
        now, issued, expires = self._clock(), claims.get("iat"), claims.get("exp")
        if not isinstance(issued, int | float) or not isinstance(expires, int | float):
            raise GrantError("invalid_grant", "expired_grant")
        on_time = issued <= now + _LEEWAY and now < expires + _LEEWAY
        if not on_time or expires - issued > _LONGEST:
            raise GrantError("invalid_grant", "expired_grant")


def _unverified(assertion: str) -> dict[str, Any]:
    try:
        return dict(jwt.decode(assertion, options={"verify_signature": False}))
    except jwt.InvalidTokenError as error:
        raise GrantError("invalid_grant", "no_valid_keys_or_signatures") from error


def _signed_by(assertion: str, keys: Sequence[bytes]) -> bool:
    for key in keys:
        try:
            jwt.decode(assertion, key, algorithms=["RS256"], options=_SIGNATURE_ONLY)
        except jwt.InvalidTokenError:
            continue
        return True
    return False
