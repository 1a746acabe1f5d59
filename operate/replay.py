"""Sends dead letters again by the configured road, and removes those that the workspace takes."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from operate.blobs import Blobs, in_portions
from shared.dead_letters import PREFIX
from shared.ingestion.api import Ingestion
from shared.ingestion.delivery import Delivery
from shared.ingestion.rows import encode_event

PORTION = 200
"""Dead letters that are held at once."""


@dataclass
class Replayed:
    """What became of the dead letters: how many were taken, and by name why the others still are none's."""

    accepted: int = 0
    refused: dict[str, str] = field(default_factory=dict)


class StillRefused:
    """A dead-letter box for letters that are dead already: it only remembers why."""

    def __init__(self) -> None:
        self.reasons: dict[int, str] = {}

    def write(self, event: Any, *, reason: str, status: int, cursor: str) -> None:
        """Remember one event by its identity, for two letters may hold equal events."""
        del status, cursor
        self.reasons[id(event)] = reason


def replay(
    blobs: Blobs, ingestion: Ingestion, log_type: str, advance: Callable[[int, int], None]
) -> Replayed:
    """Send every dead letter; each portion is removed once the workspace has it.

    Args:
        blobs: Where the dead letters lie.
        ingestion: The road.
        log_type: The table's name without `_CL`.
        advance: Called with how many are done, of how many.

    Raises:
        ConnectorError: It stopped; what was accepted before is removed.
    """
    names, result = blobs.names(PREFIX), Replayed()
    done = 0
    for portion in in_portions(names, PORTION):
        _replay_portion(portion, blobs, ingestion, log_type, result)
        done += len(portion)
        advance(done, len(names))
    return result


def _replay_portion(
    names: list[str], blobs: Blobs, ingestion: Ingestion, log_type: str, result: Replayed
) -> None:
    events: dict[str, Any] = {}
    for name in names:
        found = blobs.read(name)
        if found is None:
            continue  # somebody else was faster
        try:
            events[name] = _event(found.content)
        except ValueError as error:
            result.refused[name] = str(error)
    sent = {name: event for name, event in events.items() if not _is_too_long(name, event, ingestion, result)}
    box = StillRefused()
    Delivery(ingestion, log_type, box, lambda: None).ship(list(sent.values()), "")
    for name, event in sent.items():
        if reason := box.reasons.get(id(event)):
            result.refused[name] = reason
        else:
            blobs.remove(name)
            result.accepted += 1


def _event(content: bytes) -> Any:
    """The event of a dead letter, read as it was written: lone surrogates and all.

    Raises:
        ValueError: The blob is none of the connector's.
    """
    try:
        letter = json.loads(content)
    except ValueError:
        letter = None
    if not isinstance(letter, dict) or "event" not in letter:
        raise ValueError("the blob is no dead letter of the connector's")
    return letter["event"]


def _is_too_long(name: str, event: Any, ingestion: Ingestion, result: Replayed) -> bool:
    """Whether the event would be cut again: the cut one is in the table already, and the whole one is kept here."""
    cut = encode_event(event, ingestion.field_limit).truncated
    if cut:
        result.refused[name] = f"{', '.join(cut)} would be cut again at {ingestion.field_limit} bytes"
    return bool(cut)
