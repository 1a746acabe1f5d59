"""The Logs Ingestion API: a Microsoft Entra token, and a data collection rule that names the columns.

Sources: Microsoft's pages "Logs Ingestion API in Azure Monitor", its service limits, and the troubleshooting
section of its sample code. Microsoft's own client, azure-monitor-ingestion, makes bodies over the limit and
gives up where a repetition would help, so this one is our own.
"""

import gzip
from collections.abc import Sequence

from shared.answers import Action, Actor, Rule, rule_for
from shared.errors import ServiceUnavailable
from shared.ingestion.api import BatchRefused, refusal, what_it_says
from shared.ingestion.batches import json_array
from shared.ingestion.monitor_token import MonitorToken
from shared.ingestion.rows import EncodedRow
from shared.ingestion.schema import stream_name
from shared.renewal import with_renewal
from shared.retry import Retry
from shared.settings import LOGS_INGESTION, Settings
from shared.web import WHOLE_SECONDS, Answer, Request, Transport

_TOO_LARGE = 413
_CALL_LIMIT = 1024 * 1024
"""Bytes of a body before compression that the service takes; what is surely over is not even sent."""

RECORD_FAULTS = ("InvalidRequest", "InvalidPayload", "InvalidDataFormat")
"""Codes of a 400 for what is in the records. Microsoft documents none; these are the names in use for a body that
cannot be read as the stream's records. A 400 with any other code, or none, stops the run."""

_NO_STREAM = (
    "the data collection rule has no stream {stream}. Check LOG_TYPE and DATA_COLLECTION_RULE_ID, or deploy the "
    "rule of this version"
)
_NO_RULE = (
    "there is no such data collection rule, or no stream {stream} in it. Check DATA_COLLECTION_ENDPOINT, "
    "DATA_COLLECTION_RULE_ID (the immutable id, dcr-...) and LOG_TYPE; endpoint and rule lie in one region"
)

ANSWERS: tuple[Rule, ...] = (
    Rule((204,), Action.TAKE, Actor.NOBODY, "taken"),
    Rule(
        range(200, 300),
        Action.RETRY,
        Actor.NOBODY,
        "the answer is not the service's, which says 204; something in between may have given it",
    ),
    Rule((400,), Action.STOP, Actor.OPERATOR, _NO_STREAM, says="InvalidStream"),
    Rule((400,), Action.STOP, Actor.OPERATOR, _NO_RULE, says="InvalidDcrImmutableId"),
    *(
        Rule((400,), Action.SPLIT, Actor.NOBODY, "the workspace refuses the record's format", says=code)
        for code in RECORD_FAULTS
    ),
    Rule(
        (400,),
        Action.STOP,
        Actor.OPERATOR,
        "the post is refused for a reason that is not known to lie in its records, so none is set aside. Look "
        "for a proxy in between, and check DATA_COLLECTION_RULE_ID, its stream {stream} and its transformation",
    ),
    Rule(
        (401,),
        Action.RENEW,
        Actor.OPERATOR,
        "the token is not accepted. Check AZURE_CLOUD, and that the identity and the rule belong to one tenant",
    ),
    Rule(
        (403,),
        Action.STOP,
        Actor.OPERATOR,
        "the identity may not send to the data collection rule. Give it the role Monitoring Metrics Publisher on "
        "the rule itself. A fresh assignment takes minutes, at times 30, to work: the runs fail until then, and "
        "no event is lost",
    ),
    Rule((404,), Action.STOP, Actor.OPERATOR, _NO_RULE),
    Rule((_TOO_LARGE,), Action.SPLIT, Actor.NOBODY, "the record is too large for the workspace"),
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
        "DATA_COLLECTION_ENDPOINT and AZURE_CLOUD",
    ),
)


class LogsIngestion:
    """Posts to one data collection rule; see `shared.ingestion.api.Ingestion`.

    The rule's transformation sets `TimeGenerated`, so the time field of a post is of no use here.
    """

    name = LOGS_INGESTION
    field_limit = 64 * 1024
    batch_limit = 900_000

    def __init__(self, settings: Settings, token: MonitorToken, send: Transport, retry: Retry) -> None:
        self._endpoint = settings.data_collection_endpoint
        self._rule_id = settings.data_collection_rule_id
        self._token = token
        self._send = send
        self._retry = retry

    def post(self, table: str, rows: Sequence[EncodedRow], time_field: str | None) -> None:
        """Send one batch, with the token renewed once where it is rejected."""
        del time_field
        stream, body = stream_name(table), json_array(rows)
        if len(body) > _CALL_LIMIT:
            sentence = f"{len(body)} bytes are more than the workspace takes in one call"
            raise BatchRefused(_TOO_LARGE, sentence, certain=True)
        compressed = gzip.compress(body, mtime=0)
        answer, rule = with_renewal(
            self._token, self._retry, lambda token: self._attempt(stream, compressed, token)
        )
        if rule.action is not Action.TAKE:
            raise refusal(self._endpoint, answer, rule, rule.sentence.format(stream=stream))

    def _attempt(self, stream: str, body: bytes, token: str) -> tuple[Answer, Rule]:
        url = f"{self._endpoint}/dataCollectionRules/{self._rule_id}/streams/{stream}?api-version=2023-01-01"
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
        }
        seconds = self._retry.attempt_seconds(WHOLE_SECONDS)
        answer = self._send(Request("POST", url, headers, body, seconds))
        rule = rule_for(ANSWERS, answer.status, what_it_says(answer))
        if rule.action is Action.RETRY:
            raise ServiceUnavailable(
                f"{self._endpoint} ({answer.status}): {rule.sentence}", retry_after=answer.retry_after()
            )
        return answer, rule
