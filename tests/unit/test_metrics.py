"""Counts and ratios, cell by cell against scikit-learn."""

from __future__ import annotations

import math
import warnings
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from pytest_llmclf.metrics.confusion import Confusion
from pytest_llmclf.metrics.measure import Mean, Ratio
from pytest_llmclf.values.outcome import Outcome

if TYPE_CHECKING:
    import random

    from pytest_llmclf.metrics.confusion import Averages
    from pytest_llmclf.metrics.measure import Measure

UNPARSED = "(unparsed)"


def ended(number: int, expected: str, end: str) -> Outcome:
    """An outcome that predicted `end`, or ended as the kind that `end` names with a ``!``."""
    kind = end.removeprefix("!")
    if end == kind:
        return _outcome(
            number, expected, "correct" if end == expected else "misclassified", predicted=end
        )
    assert kind in {"unparsed", "error", "not_needed", "not_run", "lost"}
    return _outcome(number, expected, kind)


def _outcome(number: int, expected: str, kind: str, predicted: str | None = None) -> Outcome:
    known: Literal["correct", "misclassified", "unparsed", "error", "not_needed", "not_run", "lost"]
    known = kind  # type: ignore[assignment]
    return Outcome(
        evaluation="e",
        model="m",
        model_digest="",
        case=f"{number}.png",
        sha256="",
        expected=expected,
        kind=known,
        predicted=predicted,
    )


@st.composite
def runs(draw: st.DrawFn) -> tuple[tuple[str, ...], list[Outcome]]:
    """Labels, of which some may not occur, and outcomes of every kind."""
    labels = tuple("abcdef"[: draw(st.integers(1, 6))])
    ends = [*labels, *labels, "!unparsed", "!error", "!not_needed", "!lost"]
    pairs = draw(st.lists(st.tuples(st.sampled_from(labels), st.sampled_from(ends)), max_size=40))
    return labels, [ended(number, *pair) for number, pair in enumerate(pairs)]


def answers(outcomes: list[Outcome]) -> tuple[list[str], list[str]]:
    """The answered ones as scikit-learn takes them, unparsed as one more label."""
    answered = [one for one in outcomes if one.kind in {"correct", "misclassified", "unparsed"}]
    return [one.expected for one in answered], [one.predicted or UNPARSED for one in answered]


def same(measure: Measure, number: float) -> bool:
    """Whether both are the same number; undefined is scikit-learn's NaN."""
    if measure.value is None:
        return math.isnan(number)
    return measure.value == pytest.approx(number, abs=1e-12)


def same_averages(ours: Averages, theirs: tuple[float, float, float, None]) -> bool:
    """Whether precision, recall and F1 are the same."""
    measures = (ours.precision, ours.recall, ours.f1)
    return all(same(one, other) for one, other in zip(measures, theirs[:3], strict=True))


@given(runs())
def test_every_cell_equals_sklearn(run: tuple[tuple[str, ...], list[Outcome]]) -> None:
    """Precision, recall, F1 and support a class are scikit-learn's, undefined being NaN."""
    labels, outcomes = run
    actual, predicted = answers(outcomes)
    scores = Confusion.from_outcomes(labels, outcomes).scores
    if not actual:
        assert all(score.recall.value is score.precision.value is None for score in scores)
        return
    theirs = sklearn_metrics.precision_recall_fscore_support(
        actual, predicted, labels=labels, zero_division=math.nan
    )
    for score, precision, recall, f1, support in zip(scores, *theirs, strict=True):
        assert same(score.precision, precision)
        assert same(score.recall, recall)
        assert same(score.f1, f1)
        assert score.support == support


@given(runs())
def test_counts_equal_sklearn(run: tuple[tuple[str, ...], list[Outcome]]) -> None:
    """The matrix with its unparsed column is scikit-learn's, and no answer vanishes from it."""
    labels, outcomes = run
    actual, predicted = answers(outcomes)
    confusion = Confusion.from_outcomes(labels, outcomes)
    assert confusion.answered == len(actual)
    if not actual:
        return
    theirs = sklearn_metrics.confusion_matrix(actual, predicted, labels=[*labels, UNPARSED])
    ours = [
        [*row, unparsed] for row, unparsed in zip(confusion.counts, confusion.unparsed, strict=True)
    ]
    assert [*ours, [0] * (len(labels) + 1)] == theirs.tolist()


