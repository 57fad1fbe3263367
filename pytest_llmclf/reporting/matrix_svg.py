"""The confusion matrix as SVG: sharp at any size, its names are text, and it can be read aloud.

Written by hand rather than by a drawing library: it is rectangles and words. Words from outside
are made printable and escaped, and stand in text nodes alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from pytest_llmclf.metrics.wording import when_stopped
from pytest_llmclf.reporting import numbers
from pytest_llmclf.reporting.style import PLAIN, width

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmclf.metrics.confusion import Confusion
    from pytest_llmclf.metrics.report import Report

_CELLS: Final = ((12, 44), (24, 32), (48, 22), (100, 14))
"""Up to so many classes, cells of so many units; beyond, `_SMALLEST`."""
_SMALLEST: Final = 8
_NUMBERED: Final = 14
"""Smallest cell with its count in it."""
_NAME: Final = 22
_MARGIN: Final = 24
_GAP: Final = 10
_SIGN: Final = 0.62
"""Width of a letter relative to its height, on average and rather wide."""
_DARK: Final = 0.55
"""From this share of a row on, a cell is so dark that its number is white."""
_BLUE, _AMBER, _RED = "#08519c", "#a36204", "#b3261e"
_TAILS: Final = (("unparsed", _AMBER), ("error", _RED))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """Where things are, in units.

    Attributes:
        names: Labels as written.
        cell: Side of a cell.
        left: Left edge of the cells.
        top: Upper edge of the cells.
        letters: Height of the labels' letters.
        width: Of the whole.
        height: Of the whole.
    """

    names: tuple[str, ...]
    cell: int
    left: int
    top: int
    letters: int
    width: int
    height: int

    @property
    def side(self) -> int:
        """Side of the square of all classes."""
        return self.cell * len(self.names)

    def across(self, column: int) -> int:
        """Left edge of a column; those for unparsed and errors stand apart."""
        gap = _GAP if column >= len(self.names) else 0
        return self.left + column * self.cell + gap


def confusion_svg(report: Report) -> str:
    """The confusion matrix of `report` as an SVG document.

    Rows are actual classes, columns predicted ones, then answers without a label and errors. Cells
    hold images; their colour is the share of the row. The same report gives the same text.
    """
    plan = _plan(report)
    return "\n".join(
        (
            _start(plan),
            f'<title id="title">Confusion matrix: {_safe(_head(report))}</title>',
            f'<desc id="desc">{_safe(_told(report))}</desc>',
            f'<rect width="{plan.width}" height="{plan.height}" fill="#ffffff"/>',
            _text(_MARGIN, 30, _head(report), 17, weight="600"),
            _text(_MARGIN, 52, _accuracy(report), 13, "#57606a"),
            *_axes(plan),
            *_cells(report.confusion, plan),
            *_grid(plan),
            "</svg>\n",
        )
    )


def _start(plan: _Plan) -> str:
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="title desc" '
        f'viewBox="0 0 {plan.width} {plan.height}" width="{plan.width}" height="{plan.height}" '
        'font-family="system-ui, sans-serif">'
    )


def _plan(report: Report) -> _Plan:
    names = tuple(PLAIN.name(label, _NAME) for label in report.confusion.labels)
    cell = next((side for most, side in _CELLS if len(names) <= most), _SMALLEST)
    letters = max(7, min(14, cell - 2))
    longest = round(max(map(width, (*names, "unparsed"))) * letters * _SIGN)
    left, top = _MARGIN + 22 + longest + 8, 84 + longest + 8
    right = left + cell * (len(names) + len(_TAILS)) + _GAP + _MARGIN
    wide = max(right, round(width(_head(report)) * 17 * _SIGN) + 2 * _MARGIN)
    return _Plan(
        names=names,
        cell=cell,
        left=left,
        top=top,
        letters=letters,
        width=wide,
        height=top + cell * max(1, len(names)) + _MARGIN,
    )


def _head(report: Report) -> str:
    return f"{PLAIN.name(report.evaluation, 40)} · {PLAIN.name(report.configuration, 48)}"


def _told(report: Report) -> str:
    """What somebody who does not see it needs to know."""
    ledger = report.ledger
    worst = report.among_classes()[:3]
    mistakes = "; ".join(
        f"{PLAIN.name(one.expected, _NAME)} taken for {PLAIN.name(one.predicted, _NAME)}: "
        f"{numbers.plural(one.count, 'image')}"
        for one in worst
    )
    return (
        f"{numbers.plural(ledger.collected, 'image')} of {len(report.confusion.labels)} classes; "
        f"{_accuracy(report)}; {numbers.plural(ledger.unparsed, 'answer')} without a label, "
        f"{numbers.plural(ledger.error, 'error')}."
        + (f" Most frequent confusions: {mistakes}." if mistakes else "")
    )


def _accuracy(report: Report) -> str:
    return when_stopped(f"accuracy {numbers.counted(report.accuracy)}", report.ledger)


def _axes(plan: _Plan) -> Iterator[str]:
    """The names of rows and columns, as many as there is room for."""
    every = -(-(plan.letters + 1) // plan.cell)
    columns = [*((name, "#1f2328") for name in plan.names), *_TAILS]
    for place, (name, color) in enumerate(columns):
        if place < len(plan.names) and place % every:
            continue
        x: float = plan.across(place) + plan.cell / 2 + plan.letters / 3
        y: float = plan.top - 6
        turned = f' transform="rotate(-90 {x:g} {y:g})"'
        yield _text(x, y, name, plan.letters, color, more=turned)
        if place < len(plan.names):
            y = plan.top + (place + 0.5) * plan.cell + plan.letters / 3
            yield _text(plan.left - 6, y, name, plan.letters, color, anchor="end")
    middle = plan.top + plan.side / 2
    yield _text(plan.left + plan.side / 2, 74, "predicted", 13, "#57606a", anchor="middle")
    turned = f' transform="rotate(-90 {_MARGIN} {middle:g})"'
    yield _text(_MARGIN, middle, "actual", 13, "#57606a", anchor="middle", more=turned)


def _cells(confusion: Confusion, plan: _Plan) -> Iterator[str]:
    """Every cell with an image in it."""
    heads = (*plan.names, *(name for name, _ in _TAILS))
    size = len(plan.names)
    for row, counts in enumerate(confusion.cells):
        tails = {size: confusion.unparsed[row], size + 1: confusion.error[row]}
        filled = {**counts, **{column: count for column, count in tails.items() if count}}
        total = sum(filled.values())
        for column, count in filled.items():
            share = count / total
            tail = column - len(plan.names)
            color = _BLUE if tail < 0 else _TAILS[tail][1]
            x, y = plan.across(column), plan.top + row * plan.cell
            said = f"{plan.names[row]} → {heads[column]}: {numbers.plural(count, 'image')}"
            yield (
                f"<g><title>{_safe(said)}, {numbers.percent(share)} of the row</title>"
                f'<rect x="{x}" y="{y}" width="{plan.cell}" height="{plan.cell}" '
                f'fill="{color}" fill-opacity="{max(0.06, share):.3f}"/>'
                f"{_number(plan, x, y, count, share)}</g>"
            )


def _number(plan: _Plan, x: int, y: int, count: int, share: float) -> str:
    size = min(15, round(plan.cell * 0.45))
    if plan.cell < _NUMBERED or len(str(count)) * size * _SIGN > plan.cell - 2:
        return ""
    color = "#ffffff" if share >= _DARK else "#1f2328"
    return _text(
        x + plan.cell / 2, y + plan.cell / 2 + size / 3, str(count), size, color, anchor="middle"
    )


def _grid(plan: _Plan) -> Iterator[str]:
    """Lines around the cells, drawn last so that no cell hides them."""
    right, bottom = plan.left + plan.side, plan.top + plan.side
    lines = [f"M{plan.left} {plan.top + at}H{right}" for at in range(0, plan.side + 1, plan.cell)]
    lines += [f"M{plan.left + at} {plan.top}V{bottom}" for at in range(0, plan.side + 1, plan.cell)]
    start, end = plan.across(len(plan.names)), plan.across(len(plan.names) + len(_TAILS))
    lines += [f"M{start} {plan.top}H{end}V{bottom}H{start}Z"]
    yield f'<path d="{"".join(lines)}" fill="none" stroke="#d0d7de" stroke-width="1"/>'


def _text(
    x: float,
    y: float,
    text: str,
    size: int,
    color: str = "#1f2328",
    *,
    anchor: str = "start",
    weight: str = "400",
    more: str = "",
) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" font-weight="{weight}" fill="{color}" '
        f'text-anchor="{anchor}"{more}>{_safe(text)}</text>'
    )


def _safe(text: str) -> str:
    return escape(PLAIN.safe(text))
