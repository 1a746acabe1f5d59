"""What the blob of a dead letter holds: one event, or a page of them that was kept unsorted."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared.dead_letters import PREFIX
from shared.timestamps import parse

_PAGE = "page-"
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
        return _encoded(self.about | {"events": events})

    def with_reason(self, reason: str, status: int) -> bytes:
        """The content of a single event's blob with what is said of it now."""
        return _encoded(self.about | {"event": self.events[0], "reason": reason, "status": status})


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
    return name.rsplit("/", maxsplit=1)[-1].startswith(_PAGE)


def page_name(beside: str, events: list[Any]) -> str:
    """The name of the blob of a page of these events, in the folder of another; a run would give it the same."""
    folder = beside.rsplit("/", maxsplit=1)[0]
    return f"{folder}/{_PAGE}{hashlib.sha256(_encoded(events)).hexdigest()}.json"


def day(name: str) -> str:
    """The day that a dead letter's name tells, such as `2026-11-21`."""
    return "-".join(name.removeprefix(PREFIX).split("/")[:3])


def _encoded(value: Any) -> bytes:
    """Plain ASCII, which can hold what no UTF-8 text can (lone surrogates)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")
