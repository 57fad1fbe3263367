"""Two answers to each image, held against each other: what changed, and whether by chance."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Final, Literal, get_args

from pytest_llmclf.analysis.comparison.flips import Flips
from pytest_llmclf.analysis.comparison.prediction import prediction
from pytest_llmclf.analysis.comparison.same_images import is_partial, same_images, why_refused
from pytest_llmclf.metrics.measure import Ratio
from pytest_llmclf.metrics.wording import p_value
from pytest_llmclf.values.provenance import compare_provenance
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pytest_llmclf.analysis.comparison.flips import Direction, TestKind
    from pytest_llmclf.analysis.comparison.prediction import Prediction
    from pytest_llmclf.metrics.intervals import Interval
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.provenance import ProvenanceChange

ChangeKind = Literal["broken", "fixed", "changed"]
CHANGE_KINDS: Final[tuple[ChangeKind, ...]] = get_args(ChangeKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One image that the two sides answered differently.

    Attributes:
        case: Its id.
        kind: ``broken``: right before, not now; ``fixed``: the other way round; ``changed``: wrong
            both times, in different ways.
        expected: Its label.
        was: What was said before.
        now: What is said now.
    """

    case: str
    kind: ChangeKind
    expected: str
    was: str
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerCount:
    """How often one answer was given.

    Attributes:
        said: The label named, or why there is none.
        before: How often by the first side.
        now: How often by the second side.
    """

    said: str
    before: int
    now: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two sides on the images that both answered.

    Attributes:
        cases: The images that both answered, sorted: the denominator of everything here.
        correct: How many of them both got right.
        changes: The images answered differently, by case, unless both sides are right.
        new: Images that only the second side has.
        missing: Images that only the first side has.
        unanswered: Images that both have, but one side got no answer to; in no count.
        not_asked: Images that both have, but one side, or a task compared with both, stopped
            before; in no count.
        elsewhere: Images that both answered, but a task compared with both did not; in no count.
        refused: Why the two cannot be compared at all, with the remedy; else ``None``.
        notes: What else is not the same on both sides, one line each.
        provenance: What both sides have in common besides the answers; ``None`` where that was
            not looked at.
        clusters: Of each of `cases`, which images are one piece of evidence (`clusters_of`); empty
            where every image is one by itself.
        group: Tag whose values those clusters are; empty where they are only copies.
        answers: Answers that one side gave more often than the other, to `cases`, the largest
            differences first.
        otherwise: How many of `cases` both got right, each by another of several right labels.
    """

    cases: tuple[str, ...]
    correct: int
    changes: tuple[Change, ...]
    new: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unanswered: tuple[str, ...] = ()
    not_asked: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    refused: str | None = None
    notes: tuple[str, ...] = ()
    provenance: ProvenanceChange | None = None
    clusters: tuple[str, ...] = ()
    group: str = ""
    answers: tuple[AnswerCount, ...] = ()
    otherwise: int = 0

    @property
    def common(self) -> int:
        """How many images both answered."""
        return len(self.cases)

    def of_kind(self, kind: ChangeKind) -> tuple[Change, ...]:
        """The changes of one kind, by case."""
        return tuple(change for change in self.changes if change.kind == kind)

    @property
    def broken(self) -> tuple[str, ...]:
        """Right before, not now."""
        return tuple(change.case for change in self.of_kind("broken"))

    @property
    def fixed(self) -> tuple[str, ...]:
        """Not right before, right now."""
        return tuple(change.case for change in self.of_kind("fixed"))

    @property
    def changed(self) -> tuple[str, ...]:
        """Wrong before and now, but in another way."""
        return tuple(change.case for change in self.of_kind("changed"))

    @property
    def before(self) -> Ratio:
        """Accuracy of the first side on the images that both answered."""
        return Ratio(hits=self.correct + len(self.broken), total=self.common)

    @property
    def now(self) -> Ratio:
        """Accuracy of the second side on the images that both answered."""
        return Ratio(hits=self.correct + len(self.fixed), total=self.common)

    @property
    def flips(self) -> Flips:
        """What is tested and judged of it: counts alone."""
        gains = dict.fromkeys(self.fixed, 1) | dict.fromkeys(self.broken, -1)
        sizes, nets = Counter(self.clusters), Counter[str]()
        for case, cluster in zip(self.cases, self.clusters, strict=bool(self.clusters)):
            nets[cluster] += gains.get(case, 0)
        return Flips(
            broken=len(self.broken),
            fixed=len(self.fixed),
            common=self.common,
            stopped=bool(self.not_asked),
            clusters=tuple((size, nets[cluster]) for cluster, size in sizes.items()),
        )

    @property
    def net_loss(self) -> int:
        """`Flips.net_loss`."""
        return self.flips.net_loss

    @property
    def difference(self) -> float | None:
        """`Flips.difference`."""
        return self.flips.difference

    @property
    def interval(self) -> Interval | None:
        """`Flips.interval_at` with `CONFIDENCE`."""
        return self.flips.interval_at()

    def interval_at(self, confidence: float) -> Interval | None:
        """`Flips.interval_at`."""
        return self.flips.interval_at(confidence)

    @property
    def p_value(self) -> float:
        """`Flips.p_value`."""
        return self.flips.p_value

    @property
    def test(self) -> TestKind:
        """`Flips.test`."""
        return self.flips.test

    @property
    def settled(self) -> bool:
        """`Flips.settled`."""
        return self.flips.settled

    @property
    def drawn(self) -> str:
        """`Flips.drawn`."""
        return self.flips.drawn(self.group)

    def direction(self, p_value: float | None = None) -> Direction:
        """`Flips.direction`."""
        return self.flips.direction(p_value)

    @property
    def loss_shown(self) -> bool:
        """Whether more broke than was fixed, beyond what chance explains, on these images."""
        return self.net_loss > 0 and self.direction() != "not shown"

    def summary(self) -> str:
        """What changed, in one line."""
        if self.refused is not None:
            return self.refused
        if self.changes:
            chance = p_value(self.p_value)
            said = {"mcnemar-exact": f" (McNemar {chance})", "sign-flip": f" ({chance})"}
            # Where a side stopped early the p-value decides nothing.
            text = (
                f"{len(self.broken)} broken, {len(self.fixed)} fixed, {len(self.changed)} wrong "
                f"in another way, of {self.drawn or self.common}{said.get(self.test, '')}"
            )
        else:
            same = self.common - self.otherwise
            text = f"{same} {noun(same, 'prediction')} as committed"
        if self.otherwise:
            text += f", {self.otherwise} right by another of several labels"
        for cases, what in (
            (self.new, "new"),
            (self.missing, "missing"),
            (self.unanswered, "without an answer"),
            (self.not_asked, "not asked"),
        ):
            text += f", {len(cases)} {what}" if cases else ""
        return text


def compare_predictions(
    before: Mapping[str, Prediction],
    now: Mapping[str, Prediction],
    *,
    partial_before: bool = False,
    partial_now: bool = False,
    refused: str | None = None,
    provenance: ProvenanceChange | None = None,
    clusters: Mapping[str, str] | None = None,
    group: str = "",
    among: Collection[str] | None = None,
    not_needed: Collection[str] = (),
) -> Comparison:
    """Compare two sides, whatever the order of their images.

    Args:
        before: By case, what the second side is held against.
        now: By case, the second side.
        partial_before: Whether `before` left images out on purpose; they are then not new.
        partial_now: Whether `now` left images out on purpose; they are then not missing.
        refused: Why the two cannot be compared, if that is known already.
        provenance: What both sides have in common besides the answers.
        clusters: By case, which images are one piece of evidence; none: each is one by itself.
        group: Tag whose values those clusters are.
        among: Images to compare them on, where not on all that both answered.
        not_needed: Images that a task compared with both stopped before.
    """
    not_asked, known, without = _looked_at(before, now, not_needed)
    answered = known if among is None else [case for case in known if case in among]
    right = [case for case in answered if before[case].correct and now[case].correct]
    return Comparison(
        cases=tuple(answered),
        correct=len(right),
        changes=tuple(filter(None, (_change(case, before[case], now[case]) for case in answered))),
        new=() if partial_before else tuple(sorted(now.keys() - before.keys())),
        missing=() if partial_now else tuple(sorted(before.keys() - now.keys())),
        unanswered=tuple(without),
        not_asked=tuple(not_asked),
        elsewhere=tuple(sorted(set(known).difference(answered))),
        refused=refused,
        provenance=provenance,
        clusters=together(clusters or {}, answered),
        group=group,
        answers=answer_counts(
            *(Counter(side[case].said for case in answered) for side in (before, now))
        ),
        otherwise=sum(before[case].label != now[case].label for case in right),
    )


def _looked_at(
    before: Mapping[str, Prediction], now: Mapping[str, Prediction], not_needed: Collection[str]
) -> tuple[list[str], list[str], list[str]]:
    """Of images that both sides have: where one stopped before, those both answered, and others."""
    both = sorted(before.keys() & now.keys())
    stopped = {case for case in both if "not_needed" in (before[case].kind, now[case].kind)}
    stopped |= set(not_needed)
    answered = {case for case in both if before[case].answered and now[case].answered} - stopped
    return (
        [case for case in both if case in stopped],
        [case for case in both if case in answered],
        [case for case in both if case not in stopped and case not in answered],
    )


def answer_counts(first: Counter[str], second: Counter[str]) -> tuple[AnswerCount, ...]:
    """The answers that two sides gave unequally often, the largest differences first.

    Args:
        first: How often the first side gave each answer (`Prediction.said`).
        second: How often the second side did, to the same images.
    """
    found = [
        AnswerCount(said=said, before=first[said], now=second[said])
        for said in first | second
        if first[said] != second[said]
    ]
    return tuple(sorted(found, key=lambda one: (-abs(one.now - one.before), one.said)))


def together(clusters: Mapping[str, str], cases: Sequence[str]) -> tuple[str, ...]:
    """The clusters of these cases, or nothing where each is one by itself."""
    found = tuple(clusters.get(case, f"image {case}") for case in cases)
    return found if len(set(found)) < len(found) else ()


def _change(case: str, before: Prediction, now: Prediction) -> Change | None:
    if (before.kind, before.label, before.reason) == (now.kind, now.label, now.reason):
        return None
    if before.correct and now.correct:  # by two of several right labels
        return None
    kind: ChangeKind = "changed"
    if before.correct != now.correct:
        kind = "fixed" if now.correct else "broken"
    return Change(case=case, kind=kind, expected=now.wanted, was=before.said, now=now.said)


def compare_reports(
    before: Report,
    now: Report,
    *,
    among: Collection[str] | None = None,
    not_needed: Collection[str] = (),
) -> Comparison:
    """Compare two reports on the same dataset: two models, two prompts, or two runs.

    Refused where the images or their labels are not the same; a run over part of the images is
    compared on its part. A run that stopped early is compared on the images that it stopped after,
    in their random order, and not on those whose answers were still under way: `mcnemar_anytime`
    holds for what was looked at up to some moment. Two runs that stopped are so only in one order.

    Args:
        before: The first side.
        now: The second side.
        among: Images to compare them on, where not on all that both answered.
        not_needed: Images that a task compared with both stopped before.
    """
    # A group may have been named between two runs; the images are the same.
    grouped = before if before.group and not now.group else now
    sides = [predictions_of(report) for report in (before, now)]
    return compare_predictions(
        *sides,
        partial_before=is_partial(before),
        partial_now=is_partial(now),
        refused=why_refused(before, now, *sides),
        provenance=compare_provenance(
            before.provenance, now.provenance, images=same_images(before, now)
        ),
        clusters=grouped.clusters,
        group=grouped.group,
        among=among,
        not_needed=not_needed,
    )


def predictions_of(report: Report) -> dict[str, Prediction]:
    """What a report says to each image; of a run that stopped, up to that moment."""
    found = {outcome.case: prediction(outcome) for outcome in report.outcomes}
    if not report.ledger.not_needed or not report.order:
        return found
    after = len(report.order) if report.stop_rule is None else report.stop_rule.after
    looked_at = list(takewhile(lambda case: found[case].kind != "not_needed", report.order))
    kept = set(looked_at[:after])
    return {
        case: one if case in kept or not one.answered else replace(one, kind="not_needed")
        for case, one in found.items()
    }
