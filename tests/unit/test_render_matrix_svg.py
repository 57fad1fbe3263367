"""The confusion matrix as SVG."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmclf import reference
from pytest_llmclf.reporting.matrix_svg import confusion_svg
from tests.unit.ended import ended
from tests.unit.test_render_terminal import built, everything

if TYPE_CHECKING:
    from pytest_llmclf.metrics.report import Report

SVG = "{http://www.w3.org/2000/svg}"


def drawn(report: Report) -> ET.Element:
    """The document, which must be XML."""
    return ET.fromstring(confusion_svg(report))  # noqa: S314 - our own text


def texts(root: ET.Element) -> list[str]:
    """Every text in the image."""
    return [str(each.text) for each in root.iter(f"{SVG}text")]


def test_every_image_is_in_it() -> None:
    """The numbers in the cells add up to the images, and labels stand at both sides."""
    found = texts(drawn(reference.published("chess")))
    labels = reference.published("chess").confusion.labels
    assert sum(int(text) for text in found if text.isdigit()) == 465
    assert all(found.count(label) == 2 for label in labels)
    assert {"unparsed", "error", "actual", "predicted"} <= set(found)


def test_it_can_be_read_aloud() -> None:
    """Title and description say what the image shows, and every cell what it is."""
    root = drawn(reference.published("mnist"))
    ids = str(root.get("aria-labelledby")).split()
    said = {each.get("id"): each.text for each in root if each.get("id")}
    assert root.get("role") == "img"
    assert [bool(said[name]) for name in ids] == [True, True]
    assert "0 taken for 3: 19 images" in str(said["desc"])
    cells = [str(each.text) for each in root.iter(f"{SVG}title")]
    assert "0 → 3: 19 images, 38.0% of the row" in cells


@settings(max_examples=40)
@given(st.text(max_size=40))
def test_no_label_breaks_out(label: str) -> None:
    """Whatever a label is made of, the document holds only shapes and words, and no script."""
    labels = (f"x{label}", "dog")
    root = drawn(built(ended("a", "misclassified", labels[0]), labels=labels))
    tags = {each.tag.removeprefix(SVG) for each in root.iter()}
    assert tags <= {"svg", "title", "desc", "rect", "text", "g", "path"}
    assert all(text.isprintable() for text in texts(root))


@pytest.mark.parametrize("classes", [1, 2, 12, 60, 150])
def test_any_number_of_classes_fits(classes: int) -> None:
    """Cells lie inside the image and do not overlap, however many there are."""
    labels = tuple(f"label {number}" for number in range(classes))
    outcomes = [ended(f"{label}.png", "correct", label) for label in labels]
    root = drawn(built(*outcomes, ended("u.png", "unparsed", labels[0]), labels=labels))
    wide, high = float(str(root.get("width"))), float(str(root.get("height")))
    cells = [each for group in root.iter(f"{SVG}g") for each in group.iter(f"{SVG}rect")]
    places = [(float(str(each.get("x"))), float(str(each.get("y")))) for each in cells]
    side = float(str(cells[0].get("width")))
    assert len(set(places)) == len(cells) == classes + 1
    assert all(x >= 0 and x + side <= wide and y >= 0 and y + side <= high for x, y in places)


def test_the_same_report_gives_the_same_text() -> None:
    """Nothing in it depends on the moment, and no report is too empty."""
    assert confusion_svg(everything(20)) == confusion_svg(everything(20))
    assert "0 images of 3 classes" in confusion_svg(built())
