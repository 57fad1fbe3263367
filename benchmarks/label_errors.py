"""How many wrong labels the label review finds, where so many were planted.

    pytest evals/ --llmclf-model micro-llava
    python -m benchmarks.label_errors [--run latest] [--draws 200] [--only mnist,chess]

In each draw 5% of the labels of a bundled set are exchanged: for any other label (`random`), or for
labels that the model confuses with the right one, as often as it does (`confused`). The model's
answers are those of the run and know nothing of labels; the yardsticks `knn` and `svm` are fitted
to the labels as they were planted, out of fold. Of the ranking are printed: the share of planted
labels among the first k, where k are planted, and the share that is found among the first 3k; mean
and standard deviation over draws. `margin` is the difference of the model's own probabilities. The
sets have doubtful labels of their own, which count as false alarms.

Then: which pairs of the bundled images are taken for near-copies, and how many of them bear two
labels.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from pytest_llmclf.analysis.label_review.confident_learning import self_confidence
from pytest_llmclf.analysis.label_review.review import review_labels
from pytest_llmclf.data.image import prepare
from pytest_llmclf.data.perceptual_hash import near_pairs, perceptual_hash
from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.models.yardstick.estimators import TemperedSVC
from pytest_llmclf.models.yardstick.features import features_of
from pytest_llmclf.models.yardstick.kinds import KINDS
from pytest_llmclf.models.yardstick.learning import FOLDS, SEED
from pytest_llmclf.reporting.run_folder import find_run, read_run
from pytest_llmclf.values.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pytest_llmclf.analysis.label_review.review import LabelReview
    from pytest_llmclf.metrics.report import Report

FIXTURES: Final = Path(__file__).parents[1] / "fixtures"
WRONG: Final = 0.05
_TAIL: Final = 3


class Kernels:
    """Yardsticks on distances that are computed once, whatever the labels are.

    They say what `yardstick("knn")` and `yardstick("svm")` say of the features themselves, which
    `tests/unit/test_benchmark_label_errors.py` holds them to; a draw takes a tenth of the time.
    """

    def __init__(self, features: NDArray[Any]) -> None:
        self.features = np.asarray(features, dtype=float)
        squares = (self.features**2).sum(1)
        apart = squares[:, None] + squares[None] - 2 * self.features @ self.features.T
        self.apart = np.maximum(apart, 0.0)
        np.fill_diagonal(self.apart, 0.0)

    def knn(self, learnt: NDArray[Any], given: NDArray[Any], asked: NDArray[Any]) -> Any:
        """Classes and probabilities of the nearest neighbours."""
        distances = np.sqrt(self.apart)
        made = KNeighborsClassifier(metric="precomputed", **KINDS["knn"].parameters)
        made.fit(distances[np.ix_(learnt, learnt)], given)
        return made.classes_, made.predict_proba(distances[np.ix_(asked, learnt)])

    def svm(self, learnt: NDArray[Any], given: NDArray[Any], asked: NDArray[Any]) -> Any:
        """Classes and probabilities of the support vector machine."""
        made = _KernelSVC(self, **KINDS["svm"].parameters).fit(learnt[:, None], given)
        return made.classes_, made.predict_proba(asked[:, None])


class _KernelSVC(TemperedSVC):  # type: ignore[misc]
    """`TemperedSVC` whose images are places in a matrix of distances."""

    def __init__(self, kernels: Kernels, C: float) -> None:  # noqa: N803
        super().__init__(C=C)
        self.kernels = kernels

    def _fitted(self, X: NDArray[Any], y: NDArray[Any]) -> Any:  # noqa: N803
        return _Machine(self.kernels, X[:, 0], y, self.C)


class _Machine:
    def __init__(
        self, kernels: Kernels, learnt: NDArray[Any], given: NDArray[Any], penalty: float
    ) -> None:
        self._kernels, self._learnt = kernels, learnt
        seen = kernels.features[learnt]
        self._gamma = 1 / (seen.shape[1] * seen.var())
        self._machine = SVC(C=penalty, kernel="precomputed").fit(self._kernel(learnt), given)
        self.classes_ = self._machine.classes_

    def _kernel(self, places: NDArray[Any]) -> NDArray[Any]:
        apart = self._kernels.apart[np.ix_(places, self._learnt)]
        return np.asarray(np.exp(-self._gamma * apart))

    def decision_function(self, X: NDArray[Any]) -> NDArray[Any]:  # noqa: N803
        return np.asarray(self._machine.decision_function(self._kernel(X[:, 0])))


def out_of_fold(kernels: Kernels, kind: str, given: NDArray[Any], labels: int) -> NDArray[Any]:
    """What a yardstick that learns from these labels says of images that it has not seen."""
    found = np.zeros((len(given), labels))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    for learnt, asked in folds.split(given, given):
        classes, shares = getattr(kernels, kind)(learnt, given[learnt], asked)
        found[np.ix_(asked, classes)] = shares
    return found


def planted(
    right: NDArray[Any], chances: NDArray[Any], chance: np.random.RandomState
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Labels of which some are exchanged, and the places of those."""
    places = chance.permutation(len(right))[: round(WRONG * len(right))]
    given = right.copy()
    for place in places:
        row = chances[right[place]]
        given[place] = chance.choice(len(row), p=row / row.sum())
    return given, places


def relabelled(report: Report, given: NDArray[Any]) -> Report:
    """The same answers to images with other labels."""
    labels = report.dataset.labels
    outcomes = []
    for one, place in zip(report.outcomes, given, strict=True):
        expected = labels[place]
        kind = one.kind
        if one.predicted is not None:
            kind = "correct" if one.predicted == expected else "misclassified"
        outcomes.append(replace(one, expected=expected, kind=kind))
    return _built(report, report.model, outcomes)


