"""The command `scripts/bench`: measures, shows its progress, and writes the page and the picture."""

import argparse
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import cold, cost, overlap, picture, report, size
from benchmarks.replay import PAGE, Replay
from benchmarks.results import Result, Say
from sandbox.demo import TERMINATED
from sandbox.world import ROOT

DOCS = ROOT / "docs"


@dataclass(frozen=True)
class Sizes:
    """How much is carried, in pages of 2,000 events, and how often."""

    overlap: int = 40
    cpu: int = 100
    rounds: int = 5
    memory: tuple[int, int] = (50, 500)
    requests: int = 50
    starts: int = 5


QUICK = Sizes(overlap=20, cpu=10, rounds=3, memory=(5, 50), requests=50, starts=3)
TINY = Sizes(overlap=2, cpu=1, rounds=1, memory=(1, 2), requests=1, starts=1)


def measurements(folder: Path, sizes: Sizes, say: Say) -> dict[str, Callable[[], list[Result]]]:
    """Every measurement, by the letters of the parts that it gives."""

    def on_replay(measure: Callable[[Replay], list[Result]]) -> list[Result]:
        with Replay(folder / "replay") as replay:
            return measure(replay)

    return {
        "a": lambda: on_replay(lambda replay: overlap.measure(replay, sizes.overlap, say)),
        "b": lambda: on_replay(lambda replay: cost.measure_cpu(replay, sizes.cpu, sizes.rounds, say)),
        "c": lambda: cost.measure_memory(folder, sizes.memory, say),
        "d": lambda: cold.measure_imports(sizes.starts, say),
        "df": lambda: cold.measure_first_page(folder, sizes.requests, sizes.starts, say),
        "e": lambda: size.measure(PAGE),
    }


def run(sizes: Sizes, parts: str, console: Console) -> list[Result]:
    """The results of the parts that are asked for, with a bar while they are measured."""
    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with (
        tempfile.TemporaryDirectory() as folder,
        Progress(*columns, console=console) as progress,
    ):
        task = progress.add_task("", total=None)

        def say(what: str) -> None:
            progress.update(task, description=what)
            if not console.is_terminal:
                console.print(what)

        chosen = [
            (letters, measure)
            for letters, measure in measurements(Path(folder), sizes, say).items()
            if set(letters) & set(parts)
        ]
        progress.update(task, total=len(chosen))
        results = []
        for letters, measure in chosen:
            say(f"part {', '.join(letters)}")
            results += measure()
            progress.advance(task)
    return results


def main() -> int:
    """Read the command line and measure; 0 when every bound is kept."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, and nothing is written")
    parser.add_argument("--parts", default="abcdef", help="only these parts, such as bc; nothing is written")
    parser.add_argument("--dry", action="store_true", help="write nothing")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))  # so that nothing is left running
    console = Console()
    results = run(QUICK if arguments.quick else Sizes(), arguments.parts, console)
    console.print(report.on_screen(results))
    if not (arguments.dry or arguments.quick) and arguments.parts == "abcdef":
        made_by = f"`scripts/bench` on {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}."
        report.write(DOCS / "performance.md", results, made_by)
        (DOCS / "performance.svg").write_text(picture.draw(results), encoding="utf-8")
    return any(result.verdict == "not kept" for result in results)


if __name__ == "__main__":
    raise SystemExit(main())
