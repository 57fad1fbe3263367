"""Deciding a comparison with committed predictions before every image is asked.

For each image it is known beforehand whether the committed answer is right. An image that was
right can only break, one that was wrong can only be fixed; so all images together come to some
number of broken ones among those that were right, and of fixed ones among those that were wrong,
and each such pair of numbers has its verdict.

Both kinds of image are asked in an order that is random within the kind. Someone who spreads a
stake over all numbers of flips beforehand and lets every answer move it (Bayes) holds, on the true
pair of numbers, a posterior probability that is hardly ever tiny: prior over posterior of the
truth is a martingale that starts with 1, so it ever reaches ``1 / alpha`` with a probability of at
most `alpha` (Ville 1939; Waudby-Smith and Ramdas, "Confidence sequences for sampling without
replacement", NeurIPS 2020, the prior-posterior ratio). Pairs for which it did are refuted, and
when all pairs that are left have one verdict, that is it. PASS and FAIL share the error: at most
one pair is the true one.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal

from pytest_llmclf.gates.sequential.martingale import log_sum

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pytest_llmclf.values.outcome import Outcome

PairedWord = Literal["PASS", "FAIL"]

_PRIORS: Final = 4
"""The stake is spread evenly over so many guesses of how often images flip; see `_expected`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedQuestion:
    """Whether all images would be worse than the committed predictions.

    Attributes:
        name: Digest of the committed predictions.
        right: By case id, for all images of the run: whether the committed answer is right.
        fails: Whether so many broken and so many fixed images fail. More broken ones must never
            pass where fewer fail, nor more fixed ones fail where fewer pass.
    """

    name: str
    right: Mapping[str, bool]
    fails: Callable[[int, int], bool] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """The images of one kind, those that were right or those that were wrong, and their flips.

    Attributes:
        images: How many there are.
        asked: How many of them have an answer.
        flips: How many of those flipped.
    """

    images: int
    asked: int = 0
    flips: int = 0

    def after(self, *, flipped: bool) -> Kind:
        """With one more answer."""
        return Kind(images=self.images, asked=self.asked + 1, flips=self.flips + flipped)

    @property
    def most(self) -> int:
        """The largest number of flips that all images of the kind can come to."""
        return self.images - self.asked + self.flips

    @property
    def likeliest(self) -> int:
        """The number of flips under which these answers are the most likely."""
        if not self.asked:
            return 0
        guess = (self.images + 1) * self.flips // self.asked
        return min(max(guess, self.flips), self.most)

    def doubt(self, total: int) -> float:
        """Logarithm of prior over posterior of so many flips in all."""
        if not self.flips <= total <= self.most:
            return math.inf
        rest = self.images - total
        # How likely these answers are in their order, if so many flip: without replacement.
        likelihood = (
            math.lgamma(total + 1)
            - math.lgamma(total - self.flips + 1)
            + math.lgamma(rest + 1)
            - math.lgamma(rest - self.asked + self.flips + 1)
            - math.lgamma(self.images + 1)
            + math.lgamma(self.images - self.asked + 1)
        )
        return self._expected - likelihood

    @property
    def _expected(self) -> float:
        """Logarithm of how likely these answers are before anything is known of the flips.

        A fourth each for: no image flips; the share of flips is Beta(1/2, b) with b the number of
        images, a tenth of it, and 1/2. These are few flips in all, a few in a hundred, and any
        share.
        """
        hits, misses, images = self.flips, self.asked - self.flips, max(self.images, 1)
        parts = [_log_beta(0.5 + hits, b + misses, 0.5, b) for b in (images, images / 10, 0.5)]
        if not hits:
            parts.append(0.0)
        return log_sum(parts) - math.log(_PRIORS)


