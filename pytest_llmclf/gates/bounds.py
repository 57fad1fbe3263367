"""How sure a measured value is about images like these: one-sided bounds for any metric.

Every metric here is a share of right images, in which an image may weigh more than another:

* a proportion (accuracy, recall, ...): every image weighs 1;
* F1 of one class: a right image weighs 2, a wrong one 1, since ``F1 = 2 TP / (2 TP + FP + FN)``;
* an average over classes: each class's images share the weight of the class.

What is known about such a share is described by a distribution, one for each side:

    share = sum of w G over the right ones / sum of w G over all,   G independent, Exponential(1)

over the images seen *and one more that nobody saw*: a wrong one of the largest weight for the
lower side, a right one for the upper side. Where right images all weigh the same, and wrong ones
too, that is a beta distribution and its quantiles are the ends of Clopper and Pearson (Biometrika
26, 1934, 404-413), exact for each true rate. With unequal weights it is the Bayesian bootstrap
(Rubin, Annals of Statistics 9, 1981, 130-134) with one worst case added, as proposed for bounded
means by Learned-Miller and Thomas ("A new confidence interval for the mean of a bounded random
variable", arXiv:1905.06208, 2019). The unseen image is what keeps the bound from collapsing to
certainty when all images are right. No random numbers are drawn: the distribution is computed.

Images of one cluster (a scene, copies of one file) have one random number together, as in the
cluster bootstrap, and the image that nobody saw becomes a cluster that nobody saw, which is right
or wrong as a whole. Where clusters are so, and of one size, that is Clopper and Pearson's interval
again, of clusters. See `gate.cluster_evidence`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING

from pytest_llmclf.metrics.clusters import FEWEST_CLUSTERS
from pytest_llmclf.metrics.intervals import Interval
from pytest_llmclf.metrics.power import CHANCE, images_to_pass, least_number

if TYPE_CHECKING:
    import numpy as np

_STEP = 0.15
"""Of the trapezoidal rule, to begin with: its error falls like ``exp(-2 pi / step)`` where weights
are alike. Where one image weighs as much as thousands of others, smaller steps are needed."""
_AGREEMENT = 1e-9
"""Of two steps, one half of the other; that of the smaller one errs far less."""
_REFINEMENTS = 6
_NEGLIGIBLE = 1e-13
_HALVINGS = 50
_AT_ONCE = 32
"""Places of the integral that are computed together."""

Groups = tuple[tuple[float, float], ...]
"""(weight, images of that weight), sorted."""
Mixed = tuple[tuple[float, float, float], ...]
"""(right weight, wrong weight, clusters that are like this), sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the images say about a metric.

    Attributes:
        right: Weights and numbers of right images.
        wrong: Weights and numbers of wrong ones.
        unseen_right: Weight of the right image that nobody saw.
        unseen_wrong: Weight of the wrong one.
        unknown: Share of an average that is of classes without anything to measure, from 0 to 1.
            They count as 0, as in the average; what they would come to on further images nobody
            knows, so that on the upper side they count as 1.
        lean: By how much the share is above what it would be for any number of images, on
            average; allowed for where it flatters the claim, never in its favour.
        mixed: Clusters that are partly right and partly wrong. With clusters, `right` and `wrong`
            are of those that are so as a whole.
        members: Images in all clusters; ``None``: every image is a cluster by itself.
    """

    right: Groups
    wrong: Groups
    unseen_right: float = 1.0
    unseen_wrong: float = 1.0
    unknown: float = 0.0
    lean: float = 0.0
    mixed: Mixed = ()
    members: float | None = None

    @property
    def clusters(self) -> float:
        """How many independent pieces it rests on: clusters, or images."""
        return sum(each[-1] for each in (*self.right, *self.wrong, *self.mixed))

    @property
    def images(self) -> float:
        """How many images it rests on."""
        return self.clusters if self.members is None else self.members

    @property
    def estimate(self) -> float | None:
        """The share itself; ``None`` without an image."""
        right = math.fsum(weight * count for weight, count in self.right)
        right += math.fsum(weight * count for weight, _, count in self.mixed)
        total = right + math.fsum(weight * count for weight, count in self.wrong)
        total += math.fsum(weight * count for _, weight, count in self.mixed)
        return (1 - self.unknown) * right / total if total else None

    def scaled(self, factor: float) -> Evidence:
        """The same shares from so many times the images."""
        return replace(
            self,
            right=tuple((weight, count * factor) for weight, count in self.right),
            wrong=tuple((weight, count * factor) for weight, count in self.wrong),
            mixed=tuple((right, wrong, count * factor) for right, wrong, count in self.mixed),
            members=None if self.members is None else self.members * factor,
            lean=self.lean / factor,
        )

    def doubt_at_least(self, bound: float) -> float:
        """How often this much or more would be seen at most if the true value were `bound`.

        The p-value of "at least `bound`": claiming it where this is at most 0.05 is wrong at most
        5% of the time.
        """
        bound += max(0.0, self.lean)
        if not (self.right or self.mixed) or bound >= 1 - self.unknown:
            return 1.0
        share = bound / (1 - self.unknown)
        return _share_below(share, self.right, _add(self.wrong, self.unseen_wrong), self.mixed)

    def doubt_at_most(self, bound: float) -> float:
        """The p-value of "at most `bound`", likewise."""
        bound += min(0.0, self.lean)
        if not (self.wrong or self.mixed) or bound <= self.unknown:
            return 1.0
        wrong = (1 - bound) / (1 - self.unknown)
        return _share_below(
            wrong, self.wrong, _add(self.right, self.unseen_right), _turned(self.mixed)
        )

    def low(self, alpha: float) -> float:
        """Lower bound: above the true value at most `alpha` of the time."""
        if not (self.right or self.mixed):
            return 0.0
        wrong = _add(self.wrong, self.unseen_wrong)
        end = (1 - self.unknown) * _quantile(alpha, self.right, wrong, self.mixed)
        return max(0.0, end - max(0.0, self.lean))

    def high(self, alpha: float) -> float:
        """Upper bound: below the true value at most `alpha` of the time."""
        if not (self.wrong or self.mixed):
            return 1.0
        right = _add(self.right, self.unseen_right)
        end = 1 - (1 - self.unknown) * _quantile(alpha, self.wrong, right, _turned(self.mixed))
        return min(1.0, end - min(0.0, self.lean))

    def interval(self, confidence: float) -> Interval | None:
        """Plausible shares, two-sided; ``None`` for a single cluster, which tells too little."""
        if self.clusters < FEWEST_CLUSTERS:
            return None
        tail = (1 - confidence) / 2
        return Interval(low=self.low(tail), high=self.high(tail), confidence=confidence)


def more_images(
    evidence: Evidence, bound: float, alpha_low: float, alpha_high: float
) -> int | None:
    """How many more images would settle on which side of `bound` the value is.

    If the shares stay what they are; about, since they will not quite.

    Args:
        evidence: What the images so far say.
        bound: What the value is compared with.
        alpha_low: How often "at least" may be claimed wrongly.
        alpha_high: How often "at most" may be.

    Returns:
        ``None`` where no number would: the value is the bound, or nothing is known.
    """
    estimate = evidence.estimate
    if estimate is None:
        return None

    def settled(images: int) -> bool:
        found = evidence.scaled(images / evidence.images)
        if estimate > bound:
            return found.doubt_at_least(bound) <= alpha_low
        return found.doubt_at_most(bound) <= alpha_high

    few = math.floor(evidence.images)
    enough = least_number(settled, few=few, enough=math.ceil(evidence.images))
    return None if enough is None else enough - few


def images_to_decide(
    evidence: Evidence, bound: float, alpha_low: float, alpha_high: float
) -> int | None:
    """How many images in all decide on which side of `bound` the value is, in 80% of cases.

    Exact where right images all weigh the same and wrong ones, too: those are independent trials.
    Else the end of the interval is taken to lie as far from the value as it does for so many images
    with the measured shares, and the value itself to vary as the same distribution says. Measured
    on averages, such a number decides in 80% to 87% of cases, not exactly in 80%
    (``benchmarks/gate_errors.py --only power``).

    Args:
        evidence: What the images so far say.
        bound: What the value is compared with.
        alpha_low: How often "at least" may be claimed wrongly.
        alpha_high: How often "at most" may be.

    Returns:
        ``None`` where no number would: the value is the bound, or nothing is known.
    """
    value = evidence.estimate
    if value is None or value == bound:
        return None
    trial = _as_trial(evidence, bound)
    if trial is not None:
        rate, compared = trial
        if value > bound:
            return images_to_pass(compared, rate, alpha=alpha_low)
        return images_to_pass(1 - compared, 1 - rate, alpha=alpha_high)

    def enough(images: int) -> bool:
        found = evidence.scaled(images / evidence.images)
        if value > bound:
            return found.low(alpha_low) + found.low(1 - CHANCE) - value >= bound
        return found.high(alpha_high) + found.high(1 - CHANCE) - value <= bound

    return least_number(enough, enough=max(1, math.ceil(evidence.images)))


def _as_trial(evidence: Evidence, bound: float) -> tuple[float, float] | None:
    """Share of right images, and the share at which the value is the bound; `None` if unequal."""
    # Images of a cluster are no trials by themselves.
    if evidence.members is not None:
        return None
    unequal = len(evidence.right) > 1 or len(evidence.wrong) > 1 or bool(evidence.mixed)
    if unequal or evidence.unknown or evidence.lean:
        return None
    right_weight, right = evidence.right[0] if evidence.right else (evidence.unseen_right, 0.0)
    wrong_weight, wrong = evidence.wrong[0] if evidence.wrong else (evidence.unseen_wrong, 0.0)
    compared = bound * wrong_weight / (bound * wrong_weight + (1 - bound) * right_weight)
    return right / (right + wrong), compared


def _add(groups: Groups, weight: float) -> Groups:
    """With one more of this weight; sorted, so that the order of images never matters."""
    counts = dict(groups)
    counts[weight] = counts.get(weight, 0) + 1
    return tuple(sorted(counts.items()))


def _turned(mixed: Mixed) -> Mixed:
    """Seen from the other side: what was right is wrong."""
    return tuple((wrong, right, count) for right, wrong, count in mixed)


@lru_cache(maxsize=512)
def _quantile(probability: float, ours: Groups, theirs: Groups, mixed: Mixed) -> float:
    """The share of `ours` that the distribution is below with this probability."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        if _share_below(middle, ours, theirs, mixed) < probability:
            low = middle
        else:
            high = middle
    return low


