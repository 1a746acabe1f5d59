"""Access tokens by JWT Grant: signed with the app's RSA key, cached, renewed before their end.

Source: DocuSign's page "How to get an access token with JWT Grant".
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

import jwt

from shared.answers import Action, Actor, Rule, rule_for
from shared.docusign.answers import TOKEN_ANSWERS, trace
from shared.docusign.private_key import load_private_key
from shared.errors import ConnectorError, DocuSignRefused, OperatorError, ServiceUnavailable
from shared.renewal import with_renewal
from shared.retry import Retry
from shared.settings import Settings
from shared.vault import Secret, Secrets
from shared.web import WHOLE_SECONDS, Answer, Request, Transport

MONITOR_SCOPES = "signature impersonation"
DIRECTORY_SCOPES = f"{MONITOR_SCOPES} organization_read user_read"
_ASSERTION_SECONDS = 3600
_EARLY_SECONDS = 300.0
"""A token is renewed so long before its end that no request of a page can outlive it."""
_OK = 200


def consent_url(settings: Settings, scopes: str = MONITOR_SCOPES) -> str:
    """Where the impersonated user gives consent, once.

    The redirect address must be one that is registered with the integration key.
    """
    query = urlencode(
        {
            "response_type": "code",
            "scope": scopes,
            "client_id": settings.integration_key,
            "redirect_uri": "https://www.docusign.com",
        }
    )
    return f"{settings.auth_url}/oauth/auth?{query.replace('+', '%20')}"


@dataclass
class _Token:
    text: str
    good_until: float


class TokenSource:
    """Access tokens for one DocuSign user; make one a process."""

    def __init__(
        self,
        settings: Settings,
        secrets: Secrets,
        send: Transport,
        *,
        scopes: str = MONITOR_SCOPES,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        name = settings.private_key_secret
        self._key = Secret(secrets, name, lambda text: load_private_key(text, name))
        self._send = send
        self._scopes = scopes
        self._now = now
        self._token: _Token | None = None

    def read(self, retry: Retry) -> str:
        """A token with some minutes of life left.

        Raises:
            OperatorError: The key, a setting or the clock is wrong.
            DocuSignRefused: Consent is missing.
            ServiceUnavailable: DocuSign stayed down for the rest of the run.
        """
        token = self._token
        if token is None or self._now() >= token.good_until:
            self._token = token = self._grant(retry)
        return token.text

    def changed(self, rejected: str, retry: Retry) -> bool:
        """Get another token than one that DocuSign rejected, unless another thread just did."""
        token = self._token
        if token is not None and token.text == rejected:
            self._token = None
        return self.read(retry) != rejected

    def _grant(self, retry: Retry) -> _Token:
        answer, rule = with_renewal(self._key, retry, lambda key: self._ask(key, retry))
        if answer.status != _OK:
            raise self._refusal(answer, rule)
        return self._parse(answer)

    def _ask(self, key: str, retry: Retry) -> tuple[Answer, Rule]:
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": self._assertion(key),
        }
        answer = self._send(
            Request(
                "POST",
                f"{self._settings.auth_url}/oauth/token",
                {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
                urlencode(form).encode(),
                retry.attempt_seconds(WHOLE_SECONDS),
                retry.budget.ended,
            )
        )
        rule = rule_for(TOKEN_ANSWERS, answer.status, answer.text)
        if answer.status == _OK:
            self._parse(answer)
        elif rule.action is Action.RETRY:
            raise ServiceUnavailable(
                f"DocuSign's token endpoint ({answer.status}): {rule.sentence}. {trace(answer)}",
                retry_after=answer.retry_after(),
            )
        return answer, rule

    def _assertion(self, key: str) -> str:
        issued = int(self._now())
        claims = {
            "iss": self._settings.integration_key,
            "sub": self._settings.user_id,
            "aud": urlsplit(self._settings.auth_url).netloc,
            "iat": issued,
            "exp": issued + _ASSERTION_SECONDS,
            "scope": self._scopes,
        }
        private_key = load_private_key(key, self._settings.private_key_secret)
        return jwt.encode(claims, private_key, algorithm="RS256")

    def _parse(self, answer: Answer) -> _Token:
        try:
            content = answer.json()
            text, seconds = content["access_token"], float(content.get("expires_in") or _ASSERTION_SECONDS)
            if not (isinstance(text, str) and text.isascii() and text.isprintable() and text):
                raise ValueError  # noqa: TRY301 - one sentence for every way of being no token
        except (ValueError, TypeError, KeyError, AttributeError):
            raise ServiceUnavailable(
                f"DocuSign's token endpoint (200): the answer holds no token. {trace(answer)}"
            ) from None
        return _Token(text, self._now() + max(seconds - _EARLY_SECONDS, seconds / 2))

    def _refusal(self, answer: Answer, rule: Rule) -> ConnectorError:
        sentence = rule.sentence.format(
            consent_url=consent_url(self._settings, self._scopes),
            environment=self._settings.auth_url,
            secret=self._settings.private_key_secret,
        )
        kind = DocuSignRefused if rule.actor is Actor.DOCUSIGN_ADMIN else OperatorError
        return kind(f"No DocuSign token ({answer.status}): {sentence}. {trace(answer)}")
