"""Paired comparisons as JSON built-ins, for other programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pytest_llmclf.analysis.comparison.paired_comparison import CHANGE_KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.analysis.comparison.paired_comparison import Comparison
    from pytest_llmclf.analysis.comparison.score_differences import ScoreDifference


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """A comparison as JSON built-ins; undefined numbers are null."""
    ends = comparison.interval
    return {
        "refused": comparison.refused,
        "notes": list(comparison.notes),
        "provenance": None if comparison.provenance is None else asdict(comparison.provenance),
        "images": comparison.common,
        "correct": [comparison.before.hits, comparison.now.hits],
        "difference": comparison.difference,
        "interval": None if ends is None else [ends.low, ends.high],
        "confidence": None if ends is None else ends.confidence,
        "p_value": comparison.p_value,
        "test": comparison.test,
        "group": comparison.group,
        "clusters": len(set(comparison.clusters)) if comparison.clusters else None,
        **{
            kind: [
                {"case": each.case, "expected": each.expected, "was": each.was, "now": each.now}
                for each in comparison.of_kind(kind)
            ]
            for kind in CHANGE_KINDS
        },
        "new": list(comparison.new),
        "missing": list(comparison.missing),
        "unanswered": list(comparison.unanswered),
        "not_asked": list(comparison.not_asked),
        "elsewhere": list(comparison.elsewhere),
        "answers": [asdict(one) for one in comparison.answers],
    }


def scores_json(scores: Sequence[ScoreDifference]) -> list[dict[str, Any]]:
    """Scores of both sides and their differences as JSON built-ins."""
    return [
        {
            "name": one.name,
            "scores": [one.before, one.now],
            "difference": one.difference,
            "interval": None if one.interval is None else [one.interval.low, one.interval.high],
        }
        for one in scores
    ]
