"""The committed predictions, and whether this run is worse: a paired comparison, image by image.

A run that stopped early is never judged by the images that it happened to ask about: there the
question is what all of its images would come to (`sequential.paired`).
"""

from __future__ import annotations

import hashlib
import itertools
import math
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from pytest_llmclf.analysis.comparison.flips import SIGNIFICANCE
from pytest_llmclf.analysis.comparison.paired_comparison import (
    Comparison,
    compare_predictions,
)
from pytest_llmclf.analysis.comparison.predictions_file import parse_predictions, predictions_text
from pytest_llmclf.analysis.comparison.same_images import relabelled
from pytest_llmclf.errors import some_of
from pytest_llmclf.gates.sequential.paired import PairedQuestion
from pytest_llmclf.gates.sequential.rejudging import Foretold, foretell
from pytest_llmclf.metrics.power import loss_chance
from pytest_llmclf.metrics.significance import mcnemar_exact
from pytest_llmclf.values.provenance import compare_provenance
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pytest_llmclf.analysis.comparison.predictions_file import PredictionsRecord
    from pytest_llmclf.analysis.comparison.tolerance import Tolerance
    from pytest_llmclf.metrics.report import Report

LOSS: Final = 0.03
_MOSTLY: Final = 0.5
"""True loss of accuracy of which a comparison that passed says how often it is seen."""
_UPDATE = "review the change and commit new predictions with --snapshot-update"
_ANSWERS_FIRST = "new predictions can be committed once every image has an answer"


def compare(
    current: str,
    committed: str,
    *,
    subset: bool = False,
    clusters: Mapping[str, str] | None = None,
    group: str = "",
    taken_out: Collection[str] = (),
    left_out: Collection[str] = (),
) -> Comparison:
    """Compare two texts of predictions.

    Args:
        current: This run's. Images that it did not ask about since it stopped early are compared
            with nothing, and are not missed.
        committed: The baseline's.
        subset: Whether this run left images out on purpose; they are then not missed.
        clusters: By case, which images of this run are one piece of evidence.
        group: Tag whose values those are.
        taken_out: Images that this run does not judge since they are examples: they are compared
            with nothing, and are not missed.
        left_out: Images that people decided to leave out of the dataset.
    """
    now, part = parse_predictions(current), subset
    try:
        before = parse_predictions(committed)
    except ValueError as error:
        return Comparison(
            cases=(),
            correct=0,
            changes=(),
            refused=f"the committed predictions cannot be read: {error}; {_remedy(now)}",
        )
    kept = {case: one for case, one in before.predictions.items() if case not in taken_out}
    if len(kept) < len(before.predictions):
        # The digest of the committed images is that of others, as where a part is asked about.
        part = True
        before = replace(before, predictions=kept)
    return compare_predictions(
        before.predictions,
        now.predictions,
        partial_now=subset,
        clusters=clusters,
        group=group,
        refused=_why_refused(now, before, left_out, subset=part),
        provenance=compare_provenance(
            before.provenance, now.provenance, images=_same_images(now, before, subset=part)
        ),
    )


def fails(broken: int, fixed: int, common: int, tolerance: Tolerance | None) -> bool:
    """Whether a comparison of all images fails for its losses: the rule of `JudgedBaseline`.

    Args:
        broken: Images that were right before and are not now.
        fixed: Images that were not right before and are now.
        common: Images compared.
        tolerance: Largest net loss that passes, if one is stated.
    """
    loss = broken - fixed
    if loss <= 0:
        return False
    intolerable = tolerance is not None and not tolerance.allows(loss, common)
    return intolerable or mcnemar_exact(broken, fixed) < SIGNIFICANCE


