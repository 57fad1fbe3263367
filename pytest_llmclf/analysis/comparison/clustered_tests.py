"""A test and an interval for two answers to the same images, where images are not independent.

Each cluster of images (a scene, copies of one file) counts as one draw: what matters is its net
gain, the images that only the second side got right less those that only the first one did.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from math import comb
from typing import TYPE_CHECKING

from pytest_llmclf.analysis.comparison.paired_tests import mcnemar_exact
from pytest_llmclf.gates.bounds import Evidence
from pytest_llmclf.gates.cluster_evidence import by_cluster
from pytest_llmclf.metrics.intervals import Interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_FEWEST = 2
"""Clusters without which nothing is known of how they differ."""


def sign_flip(nets: Sequence[int]) -> float:
    """Two-sided exact p-value of these net gains of clusters; 1 without any.

    If it made no difference which side answered, every net gain would as likely be a loss. The
    p-value is the share of all ways to turn them round whose sum is at least as far from 0 (Fisher,
    The Design of Experiments, 1935, section 21). Where all are 1 or -1 it is `mcnemar_exact`.

    Args:
        nets: One a cluster, in images; those of 0 change nothing.
    """
    sizes = Counter(abs(net) for net in nets if net)
    if len(sizes) <= 1:
        gains = sum(net > 0 for net in nets)
        return mcnemar_exact(sizes.total() - gains, gains)
    observed = abs(sum(nets))
    chances = {0: 1.0}
    for size, count in sizes.items():
        turned = [(size * (2 * up - count), comb(count, up) / 2**count) for up in range(count + 1)]
        following: defaultdict[int, float] = defaultdict(float)
        for total, chance in chances.items():
            for step, share in turned:
                following[total + step] += chance * share
        chances = dict(following)
    return min(1.0, sum(chance for total, chance in chances.items() if abs(total) >= observed))


def clustered_difference(gains: Mapping[str, int], clusters: Mapping[str, str]) -> Evidence:
    """Evidence of the share ``(1 + difference) / 2``, a cluster being one piece of it.

    The difference is an average over images that are -1, 0 or 1. Beside the clusters seen there is
    one that nobody saw, in which every image is a loss for the lower end and a gain for the upper
    one (see `gate.cluster_evidence`).

    Args:
        gains: By case, 1 where only the second side is right, -1 where only the first one is.
        clusters: The cluster of each image that both answered.
    """
    images = [
        (case, (1.0 + gains.get(case, 0)) / 2, (1.0 - gains.get(case, 0)) / 2) for case in clusters
    ]
    return by_cluster(Evidence(right=(), wrong=()), images, clusters)


def clustered_interval(
    gains: Mapping[str, int], clusters: Mapping[str, str], *, confidence: float = 0.95
) -> Interval | None:
    """Plausible differences of the two accuracies, second minus first, between -1 and 1.

    ``None`` for a single cluster. Its ends are those of `clustered_difference`. A cluster that
    nobody saw may well exist where the flips that were seen are spread thinly. So the interval is
    wide for few clusters, and may hold 0 where `sign_flip` finds a difference.

    Args:
        gains: As for `clustered_difference`.
        clusters: Likewise.
        confidence: Two-sided confidence, between 0 and 1.
    """
    found = clustered_difference(gains, clusters)
    if found.clusters < _FEWEST:
        return None
    tail = (1 - confidence) / 2
    return Interval(
        low=2 * found.low(tail) - 1, high=2 * found.high(tail) - 1, confidence=confidence
    )
