"""All events to a file, one JSON object a line, until caught up; it goes on where it was stopped.

::

    events.ndjson               whole pages, and perhaps a piece that a kill left behind
    events.ndjson.state.json    {"version":1,"cursor","api","bytes",...}: how much of the file is whole

A page is written and flushed to the disk before the state is replaced. On resumption the file is cut to the
state's length, so that it never holds half a line, nor a page twice.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from shared import lenient_json
from shared.docusign.monitor import Page
from shared.errors import OperatorError
from shared.position import Position, position_from_json
from shared.run import EMPTY_PAGES, Source, next_position

CAUGHT_UP, QUOTA = "caught-up", "quota"


@dataclass
class Exported:
    """How far the export has come.

    Attributes:
        position: Behind the last whole page.
        bytes: The file's length up to there.
        events: Events that this run has written.
        outcome: `caught-up`, or `quota` when the hour's calls ran low; empty before the end.
        warnings: What a person should know.
    """

    position: Position
    bytes: int = 0
    events: int = 0
    outcome: str = ""
    warnings: tuple[str, ...] = ()


def state_path(out: Path) -> Path:
    """The state beside the file."""
    return out.with_name(f"{out.name}.state.json")


def begin(out: Path, start: str) -> Exported:
    """Where to go on: at the state, or at the start when there is neither file nor state.

    Raises:
        OperatorError: The file is not the one that the state was written for.
    """
    state = state_path(out)
    if not state.exists():
        if out.exists() and out.stat().st_size:
            raise OperatorError(
                f"{out} exists, and {state.name} does not: it is not an export that can go on. Name another file."
            )
        return Exported(Position(start, "", start))
    content = state.read_bytes()
    position = position_from_json(content, str(state))
    length = lenient_json.loads(content).get("bytes")
    if not isinstance(length, int) or not out.exists() or out.stat().st_size < length:
        raise OperatorError(
            f"{out} is shorter than {state.name} says: it was changed. Remove both, or name another file."
        )
    return Exported(position, length)


def export(source: Source, out: Path, exported: Exported, advance: Callable[[Exported], None]) -> Exported:
    """Write pages until DocuSign has no more; `advance` is called after each.

    Raises:
        ConnectorError: DocuSign failed; call again to go on.
    """
    seen: set[str] | None = None
    empty_pages = 0
    with out.open("r+b" if out.exists() else "w+b") as file:
        file.truncate(exported.bytes)
        while not exported.outcome:
            page = source.page(exported.position)
            if page.warning:
                seen = seen or _ids(file)
            empty_pages = 0 if page.events else empty_pages + 1
            _write(file, page, exported, seen)
            exported.position = next_position(exported.position, page)
            exported.outcome = _outcome(page, empty_pages)
            _save(state_path(out), exported)
            advance(exported)
    return exported


def _outcome(page: Page, empty_pages: int) -> str:
    if page.is_last or empty_pages >= EMPTY_PAGES:
        return CAUGHT_UP
    return QUOTA if page.quota_low else ""


def _write(file: BinaryIO, page: Page, exported: Exported, seen: set[str] | None) -> None:
    """Append the page's events; after a restart of the stream, without those that the file has."""
    events = [event for event in page.events if seen is None or _identifier(event) not in seen]
    lines = b"".join(lenient_json.dumps(event) + b"\n" for event in events)
    file.seek(exported.bytes)
    file.write(lines)
    file.flush()
    os.fsync(file.fileno())
    exported.bytes += len(lines)
    exported.events += len(events)
    if page.warning:
        exported.warnings = (*exported.warnings, page.warning)


def _save(path: Path, exported: Exported) -> None:
    """Replace the state in one step: a kill leaves the old one or the new one."""
    content = lenient_json.loads(replace(exported.position).to_json()) | {"bytes": exported.bytes}
    scratch = path.with_name(f"{path.name}.new")
    scratch.write_bytes(lenient_json.dumps(content))
    scratch.replace(path)


def _ids(file: BinaryIO) -> set[str]:
    """The ids of the events in the file."""
    file.seek(0)
    return {_identifier(lenient_json.loads(line)) for line in file}


def _identifier(event: Any) -> str:
    """The event's id, or its whole text when it has none."""
    identifier = event.get("eventId") if isinstance(event, dict) else None
    return identifier if isinstance(identifier, str) else lenient_json.dumps(event).decode()