@given(runs())
def test_averages_equal_sklearn(run: tuple[tuple[str, ...], list[Outcome]]) -> None:
    """Averages over the classes that occur are scikit-learn's with ``zero_division=0``."""
    labels, outcomes = run
    actual, predicted = answers(outcomes)
    confusion = Confusion.from_outcomes(labels, outcomes)
    if not actual:
        assert confusion.macro.f1.value is confusion.weighted.f1.value is None
        return
    occurring = [label for label in labels if label in {*actual, *predicted}]
    for name, ours, over in (
        ("macro", confusion.macro, occurring),
        ("weighted", confusion.weighted, occurring),
        ("weighted", confusion.weighted, list(labels)),
    ):
        theirs = sklearn_metrics.precision_recall_fscore_support(
            actual, predicted, labels=over, average=name, zero_division=0
        )
        assert same_averages(ours, theirs)
    theirs = sklearn_metrics.precision_recall_fscore_support(
        actual, predicted, labels=labels, average="micro", zero_division=math.nan
    )
    assert same_averages(confusion.micro, theirs)


@given(runs())
def test_accuracies_equal_sklearn(run: tuple[tuple[str, ...], list[Outcome]]) -> None:
    """Accuracy and balanced accuracy are scikit-learn's."""
    labels, outcomes = run
    actual, predicted = answers(outcomes)
    confusion = Confusion.from_outcomes(labels, outcomes)
    if not actual:
        assert confusion.accuracy.value is confusion.balanced_accuracy.value is None
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "y_pred contains classes not in y_true"
        balanced = sklearn_metrics.balanced_accuracy_score(actual, predicted)
    assert same(confusion.accuracy, sklearn_metrics.accuracy_score(actual, predicted))
    assert same(confusion.balanced_accuracy, balanced)


@given(runs(), st.randoms(use_true_random=False))
def test_order_never_matters(
    run: tuple[tuple[str, ...], list[Outcome]], chance: random.Random
) -> None:
    """Any order of the same outcomes gives the same counts."""
    labels, outcomes = run
    shuffled = chance.sample(outcomes, len(outcomes))
    assert Confusion.from_outcomes(labels, shuffled) == Confusion.from_outcomes(labels, outcomes)


@given(runs())
def test_every_outcome_is_counted_once(run: tuple[tuple[str, ...], list[Outcome]]) -> None:
    """Answered, errors, not needed and lost add up to all outcomes."""
    labels, outcomes = run
    found = Confusion.from_outcomes(labels, outcomes)
    assert found.answered + sum(found.error) + found.not_needed + found.lost == len(outcomes)


def test_unparsed_is_a_wrong_answer() -> None:
    """An unparsed answer lowers accuracy and recall and leaves precision alone."""
    found = Confusion.from_outcomes("ab", [ended(1, "a", "a"), ended(2, "a", "!unparsed")])
    assert found.accuracy == Ratio(hits=1, total=2)
    assert found.scores[0].recall == Ratio(hits=1, total=2)
    assert found.scores[0].precision == Ratio(hits=1, total=1)
    assert found.unparsed_rate == Ratio(hits=1, total=2)


@pytest.mark.parametrize("end", ["!error", "!not_needed", "!lost"])
def test_no_answer_is_in_no_denominator(end: str) -> None:
    """What has no answer leaves accuracy and recall as they are."""
    found = Confusion.from_outcomes("ab", [ended(1, "a", "a"), ended(2, "a", end)])
    assert found.accuracy == Ratio(hits=1, total=1)
    assert found.scores[0].recall == Ratio(hits=1, total=1)
    assert found.scores[0].support == 1


def test_error_rate_is_among_those_asked() -> None:
    """The error rate's denominator holds answers and errors, not what was never asked."""
    ends = ["a", "!error", "!not_needed", "!lost"]
    found = Confusion.from_outcomes("a", [ended(n, "a", end) for n, end in enumerate(ends)])
    assert found.error_rate == Ratio(hits=1, total=2)


def test_a_class_never_named_counts_as_zero() -> None:
    """Never naming a class does not raise macro precision: its undefined precision counts 0."""
    found = Confusion.from_outcomes("ab", [ended(1, "a", "a"), ended(2, "b", "a")])
    assert found.scores[1].precision.value is None
    assert found.macro.precision.value == 0.25


def test_a_class_that_does_not_occur_is_left_out() -> None:
    """In a run over a part of the data the absent classes are not averaged over."""
    found = Confusion.from_outcomes("abc", [ended(1, "a", "a"), ended(2, "b", "b")])
    assert found.macro.f1 == Mean(exact=Fraction(1), classes=2)
    assert found.balanced_accuracy == Mean(exact=Fraction(1), classes=2)


