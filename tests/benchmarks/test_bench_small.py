"""Each benchmark with the smallest sizes: that it works and measures the right thing, not how long it takes."""

import xml.etree.ElementTree as ET
from pathlib import Path

import orjson
import pytest
from rich.console import Console

from benchmarks import picture, report, size
from benchmarks.__main__ import TINY, run
from benchmarks.lean import flat
from benchmarks.replay import PAGE, sample_events
from benchmarks.results import Result
from shared.ingestion.rows import encode_event

KEPT = Result("c memory", "peak <1>", 100.0, "MB", 120.0)
OVER = Result("b CPU", "to the leanest loop", 1.5, "", 1.2)
TOLD = Result("f requests", "vault", 3, "requests", None, "a detail")


@pytest.mark.integration
@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ("a", {"a overlap"}),
        ("b", {"b CPU"}),
        ("c", {"c memory"}),
        ("df", {"d cold start", "f requests"}),
        ("e", {"e bytes"}),
    ],
)
def test_measurement(parts: str, expected: set[str]) -> None:
    """Each measurement runs, and all of its values are numbers above zero or the difference of two."""
    results = run(TINY, parts, Console(quiet=True))

    assert expected == {result.part for result in results}
    assert all(result.value > 0 for result in results if result.what != "between the two")


def test_the_leanest_rows_are_the_connectors() -> None:
    """The leanest loop is no unfair opponent: of well-formed events it makes the very rows of the connector."""
    events = sample_events(PAGE)
    ours = [orjson.loads(encode_event(event, 32 * 1024).body) for event in events]
    lean = [orjson.loads(orjson.dumps(flat(event))) for event in events]
    for row in (*ours, *lean):  # the order of names inside of these does not matter
        for name in {"additionalFields", "data", "userAgentClientInfo"} & row.keys():
            row[name] = orjson.loads(row[name])

    assert ours == lean


def test_billed_bytes() -> None:
    """What is billed is the text of the values, an object as JSON, nothing for a null, and the record's time."""
    assert 24 + 2 + 4 + 5 + 7 == size.billed({"a": "é", "b": 12.5, "c": False, "d": {"x": 1}, "e": None})


def test_ratios_come_first() -> None:
    """Ratios, then what has a bound, then the rest."""
    assert [OVER, KEPT, TOLD] == report.ordered([TOLD, KEPT, OVER])


def test_page(tmp_path: Path) -> None:
    """The table stands between the marks; what is around them stays; a second writing replaces the first."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{report.BEGIN}old{report.END}\nafter\n")
    report.write(page, [KEPT], "once")
    report.write(page, [OVER, TOLD], "twice")
    text = page.read_text()

    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "| b CPU | to the leanest loop | 1.50 | ≤ 1.2 | **not kept** | |" in text
    assert "| f requests | vault | 3 requests | | | a detail |" in text
    assert "old" not in text
    assert "once" not in text


def test_page_without_marks(tmp_path: Path) -> None:
    """A page without the marks is left alone, and the error names them."""
    page = tmp_path / "page.md"
    page.write_text("nothing")
    with pytest.raises(ValueError, match="benchmarks: begin"):
        report.write(page, [KEPT], "")


def test_picture() -> None:
    """The picture is well-formed, has a bar for each bound, and shows which are not kept."""
    root = ET.fromstring(picture.draw([KEPT, OVER, TOLD]))  # noqa: S314 - it was made here
    kinds = [bar.get("class") for bar in root.iter("{http://www.w3.org/2000/svg}rect")]

    assert (1, 1) == (kinds.count("kept"), kinds.count("over"))
