"""DocuSign as a whole: which host answers what, and what every answer has in common."""

import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from sandbox.docusign import admin
from sandbox.docusign.answers import api_error, compressed, not_found, oauth_error
from sandbox.docusign.environments import ENVIRONMENTS, Environment
from sandbox.docusign.limits import HourlyLimit
from sandbox.docusign.monitor import V2_PATH, V3_PATH, Monitor
from sandbox.docusign.oauth import OAuth
from sandbox.docusign.stream import Stream
from sandbox.organization import Organization
from sandbox.web import Request, Response, Service

_UNAUTHORIZED = "The access token provided is expired, revoked or malformed."
_Handler = Callable[[Request, Environment], Response]


class DocuSign:
    """DocuSign for one organization and one application, in both environments.

    Args:
        organization: Whose events, accounts and users are served.
        integration_key: The application's GUID.
        user_id: GUID of the user it acts for; need not be one of the organization's.
        public_key_pem: The application's public key, or several while keys are rotated.
        clock: Returns the seconds since 1970.
        monitor_entitled: Whether the organization has bought Monitor.

    Attributes:
        oauth: Tokens, consent and keys.
        stream: The events.
        monitor: The switches of the two Monitor APIs.
        limit: The hourly limit.
        closed_accounts: Ids of accounts whose members the Admin API refuses to list.
        requests: Requests so far by endpoint: `token`, `userinfo`, `monitor-v2`, `monitor-v3`,
            `organizations`, `organization-users`, `account-users`, `unknown`, and `limited` for those the hourly
            limit refused.
    """

    def __init__(
        self,
        organization: Organization,
        integration_key: str,
        user_id: str,
        public_key_pem: bytes | Iterable[bytes],
        clock: Callable[[], float],
        *,
        monitor_entitled: bool = True,
    ) -> None:
        keys = [public_key_pem] if isinstance(public_key_pem, bytes) else public_key_pem
        self.organization = organization
        self.oauth = OAuth(organization, integration_key, user_id, keys, clock)
        self.stream = Stream(clock)
        self.stream.load(organization.history)
        self.monitor = Monitor(self.stream, organization.organization_id, entitled=monitor_entitled)
        self.limit = HourlyLimit(clock)
        self.closed_accounts: set[str] = set()
        self.requests: Counter[str] = Counter()
        self._lock = threading.Lock()

    def append(self, events: Iterable[dict[str, object]], at: datetime | None = None) -> None:
        """Append events to the stream, inserted now or at the given time."""
        self.stream.append(events, at)

    def append_raw(self, event: bytes, at: datetime | None = None) -> None:
        """Append one event to the stream as the bytes it shall have on the wire."""
        self.stream.append_raw(event, at)

    def revoke_tokens(self) -> None:
        """Make every access token given out so far worthless."""
        self.oauth.revoke_tokens()

    def expire_cursors(self) -> None:
        """Make every cursor given out so far worthless."""
        self.stream.expire_cursors()

    def services(self) -> dict[str, Service]:
        """Return a service for every host name of DocuSign."""
        services: dict[str, Service] = {}
        for environment in ENVIRONMENTS:
            services[environment.auth_host] = self._service(environment, self._auth)
            services[environment.lens_host] = self._service(environment, self._limited(self._lens))
            services[environment.api_host] = self._service(environment, self._limited(self._api))
            services[environment.admin_host] = self._service(environment, self._limited(self._admin))
            for account in self.organization.accounts:
                host = environment.account_host(account)
                services[host] = self._service(environment, self._limited(self._esignature))
        return services

    def _service(self, environment: Environment, handler: _Handler) -> Service:
        def answer(request: Request) -> Response:
            response = compressed(request, handler(request, environment))
            trace = {"X-DocuSign-TraceToken": str(uuid.uuid4()), "Cache-Control": "no-cache"}
            return replace(response, headers=response.headers | trace)

        return answer

    def _limited(self, handler: _Handler) -> _Handler:
        def answer(request: Request, environment: Environment) -> Response:
            response = self.limit.take()
            if response is not None:
                self._count("limited")
            response = response or handler(request, environment)
            return replace(response, headers=response.headers | self.limit.headers())

        return answer

    def _count(self, endpoint: str) -> None:
        with self._lock:
            self.requests[endpoint] += 1

    def _unknown(self) -> Response:
        self._count("unknown")
        return not_found()

    def _auth(self, request: Request, environment: Environment) -> Response:
        if request.path == "/oauth/token":
            self._count("token")
            return self.oauth.token(request, environment)
        if request.path == "/oauth/userinfo" and request.method == "GET":
            self._count("userinfo")
            refusal = self._refusal(request, environment)
            return refusal or self.oauth.userinfo(environment)
        return self._unknown()

    def _lens(self, request: Request, environment: Environment) -> Response:
        if request.path != V2_PATH or request.method != "GET":
            return self._unknown()
        self._count("monitor-v2")
        return self._refusal(request, environment, "signature") or self.monitor.answer_v2(request)

    def _api(self, request: Request, environment: Environment) -> Response:
        match = V3_PATH.fullmatch(request.path)
        if match is None or request.method != "GET":
            return self._unknown()
        self._count("monitor-v3")
        refusal = self._refusal(request, environment, "signature")
        return refusal or self.monitor.answer_v3(request, match.group(1))

    def _admin(self, request: Request, environment: Environment) -> Response:
        match = admin.ORGANIZATION_USERS_PATH.fullmatch(request.path)
        if request.method == "GET" and match:
            self._count("organization-users")
            refusal = self._refusal(request, environment, "user_read")
            if request.query.get("account_id") in self.closed_accounts:
                refusal = refusal or oauth_error("not_found", "The account is closed.", status=404)
            return refusal or admin.organization_users(self.organization, request, match.group(1))
        if request.method == "GET" and request.path == admin.ORGANIZATIONS_PATH:
            self._count("organizations")
            refusal = self._refusal(request, environment, "organization_read")
            return refusal or admin.organizations(self.organization)
        return self._unknown()

    def _esignature(self, request: Request, environment: Environment) -> Response:
        match = admin.ACCOUNT_USERS_PATH.fullmatch(request.path)
        if match is None or request.method != "GET":
            return self._unknown()
        self._count("account-users")
        refusal = self._refusal(request, environment, "signature")
        return refusal or self._account_users(request, environment, match.group(1))

    def _account_users(self, request: Request, environment: Environment, account_id: str) -> Response:
        for account in self.organization.accounts:
            if account.id == account_id.lower() and environment.account_host(account) == request.host:
                return admin.account_users(self.organization, account, request)
        return api_error(
            401, "USER_AUTHENTICATION_FAILED", "The user has no access to this account at this host."
        )

    def _refusal(self, request: Request, environment: Environment, scope: str = "") -> Response | None:
        token = self.oauth.token_of(request, environment)
        if token is None:
            return api_error(401, "AUTHORIZATION_INVALID_TOKEN", _UNAUTHORIZED)
        if scope and scope not in token.scopes:
            return oauth_error("insufficient_scope", f"The token lacks the scope {scope}.", status=403)
        return None
