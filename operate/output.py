"""What the verbs say: results on stdout, progress and questions on stderr, JSON for machines."""

import contextlib
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from operate.failures import INTERRUPTED, TRACEBACK, failure
from operate.streams import Quiet, UnreadError, UnwrittenError, is_terminal, printing, tell
from shared.errors import OperatorError

Told = tuple[dict[str, object], list[str]]
"""What was done: for a machine, and in lines for a person."""


class Output:
    """Where a verb writes.

    Args:
        as_json: One JSON document on stdout, and nothing else there.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._bars: Progress | None = None
        self._done: dict[str, object] = {}
        self._is_told = False

    def result(self, value: object, *lines: str) -> None:
        """The verb's result: the value for a machine, or the lines for a person."""
        if self.as_json:
            self._document(value)
        for line in () if self.as_json else lines:
            self.line(line)

    def line(self, text: str) -> None:
        """A line of the result, for a person."""
        with printing():
            click.echo(text)

    def aside(self, text: str) -> None:
        """Something that a person should know while the verb works; a bar stays below it.

        That nobody takes it changes nothing.
        """
        if self._bars is None:
            tell(text)
        else:
            self._bars.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def confirms(self, question: str) -> bool:
        """Whether a person says yes.

        Raises:
            OperatorError: There is no person.
        """
        try:
            return click.confirm(question, err=True)
        except (click.Abort, RuntimeError):  # the end of the input, or none at all
            if is_terminal(sys.stdin):
                raise
            raise OperatorError("There is nobody to ask: give --yes.") from None

    def fault(self, error: BaseException) -> int:
        """Say why the verb failed, in one sentence; the exit status."""
        self.traceback(error)
        found = failure(error)
        is_heard = True
        if self.as_json and not self._is_told and not isinstance(error, UnwrittenError):
            is_heard = self._told({"error": found.kind, "message": found.sentence} | self._done)
        if (
            not self.as_json
            or found.status == INTERRUPTED
            or isinstance(error, UnwrittenError)
            or not is_heard
        ):
            tell(found.sentence, fg="red")
        return found.status

    def traceback(self, error: BaseException) -> None:
        """Show where the error comes from, for whoever asked for that."""
        if os.environ.get(TRACEBACK):
            self.aside("".join(traceback.format_exception(error)))

    @contextlib.contextmanager
    def partly(self, done: Callable[[], Told]) -> Iterator[None]:
        """Tell beside a failure what was done before it: in its document, or in lines on stderr."""
        try:
            yield
        except (Exception, KeyboardInterrupt):
            self._done, lines = done()
            for line in () if self.as_json else lines:
                self.aside(line)
            raise

    @contextlib.contextmanager
    def progress(self, title: str, unit: str = "{task.fields[note]}") -> Iterator["Bar"]:
        """A bar on stderr while inside; only where a person looks."""
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn(unit),
            TimeElapsedColumn(),
        )
        stderr: Any = Quiet(sys.stderr)
        console = Console(file=stderr)
        shown = is_terminal(sys.stderr) and not self.as_json
        with Progress(*columns, console=console, transient=True, disable=not shown) as bars:
            self._bars = bars if shown else None
            try:
                yield Bar(bars, title)
            finally:
                self._bars = None

    def _document(self, value: object) -> None:
        with printing():
            click.echo(json.dumps(value, default=str))
        self._is_told = True

    def _told(self, value: object) -> bool:
        """Whether the document found its way."""
        try:
            self._document(value)
        except (UnreadError, UnwrittenError):
            return False
        return True


class Bar:
    """One bar: how much is done of how much, and a note."""

    def __init__(self, bars: Progress, title: str) -> None:
        self._bars = bars
        self._task = bars.add_task(title, total=None, note="")

    def show(self, done: float, total: float | None, note: str = "") -> None:
        """Move the bar."""
        self._bars.update(self._task, completed=done, total=total, note=note)
