"""What numbers of images can show, as a table on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmclf.reporting import numbers
from pytest_llmclf.reporting.style import INDENT, left, right, width

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmclf.analysis.foresight import Foresight
    from pytest_llmclf.reporting.style import Line, Style

_LOSS = "true loss"
"""What the rows of a baseline differ in."""
_SURE = 1 - 1e-9
"""What sums of probabilities are rounded up to 1 from: no number of images makes it certain."""


def plan_lines(found: Foresight, style: Style) -> Iterator[Line]:
    """Head, one row a truth, the number that decides, and what else to know."""
    points = found.truth == _LOSS
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
    for text in _example(found):
        yield from style.paragraph(text, "light", indent=INDENT)
    yield style.line()
    yield style.line((_spanning(found, widths), "light"))
    yield style.line((_row(heads, widths), "light"))
    for row in rows:
        yield style.line(_row(row, widths))
    yield style.line()
    for note in found.notes:
        yield from style.paragraph(note, indent=INDENT)


def _example(found: Foresight) -> Iterator[str]:
    """How the first row is read, in whole sentences."""
    if not found.rows:
        return
    first = found.rows[0]
    truth = (
        f"the model lost {_points(first.truth)} of accuracy"
        if found.truth == _LOSS
        else f"the {found.truth} is {first.truth:.6g}"
    )
    enough = [
        f"in at least {numbers.confidence(chance)} of runs with {numbers.count(images)} or "
        f"more {found.of}"
        for chance, images in zip(found.wanted, first.images, strict=True)
        if images is not None
    ][:1]
    some = [
        f"in {numbers.percent(min(chance, _SURE))} of runs with {numbers.count(size)}"
        for size, chance in zip(found.sizes, first.chances, strict=True)
    ][:1]
    if enough or some:
        yield f"The first row: if {truth}, {found.event} {', and '.join([*enough, *some])}."


def _spanning(found: Foresight, widths: list[int]) -> str:
    """The line above the heads; where a part of it is wider than its columns, these grow."""
    texts = [f"{found.of} for", "chance with so many"]
    sizes = [len(found.wanted), len(found.sizes)]
    parts, place = [left("", widths[0])], 1
    for text, columns in zip(texts, sizes, strict=True):
        if columns:
            span = sum(widths[place : place + columns]) + 2 * (columns - 1)
            widths[place] += max(0, width(text) - span)
            parts.append(left(text, max(span, width(text))))
        place += columns
    return (INDENT + "  ".join(parts)).rstrip()


def _points(loss: float) -> str:
    shown = f"{100 * loss:.6g}"
    return f"{shown} {'point' if shown == '1' else 'points'}"


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    first = left(cells[0], widths[0])
    others = (right(cell, columns) for cell, columns in zip(cells[1:], widths[1:], strict=True))
    return INDENT + "  ".join([first, *others])