def _share_below(share: float, ours: Groups, theirs: Groups, mixed: Mixed = ()) -> float:
    """Probability that ``X / (X + Y) < share``, X and Y weighted sums of exponentials.

    Args:
        share: Between 0 and 1.
        ours: What is in X alone.
        theirs: What is in Y alone.
        mixed: What is in both: its weight in X and in Y, and how often.
    """
    if share <= 0:
        return 0.0
    if share >= 1:
        return 1.0
    if len(ours) == len(theirs) == 1 and not mixed:
        (our_weight, our_count), (their_weight, their_count) = ours[0], theirs[0]
        # X/(X + Y) < share in terms of the unweighted share, which is beta distributed.
        plain = share * their_weight / (share * their_weight + (1 - share) * our_weight)
        from scipy.special import betainc

        return float(betainc(our_count, their_count, plain))
    parts = [(weight * (1 - share), number) for weight, number in ours]
    parts += [(-weight * share, number) for weight, number in theirs]
    for our_weight, their_weight, number in mixed:
        # One random number for both: what counts is the difference.
        weight = our_weight * (1 - share) - their_weight * share
        if abs(weight) > _NEGLIGIBLE * (our_weight + their_weight):
            parts.append((weight, number))
    return _negative(parts) if max(parts)[0] > 0 else 1.0


