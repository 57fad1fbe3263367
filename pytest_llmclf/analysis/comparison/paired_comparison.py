"""Two answers to each image, held against each other: what changed, and whether by chance."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Literal

from pytest_llmclf.analysis.comparison.flips import Flips
from pytest_llmclf.analysis.comparison.prediction import prediction
from pytest_llmclf.metrics.confusion import Ratio
from pytest_llmclf.metrics.wording import p_value
from pytest_llmclf.values.provenance import compare_provenance
from pytest_llmclf.values.request import short_digest
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llmclf.analysis.comparison.flips import Direction, TestKind
    from pytest_llmclf.analysis.comparison.prediction import Prediction
    from pytest_llmclf.metrics.intervals import Interval
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.provenance import ProvenanceChange

ChangeKind = Literal["broken", "fixed", "changed"]


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
class Comparison:
    """Two sides on the images that both answered.

    Attributes:
        cases: The images that both answered, sorted: the denominator of everything here.
        correct: How many of them both got right.
        changes: The images answered differently, by case.
        new: Images that only the second side has.
        missing: Images that only the first side has.
        unanswered: Images that both have, but one side got no answer to; in no count.
        not_asked: Images that both have, but one side stopped before; in no count.
        refused: Why the two cannot be compared at all, with the remedy; else ``None``.
        notes: What else is not the same on both sides, one line each.
        provenance: What both sides have in common besides the answers; ``None`` where that was
            not looked at.
        clusters: Of each of `cases`, which images are one piece of evidence (`clusters_of`); empty
            where every image is one by itself.
        group: Tag whose values those clusters are; empty where they are only copies.
    """

    cases: tuple[str, ...]
    correct: int
    changes: tuple[Change, ...]
    new: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unanswered: tuple[str, ...] = ()
    not_asked: tuple[str, ...] = ()
    refused: str | None = None
    notes: tuple[str, ...] = ()
    provenance: ProvenanceChange | None = None
    clusters: tuple[str, ...] = ()
    group: str = ""

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
            predictions = noun(self.common, "prediction")
            text = f"{self.common} {predictions} as committed"
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
    notes: Sequence[str] = (),
    provenance: ProvenanceChange | None = None,
    clusters: Mapping[str, str] | None = None,
    group: str = "",
) -> Comparison:
    """Compare two sides, whatever the order of their images.

    Args:
        before: By case, what the second side is held against.
        now: By case, the second side.
        partial_before: Whether `before` left images out on purpose; they are then not new.
        partial_now: Whether `now` left images out on purpose; they are then not missing.
        refused: Why the two cannot be compared, if that is known already.
        notes: What else is not the same on both sides.
        provenance: What both sides have in common besides the answers.
        clusters: By case, which images are one piece of evidence; empty or ``None`` where every
            image is one by itself.
        group: Tag whose values those clusters are.
    """
    both = sorted(before.keys() & now.keys())
    not_asked = [case for case in both if "not_needed" in (before[case].kind, now[case].kind)]
    answered = [case for case in both if before[case].answered and now[case].answered]
    without = set(both).difference(not_asked, answered)
    return Comparison(
        cases=tuple(answered),
        correct=sum(before[case].correct and now[case].correct for case in answered),
        changes=tuple(
            change for case in answered if (change := _change(case, before[case], now[case]))
        ),
        new=() if partial_before else tuple(sorted(now.keys() - before.keys())),
        missing=() if partial_now else tuple(sorted(before.keys() - now.keys())),
        unanswered=tuple(sorted(without)),
        not_asked=tuple(not_asked),
        refused=refused,
        notes=tuple(notes),
        provenance=provenance,
        clusters=_together(clusters or {}, answered),
        group=group,
    )


def _together(clusters: Mapping[str, str], cases: Sequence[str]) -> tuple[str, ...]:
    """The clusters of these cases, or nothing where each is one by itself."""
    found = tuple(clusters.get(case, f"image {case}") for case in cases)
    return found if len(set(found)) < len(found) else ()


def _change(case: str, before: Prediction, now: Prediction) -> Change | None:
    if (before.kind, before.label, before.reason) == (now.kind, now.label, now.reason):
        return None
    kind: ChangeKind = "changed"
    if before.correct != now.correct:
        kind = "fixed" if now.correct else "broken"
    return Change(case=case, kind=kind, expected=now.expected, was=before.said, now=now.said)


def relabelled(before: Mapping[str, Prediction], now: Mapping[str, Prediction]) -> str | None:
    """Why the sides do not expect the same of the same images, in one line, or ``None``."""
    other = [
        case
        for case in sorted(before.keys() & now.keys())
        if before[case].expected != now[case].expected
    ]
    if not other:
        return None
    case = other[0]
    more = f" and {len(other) - 1} more" if len(other) > 1 else ""
    return f"{case} was labelled {before[case].expected} and is {now[case].expected}{more}"


def compare_reports(before: Report, now: Report) -> Comparison:
    """Compare two reports on the same dataset: two models, two prompts, or two runs.

    Refused where the images or their labels are not the same; a run over part of the images is
    compared on its part. A run that stopped early is compared on the images that it stopped after,
    in their random order, and not on those whose answers were still under way: `mcnemar_anytime`
    holds for what was looked at up to some moment. Two runs that stopped are so only in one order.
    """
    # A group may have been named between two runs; the images are the same.
    grouped = before if before.group and not now.group else now
    sides = [_side(report) for report in (before, now)]
    return compare_predictions(
        *sides,
        partial_before=_partial(before),
        partial_now=_partial(now),
        refused=_why_refused(before, now, *sides),
        provenance=compare_provenance(
            before.provenance, now.provenance, images=_same_images(before, now)
        ),
        clusters=grouped.clusters,
        group=grouped.group,
    )


def _side(report: Report) -> dict[str, Prediction]:
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


def _why_other_orders(before: Report, now: Report) -> str | None:
    """Why two runs that both stopped early share no images that a test could be made on."""
    if not (before.ledger.not_needed and now.ledger.not_needed):
        return None
    common = set(before.order) & set(now.order)
    orders = [[case for case in one.order if case in common] for one in (before, now)]
    if orders[0] == orders[1]:
        return None
    return (
        "both runs stopped early, in different random orders, so that the answers decided which "
        "images they share; give both the same --llmclf-seed, or run one without "
        "--llmclf-stop-early"
    )


def _same_images(before: Report, now: Report) -> bool | None:
    """Whether the images that both sides have are the same; ``None`` where nobody knows."""
    first = {outcome.case: outcome.sha256 for outcome in before.outcomes}
    pairs = [
        (first[outcome.case], outcome.sha256) for outcome in now.outcomes if outcome.case in first
    ]
    if any(one and other and one != other for one, other in pairs):
        return False
    if pairs and all(one and other for one, other in pairs):
        return True
    hashes = before.dataset.content_hash, now.dataset.content_hash
    return True if hashes[0] and hashes[0] == hashes[1] else None


def _partial(report: Report) -> bool:
    return report.ledger.collected < report.dataset.cases_in_dataset


def _why_refused(
    before: Report,
    now: Report,
    earlier: Mapping[str, Prediction],
    later: Mapping[str, Prediction],
) -> str | None:
    if before.dataset.name != now.dataset.name:
        return f"they are of different datasets ({before.dataset.name} and {now.dataset.name})"
    bytes_before = {found.case: found.sha256 for found in before.outcomes if found.sha256}
    other = sorted(
        found.case
        for found in now.outcomes
        if found.sha256 and found.sha256 != bytes_before.get(found.case, found.sha256)
    )
    if other:
        more = f" and {len(other) - 1} more" if len(other) > 1 else ""
        return f"they are of different images: {other[0]}{more} changed its content"
    labels = relabelled(earlier, later)
    if labels is not None:
        return f"they are of different labels: {labels}"
    strangers = (not _partial(before) and later.keys() - earlier.keys()) or (
        not _partial(now) and earlier.keys() - later.keys()
    )
    sets = (before.dataset.content_hash, now.dataset.content_hash)
    whole = not _partial(before) and not _partial(now)
    other_set = all(sets) and sets[0] != sets[1] and not _same_images(before, now)
    if strangers or (whole and other_set):
        first, second = map(short_digest, sets)
        return f"they are of different image sets ({before.dataset.name} {first} and {second})"
    if not earlier.keys() & later.keys():
        return "they have no image in common"
    return _why_other_orders(before, now)
