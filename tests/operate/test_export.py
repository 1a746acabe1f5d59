"""The export's file: whole pages, nothing twice, whatever happens in between."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operate.export import CAUGHT_UP, Exported, begin, export, state_path
from shared.docusign.monitor import Page
from shared.errors import OperatorError, ServiceUnavailable, StateError
from shared.position import Position

START = "2026-11-01T00:00:00.000Z"


class Stream:
    """Numbered events in pages; fails at the requests that it is told."""

    def __init__(self, events: list[Any], size: int = 2, failing: set[int] | None = None) -> None:
        self.events = events
        self.size = size
        self.failing = failing or set()
        self.asked = 0
        self.restarted = False

    def page(self, position: Position) -> Page:
        """Give the page after the position."""
        self.asked += 1
        if self.asked in self.failing:
            raise ServiceUnavailable("down")
        at = int(position.cursor.removeprefix("c")) if position.cursor.startswith("c") else 0
        if self.restarted:
            self.restarted, at = False, 0
            return replace(self._cut(at), warning="the stream goes on from the start; some events come twice")
        return self._cut(at, position.cursor)

    def _cut(self, at: int, sent: str = "earlier") -> Page:
        events = self.events[at : at + self.size]
        return Page(events, sent, f"c{at + len(events)}" if events else sent, "v3")


def events(count: int) -> list[Any]:
    """Give so many events."""
    return [{"eventId": f"e{n}", "text": "ü" * n} for n in range(count)]


def carried(stream: Stream, out: Path, advance: Callable[[Exported], None] = lambda _: None) -> Exported:
    """Export once, from where the file is."""
    return export(stream, out, begin(out, START), advance)


def lines(out: Path) -> list[Any]:
    """Give the file's objects."""
    return [json.loads(line) for line in out.read_bytes().split(b"\n")[:-1]]


def test_all_events_in_order(tmp_path: Path) -> None:
    """Every event is one line, and the state tells the length and the cursor."""
    out = tmp_path / "events.ndjson"
    done = carried(Stream(events(5)), out)
    state = json.loads(state_path(out).read_bytes())

    assert (CAUGHT_UP, 5) == (done.outcome, done.events)
    assert events(5) == lines(out)
    assert (out.stat().st_size, "c5", 1) == (state["bytes"], state["cursor"], state["version"])


@given(
    count=st.integers(0, 9),
    size=st.integers(1, 4),
    failing=st.sets(st.integers(1, 8)),
    torn=st.binary(max_size=9),
)
def test_interruptions_neither_lose_nor_repeat(
    tmp_path_factory: pytest.TempPathFactory, count: int, size: int, failing: set[int], torn: bytes
) -> None:
    """Whenever it fails, and whatever piece a kill leaves at the end, the next call makes the file whole."""
    out = tmp_path_factory.mktemp("export") / "events.ndjson"
    stream = Stream(events(count), size, failing)
    for _ in range(10):
        try:
            if carried(stream, out).outcome:
                break
        except ServiceUnavailable:
            if state_path(out).exists():
                with out.open("ab") as file:
                    file.write(torn)

    assert events(count) == lines(out)


def test_a_kill_between_file_and_state_repeats_nothing(tmp_path: Path) -> None:
    """The page was written and the state not: the page is cut off and fetched again."""
    out = tmp_path / "events.ndjson"

    def die(exported: Exported) -> None:
        if exported.events == 4:
            raise KeyboardInterrupt

    stream = Stream(events(7))
    with pytest.raises(KeyboardInterrupt):
        carried(stream, out, die)
    with out.open("ab") as file:
        file.write(b'{"eventId":"e4"}\n{"event')
    carried(stream, out)

    assert events(7) == lines(out)


def test_a_stream_that_is_taken_up_earlier_repeats_nothing(tmp_path: Path) -> None:
    """After an expired cursor the events that the file has are left out, and the person is told."""
    out = tmp_path / "events.ndjson"
    stream = Stream(events(5))
    carried(stream, out)
    stream.events, stream.restarted = [*events(5), {"eventId": "new"}, "no object"], True
    done = carried(stream, out)

    assert [*events(5), {"eventId": "new"}, "no object"] == lines(out)
    assert "goes on from the start" in done.warnings[0]


def test_files_that_cannot_go_on_are_refused(tmp_path: Path) -> None:
    """A file without its state, one that was shortened, a state that is none: each is a sentence."""
    out = tmp_path / "events.ndjson"
    out.write_text("mine\n")
    with pytest.raises(OperatorError, match="not an export"):
        begin(out, START)
    out.unlink()
    carried(Stream(events(3)), out)
    out.write_bytes(out.read_bytes()[:-1])
    with pytest.raises(OperatorError, match="was changed"):
        begin(out, START)
    state_path(out).write_text("{}")
    with pytest.raises(StateError):
        begin(out, START)
