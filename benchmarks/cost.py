"""(b) CPU an event, and (c) memory."""

from pathlib import Path
from statistics import median

from benchmarks.replay import PAGE, Replay
from benchmarks.results import Result, Say
from benchmarks.sides import connector, run_lean

CPU_BOUND = 1.2
GROWTH_BOUND, PEAK_BOUND = 10.0, 120.0


def measure_cpu(replay: Replay, pages: int, rounds: int, say: Say) -> list[Result]:
    """The connector's CPU an event over the leanest loops', in turns, by their medians."""
    connected, rows, raw = [], [], []
    with connector(replay) as side:
        for number in range(1, rounds + 1):
            say(f"CPU, round {number} of {rounds}: {pages * PAGE:,} events")
            connected.append(side.carry(pages).cpu)
            rows.append(run_lean(replay, pages).cpu)
            raw.append(run_lean(replay, pages, raw=True).cpu)
    ours, same, plain = (median(seconds) / (pages * PAGE) * 1e6 for seconds in (connected, rows, raw))
    return [
        Result("b CPU", "to the leanest loop that makes the same rows", ours / same, "", CPU_BOUND),
        Result("b CPU", "to the leanest loop that makes no rows", ours / plain, "", CPU_BOUND),
        Result("b CPU", "the connector, an event", ours, "µs"),
        Result("b CPU", "the leanest loop with the same rows, an event", same, "µs"),
        Result("b CPU", "the leanest loop without rows, an event", plain, "µs"),
    ]


def measure_memory(folder: Path, sizes: tuple[int, int], say: Say) -> list[Result]:
    """The worker's peak after a short and a long stream, and what lies between."""
    peaks = []
    for pages in sizes:
        say(f"memory: {pages * PAGE:,} events")
        with Replay(folder / str(pages)) as replay, connector(replay, warm=False) as side:
            side.carry(pages)
            peaks.append(side.peak_megabytes())
    few, many = (f"{pages * PAGE:,} events" for pages in sizes)
    return [
        Result("c memory", f"peak, {many}", peaks[1], "MB", PEAK_BOUND),
        Result("c memory", f"peak, {few}", peaks[0], "MB", PEAK_BOUND),
        Result("c memory", "between the two", abs(peaks[1] - peaks[0]), "MB", GROWTH_BOUND),
    ]