def _log_beta(a: float, b: float, prior_a: float, prior_b: float) -> float:
    """Logarithm of one beta function over another."""
    return (
        math.lgamma(a)
        + math.lgamma(b)
        - math.lgamma(a + b)
        - math.lgamma(prior_a)
        - math.lgamma(prior_b)
        + math.lgamma(prior_a + prior_b)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedProgress:
    """How far a comparison is from being decided.

    Attributes:
        question: What is to be found out.
        bar: Logarithm of what the doubt about a pair of numbers has to reach.
        was_right: The images that were right: their flips are broken ones.
        was_wrong: The images that were wrong: their flips are fixed ones.
        word: The verdict; ``None`` while undecided.
        certain: Whether it holds whatever comes.
        decided_after: After how many images of the evaluation it was decided.
        first_failing: By numbers of fixed images, the smallest number of broken ones that fails,
            where it was worked out already.
    """

    question: PairedQuestion
    bar: float
    was_right: Kind
    was_wrong: Kind
    word: PairedWord | None = None
    certain: bool = False
    decided_after: int = 0
    first_failing: dict[int, int] = field(default_factory=dict, repr=False, compare=False)

    def after(self, outcome: Outcome, asked: int) -> PairedProgress:
        """With the next answer, the `asked`th of the evaluation."""
        right = outcome.kind == "correct"
        was_right, was_wrong = self.was_right, self.was_wrong
        if self.question.right[outcome.case]:
            was_right = was_right.after(flipped=not right)
        else:
            was_wrong = was_wrong.after(flipped=right)
        moved = replace(self, was_right=was_right, was_wrong=was_wrong)
        sure = _certain(moved)
        word = sure or self.word or _tested(moved)
        surer = sure is not None and not self.certain
        decided_now = surer or (word is not None and self.word is None)
        return replace(
            moved,
            word=word,
            certain=sure is not None,
            decided_after=asked if decided_now else self.decided_after,
        )


def start_paired(question: PairedQuestion, error: float) -> PairedProgress:
    """No answer yet.

    Args:
        question: What is to be found out.
        error: How often it may be decided wrongly; 0: only what is certain is decided.
    """
    right = sum(question.right.values())
    return PairedProgress(
        question=question,
        bar=-math.log(error) if error else math.inf,
        was_right=Kind(images=right),
        was_wrong=Kind(images=len(question.right) - right),
    )


def _certain(progress: PairedProgress) -> PairedWord | None:
    """The verdict if nothing can change it."""
    broken, fixed = progress.was_right, progress.was_wrong
    if broken.most < _first_failing(progress, fixed.flips):
        return "PASS"
    return "FAIL" if progress.question.fails(broken.flips, fixed.most) else None


def _tested(progress: PairedProgress) -> PairedWord | None:
    """The verdict that all pairs have which are not refuted."""
    passing = failing = False
    broken = progress.was_right
    for fixed, doubt in _plausible(progress):
        first = _first_failing(progress, fixed)
        # Doubt is smallest at the likeliest number: of a region there, or at its edge.
        passing = passing or doubt + broken.doubt(min(broken.likeliest, first - 1)) < progress.bar
        failing = failing or doubt + broken.doubt(max(broken.likeliest, first)) < progress.bar
        if passing and failing:
            return None
    if passing == failing:
        return None
    return "FAIL" if failing else "PASS"


def _plausible(progress: PairedProgress) -> Iterator[tuple[int, float]]:
    """Numbers of fixed images that may be the true one, from the likeliest, with the doubt."""
    least = progress.was_right.doubt(progress.was_right.likeliest)
    start = progress.was_wrong.likeliest
    for step, end in ((1, progress.was_wrong.most), (-1, progress.was_wrong.flips)):
        # From the likeliest one on the doubt only rises.
        for fixed in range(start + (step < 0) * step, end + step, step):
            doubt = progress.was_wrong.doubt(fixed)
            if doubt + least >= progress.bar:
                break
            yield fixed, doubt


def _first_failing(progress: PairedProgress, fixed: int) -> int:
    """The smallest number of broken images that fails; one more than there are if none."""
    if fixed not in progress.first_failing:
        progress.first_failing[fixed] = bisect_left(
            range(progress.was_right.images + 1),
            x=True,
            key=lambda broken: progress.question.fails(broken, fixed),
        )
    return progress.first_failing[fixed]
