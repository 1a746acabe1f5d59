"""What the connector needs of an ingestion API: one road or the other, the same rows."""

from collections.abc import Sequence
from typing import Any, Protocol

from shared.answers import Action, Rule
from shared.errors import IngestionRefused
from shared.ingestion.rows import EncodedRow
from shared.web import Answer

_SHOWN = 200
"""Characters of a service's own message."""


class BatchRefused(Exception):
    """The service refuses a batch for what is in it; halving finds the record.

    Attributes:
        status: The HTTP status.
        sentence: What the service says, for a dead letter's reason.
        code: The service's own word for it; empty where it gave none.
        once: Whether only one halving may be tried, because the cause may also be a wrong address.
        certain: Whether the fault was measured here, and not told by something that may be mistaken.
    """

    def __init__(
        self, status: int, sentence: str, *, code: str = "", once: bool = False, certain: bool = False
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.code = code
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
    width: int
    """Batches of a page that may be under way at once."""

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
    code, words = service_words(answer)
    message = f"{where} ({answer.status}): {sentence}{words}"
    if rule.action in (Action.SPLIT, Action.SPLIT_ONCE):
        return BatchRefused(answer.status, message, code=code, once=rule.action is Action.SPLIT_ONCE)
    return IngestionRefused(f"{message}.")


def service_words(answer: Answer) -> tuple[str, str]:
    """A refusal's code, and what to show of it: ` (it says code: message)`, or what came in place of an error.

    The Data Collector API says `{"Error","Message"}`, the Logs Ingestion API `{"error":{"code","message"}}`.
    """
    try:
        content = answer.json()
    except ValueError:
        kind = answer.headers.get("content-type", "").partition(";")[0]
        return (
            "",
            f" (it answers with {kind or 'no JSON'}, and no error of the service's)" if answer.body else "",
        )
    error = content.get("error", content) if isinstance(content, dict) else {}
    fields = error if isinstance(error, dict) else {"code": error}
    code = _plain(fields.get("code") or fields.get("Error"))
    message = _plain(fields.get("message") or fields.get("Message"))
    words = ": ".join(word for word in (code, message) if word)
    return code, f" (it says {words})" if words else ""


def _plain(value: Any) -> str:
    """A service's own words on one line, cut to what a sentence can bear."""
    text = " ".join(value.split()) if isinstance(value, str) else ""
    return text.rstrip(".")[:_SHOWN]
