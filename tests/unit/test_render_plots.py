"""The confusion matrix as a picture."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from pytest_llmclf import reference
from pytest_llmclf.metrics import report
from pytest_llmclf.metrics.report import DatasetFacts
from pytest_llmclf.reporting import plots
from pytest_llmclf.values.outcome import Outcome


def picture(found: report.Report) -> Image.Image:
    """The picture, decoded."""
    opened = Image.open(io.BytesIO(plots.confusion_png(found)))
    opened.load()
    return opened


def diagonal(labels: tuple[str, ...], *, errors: bool = False) -> report.Report:
    """A report with one image a class, right or without an answer."""
    outcomes = [
        Outcome(
            evaluation="e",
            model="m",
            model_digest="",
            case=f"{place}",
            sha256="",
            expected=label,
            kind="error" if errors else "correct",
            predicted=None if errors else label,
        )
        for place, label in enumerate(labels)
    ]
    facts = DatasetFacts(name="d", content_hash="", labels=labels)
    return report.build(evaluation="e", model="m", dataset=facts, outcomes=outcomes)


def test_the_same_report_is_the_same_picture() -> None:
    """Drawing twice gives the same bytes: a picture can be compared and cached."""
    found = reference.published("chess")
    assert plots.confusion_png(found) == plots.confusion_png(found)


@pytest.mark.parametrize("name", reference.names())
def test_the_diagonal_is_as_dark_as_its_share(name: str) -> None:
    """A cell's colour is the share of its row, from the scale's lightest to its darkest."""
    found = reference.published(name)
    drawn, plan = picture(found).convert("RGB"), plots._plan(found)
    for place, row in enumerate(found.confusion.counts):
        corner = (plan.left + place * plan.cell + 3, plan.top + place * plan.cell + 3)
        assert drawn.getpixel(corner) == plots._blend(plots._BLUES, row[place] / sum(row))


def test_unparsed_and_errors_have_columns_of_their_own() -> None:
    """Images without an answer are dark in the error column and nowhere else."""
    found = diagonal(("cat", "dog"), errors=True)
    drawn, plan = picture(found).convert("RGB"), plots._plan(found)
    seen = [
        drawn.getpixel((plots._across(plan, column)[0] + 3, plan.top + 3)) for column in range(4)
    ]
    assert seen == [plots._BLUES[0], plots._BLUES[0], plots._AMBERS[0], plots._REDS[-1]]


@pytest.mark.parametrize("classes", [1, 2, 15, 30, 60, 120, 700])
def test_any_number_of_classes_is_drawn(classes: int) -> None:
    """One class or hundreds: the picture holds all cells and stays of a sane size."""
    found = diagonal(tuple(f"class {place}" for place in range(classes)))
    drawn, plan = picture(found), plots._plan(found)
    assert plan.left + plan.side < drawn.width <= 4000
    assert plan.top + plan.side < drawn.height <= 4000


@pytest.mark.parametrize("label", ["猫", "\x1b[2J\n", "\u202ecat", "é" * 300, "", "\ud800", "ไก่"])
def test_odd_labels_are_drawn(label: str) -> None:
    """Labels without letters in the font, endless and hostile ones do not stop the picture."""
    assert picture(diagonal((label, "dog"))).width < 2000


def test_labels_that_no_font_shows_are_escaped() -> None:
    """Where no font has a sign its number is drawn, not a box that says nothing."""
    assert plots._drawable("\U0010fffd", 22) == r"\U0010fffd"
    assert plots._drawable("cat", 22) == "cat"


def test_the_scale_is_monotonous() -> None:
    """More of the row is never lighter."""
    for colors in (plots._BLUES, plots._AMBERS, plots._REDS):
        sums = [sum(plots._blend(colors, step / 100)) for step in range(101)]
        assert sums == sorted(sums, reverse=True)
