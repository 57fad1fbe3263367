"""Several opinions about the same images, made one: a logarithmic opinion pool.

Each source gives every image a distribution over the labels. Their pool is
``softmax(sum over sources of weight * log probability + offset of the label)`` (Genest and Zidek,
"Combining probability distributions", Statistical Science 1, 1986, section 3), with weights and
offsets that make the given labels most likely: multinomial logistic regression on the sources' log
probabilities. A source that says nothing useful gets a weight near 0, an overconfident one a weight
below 1 (for one source it is temperature scaling), and the offsets take out that a source names
some labels too often. Some wrong labels among thousands of parameters could hide themselves; here
there is one parameter a source and one a label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_PROBABILITY: Final = 1e-3
"""What a source gives a label at least: else one source alone could rule a label out."""
_MOST_CELLS: Final = 2_000_000
"""Most probabilities that weights are fitted to; beyond it a seeded part of the images will do."""
_STEPS: Final = 100
_SMALL: Final = 1e-8
_SMALLEST_STEP: Final = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class OpinionPool:
    """What sources weigh, and what they say together.

    Attributes:
        weights: One a source, 0 or more.
        offsets: One a label, added to the logarithms.
        log_probabilities: Images by labels, normalised.
    """

    weights: NDArray[Any]
    offsets: NDArray[Any]
    log_probabilities: NDArray[Any]


def pool(logs: NDArray[Any], given: NDArray[Any]) -> OpinionPool:
    """OpinionPool the sources, with the weights that make the given labels most likely.

    Weights have a normal prior around equal shares, offsets one around 0, each with variance 1,
    so that few images move them little. The function is convex: there is one best answer.

    Args:
        logs: Sources by images by labels: logarithms of probabilities; all 0 where a source says
            nothing of an image.
        given: The label of each image, as its place.
    """
    import numpy as np

    sources, images, labels = logs.shape
    some = _some(images, sources * labels)
    weights, offsets = _fitted(logs[:, some], given[some])
    pooled = np.tensordot(weights, logs, 1) + offsets
    return OpinionPool(weights=weights, offsets=offsets, log_probabilities=normalised(pooled))


def normalised(logs: NDArray[Any]) -> NDArray[Any]:
    """Logarithms of weights as those of probabilities, over the last axis."""
    from scipy.special import logsumexp

    found: NDArray[Any] = logs - logsumexp(logs, axis=-1, keepdims=True)
    return found


def _some(images: int, cells: int) -> NDArray[Any]:
    """Places of the images that weights are fitted to, in order."""
    import numpy as np

    most = max(1, _MOST_CELLS // cells)
    if images <= most:
        return np.arange(images)
    return np.sort(np.random.RandomState(0).permutation(images)[:most])


def _fitted(logs: NDArray[Any], given: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Weights and offsets, by projected Newton steps (Bertsekas, SIAM J. Control 20, 1982)."""
    import numpy as np

    sources, _, labels = logs.shape
    start = np.concatenate([np.full(sources, 1 / sources), np.zeros(labels)])
    found = start.copy()
    value, slope, curve = _surface(found, start, logs, given)
    for _ in range(_STEPS):
        # A weight at 0 that would fall further stays there, and out of the step.
        held = np.zeros(len(found), dtype=bool)
        held[:sources] = (found[:sources] <= 0) & (slope[:sources] > 0)
        if np.abs(slope[~held]).max(initial=0.0) < _SMALL * (1 + abs(value)):
            break
        step = np.zeros_like(found)
        step[~held] = np.linalg.solve(curve[np.ix_(~held, ~held)], slope[~held])
        size = 1.0
        while size > _SMALLEST_STEP:
            tried = found - size * step
            tried[:sources] = np.maximum(tried[:sources], 0.0)
            there = _surface(tried, start, logs, given)
            if there[0] <= value:
                break
            size /= 2
        else:
            break
        found, (value, slope, curve) = tried, there
    return found[:sources], found[sources:]


def _surface(
    point: NDArray[Any], start: NDArray[Any], logs: NDArray[Any], given: NDArray[Any]
) -> tuple[float, NDArray[Any], NDArray[Any]]:
    """How unlikely weights and offsets make the given labels, its slope and its curvature."""
    import numpy as np

    sources, images, _ = logs.shape
    said = normalised(np.tensordot(point[:sources], logs, 1) + point[sources:])
    shares, rows = np.exp(said), np.arange(images)
    value = -said[rows, given].sum() + ((point - start) ** 2).sum() / 2
    wrong = shares.copy()
    wrong[rows, given] -= 1
    slope = np.concatenate([np.einsum("snk,nk->s", logs, wrong), wrong.sum(0)]) + point - start
    # By source: what it says, less what it says on average under the pool.
    off = (logs - (logs * shares).sum(2, keepdims=True)) * shares
    curve = np.eye(len(point))
    curve[:sources, :sources] += np.einsum("snk,tnk->st", off, logs)
    curve[:sources, sources:] += off.sum(1)
    curve[sources:, :sources] = curve[:sources, sources:].T
    curve[sources:, sources:] += np.diag(shares.sum(0)) - shares.T @ shares
    return float(value), slope, curve
