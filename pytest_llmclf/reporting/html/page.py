"""What a page shows: sections and comparisons, with all that follows from their reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.analysis.comparison.margin import judge_margin, stated_margin
from pytest_llmclf.analysis.label_review.review import label_reviews
from pytest_llmclf.analysis.leaderboard.pairs import compare_models
from pytest_llmclf.analysis.leaderboard.ranking import leaderboards
from pytest_llmclf.errors import some_of
from pytest_llmclf.reporting.html.thumbnails import ImageBudget
from pytest_llmclf.values.verdict import WORST_FIRST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from pytest_llmclf.analysis.comparison.margin import Margin, MarginVerdict
    from pytest_llmclf.analysis.comparison.paired_comparison import Comparison
    from pytest_llmclf.analysis.comparison.runs import Compared
    from pytest_llmclf.analysis.label_review.review import LabelReview
    from pytest_llmclf.analysis.leaderboard.ranking import Leaderboard
    from pytest_llmclf.gates.gate import Gate
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.outcome import TaskName
    from pytest_llmclf.values.verdict import Verdict

    FindImage = Callable[[str, str], Path | None]

_NAMED: Final = 3
"""Evaluations that a title names."""


FULL_PAIRS = 10
"""Most pairs of models of one evaluation with diff, interval and scores: all of five models. Of the
others the page has counts, p-value and images."""


def no_image(evaluation: str, case: str) -> Path | None:  # noqa: ARG001 - a `FindImage`
    """Knows the file of no image."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One evaluation on one model; what else is said about it follows from its report.

    Attributes:
        name: What it is called where one chooses among several; each name once a page.
        report: The report.
        verdicts: What its gates came to.
        gates: Those that a run that may stop early was watched with.
    """

    name: str
    report: Report
    verdicts: tuple[Verdict, ...] = ()
    gates: tuple[Gate, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A paired comparison.

    Attributes:
        names: What both sides are called, the one held against first.
        what: What is compared: ``baseline``, ``models`` or ``runs``.
        comparison: The comparison.
        now: Report of the second side; one on the page.
        before: Report of the first side, on the page too; ``None`` where only its predictions are
            known, as of a committed baseline.
        p_value: Of the comparison together with others; default: its own.
        tests: How many comparisons that p-value is for.
        margin: What a margin that was stated comes to, which then decides.
    """

    names: tuple[str, str]
    what: str
    comparison: Comparison
    now: Report
    before: Report | None = None
    p_value: float | None = None
    tests: int = 1
    margin: MarginVerdict | None = None

    @classmethod
    def of(cls, found: Compared, what: str) -> Pair:
        """Two reports that are both on the page."""
        return cls(
            names=found.names,
            what=what,
            comparison=found.comparison,
            before=found.before,
            now=found.now,
            p_value=found.p_value,
            tests=found.tests,
            margin=found.margin,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a page shows.

    Attributes:
        title: Of the page.
        sections: One an evaluation and model.
        pairs: What is compared with what.
        boards: Leaderboards of evaluations with several of these sections.
        settings: What was asked for, as JSON built-ins; must hold no secret.
        environment: What ran it, as JSON built-ins; must hold no secret.
        images: Tells the file of an image by evaluation and case id; ``None``: it has none.
        budget: How much of the page they may take.
        reviews: Labels in doubt, one a dataset.
        desk: Name of the page for reviewing beside it; empty: there is none yet.
    """

    title: str
    sections: tuple[Section, ...]
    pairs: tuple[Pair, ...] = ()
    boards: tuple[Leaderboard, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    images: FindImage = no_image
    budget: ImageBudget = field(default_factory=ImageBudget)
    reviews: tuple[LabelReview, ...] = ()
    desk: str = ""

    def __post_init__(self) -> None:
        """Refuse a comparison of what is not on the page."""
        shown = {id(section.report) for section in self.sections}
        for pair in self.pairs:
            sides = [side for side in (pair.before, pair.now) if side is not None]
            if any(id(side) not in shown for side in sides):
                raise ValueError(
                    f"{pair.names[0]} and {pair.names[1]} are compared, but the report of one of "
                    "them is not among the page's sections: add it"
                )


def page_of(
    reports: Sequence[Report],
    verdicts: Sequence[Verdict] = (),
    *,
    title: str = "",
    baselines: Mapping[TaskName, Comparison] | None = None,
    gates: Mapping[str, Sequence[Gate]] | None = None,
    settings: Mapping[str, Any] | None = None,
    environment: Mapping[str, Any] | None = None,
    images: FindImage = no_image,
    budget: ImageBudget | None = None,
    desk: str = "",
) -> Page:
    """The page of a run, with its models compared and ranked, and its labels reviewed.

    Args:
        reports: What was found, one an evaluation and model.
        verdicts: What the gates came to.
        title: Of the page; default: what was evaluated, what it came to, and when.
        baselines: By evaluation and model, the committed predictions against the run.
        gates: By evaluation, those that a run that may stop early was watched with.
        settings: What was asked for; must hold no secret.
        environment: What ran it; must hold no secret.
        images: Tells the file of an image by evaluation and case id.
        budget: How much of the page they may take.
        desk: Name of the page for reviewing beside it; empty: there is none yet.
    """
    committed = _committed(reports, baselines or {}, stated_margin(settings or {}))
    models = [Pair.of(pair, "models") for pair in compare_models(reports, FULL_PAIRS)]
    return Page(
        title=title or _title(reports, verdicts, environment or {}),
        sections=tuple(
            section(report, verdicts, gates=(gates or {}).get(report.evaluation, ()))
            for report in reports
        ),
        pairs=(*committed, *models),
        boards=leaderboards(reports),
        settings=settings or {},
        environment=environment or {},
        images=images,
        budget=budget or ImageBudget(),
        reviews=label_reviews(reports),
        desk=desk,
    )


def _committed(
    reports: Sequence[Report], baselines: Mapping[TaskName, Comparison], margin: Margin | None
) -> list[Pair]:
    """Reports beside the predictions that were committed."""
    by_key = {report.task: report for report in reports}
    return [
        Pair(
            names=("committed predictions", "this run"),
            what="baseline",
            comparison=comparison,
            now=by_key[key],
            margin=None
            if margin is None or comparison.refused is not None
            else judge_margin(comparison, margin),
        )
        for key, comparison in baselines.items()
        if key in by_key
    ]


def _title(
    reports: Sequence[Report], verdicts: Sequence[Verdict], environment: Mapping[str, Any]
) -> str:
    """What was evaluated, what it came to and when: what tabs and bookmarks show."""
    names = list(dict.fromkeys(report.evaluation for report in reports))
    what = some_of(names, _NAMED) or "nothing"
    words = {verdict.word for verdict in verdicts}
    worst = next((word for word in WORST_FIRST if word in words), "UNGATED")
    day = str(environment.get("written", ""))[:10]
    return f"{what}: {worst}{f', {day}' if day else ''}"


def section(
    report: Report,
    verdicts: Iterable[Verdict] = (),
    *,
    name: str | None = None,
    gates: Iterable[Gate] = (),
) -> Section:
    """A section of a report.

    Args:
        report: The report.
        verdicts: Of any evaluation and model; its own are taken.
        name: What it is called; default: evaluation and model.
        gates: Those that a run that may stop early was watched with.
    """
    return Section(
        name=name or report.task.title,
        report=report,
        verdicts=tuple(one for one in verdicts if one.task == report.task),
        gates=tuple(gates),
    )
