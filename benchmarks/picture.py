"""The results as a picture: a bar for each value that has a bound, the bound a line that all of them share."""

from collections.abc import Sequence
from html import escape
from itertools import groupby

from benchmarks.report import bound_of
from benchmarks.results import Result

WIDTH, ROW, GAP, TOP, BOTTOM = 920, 26, 18, 84, 44
LEFT, RIGHT = 372, 96
_SCALE = 2.0
"""The right end of the scale, in bounds."""
_STYLE = """
  text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #24292f }
  .title { font-size: 19px; font-weight: 600 } .quiet { fill: #656d76 } .part { font-weight: 600 }
  .kept { fill: #2da44e } .over { fill: #d1242f } .track { fill: #eaeef2 }
  .bound { stroke: #24292f; stroke-width: 1.5; stroke-dasharray: 4 3 } .ground { fill: #ffffff }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .quiet { fill: #8d96a0 } .track { fill: #21262d } .ground { fill: #0d1117 }
    .bound { stroke: #e6edf3 } .kept { fill: #3fb950 } .over { fill: #f85149 }
  }
"""


def draw(results: Sequence[Result]) -> str:
    """The picture as SVG, of the results that have a bound."""
    bounded = sorted((r for r in results if r.bound is not None), key=lambda result: result.part)
    groups = [(part, list(group)) for part, group in groupby(bounded, key=lambda result: result.part)]
    height = TOP + sum(ROW * (len(group) + 1) + GAP for _, group in groups) + BOTTOM
    body, y = [], TOP
    for part, group in groups:
        letter, _, name = part.partition(" ")
        body.append(f'<text class="part" x="24" y="{y + 17}">{letter}&#8194;{escape(name)}</text>')
        for number, result in enumerate(group, start=1):
            body += _bar(result, y + ROW * number)
        y += ROW * (len(group) + 1) + GAP
    at = _x(1.0)
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
                f'height="{height}" role="img" aria-label="What the connector costs, against its bounds">'
            ),
            f"<style>{_STYLE}</style>",
            f'<rect class="ground" width="{WIDTH}" height="{height}" rx="8"/>',
            '<text class="title" x="24" y="36">What the connector costs, against its bounds</text>',
            '<text class="quiet" x="24" y="58">Each bar is a value divided by its bound: shorter is better.</text>',
            *body,
            f'<line class="bound" x1="{at}" y1="{TOP - 6}" x2="{at}" y2="{height - BOTTOM}"/>',
            f'<text class="quiet" x="{at}" y="{height - BOTTOM + 20}" text-anchor="middle">the bound</text>',
            "</svg>",
            "",
        ]
    )


def _bar(result: Result, y: int) -> list[str]:
    share = result.value / (result.bound or 1.0)
    kind = "kept" if result.verdict == "kept" else "over"
    start, length = _x(0.0), _x(min(share, _SCALE)) - _x(0.0)
    shown = f"{result.shown}, bound {bound_of(result)}"
    return [
        f'<text x="42" y="{y + 16}">{escape(result.what)}</text>',
        f'<rect class="track" x="{start}" y="{y + 4}" width="{_x(_SCALE) - start:.1f}" height="16" rx="3"/>',
        (
            f'<rect class="{kind}" x="{start}" y="{y + 4}" width="{length:.1f}" height="16" rx="3">'
            f"<title>{escape(shown)}</title></rect>"
        ),
        f'<text x="{WIDTH - RIGHT + 12}" y="{y + 17}">{escape(result.shown)}</text>',
    ]


def _x(share: float) -> float:
    return round(LEFT + share / _SCALE * (WIDTH - LEFT - RIGHT), 1)
