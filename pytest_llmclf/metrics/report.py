"""Everything that the outcomes of one evaluation and one model add up to."""

from __future__ import annotations

import functools
import hashlib
import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_llmclf.metrics.case_counts import ledger_of
from pytest_llmclf.metrics.clusters import clusters_of, one_each
from pytest_llmclf.metrics.confusion import Confusion
from pytest_llmclf.metrics.measure import Ratio
from pytest_llmclf.metrics.report_facts import Confused
from pytest_llmclf.values.outcome import ANSWERED, Outcome, TaskName
from pytest_llmclf.values.provenance import MOST_LINES, Provenance
from pytest_llmclf.values.request import TOLD_NOTHING, is_told
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pytest_llmclf.metrics.case_counts import Ledger
    from pytest_llmclf.metrics.confusion import Averages
    from pytest_llmclf.metrics.measure import Mean, Measure
    from pytest_llmclf.metrics.metric import Metric
    from pytest_llmclf.metrics.report_facts import DatasetFacts, StopRule
    from pytest_llmclf.prompting.prompt import Instructions
    from pytest_llmclf.values.outcome import OutcomeKind
    from pytest_llmclf.values.price import Price
    from pytest_llmclf.values.probe_answers import ProbeAnswers
    from pytest_llmclf.values.request import ModelIdentity
    from pytest_llmclf.values.verdict import Look


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One evaluation, in one variant, on one model.

    Attributes:
        evaluation: Name of the evaluation.
        model: The model as people write it, such as ``ollama:llava:7b``.
        variant: Name of the variant; empty for the evaluation as it is declared.
        identity: Who answered; ``None`` if nobody was reached.
        dataset: What was asked about.
        ledger: Where every case went.
        outcomes: One a case, sorted by its id.
        confusion: Their counts.
        duration_s: Seconds from the first question to the last answer, as waited for.
        notes: What else people must know, one line each.
        modelfile_digest: Digest of the Modelfile's content; empty if there is none.
        instructions: The SYSTEM text and the example turns that went with every question.
        order: Case ids in the random order of a run that may stop early; empty for another run.
        stop_error: How often a decision of that run may differ from what all images would say;
            ``None`` for another run.
        stop_rule: What it had decided when it stopped; ``None`` for a run that did not stop.
        repeats: Further askings of the same questions (repeat 1, 2, ...), sorted like `outcomes`;
            in no count and no metric, since they say nothing about further images.
        full_instructions: Everything that went with every image; ``None`` for a run of a version
            that did not record it.
        tool: Version of pytest-llmclf that asked and read; empty where it is not known.
        group: Tag whose values are groups of images that are not independent, such as ``scene``;
            empty where none is named.
        clusters: By case, which images are one piece of evidence (`clusters_of`); empty where
            every image is one by itself.
        looks: Earlier looks at gates with confidence on this model and these instructions, with
            other images or answers (`looks.earlier_looks`).
        judged: Expressions with confidence that tests judged on it; filled by `meets`.
        own_metrics: Those that its evaluation brings (`Evaluation(metrics=...)`).
        price: What the model's tokens cost; ``None`` where nobody said so.
        probes: Answers to changed questions (``--llmclf-probe``); in no count and no metric.
        worked_out: What follows from the report and was worked out already; see `once_a_report`.
    """

    evaluation: str
    model: str
    identity: ModelIdentity | None
    dataset: DatasetFacts
    ledger: Ledger
    outcomes: tuple[Outcome, ...]
    confusion: Confusion
    duration_s: float | None = None
    notes: tuple[str, ...] = ()
    modelfile_digest: str = ""
    instructions: str = ""
    order: tuple[str, ...] = ()
    stop_error: float | None = None
    stop_rule: StopRule | None = None
    repeats: tuple[Outcome, ...] = ()
    full_instructions: Instructions | None = None
    tool: str = ""
    group: str = ""
    variant: str = ""
    clusters: Mapping[str, str] = field(default_factory=dict, repr=False)
    looks: tuple[Look, ...] = ()
    judged: list[str] = field(default_factory=list, repr=False, compare=False)
    own_metrics: tuple[Metric, ...] = field(default=(), repr=False, compare=False)
    price: Price | None = None
    probes: tuple[ProbeAnswers, ...] = field(default=(), repr=False)
    # Not among the arguments, so that a changed copy begins without.
    worked_out: dict[str, Any] = field(init=False, default_factory=dict, repr=False, compare=False)

    def __repr__(self) -> str:
        """Short, however many outcomes there are."""
        outcomes = f"{len(self.outcomes)} {noun(len(self.outcomes), 'outcome')}"
        variant = f", {self.variant!r}" if self.variant else ""
        return f"Report({self.evaluation!r}, {self.model!r}{variant}, {outcomes})"

    @property
    def task(self) -> TaskName:
        """Which evaluation was put to which model, in which variant."""
        return TaskName(self.evaluation, self.model, self.variant)

    @property
    def configuration(self) -> str:
        """The model, and the variant where there is one: ``ollama:llava:7b · no example``."""
        return self.task.configuration

    @property
    def predictions(self) -> Predictions:
        """Every prediction, to be held against the committed ones."""
        return Predictions(report=self)

    @property
    def images_digest(self) -> str:
        """Digest of the images' ids and bytes alone; empty where a file's digest is not known.

        Unlike that of the dataset it leaves out labels and tags: another order of the label list
        is another instruction about the same images.
        """
        if not self.outcomes or not all(outcome.sha256 for outcome in self.outcomes):
            return ""
        # A line an image; ids hold no line end that JSON would not escape.
        pairs = (json.dumps((outcome.case, outcome.sha256)) for outcome in self.outcomes)
        return hashlib.sha256("\n".join(pairs).encode()).hexdigest()

    @property
    def told_nothing(self) -> bool:
        """Whether who answers has neither prompt nor Modelfile: a classifier, or a file."""
        identity = self.identity
        by_name = not is_told(self.model)
        return by_name or (identity is not None and identity.backend in TOLD_NOTHING)

    @property
    def provenance(self) -> Provenance:
        """What the results depend on besides the images."""
        identity, full = self.identity, self.full_instructions
        if self.told_nothing:
            full = None
        return Provenance(
            model=self.model,
            weights="" if identity is None else identity.weights,
            server="" if identity is None else identity.server_version,
            instructions="" if full is None else full.digest(),
            text=() if full is None else full.lines()[:MOST_LINES],
            modelfile="" if self.told_nothing else self.modelfile_digest,
            tool=self.tool,
            told=not self.told_nothing,
        )

    @property
    def accuracy(self) -> Ratio:
        """Correct among the answered; an answer without a label is a wrong one."""
        return self.confusion.accuracy

    @property
    def balanced_accuracy(self) -> Mean:
        """Mean recall over the classes with answered images."""
        return self.confusion.balanced_accuracy

    @property
    def precision(self) -> dict[str, Ratio]:
        """By label: correct among the answers that name it."""
        return {score.label: score.precision for score in self.confusion.scores}

    @property
    def recall(self) -> dict[str, Ratio]:
        """By label: correct among the answered images that show it."""
        return {score.label: score.recall for score in self.confusion.scores}

    @property
    def f1(self) -> dict[str, Ratio]:
        """By label: harmonic mean of precision and recall."""
        return {score.label: score.f1 for score in self.confusion.scores}

    @property
    def support(self) -> dict[str, int]:
        """By label: answered images that show it."""
        return {score.label: score.support for score in self.confusion.scores}

    @property
    def micro(self) -> Averages:
        """Of all classes' counts added up."""
        return self.confusion.micro

    @property
    def macro(self) -> Averages:
        """Every class that occurs weighs the same."""
        return self.confusion.macro

    @property
    def weighted(self) -> Averages:
        """Every class weighs as its answered images."""
        return self.confusion.weighted

    @property
    def unparsed_rate(self) -> Ratio:
        """Answers without a label among the answered."""
        return self.confusion.unparsed_rate

    @property
    def error_rate(self) -> Ratio:
        """Images without an answer among those asked about."""
        return self.confusion.error_rate

    @property
    def false_accept(self) -> Ratio:
        """Images of no class that were taken for one, among the answered images of no class.

        An answer without a label takes none for one.
        """
        answered = [found for found in self.outcomes if found.stranger and found.kind in ANSWERED]
        hits = sum(found.kind == "misclassified" for found in answered)
        return Ratio(hits=hits, total=len(answered))

    @property
    def none_label(self) -> str:
        """The label of images of no class; empty where no image is of none."""
        return next((found.expected for found in self.outcomes if found.stranger), "")

    @property
    def own_by_name(self) -> dict[str, Metric]:
        """The metrics that its evaluation brings, by name."""
        return {metric.name: metric for metric in self.own_metrics}

    @property
    def metrics(self) -> dict[str, Measure]:
        """By name: what the metrics come to that its evaluation brings."""
        return {one.name: one.whole(self) for one in self.own_metrics if one.whole is not None}

    @property
    def images_per_s(self) -> float | None:
        """Answered images a second, those from the store included; ``None`` without a duration."""
        return self.ledger.answered / self.duration_s if self.duration_s else None

    @property
    def tags(self) -> tuple[str, ...]:
        """Names of all tags that a case has, sorted."""
        return tuple(sorted({name for outcome in self.outcomes for name in outcome.tags}))

    def by_tag(self, name: str) -> dict[str, Confusion]:
        """One confusion a value of tag `name`, sorted; cases without the tag are under ``""``."""
        slices: defaultdict[str, list[Outcome]] = defaultdict(list)
        for outcome in self.outcomes:
            slices[outcome.tags.get(name, "")].append(outcome)
        labels = self.confusion.labels
        return {value: Confusion.from_outcomes(labels, slices[value]) for value in sorted(slices)}

    def where(self, tags: Mapping[str, str]) -> Report:
        """The report of the images that have all these tags, such as ``{"style": "photo"}``."""
        return self._part(lambda found: all(found.tags.get(name) == tags[name] for name in tags))

    def with_settled_labels(self) -> Report:
        """The report of the images whose labels people confirmed or made right."""
        return self._part(lambda found: found.review is not None and found.review.settled)

    def single_labelled(self) -> Report:
        """The report of the images with one right label; itself where no image has several."""
        if not any(found.also for found in self.outcomes):
            return self
        return self._part(lambda found: not found.also)

    def _part(self, belongs: Callable[[Outcome], bool]) -> Report:
        """The report of some of the images."""
        outcomes = tuple(filter(belongs, self.outcomes))
        cases = {found.case for found in outcomes}
        rule = self.stop_rule
        if rule is not None:
            # What was decided was decided of all images, not of this part.
            after = sum(case in cases for case in self.order[: rule.after])
            rule = replace(rule, after=after, gates=(), baselines=())
        return replace(
            self,
            ledger=ledger_of(outcomes, None, 0),
            outcomes=outcomes,
            confusion=Confusion.from_outcomes(self.confusion.labels, outcomes),
            order=tuple(case for case in self.order if case in cases),
            stop_rule=rule,
            repeats=tuple(filter(belongs, self.repeats)),
            clusters=clusters_in(outcomes, self.group) if self.clusters else {},
        )

    def one_each(self) -> Report:
        """The report of one answered image a cluster; itself where every image is one by itself."""
        answered = {found.case for found in self.outcomes if found.kind in ANSWERED}
        chosen = one_each({case: self.clusters[case] for case in self.clusters if case in answered})
        if len(chosen) in (0, len(answered)):
            return self
        # What was not asked or not answered stays: that a run stopped early is never forgotten.
        outcomes = tuple(
            found for found in self.outcomes if found.case in chosen or found.kind not in ANSWERED
        )
        return replace(
            self,
            ledger=ledger_of(outcomes, None, 0),
            outcomes=outcomes,
            confusion=Confusion.from_outcomes(self.confusion.labels, outcomes),
            order=(),
            repeats=(),
            clusters={},
        )

    def of_kind(self, kind: OutcomeKind) -> tuple[Outcome, ...]:
        """The outcomes that ended as `kind`."""
        return tuple(outcome for outcome in self.outcomes if outcome.kind == kind)

    def confusions(self, top: int | None = None) -> tuple[Confused, ...]:
        """Mistakes by (expected, predicted), most frequent first, ties in the order of labels."""
        return _confusions(self)[:top]

    def among_classes(self) -> tuple[Confused, ...]:
        """`confusions` of one class with another, without images of no class and answers so."""
        none = self.none_label
        found = _confusions(self)
        return tuple(one for one in found if none not in (one.expected, one.predicted))


