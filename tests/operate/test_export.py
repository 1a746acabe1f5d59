"""The export's file: whole pages, nothing twice, whatever happens in between."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PosixPath
from typing import Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operate.export import CAUGHT_UP, alone, begin, export
from operate.export_state import Exported, state_path
from shared.docusign.monitor import Page
from shared.errors import OperatorError, ServiceUnavailable
from shared.position import Position
from tests.operate.messages import ROOT

START = "2026-11-01T00:00:00.000Z"


@pytest.fixture(scope="module", autouse=True)
def _no_waiting_for_the_disk() -> Iterator[None]:
    """Processes are killed here, never the power: what was written need not reach the disk itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _: None)
        yield


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
    with pytest.raises(OperatorError, match="is no state of an export into"):
        begin(out, START)


def paged(*pages: Page) -> Any:
    """Give a source of just these pages; behind the last one the caller is killed."""
    rest = iter(pages)

    class Pages:
        def page(self, position: Position) -> Page:
            del position
            try:
                return next(rest)
            except StopIteration:
                raise KeyboardInterrupt from None

    return Pages()


def test_a_cursor_that_does_not_move_repeats_nothing(tmp_path: Path) -> None:
    """A page with events whose cursor stays comes again with each call, and is written once."""
    out = tmp_path / "events.ndjson"
    page = Page(events(4), "c0", "c0", "v3")
    counts = [carried(paged(page), out).events for _ in range(3)]

    assert [4, 0, 0] == counts
    assert events(4) == lines(out)


def test_a_kill_during_the_catch_up_repeats_nothing(tmp_path: Path) -> None:
    """Killed between two pages of a restart, the next call still knows what the file has."""
    out = tmp_path / "events.ndjson"
    carried(paged(Page(events(6), "s", "c1", "v3"), Page([], "c1", "c1", "v3")), out)
    with pytest.raises(KeyboardInterrupt):
        carried(paged(Page(events(2), "r", "c2", "v3", warning="restarted")), out)
    carried(paged(Page(events(6)[2:], "c2", "c3", "v3"), Page([], "c3", "c3", "v3")), out)

    assert events(6) == lines(out)


def test_two_restarts_in_one_call_repeat_nothing(tmp_path: Path) -> None:
    """What was written after the first restart is known at the second."""
    out = tmp_path / "events.ndjson"
    all_of_them = events(4)
    pages = (
        Page(all_of_them[:2], "s", "c1", "v3"),
        Page(all_of_them[:2], "r", "c2", "v3", warning="restart 1"),
        Page(all_of_them[2:], "c2", "c3", "v3"),
        Page(all_of_them[2:], "r2", "c4", "v3", warning="restart 2"),
        Page([], "c4", "c4", "v3"),
    )
    done = carried(paged(*pages), out)

    assert all_of_them == lines(out)
    assert ("restart 1", "restart 2") == done.warnings


def test_events_without_ids_are_known_by_their_text(tmp_path: Path) -> None:
    """An empty id is none: two events that have it are two. An id that is no UTF-8 text is one all the same."""
    out = tmp_path / "events.ndjson"
    odd = [{"eventId": "", "n": 1}, {"eventId": "", "n": 2}, "text", {"eventId": "\ud800"}]
    for _ in range(2):
        carried(paged(Page(odd, "c0", "c0", "v3")), out)

    assert [*odd[:3], {"eventId": "\\ud800"}] == lines(out)


def test_a_kill_in_the_first_page_can_go_on(tmp_path: Path) -> None:
    """The state is there before the file: what a kill leaves is not taken for somebody else's file."""
    out = tmp_path / "events.ndjson"
    with pytest.raises(KeyboardInterrupt):
        carried(paged(), out)
    out.write_bytes(b'{"eventId":"e0"}\n{"ev')
    carried(Stream(events(3)), out)

    assert events(3) == lines(out)


def test_a_missing_folder_is_refused_first(tmp_path: Path) -> None:
    """Before DocuSign is asked for anything the folder is named."""
    out = tmp_path / "missing" / "events.ndjson"
    with pytest.raises(OperatorError, match=f"The folder {out.parent} of --out does not exist"), alone(out):
        raise AssertionError