def paired_question(
    report: Report, committed: str, *, subset: bool, tolerance: Tolerance | None
) -> PairedQuestion | str | None:
    """What a run that may stop early has to find out about committed predictions.

    Args:
        report: Of the run, answered or not: which images it is about.
        committed: The baseline's text.
        subset: Whether the run left images out on purpose.
        tolerance: Largest net loss that passes, if one is stated.

    Returns:
        The question; a line where it needs every image; ``None`` where no image can change what
        the comparison comes to, as with the predictions of another image set.
    """
    taken_out = report.dataset.taken_out
    found = compare(predictions_text(report), committed, subset=subset, taken_out=taken_out)
    if found.refused is not None or found.missing:
        return None
    if report.clusters:
        return "images in groups, and copies, are compared with the committed predictions as such"
    before = parse_predictions(committed).predictions
    right = {outcome.case: before[outcome.case].correct for outcome in report.outcomes}
    unanswered = sum(not before[case].answered for case in right)
    if unanswered:
        images = noun(unanswered, "image")
        return f"the committed predictions have {unanswered} {images} without an answer"
    return PairedQuestion(
        name=hashlib.sha256(committed.encode("utf-8", "surrogatepass")).hexdigest(),
        right=right,
        fails=partial(_fails, len(right), tolerance),
    )


def _fails(common: int, tolerance: Tolerance | None, broken: int, fixed: int) -> bool:
    return fails(broken, fixed, common, tolerance)


def foretell_baseline(
    report: Report, committed: str, *, subset: bool, tolerance: Tolerance | None
) -> Foretold | None:
    """What all images of a run that stopped early would say of the committed predictions.

    ``None`` where every image was asked, and where no image can change what the comparison comes
    to.
    """
    if not report.ledger.not_needed:
        return None
    question = paired_question(report, committed, subset=subset, tolerance=tolerance)
    if isinstance(question, PairedQuestion):
        return foretell(report, question)
    return None if question is None else Foretold(word="INCONCLUSIVE", text=question)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedBaseline:
    """What a run comes to beside committed predictions.

    Attributes:
        comparison: With the committed predictions.
        tolerance: Largest net loss that passes, if one is stated.
        foretold: What decides instead of the test: what all images of a run that stopped early
            would say (`foretell_baseline`), or what a margin comes to (`comparison.margin`).
    """

    comparison: Comparison
    tolerance: Tolerance | None = None
    foretold: Foretold | None = None

    @property
    def why_failed(self) -> str | None:
        """Why it fails, in one line; ``None`` if it passes."""
        comparison, foretold = self.comparison, self.foretold
        loss, common = comparison.net_loss, comparison.common
        left = len(comparison.not_asked)
        intolerable = self.tolerance is not None and not self.tolerance.allows(loss, common)
        exceeds = f"a net loss of {loss} exceeds the tolerance of {self.tolerance}"
        reasons = [
            (comparison.refused is not None, comparison.refused),
            (comparison.missing, f"committed images not asked about: {len(comparison.missing)}"),
            (comparison.unanswered, f"images without an answer: {len(comparison.unanswered)}"),
            (common == 0, "there is no image to compare"),
        ]
        if foretold is None:
            reasons += [
                (left, f"images not asked about: {left}; what they would say is not known"),
                (comparison.loss_shown, f"a net loss of {loss} is more than chance explains"),
                (intolerable, exceeds),
            ]
        else:
            reasons += [
                (foretold.word == "FAIL", foretold.text),
                # A tolerance is about these images, and so is beside a margin.
                (intolerable and not left, exceeds),
            ]
        return next((text for holds, text in reasons if holds), None)

    def summary(self) -> str:
        """What it came to, in one line."""
        comparison, why = self.comparison, self.why_failed
        if comparison.refused is not None:
            return comparison.refused
        change, better = comparison.provenance, comparison.direction() == "better"
        parts = [change.brief] if change is not None and change.brief else []
        parts.append(comparison.summary())
        if why is not None:
            parts.append(why)
        elif self.foretold is not None:
            parts.append(self.foretold.text)
        elif better:
            parts.append("significantly better: commit it with --snapshot-update")
        elif comparison.changes:
            parts.append(
                "no net loss"
                if comparison.net_loss <= 0
                else f"a net loss of {comparison.net_loss}, which chance alone may explain"
            )
        if why is None and not better and self.foretold is None:
            # What is told is of the test, which does not decide where a margin or a stopped run
            # does.
            parts += sensitivity(comparison, self.tolerance)
        return "; ".join([*parts, *comparison.notes])


