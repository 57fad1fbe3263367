"""All findings on a report: what is tested, and how the tests share their error."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from pytest_llmclf.analysis.diagnosis.answer_counts import AnswerCounts
from pytest_llmclf.analysis.diagnosis.finding import (
    KINDS,
    LEVEL,
    NeverAnswered,
    NoBetter,
    OneEach,
    UnparsedKind,
    WeakSlice,
    examples,
)
from pytest_llmclf.analysis.diagnosis.mistakes import PAIR, attractors, confused_pairs
from pytest_llmclf.analysis.diagnosis.probed import probed
from pytest_llmclf.metrics.report import once_a_report
from pytest_llmclf.metrics.significance import (
    binomial_tail,
    fisher_greater,
    holm,
    stratified_greater,
)
from pytest_llmclf.values.outcome import ANSWERED, NAMES_OTHER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_llmclf.analysis.diagnosis.finding import Finding
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.outcome import Outcome

FEWEST: Final = 20
"""Answered images below which "not shown to be better than guessing" says nothing."""
SLICE: Final = 5
"""Fewest answered images in a slice, and outside it, for it to be looked at."""
VALUES: Final = 20
"""Most values of a tag; one with more is a name rather than a slice."""
UNPARSED: Final = (5, 2, 0.05)
"""Unparsed answers are spoken of from so many on, or from so many that are such a share."""

_TEXTS: Final = 2
_MEANT: Final = (3, 0.8)
"""A text stands for a class if it was said so often, and of its images such a share of times."""


@once_a_report
def diagnose(report: Report) -> tuple[Finding, ...]:
    """What the report shows to be wrong, most general first; empty if there is nothing to say.

    Where images are not independent (groups, copies) the tests look at one image of each cluster,
    chosen by its name, and a `OneEach` before the findings says so. Images with several right
    labels take no part: luck finds one of them more often. The tests are for a number of
    images that was settled before, and a run that stopped early stopped because of its answers: of
    such a run nothing is tested, and only answers without a label are counted.
    """
    if report.ledger.not_needed:
        return (*_unparsed(report), *probed(report))
    part = report.single_labelled()
    independent = part.one_each()
    found = list(_tested(independent))
    if found and independent is not part:
        note = OneEach(
            images=independent.ledger.answered,
            answered=part.ledger.answered,
            group=report.group,
        )
        found.insert(0, note)
    return (*found, *_unparsed(report), *probed(report))


def _tested(report: Report) -> list[Finding]:
    """The findings that rest on a test."""
    answered = [one for one in report.outcomes if one.kind in ANSWERED]
    found: list[Finding] = []
    if not answered:
        return found
    if len(report.confusion.labels) >= PAIR:
        counts = AnswerCounts.of(report.confusion)
        attracting = list(attractors(report, counts))
        found += _no_better(report, counts)
        found += attracting
        found += _never_answered(report, counts)
        found += confused_pairs(report, counts, {attractor.label for attractor in attracting})
    found += _weak_slices(report, answered)
    return found


def _no_better(report: Report, counts: AnswerCounts) -> Iterator[NoBetter]:
    """Whether the answers beat guessing and the most frequent class, which never look.

    Whoever does not look may still be right often, where most images show one class, and whoever
    looks may be right less often than that. So it is also asked which labels the answers tell from
    the rest (Fisher's exact test of each), which nobody can who does not look, and whether it is
    only the answers without a label that are in the way.
    """
    correct, answered, named = report.accuracy.hits, report.accuracy.total, counts.every_named
    chances = _chances(counts, counts.images)
    p_worse = binomial_tail(named - correct, named, 1 - 1 / counts.size)
    worse = KINDS * p_worse <= LEVEL
    than: list[Literal["guessing", "majority"]] = []
    if chances.guessing > LEVEL:
        than.append("guessing")
    if chances.majority > LEVEL:
        than.append("majority")
    if not than or (answered < FEWEST and not worse):
        return
    readable = _chances(counts, counts.named)
    labels, balanced = report.confusion.labels, report.balanced_accuracy
    yield NoBetter(
        correct=correct,
        answered=answered,
        named=named,
        choices=counts.size,
        majority=labels[chances.frequent],
        majority_images=counts.images[chances.frequent],
        balanced=float(balanced.value or 0),
        classes=sum(map(bool, counts.images)),
        than=tuple(than),
        p_guessing=chances.guessing,
        p_majority=chances.majority,
        p_value=max(chances.guessing, chances.majority),
        worse=worse,
        avoided=_told_apart(counts, labels, more=False) if worse else (),
        readable=named < answered and max(readable.guessing, readable.majority) <= LEVEL,
        seen=_told_apart(counts, labels, more=True),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chances:
    """How often those who do not look are right as often: guessing, and one constant answer."""

    guessing: float
    majority: float
    frequent: int


def _chances(counts: AnswerCounts, images: Sequence[int]) -> _Chances:
    """P-values against guessing and against always answering the most frequent class.

    Guessing is right on Binomial(images, 1/labels). A constant answer is right on exactly the
    images of its class, so beating it is being right on more than these: either by the binomial
    test of that share, which is the stronger one where mistakes are spread over all classes, or by
    McNemar's exact test on the images that only one of both gets right, which is the stronger one
    where the model nearly always answers the same. Each has half of the error.

    Args:
        counts: Of the answers.
        images: Of each class, those that are looked at: all answered ones, or the readable ones.
    """
    correct, total = sum(map(counts.right, range(counts.size))), sum(images)
    frequent = max(range(counts.size), key=lambda place: (images[place], -place))
    most = images[frequent]
    guessing = majority = binomial_tail(correct, total, 1 / counts.size)
    if most * counts.size > total:
        right_there = counts.right(frequent)
        ours, theirs = correct - right_there, most - right_there
        paired = binomial_tail(ours, ours + theirs, 1 / 2)
        majority = min(1.0, 2 * min(binomial_tail(correct, total, most / total), paired))
    return _Chances(guessing=guessing, majority=majority, frequent=frequent)


def _told_apart(counts: AnswerCounts, labels: Sequence[str], *, more: bool) -> tuple[str, ...]:
    """The labels that their own images are given more (or less) often than other images are."""
    answered = sum(counts.images)
    p_values = []
    for place, images in enumerate(counts.images):
        own, others = counts.right(place), counts.taken(place)
        elsewhere = answered - images
        if not more:
            own, others = images - own, elsewhere - others
        p_values.append(fisher_greater(own, images, others, elsewhere))
    found = zip(labels, holm(p_values), strict=True)
    return tuple(label for label, p_value in found if p_value <= LEVEL)


def _never_answered(report: Report, counts: AnswerCounts) -> Iterator[NeverAnswered]:
    """Classes that have images and that no answer names, in the labels' order.

    Luck would have to explain two things, and the larger p-value counts: that a model which sees
    such a class half of the time misses all its images, and that one which guesses among all
    labels never hits on this one.
    """
    labels, named = report.confusion.labels, counts.every_named
    guessed = (1 - 1 / counts.size) ** named
    luck = [
        1.0 if given or not images else max(guessed, 0.5**images)
        for given, images in zip(counts.given, counts.images, strict=True)
    ]
    p_values = holm(luck, kinds=KINDS)
    if min(p_values) > LEVEL:
        return
    shown: defaultdict[str, list[str]] = defaultdict(list)
    for one in report.outcomes:
        if one.kind in ANSWERED:
            shown[one.expected].append(one.case)
    for label, images, p_value in zip(labels, counts.images, p_values, strict=True):
        if p_value <= LEVEL:
            yield NeverAnswered(
                label=label,
                images=images,
                answers=named,
                p_value=p_value,
                cases=examples([shown[label]]),
            )


def _weak_slices(report: Report, answered: Sequence[Outcome]) -> Iterator[WeakSlice]:
    """For each tag the value that is answered worst, if it is worse than the rest.

    Each value is held against all other images, class by class: a slice of the harder classes is
    no weak slice. The test is exact, names the slice that it is about, needs no random numbers,
    and holds for few images and for many values.
    """
    slices = [one for tag in report.tags for one in _slices(tag, answered)]
    p_values = holm([one.p_value for one in slices], kinds=KINDS)
    by_tag: defaultdict[str, list[WeakSlice]] = defaultdict(list)
    for one, p_value in zip(slices, p_values, strict=True):
        if p_value <= LEVEL:
            by_tag[one.tag].append(replace(one, p_value=p_value))
    for found in by_tag.values():
        worst, *also = sorted(
            found,
            key=lambda one: ((one.correct - one.expected) / one.answered, one.p_value, one.value),
        )
        yield replace(worst, also=tuple(one.value for one in also))


def _slices(tag: str, answered: Sequence[Outcome]) -> Iterator[WeakSlice]:
    """What each value of a tag comes to beside the rest, whether it is weak or not."""
    total = Counter((one.tags.get(tag, ""), one.expected) for one in answered)
    values = sorted({value for value, _ in total})
    if not PAIR <= len(values) <= VALUES:
        return
    right = Counter(
        (one.tags.get(tag, ""), one.expected) for one in answered if one.kind == "correct"
    )
    wrong: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for one in answered:
        if one.kind != "correct":
            wrong[one.tags.get(tag, ""), one.expected].append(one.case)
    every = Counter(one.expected for one in answered)
    every_right = Counter(one.expected for one in answered if one.kind == "correct")
    for value in values:
        # Of each class: right and all of the slice, right and all of the rest.
        rows = {
            label: (
                right[value, label],
                total[value, label],
                every_right[label] - right[value, label],
                every[label] - total[value, label],
            )
            for label in sorted(every)
        }
        compared = {label: row for label, row in rows.items() if row[1] and row[3]}
        columns = [sum(column) for column in zip(*compared.values(), strict=True)] or [0] * 4
        if min(columns[1], columns[3]) < SLICE:
            continue
        due = {label: row[1] * row[2] / row[3] for label, row in compared.items()}
        # Examples of those classes that are furthest below the rest.
        worst_first = sorted(compared, key=lambda label: compared[label][0] - due[label])
        yield WeakSlice(
            tag=tag,
            value=value,
            correct=columns[0],
            answered=columns[1],
            expected=math.fsum(due.values()),
            rest_correct=columns[2],
            rest_answered=columns[3],
            left_out=sum(row[1] for row in rows.values()) - columns[1],
            cases=examples(wrong[value, label] for label in worst_first),
            p_value=stratified_greater(
                (size - hits, size, others - other_hits, others)
                for hits, size, other_hits, others in compared.values()
            ),
        )


def _meant(said: Mapping[str, Counter[str]], texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Texts that were said of images of one class mostly, and that class."""
    often, share = _MEANT
    for text in texts:
        label, count = said[text].most_common(1)[0]
        if text.strip() and count >= often and count >= share * said[text].total():
            yield text, label


def _unparsed(report: Report) -> Iterator[UnparsedKind]:
    """Answers without a label by kind, most frequent first, unless they are a handful."""
    answered = report.ledger.answered
    many, some, share = UNPARSED
    total = report.ledger.unparsed
    if total < many and (total < some or total < share * answered):
        return
    told = report.full_instructions
    forced = told is not None and told.answer == "enum"
    kinds: defaultdict[str, list[Outcome]] = defaultdict(list)
    for one in report.of_kind("unparsed"):
        kinds[one.reason or "unknown"].append(one)
    for reason in sorted(kinds, key=lambda reason: (-len(kinds[reason]), reason)):
        found = kinds[reason]
        said: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for one in found:
            if one.answer is not None:
                said[one.answer.text or one.answer.thinking][one.expected] += 1
        # Most frequent first, and of equals what came first.
        texts = sorted(said, key=lambda text: -said[text].total())
        yield UnparsedKind(
            reason=reason,
            count=len(found),
            answered=answered,
            stopped=report.ledger.not_needed > 0,
            texts=tuple(texts[:_TEXTS]),
            meant=tuple(_meant(said, texts))[:_TEXTS],
            unforced=forced and reason in NAMES_OTHER,
            cases=examples([[one.case for one in found]]),
        )
