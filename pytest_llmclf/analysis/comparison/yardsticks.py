"""Models held against classical classifiers on the same images: is an LLM needed at all?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_llmclf.analysis.comparison.paired_comparison import compare_reports
from pytest_llmclf.metrics.cost import latency
from pytest_llmclf.models.yardstick.kinds import learnt_elsewhere, yardstick_title

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.analysis.comparison.paired_comparison import Comparison
    from pytest_llmclf.metrics.report import Report

_LANGUAGE_MODELS: Final = ("ollama", "openai", "llamacpp")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldAgainst:
    """A yardstick held against a model that is none.

    Attributes:
        evaluation: Of both.
        model: The other one.
        yardstick: The yardstick as written.
        title: What people call its classifier.
        train: The dataset that it has learnt from; empty: the very set, out of fold.
        comparison: The yardstick against the model.
        shown: How many labelled images go with every question to the model.
        known: Whether it is a language model, to which the labels were not given; what another
            program has learnt from is not known here.
        time_ratio: Median time of the model's answers over that of the yardstick's, which has a
            share of its training; ``None`` where a side does not tell.
    """

    evaluation: str
    model: str
    yardstick: str
    title: str
    train: str
    comparison: Comparison
    shown: int
    known: bool
    time_ratio: float | None


def held_against(reports: Sequence[Report]) -> tuple[HeldAgainst, ...]:
    """Every model that is no yardstick with every yardstick of its evaluation, in their order."""
    found = []
    for report in reports:
        title = yardstick_title(report.model)
        if title is None:
            continue
        found += [
            HeldAgainst(
                evaluation=report.evaluation,
                model=other.task.configuration,
                yardstick=report.model,
                title=title,
                train=learnt_elsewhere(report.model),
                comparison=compare_reports(other, report),
                shown=_shown(other),
                known=other.model.partition(":")[0] in _LANGUAGE_MODELS,
                time_ratio=_time_ratio(other, report),
            )
            for other in reports
            if other.evaluation == report.evaluation and yardstick_title(other.model) is None
        ]
    return tuple(found)


def _shown(report: Report) -> int:
    told = report.full_instructions
    return 0 if told is None else len(told.examples)


def _time_ratio(model: Report, yardstick: Report) -> float | None:
    long, short = (latency(report, 0.5).value for report in (model, yardstick))
    return long / short if long is not None and short else None
