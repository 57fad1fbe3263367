"""Pictures of a report, drawn with Pillow."""

from __future__ import annotations

import functools
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmclf.metrics.wording import when_stopped
from pytest_llmclf.reporting import numbers
from pytest_llmclf.reporting.style import Style

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

    from pytest_llmclf.metrics.confusion import Confusion
    from pytest_llmclf.metrics.report import Report

Color = tuple[int, int, int]

_WHITE: Color = (255, 255, 255)
_INK: Color = (31, 35, 40)
_FAINT: Color = (110, 118, 129)
_GRID: Color = (225, 228, 232)
_BLUES: tuple[Color, ...] = ((247, 251, 255), (158, 202, 225), (66, 146, 198), (8, 48, 107))
_AMBERS: tuple[Color, ...] = ((255, 252, 242), (250, 204, 110), (191, 122, 15), (110, 62, 6))
_REDS: tuple[Color, ...] = ((255, 248, 247), (248, 180, 173), (207, 71, 62), (110, 17, 17))
_TAILS = (("unparsed", _AMBERS), ("error", _REDS))
_CELLS = ((12, 60), (20, 46), (40, 30), (80, 18))
"""Up to so many classes, cells of so many pixels; beyond, what `_LARGEST` leaves."""
_LARGEST = 3000
_GRIDDED = 6
"""Smallest cell with a line around it."""
_MARGIN = 28
_GAP = 14
_NAME = 22
_FONTS = (
    "DejaVuSans.ttf",
    "NotoSansCJK-Regular.ttc",
    "NotoSans-Regular.ttf",
    "Arial Unicode.ttf",
    "PingFang.ttc",
    "msgothic.ttc",
    "segoeui.ttf",
)
"""Fonts tried for labels that Pillow's own font cannot show."""


