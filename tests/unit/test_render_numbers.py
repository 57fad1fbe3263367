"""How every number is written."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf.metrics.case_counts import Ledger
from pytest_llmclf.metrics.intervals import Interval
from pytest_llmclf.metrics.measure import Ratio
from pytest_llmclf.reporting import numbers

NOTHING = Ratio(hits=0, total=0)
NO_IMAGES = Ledger(
    collected=0, correct=0, misclassified=0, unparsed=0, error=0, not_needed=0, lost=0
)


TABLE = [
    (numbers.score(0.792), "0.792"),
    (numbers.score(0.857410, 6), "0.857410"),
    (numbers.score(Ratio(hits=1, total=3)), "0.333"),
    (numbers.score(1.0), "1.000"),
    (numbers.score(None), "–"),
    (numbers.score(NOTHING), "–"),
    (numbers.score(math.nan), "–"),
    (numbers.fraction(Ratio(hits=396, total=500)), "396/500"),
    (numbers.counted(Ratio(hits=396, total=500)), "0.792 (396/500)"),
    (numbers.counted(NOTHING), "– (0/0)"),
    (numbers.percent(0.792), "79.2%"),
    (numbers.percent(0.5, 0), "50%"),
    (numbers.percent(0.0), "0.0%"),
    (numbers.percent(1.0), "100.0%"),
    (numbers.percent(0.9997), ">99.9%"),
    (numbers.percent(0.999, 0), ">99%"),
    (numbers.percent(0.9994), "99.9%"),
    (numbers.percent(0.0001), "<0.1%"),
    (numbers.percent(0.001), "0.1%"),
    (numbers.percent(None), "–"),
    (numbers.percent(math.inf), "–"),
    (numbers.interval(Interval(low=0.7537, high=0.8268, confidence=0.95)), "0.754–0.827"),
    (numbers.confidence(0.95), "95%"),
    (numbers.confidence(0.999), "99.9%"),
    (numbers.p_value(0.0009), "p < 0.001"),
    (numbers.p_value(0.012), "p = 0.012"),
    (numbers.p_value(0.0496), "p = 0.0496"),
    (numbers.p_value(0.05), "p = 0.050"),
    (numbers.p_value(0.0504), "p = 0.050"),
    (numbers.p_value(math.nextafter(0.05, 0)), "p = 0.050000000000000"),
    (numbers.p_value(1), "p = 1.000"),
    (numbers.cut(0.99962, 0.9), "0.999"),
    (numbers.cut(0.99962, 0.9991), "0.9996"),
    (numbers.cut(1.0, 0.9999), "1.000"),
    (numbers.cut(0.97, 0.9), "0.970"),
    (numbers.cut(0.75, None), "0.750"),
    (numbers.cut(0.0, None), "0.000"),
    (numbers.cut(1e-300, 0.0), f"0.{299 * '0'}1"),
    (numbers.ends(NO_IMAGES), "0 images: none"),
    (
        numbers.ends(replace(NO_IMAGES, collected=5, correct=3, error=2)),
        "5 images: 3 correct, 2 without an answer",
    ),
    (numbers.count(0), "0"),
    (numbers.count(1_234_567), "1,234,567"),
    (numbers.plural(0, "image"), "0 images"),
    (numbers.plural(1, "image"), "1 image"),
    (numbers.plural(2, "class", "classes"), "2 classes"),
    (numbers.duration(None), "–"),
    (numbers.duration(-1), "–"),
    (numbers.duration(0), "0 ms"),
    (numbers.duration(0.34), "340 ms"),
    (numbers.duration(0.9996), "1.0 s"),
    (numbers.duration(12.34), "12.3 s"),
    (numbers.duration(59.96), "1 min 00 s"),
    (numbers.duration(245), "4 min 05 s"),
    (numbers.duration(3599.6), "1 h 00 min"),
    (numbers.duration(7380), "2 h 03 min"),
    (numbers.rate(12.34), "12.3 images/s"),
    (numbers.rate(480), "480 images/s"),
    (numbers.rate(0.075), "4.5 images/min"),
    (numbers.rate(0.005), "18.0 images/h"),
    (numbers.rate(0.0), "0.0 images/h"),
    (numbers.rate(None), "–"),
]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20, unique=True), st.data())
def test_a_written_cut_accepts_the_same_answers(levels: list[float], data: st.DataObject) -> None:
    """Those of the least confidence that is said and above, and no others."""
    ranked = sorted(levels)
    place = data.draw(st.integers(0, len(ranked) - 1))
    written = float(numbers.cut(ranked[place], ranked[place - 1] if place else None))
    assert [level for level in ranked if level >= written] == ranked[place:]


@given(st.floats(0, 1))
def test_a_written_p_value_stays_on_its_side_of_the_level(chance: float) -> None:
    """What is written as below 5% is below it, and only that; but for the last bits of a float."""
    written = numbers.p_value(chance)
    claimed = written.startswith("p < ") or float(written.removeprefix("p = ")) < 0.05
    assert claimed == (chance < 0.05) or math.isclose(chance, 0.05, rel_tol=1e-12)


@pytest.mark.parametrize(
    ("found", "written"), TABLE, ids=[f"{place}" for place in range(len(TABLE))]
)
def test_a_number_is_written_so(found: str, written: str) -> None:
    """Every number has one way to be written, at the edges too."""
    assert found == written
