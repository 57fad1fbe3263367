"""The committed predictions, and whether this run is worse: a paired comparison, image by image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmclf.comparison import (
    Comparison,
    Tolerance,
    compare_predictions,
    relabelled,
)
from pytest_llmclf.provenance import compare_provenance
from pytest_llmclf.render.predictions import parse_predictions

if TYPE_CHECKING:
    from pytest_llmclf.render.predictions import PredictionsRecord

_UPDATE = "review the change and commit new predictions with --snapshot-update"


def compare(current: str, committed: str, *, subset: bool = False) -> Comparison:
    """Compare two texts of predictions.

    Args:
        current: This run's. Images that it did not ask about since it stopped early are compared
            with nothing, and are not missed.
        committed: The baseline's.
        subset: Whether this run left images out on purpose; they are then not missed.
    """
    now = parse_predictions(current)
    try:
        before = parse_predictions(committed)
    except ValueError as error:
        return Comparison(
            cases=(),
            correct=0,
            changes=(),
            refused=f"the committed predictions cannot be read: {error}; {_UPDATE}",
        )
    return compare_predictions(
        before.predictions,
        now.predictions,
        partial_now=subset,
        refused=_why_refused(now, before, subset=subset),
        provenance=compare_provenance(
            before.provenance, now.provenance, images=_same_images(now, before, subset=subset)
        ),
    )


def why_failed(comparison: Comparison, tolerance: Tolerance | None = None) -> str | None:
    """Why a comparison with committed predictions fails, in one line; ``None`` if it passes."""
    loss, common = comparison.net_loss, comparison.common
    reasons = (
        (comparison.refused is not None, comparison.refused),
        (comparison.missing, f"committed images not asked about: {len(comparison.missing)}"),
        (comparison.unanswered, f"images without an answer: {len(comparison.unanswered)}"),
        (common == 0, "there is no image to compare"),
        (comparison.worse, f"a net loss of {loss} is more than chance explains"),
        (
            tolerance is not None and not tolerance.allows(loss, common),
            f"a net loss of {loss} exceeds the tolerance of {tolerance}",
        ),
    )
    return next((text for holds, text in reasons if holds), None)


def summary(comparison: Comparison, tolerance: Tolerance | None = None) -> str:
    """What a comparison with committed predictions came to, in one line."""
    if comparison.refused is not None:
        return comparison.refused
    change = comparison.provenance
    begin = [change.brief] if change is not None and change.brief else []
    why = why_failed(comparison, tolerance)
    parts = [*begin, comparison.summary()]
    if why is not None:
        parts.append(why)
    elif comparison.better:
        parts.append("significantly better: commit it with --snapshot-update")
    elif comparison.changes:
        parts.append(
            "no net loss" if comparison.net_loss <= 0 else "no more loss than chance explains"
        )
    return "; ".join([*parts, *comparison.notes])


def _same_images(now: PredictionsRecord, before: PredictionsRecord, *, subset: bool) -> bool | None:
    """By the digest of the image set; that of a sample is its own and tells nothing."""
    if now.head.get("dataset") == before.head.get("dataset"):
        return True
    return None if subset else False


def _why_refused(now: PredictionsRecord, before: PredictionsRecord, *, subset: bool) -> str | None:
    for what in ("format", "evaluation", "model"):
        if now.head.get(what) != before.head.get(what):
            return (
                f"the committed predictions are of another {what} "
                f"({before.head.get(what)} instead of {now.head.get(what)}); {_UPDATE}"
            )
    labels = relabelled(before.predictions, now.predictions)
    if labels is not None:
        return f"the committed predictions are of other labels: {labels}; {_UPDATE}"
    # The digest of a sample is its own, so that its images can only be looked up by name.
    strangers = now.predictions.keys() - before.predictions.keys()
    if (subset and strangers) or (
        not subset and now.head.get("dataset") != before.head.get("dataset")
    ):
        return (
            f"the committed predictions are of another image set ({before.head.get('dataset')} "
            f"instead of {now.head.get('dataset')}); {_UPDATE}"
        )
    return None
