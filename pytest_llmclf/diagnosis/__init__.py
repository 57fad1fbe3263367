"""What is wrong with a model, in findings that each rest on a test.

All tests are exact, look at answered images only, and see no order of the outcomes. Six kinds of
claim are tested (worse than guessing, attractor, never answered, confused pair, one-way, weak
slice); each has a sixth of the 5% and shares it out among its hypotheses by Holm's method. A model
without any of these defects therefore gets any of these findings in at most 5% of all runs.
`NoBetter` is the one finding that is made when a test finds *nothing*, and `UnparsedKind` counts.

What no defect is, so what a test must not mistake for one: wrong answers that are spread evenly;
classes of unequal size or difficulty; answers that are mere guesses; look-alike classes that are
taken for each other. An attractor must therefore take more than *twice* an even share of the other
classes' wrong answers, and more than it gives back, both without its best source; a pair must have
more than twice an even share of its wrong answers within itself.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from pytest_llmclf.diagnosis.finding import (
    EXAMPLES,
    KINDS,
    LEVEL,
    NeverAnswered,
    NoBetter,
    UnparsedKind,
    WeakSlice,
)
from pytest_llmclf.diagnosis.mistakes import PAIR, Tally, attractors, confused_pairs
from pytest_llmclf.significance import binomial_tail, fisher_greater, holm

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmclf.diagnosis.finding import Finding
    from pytest_llmclf.outcome import Outcome
    from pytest_llmclf.report import Report

FEWEST: Final = 20
"""Answered images below which "not shown to be better than guessing" says nothing."""
SLICE: Final = 5
"""Fewest answered images in a slice, and outside it, for it to be looked at."""
VALUES: Final = 20
"""Most values of a tag; one with more is a name rather than a slice."""
UNPARSED: Final = (5, 2, 0.05)
"""Unparsed answers are spoken of from so many on, or from so many that are such a share."""

_TEXTS: Final = 2
_ANSWERED: Final = frozenset(("correct", "misclassified", "unparsed"))


def diagnose(report: Report) -> tuple[Finding, ...]:
    """What the report shows to be wrong, most general first; empty if there is nothing to say."""
    answered = [one for one in report.outcomes if one.kind in _ANSWERED]
    if not answered:
        return ()
    found: list[Finding] = []
    if len(report.confusion.labels) >= PAIR:
        tally = Tally.of(report)
        attracting = list(attractors(report, tally))
        found += _no_better(report, tally)
        found += attracting
        found += _never_answered(report, tally)
        found += confused_pairs(report, tally, {attractor.label for attractor in attracting})
    found += _weak_slices(report, answered)
    found += _unparsed(report)
    return tuple(found)


def _no_better(report: Report, tally: Tally) -> Iterator[NoBetter]:
    """Whether the answers beat guessing and the most frequent class, which never look.

    Guessing is right on Binomial(images, 1/labels). A constant answer is right on exactly the
    images of its class, so beating it is being right on more than these: either by the binomial
    test of that share, which is the stronger one where mistakes are spread over all classes, or by
    McNemar's exact test on the images that only one of both gets right, which is the stronger one
    where the model nearly always answers the same. Each has half of the error.
    """
    correct, answered = report.accuracy.hits, report.accuracy.total
    majority = max(range(tally.size), key=lambda place: (tally.images[place], -place))
    most = tally.images[majority]
    p_guessing = p_majority = binomial_tail(correct, answered, 1 / tally.size)
    if most * tally.size > answered:
        right_there = tally.counts[majority][majority]
        ours, theirs = correct - right_there, most - right_there
        paired = binomial_tail(ours, ours + theirs, 1 / 2)
        p_majority = min(1.0, 2 * min(binomial_tail(correct, answered, most / answered), paired))
    named = sum(tally.named)
    # A run that stopped early may have stopped because so many were wrong.
    p_worse = binomial_tail(named - correct, named, 1 - 1 / tally.size)
    worse = not report.ledger.not_needed and KINDS * p_worse <= LEVEL
    than: list[Literal["guessing", "majority"]] = []
    if p_guessing > LEVEL:
        than.append("guessing")
    if p_majority > LEVEL:
        than.append("majority")
    if than and (answered >= FEWEST or worse):
        yield NoBetter(
            correct=correct,
            answered=answered,
            choices=tally.size,
            majority=report.confusion.labels[majority],
            majority_images=most,
            than=tuple(than),
            p_guessing=p_guessing,
            p_majority=p_majority,
            p_value=max(p_guessing, p_majority),
            worse=worse,
        )


def _never_answered(report: Report, tally: Tally) -> Iterator[NeverAnswered]:
    """Classes that have images and that no answer names, in the labels' order.

    Luck would have to explain two things, and the larger p-value counts: that a model which sees
    such a class half of the time misses all its images, and that one which guesses among all
    labels never hits on this one.
    """
    labels, named = report.confusion.labels, sum(tally.named)
    guessed = (1 - 1 / tally.size) ** named
    missed = [not any(row[place] for row in tally.counts) for place in range(tally.size)]
    luck = [
        max(guessed, 0.5**images) if never and images else 1.0
        for never, images in zip(missed, tally.images, strict=True)
    ]
    p_values = holm(luck, kinds=KINDS)
    for label, images, p_value in zip(labels, tally.images, p_values, strict=True):
        if p_value <= LEVEL:
            cases = [one.case for one in report.outcomes if one.expected == label]
            yield NeverAnswered(
                label=label,
                images=images,
                answers=named,
                p_value=p_value,
                cases=tuple(cases[:EXAMPLES]),
            )


def _weak_slices(report: Report, answered: Sequence[Outcome]) -> Iterator[WeakSlice]:
    """For each tag the value that is answered worst, if it is worse than the rest.

    Fisher's exact test of each value against all other images: it names the slice that it is
    about, needs no random numbers, and holds for few images and for many values.
    """
    slices = [one for tag in report.tags for one in _slices(tag, answered)]
    p_values = holm([one.p_value for one in slices], kinds=KINDS)
    by_tag: defaultdict[str, list[tuple[float, float, _Slice]]] = defaultdict(list)
    for one, p_value in zip(slices, p_values, strict=True):
        if p_value <= LEVEL:
            by_tag[one.tag].append((one.correct / one.answered, p_value, one))
    for tag, found in by_tag.items():
        found.sort(key=lambda entry: (entry[0], entry[1], entry[2].value))
        (_, p_value, worst), *also = found
        wrong = [
            one.case
            for one in answered
            if one.kind != "correct" and one.tags.get(tag, "") == worst.value
        ]
        yield WeakSlice(
            tag=tag,
            value=worst.value,
            correct=worst.correct,
            answered=worst.answered,
            rest_correct=report.accuracy.hits - worst.correct,
            rest_answered=report.accuracy.total - worst.answered,
            also=tuple(one.value for _, _, one in also),
            p_value=p_value,
            cases=tuple(wrong[:EXAMPLES]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slice:
    """Answers to the images with one value of a tag, and how likely luck makes them so bad."""

    tag: str
    value: str
    correct: int
    answered: int
    p_value: float


def _slices(tag: str, answered: Sequence[Outcome]) -> Iterator[_Slice]:
    total = Counter(one.tags.get(tag, "") for one in answered)
    if not PAIR <= len(total) <= VALUES:
        return
    right = Counter(one.tags.get(tag, "") for one in answered if one.kind == "correct")
    everything, all_right = total.total(), right.total()
    for value in sorted(total):
        rest = everything - total[value]
        if min(total[value], rest) < SLICE:
            continue
        wrong, rest_wrong = total[value] - right[value], rest - (all_right - right[value])
        yield _Slice(
            tag=tag,
            value=value,
            correct=right[value],
            answered=total[value],
            p_value=fisher_greater(wrong, total[value], rest_wrong, rest),
        )


def _unparsed(report: Report) -> Iterator[UnparsedKind]:
    """Answers without a label by kind, most frequent first, unless they are a handful."""
    answered = report.ledger.answered
    many, some, share = UNPARSED
    total = report.ledger.unparsed
    if total < many and (total < some or total < share * answered):
        return
    kinds: defaultdict[str, list[Outcome]] = defaultdict(list)
    for one in report.of_kind("unparsed"):
        kinds[one.reason or "unknown"].append(one)
    for reason in sorted(kinds, key=lambda reason: (-len(kinds[reason]), reason)):
        found = kinds[reason]
        texts = dict.fromkeys(one.answer.text for one in found if one.answer is not None)
        yield UnparsedKind(
            reason=reason,
            count=len(found),
            answered=answered,
            texts=tuple(texts)[:_TEXTS],
            cases=tuple(one.case for one in found[:EXAMPLES]),
        )
