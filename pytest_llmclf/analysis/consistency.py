"""How much a model differs from itself when it is asked the same again.

Readings are compared, not texts: a label, or that the answer names none. An asking without an
answer is in no agreement, no vote and no flip, but in the count of those.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import TYPE_CHECKING, Final

from pytest_llmclf.analysis.comparison.flips import SIGNIFICANCE
from pytest_llmclf.analysis.comparison.prediction import prediction
from pytest_llmclf.metrics.measure import Ratio
from pytest_llmclf.metrics.report import once_a_report
from pytest_llmclf.metrics.significance import at_least
from pytest_llmclf.metrics.wording import p_value
from pytest_llmclf.values.outcome import ASKED
from pytest_llmclf.values.request import REPLAYED
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llmclf.analysis.comparison.paired_comparison import Comparison
    from pytest_llmclf.analysis.comparison.prediction import Prediction
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.outcome import Outcome

_SEEDS_SHOWN: Final = 5
_VOTERS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageAskings:
    """All askings of one image.

    Attributes:
        case: Its id.
        expected: Its label.
        answers: One entry an asking, in order; ``None`` where there is no answer.
    """

    case: str
    expected: str
    answers: tuple[Prediction | None, ...]

    @property
    def readings(self) -> tuple[str | None, ...]:
        """What the answers name, in order; ``None`` for an answer that names no label."""
        return tuple(answer.label for answer in self.answers if answer is not None)

    @property
    def correct(self) -> int:
        """Answers that name the expected label."""
        return sum(answer is not None and answer.correct for answer in self.answers)

    @property
    def repeated(self) -> bool:
        """Whether there are two answers or more to hold against each other."""
        return len(self.readings) > 1

    @property
    def consistent(self) -> bool:
        """Whether all answers read the same."""
        return len(set(self.readings)) <= 1

    @property
    def agreement(self) -> Fraction:
        """Share of pairs of answers that read the same; needs two answers."""
        total = len(self.readings)
        same = sum(count * (count - 1) for count in Counter(self.readings).values())
        return Fraction(same, total * (total - 1))

    @property
    def majority_correct(self) -> bool:
        """Whether the most frequent reading is a right label; a tie for it is not."""
        if not self.has_majority:
            return False
        most = Counter(self.readings).most_common(1)[0][0]
        return any(one is not None and one.label == most and one.correct for one in self.answers)

    @property
    def has_majority(self) -> bool:
        """Whether one reading is more frequent than any other."""
        ranked = Counter(self.readings).most_common(2)
        return bool(ranked) and (len(ranked) == 1 or ranked[0][1] > ranked[1][1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Stability:
    """What repeated askings of the same images show.

    Attributes:
        askings: How often each image was to be asked, the first time included.
        images: Every image that was asked, by case.
        flips: One entry a pair of askings: images that one of both got right and the other did
            not, among those with an answer to both.
        unanswered: Askings without an answer; in no other number here.
        answers: Askings with an answer.
        known: How many of these came from the store of known answers.
        recorded: Whether all of them are of a recording.
        greedy: Whether the likeliest token was taken each time, so that nothing was drawn;
            ``None`` where it is not known what was asked for.
        seeds: Seed of each asking in order; empty where the server drew them or nobody knows.
    """

    askings: int
    images: tuple[ImageAskings, ...]
    flips: tuple[Ratio, ...]
    unanswered: int
    answers: int = 0
    known: int = 0
    recorded: bool = False
    greedy: bool | None = None
    seeds: tuple[int, ...] = ()

    @property
    def caveats(self) -> tuple[str, ...]:
        """What these askings cannot show, and how they were told apart, a sentence each."""
        found = []
        if self.greedy:
            found.append(
                "nothing was drawn (temperature 0 or top_k 1): the likeliest answer comes each "
                "time, so these numbers say nothing of how sure the model is; answers that differ "
                "come from the server's arithmetic"
            )
        elif self.seeds:
            listed = ", ".join(map(str, self.seeds[:_SEEDS_SHOWN]))
            more = ", ..." if len(self.seeds) > _SEEDS_SHOWN else ""
            found.append(f"each asking was sent with a seed of its own: {listed}{more}")
        if self.recorded:
            found.append("the answers are of a recording: nothing was asked in this run")
        elif self.known and self.known == self.answers:
            found.append(
                f"all {self.known} {noun(self.known, 'answer')} came from the store of known "
                "answers; --llmclf-fresh asks anew"
            )
        elif self.known:
            found.append(
                f"{self.known} of {self.answers} {noun(self.answers, 'answer')} came from the "
                "store of known answers"
            )
        return tuple(found)

    @property
    def repeated(self) -> tuple[ImageAskings, ...]:
        """Images with two answers or more: the denominator of `consistent`."""
        return tuple(image for image in self.images if image.repeated)

    @property
    def consistent(self) -> Ratio:
        """Images whose answers all read the same, among those with two or more."""
        repeated = self.repeated
        return Ratio(hits=sum(image.consistent for image in repeated), total=len(repeated))

    @property
    def inconsistent(self) -> tuple[ImageAskings, ...]:
        """Images whose answers do not all read the same, by case."""
        return tuple(image for image in self.images if not image.consistent)

    @property
    def self_consistency(self) -> float | None:
        """How often two answers to the same image read the same: the mean over `repeated`.

        ``None`` if there is no such image.
        """
        repeated = self.repeated
        if not repeated:
            return None
        return float(sum((image.agreement for image in repeated), Fraction(0)) / len(repeated))

    @property
    def majority_accuracy(self) -> Ratio:
        """Accuracy if the most frequent reading of each image counted.

        Among all images with an answer. Unparsed answers vote together; where no reading is more
        frequent than any other, the image counts as wrong.
        """
        answered = [image for image in self.images if image.readings]
        return Ratio(hits=sum(image.majority_correct for image in answered), total=len(answered))

    @property
    def voted(self) -> bool:
        """Whether any image has the three answers that a vote takes: of two, none outvotes one."""
        return any(len(image.readings) >= _VOTERS for image in self.images)

    @property
    def no_majority(self) -> tuple[str, ...]:
        """Images with answers of which no reading is the most frequent, by case."""
        return tuple(
            image.case for image in self.images if image.readings and not image.has_majority
        )

    @property
    def mean_flips(self) -> float | None:
        """Images that flip between two askings, on average over pairs of askings.

        ``None`` if no two askings have a common image.
        """
        counted = [flips.hits for flips in self.flips if flips.total]
        return sum(counted) / len(counted) if counted else None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseVerdict:
    """Whether flips since the committed predictions exceed the model's own.

    Attributes:
        flips: Images that flipped between right and wrong since, by the first asking.
        images: Among so many: those compared and asked more than once.
        askings: How often each was asked.
        mean_flips: How many of them flipped since, on average over the askings.
        own_flips: How many of them flip between two of these askings, on average.
        p_value: How often at least so many flip on average if nothing changed.
    """

    flips: int
    images: int
    askings: int
    mean_flips: float
    own_flips: float
    p_value: float

    @property
    def beyond(self) -> bool:
        """Whether there are more flips than the model's own explain, at the 5% level."""
        return self.p_value < SIGNIFICANCE

    @property
    def text(self) -> str:
        """One line."""
        came = "more than its own" if self.beyond else "not shown to be more than its own"
        flips = noun(self.flips, "flip")
        return (
            f"{self.flips} {flips}, {self.mean_flips:.1f} on average over {self.askings} askings; "
            f"between two of these the model flips {self.own_flips:.1f} images by itself: {came} "
            f"({p_value(self.p_value)})"
        )


