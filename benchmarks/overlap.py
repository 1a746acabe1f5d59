"""(a) Catching up with latency on both sides, against the ideal and against a sequential collector."""

from benchmarks.replay import Replay
from benchmarks.results import Result, Say
from benchmarks.sides import Connector, connector, run_lean

BOUND = 1.05
LATENCIES = ((0.3, 0.1), (0.2, 0.2), (0.1, 0.3))
"""Seconds that DocuSign and the workspace think about each page."""


def measure(replay: Replay, pages: int, say: Say) -> list[Result]:
    """Three ratios for each pair of latencies: to the ideal twice, and to the sequential collector.

    The ideal is pages x the slower side. The connector's own slower side is what it takes when the other side
    does not think at all: this tells how well the faster one is hidden. The leanest loop's sides are timed with
    nothing else at work: a fetch with its transfer and decoding, a shipment with its encoding, no checkpoint.
    """
    results = []
    for latencies in LATENCIES:
        name = " and ".join(f"{seconds * 1000:.0f} ms" for seconds in latencies)
        say(f"overlap, {name}: the sequential collector, {pages} pages")
        replay.docusign_seconds, replay.workspace_seconds = latencies
        lean = run_lean(replay, pages)
        with connector(replay) as side:
            both, docusign, workspace = (
                _seconds(replay, side, pages, *pair, say)
                for pair in (latencies, (latencies[0], 0.0), (0.0, latencies[1]))
            )
        own = max(docusign, workspace)
        ideal = (pages + 1) * max(lean.fetching / lean.pages, lean.shipping / pages)
        results += [
            Result(
                "a overlap", f"to the slower side alone, {name}", both / own, "", BOUND, _made_of(both, own)
            ),
            Result(
                "a overlap",
                f"to the leanest loop's side, {name}",
                both / ideal,
                "",
                BOUND,
                _made_of(both, ideal),
            ),
            Result("a overlap", f"to a sequential collector, {name}", both / lean.wall),
        ]
    replay.docusign_seconds = replay.workspace_seconds = 0.0
    return results


def _seconds(
    replay: Replay, side: Connector, pages: int, docusign: float, workspace: float, say: Say
) -> float:
    say(f"overlap: the connector, {docusign * 1000:.0f} ms and {workspace * 1000:.0f} ms")
    replay.docusign_seconds, replay.workspace_seconds = docusign, workspace
    return side.carry(pages).wall


def _made_of(seconds: float, ideal: float) -> str:
    return f"{seconds:.1f} s to {ideal:.1f} s"
