from itertools import chain, pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.ingestion.batches import batches, json_array
from shared.ingestion.rows import EncodedRow, encode_event
from tests.support import make_event


def rows(*sizes: int) -> list[EncodedRow]:
    """Give rows whose bodies have so many bytes."""
    return [EncodedRow(b"1" * size, number) for number, size in enumerate(sizes)]


def sizes(limit: int, *row_sizes: int) -> list[list[int]]:
    """Give the sizes of the rows in each batch."""
    return [[len(row.body) for row in batch] for batch in batches(rows(*row_sizes), limit)]


@pytest.mark.parametrize(
    ("row_sizes", "expected"),
    [
        ([], []),
        ([1], [[1]]),
        ([10], [[10]]),
        ([100], [[100]]),
        ([3, 3], [[3, 3]]),
        ([5, 5], [[5], [5]]),
        ([100, 1, 1, 100, 1], [[100], [1, 1], [100], [1]]),
        ([1, 1, 1, 1, 1, 1], [[1, 1, 1, 1], [1, 1]]),
    ],
)
def test_cut(row_sizes: list[int], expected: list[list[int]]) -> None:
    """Rows are put together up to 10 bytes, brackets and commas counted; a larger one stands alone."""
    assert expected == sizes(10, *row_sizes)


@given(st.lists(st.integers(1, 60), max_size=60), st.integers(1, 200))
def test_any_sizes(row_sizes: list[int], limit: int) -> None:
    """No row is lost, doubled or moved; a body over the limit is a single row's; no batch is needlessly small."""
    given_rows = rows(*row_sizes)
    found = list(batches(given_rows, limit))

    assert given_rows == list(chain(*found))
    assert all(len(batch) == 1 or len(json_array(batch)) <= limit for batch in found)
    assert all(batch for batch in found)
    for batch, following in pairwise(found):
        assert len(json_array([*batch, following[0]])) + 1 > limit


def test_json_array() -> None:
    """The body is a JSON array of the rows, in order."""
    events = [make_event(eventId=f"é{number}") for number in range(3)]
    body = json_array([encode_event(event, 32 * 1024) for event in events])

    assert ["é0", "é1", "é2"] == [row["eventId"] for row in orjson.loads(body)]
    assert b"[]" == json_array([])
