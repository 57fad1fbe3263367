"""Confident learning: which labels the probabilities contradict.

Scores and thresholds of Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty in
dataset labels", Journal of Artificial Intelligence Research 70, 2021, sections 3.1 and 5.2, as the
library cleanlab computes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


def self_confidence(shares: NDArray[Any], given: NDArray[Any]) -> NDArray[Any]:
    """The probability of each image's given label: low where the label is doubtful.

    Args:
        shares: Probabilities, images by labels.
        given: The label of each image, as its place.
    """
    import numpy as np

    own: NDArray[Any] = shares[np.arange(len(given)), given]
    return own


def thresholds(shares: NDArray[Any], given: NDArray[Any]) -> NDArray[Any]:
    """For each label its mean probability among the images that are given it.

    A label that no image has gets infinity: nothing is confidently that.
    """
    import numpy as np

    labels = shares.shape[1]
    images = np.bincount(given, minlength=labels)
    total = np.bincount(given, self_confidence(shares, given), minlength=labels)
    return np.where(images > 0, total / np.maximum(images, 1), np.inf)


def confident_labels(
    shares: NDArray[Any], given: NDArray[Any], bars: NDArray[Any] | None = None
) -> NDArray[Any]:
    """The label that each image confidently shows, as its place; -1 where it is of none.

    Of the labels whose probability reaches their threshold, the likeliest one.

    Args:
        shares: Probabilities, images by labels.
        given: The label of each image, as its place.
        bars: `thresholds`, where they are known.
    """
    import numpy as np

    bars = thresholds(shares, given) if bars is None else bars
    # As cleanlab: what is at a threshold, but for rounding, has reached it.
    reached = shares >= bars - 1e-6
    likeliest = np.where(reached, shares, -1.0).argmax(1)
    return np.where(reached.any(1), likeliest, -1)
