"""Signed-in GET requests to DocuSign: one new token on 401, retries, and every refusal as a sentence."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from shared.answers import Action, Actor, Rule, rule_for
from shared.docusign.answers import API_ANSWERS, trace
from shared.docusign.oauth import TokenSource
from shared.errors import (
    ConnectorError,
    CursorRefused,
    DocuSignRefused,
    NothingThere,
    OperatorError,
    ServiceUnavailable,
)
from shared.renewal import with_renewal
from shared.retry import Retry
from shared.web import WHOLE_SECONDS, Answer, Request, Transport

_OK = 200
_TAKEN = Rule((_OK,), Action.TAKE, Actor.NOBODY, "taken")


class DocuSignClient:
    """Answers of DocuSign's APIs for one run.

    Args:
        tokens: Where tokens come from.
        send: Carries the requests.
        retry: Repeats what fails for a moment.
        answers: What the API's answers mean; the Monitor API's by default.
    """

    def __init__(
        self, tokens: TokenSource, send: Transport, retry: Retry, answers: Sequence[Rule] = API_ANSWERS
    ) -> None:
        self._tokens = tokens
        self._send = send
        self._retry = retry
        self._answers = answers

    def sign_in(self) -> None:
        """Have a token: one that is refused must not pass for an address that refuses.

        Raises:
            ConnectorError: There is none, as `TokenSource.read` says.
        """
        self._tokens.read(self._retry)

    def get(self, url: str, params: dict[str, str] | None = None) -> tuple[Any, Answer]:
        """The JSON at an address, and the answer that brought it.

        Raises:
            CursorRefused: Status 400, which means that the cursor is not taken.
            NothingThere: Status 404.
            DocuSignRefused, OperatorError: Retrying cannot help.
            ServiceUnavailable: DocuSign stayed down for the rest of the run.
        """
        address = f"{url}?{urlencode(params)}" if params else url
        (content, answer), rule = with_renewal(
            self._tokens, self._retry, lambda token: self._attempt(address, token)
        )
        if rule.action is not Action.TAKE:
            raise refusal(url, answer, rule)
        return content, answer

    def _attempt(self, address: str, token: str) -> tuple[tuple[Any, Answer], Rule]:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        seconds = self._retry.attempt_seconds(WHOLE_SECONDS)
        given_up = self._retry.budget.ended
        answer = self._send(Request("GET", address, headers, seconds=seconds, given_up=given_up))
        where = f"{address.split('?', maxsplit=1)[0]} ({answer.status})"
        if answer.status == _OK:
            try:
                return (answer.json(), answer), _TAKEN
            except ValueError:
                raise ServiceUnavailable(f"{where}: the answer is not JSON. {trace(answer)}") from None
        rule = rule_for(self._answers, answer.status, answer.text)
        if rule.action is Action.RETRY:
            raise ServiceUnavailable(
                f"{where}: {rule.sentence}. {trace(answer)}", retry_after=answer.retry_after()
            )
        return (None, answer), rule


def refusal(url: str, answer: Answer, rule: Rule) -> ConnectorError:
    """The error for an answer that retrying cannot heal."""
    message = f"{url} ({answer.status}): {rule.sentence}. {trace(answer)}"
    if rule.action is Action.RESTART:
        return CursorRefused(message)
    if rule.action is Action.ABSENT:
        return NothingThere(message)
    return (DocuSignRefused if rule.actor is Actor.DOCUSIGN_ADMIN else OperatorError)(message)
