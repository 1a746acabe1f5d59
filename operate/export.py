"""All events to a file, one JSON object a line, until caught up; it goes on where it was stopped.

::

    events.ndjson               whole pages, and perhaps a piece that a kill left behind
    events.ndjson.state.json    {"version":1,"cursor","api","bytes","mayRepeat","userId",...}: how much is whole
    events.ndjson.lock          there while an export writes: a second one is refused

A page is written and flushed to the disk before the state is replaced. On resumption the file is cut to the
state's length, so that it never holds half a line, nor a page twice.

DocuSign itself may bring events again: after a restart of the stream, and where a page had events and its cursor
did not move. The state remembers that; each later call reads the ids of the file, and leaves out what it has.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from operate.export_state import Exported, read_state, save_state, state_path
from operate.file_lock import Taken, locked
from operate.seen import Seen
from shared import lenient_json
from shared.docusign.monitor import Page
from shared.errors import OperatorError
from shared.position import Position
from shared.run import EMPTY_PAGES, Source, next_position

CAUGHT_UP, QUOTA = "caught-up", "quota"


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """While inside, no other export writes to the file; its lock is `<file>.lock`.

    Raises:
        OperatorError: Another does, or this is no file that an export can go on in.
    """
    if not out.name:
        raise OperatorError("--out names no file. Name one, such as events.ndjson.")
    if not out.parent.is_dir():
        raise OperatorError(
            f"The folder {out.parent} of --out does not exist. Make it, or name another file."
        )
    if out.exists() and not out.is_file():
        raise OperatorError(f"{out} is no regular file, and an export goes on in one. Name another file.")
    try:
        with locked(out.with_name(f"{out.name}.lock")):
            yield
    except Taken:
        raise OperatorError(
            f"Another export writes to {out}: wait for its end, or name another file."
        ) from None


def begin(
    out: Path, start: str, whose: Mapping[str, str] | None = None, *, is_chosen: bool = False
) -> Exported:
    """Where to go on: at the state, or at the start when there is neither file nor state.

    Args:
        out: The file.
        start: Where a new export starts.
        whose: The fields that name the stream; none for anybody's.
        is_chosen: Whether a person chose the start for this call.

    Raises:
        OperatorError: The file is not the one that the state was written for, or the start is not for it.
    """
    state, named = state_path(out), whose or {}
    if not state.exists():
        if out.exists() and out.stat().st_size:
            raise OperatorError(
                f"{out} exists, and {state.name} does not: it is not an export that can go on. Name another file."
            )
        return Exported(Position(start, "", start), whose=named)
    found = read_state(out, named)
    if is_chosen:
        raise OperatorError(
            f"{out} goes on where it was stopped; --from is for a new file. Leave it out, or name another file."
        )
    return found


def export(source: Source, out: Path, exported: Exported, advance: Callable[[Exported], None]) -> Exported:
    """Write pages until DocuSign has no more; `advance` is called after each.

    Raises:
        ConnectorError: DocuSign failed; call again to go on.
        OSError: The file cannot be written.
    """
    with _naming(out):
        if not state_path(out).exists():
            save_state(out, exported)  # first, for a file without its state is taken for another's
        with out.open("r+b" if out.exists() else "w+b") as file:
            seen = _seen(file, out, exported)  # all of it is read before anything is cut
            try:
                _write_pages(source, file, out, exported, advance, seen)
            finally:
                file.truncate(exported.bytes)
    return exported


def _write_pages(
    source: Source,
    file: BinaryIO,
    out: Path,
    exported: Exported,
    advance: Callable[[Exported], None],
    seen: Seen | None,
) -> None:
    file.truncate(exported.bytes)
    empty_pages = 0
    while not exported.outcome:
        page = source.page(exported.position)
        if page.warning:
            exported.warnings = (*exported.warnings, page.warning)
            exported.may_repeat = True
            seen = seen or _seen(file, out, exported)
        empty_pages = 0 if page.events else empty_pages + 1
        _write(file, page, exported, seen)
        exported.may_repeat |= page.is_last and bool(page.events)
        exported.position = next_position(exported.position, page)
        exported.outcome = _outcome(page, empty_pages)
        save_state(out, exported)
        advance(exported)


def _seen(file: BinaryIO, out: Path, exported: Exported) -> Seen | None:
    """What the file has, where DocuSign may bring it again."""
    return Seen(_whole_lines(file, exported.bytes), out) if exported.may_repeat else None


def _whole_lines(file: BinaryIO, length: int) -> Iterator[bytes]:
    """The lines up to a length at which one ends."""
    file.seek(0)
    left = length
    for line in file if left else ():
        yield line
        left -= len(line)
        if left <= 0:
            return


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


@contextmanager
def _naming(out: Path) -> Iterator[None]:
    """A write that fails does not say by itself to what file it was."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(out)
        raise
