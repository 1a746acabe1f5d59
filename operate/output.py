"""What the verbs say: results on stdout, progress and questions on stderr, JSON for machines."""

import contextlib
import json
import sys
from collections.abc import Iterator

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class Output:
    """Where a verb writes.

    Args:
        as_json: One JSON document on stdout, and nothing else there.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def result(self, value: object, *lines: str) -> None:
        """The verb's result: the value for a machine, or the lines for a person."""
        if self.as_json:
            click.echo(json.dumps(value, default=str))
        for line in () if self.as_json else lines:
            click.echo(line)

    def aside(self, text: str) -> None:
        """Something that a person should know while the verb works."""
        click.echo(text, err=True)

    def fault(self, error: Exception) -> None:
        """Why the verb failed, in one sentence."""
        if self.as_json:
            click.echo(json.dumps({"error": type(error).__name__, "message": str(error)}))
        else:
            click.secho(str(error), fg="red", err=True)

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
        console = Console(stderr=True)
        shown = sys.stderr.isatty() and not self.as_json
        with Progress(*columns, console=console, transient=True, disable=not shown) as bars:
            yield Bar(bars, title)


class Bar:
    """One bar: how much is done of how much, and a note."""

    def __init__(self, bars: Progress, title: str) -> None:
        self._bars = bars
        self._task = bars.add_task(title, total=None, note="")

    def show(self, done: float, total: float | None, note: str = "") -> None:
        """Move the bar."""
        self._bars.update(self._task, completed=done, total=total, note=note)
