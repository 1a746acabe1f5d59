"""(a) Catching up with latency on both sides, against the ideal and against a sequential collector."""

from benchmarks.replay import Replay
from benchmarks.results import Result, Say
from benchmarks.sides import connector, run_lean

BOUND = 1.05
LATENCIES = ((0.3, 0.1), (0.2, 0.2), (0.1, 0.3))
"""Seconds that DocuSign and the workspace think about each page."""


def measure(replay: Replay, pages: int, say: Say) -> list[Result]:
    """The ratio to the ideal, which is pages x the slower side, for each pair of latencies.

    The sides are timed in the sequential loop, without anything else at work: a fetch is a request, its wait,
    its transfer and its decoding; a shipment is the encoding and the post.
    """
    results = []
    for docusign, workspace in LATENCIES:
        name = f"{docusign * 1000:.0f} ms and {workspace * 1000:.0f} ms"
        replay.docusign_seconds, replay.workspace_seconds = docusign, workspace
        say(f"overlap, {name}: the sequential collector, {pages} pages")
        lean = run_lean(replay, pages)
        say(f"overlap, {name}: the connector")
        with connector(replay) as side:
            run = side.carry(pages)
        slower = max(lean.fetching / lean.pages, lean.shipping / pages)
        ideal = (pages + 1) * slower
        detail = f"{run.wall:.1f} s; ideal {ideal:.1f} s; sequential {lean.wall:.1f} s"
        results.append(Result("a overlap", f"to the ideal, {name}", run.wall / ideal, "", BOUND, detail))
        results.append(Result("a overlap", f"to a sequential collector, {name}", run.wall / lean.wall))
    replay.docusign_seconds = replay.workspace_seconds = 0.0
    return results