def test_a_second_export_into_the_file_is_refused(tmp_path: Path) -> None:
    """Two at once would cut off each other's pages; afterwards the file is free, and no lock is left."""
    out = tmp_path / "events.ndjson"
    with alone(out):
        with (
            pytest.raises(OperatorError, match=f"Another export writes to {out}: wait for its end"),
            alone(out),
        ):
            raise AssertionError
        with alone(tmp_path / "other.ndjson"):
            carried(Stream(events(3)), out)
    with alone(out):
        pass

    assert ["events.ndjson", "events.ndjson.state.json"] == sorted(path.name for path in tmp_path.iterdir())


def test_a_killed_export_leaves_no_lock(tmp_path: Path) -> None:
    """The system takes the lock from a process that was killed, though its file stays."""
    out = tmp_path / "events.ndjson"
    held = "import sys; from pathlib import Path; from operate.export import alone"
    held += "; at = alone(Path(sys.argv[1])); at.__enter__(); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", held, str(out)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(OperatorError, match="Another export"), alone(out):
            raise AssertionError
        process.kill()
    left = out.with_name("events.ndjson.lock").exists()
    with alone(out):
        pass

    assert left
    assert [] == list(tmp_path.iterdir())


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """An empty name, a device and a pipe cannot be gone on in: a sentence, before anything is made beside them."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for out, says in ((Path(), "names no file"), (Path("/dev/null"), "no regular"), (pipe, "no regular")):
        with pytest.raises(OperatorError, match=says), alone(out):
            raise AssertionError

    assert [pipe] == list(tmp_path.iterdir())


@pytest.mark.parametrize("length", [True, -1, 5, 10_000, 2.0, None, "9"])
def test_a_state_that_does_not_fit_changes_nothing(tmp_path: Path, length: object) -> None:
    """Its length is a whole number of bytes at which a line ends; else the file stays as it is."""
    out = tmp_path / "events.ndjson"
    carried(Stream(events(3)), out)
    before, state = out.read_bytes(), json.loads(state_path(out).read_bytes())
    state_path(out).write_text(json.dumps(state | {"bytes": length}))
    with pytest.raises(OperatorError, match=f"{state_path(out)} is no state of an export into {out}: remove"):
        carried(Stream(events(3)), out)

    assert before == out.read_bytes()


@pytest.mark.parametrize("content", ["{}", "[", "[]", '{"version": 2}', '{"version": 1}'])
def test_what_is_no_state_is_told_in_the_exports_words(tmp_path: Path, content: str) -> None:
    """The checkpoint's cure, rewind, would change the connector and not help the export."""
    out = tmp_path / "events.ndjson"
    state_path(out).write_text(content)
    with pytest.raises(OperatorError, match="is no state of an export into") as refused:
        begin(out, START)

    assert "rewind" not in str(refused.value)


def test_a_line_that_is_no_json_is_named_before_anything_is_cut(tmp_path: Path) -> None:
    """Whoever edited the file reads which line it is; the rest behind the last page is there still."""
    out = tmp_path / "events.ndjson"
    carried(paged(Page(events(3), "c0", "c0", "v3")), out)
    content = out.read_bytes().replace(b'{"eventId":"e1"', b'{"eventId": e1"') + b"the rest"
    out.write_bytes(content)
    with pytest.raises(OperatorError, match=f"{out}, line 2, is no JSON"):
        carried(Stream(events(3)), out)

    assert content == out.read_bytes()


MINE = {"environment": "demo", "userId": "u1", "organizationId": ""}


@pytest.mark.parametrize("other", [{"environment": "production"}, {"userId": "u2"}, {"organizationId": "o1"}])
def test_an_export_goes_on_for_its_owner_only(tmp_path: Path, other: dict[str, str]) -> None:
    """A cursor of one stream means nothing to another: the file would get the events of two."""
    out = tmp_path / "events.ndjson"
    export(Stream(events(3)), out, begin(out, START, MINE), lambda _: None)
    again = begin(out, START, MINE)
    with pytest.raises(OperatorError, match="has the events of DocuSign demo, user u1, organization not set"):
        begin(out, START, MINE | other)

    assert "c3" == again.position.cursor


def test_an_older_state_is_taken_over(tmp_path: Path) -> None:
    """A state that names nobody was written by an older version: the next page names the owner."""
    out = tmp_path / "events.ndjson"
    carried(Stream(events(3)), out)
    export(Stream(events(5)), out, begin(out, START, MINE), lambda _: None)
    state = json.loads(state_path(out).read_bytes())

    assert events(5) == lines(out)
    assert MINE == {name: state[name] for name in MINE}


