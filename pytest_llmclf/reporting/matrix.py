"""The confusion matrix as text that fits the place.

Tried in turn: columns under their labels, under their labels cut to what still tells them apart,
under numbers; and where even that is too wide, the clusters of classes with most mistakes alone
(`worst_classes`), with a column for all others and a line that says what is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from pytest_llmclf.reporting.style import INDENT, cut, left, right, start, width
from pytest_llmclf.reporting.worst_classes import left_out, row_cells, tail_keys, worst_first

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmclf.metrics.confusion import Confusion
    from pytest_llmclf.reporting.style import Line, Mark, Part, Style

_WIDEST_NAME = 24
_WIDEST_CELL = 10
_TELLING = 3
"""Fewest columns of a cut label; below that numbers read better."""
_NOTHING = "·"
_BAR = " │"
_TAILS = {
    "others": ("others", "oth", "*"),
    "unparsed": ("unparsed", "unp", "?"),
    "error": ("error", "err", "!"),
}
"""Columns behind the line, each with its names, the best to read first."""
_FORMS = range(3)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heading:
    """One way to name rows and columns.

    Attributes:
        rows: Names at the left.
        columns: Names at the top.
        cell_width: Columns of a cell, without the blank before it.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cell_width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """How the matrix is laid out.

    Attributes:
        shown: Indices of the labels with a row and a column, in their order.
        rows: Their names at the left.
        columns: Their names at the top.
        name_width: Columns of the names at the left.
        cell_width: Columns of a cell, without the blank before it.
        tails: Keys of `_TAILS`: the columns behind the line.
        tail_names: Their names at the top.
        tail_widths: Their columns, without the blank before each.
    """

    shown: tuple[int, ...]
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    name_width: int
    cell_width: int
    tails: tuple[str, ...]
    tail_names: tuple[str, ...]
    tail_widths: tuple[int, ...]

    @property
    def widths(self) -> tuple[int, ...]:
        """Columns of every cell of a row, without the blank before each."""
        return (self.cell_width,) * len(self.columns) + self.tail_widths

    @property
    def width(self) -> int:
        """Columns of the whole."""
        return len(INDENT) + self.name_width + sum(self.widths) + len(self.widths) + len(_BAR)


def lines(confusion: Confusion, style: Style) -> Iterator[Line]:
    """The matrix, a row an actual class and a column a predicted one; cells are images.

    Every row ends with its unparsed answers and its errors.
    """
    plan = _fit(confusion, style)
    if plan is None:
        text = f"no room for the confusion matrix in {style.width} columns"
        yield from style.paragraph(text, indent=INDENT)
        return
    names = zip(plan.tail_names, plan.tails, strict=True)
    legend = "".join(f"; {name} is {key}" for name, key in names if name != key)
    text = f"confusion matrix (rows: actual, columns: predicted{legend})"
    yield from style.paragraph(text, indent=INDENT)
    yield _head(plan, style)
    for name, index in zip(plan.rows, plan.shown, strict=True):
        yield _row(confusion, plan, style, name, index)
    if len(plan.shown) < len(confusion.labels):
        yield from style.paragraph(left_out(confusion, plan.shown), "light", indent=INDENT)


def _fit(confusion: Confusion, style: Style) -> _Plan | None:
    """The fullest plan that fits."""
    everything = len(confusion.labels)
    # A class takes two columns at least, so that there is no use in trying more.
    most = min(everything, style.width // 2, style.classes or everything)
    if most == everything and (plan := _plan(confusion, style, tuple(range(everything)))):
        return plan
    ranked = worst_first(confusion)
    for size in range(min(most, everything - 1), 0, -1):
        if plan := _plan(confusion, style, ranked[:size]):
            return plan
    return None


def _plan(confusion: Confusion, style: Style, shown: tuple[int, ...]) -> _Plan | None:
    """The best layout of these classes, or ``None`` where they do not fit."""
    labels = [style.safe(confusion.labels[index]) for index in shown]
    tails = tail_keys(confusion, shown)
    counts = [row_cells(confusion, shown, tails, index) for index in shown]
    digits = max((len(str(cell)) for row in counts for cell in row), default=1)
    name_width = max(1, min(max(map(width, labels), default=1), _WIDEST_NAME, style.width // 3))
    rows = tuple(cut(label, name_width) for label in labels)
    figures = tuple(str(index + 1) for index in shown)
    for headings in (_named(labels, rows, digits), _numbered(figures, rows, digits)):
        for form, heading in product(_FORMS, headings):
            plan = _Plan(
                shown=shown,
                rows=heading.rows,
                columns=heading.columns,
                name_width=max(map(width, heading.rows), default=1),
                cell_width=heading.cell_width,
                tails=tails,
                tail_names=tuple(_TAILS[key][form] for key in tails),
                tail_widths=tuple(max(digits, len(_TAILS[key][form])) for key in tails),
            )
            if plan.width <= style.width:
                return plan
    return None


def _named(labels: Sequence[str], rows: tuple[str, ...], digits: int) -> list[_Heading]:
    """Columns under their labels, cut ever shorter as long as they can be told apart."""
    if len(set(rows)) < len(rows):
        return []
    longest = max(map(width, labels), default=1)
    narrowest = max(digits, min(_TELLING, longest))
    found = []
    for cell_width in range(max(narrowest, min(longest, _WIDEST_CELL)), narrowest - 1, -1):
        columns = tuple(start(label, cell_width).rstrip() for label in labels)
        if len(set(columns)) == len(columns):
            found.append(_Heading(rows=rows, columns=columns, cell_width=cell_width))
    return found


def _numbered(figures: tuple[str, ...], rows: tuple[str, ...], digits: int) -> list[_Heading]:
    """Columns under numbers, which the rows bear too."""
    figure_width = max(map(len, figures), default=1)
    named = tuple(
        f"{right(figure, figure_width)} {row}" for figure, row in zip(figures, rows, strict=True)
    )
    return [_Heading(rows=named, columns=figures, cell_width=max(digits, figure_width))]


def _head(plan: _Plan, style: Style) -> Line:
    heads = [*plan.columns, *plan.tail_names]
    cells = [" " + right(head, room) for head, room in zip(heads, plan.widths, strict=True)]
    cells.insert(len(plan.columns), _BAR)
    return style.line(INDENT + left("", plan.name_width) + "".join(cells))


def _row(confusion: Confusion, plan: _Plan, style: Style, name: str, index: int) -> Line:
    cells = row_cells(confusion, plan.shown, plan.tails, index)
    parts: list[Part] = []
    for place, (number, room) in enumerate(zip(cells, plan.widths, strict=True)):
        text = right(str(number) if number else _NOTHING, room)
        mark: Mark
        if not number:
            mark = "light"
        elif place >= len(plan.shown):
            mark = "yellow" if plan.tails[place - len(plan.shown)] == "unparsed" else "red"
        else:
            mark = "green" if plan.shown[place] == index else "red"
        parts.append((" " + text, mark))
    parts.insert(len(plan.shown), _BAR)
    return style.line(INDENT + left(name, plan.name_width), *parts)
