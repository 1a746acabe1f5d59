"""The pages of the docs that are made from the code: `make_docs.py` writes them, `--check` tells stale ones.

A page is a line in `PAGES`: its path, and the function that gives its text.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from sandbox.content.docs import detections
from scripts.settings_page import settings_page
from shared.ingestion.columns import TABLES, TIME_FIELD, Field, Kind
from shared.settings import SETTINGS

ROOT = Path(__file__).parent.parent

_ORIGIN = (
    "Made by `scripts/make-docs` from `shared/ingestion/columns.py`. Both ingestion APIs fill the same columns. "
    "The names begin with the setting `LOG_TYPE`, here its default `{0}`. Rules and queries read through the "
    "function `{0}` and not these columns."
)
_EMPTY = (
    "A column holds nothing where DocuSign sent nothing. With `data-collector` a column exists once a row needed "
    "it; it can then also make a column that is not listed here, when a text looks like a GUID or a date-time."
)
_ROWS = {
    "": "One row an event. `TimeGenerated` is the event's time, or the time of arrival where that is more than "
    "two days ago, in the future, or unknown; `timestamp_t` is always the event's own.",
    "Health": "One row a run. `TimeGenerated` is the time of arrival.",
    "Users": "One row a user and account, when it changed and once a day; `deleted_b` marks those that are gone. "
    "Read through the function `DocuSignUsers`. Only where `DirectoryTimerTrigger` is on.",
    "Accounts": "One row an account, in the same way; read through the function `DocuSignAccounts`.",
}
_KINDS = {
    Kind.TEXT: "text",
    Kind.IDENTIFIER: "identifier: a GUID is in `_g`, anything else in `_s`",
    Kind.MOMENT: "moment, UTC",
    Kind.NUMBER: "number",
    Kind.FLAG: "true or false",
    Kind.JSON: "JSON text: read it with `parse_json`",
}


def tables_page() -> str:
    """The reference of the tables and their columns."""
    log_type = next(setting.default for setting in SETTINGS if setting.name == "LOG_TYPE")
    parts = ["# Tables", _ORIGIN.format(log_type), _EMPTY]
    for suffix, fields in TABLES.items():
        parts += [f"## {log_type}{suffix}_CL", *([_ROWS[suffix]] if suffix in _ROWS else [])]
        parts.append("\n".join(_table(fields)))
    return "\n\n".join(parts) + "\n"


def _table(fields: tuple[Field, ...]) -> Iterator[str]:
    yield "| column | type | field of the row | holds |"
    yield "|---|---|---|---|"
    origin = f"`{TIME_FIELD}`" if any(field.name == TIME_FIELD for field in fields) else ""
    yield f"| `TimeGenerated` | datetime | {origin} | moment, UTC |"
    for field in fields:
        for column, kql_type in field.columns.items():
            yield f"| `{column}` | {kql_type} | `{field.name}` | {_KINDS[field.kind]} |"


PAGES: dict[Path, Callable[[], str]] = {
    ROOT / "docs/tables.md": tables_page,
    ROOT / "docs/settings.md": settings_page,
    ROOT / "docs/detections.md": detections,
}


def stale_pages() -> list[str]:
    """The pages that are not as the code would have them, by their path in the project."""
    return [
        str(path.relative_to(ROOT))
        for path, text in PAGES.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text()
    ]


def main() -> None:
    """Write the pages, or fail where one is stale."""
    parser = argparse.ArgumentParser(prog="scripts/make-docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a page is stale")
    if not parser.parse_args().check:
        for path, text in PAGES.items():
            path.write_text(text(), encoding="utf-8")
    elif stale := stale_pages():
        sys.exit(f"Stale: {', '.join(stale)}. Run scripts/make-docs.")


if __name__ == "__main__":
    main()
