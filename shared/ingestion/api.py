"""What the connector needs of an ingestion API: one road or the other, the same rows."""

from collections.abc import Sequence
from typing import Protocol

from shared.ingestion.rows import EncodedRow


class BatchRefused(Exception):
    """The service refuses a batch for what is in it; halving finds the record.

    Attributes:
        status: The HTTP status.
        sentence: What the service says, for a dead letter's reason.
        code: The service's own word for it; empty where it gave none.
        once: Whether only one halving may be tried, because the cause may also be a wrong address.
    """

    def __init__(self, status: int, sentence: str, *, code: str = "", once: bool = False) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.code = code
        self.once = once


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
