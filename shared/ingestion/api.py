"""What the connector needs of an ingestion API: one road or the other, the same rows."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from shared.answers import Action, Rule
from shared.errors import IngestionRefused
from shared.ingestion.rows import EncodedRow
from shared.web import Answer

_CODE = re.compile(r"[A-Za-z][\w.-]{0,63}", re.ASCII)
_SHOWN = 200
"""Characters of a service's own message."""


class BatchRefused(Exception):
    """The service refuses a batch for what is in it; halving finds the record.

    Attributes:
        status: The HTTP status.
        sentence: What it means, and the service's code for it. No event is part of it.
        code: The service's own word for it; empty where it gave none.
        reason: The sentence with the service's own message, which may quote the record: for its dead letter alone.
        once: Whether only one halving may be tried, because the cause may also be a wrong address.
        certain: Whether the fault was measured here, and not told by something that may be mistaken.
    """

    def __init__(
        self,
        status: int,
        sentence: str,
        *,
        code: str = "",
        message: str = "",
        once: bool = False,
        certain: bool = False,
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.code = code
        self.reason = f"{sentence}: {message}" if message else sentence
        self.once = once
        self.certain = certain


class Ingestion(Protocol):
    """One of the two ingestion APIs."""

    name: str
    """As in the setting INGESTION_API."""
    field_limit: int
    """Bytes of a value that the service keeps."""
    batch_limit: int
    """Bytes of a body."""

    def post(self, table: str, rows: Sequence[EncodedRow], time_field: str | None) -> None:
        """Send one batch; when this returns, the service has it.

        Args:
            table: The table's name without `_CL`.
            rows: At most `batch_limit` bytes.
            time_field: The field that becomes `TimeGenerated`, or None for the time of arrival.

        Raises:
            BatchRefused: The batch is at fault, or too large.
            IngestionRefused: The configuration is at fault.
            ServiceUnavailable: The service stayed down for the rest of the run.
        """


def refusal(where: str, answer: Answer, rule: Rule, sentence: str) -> BatchRefused | IngestionRefused:
    """The error for an answer that is a refusal: the records' fault where the rule lists it as that.

    Args:
        where: Who was asked.
        answer: What was said.
        rule: What it means.
        sentence: The rule's sentence, filled in.
    """
    said = service_words(answer)
    told = f"{where} ({answer.status}): {sentence}{said.shown}"
    if rule.action in (Action.SPLIT, Action.SPLIT_ONCE):
        once = rule.action is Action.SPLIT_ONCE
        return BatchRefused(answer.status, told, code=said.code, message=said.message, once=once)
    return IngestionRefused(f"{told}.")


class Said(NamedTuple):
    """What an answer says of itself.

    Attributes:
        code: The service's word for the refusal; empty where there is none.
        message: Its message, which may quote a record.
        shown: What may stand in a sentence: the code, or what came in place of the service's answer.
    """

    code: str
    message: str
    shown: str


def service_words(answer: Answer) -> Said:
    """What a refusal says.

    The Data Collector API says `{"Error","Message"}`, the Logs Ingestion API `{"error":{"code","message"}}`.
    """
    try:
        content = answer.json()
    except ValueError:
        kind = _plain(answer.headers.get("content-type", "").partition(";")[0]) or "no JSON"
        return Said(
            "", "", f" (it answers with {kind}, and no error of the service's)" if answer.body else ""
        )
    error = content.get("error", content) if isinstance(content, dict) else {}
    fields = error if isinstance(error, dict) else {"code": error}
    code = _code(fields.get("code") or fields.get("Error"))
    message = _plain(fields.get("message") or fields.get("Message"))
    return Said(code, message, f" (it says {code})" if code else "")


def what_it_says(answer: Answer) -> str:
    """What an answer's rule is looked up by: its code, for a message may quote what anybody wrote into an event."""
    return service_words(answer).code or answer.text


def _plain(value: Any) -> str:
    """A service's own words on one line, cut to what a sentence can bear."""
    text = " ".join(value.split()) if isinstance(value, str) else ""
    return text.rstrip(".")[:_SHOWN]


def _code(value: Any) -> str:
    """A code is one word; anything longer is a message."""
    text = _plain(value)
    return text if _CODE.fullmatch(text) else ""
