"""All events to a file, one JSON object a line, until caught up; it goes on where it was stopped.

::

    events.ndjson               whole pages, and perhaps a piece that a kill left behind
    events.ndjson.state.json    {"version":1,"cursor","api","bytes","mayRepeat",...}: how much of it is whole

A page is written and flushed to the disk before the state is replaced. On resumption the file is cut to the
state's length, so that it never holds half a line, nor a page twice.

DocuSign itself may bring events again: after a restart of the stream, and where a page had events and its cursor
did not move. The state remembers that; each later call reads the ids of the file, and leaves out what it has.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from operate.seen import Seen
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
        may_repeat: Whether DocuSign may bring events that the file has.
    """

    position: Position
    bytes: int = 0
    events: int = 0
    outcome: str = ""
    warnings: tuple[str, ...] = ()
    may_repeat: bool = False


def state_path(out: Path) -> Path:
    """The state beside the file."""
    return out.with_name(f"{out.name}.state.json")


def begin(out: Path, start: str) -> Exported:
    """Where to go on: at the state, or at the start when there is neither file nor state.

    Raises:
        OperatorError: There is no such folder, or the file is not the one that the state was written for.
    """
    if not out.parent.is_dir():
        raise OperatorError(
            f"The folder {out.parent} of --out does not exist. Make it, or name another file."
        )
    state = state_path(out)
    if not state.exists():
        if out.exists() and out.stat().st_size:
            raise OperatorError(
                f"{out} exists, and {state.name} does not: it is not an export that can go on. Name another file."
            )
        return Exported(Position(start, "", start))
    content = state.read_bytes()
    position = position_from_json(content, str(state))
    known = lenient_json.loads(content)
    length, size = known.get("bytes"), out.stat().st_size if out.exists() else 0
    if not isinstance(length, int) or size < length:
        raise OperatorError(
            f"{out} is shorter than {state.name} says: it was changed. Remove both, or name another file."
        )
    return Exported(position, length, may_repeat=known.get("mayRepeat") is not False)


def export(source: Source, out: Path, exported: Exported, advance: Callable[[Exported], None]) -> Exported:
    """Write pages until DocuSign has no more; `advance` is called after each.

    Raises:
        ConnectorError: DocuSign failed; call again to go on.
        OSError: The file cannot be written.
    """
    with _naming(out):
        if not state_path(out).exists():
            _save(state_path(out), exported)  # first, for a file without its state is taken for another's
        with out.open("r+b" if out.exists() else "w+b") as file:
            try:
                _write_pages(source, file, out, exported, advance)
            finally:
                file.truncate(exported.bytes)
    return exported


def _write_pages(
    source: Source, file: BinaryIO, out: Path, exported: Exported, advance: Callable[[Exported], None]
) -> None:
    file.truncate(exported.bytes)
    seen, empty_pages = _seen(file, exported), 0
    while not exported.outcome:
        page = source.page(exported.position)
        if page.warning:
            exported.warnings = (*exported.warnings, page.warning)
            exported.may_repeat = True
            seen = seen or _seen(file, exported)
        empty_pages = 0 if page.events else empty_pages + 1
        _write(file, page, exported, seen)
        exported.may_repeat |= page.is_last and bool(page.events)
        exported.position = next_position(exported.position, page)
        exported.outcome = _outcome(page, empty_pages)
        _save(state_path(out), exported)
        advance(exported)


def _seen(file: BinaryIO, exported: Exported) -> Seen | None:
    """What the file has, where DocuSign may bring it again."""
    if not exported.may_repeat:
        return None
    file.seek(0)
    return Seen(file)


def _outcome(page: Page, empty_pages: int) -> str:
    if page.is_last or empty_pages >= EMPTY_PAGES:
        return CAUGHT_UP
    return QUOTA if page.quota_low else ""


def _write(file: BinaryIO, page: Page, exported: Exported, seen: Seen | None) -> None:
    """Append the page's events, without those that the file has."""
    encoded = ((event, lenient_json.dumps(event)) for event in page.events)
    lines = [line for event, line in encoded if seen is None or seen.is_new(event, line)]
    content = b"".join(line + b"\n" for line in lines)
    file.seek(exported.bytes)
    file.write(content)
    file.flush()
    os.fsync(file.fileno())
    exported.bytes += len(content)
    exported.events += len(lines)


def _save(path: Path, exported: Exported) -> None:
    """Replace the state in one step: a kill leaves the old one or the new one."""
    content = lenient_json.loads(exported.position.to_json())
    content |= {"bytes": exported.bytes, "mayRepeat": exported.may_repeat}
    scratch = path.with_name(f"{path.name}.new")
    with scratch.open("wb") as file:
        file.write(lenient_json.dumps(content))
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)


@contextmanager
def _naming(out: Path) -> Iterator[None]:
    """A write that fails does not say by itself to what file it was."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(out)
        raise