def confusion_png(report: Report) -> bytes:
    """The confusion matrix of `report` as a PNG picture.

    Rows are actual classes, columns predicted ones, then answers without a label and errors. Cells
    hold images; their colour is the share of the row. The same report gives the same bytes.
    """
    buffer = io.BytesIO()
    # `optimize=True` makes it 4% smaller and takes twice as long.
    _drawn(report).save(buffer, format="PNG")
    return buffer.getvalue()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """Where things are, in pixels.

    Attributes:
        names: Labels as drawn.
        cell: Side of a cell.
        left: Left edge of the cells.
        top: Upper edge of the cells.
        tails: Left edge of the columns behind the predicted ones.
        size: Width and height of the picture.
    """

    names: tuple[str, ...]
    cell: int
    left: int
    top: int
    tails: int
    size: tuple[int, int]

    @property
    def side(self) -> int:
        """Side of the square of all classes."""
        return self.cell * len(self.names)

    @property
    def label_px(self) -> int:
        """Height of the labels' letters."""
        return max(9, min(16, self.cell - 2))

    @property
    def every(self) -> int:
        """One class in so many has room for its label."""
        return -(-(self.label_px + 2) // self.cell)


def _drawn(report: Report) -> Image:
    from PIL import Image, ImageDraw

    plan = _plan(report)
    picture = Image.new("RGB", plan.size, _WHITE)
    draw = ImageDraw.Draw(picture)
    for place, (text, size, color) in enumerate(_title(report)):
        font = _font(size, text)
        draw.text((_MARGIN, 30 + 26 * place), text, fill=color, font=font, anchor="lm")
    draw.rectangle((plan.left, plan.top, plan.left + plan.side, plan.top + plan.side), _BLUES[0])
    for column, row, count, share, colors in _cells(report.confusion, every=plan.cell >= _GRIDDED):
        _cell(draw, plan, (column, row), count, _blend(colors, share))
    _names(picture, draw, plan)
    _scale(draw, plan)
    return picture


def _title(report: Report) -> tuple[tuple[str, int, Color], ...]:
    evaluation, model = _drawable(report.evaluation, 40), _drawable(report.model, 48)
    ledger = report.ledger
    accuracy = when_stopped(f"accuracy {numbers.counted(report.accuracy)}", ledger)
    unanswered = [
        f"{numbers.count(number)} {word}"
        for number, word in (
            (ledger.unparsed, "unparsed"),
            (ledger.error, "without an answer"),
            (ledger.not_needed, "not needed"),
            (ledger.not_run, "not run"),
            (ledger.lost, "lost"),
        )
        if number
    ]
    return (
        (f"{evaluation} · {model}", 20, _INK),
        (", ".join([accuracy, *unanswered]), 15, _FAINT),
    )


def _plan(report: Report) -> _Plan:
    names = tuple(_drawable(label, _NAME) for label in report.confusion.labels)
    count = max(1, len(names))
    cell = next(
        (side for most, side in _CELLS if count <= most), max(1, min(14, _LARGEST // count))
    )
    draft = _Plan(names=names, cell=cell, left=0, top=0, tails=0, size=(0, 0))
    longest = max((_length(name, draft.label_px) for name in names), default=0)
    upper = max(_length("unparsed", draft.label_px), longest)
    left, top = _MARGIN + 26 + longest + 8, 78 + 30 + upper + 8
    tails = left + draft.side + _GAP
    right = tails + 2 * max(cell, draft.label_px + 4) + 96
    titles = max(_length(text, size) for text, size, _ in _title(report)) + 2 * _MARGIN
    bottom = top + max(draft.side, 140) + _MARGIN
    return _Plan(
        names=names, cell=cell, left=left, top=top, tails=tails, size=(max(right, titles), bottom)
    )


def _cells(
    confusion: Confusion, *, every: bool
) -> Iterator[tuple[int, int, int, float, tuple[Color, ...]]]:
    """Column, row, images, share of the row and colours of every cell, or of those with images."""
    size = len(confusion.labels)
    for row, filled in enumerate(confusion.cells):
        counts = {**filled, size: confusion.unparsed[row], size + 1: confusion.error[row]}
        total = sum(counts.values())
        for column in range(size + 2) if every else counts:
            count = counts.get(column, 0)
            if not count and not every:
                continue
            colors = _BLUES if column < size else _TAILS[column - size][1]
            yield column, row, count, count / total if total else 0.0, colors


def _cell(draw: ImageDraw, plan: _Plan, at: tuple[int, int], count: int, color: Color) -> None:
    column, row = at
    x0, x1 = _across(plan, column)
    y0 = plan.top + row * plan.cell
    grid = _GRID if plan.cell >= _GRIDDED else None
    draw.rectangle((x0, y0, x1, y0 + plan.cell), fill=color, outline=grid)
    text = str(count)
    size = min(18, plan.cell // 2)
    if not count or size < 8 or _length(text, size) > plan.cell - 2:  # noqa: PLR2004 (unreadable)
        return
    red, green, blue = color
    dark = 0.299 * red + 0.587 * green + 0.114 * blue < 140  # noqa: PLR2004 (Rec. 601 luma)
    middle = ((x0 + x1) / 2, y0 + plan.cell / 2)
    draw.text(middle, text, fill=_WHITE if dark else _INK, font=_font(size, text), anchor="mm")


def _across(plan: _Plan, column: int) -> tuple[int, int]:
    """Left and right edge of a column."""
    if column < len(plan.names):
        left = plan.left + column * plan.cell
        return left, left + plan.cell
    wide = max(plan.cell, plan.label_px + 4)
    left = plan.tails + (column - len(plan.names)) * wide
    return left, left + wide


def _names(picture: Image, draw: ImageDraw, plan: _Plan) -> None:
    size = plan.label_px
    for place, name in enumerate(plan.names):
        if place % plan.every == 0:
            middle = plan.top + (place + 0.5) * plan.cell
            font = _font(size, name)
            draw.text((plan.left - 8, middle), name, fill=_INK, font=font, anchor="rm")
            _upright(picture, name, sum(_across(plan, place)) // 2, plan.top - 8, size=size)
    for place, (name, _) in enumerate(_TAILS, start=len(plan.names)):
        _upright(
            picture, name, sum(_across(plan, place)) // 2, plan.top - 8, size=size, color=_FAINT
        )
    font = _font(14, "predicted")
    draw.text((plan.left + plan.side / 2, 86), "predicted", fill=_FAINT, font=font, anchor="mm")
    _upright(
        picture,
        "actual",
        _MARGIN + 6,
        plan.top + plan.side // 2,
        size=14,
        color=_FAINT,
        middle=True,
    )


def _upright(
    picture: Image,
    text: str,
    x: int,
    bottom: int,
    *,
    size: int,
    color: Color = _INK,
    middle: bool = False,
) -> None:
    """Write `text` upwards, centred on `x`, from `bottom` or around it."""
    from PIL import Image, ImageDraw

    length, height = _length(text, size) + 2, size + 6
    flat = Image.new("L", (length, height), 0)
    ImageDraw.Draw(flat).text((0, height / 2), text, fill=255, font=_font(size, text), anchor="lm")
    mask = flat.transpose(Image.Transpose.ROTATE_90)
    y = bottom - (length // 2 if middle else length)
    picture.paste(Image.new("RGB", mask.size, color), (x - height // 2, y), mask)


def _scale(draw: ImageDraw, plan: _Plan) -> None:
    """The colours' meaning, from 0% at the bottom to 100% of a row."""
    left = _across(plan, len(plan.names) + 1)[1] + 24
    height = min(plan.side, 260) if plan.side > 140 else 140  # noqa: PLR2004 (room for its names)
    for step in range(height):
        share = 1 - step / (height - 1)
        y = plan.top + step
        draw.line((left, y, left + 14, y), fill=_blend(_BLUES, share))
    draw.rectangle((left, plan.top, left + 14, plan.top + height), outline=_GRID)
    for share in (0.0, 0.5, 1.0):
        y = plan.top + round((1 - share) * (height - 1))
        text = numbers.percent(share, 0)
        draw.text((left + 20, y), text, fill=_FAINT, font=_font(12, text), anchor="lm")
    draw.text(
        (left - 4, plan.top - 18), "of the row", fill=_FAINT, font=_font(12, "of"), anchor="lm"
    )


def _blend(colors: tuple[Color, ...], share: float) -> Color:
    """The colour at `share` of the way through `colors`, which are evenly spaced."""
    place = share * (len(colors) - 1)
    index = min(int(place), len(colors) - 2)
    part = place - index
    red, green, blue = (
        round(low + (high - low) * part)
        for low, high in zip(colors[index], colors[index + 1], strict=True)
    )
    return red, green, blue


def _length(text: str, size: int) -> int:
    return round(_font(size, text).getlength(text))


def _drawable(text: str, columns: int) -> str:
    """`text` cut to `columns`; escaped where no font at hand shows it."""
    shown = Style().name(text, columns)
    if shown.isascii() or _shows(_font(12, shown), shown):
        return shown
    return Style(unicode=False).name(text, columns)


def _font(size: int, text: str) -> FreeTypeFont:
    """A font of `size` pixels that shows `text`: Pillow's own, or one of the system's."""
    own = _loaded(None, size)
    if text.isascii() or _shows(own, text):
        return own
    for name in _FONTS:
        try:
            font = _loaded(name, size)
        except OSError:
            continue
        if _shows(font, text):
            return font
    return own


def _shows(font: FreeTypeFont, text: str) -> bool:
    """Whether no sign of `text` comes out as the box for missing ones."""
    missing = bytes(font.getmask("\U0010ffff"))
    return all(bytes(font.getmask(char)) != missing for char in set(text) if char != " ")


@functools.lru_cache(maxsize=64)
def _loaded(name: str | None, size: int) -> FreeTypeFont:
    from PIL import ImageFont

    try:
        font = ImageFont.load_default(size) if name is None else ImageFont.truetype(name, size)
    except ImportError as error:  # a Pillow without FreeType, or a system without room for it
        raise OSError(f"Pillow cannot draw letters: {error}") from error
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise OSError("this Pillow was built without FreeType, which draws the letters")
    return font
