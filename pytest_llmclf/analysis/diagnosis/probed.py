"""What the probes of a report show, each by a paired test on the images of its sample.

A paired test holds the answer to a question as declared against the answer to the same question
with one thing changed. The hypotheses of all probes that were run share the 5% (`holm_discrete`),
so that a model to which nothing of it matters gets any such finding in at most 5% of all runs. What
each test takes for granted stands with its function.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from pytest_llmclf.analysis.diagnosis.answer_counts import AnswerCounts
from pytest_llmclf.analysis.diagnosis.finding import EXAMPLES, LEVEL
from pytest_llmclf.analysis.diagnosis.mistakes import draws
from pytest_llmclf.analysis.diagnosis.probe_finding import (
    BlankProbe,
    ExampleProbe,
    OrderProbe,
    ProbeNotRun,
    SizeChange,
    SizeProbe,
)
from pytest_llmclf.metrics.power import images_for_loss, loss_chance
from pytest_llmclf.metrics.report import once_a_report
from pytest_llmclf.metrics.significance import (
    Shared,
    holm_discrete,
    sign_flip,
    sign_flip_attains,
)
from pytest_llmclf.values.outcome import ANSWERED
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from pytest_llmclf.analysis.diagnosis.probe_finding import ProbeFinding
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.outcome import Outcome
    from pytest_llmclf.values.probe_answers import Probe, ProbeAnswers

BIAS: Final = 0.1
"""How large a bias a sample is made for: so many of all answers."""
POWER: Final = 0.8
"""How likely such a bias is to be found."""
NOISE: Final = 0.03
"""Share of the answers that are taken to change in each direction for no reason."""
TESTS: Final[dict[Probe, int]] = {"order": 1, "blank": 1, "example": 1, "size": 2}
"""Hypotheses of each probe."""
SHARES: Final[dict[Probe, float]] = {"order": 1, "blank": 6, "example": 1, "size": 1}
"""How the 5% are shared among the hypotheses: so that each finds a bias of 10 points about as often
in 200 images. What draws to a label has to be told from mistakes, what changes answers only from
answers that change by themselves."""


def paired_level(probes: Collection[Probe]) -> float:
    """The least level of a paired test where all these probes are asked for, out of the 5%."""
    shares = [SHARES[probe] for probe in probes for _ in range(TESTS[probe])]
    return LEVEL * min(shares, default=1.0) / (sum(shares) or 1.0)


def sample_size(probes: Collection[Probe]) -> int:
    """How many images show a bias of 10 points with a chance of 80%, all these probes considered.

    By the paired test at its share of the 5%, with 3% of the answers changing either way besides.
    """
    images = images_for_loss(BIAS, fixed=NOISE, alpha=paired_level(probes), chance=POWER)
    assert images is not None  # noqa: S101 - a bias of 10 points is seen in some number of images
    return images


@once_a_report
def probed(report: Report) -> tuple[ProbeFinding, ...]:
    """One finding a probe that was asked for, in the order in which they were."""
    parts: defaultdict[Probe, list[ProbeAnswers]] = defaultdict(list)
    for one in report.probes:
        parts[one.probe].append(one)
    found = {probe: _found(report, probe, changes) for probe, changes in parts.items()}
    tests = [
        replace(test, share=SHARES[probe]) for probe, one in found.items() for test in one.tests
    ]
    adjusted = iter(holm_discrete(tests))
    level = LEVEL / (sum(test.share for test in tests) or 1.0)
    return tuple(
        one.conclude([next(adjusted) for _ in one.tests], level * SHARES[probe])
        for probe, one in found.items()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tested:
    """A probe's tests, and what makes its finding of their p-values, once these are adjusted.

    Attributes:
        tests: One a hypothesis, not adjusted.
        conclude: Takes the adjusted p-values, and the level of a single one.
    """

    tests: tuple[Shared, ...] = ()
    conclude: Callable[[Sequence[float], float], ProbeFinding]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """An image's answers: as declared, and with the change. ``None``: it names no label."""

    case: str
    right: tuple[str, ...]
    before: str | None
    after: str | None