def answered(report: Report, kind: str, given: NDArray[Any], shares: NDArray[Any]) -> Report:
    """What a yardstick said, as a report."""
    labels = report.dataset.labels
    outcomes = []
    for one, place, row in zip(report.outcomes, given, shares, strict=True):
        expected, predicted = labels[place], labels[int(row.argmax())]
        outcomes.append(
            Outcome(
                evaluation=one.evaluation,
                model=f"yardstick:{kind}",
                model_digest="",
                case=one.case,
                sha256=one.sha256,
                expected=expected,
                kind="correct" if predicted == expected else "misclassified",
                predicted=predicted,
                probabilities=dict(zip(labels, map(float, row), strict=True)),
            )
        )
    return _built(report, f"yardstick:{kind}", outcomes)


def _built(report: Report, model: str, outcomes: list[Outcome]) -> Report:
    return build(
        evaluation=report.evaluation, model=model, dataset=report.dataset, outcomes=outcomes
    )


def found_shares(ranking: list[str], wrong: set[str]) -> tuple[float, float]:
    """Share of the wrong among the first k and among the first 3k, of k wrong ones."""
    k = len(wrong)
    return len(wrong & {*ranking[:k]}) / k, len(wrong & {*ranking[: _TAIL * k]}) / k


def draws(report: Report, noise: str, number: int) -> Iterator[tuple[str, Any]]:
    """By what was used: shares found; and how many were told at the end of a run, and rightly."""
    labels, cases = report.dataset.labels, [one.case for one in report.outcomes]
    right = np.array([labels.index(one.expected) for one in report.outcomes])
    files = [FIXTURES / report.dataset.name / case for case in cases]
    seen = np.array([features_of(prepare(file.read_bytes()).data) for file in files])
    kernels = Kernels(seen)
    chances = np.ones((len(labels),) * 2) if noise == "random" else _confused(report)
    np.fill_diagonal(chances, 0)
    for seed in range(number):
        given, places = planted(right, chances, np.random.RandomState(seed))
        wrong = {cases[place] for place in places}
        model = relabelled(report, given)
        yield "margin", found_shares(_by_margin(model, given), wrong)
        others = [
            answered(report, kind, given, out_of_fold(kernels, kind, given, len(labels)))
            for kind in ("knn", "svm")
        ]
        for name, reports in (
            ("model", [model]),
            ("yardsticks", others),
            ("all", [model, *others]),
            ("all, labels of model only", [_bare(model), *others]),
        ):
            (review,) = review_labels(reports)
            yield name, found_shares(list(review.ranking), wrong)
            if name == "all":
                yield "likely", _told(review, wrong)


def _told(review: LabelReview, wrong: set[str]) -> tuple[int, int, int]:
    likely = {one.case for one in review.candidates if one.likely}
    return len(likely & wrong), len(likely), len(review.candidates)


def _by_margin(report: Report, given: NDArray[Any]) -> list[str]:
    labels = report.dataset.labels
    even = dict.fromkeys(labels, 1 / len(labels))
    told = [one.probabilities or even for one in report.outcomes]
    shares = np.array([[row.get(label, 0.0) for label in labels] for row in told])
    # The normalised margin of confident learning: the given label less the likeliest other one.
    others = shares.copy()
    others[np.arange(len(given)), given] = -np.inf
    order = np.argsort(self_confidence(shares, given) - others.max(1), kind="stable")
    return [report.outcomes[place].case for place in order]


def _bare(report: Report) -> Report:
    outcomes = [replace(one, probabilities=None) for one in report.outcomes]
    return _built(report, report.model, outcomes)


def _confused(report: Report) -> NDArray[Any]:
    # A class that is never confused is exchanged for any other.
    return np.array(report.confusion.counts, dtype=float) + 1e-6


def near_copies(report: Report) -> str:
    """How many pairs of a set are taken for near-copies, and how many of those bear two labels."""
    labels = {one.case: one.expected for one in report.outcomes}
    hashes = {case: perceptual_hash(FIXTURES / report.dataset.name / case) for case in labels}
    pairs = list(near_pairs({case: one for case, one in hashes.items() if one is not None}))
    two = sum(labels[first] != labels[second] for first, second, _ in pairs)
    total = len(labels) * (len(labels) - 1) // 2
    return f"{len(pairs)} of {total:,} pairs taken for near-copies, {two} of them with two labels"


def main() -> None:
    """Print a table in Markdown a set and a kind of exchange."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", default="latest")
    parser.add_argument("--home", type=Path, default=Path(".llmclf"))
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--only", default="mnist,chess,animals")
    parser.add_argument("--noise", default="random,confused")
    chosen = parser.parse_args()
    run = read_run(find_run(chosen.run, chosen.home / "runs"))
    for report in run.reports:
        if report.dataset.name not in chosen.only.split(","):
            continue
        print(f"\n{report.dataset.name}: {near_copies(report)}")
        for noise in chosen.noise.split(","):
            found: defaultdict[str, list[Any]] = defaultdict(list)
            for name, value in draws(report, noise, chosen.draws):
                found[name].append(value)
            rightly, told, doubted = np.array(found.pop("likely")).sum(0)
            print(f"\n{report.dataset.name}, {noise}, {chosen.draws} draws\n")
            print("| used | first k | first 3k |\n|---|---:|---:|")
            for name, values in found.items():
                mean, spread = np.mean(values, 0), np.std(values, 0)
                shown = " | ".join(f"{a:.3f} ± {b:.3f}" for a, b in zip(mean, spread, strict=True))
                print(f"| {name} | {shown} |")
            print(
                f"\nat least as likely wrong as right: {told / chosen.draws:.1f} a draw, of which "
                f"planted {rightly / max(told, 1):.2f}; in doubt: {doubted / chosen.draws:.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