def _negative(parts: list[tuple[float, float]]) -> float:
    """Probability that a weighted sum of gamma variables is negative.

    With the moment generating function M it is ``-1/(2 pi i)`` times the integral of ``M(s)/s``
    along a vertical line left of 0 (Bromwich), taken through the saddle point, where nothing
    oscillates (Rice, SIAM J. Sci. Stat. Comput. 1, 1980, 438-448).

    Args:
        parts: Weight, above 0 for some and below 0 for some, and shape of each.
    """
    import numpy as np

    weights, shapes = np.array(parts).T
    # One scale for all weights: they may be as small as 1 / images.
    weights /= abs(weights).max()
    if weights @ shapes < 0:
        # Beyond the mean the pole is nearer than the saddle point, and the integral oscillates.
        return 1 - _negative([(-weight, shape) for weight, shape in parts])
    saddle = _saddle(weights, shapes)
    top = -shapes @ np.log1p(-saddle * weights) - math.log(-saddle)
    # The pole of 1/s is one more part. On the line each factor is its value at the saddle point
    # over 1 - i x, with x proportional to the way from there.
    slopes = np.append(weights / (1 - saddle * weights), -1 / saddle)
    shapes = np.append(shapes, 1)
    width = 1 / math.sqrt(shapes @ slopes**2)

    def added(first: float, step: float) -> float:
        """The sum of the integrand over places in equal steps, on a scale that grows with them."""
        total = 0.0
        for start in count(0, _AT_ONCE):
            places = first + step * np.arange(start, start + _AT_ONCE)
            x = np.outer(width * np.sinh(places), slopes)
            sizes = np.exp(-np.log1p(x**2) @ shapes / 2) * np.cosh(places)
            total += float(sizes @ np.cos(np.arctan(x) @ shapes))
            if sizes[-1] < _NEGLIGIBLE:
                break
        return total

    step, area = _STEP, _STEP * (0.5 + added(_STEP, _STEP))
    for _ in range(_REFINEMENTS):
        coarse, area = area, (area + step * added(step / 2, step)) / 2
        step /= 2
        if abs(area - coarse) <= _AGREEMENT * abs(area):
            break
    return min(1.0, math.exp(top) * width * area / math.pi)


def _saddle(weights: np.ndarray, shapes: np.ndarray) -> float:
    """Where ``M(s)/(-s)`` is least left of 0; its logarithm is convex there."""
    low, high = 1 / weights.min(), 0.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if shapes @ (weights / (1 - middle * weights)) > 1 / middle:
            high = middle
        else:
            low = middle
        if high - low < -1e-6 * high:
            break
    return float(middle)