@pytest.mark.parametrize("end", ["z", "!unparsed"])
def test_unknown_labels_are_refused(end: str) -> None:
    """A label outside the list cannot slip out of a denominator."""
    expected = "a" if end == "z" else "z"
    with pytest.raises(ValueError, match="'z' is none of the labels"):
        Confusion.from_outcomes("ab", [ended(1, expected, end)])


@pytest.mark.parametrize(("kind", "predicted"), [("correct", "b"), ("misclassified", "a")])
def test_contradictions_are_refused(kind: str, predicted: str) -> None:
    """An outcome whose kind does not fit its labels is not counted."""
    with pytest.raises(ValueError, match="but expected 'a'"):
        Confusion.from_outcomes("ab", [_outcome(1, "a", kind, predicted)])


def test_counts_must_fit_the_labels() -> None:
    """A matrix of another size than the labels is refused, and so is a label that occurs twice."""
    with pytest.raises(ValueError, match="2 x 2"):
        Confusion(labels=("a", "b"), counts=((1, 0),), unparsed=(0, 0), error=(0, 0))
    with pytest.raises(ValueError, match="twice"):
        Confusion(labels=("a", "a"), counts=((1, 0), (0, 1)), unparsed=(0, 0), error=(0, 0))


@given(st.integers(0, 1000), st.integers(1, 1000), st.integers(0, 1000))
def test_a_threshold_written_as_decimals_is_met_exactly(
    hits: int, total: int, thousandths: int
) -> None:
    """``>= 0.123`` agrees with exact arithmetic, on the edge too."""
    hits = min(hits, total)
    exact = Fraction(hits, total) >= Fraction(thousandths, 1000)
    threshold = float(f"0.{thousandths:03d}") if thousandths < 1000 else 1.0
    assert (Ratio(hits=hits, total=total) >= threshold) is exact
    assert (Ratio(hits=hits, total=total) < threshold) is not exact


def test_undefined_passes_no_comparison() -> None:
    """0 of 0 is neither above nor below anything, and equal to no number."""
    nothing = Ratio(hits=0, total=0)
    assert not any((nothing >= 0.0, nothing > -1.0, nothing <= 1.0, nothing < 2.0))
    assert nothing != 0
    assert not Ratio(hits=1, total=1) >= nothing


def test_measures_compare_with_numbers_and_each_other() -> None:
    """A ratio equals its value; two ratios are equal when their counts are."""
    assert Ratio(hits=5, total=5) == 1.0
    assert hash(Ratio(hits=1, total=2)) == hash(0.5)
    assert Ratio(hits=1, total=2) != Ratio(hits=2, total=4)
    assert Ratio(hits=1, total=2) >= Ratio(hits=2, total=4)
    assert Ratio(hits=1, total=2) < Mean(exact=Fraction(2, 3), classes=2)
    assert Ratio(hits=1, total=2) != "0.5"


def test_a_measure_shows_its_counts() -> None:
    """A failed assert tells numerator and denominator."""
    assert repr(Ratio(hits=396, total=500)) == "0.792 (396/500)"
    assert repr(Ratio(hits=0, total=0)) == "undefined (0/0)"
    assert repr(Mean(exact=Fraction(1, 2), classes=3)) == "0.5 (3 classes)"


@pytest.mark.parametrize(("hits", "total"), [(2, 1), (-1, 1), (0, -1)])
def test_impossible_ratios_are_refused(hits: int, total: int) -> None:
    """More hits than trials, or fewer than none, is a mistake."""
    with pytest.raises(ValueError, match="no ratio"):
        Ratio(hits=hits, total=total)


def test_a_ratio_is_true_as_its_number_is() -> None:
    """``assert report.recall["7"]`` fails at 0, and where there is nothing to divide by."""
    assert Ratio(hits=1, total=3)
    assert not Ratio(hits=0, total=3)
    assert not Ratio(hits=0, total=0)


def test_ratios_are_calculated_with_as_numbers() -> None:
    """Sums, differences, products and quotients, and NaN where there is nothing to divide by."""
    half, third = Ratio(hits=1, total=2), Ratio(hits=1, total=3)
    assert sum([half, half]) == 1.0
    assert half - third == pytest.approx(1 / 6)
    assert 1 - half == 0.5
    assert 2 * half * half == 0.5
    assert third / half == pytest.approx(2 / 3)
    assert math.isnan(half + Ratio(hits=0, total=0))