@once_a_report
def stability(report: Report) -> Stability | None:
    """What the repeats of a report show; ``None`` if it has none.

    Images that were not asked at all, since the run stopped early, or that are lost, are left out.
    """
    if not report.repeats:
        return None
    askings = 1 + max(outcome.repeat for outcome in report.repeats)
    by_case: dict[str, dict[int, Outcome]] = {}
    for outcome in (*report.outcomes, *report.repeats):
        if outcome.kind in ASKED:
            by_case.setdefault(outcome.case, {})[outcome.repeat] = outcome
    images = tuple(_image(case, found, askings) for case, found in sorted(by_case.items()))
    asked = [
        outcome
        for found in by_case.values()
        for outcome in found.values()
        if prediction(outcome).answered
    ]
    told, identity = report.full_instructions, report.identity
    told = None if report.told_nothing else told
    seeded = told is not None and told.seed is not None
    return Stability(
        askings=askings,
        images=images,
        flips=_flips(images, askings),
        unanswered=sum(
            not prediction(outcome).answered
            for found in by_case.values()
            for outcome in found.values()
        ),
        answers=len(asked),
        known=sum(outcome.cached for outcome in asked),
        recorded=identity is not None and REPLAYED in identity.details,
        greedy=None if told is None else told.greedy,
        seeds=tuple(told.options_of(asking)["seed"] for asking in range(askings))
        if told is not None and seeded
        else (),
    )


