"""The benchmark of planted label errors uses the yardsticks as they are, only faster."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.label_errors import Kernels, found_shares, planted
from pytest_llmclf.models.yardstick.estimators import yardstick


@pytest.mark.parametrize("kind", ["knn", "svm"])
def test_kernels_say_what_the_yardstick_says(kind: str) -> None:
    """Fitted to the same images, on precomputed distances and on the features themselves."""
    chance = np.random.RandomState(0)
    given = np.arange(60) % 3
    features = chance.normal(size=(60, 40)) + given[:, None]
    learnt, asked = np.arange(45), np.arange(45, 60)
    classes, shares = getattr(Kernels(features), kind)(learnt, given[learnt], asked)
    real = yardstick(kind).fit(features[learnt], given[learnt])
    assert list(classes) == list(real.classes_)
    assert shares == pytest.approx(real.predict_proba(features[asked]), abs=1e-6)


def test_so_many_labels_are_exchanged_for_others() -> None:
    """One in twenty, none for itself, by the chances given."""
    right = np.arange(100) % 4
    chances = np.ones((4, 4)) - np.eye(4)
    given, places = planted(right, chances, np.random.RandomState(1))
    assert set(np.flatnonzero(given != right)) == set(places)
    assert len(places) == 5


def test_shares_of_a_ranking() -> None:
    """Of two wrong ones, one among the first two and both among the first six."""
    assert found_shares(["a", "x", "y", "b", "z"], {"a", "b"}) == (0.5, 1.0)
