"""One comparison: how it is written, and what it measures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.gates.expression import parse
from pytest_llmclf.gates.threshold import Threshold
from pytest_llmclf.metrics.calibration.coverage import accuracy_at_coverage
from pytest_llmclf.metrics.measure import Ratio
from pytest_llmclf.metrics.metric_table import METRICS
from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from tests.unit.ended import ended

if TYPE_CHECKING:
    from pytest_llmclf.metrics.report import Report

LABELS = ("cat", "cow", "dog")


def some() -> Report:
    """Three of four right, photos and a drawing."""
    return build(
        evaluation="pets",
        model="ollama:llava",
        dataset=DatasetFacts(name="pets", content_hash="", labels=LABELS),
        outcomes=[
            ended("a", "correct", tags={"style": "photo", "source": "web"}),
            ended("b", "misclassified", tags={"style": "photo"}),
            ended("c", "correct", "cow", tags={"style": "drawing"}),
            ended("d", "correct", "dog"),
        ],
    )


def one(text: str) -> Threshold:
    """The only threshold of a gate."""
    (threshold,) = parse(text).thresholds
    return threshold


@pytest.mark.parametrize(
    "metric",
    [one.name for one in METRICS.values() if one.whole and not (one.probabilities or one.cost)],
)
def test_a_metric_of_all_classes_is_the_reports(metric: str) -> None:
    """Nothing is computed anew."""
    found = some()
    kind, _, name = metric.rpartition("_")
    owner = {"macro": found.macro, "weighted": found.weighted}.get(kind)
    expected = getattr(found, metric) if owner is None else getattr(owner, name)
    assert one(f"{metric} >= 0.5").measure(found) == expected


@pytest.mark.parametrize("metric", [one.name for one in METRICS.values() if one.by_class])
def test_a_metric_of_each_class_is_one_threshold_a_class(metric: str) -> None:
    """In the order of the labels, each measuring its own."""
    found, asked = some(), one(f"{metric}[*] >= 0.5")
    measures = asked.measures(found)
    assert [threshold.label for threshold, _ in measures] == list(LABELS)
    assert [threshold for threshold, _ in measures] == list(asked.expanded(LABELS))
    assert {threshold.label: measure for threshold, measure in measures} == getattr(found, metric)
    assert all(threshold.measure(found) == measure for threshold, measure in measures)
    with pytest.raises(ValueError, match="one measure a class"):
        asked.measure(found)


def test_a_slice_counts_only_its_images() -> None:
    """All tags must match; without an image nothing is defined."""
    found = some()
    assert one("accuracy{style=photo} >= 0").measure(found) == Ratio(hits=1, total=2)
    assert one("accuracy{style=photo, source=web} >= 0").measure(found) == Ratio(hits=1, total=1)
    assert one("recall[cow]{style=drawing} >= 0").measure(found) == Ratio(hits=1, total=1)
    assert one("accuracy{style=film} >= 0").measure(found).value is None


def test_calibration_is_undefined_without_probabilities() -> None:
    """No number is invented where the answers say nothing of their confidence."""
    found = some()
    for text in ("ece <= 1", "brier <= 2", "accuracy@coverage0.5 >= 0"):
        assert one(text).measure(found).value is None
    whole = one("accuracy@coverage0.5 >= 0").measure(found)
    assert whole == accuracy_at_coverage(found, 0.5)


@pytest.mark.parametrize(
    ("threshold", "text"),
    [
        (Threshold(metric="accuracy", sign=">=", number=0.75), "accuracy >= 0.75"),
        (Threshold(metric="recall", sign=">", number=0, label="a, b"), "recall[a, b] > 0"),
        (Threshold(metric="recall", sign=">", number=0, label="a]"), 'recall["a]"] > 0'),
        (
            Threshold(
                metric="accuracy", sign="<=", number=1 / 3, coverage=0.8, where=(("a", "b, c"),)
            ),
            'accuracy@coverage0.8{a="b, c"} <= 0.3333333333333333',
        ),
    ],
)
def test_a_threshold_is_written_as_it_is_read(threshold: Threshold, text: str) -> None:
    """Without idle zeros, without loss, quoted only where it must be."""
    assert threshold.text == text
    assert one(text) == threshold


def test_the_worst_value_is_where_the_sign_points_from() -> None:
    """0 for at least, 1 for at most, 2 for the Brier score."""
    worst = [one(text).worst for text in ("accuracy > 0", "accuracy <= 0.5", "brier < 1")]
    assert worst == [0.0, 1.0, 2.0]
