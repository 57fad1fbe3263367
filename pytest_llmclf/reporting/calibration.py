"""Confidence on a terminal: how far it can be trusted, and what asking for more of it buys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_llmclf.metrics.calibration.summary import TARGET
from pytest_llmclf.metrics.wording import WHEN_STOPPED
from pytest_llmclf.reporting import numbers
from pytest_llmclf.reporting.style import INDENT, left, right, width

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmclf.metrics.calibration.scores import Bin
    from pytest_llmclf.metrics.calibration.summary import Calibration
    from pytest_llmclf.reporting.style import Line, Style

LOW_MASS = 0.5
"""Mean probability of any label at all below which a report says so."""
SHARED: Final = 0.01
"""Mean share of the probability that is shared among labels from which a report says so."""

_BAR = 20


def calibration_lines(
    calibration: Calibration | None, style: Style, *, stopped: bool = False
) -> Iterator[Line]:
    """Calibration error with its bins, Brier score and accuracy by coverage.

    Nothing where no answer has probabilities.

    Args:
        calibration: What is known of confidence.
        style: What the place can show.
        stopped: Whether the run stopped early, so that all of it is of that moment.
    """
    if calibration is None:
        return
    known = calibration.known
    part = f"{numbers.count(known.hits)} of " if known.hits < known.total else ""
    when = f" {WHEN_STOPPED}" if stopped else ""
    answers = numbers.plural(known.total, "answer")
    yield style.line(f"{INDENT}confidence, of {part}{answers}{when}")
    if calibration.ece.value is not None:
        for text in _sentences(calibration, style):
            yield from style.paragraph(text, indent=INDENT * 2)
        yield from _coverages(calibration, style)
        yield from _bins(calibration.reliability, style)
    for text in _warnings(calibration):
        yield from style.paragraph(text, "yellow", indent=INDENT * 2)


def _sentences(calibration: Calibration, style: Style) -> Iterator[str]:
    error = numbers.score(calibration.ece, style.digits)
    chance = numbers.score(calibration.ece_by_chance, style.digits)
    brier = numbers.score(calibration.brier, style.digits)
    bins = len(calibration.reliability)
    yield (
        f"calibration error (ECE, {bins} bins) {error}; with confidences that were exactly right "
        f"it would be about {chance}"
    )
    yield f"Brier score {brier} (0 is best, 2 is worst)"
    if calibration.unparsed:
        counted = numbers.plural(calibration.unparsed, "answer")
        yield f"{counted} without a label: confidence 0"
    best = calibration.accepting
    if best is not None and best.coverage.hits < best.coverage.total:
        least = numbers.cut(best.threshold, best.refused, style.digits)
        yield (
            f"to be right {numbers.confidence(TARGET)} of the time on these images, accept "
            f"{numbers.fraction(best.coverage)} answers: those of confidence {least} and above"
        )


def _coverages(calibration: Calibration, style: Style) -> Iterator[Line]:
    yield style.line((f"{INDENT * 2}most confident    accuracy", "light"))
    for share, ratio in calibration.coverages:
        name = right(numbers.confidence(share), 14)
        yield style.line(f"{INDENT * 2}{name}    {numbers.counted(ratio, style.digits)}")


def _bins(bins: tuple[Bin, ...], style: Style) -> Iterator[Line]:
    heads = f"{left('confidence', 12)}{right('answers', 9)}{right('mean', 9)}{right('correct', 9)}"
    yield style.line((f"{INDENT * 2}{heads}", "light"))
    room = max(0, min(_BAR, style.width - width(heads) - 2 * len(INDENT) - 2))
    for one in bins:
        if not one.count:
            continue
        span = left(f"{one.low:.2g}–{one.high:.2g}", 12)
        mean = right(numbers.score(one.mean_confidence, style.digits), 9)
        correct = right(numbers.score(one.accuracy, style.digits), 9)
        bar = "█" * round(room * (one.accuracy.value or 0))
        figures = f"{INDENT * 2}{span}{right(numbers.count(one.count), 9)}{mean}{correct}"
        yield style.line(figures, *([("  " + bar, "cyan")] if bar else ()))


def _warnings(calibration: Calibration) -> Iterator[str]:
    if calibration.missing is not None:
        yield calibration.missing
    mass = calibration.label_mass
    if mass is not None and mass < LOW_MASS:
        yield (
            f"on average the labels had {numbers.percent(mass)} of the probability before they "
            f"were normalised: something else was likelier"
        )
    if calibration.shared is not None and calibration.shared >= SHARED:
        yield (
            f"on average {numbers.percent(calibration.shared)} of the probability is of labels "
            "that the tokens do not tell apart, and is shared among them: no confidence "
            "depends on it, but the Brier score does"
        )
    another = calibration.named_another
    if another.hits:
        yield (
            f"{numbers.plural(another.hits, 'answer names', 'answers name')} another label than "
            f"the most probable one (sampled, or forced token by token)"
        )