def _image(case: str, found: dict[int, Outcome], askings: int) -> ImageAskings:
    said = [prediction(found[asking]) if asking in found else None for asking in range(askings)]
    return ImageAskings(
        case=case,
        expected=" or ".join(next(iter(found.values())).labels),
        answers=tuple(one if one is not None and one.answered else None for one in said),
    )


def _flips(images: Iterable[ImageAskings], askings: int) -> tuple[Ratio, ...]:
    pairs = list(combinations(range(askings), 2))
    hits, total = Counter[tuple[int, int]](), Counter[tuple[int, int]]()
    for image in images:
        for pair in pairs:
            first, second = (image.answers[asking] for asking in pair)
            if first is not None and second is not None:
                total[pair] += 1
                hits[pair] += first.correct != second.correct
    return tuple(Ratio(hits=hits[pair], total=total[pair]) for pair in pairs)


def flips_beyond_noise(comparison: Comparison, stability: Stability) -> NoiseVerdict | None:
    """Whether more images flipped since the committed predictions than do by themselves.

    If nothing changed, the committed answer to an image is one more answer like those of this run,
    and which of all n + 1 it is, is as good as drawn: with k of them right it is a right one with
    probability ``k / (n + 1)`` and then differs from ``n + 1 - k`` of this run's n answers, else a
    wrong one that differs from k. The number of such differences over all images is a sum of
    independent draws and its p-value exact: a permutation test, given how many are right. All
    askings take part, since an answer that differs from every one of them says more than one that
    differs from the first.

    Args:
        comparison: The committed predictions against the first asking of this run.
        stability: This run's askings.

    Returns:
        The verdict, or ``None`` if no compared image was asked more than once.
    """
    compared, flipped = set(comparison.cases), {*comparison.broken, *comparison.fixed}
    images = [
        image
        for image in stability.repeated
        if image.case in compared and image.answers[0] is not None
    ]
    if not images or comparison.refused is not None:
        return None
    draws: list[tuple[int, int, float]] = []
    own = mean = Fraction(0)
    differing = 0
    for image in images:
        first = image.answers[0]
        asked = len(image.readings)
        was_right = first is not None and first.correct != (image.case in flipped)
        right = image.correct + was_right
        differs = asked - image.correct if was_right else image.correct
        draws.append((asked + 1 - right, right, right / (asked + 1)))
        differing += differs
        mean += Fraction(differs, asked)
        own += Fraction(2 * image.correct * (asked - image.correct), asked * (asked - 1))
    return NoiseVerdict(
        flips=sum(image.case in flipped for image in images),
        images=len(images),
        askings=stability.askings,
        mean_flips=float(mean),
        own_flips=float(own),
        p_value=at_least(differing, draws),
    )
