"""What the blob of a dead letter holds: one event, or a page of them that was kept unsorted."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared.dead_letters import PAGE, PREFIX, encoded
from shared.timestamps import parse

ACCEPTED = 200
"""The status of an event that the table has, though cut."""


@dataclass(frozen=True)
class Letter:
    """A dead letter.

    Attributes:
        events: Its event, or all those of a page.
        is_page: Whether it is a page's.
        about: What stands beside them: `reason`, `status`, `cursor`, `at`.
    """

    events: list[Any]
    is_page: bool
    about: dict[str, Any]

    @property
    def was_cut(self) -> bool:
        """Whether the table has the event already, without what was over the limit."""
        return not self.is_page and self.about.get("status") == ACCEPTED

    @property
    def cursor(self) -> str:
        """The cursor that brought the events."""
        return str(self.about.get("cursor") or "")

    @property
    def at(self) -> datetime:
        """When it was written first."""
        return parse(str(self.about.get("at"))) or datetime.now(UTC)

    def with_events(self, events: list[Any]) -> bytes:
        """The content of a page's blob that holds these events in place of all."""
        return encoded(self.about | {"events": events})

    def with_reason(self, reason: str, status: int) -> bytes:
        """The content of a single event's blob with what is said of it now."""
        return encoded(self.about | {"event": self.events[0], "reason": reason, "status": status})


def letter_from_json(content: bytes) -> Letter:
    """The letter, its events as they were written: lone surrogates and all.

    Raises:
        ValueError: The blob is none of the connector's.
    """
    try:
        about = json.loads(content)
    except (ValueError, RecursionError):
        about = None
    if isinstance(about, dict) and "event" in about:
        return Letter([about.pop("event")], is_page=False, about=about)
    if isinstance(about, dict) and isinstance(about.get("events"), list):
        return Letter(about.pop("events"), is_page=True, about=about)
    raise ValueError("the blob is no dead letter of the connector's")


def is_page(name: str) -> bool:
    """Whether a blob of this name holds a page, as far as the name tells."""
    return name.rsplit("/", maxsplit=1)[-1].startswith(PAGE)


def day(name: str) -> str:
    """The day that a dead letter's name tells, such as `2026-11-21`."""
    return "-".join(name.removeprefix(PREFIX).split("/")[:3])
