"""Before any question: how many images a gate or a baseline takes, as the rows of a table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from pytest_llmclf.analysis.comparison.flips import SIGNIFICANCE
from pytest_llmclf.errors import SettingsError
from pytest_llmclf.gates.reading import asked_for, unit_of
from pytest_llmclf.gates.threshold import EVERY
from pytest_llmclf.metrics.calibration.coverage import accepted_of, answers_for
from pytest_llmclf.metrics.metric import Share
from pytest_llmclf.metrics.metric_table import METRICS
from pytest_llmclf.metrics.power import (
    MOST_COMPARED,
    MOST_IMAGES,
    images_for_loss,
    images_to_pass,
    loss_chance,
    pass_chance,
    passes_from,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.gates.gate import Gate
    from pytest_llmclf.gates.threshold import Threshold

SIZES: Final = (50, 100, 200, 500, 1000, 2000)
"""Numbers of images whose chances are shown, unless told otherwise."""
LOSSES: Final = (0.01, 0.02, 0.03, 0.05, 0.1)
"""True losses of accuracy that are looked at, unless told otherwise."""
_RULE: Final = (
    "The comparison fails where more images broke than were fixed, and chance alone would make "
    f"such a difference in less than {100 * SIGNIFICANCE:g}% of runs (McNemar's exact test). A "
    f"change that makes no difference fails in at most {100 * SIGNIFICANCE / 2:g}% of runs."
)
_ONE_LOOK: Final = (
    "This holds for one run over a number of images that was settled before, not for adding "
    "images until the gate passes."
)
_STEPS: Final = (0.2, 0.4, 0.6, 0.8)
"""How far from the bound to the best value the truths lie that are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What comes of one truth.

    Attributes:
        truth: The true value, or the true loss, from 0 to 1.
        images: For every wanted chance how many images give it; ``None``: no number does.
        chances: For every size how likely so many images show it.
    """

    truth: float
    images: tuple[int | None, ...]
    chances: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Foresight:
    """A table of what numbers of images can show.

    Attributes:
        asked: What is asked, as a gate writes it.
        event: What the chances are of, such as ``the gate passes``.
        of: What is counted, such as ``images`` or ``images of each class``.
        truth: What the rows differ in.
        wanted: The chances whose numbers of images are told.
        sizes: The numbers of images whose chances are told.
        least: For every size the number that decides, such as of right images; ``None``: none.
        least_of: What that is a number of.
        rows: One a truth.
        notes: What else to know, one sentence each.
    """

    asked: str
    event: str
    of: str
    truth: str
    wanted: tuple[float, ...]
    sizes: tuple[int, ...]
    least: tuple[int | None, ...]
    least_of: str
    rows: tuple[Foreseen, ...]
    notes: tuple[str, ...] = ()


def foresee_gate(
    gate: Gate,
    *,
    truths: Sequence[float] = (),
    wanted: Sequence[float],
    sizes: Sequence[int] = SIZES,
    classes: int | None = None,
) -> Foresight:
    """How many images a threshold with confidence takes to pass.

    Args:
        gate: One threshold with confidence, of a share of images.
        truths: True values to look at; none: some between the bound and the best.
        wanted: How likely a PASS shall be.
        sizes: Numbers of images to look at.
        classes: How many classes ``[*]`` stands for; they are taken to be equally good.

    Raises:
        SettingsError: It has no such table, or a truth does not reach the bound.
    """
    threshold = _one_trial(gate, classes)
    alpha = 1 - (gate.parsed.confidence or 0.0)
    several = classes or 1
    chosen = tuple(truths) or tuple(_between(threshold, step) for step in _STEPS)
    bound = _as_share(threshold, threshold.number)
    accepted = [accepted_of(size, threshold.coverage) for size in sizes]

    def row(truth: float) -> Foreseen:
        rate = _reaching(threshold, truth)
        images = (
            images_to_pass(bound, rate, alpha=alpha, chance=one ** (1 / several)) for one in wanted
        )
        chances = (pass_chance(answers, bound, rate, alpha) ** several for answers in accepted)
        return Foreseen(
            truth=truth,
            images=tuple(one and answers_for(one, threshold.coverage) for one in images),
            chances=tuple(chances),
        )

    rows = tuple(map(row, chosen))
    good = [f"It passes where all {several} classes pass, here all of them equally good."]
    return Foresight(
        asked=asked_for(threshold, gate.certainty([""] * several)),
        event="the gate passes",
        of=_unit(threshold),
        truth=f"true {threshold.metric}",
        wanted=tuple(wanted),
        sizes=tuple(sizes),
        least=tuple(_least(threshold, answers, bound, alpha) for answers in accepted),
        least_of=_least_of(threshold),
        rows=rows,
        notes=(_ONE_LOOK, *good * (several > 1), *_not_found(rows, MOST_IMAGES)),
    )


def foresee_baseline(
    *,
    losses: Sequence[float] = LOSSES,
    fixed: float = 0.0,
    wanted: Sequence[float],
    sizes: Sequence[int] = SIZES,
) -> Foresight:
    """How many images a comparison with committed predictions takes to see a loss.

    Args:
        losses: True losses of accuracy, from 0 to 1.
        fixed: Share of the images that are right only now, though the model got worse.
        wanted: How likely the comparison shall fail.
        sizes: Numbers of images to look at.
    """
    impossible = next((loss for loss in losses if not 0 < loss <= 1 - 2 * fixed), None)
    if impossible is not None:
        raise SettingsError(
            f"a loss of {100 * impossible:g} points with {100 * fixed:g} points fixed is not "
            "possible: of 100 images at most 100 flip"
        )
    needed = partial(images_for_loss, fixed=fixed, alpha=SIGNIFICANCE)
    seen = partial(loss_chance, fixed=fixed, alpha=SIGNIFICANCE)
    rows = [
        Foreseen(
            truth=loss,
            images=tuple(needed(loss, chance=one) for one in wanted),
            chances=tuple(seen(size, loss) for size in sizes),
        )
        for loss in losses
    ]
    return Foresight(
        asked="report.predictions == baseline, the comparison with committed predictions",
        event="the comparison fails, as it should,",
        of="images",
        truth="true loss",
        wanted=tuple(wanted),
        sizes=tuple(sizes),
        least=(),
        least_of="",
        rows=tuple(rows),
        notes=(
            _RULE,
            f"The table is for a change that {_change(fixed)}.",
            *_not_found(rows, MOST_COMPARED),
        ),
    )


def _change(fixed: float) -> str:
    """What a change does besides what it loses."""
    if fixed:
        return f"fixes {100 * fixed:g}% of the images, and breaks as many on top of the loss"
    return "fixes no image, so that all that it breaks is lost"


def _unit(threshold: Threshold) -> str:
    """What is counted."""
    if threshold.label == EVERY:
        return "images of each class"
    return unit_of(threshold).rstrip(",")


def _not_found(rows: Sequence[Foreseen], most: int) -> list[str]:
    if all(one is not None for row in rows for one in row.images):
        return []
    return [f"Where no number of images stands, more than {most:,} are needed, if any are enough."]


def _one_trial(gate: Gate, classes: int | None) -> Threshold:
    if len(gate.parsed.thresholds) > 1:
        raise SettingsError(f"{gate.expression!r} has several thresholds: plan one at a time")
    (threshold,) = gate.parsed.thresholds
    if not isinstance(threshold.spec.bound, Share):
        shares = [name for name, metric in METRICS.items() if isinstance(metric.bound, Share)]
        raise SettingsError(
            f"{threshold.subject} is no share of images, so that its chance depends on more than "
            f"its value; plan one of {', '.join(shares)}"
        )
    if gate.parsed.confidence is None:
        raise SettingsError(
            f"{threshold.text!r} is about the images that there are, however many: write "
            f"'{threshold.text} with 95% confidence' to plan for images like these"
        )
    if (threshold.label == EVERY) != (classes is not None):
        wrong = "needs" if classes is None else "takes no"
        raise SettingsError(f"{threshold.subject} {wrong} --classes: how many there are of [*]")
    return threshold


def _between(threshold: Threshold, step: float) -> float:
    best = 1.0 if threshold.upwards else 0.0
    return round(threshold.number + step * (best - threshold.number), 4)


def _as_share(threshold: Threshold, value: float) -> float:
    """The value as a share of images that speak for the claim."""
    if threshold.spec.kind == "f1":
        # Of images that show the class or are called so; see `gate.evidence`.
        value = value / (2 - value)
    return value if threshold.upwards else 1 - value


def _reaching(threshold: Threshold, truth: float) -> float:
    """A true value as a share of images that speak for the claim, if it reaches the bound."""
    rate = _as_share(threshold, truth)
    if not rate > _as_share(threshold, threshold.number):
        side = "above" if threshold.upwards else "below"
        raise SettingsError(
            f"a true {threshold.metric} of {truth:g} is not {side} {threshold.number:g}: "
            "no number of images shows it"
        )
    return rate


def _least(threshold: Threshold, answers: int, bound: float, alpha: float) -> int | None:
    """The number of so many answers that decides; ``None``: not even all of them do."""
    speaking = passes_from(answers, bound, alpha)
    if speaking > answers:
        return None
    return speaking if threshold.upwards else answers - speaking


def _least_of(threshold: Threshold) -> str:
    what = "unparsed" if threshold.spec.counts == "unparsed" else "right"
    return f"must be {what}" if threshold.upwards else f"may be {what}"
