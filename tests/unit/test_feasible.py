"""What is said of a gate before any question is asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf.gates.feasible import undecidable
from pytest_llmclf.gates.gate import Gate
from pytest_llmclf.gates.judging import judge
from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.values.case import Case
from tests.unit.ended import ended

if TYPE_CHECKING:
    from collections.abc import Sequence

LABELS = ("cat", "cow", "dog")
SURE = " with 95% confidence"


def cases(*counts: int, **tags: str) -> list[Case]:
    """So many images of each class."""
    return [
        Case(id=f"{label}{n}{tags}", root=Path(), sha256="", label=label, tags=tags)
        for label, count in zip(LABELS, counts, strict=False)
        for n in range(count)
    ]


def said(expression: str, *images: Case) -> tuple[str, ...]:
    """What is said of a gate."""
    return undecidable(Gate(expression), LABELS, images)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("accuracy >= 0.95", "50 images cannot show it even if all are right; it needs 59"),
        ("accuracy > 0.95", "50 images cannot show it even if all are right; it needs 59"),
        ("accuracy >= 1", "even if all are right; no number of images can"),
        ("accuracy >= 0.9999999999", "even if all are right; it needs more than 100,000,000"),
        ("accuracy <= 0.05", "50 images cannot show it even if none is right; it needs 59"),
        (
            "recall[dog] >= 0.8",
            "10 images of dog cannot show it even if all are right; it needs 14",
        ),
        ("precision[dog] >= 0.8", "10 images of dog cannot show it"),
        ("f1[dog] >= 0.9", "10 images of dog cannot show it even if all are right; it needs 15"),
        (
            "unparsed_rate <= 0.02",
            "50 images cannot show it even if every answer has a label; it needs 149",
        ),
        (
            "accuracy@coverage0.5 >= 0.9",
            "25 images cannot show it even if all are right; it needs 57",
        ),
        (
            "recall[*] >= 0.8",
            "cannot be shown for 1 of 3 classes; dog: 10 images of dog cannot show it",
        ),
    ],
)
def test_too_few_images_are_told_with_how_many_it_takes(expression: str, reason: str) -> None:
    """0.95 to the power of 59 is the first below 5%."""
    (line,) = said(expression + SURE, *cases(20, 20, 10))
    if expression.startswith("recall[*]"):
        assert line.startswith("recall[dog] >= 0.8 with 95% confidence: 10 images of dog cannot")
    else:
        assert line.startswith(f"{expression}{SURE}: ")
        assert reason in line


def test_many_classes_with_too_few_images_share_a_line() -> None:
    """The one with the fewest images is the example."""
    (line,) = said(f"recall[*] >= 0.9{SURE}", *cases(20, 9, 30))
    assert line == (
        "recall[*] >= 0.9 with 95% confidence: for 2 of 3 classes; cow: 9 images "
        "of cow cannot show it even if all are right; it needs 29"
    )


def test_averages_name_the_number_for_the_same_mix() -> None:
    """All right in three classes of 5, 10 and 20 images does not show 0.95."""
    (line,) = said(f"macro_f1 >= 0.95{SURE}", *cases(5, 10, 20))
    assert "35 images cannot show it even if all are right; it needs " in line
    assert line.endswith(" in the same mix of classes")


@pytest.mark.parametrize("sure", ["", SURE])
def test_no_image_shows_it(sure: str) -> None:
    """A class or slice without an image decides nothing in either reading."""
    photos = cases(30, 30, style="photo")
    assert said(f"recall[dog] >= 0.5{sure}", *photos) == (
        f"recall[dog] >= 0.5{sure}: no image shows dog",
    )
    assert said(f"recall[*] >= 0.5{sure}", *photos) == (
        f"recall[dog] >= 0.5{sure}: no image shows dog",
    )
    assert said(f"accuracy{{style=drawing}} >= 0.5{sure}", *photos) == (
        f"accuracy{{style=drawing}} >= 0.5{sure}: no image among those with style=drawing",
    )
    (line,) = said(f"recall[cat]{{style=x}} >= 0.5{sure}", *photos)
    assert line.endswith("no image shows cat among those with style=x")
    (line,) = said(f"accuracy >= 0.5{sure}")
    assert line.endswith("there is no image")


def test_about_these_images_any_number_is_enough() -> None:
    """One image decides the point reading."""
    assert said("accuracy >= 1, recall[*] >= 1, unparsed_rate <= 0", *cases(1, 1, 1)) == ()


def test_a_low_precision_is_not_foretold() -> None:
    """It depends on which labels are named."""
    assert said(f"precision[cat] <= 0.1, macro_precision <= 0.01{SURE}", *cases(2, 2, 2)) == ()


@given(
    st.lists(st.integers(0, 25), min_size=3, max_size=3),
    st.sampled_from(["accuracy", "recall[cat]", "recall[*]", "f1[cow]", "macro_f1",
                     "balanced_accuracy", "weighted_precision"]),
    st.sampled_from([0.5, 0.8, 0.9, 0.95]),
    st.sampled_from(["", SURE]),
)  # fmt: skip
def test_nothing_is_said_exactly_where_all_right_passes(
    counts: Sequence[int], metric: str, bound: float, sure: str
) -> None:
    """The warning and the verdict are one mechanism."""
    gate = Gate(f"{metric} >= {bound}{sure}")
    images = cases(*counts)
    found = build(
        evaluation="pets",
        model="ollama:llava",
        dataset=DatasetFacts(name="pets", content_hash="", labels=LABELS),
        outcomes=[ended(case.id, "correct", case.label) for case in images],
    )
    passes = {verdict.word for verdict in judge(found, [gate])} == {"PASS"}
    assert (undecidable(gate, LABELS, images) == ()) is passes
