"""Rows to batches, by bytes and in order."""

from collections.abc import Iterator, Sequence

from shared.ingestion.rows import EncodedRow


def batches(rows: Sequence[EncodedRow], limit: int) -> Iterator[Sequence[EncodedRow]]:
    """Runs of rows whose JSON array has at most `limit` bytes; a row over it stands alone.

    Args:
        rows: In the order in which they must be accepted.
        limit: Bytes of a body.
    """
    start, size = 0, len("[]")
    for index, row in enumerate(rows):
        more = len(row.body) + len(",")
        if index > start and size + more > limit:
            yield rows[start:index]
            start, size = index, len("[]")
        size += more
    if start < len(rows):
        yield rows[start:]


def json_array(rows: Sequence[EncodedRow]) -> bytes:
    """The body of a post."""
    return b"[" + b",".join([row.body for row in rows]) + b"]"
