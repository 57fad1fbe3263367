"""The models of one run, compared in pairs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from pytest_llmclf.analysis.comparison.paired_comparison import compare_reports
from pytest_llmclf.metrics.significance import holm

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_llmclf.analysis.comparison.paired_comparison import Comparison
    from pytest_llmclf.metrics.report import Report

MOST_PAIRS = 10
"""Most pairs of models compared in one evaluation: all of five models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedModels:
    """Two models that answered the same evaluation.

    Attributes:
        first: The model asked first.
        second: The other one.
        comparison: The second held against the first.
        p_value: Of the comparison, for all pairs compared with it (Holm).
        pairs: How many those are; what is refused is not tested.
    """

    first: Report
    second: Report
    comparison: Comparison
    p_value: float
    pairs: int


def pairs(reports: Sequence[Report], most: int = MOST_PAIRS) -> list[tuple[Report, Report]]:
    """For each evaluation with two or more models: all pairs, in the order asked.

    Where these are more than `most`, the first model against each of the others: who wants
    another pair compares the runs.
    """
    found: list[tuple[Report, Report]] = []
    for evaluation in dict.fromkeys(report.evaluation for report in reports):
        models = [report for report in reports if report.evaluation == evaluation]
        every = list(combinations(models, 2))
        found += every if len(every) <= most else [(models[0], other) for other in models[1:]]
    return found


def compare_models(reports: Sequence[Report]) -> tuple[PairedModels, ...]:
    """Every pair of `pairs`, with p-values for all pairs of the same evaluation."""
    found = []
    chosen = pairs(reports)
    for evaluation in dict.fromkeys(first.evaluation for first, _ in chosen):
        two = [pair for pair in chosen if pair[0].evaluation == evaluation]
        comparisons = [compare_reports(*pair) for pair in two]
        adjusted = adjusted_p_values(comparisons)
        tested = sum(each.refused is None for each in comparisons)
        found += [
            PairedModels(first=first, second=second, comparison=each, p_value=p_value, pairs=tested)
            for (first, second), each, p_value in zip(two, comparisons, adjusted, strict=True)
        ]
    return tuple(found)


def adjusted_p_values(comparisons: Iterable[Comparison]) -> tuple[float, ...]:
    """P-values for all of these comparisons together (Holm); a refused one is no test."""
    listed = list(comparisons)
    tested = iter(holm([each.p_value for each in listed if each.refused is None]))
    return tuple(1.0 if each.refused is not None else next(tested) for each in listed)
