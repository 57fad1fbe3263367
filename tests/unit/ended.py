"""Outcomes for tests of what they add up to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llmclf.values.outcome import Outcome

if TYPE_CHECKING:
    from pytest_llmclf.values.outcome import OutcomeKind


def ended(case: str, kind: OutcomeKind, expected: str = "cat", **more: Any) -> Outcome:
    """An outcome of the evaluation ``pets``; correct ones predict what was expected."""
    if kind in {"correct", "misclassified"}:
        more.setdefault("predicted", expected if kind == "correct" else "dog")
    return Outcome(
        evaluation="pets",
        model="ollama:llava",
        model_digest="",
        case=case,
        sha256="",
        expected=expected,
        kind=kind,
        **more,
    )