def _found(report: Report, probe: Probe, changes: Sequence[ProbeAnswers]) -> _Tested:
    why = _why_not(report, changes)
    if why:
        return _Tested(conclude=lambda _, __: ProbeNotRun(probe=probe, why=why))
    return _TESTS[probe](report, changes)


def _why_not(report: Report, changes: Sequence[ProbeAnswers]) -> str:
    """Why a probe tells nothing; empty where it does.

    A run that stopped early stopped because of its answers. What was settled before was how many
    images a probe looks at; where the run stopped before all of them were asked, nothing is tested.
    """
    whys = [one.why for one in changes if one.why]
    wanted = {case for one in changes for case in one.cases}
    if whys and not wanted:
        return whys[0]
    kinds = Counter(found.kind for found in report.outcomes if found.case in wanted)
    if kinds["not_needed"] or (report.ledger.not_needed and changes[0].probe == "blank"):
        asked = len(wanted) - kinds["not_needed"]
        images = f"{asked} of the {len(wanted)} {noun(len(wanted), 'image')} of its sample"
        return f"the run stopped early, after {images}, because of its answers"
    pairs = [pair for one in changes for pair in _pairs(report, one)]
    if pairs:
        return ""
    trouble = next((one.trouble for one in changes if one.trouble), "none of its images was asked")
    return f"no image has an answer to both: {trouble}"


def _pairs(report: Report, changed: ProbeAnswers) -> list[_Pair]:
    """The images with an answer to both questions."""
    by_case: dict[str, Outcome] = {found.case: found for found in report.outcomes}
    known = [
        (by_case[case], changed.answers[case])
        for case in changed.cases
        if case in changed.answers and case in by_case
    ]
    return [
        _Pair(case=one.case, right=one.labels, before=one.predicted, after=after)
        for one, after in known
        if one.kind in ANSWERED
    ]


def _turned(nets: Sequence[int]) -> Shared:
    """The test of signs, given how much the answers of each image change."""
    return Shared(p_value=sign_flip(nets), attains=sign_flip_attains(nets))


def _flipped(one_way: int, other_way: int) -> Shared:
    """The same, where each image that changes counts once: McNemar's exact test."""
    return _turned([1] * one_way + [-1] * other_way)


def _power(images: int, one_way: int, other_way: int, share: float) -> float:
    """How likely a bias of 10 points is shown, with as much noise as the rarer way has."""
    noise = min(one_way, other_way) / images
    if BIAS + 2 * noise > 1:
        return 0.0
    return loss_chance(images, BIAS, fixed=noise, alpha=share)


def _examples(cases: Iterable[str]) -> tuple[str, ...]:
    return tuple(cases)[:EXAMPLES]


def _order(report: Report, changes: Sequence[ProbeAnswers]) -> _Tested:
    """Of the answers that change with the list, do more go up in it than down, or the other way?

    Each image is asked with one of two lists, the second one being the first one backwards, and a
    coin that knows no answer chooses which. If the places of labels do not matter, of any two
    labels either is as likely the upper one: how many go up is Binomial(changed, 1/2), whatever
    the model makes of lists that are in no order, and of images that are alike.
    """
    up: list[str] = []
    down: list[str] = []
    unread = images = 0
    for one in changes:
        place = {label: number for number, label in enumerate(one.labels)}
        for pair in _pairs(report, one):
            images += 1
            if pair.before == pair.after:
                continue
            if pair.before is None or pair.after is None:
                unread += 1
            else:
                (up if place[pair.after] < place[pair.before] else down).append(pair.case)

    def conclude(p_values: Sequence[float], share: float) -> ProbeFinding:
        return OrderProbe(
            images=images,
            changed=len(up) + len(down) + unread,
            up=len(up),
            down=len(down),
            power=_power(images, len(up), len(down), share),
            p_value=p_values[0],
            cases=_examples(up if len(up) > len(down) else down),
        )

    return _Tested(tests=(_flipped(len(up), len(down)),), conclude=conclude)


