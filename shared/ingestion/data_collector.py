"""The HTTP Data Collector API: signed with the workspace key.

Source: Microsoft's page "Send log data to Azure Monitor by using the HTTP Data Collector API". Microsoft's
support ended on 14 September 2026; it still takes data.
"""

import base64
import email.utils
import hashlib
import hmac
import time
from collections.abc import Callable, Sequence

from shared.answers import Action, Actor, Rule, rule_for
from shared.errors import SecretError, ServiceUnavailable
from shared.ingestion.api import refusal, what_it_says
from shared.ingestion.batches import json_array
from shared.ingestion.rows import EncodedRow
from shared.renewal import with_renewal
from shared.retry import Retry
from shared.settings import DATA_COLLECTOR, Settings
from shared.vault import Secret, Secrets
from shared.web import WHOLE_SECONDS, Answer, Request, Transport

_RESOURCE = "/api/logs"
_CONTENT_TYPE = "application/json"
_MEGABYTE = 1_000_000

ANSWERS: tuple[Rule, ...] = (
    Rule((200,), Action.TAKE, Actor.NOBODY, "taken"),
    Rule(
        (400,),
        Action.SPLIT,
        Actor.NOBODY,
        "the workspace refuses the record's format",
        says="InvalidDataFormat",
    ),
    Rule(
        (400,),
        Action.STOP,
        Actor.OPERATOR,
        "the workspace is closed. Reopen it, or set WORKSPACE_ID to another one",
        says="InactiveCustomer",
    ),
    Rule((400,), Action.STOP, Actor.OPERATOR, "WORKSPACE_ID is no workspace's id", says="InvalidCustomerId"),
    Rule((400,), Action.STOP, Actor.OPERATOR, "LOG_TYPE is not taken", says="LogType"),
    Rule(
        (400,),
        Action.STOP,
        Actor.OPERATOR,
        "the workspace refuses the way it is called. Check WORKSPACE_ID, LOG_TYPE and AZURE_CLOUD",
    ),
    Rule(
        (401, 403),
        Action.RENEW,
        Actor.OPERATOR,
        "the signature is not accepted: the secret {secret} does not hold a key of the workspace WORKSPACE_ID, "
        "or this machine's clock is off by more than 15 minutes. Store the workspace's primary or secondary key",
    ),
    Rule(
        (404,),
        Action.SPLIT_ONCE,
        Actor.OPERATOR,
        "there is no workspace at this address, or the post is too large. Check WORKSPACE_ID and AZURE_CLOUD",
    ),
    Rule((413,), Action.SPLIT, Actor.NOBODY, "the record is too large for the workspace"),
    Rule(
        (408, 429, *range(500, 600)),
        Action.RETRY,
        Actor.NOBODY,
        "the workspace cannot take data at the moment",
    ),
    Rule(
        range(600),
        Action.STOP,
        Actor.OPERATOR,
        "the workspace gave an answer that it does not document. Look for a proxy in between, and check "
        "WORKSPACE_ID and AZURE_CLOUD",
    ),
)


class DataCollector:
    """Posts to one workspace; see `shared.ingestion.api.Ingestion`."""

    name = DATA_COLLECTOR
    field_limit = 32 * 1024
    batch_limit = 25 * _MEGABYTE

    def __init__(
        self,
        settings: Settings,
        secrets: Secrets,
        send: Transport,
        retry: Retry,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._workspace_id = settings.workspace_id
        self._secret = settings.workspace_key_secret
        self._address = f"https://{settings.workspace_id}.{settings.cloud.data_collector_suffix}{_RESOURCE}"
        self._url = f"{self._address}?api-version=2016-04-01"
        self._key = Secret(secrets, self._secret, lambda text: workspace_key(text, self._secret))
        self._send = send
        self._retry = retry
        self._now = now

    def post(self, table: str, rows: Sequence[EncodedRow], time_field: str | None) -> None:
        """Send one batch, signed anew for every attempt, for a signature ages."""
        body = json_array(rows)
        answer, rule = with_renewal(
            self._key, self._retry, lambda key: self._attempt(table, body, time_field, key)
        )
        if rule.action is Action.TAKE:
            return
        sentence = rule.sentence.format(secret=self._secret)
        raise refusal(self._address, answer, rule, sentence)

    def _attempt(self, table: str, body: bytes, time_field: str | None, key: str) -> tuple[Answer, Rule]:
        date = email.utils.formatdate(self._now(), usegmt=True)
        signature = self._signature(len(body), date, workspace_key(key, self._secret))
        headers = {
            "Authorization": f"SharedKey {self._workspace_id}:{signature}",
            "Content-Type": _CONTENT_TYPE,
            "Log-Type": table,
            "x-ms-date": date,
        }
        if time_field:
            headers["time-generated-field"] = time_field
        seconds = self._retry.attempt_seconds(WHOLE_SECONDS)
        answer = self._send(Request("POST", self._url, headers, body, seconds))
        rule = rule_for(ANSWERS, answer.status, what_it_says(answer))
        if (
            rule.action is Action.TAKE and answer.body.strip()
        ):  # the service sends none; something in between does
            raise ServiceUnavailable(f"{self._address} (200): the answer is not the workspace's")
        if rule.action is Action.RETRY:
            raise ServiceUnavailable(
                f"{self._address} ({answer.status}): {rule.sentence}", retry_after=answer.retry_after()
            )
        return answer, rule

    def _signature(self, length: int, date: str, key: bytes) -> str:
        """HMAC-SHA256 over the length in bytes: one over characters blocks the stream at the first umlaut."""
        text = f"POST\n{length}\n{_CONTENT_TYPE}\nx-ms-date:{date}\n{_RESOURCE}"
        return base64.b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).decode()


def workspace_key(text: str, secret: str) -> bytes:
    """The key that the secret's text holds.

    Raises:
        SecretError: The text is not base64.
    """
    try:
        return base64.b64decode(text.strip(), validate=True)
    except ValueError:
        raise SecretError(
            f"Key Vault's secret {secret} is not base64: store the workspace's primary key in it."
        ) from None