def test_a_start_is_for_a_new_file(tmp_path: Path) -> None:
    """Who gives --from to an export that goes on would be told nothing of its having no effect."""
    out = tmp_path / "events.ndjson"
    export(Stream(events(3)), out, begin(out, START, is_chosen=True), lambda _: None)
    with pytest.raises(OperatorError, match=f"{out} goes on where it was stopped; --from is for a new file"):
        begin(out, START, is_chosen=True)


class Killed(BaseException):
    """The process ends here, and nothing runs after it."""


@dataclass
class Fuse:
    """Kills at a certain step of those that touch the disk, and at each after it."""

    left: int

    def burn(self) -> None:
        """One step more."""
        self.left -= 1
        if self.left <= 0:
            raise Killed


class DyingFile:
    """A file whose process may be killed while it writes: half of what it wrote is there."""

    def __init__(self, file: Any, fuse: Fuse) -> None:
        self._file = file
        self._fuse = fuse

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._file)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, content: bytes) -> None:
        """Write all of it, or die after half."""
        try:
            self._fuse.burn()
        except Killed:
            self._file.write(content[: len(content) // 2])
            raise
        self._file.write(content)

    def truncate(self, size: int) -> None:
        """Cut the file, unless the process is dead."""
        self._fuse.burn()
        self._file.truncate(size)


class Disk(PosixPath):
    """A path on a disk of a process that may be killed."""

    fuse = Fuse(0)

    def open(self, mode: str = "r", *rest: Any, **more: Any) -> Any:
        """Open the file."""
        file: Any = super().open(mode, *rest, **more)
        return DyingFile(file, Disk.fuse)

    def replace(self, target: Any) -> Any:
        """Rename, unless the process is dead."""
        Disk.fuse.burn()
        return super().replace(target)


class Moody:
    """Numbered events; each answer has a mood: how far back it restarts, its size, whether its cursor moves."""

    def __init__(self, all_of_them: list[Any], moods: Sequence[tuple[str, int, int]]) -> None:
        self._events = all_of_them
        self.moods = list(moods)

    def page(self, position: Position) -> Page:
        """Give the page after the position; without moods left, as it should be."""
        at = int(position.cursor.removeprefix("c")) if position.cursor.startswith("c") else 0
        mood, back, size = self.moods.pop(0) if self.moods else ("well", 0, 3)
        if mood == "killed":
            raise Killed
        start = max(0, at - back) if mood.startswith("restart") else at
        found = self._events[start : start + size]
        sent = f"restart-{start}" if mood.startswith("restart") else position.cursor
        unmoved = mood.endswith("unmoved") or not found
        end = position.cursor if unmoved and mood == "unmoved" else f"c{start + len(found)}"
        if mood == "restart unmoved":
            sent = end = f"c{start}"
        if not found and mood != "restart unmoved":
            sent = end = f"c{start}" if position.cursor.startswith("c") else position.cursor
        return Page(found, sent, end, "v3", warning="restarted" if mood.startswith("restart") else "")


MOODS = st.tuples(
    st.sampled_from(["well", "unmoved", "restart", "restart unmoved", "killed"]),
    st.integers(0, 6),
    st.integers(0, 4),
)


@given(
    count=st.integers(0, 12),
    moods=st.lists(MOODS, max_size=12),
    kills=st.lists(st.integers(1, 25), max_size=6),
)
def test_every_event_is_there_once(
    tmp_path_factory: pytest.TempPathFactory, count: int, moods: list[tuple[str, int, int]], kills: list[int]
) -> None:
    """Whatever DocuSign repeats and wherever the process is killed: each event once, in order, in whole lines."""
    out = Disk(tmp_path_factory.mktemp("export") / "events.ndjson")
    all_of_them = [{"eventId": f"e{n}"} if n % 4 else f"text {n}" for n in range(count)]
    stream = Moody(all_of_them, moods)
    for kill in [*kills, *(10_000 for _ in range(len(moods) + 2))]:
        Disk.fuse = Fuse(kill)
        try:
            export(stream, out, begin(out, START), lambda _: None)
        except Killed:
            continue

    assert [] == stream.moods
    assert all_of_them == [json.loads(line) for line in Path(out).read_bytes().splitlines()]


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    """A write that fails does not tell the file; the error that a person sees does."""

    class Full(Fuse):
        def burn(self) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    out = Disk(tmp_path / "events.ndjson")
    Disk.fuse = Full(0)
    with pytest.raises(OSError, match="No space left") as failed:
        export(Stream(events(3)), out, begin(out, START), lambda _: None)

    assert str(out) == failed.value.filename
