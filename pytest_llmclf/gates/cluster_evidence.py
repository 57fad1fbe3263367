"""What images that are not independent say about a threshold, cluster by cluster.

Every cluster counts as one draw: its right images and its wrong ones bear one random number
together (cluster bootstrap; Davison and Hinkley, Bootstrap Methods and their Application, 1997,
section 3.8), and beside the clusters seen there is one that nobody saw (see `gate.bounds`). Its
size is that of the cluster of an image drawn at random.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_llmclf.gates.bounds import Evidence
from pytest_llmclf.metrics.clusters import mean_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_llmclf.metrics.intervals import Interval

Weighed = tuple[str, float, float]
"""An image's id, its weight if it is right (else 0), and its weight if it is wrong (else 0)."""


def by_cluster(plain: Evidence, images: Iterable[Weighed], clusters: Mapping[str, str]) -> Evidence:
    """The evidence of the same images, each cluster being one piece of it.

    Args:
        plain: What they would say if they were independent.
        images: Those images; together they have the weights of `plain`.
        clusters: The cluster of every image.
    """
    right: defaultdict[str, float] = defaultdict(float)
    wrong: defaultdict[str, float] = defaultdict(float)
    sizes: Counter[str] = Counter()
    for case, hit, miss in images:
        cluster = clusters[case]
        sizes[cluster] += 1
        right[cluster] += hit
        wrong[cluster] += miss
    return _pooled(plain, ((right[name], wrong[name], size) for name, size in sizes.items()))


def _pooled(plain: Evidence, clusters: Iterable[tuple[float, float, int]]) -> Evidence:
    """The evidence of clusters, of each: its weight that is right, that is wrong, its images."""
    listed = list(clusters)
    # Sums that differ by a rounding are of one kind.
    kinds = Counter((float(f"{hit:.12g}"), float(f"{miss:.12g}")) for hit, miss, _ in listed)
    size = mean_size(images for _, _, images in listed)
    return replace(
        plain,
        right=tuple(sorted((hit, float(n)) for (hit, miss), n in kinds.items() if not miss)),
        wrong=tuple(sorted((miss, float(n)) for (hit, miss), n in kinds.items() if not hit)),
        mixed=tuple(
            sorted((hit, miss, float(n)) for (hit, miss), n in kinds.items() if hit and miss)
        ),
        unseen_right=plain.unseen_right * size,
        unseen_wrong=plain.unseen_wrong * size,
        # A count's variance grows at most by this factor.
        lean=plain.lean * size,
        members=float(sum(images for _, _, images in listed)),
    )


def clustered_difference(clusters: Iterable[tuple[int, int]]) -> Evidence:
    """Evidence of the share ``(1 + difference) / 2``, a cluster being one piece of it.

    The difference is an average over images that are -1, 0 or 1. Beside the clusters seen there is
    one that nobody saw, in which every image is a loss for the lower end and a gain for the upper
    one (see `by_cluster`).

    Args:
        clusters: Of each, how many images both answered, and its net gain: the images that only
            the second side got right, less those that only the first one did.
    """
    return _pooled(
        Evidence(right=(), wrong=()),
        (((size + net) / 2, (size - net) / 2, size) for size, net in clusters),
    )


def clustered_interval(
    clusters: Iterable[tuple[int, int]], *, confidence: float = 0.95
) -> Interval | None:
    """Plausible differences of the two accuracies, second minus first, between -1 and 1.

    ``None`` for a single cluster. Its ends are those of `clustered_difference`. A cluster that
    nobody saw may well exist where the flips that were seen are spread thinly. So the interval is
    wide for few clusters, and may hold 0 where `sign_flip` finds a difference.

    Args:
        clusters: As for `clustered_difference`.
        confidence: Two-sided confidence, between 0 and 1.
    """
    ends = clustered_difference(clusters).interval(confidence)
    return ends and replace(ends, low=2 * ends.low - 1, high=2 * ends.high - 1)