def _same_images(now: PredictionsRecord, before: PredictionsRecord, *, subset: bool) -> bool | None:
    """By the digest of the images, or that of the dataset in a file of an earlier version.

    Those of a part of the images are their own and tell nothing.
    """
    for name in ("images", "dataset"):
        if before.head.get(name) and now.head.get(name) == before.head[name]:
            return True
    return None if subset else False


def sensitivity(comparison: Comparison, tolerance: Tolerance | None = None) -> list[str]:
    """What a comparison that passed could have seen, as parts of a sentence.

    How many broken images would have failed it with as many fixed as there are, and how often a
    true loss of `LOSS` fails on as many images like these, if as large a share of them is fixed.
    """
    images, fixed = comparison.common, len(comparison.fixed)
    if comparison.refused is not None or comparison.not_asked or not images:
        return []
    allowed = None
    if tolerance is not None:
        allowed = next(n for n in range(images, -1, -1) if n == 0 or tolerance.allows(n, images))
    least = next(
        broken for broken in itertools.count(fixed + 1) if fails(broken, fixed, images, tolerance)
    )
    with_fixed, right = f"{fixed or 'none'} fixed", comparison.before.hits
    if least > right:
        were = f"{right} {noun(right, 'was', 'were')} right"
        return [f"with {with_fixed} a loss cannot fail: it takes {least} broken, and {were}"]
    parts = [f"{least} broken and {with_fixed} would fail it"]
    if LOSS + 2 * fixed / images <= 1:
        seen = loss_chance(
            images, LOSS, fixed=fixed / images, alpha=SIGNIFICANCE, tolerance=allowed
        )
        unseen = ": so few images mostly miss it, see `llmclf plan baseline`"
        points = f"a true loss of {100 * LOSS:g} points"
        parts.append(f"{points} would fail {_share(seen)} of runs{unseen * (seen < _MOSTLY)}")
    return parts


def _share(chance: float) -> str:
    """In whole per cent, never more than it is."""
    whole = math.floor(100 * chance)
    if whole < 1:
        return "<1%"
    return f"{whole}%" if chance <= 0.99 else ">99%"  # noqa: PLR2004 - per cent


def _remedy(now: PredictionsRecord) -> str:
    answered = all(prediction.answered for prediction in now.predictions.values())
    return _UPDATE if answered else _ANSWERS_FIRST


def _why_refused(
    now: PredictionsRecord, before: PredictionsRecord, left_out: Collection[str], *, subset: bool
) -> str | None:
    for what in ("format", "evaluation", "model", "variant"):
        if now.head.get(what) != before.head.get(what):
            return (
                f"the committed predictions are of another {what} "
                f"({before.head.get(what)} instead of {now.head.get(what)}); {_remedy(now)}"
            )
    labels = relabelled(before.predictions, now.predictions)
    if labels is not None:
        return f"the committed predictions are of other labels: {labels}; {_remedy(now)}"
    # The digest of a sample is its own, so that its images can only be looked up by name.
    strangers = now.predictions.keys() - before.predictions.keys()
    gone = sorted(before.predictions.keys() - now.predictions.keys())
    if gone and not strangers and not subset and set(gone) <= set(left_out):
        images = noun(len(gone), "image", "images")
        return (
            f"the committed predictions have {len(gone)} {images} that people left out since, as "
            f"the decisions about labels say: {some_of(gone)}; {_remedy(now)}"
        )
    if (subset and strangers) or _same_images(now, before, subset=subset) is False:
        return (
            f"the committed predictions are of another image set ({before.head.get('dataset')} "
            f"instead of {now.head.get('dataset')}); {_remedy(now)}"
        )
    return None
