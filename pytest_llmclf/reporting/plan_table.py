"""What numbers of images can show, as a table on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmclf.reporting import numbers
from pytest_llmclf.reporting.style import left, right, width

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmclf.analysis.foresight import Foresight
    from pytest_llmclf.reporting.style import Line, Style

_INDENT = "  "
_SURE = 1 - 1e-9
"""What sums of probabilities are rounded up to 1 from: no number of images makes it certain."""


def plan_lines(found: Foresight, style: Style) -> Iterator[Line]:
    """Head, one row a truth, the number that decides, and what else to know."""
    points = found.truth == "true loss"
    heads = [found.truth, *map(numbers.confidence, found.wanted), *map(numbers.count, found.sizes)]
    rows = [
        [
            _points(row.truth) if points else f"{row.truth:.6g}",
            *(numbers.UNDEFINED if one is None else numbers.count(one) for one in row.images),
            *(numbers.percent(min(one, _SURE)) for one in row.chances),
        ]
        for row in found.rows
    ]
    if found.least:
        shown = [numbers.UNDEFINED if one is None else numbers.count(one) for one in found.least]
        rows.append([found.least_of, *("" for _ in found.wanted), *shown])
    widths = [max(width(row[place]) for row in (heads, *rows)) for place in range(len(heads))]
    yield style.line((style.safe(found.asked), "bold"))
    yield style.line()
    wanted = " and ".join(map(numbers.confidence, found.wanted))
    text = f"first: how many {found.of} give a chance of {wanted}; then: the chance with so many"
    yield from (style.line((each, "light")) for each in style.wrapped(text, _INDENT))
    yield style.line((_row(heads, widths), "light"))
    for row in rows:
        yield style.line(_row(row, widths))
    yield style.line()
    for note in found.notes:
        yield from (style.line(each) for each in style.wrapped(note, _INDENT))


def _points(loss: float) -> str:
    shown = f"{100 * loss:.6g}"
    return f"{shown} {'point' if shown == '1' else 'points'}"


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    first = left(cells[0], widths[0])
    others = (right(cell, columns) for cell, columns in zip(cells[1:], widths[1:], strict=True))
    return _INDENT + "  ".join([first, *others])