def _example(report: Report, changes: Sequence[ProbeAnswers]) -> _Tested:
    """Are labels named more often, or less, where they are the example than where they are not?

    An answer counts +1 where it names what is the example in its question, and -1 where it names
    what is the example in the other one. If examples do not matter, both answers of an image may
    as well be exchanged, which turns the sign of its sum: Fisher's test of sign flips.
    """
    (one,) = changes[:1]
    pairs, labels, others = _pairs(report, one), tuple(one.others), tuple(one.others.values())

    def net(pair: _Pair) -> int:
        drawn = (pair.before in labels) + (pair.after in others)
        return drawn - (pair.after in labels) - (pair.before in others)

    nets = [net(pair) for pair in pairs]
    drawn, repelled = (sum(sign * one > 0 for one in nets) for sign in (1, -1))

    def conclude(p_values: Sequence[float], share: float) -> ProbeFinding:
        sign = 1 if sum(nets) > 0 else -1
        shown = zip(pairs, nets, strict=True)
        return ExampleProbe(
            labels=labels,
            others=others,
            place=one.place,
            images=len(pairs),
            before=sum(pair.before in labels for pair in pairs),
            after=sum(pair.after in labels for pair in pairs),
            others_before=sum(pair.before in others for pair in pairs),
            others_after=sum(pair.after in others for pair in pairs),
            power=_power(len(pairs), drawn, repelled, share),
            p_value=p_values[0],
            cases=_examples(pair.case for pair, value in shown if value * sign > 0),
        )

    return _Tested(tests=(_turned(nets),), conclude=conclude)


def _size(report: Report, changes: Sequence[ProbeAnswers]) -> _Tested:
    """Is an image right more often as it is sent, or in another size? McNemar's test, each size."""
    compared = []
    silent = []
    for one in changes:
        pairs = _pairs(report, one)
        if not pairs:
            silent.append((one.change, one.trouble))
            continue
        right = [(pair.before in pair.right, pair.after in pair.right) for pair in pairs]
        broken = [pair.case for pair, flip in zip(pairs, right, strict=True) if flip == (1, 0)]
        fixed = right.count((False, True))
        compared.append((one.change, len(pairs), broken, fixed))

    def conclude(p_values: Sequence[float], share: float) -> ProbeFinding:
        return SizeProbe(
            changes=tuple(
                SizeChange(
                    change=change,
                    images=images,
                    broken=len(broken),
                    fixed=fixed,
                    power=_power(images, len(broken), fixed, share),
                    p_value=p_value,
                )
                for (change, images, broken, fixed), p_value in zip(compared, p_values, strict=True)
            ),
            silent=tuple(silent),
            p_value=min(p_values),
            cases=_examples(case for _, _, broken, _ in compared for case in broken),
        )

    tests = tuple(_flipped(len(broken), fixed) for _, _, broken, fixed in compared)
    return _Tested(tests=tests, conclude=conclude)


def _blank(report: Report, changes: Sequence[ProbeAnswers]) -> _Tested:
    """Does the label that is said of grey images draw wrong answers?

    Grey images are all alike, so that a few are asked: what most of them are called is a fact and
    no sample. It names one label without a look at any other answer, and of this one it is tested
    on all images whether it draws.
    """
    said = Counter(label for one in changes for label in one.answers.values())
    found = BlankProbe(images=said.total(), said=tuple(said.most_common()))
    label, most = said.most_common(1)[0]
    named = report.confusion.labels
    if label not in named or 2 * most <= said.total():
        return _Tested(conclude=lambda _, __: found)
    independent = report.one_each()
    counts, place = AnswerCounts.of(independent.confusion), named.index(label)
    taken = [one.case for one in independent.of_kind("misclassified") if one.predicted == label]
    wrong = counts.every_wrong - counts.wrong[place]
    found = replace(
        found,
        label=label,
        taken=len(taken),
        others=counts.every_named - counts.named[place],
        wrong=wrong,
        even=wrong / (counts.size - 1),
        given=counts.wrong[place],
        own=counts.named[place],
        cases=_examples(taken),
    )

    def conclude(p_values: Sequence[float], _: float) -> ProbeFinding:
        return replace(found, p_value=p_values[0])

    return _Tested(tests=(Shared(p_value=draws(counts, place)),), conclude=conclude)


_TESTS: Final[dict[Probe, Callable[[Report, Sequence[ProbeAnswers]], _Tested]]] = {
    "order": _order,
    "blank": _blank,
    "example": _example,
    "size": _size,
}
