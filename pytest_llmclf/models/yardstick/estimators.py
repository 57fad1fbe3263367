"""The classifiers of scikit-learn that stand behind the names of yardsticks."""

from __future__ import annotations

import importlib
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, clone, is_classifier
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from pytest_llmclf.errors import SettingsError, nearest
from pytest_llmclf.models.yardstick.kinds import KINDS
from pytest_llmclf.models.yardstick.learning import SEED

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FLATTEST_STEEPEST: Final = (-4.0, 4.0)
_HELD_BACK: Final = 1 / 3
_ENOUGH: Final = 3000
"""Images that are enough for one number, where there are more."""
_LEAST: Final = 2


def estimator_of(module: str, factory: str) -> Any:
    """What a factory of any module makes, with every seed that it leaves open set.

    Raises:
        SettingsError: There is no such module or factory, or it makes no classifier.
    """
    place = f"sklearn:{module}:{factory}"
    try:
        found = importlib.import_module(module)
    except (Exception, SystemExit) as error:
        raise SettingsError(
            f"{place}: {module} cannot be imported, {type(error).__name__}: {error}; name a module "
            "of an installed package, or put its folder on PYTHONPATH"
        ) from error
    make = getattr(found, factory, None)
    if not callable(make):
        raise SettingsError(f"{place}: {module} has no {factory!r}{nearest(factory, dir(found))}")
    try:
        made = make()
        seeds = [name for name, value in made.get_params().items() if _is_open_seed(name, value)]
        made = clone(made).set_params(**dict.fromkeys(seeds, SEED))
        fits = is_classifier(made)
    except (Exception, SystemExit) as error:
        raise SettingsError(
            f"{place}: {factory}() makes no classifier of scikit-learn's kind, "
            f"{type(error).__name__}: {error}; name a class or function that does without arguments"
        ) from error
    if not fits:
        raise SettingsError(
            f"{place}: {factory}() makes no classifier, but {type(made).__name__}; name one that is"
        )
    return made


def _is_open_seed(name: str, value: object) -> bool:
    return name.rpartition("__")[2] == "random_state" and value is None


class TemperedSVC(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A support vector machine whose probabilities come from one temperature.

    The softmax of the machine's decision values, sharpened or flattened so that a part that was
    held back is as likely as can be (Guo et al., ICML 2017); then it is fitted to all images.
    It works with the few images a class that inner cross-validation has no use for.

    Args:
        C: Penalty of an image on the wrong side of the margin.
    """

    def __init__(self, C: float = 10.0) -> None:  # noqa: N803 - scikit-learn's name
        self.C = C

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> TemperedSVC:  # noqa: N803
        """Fit to images; a second machine, fitted to a part, tells the temperature."""
        self.steepness_ = self._steepness(X, y)
        self.machine_ = self._fitted(X, y)
        self.classes_ = self.machine_.classes_
        return self

    def predict_proba(self, X: NDArray[Any]) -> NDArray[Any]:  # noqa: N803
        """The probability of each class."""
        found: NDArray[Any] = softmax(_decisions(self.machine_, X) * self.steepness_, axis=1)
        return found

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:  # noqa: N803
        """The class with the largest decision value."""
        found: NDArray[Any] = self.classes_[_decisions(self.machine_, X).argmax(axis=1)]
        return found

    def _fitted(self, X: NDArray[Any], y: NDArray[Any]) -> Any:  # noqa: N803
        return SVC(C=self.C).fit(X, y)

    def _steepness(self, X: NDArray[Any], y: NDArray[Any]) -> float:  # noqa: N803
        classes, counts = np.unique(y, return_counts=True)
        # An image of each class at least on both sides, as stratification wants it.
        if counts.min() < _LEAST or min(len(y), _ENOUGH) * _HELD_BACK < len(classes):
            return 1.0
        size = min(len(y), _ENOUGH)
        held_back = math.ceil(size * _HELD_BACK)
        split = StratifiedShuffleSplit(
            1, train_size=size - held_back, test_size=held_back, random_state=SEED
        )
        ((learnt, held),) = split.split(X, y)
        machine = self._fitted(X[learnt], y[learnt])
        values = _decisions(machine, X[held])
        right = np.searchsorted(machine.classes_, y[held])
        rows = np.arange(len(held))

        def unlikeliness(logarithm: float) -> float:
            likely = log_softmax(values * np.exp(logarithm), axis=1)[rows, right]
            return float(-likely.mean())

        best = minimize_scalar(unlikeliness, bounds=_FLATTEST_STEEPEST, method="bounded")
        return float(np.exp(best.x))


def _decisions(machine: Any, X: NDArray[Any]) -> NDArray[Any]:  # noqa: N803
    """Decision values, a column a class; scikit-learn gives two classes one."""
    values: NDArray[Any] = machine.decision_function(X)
    return values if values.ndim > 1 else np.column_stack([-values / 2, values / 2])


_MAKES: Final = {
    "majority": DummyClassifier,
    "knn": KNeighborsClassifier,
    "logistic": LogisticRegression,
}


def yardstick(kind: str) -> Any:
    """A new classifier of one of the kinds that are asked for by name."""
    return _MAKES.get(kind, TemperedSVC)(**KINDS[kind].parameters)