_Found = TypeVar("_Found")


def once_a_report(work: Callable[[Report], _Found]) -> Callable[[Report], _Found]:
    """A function of a report alone that works once for each: a report never changes.

    Terminal, page, Markdown and files all tell the same things of a report, and each asks for
    itself.
    """

    @functools.wraps(work)
    def found(report: Report) -> _Found:
        name = f"{work.__module__}.{work.__qualname__}"
        if name not in report.worked_out:
            report.worked_out[name] = work(report)
        kept: _Found = report.worked_out[name]
        return kept

    return found


def accuracy_by_tag(report: Report, name: str) -> dict[str, Ratio]:
    """Accuracy by value of tag `name`, sorted; cases without the tag are under ``""``.

    As that of `Report.by_tag`, but without a matrix for each value.
    """
    right: Counter[str] = Counter()
    answered: Counter[str] = Counter()
    for outcome in report.outcomes:
        value = outcome.tags.get(name, "")
        answered[value] += outcome.kind in ANSWERED
        right[value] += outcome.kind == "correct"
    return {value: Ratio(hits=right[value], total=answered[value]) for value in sorted(answered)}


@once_a_report
def _confusions(report: Report) -> tuple[Confused, ...]:
    cases: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for outcome in report.of_kind("misclassified"):
        cases[outcome.expected, str(outcome.predicted)].append(outcome.case)
    place = {label: index for index, label in enumerate(report.confusion.labels)}
    order = sorted(cases, key=lambda pair: (-len(cases[pair]), place[pair[0]], place[pair[1]]))
    return tuple(
        Confused(
            expected=expected,
            predicted=predicted,
            count=len(cases[expected, predicted]),
            cases=tuple(cases[expected, predicted]),
        )
        for expected, predicted in order
    )


@dataclass(frozen=True, slots=True)
class Predictions:
    """The predictions of a report, apart from everything else in it.

    Attributes:
        report: Whose.
    """

    report: Report

    def __repr__(self) -> str:
        """Short: a failed assertion shows it."""
        return f"predictions of {self.report.evaluation} on {self.report.configuration}"


def clusters_in(outcomes: Iterable[Outcome], group: str) -> dict[str, str]:
    """By case, which images are one piece of evidence; see `clusters_of`."""
    return clusters_of(((found.case, found.sha256, found.tags) for found in outcomes), group)
