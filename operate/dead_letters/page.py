"""Replays a page that was kept unsorted: at the end each of its events is taken, or a dead letter of its own.

::

    page      [a b c d e f g h i j k l]   sent as one page
              taken: a b, found: c        c becomes a single letter
    rest      [d e f g h i j k l]         a smaller page, written before the first is removed
              nine at a time              taken, or single letters; then the rest is removed, too

A kill at any moment leaves each event that is not taken in at least one blob. Where the road closes during the
first sending, what was taken is not known, and the whole page stays; during the second, what is left and the nine
in hand stay. Where a person interrupts between two sendings, just what is left stays.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from operate.blobs import in_portions
from operate.dead_letters.letter import Letter
from operate.dead_letters.refusals import StillRefused
from operate.dead_letters.road import PORTION, Replay
from operate.interrupts import AtRest
from shared.dead_letters import DeadLetters, page_name
from shared.errors import ConnectorError


def replay_page(replay: Replay, name: str, page: Letter) -> None:
    """Send a page's events again.

    Raises:
        IngestionRefused: All of them were refused alike; the page stays.
        ConnectorError: The road is closed; what was not taken stays.
    """
    box = replay.ship(page.events)
    rest = [event for event in page.events if box.is_unsorted(event)]
    _settle(replay, name, page, [event for event in page.events if not box.is_unsorted(event)], box)
    smaller = _replaced(replay, name, page, rest)
    if smaller:
        replay.rest()
        _sort(replay, smaller, replace(page, events=rest), origin=name)


def _sort(replay: Replay, name: str, page: Letter, *, origin: str) -> None:
    done = 0
    try:
        for portion in in_portions(page.events, PORTION):
            _settle(replay, origin, page, portion, replay.ship(portion))
            done += len(portion)
            replay.rest()
    except (ConnectorError, AtRest):
        _replaced(replay, name, page, page.events[done:])
        raise
    replay.blobs.remove(name)


def _settle(replay: Replay, name: str, page: Letter, events: Sequence[Any], box: StillRefused) -> None:
    """Count what was taken, and write what was not as single letters, of the page's day."""
    letters = DeadLetters(replay.blobs.container, replay.blobs.retry, lambda: page.at)
    for event in events:
        refusal = box.of(event)
        if refusal is None:
            replay.done.accepted += 1
            continue
        letters.write(event, reason=refusal.reason, status=refusal.status, cursor=page.cursor)
        replay.done.refused[f"{name}, event {_named(event, page)}"] = refusal.reason
    replay.count(len(events))


def _replaced(replay: Replay, name: str, page: Letter, rest: list[Any]) -> str:
    """Have a smaller page in place of this one; its name, empty when nothing is left."""
    if len(rest) == len(page.events):
        return name
    smaller = ""
    if rest:
        smaller = page_name(name[: name.rindex("/") + 1], rest)
        replay.blobs.write(smaller, page.with_events(rest))
    replay.blobs.remove(name)
    return smaller


def _named(event: Any, page: Letter) -> str:
    identifier = event.get("eventId") if isinstance(event, dict) else None
    place = next(number for number, other in enumerate(page.events, 1) if other is event)
    return str(identifier or f"number {place}")
