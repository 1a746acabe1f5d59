"""Results as a table: on the screen, and in docs/performance.md between two marks."""

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from benchmarks.results import Result

BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"


def bound_of(result: Result) -> str:
    """The bound as it is printed; empty where there is none."""
    if result.bound is None:
        return ""
    return f"≤ {result.bound:g}" if not result.unit else f"≤ {result.bound:g} {result.unit}"


def ordered(results: Sequence[Result]) -> list[Result]:
    """The ratios first, then the figures that have a bound, then the others."""
    return sorted(results, key=lambda result: (bool(result.unit), result.bound is None, result.part))


def on_screen(results: Sequence[Result]) -> Table:
    """The table for a terminal."""
    table = Table(title="What the connector costs")
    for name in ("part", "measured", "value", "bound", "", "made of"):
        table.add_column(name, justify="right" if name == "value" else "left")
    for result in ordered(results):
        table.add_row(result.part, result.what, result.shown, bound_of(result), result.verdict, result.detail)
    return table


def in_markdown(results: Sequence[Result]) -> str:
    """The table for the page."""
    lines = ["| part | measured | value | bound | | made of |", "|---|---|---:|---|---|---|"]
    for result in ordered(results):
        verdict = f"**{result.verdict}**" if result.verdict == "not kept" else result.verdict
        cells = (result.part, result.what, result.shown, bound_of(result), verdict, result.detail)
        lines.append("".join(f"| {cell} " if cell else "| " for cell in cells) + "|")
    return "\n".join(lines)


def write(page: Path, results: Sequence[Result], made_by: str) -> None:
    """Put the table between the marks of the page, and leave everything else as it is.

    Raises:
        ValueError: The page has not got both marks, once each.
    """
    text = page.read_text(encoding="utf-8")
    if (text.count(BEGIN), text.count(END)) != (1, 1):
        raise ValueError(f"{page} must hold {BEGIN} and {END}, once each.")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    table = f"{BEGIN}\n\n{made_by}\n\n{in_markdown(results)}\n\n{END}"
    page.write_text(before + table + after, encoding="utf-8")
