"""Confident learning and the pool, against cleanlab and scipy."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from pytest_llmclf.analysis.label_review.confident_learning import (
    confident_labels,
    self_confidence,
    thresholds,
)
from pytest_llmclf.analysis.label_review.pooling import _surface, normalised, pool


def cleanlab() -> Any:
    """The library, which takes seconds to import and warns while it does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import cleanlab.count
        import cleanlab.rank
    return cleanlab


def drawn(seed: int, images: int = 60, labels: int = 4) -> tuple[Any, Any]:
    """Probabilities and labels that mostly follow from them."""
    chance = np.random.RandomState(seed)
    shares = chance.dirichlet([0.4] * labels, images)
    given = np.array([chance.choice(labels, p=row) for row in shares])
    given[:labels] = range(labels)
    return shares, given


@pytest.mark.parametrize("seed", range(5))
def test_scores_are_those_of_cleanlab(seed: int) -> None:
    """Self-confidence, image by image."""
    shares, given = drawn(seed)
    assert self_confidence(shares, given) == pytest.approx(
        cleanlab().rank.get_label_quality_scores(given, shares, method="self_confidence")
    )


@pytest.mark.parametrize("seed", range(5))
def test_thresholds_and_confident_labels_are_those_of_cleanlab(seed: int) -> None:
    """Thresholds of every class, and the images off the confident joint's diagonal.

    Where several labels reach their threshold, cleanlab takes the likeliest of all labels, and the
    paper (equation 1) and we that of those which reach it; both are the same where it reaches it.
    """
    shares, given = drawn(seed)
    bars = thresholds(shares, given)
    assert bars == pytest.approx(cleanlab().count.get_confident_thresholds(given, shares))
    _, off = cleanlab().count.compute_confident_joint(
        given, shares, return_indices_of_off_diagonals=True
    )
    found = confident_labels(shares, given)
    plain = (shares.max(1) >= bars[shares.argmax(1)]) | ((shares >= bars).sum(1) < 2)
    ours = set(np.flatnonzero((found != -1) & (found != given) & plain))
    assert ours == set(off) & set(np.flatnonzero(plain))


def test_a_label_that_no_image_has_is_confidently_shown_by_none() -> None:
    """Its threshold is infinite."""
    shares = np.array([[0.1, 0.9, 0.0], [0.9, 0.1, 0.0]])
    given = np.array([0, 0])
    assert np.isinf(thresholds(shares, given)[1:]).all()
    assert list(confident_labels(shares, given)) == [-1, 0]


@pytest.mark.parametrize("seed", range(4))
def test_weights_are_the_best_that_scipy_finds(seed: int) -> None:
    """The same minimum by another method; weights of no use end at 0."""
    chance = np.random.RandomState(seed)
    shares, given = drawn(seed)
    others = chance.dirichlet([0.4] * 4, (2, 60))
    logs = normalised(np.log(np.concatenate([shares[None], others]).clip(1e-3)))
    found = pool(logs, given)
    start = np.array([1 / 3] * 3 + [0.0] * 4)
    best = minimize(
        lambda point: _surface(point, start, logs, given)[:2],
        start,
        jac=True,
        bounds=[(0, None)] * 3 + [(None, None)] * 4,
    )
    assert [*found.weights, *found.offsets] == pytest.approx(best.x, abs=1e-3)
    assert found.weights.min() >= 0
    assert np.exp(found.log_probabilities).sum(1) == pytest.approx(np.ones(60))


def test_slope_and_curvature_are_those_of_the_function() -> None:
    """Against differences of it."""
    shares, given = drawn(1)
    logs = normalised(np.log(shares.clip(1e-3)))[None]
    point, start = np.array([0.7, 0.1, -0.2, 0.3, 0.0]), np.array([1.0, 0, 0, 0, 0])
    _, slope, curve = _surface(point, start, logs, given)
    for place in range(5):
        step = np.eye(5)[place] * 1e-5
        after, before = (_surface(point + sign * step, start, logs, given) for sign in (1, -1))
        assert slope[place] == pytest.approx((after[0] - before[0]) / 2e-5, abs=1e-4)
        assert curve[place] == pytest.approx((after[1] - before[1]) / 2e-5, abs=1e-4)


def test_an_overconfident_source_is_cooled() -> None:
    """A source whose logarithms are five times too large gets about a fifth of the weight."""
    chance = np.random.RandomState(0)
    shares = chance.dirichlet([1.0] * 3, 4000)
    given = np.array([chance.choice(3, p=row) for row in shares])
    assert pool(5 * np.log(shares)[None], given).weights[0] == pytest.approx(0.2, abs=0.02)
