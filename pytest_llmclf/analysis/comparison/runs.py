"""Two runs, compared evaluation by evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, Literal

from pytest_llmclf.analysis.comparison.margin import judge_margins
from pytest_llmclf.analysis.comparison.paired_comparison import compare_reports
from pytest_llmclf.errors import SettingsError, nearest, some_of
from pytest_llmclf.metrics.significance import holm

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_llmclf.analysis.comparison.margin import Margin, MarginVerdict
    from pytest_llmclf.analysis.comparison.paired_comparison import Comparison
    from pytest_llmclf.metrics.report import Report

ComparedWord = Literal[
    "worse", "undecided", "better", "within the margin", "same answers", "difference not shown"
]
"""What a comparison comes to, in a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Two reports of one evaluation: of two runs, or of two models in one.

    Attributes:
        before: The report in run A, or of the model asked first.
        now: The report in run B, or of the other model.
        comparison: The second held against the first.
        p_value: Of the comparison, for all that are compared with it (Holm).
        names: What both are called.
        tests: How many are compared; what is refused is not tested.
        margin: What decides instead of that test, where a margin is stated.
    """

    before: Report
    now: Report
    comparison: Comparison
    p_value: float
    names: tuple[str, str] = ("A", "B")
    tests: int = 1
    margin: MarginVerdict | None = None

    @property
    def worse(self) -> bool:
        """Whether B is worse beyond what chance explains, however many are compared.

        With a margin: whether it is worse by that much.
        """
        return self.word == "worse"

    @property
    def undecided(self) -> bool:
        """Whether the runs say too little: refused, without an answer, or of an open margin.

        Also where B lost significantly, and an unseen group may turn that round.
        """
        found = self.comparison
        if self.margin is not None and self.margin.word == "INCONCLUSIVE":
            return True
        lost = self.word == "undecided" and found.net_loss > 0
        refused = found.refused is not None or not found.common
        return refused or bool(found.unanswered) or lost

    @property
    def word(self) -> ComparedWord:
        """What it comes to; a loss that is found outweighs what is not known."""
        return word_of(self.comparison, self.p_value, self.margin)


def word_of(
    comparison: Comparison, p_value: float, margin: MarginVerdict | None = None
) -> ComparedWord:
    """What a comparison comes to, given its p-value, and what it says of a margin, with others."""
    if comparison.refused is not None or not comparison.common:
        return "undecided"
    direction = comparison.direction(p_value)
    worse, uncertain = direction == "worse", direction == "open"
    if margin is not None:
        worse, uncertain = margin.word == "FAIL", margin.word == "INCONCLUSIVE"
    words: tuple[tuple[bool, ComparedWord], ...] = (
        (worse, "worse"),
        (bool(comparison.unanswered) or uncertain, "undecided"),
        (direction == "better", "better"),
        (not comparison.changes and not comparison.otherwise, "same answers"),
        (margin is not None, "within the margin"),
    )
    return next((word for holds, word in words if holds), "difference not shown")


def compare_all(
    chosen: Sequence[tuple[Report, Report]], margin: Margin | None = None
) -> tuple[Compared, ...]:
    """Compare each pair, with p-values, and verdicts on a margin, for all of them at once."""
    comparisons = [compare_reports(before, now) for before, now in chosen]
    verdicts: Sequence[MarginVerdict | None] = [None] * len(comparisons)
    if margin is not None:
        verdicts = judge_margins(comparisons, margin)
    tests = sum(comparison.refused is None for comparison in comparisons)
    return tuple(
        Compared(
            before=before,
            now=now,
            comparison=comparison,
            p_value=p_value,
            tests=tests,
            margin=verdict,
        )
        for (before, now), comparison, p_value, verdict in zip(
            chosen, comparisons, adjusted_p_values(comparisons), verdicts, strict=True
        )
    )


def adjusted_p_values(comparisons: Iterable[Comparison]) -> tuple[float, ...]:
    """P-values for all of these comparisons together (Holm); a refused one is no test."""
    listed = list(comparisons)
    tested = iter(holm([each.p_value for each in listed if each.refused is None]))
    return tuple(1.0 if each.refused is not None else next(tested) for each in listed)


_OTHERS: Final = "name two runs of one evaluation (the same name= or dataset)"


def choose(
    before: Sequence[Report],
    now: Sequence[Report],
    evaluations: Sequence[str] = (),
    models: Sequence[str] = (),
) -> tuple[list[tuple[Report, Report]], list[str]]:
    """Which reports of two runs belong together, and what is left out.

    In each evaluation: the only models of both runs, whatever they are called; else the models
    that have the same name in both, each variant with itself.

    Args:
        before: Reports of run A.
        now: Reports of run B.
        evaluations: Names of evaluations; default: all that both runs have.
        models: Patterns of models, or of ``MODEL|VARIANT``; ``A=`` or ``B=`` before one that is
            meant for one run alone.

    Raises:
        SettingsError: Nothing is left to compare; says what there is.
    """
    common = [name for name in _names(before) if name in _names(now)]
    notes = _check_evaluations(evaluations, common, before, now)
    sides = (_of_models(before, models, "A"), _of_models(now, models, "B"))
    chosen: list[tuple[Report, Report]] = []
    for name in (one for one in common if not evaluations or one in evaluations):
        first, second = (
            {report.configuration: report for report in side if report.evaluation == name}
            for side in sides
        )
        if len(first) == len(second) == 1:
            chosen += zip(first.values(), second.values(), strict=True)
            continue
        chosen += [(first[one], second[one]) for one in first if one in second]
        notes += [
            f"{name} on {one} is in one run only: not compared"
            for one in sorted(first.keys() ^ second.keys())
        ]
    if not chosen:
        raise SettingsError(
            "the runs have no evaluation of one model in common: "
            f"A has {_listed(sides[0])}; B has {_listed(sides[1])}; "
            + ("choose with --model A=NAME --model B=NAME" if common else _OTHERS)
        )
    return chosen, notes


def _check_evaluations(
    wanted: Sequence[str], common: Sequence[str], before: Sequence[Report], now: Sequence[Report]
) -> list[str]:
    """Refuse names that are not in both runs; which are in one alone, where none is named."""
    for name in wanted:
        if name not in common:
            raise SettingsError(
                f"--evaluation {name!r} is not in both runs; "
                f"A has {some_of(_names(before)) or 'none'}; "
                f"B has {some_of(_names(now)) or 'none'}{nearest(name, common)}"
            )
    return [
        f"{name} is in run {side} only: not compared"
        for side, here, there in (("A", before, now), ("B", now, before))
        for name in _names(here)
        if name not in _names(there) and not wanted
    ]


def _of_models(reports: Sequence[Report], models: Sequence[str], side: str) -> list[Report]:
    """The reports of one run on the models that are asked for."""
    wanted = [
        text.removeprefix(f"{side}=")
        for text in models
        if text.startswith(f"{side}=") or not text.startswith(("A=", "B="))
    ]
    for pattern in wanted:
        if not any(meant(report, pattern) for report in reports):
            known = list(dict.fromkeys(map(_written, reports)))
            raise SettingsError(
                f"--model {pattern!r} is not in run {side}; "
                f"it has {some_of(known) or 'none'}{nearest(pattern, known)}"
            )
    return [
        report
        for report in reports
        if not wanted or any(meant(report, pattern) for pattern in wanted)
    ]


def meant(report: Report, pattern: str) -> bool:
    """Whether a shell-style pattern is that of its model, or of ``MODEL|VARIANT``.

    With the backend's name or without.
    """
    names = (report.model, _written(report))
    return any(
        fnmatchcase(name, pattern) or fnmatchcase(name.partition(":")[2], pattern) for name in names
    )


def _written(report: Report) -> str:
    """Its model, and its variant where there is one, as test ids and ``--model`` have them."""
    return f"{report.model}|{report.variant}" if report.variant else report.model


def _names(reports: Sequence[Report]) -> list[str]:
    return list(dict.fromkeys(report.evaluation for report in reports))


def _listed(reports: Sequence[Report]) -> str:
    return (
        ", ".join(f"{report.evaluation} on {report.configuration}" for report in reports) or "none"
    )
