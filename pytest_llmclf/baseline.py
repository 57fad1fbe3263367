"""The committed predictions, and whether this run is worse: a paired comparison, image by image."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import comb
from typing import TYPE_CHECKING

from pytest_llmclf.render.predictions import parse_predictions

if TYPE_CHECKING:
    from pytest_llmclf.render.predictions import PredictionsRecord

SIGNIFICANCE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """This run's predictions against the committed ones, on the images that both have.

    Attributes:
        common: How many images both have.
        broken: Correct before, not any more.
        fixed: Not correct before, correct now.
        changed: Wrong before and now, but in another way.
        new: Images that the committed predictions do not have.
        missing: Committed images that this run did not ask about.
        refused: Why the two cannot be compared at all, with the remedy; else ``None``.
    """

    common: int
    broken: tuple[str, ...]
    fixed: tuple[str, ...]
    changed: tuple[str, ...]
    new: tuple[str, ...]
    missing: tuple[str, ...]
    refused: str | None = None

    @property
    def p_value(self) -> float:
        """Exact two-sided McNemar test on broken against fixed.

        McNemar 1947, exact form: under no change each flip is as likely either way, so the
        broken among all flips are Binomial(flips, 1/2).
        """
        return mcnemar_exact(len(self.broken), len(self.fixed))

    @property
    def worse(self) -> bool:
        """Whether more broke than was fixed, beyond what chance explains at the 5% level."""
        return len(self.broken) > len(self.fixed) and self.p_value < SIGNIFICANCE

    @property
    def identical(self) -> bool:
        """Whether nothing at all changed."""
        return not (self.broken or self.fixed or self.changed or self.new or self.missing)

    def summary(self) -> str:
        """One line."""
        if self.refused is not None:
            return self.refused
        if not (self.broken or self.fixed or self.changed):
            return f"{self.common} predictions as committed"
        return (
            f"{len(self.broken)} broken, {len(self.fixed)} fixed, {len(self.changed)} wrong in "
            f"another way, of {self.common} (McNemar p = {self.p_value:.3g})"
        )


def mcnemar_exact(broken: int, fixed: int) -> float:
    """Two-sided exact p-value of `broken` flips one way and `fixed` the other; 1 without flips."""
    flips = broken + fixed
    tail: int = sum(comb(flips, count) for count in range(min(broken, fixed) + 1))
    # Whole numbers until the last step: powers of two outgrow a float at 1,024 flips.
    return min(1.0, float(Fraction(2 * tail, 2**flips)))


def compare(current: str, committed: str, *, subset: bool = False) -> Comparison:
    """Compare two texts of predictions.

    Args:
        current: This run's.
        committed: The baseline's.
        subset: Whether this run left images out on purpose; they are then not missed.
    """
    now, before = parse_predictions(current), parse_predictions(committed)
    common = [case for case in now.predictions if case in before.predictions]
    flips: dict[str, list[str]] = {"broken": [], "fixed": [], "changed": []}
    for case in common:
        ours, theirs = now.predictions[case], before.predictions[case]
        if ours.correct != theirs.correct:
            flips["fixed" if ours.correct else "broken"].append(case)
        elif ours.said != theirs.said:
            flips["changed"].append(case)
    missing = () if subset else tuple(set(before.predictions) - set(now.predictions))
    return Comparison(
        common=len(common),
        broken=tuple(flips["broken"]),
        fixed=tuple(flips["fixed"]),
        changed=tuple(flips["changed"]),
        new=tuple(case for case in now.predictions if case not in before.predictions),
        missing=tuple(sorted(missing)),
        refused=_why_refused(now, before, subset=subset),
    )


def _why_refused(now: PredictionsRecord, before: PredictionsRecord, *, subset: bool) -> str | None:
    remedy = "review the change and commit new predictions with --snapshot-update"
    for what in ("format", "evaluation", "model"):
        if now.head.get(what) != before.head.get(what):
            return (
                f"the committed predictions are of another {what} "
                f"({before.head.get(what)} instead of {now.head.get(what)}); {remedy}"
            )
    if not subset and now.head.get("dataset") != before.head.get("dataset"):
        return (
            f"the committed predictions are of another image set ({before.head.get('dataset')} "
            f"instead of {now.head.get('dataset')}); {remedy}"
        )
    return None
