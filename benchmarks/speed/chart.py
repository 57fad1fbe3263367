"""Draws the comparison of `peers` as an SVG that reads on a light and on a dark page.

python -m benchmarks.speed.chart FILE docs/images/benchmarks.svg
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from benchmarks.speed.peers import FLOOR, THIS
from benchmarks.speed.results import load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.speed.results import Row

WIDTH = 760
_LEFT, _RIGHT, _TOP, _STEP, _BAR = 190, 120, 74, 34, 20
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.small { font-size: 12px; fill: #59636e }
.ours { fill: #0969da } .floor { fill: #1a7f37 } .peer { fill: #8c959f }
.line { stroke: #1a7f37; stroke-dasharray: 3 3 }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc } .small { fill: #9198a1 }
  .ours { fill: #4493f8 } .floor { fill: #3fb950 } .peer { fill: #656c76 }
  .line { stroke: #3fb950 }
}
"""


def chart(rows: Sequence[Row], machine: str) -> str:
    """A bar a contender, from the quickest to the slowest.

    Raises:
        ValueError: Nothing was measured.
    """
    drawn = sorted((row for row in rows if row.value is not None), key=lambda row: row.value or 0)
    if not drawn:
        raise ValueError("no contender was measured")
    most = max(row.value or 0 for row in drawn)
    scale = (WIDTH - _LEFT - _RIGHT) / most
    height = _TOP + _STEP * len(drawn) + 14
    bottom = height - 14
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" role="img">'
        ),
        "<title>Wall time of 500 images, in multiples of a raw asyncio loop</title>",
        f"<style>{_STYLE}</style>",
        (
            '<text class="title" x="12" y="24">500 images, 20 ms an answer, 4 slots: '
            "wall time of the whole process</text>"
        ),
        (
            '<text class="small" x="12" y="44">multiples of a raw asyncio loop in the same '
            f"minute; {escape(machine)}</text>"
        ),
        (
            f'<line class="line" x1="{_LEFT + scale:.1f}" x2="{_LEFT + scale:.1f}" '
            f'y1="{_TOP - 14}" y2="{bottom}"/>'
        ),
    ]
    for place, row in enumerate(drawn):
        value = row.value or 0.0
        name = str(row.details["name"])
        kind = {THIS: "ours", FLOOR: "floor"}.get(name, "peer")
        top = _TOP + place * _STEP
        middle = top + _BAR - 5
        told = f"{value:.2f} x ({row.details['wall_s']:.1f} s)"
        parts += [
            f'<text x="{_LEFT - 8}" y="{middle}" text-anchor="end">{escape(name)}</text>',
            (
                f'<rect class="{kind}" x="{_LEFT}" y="{top}" width="{value * scale:.1f}" '
                f'height="{_BAR}" rx="2"/>'
            ),
            f'<text x="{_LEFT + value * scale + 8:.1f}" y="{middle}">{told}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])


def main() -> int:
    """Draw what a file holds."""
    if len(sys.argv) != 3:  # noqa: PLR2004 - two arguments
        sys.exit(__doc__)
    data, rows = load(Path(sys.argv[1]))
    machine = data["machine"]
    told = f"{machine['date']}, {machine['cores']} cores"
    peers = [row for row in rows if row.case == "peers"]
    Path(sys.argv[2]).write_text(chart(peers, told), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
