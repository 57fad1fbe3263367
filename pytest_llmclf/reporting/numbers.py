"""How numbers are written, in every report; the only place that decides it.

Undefined numbers (``None``, NaN, infinities) are an en dash.
"""

from __future__ import annotations

import math
from decimal import ROUND_FLOOR, Context, Decimal
from typing import TYPE_CHECKING

from pytest_llmclf.metrics import wording
from pytest_llmclf.values.outcome import ENDINGS
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from pytest_llmclf.metrics.case_counts import Ledger
    from pytest_llmclf.metrics.intervals import Interval
    from pytest_llmclf.metrics.measure import Measure, Ratio

UNDEFINED = "–"

_SECOND, _MINUTE, _HOUR = 1.0, 60, 3600
_LEVEL, _P_DIGITS = 0.05, 12
_EXACT = Context(prec=400)
"""Enough for every digit of a float."""
_EVERYDAY = 100
"""From here on a rate is written without decimals."""


def score(number: Measure | float | None, digits: int = 3) -> str:
    """A value between 0 and 1 with `digits` decimals: ``0.792``."""
    value = _finite(number)
    return UNDEFINED if value is None else f"{value:.{digits}f}"


def cut(least: float, below: float | None, digits: int = 3) -> str:
    """A least confidence, such that the text accepts the same answers as the number.

    Rounded down, with as many decimals as tell it from the next lower confidence.

    Args:
        least: The least that is accepted.
        below: The highest that is not; ``None`` where there is none.
        digits: Fewest decimals.
    """
    exact = Decimal(repr(float(least)))
    while True:
        written = exact.quantize(Decimal(1).scaleb(-digits), ROUND_FLOOR, _EXACT)
        if written == exact or below is None or float(written) > below:
            return f"{written:f}"
        digits += 1


def fraction(ratio: Ratio) -> str:
    """The counts of a ratio: ``396/500``."""
    return f"{ratio.hits}/{ratio.total}"


def counted(ratio: Ratio, digits: int = 3) -> str:
    """A ratio with its counts: ``0.792 (396/500)``."""
    return f"{score(ratio, digits)} ({fraction(ratio)})"


def percent(number: Measure | float | None, digits: int = 1) -> str:
    """A share in per cent: ``79.2%``; only none is ``0.0%`` and only all is ``100.0%``."""
    value = _finite(number)
    if value is None:
        return UNDEFINED
    least = 10.0**-digits
    if value > 0 and 100 * value < least / 2:
        return f"<{least:.{digits}f}%"
    if value < 1 and 100 * value >= 100 - least / 2:
        return f">{100 - least:.{digits}f}%"
    return f"{100 * value:.{digits}f}%"


def interval(ends: Interval, digits: int = 3) -> str:
    """Both ends: ``0.754–0.827``."""
    return f"{ends.low:.{digits}f}–{ends.high:.{digits}f}"


def stated_interval(ends: Interval, digits: int = 3, *, signed: bool = False) -> str:
    """Both ends with their level: ``95% interval 0.754–0.827``, or ``... -0.085 to +0.009``."""
    shown = signed_interval(ends, digits) if signed else interval(ends, digits)
    return f"{confidence(ends.confidence)} interval {shown}"


def signed_interval(ends: Interval, digits: int = 3) -> str:
    """Both ends of a difference: ``-0.085 to +0.009``."""
    return f"{ends.low:+.{digits}f} to {ends.high:+.{digits}f}"


def confidence(level: float) -> str:
    """A level of confidence without idle zeros: ``95%``, ``99.9%``."""
    return f"{100 * level:.6g}%"


p_value = wording.p_value


def p_cell(chance: float) -> str:
    """A p-value below a heading that says so: ``0.012``, ``< 0.001``."""
    return p_value(chance).removeprefix("p ").removeprefix("= ")


def p_percent(chance: float) -> str:
    """A p-value in per cent, on its side of 5%: ``3.1%``, ``4.96%``."""
    digits = 1
    while digits < _P_DIGITS and (chance < _LEVEL) != (round(100 * chance, digits) < 100 * _LEVEL):
        digits += 1
    return percent(chance, digits)


def count(number: int) -> str:
    """A count in running text, in groups of three: ``12,345``."""
    return f"{number:,}"


def plural(number: int, one: str, many: str | None = None) -> str:
    """A count and its noun: ``1 image``, ``500 images``."""
    return f"{count(number)} {noun(number, one, many)}"


def ends(ledger: Ledger) -> str:
    """How the images ended, without zeros: ``500 images: 489 correct, 11 misclassified``."""
    parts = [
        f"{count(number)} {ending.word}"
        for kind, ending in ENDINGS.items()
        if (number := ledger.ended(kind))
    ]
    return f"{plural(ledger.collected, 'image')}: {', '.join(parts) or 'none'}"


def duration(seconds: float | None) -> str:
    """A time span: ``340 ms``, ``12.3 s``, ``4 min 05 s``, ``2 h 03 min``."""
    value = _finite(seconds)
    if value is None or value < 0:
        return UNDEFINED
    if round(value, 3) < _SECOND:
        return f"{1000 * value:.0f} ms"
    if round(value, 1) < _MINUTE:
        return f"{value:.1f} s"
    if round(value) < _HOUR:
        minutes, rest = divmod(round(value), 60)
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(round(value / 60), 60)
    return f"{hours} h {minutes:02d} min"


def rate(per_second: float | None) -> str:
    """How fast: ``12.3 images/s``, ``480 images/s``, ``4.5 images/min``, ``20.0 images/h``."""
    value = _finite(per_second)
    if value is None or value < 0:
        return UNDEFINED
    for factor, unit in ((1, "s"), (60, "min"), (3600, "h")):
        scaled = value * factor
        if scaled >= 1 or unit == "h":
            break
    shown = f"{scaled:.0f}" if scaled >= _EVERYDAY else f"{scaled:.1f}"
    return f"{shown} images/{unit}"


def _finite(number: Measure | float | None) -> float | None:
    value = number if isinstance(number, int | float | None) else number.value
    return value if value is not None and math.isfinite(value) else None
