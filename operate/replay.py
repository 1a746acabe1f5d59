"""Sends dead letters again by the configured road, and removes those that the workspace takes.

Single letters are sent nine at a time: of fewer than ten each is judged by itself, and can be listed with its
reason. Pages that were kept unsorted come after them, each by itself, for one may be large.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from operate.blobs import Blobs, in_portions
from operate.dead_letters.letter import Letter, is_page, letter_from_json
from operate.dead_letters.page import replay_page
from operate.dead_letters.road import PORTION, Replay, Replayed
from shared.dead_letters import PREFIX
from shared.fenced_blob import FencedBlob
from shared.ingestion.api import Ingestion
from shared.ingestion.rows import encode_event

LOCK = "dead-letters.lock"
"""The blob whose lease a replay holds; it lies beside the dead letters' folder, and is none of them."""


@contextmanager
def alone(blobs: Blobs) -> Iterator[Callable[[], None]]:
    """While inside, no other replay works on these blobs; gives what raises once that is not so any more.

    Raises:
        AlreadyRunning: Another does.
        StorageRefused, ServiceUnavailable: Storage does not serve.
    """
    with FencedBlob(blobs.container, LOCK, b"{}", blobs.retry) as lock:
        yield lock.lease.ensure


def replay(  # noqa: PLR0913 - what it works with, and what it tells
    blobs: Blobs,
    ingestion: Ingestion,
    log_type: str,
    advance: Callable[[int, int], None],
    done: Replayed | None = None,
    *,
    ensure: Callable[[], None] = lambda: None,
    rest: Callable[[], None] = lambda: None,
) -> Replayed:
    """Send every dead letter; what the workspace has is removed at once.

    Args:
        blobs: Where the dead letters lie.
        ingestion: The road.
        log_type: The table's name without `_CL`.
        advance: Called with how many events are done, of how many that are known so far.
        done: What became of them, kept up to date while it works.
        ensure: Called before each batch; raises where another replay may be at work.
        rest: Called whenever no event is in hand; it may end the replay.

    Raises:
        ConnectorError: It stopped; what was accepted before is removed.
        AtRest: It was interrupted at a rest; what was accepted before is removed.
    """
    work = Replay(blobs, ingestion, log_type, Replayed() if done is None else done, advance, ensure, rest)
    names = blobs.names(PREFIX)
    work.known = len(names)
    singles = [name for name in names if not is_page(name)]
    pages = [name for name in names if is_page(name)]
    for portion in (*in_portions(singles, PORTION), *in_portions(pages, 1)):
        _replay_portion(work, portion)
        work.rest()
    return work.done


def _replay_portion(work: Replay, names: list[str]) -> None:
    letters = {name: letter for name in names if (letter := _letter(work, name)) is not None}
    singles = {name: letter for name, letter in letters.items() if not letter.is_page}
    if singles:
        _replay_singles(work, singles)
    for name, letter in letters.items():
        if letter.is_page:
            work.known += len(letter.events) - 1
            replay_page(work, name, letter)


def _letter(work: Replay, name: str) -> Letter | None:
    """The letter; None where it is none, or somebody else was faster."""
    found = work.blobs.read(name)
    if found is not None:
        try:
            return letter_from_json(found.content)
        except ValueError as error:
            work.done.refused[name] = str(error)
    work.count(1)
    return None


def _replay_singles(work: Replay, letters: dict[str, Letter]) -> None:
    sent = {name: letter for name, letter in letters.items() if not _would_be_cut_again(work, name, letter)}
    box = work.ship([letter.events[0] for letter in sent.values()])
    for name, letter in sent.items():
        refusal = box.of(letter.events[0])
        if refusal is None:
            work.blobs.remove(name)
            work.done.accepted += 1
            continue
        work.done.refused[name] = refusal.reason
        if refusal.is_cut:  # the table has it now: the next replay must not send it again
            work.blobs.write(name, letter.with_reason(refusal.reason, refusal.status))
    work.count(len(letters))


def _would_be_cut_again(work: Replay, name: str, letter: Letter) -> bool:
    """Whether the table has the event cut, and would get it cut once more: the whole one is kept here."""
    limit = work.ingestion.field_limit
    cut = encode_event(letter.events[0], limit).truncated if letter.was_cut else ()
    if cut:
        work.done.refused[name] = f"{', '.join(cut)} would be cut again at {limit} bytes"
    return bool(cut)
