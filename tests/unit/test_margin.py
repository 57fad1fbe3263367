"""Non-inferiority: a loss below the margin is fine, and as large a one must be excluded."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy import stats as scipy_stats

from pytest_llmclf.analysis.comparison.margin import (
    ERROR,
    Margin,
    judge_margin,
    parse_margin,
)
from pytest_llmclf.analysis.comparison.paired_comparison import Change, Comparison
from pytest_llmclf.errors import SettingsError
from pytest_llmclf.metrics.intervals import difference_interval

TWO = Margin(share=Fraction(2, 100))


def compared(broken: int, fixed: int, images: int, size: int = 1, **more: object) -> Comparison:
    """So many images broken and fixed, in clusters of `size`."""
    cases = tuple(f"{place:05}" for place in range(images))
    changes = tuple(
        Change(
            case=case,
            kind="broken" if place < broken else "fixed",
            expected="cat",
            was="cat",
            now="dog",
        )
        for place, case in enumerate(cases[: broken + fixed])
    )
    clusters = tuple(str(place // size) for place in range(images)) if size > 1 else ()
    return Comparison(
        cases=cases,
        correct=images - broken - fixed,
        changes=changes,
        clusters=clusters,
        group="scene" if clusters else "",
        **more,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(("text", "share"), [("2%", 2), (" 2.5 % ", 2.5), ("0.1%", 0.1)])
def test_what_a_margin_is(text: str, share: float) -> None:
    """Points of accuracy, exactly as written."""
    margin = parse_margin(text)
    assert margin.share == Fraction(str(share)) / 100
    assert parse_margin(str(margin)) == margin


@pytest.mark.parametrize("text", ["2", "0%", "100%", "few", "-2%", "", "2 %%", "nan%"])
def test_what_no_margin_is(text: str) -> None:
    """With what was probably meant."""
    with pytest.raises(SettingsError, match="margin") as caught:
        parse_margin(text)
    if text == "2":
        assert "write 2%" in str(caught.value)


@pytest.mark.parametrize(
    ("broken", "fixed", "images", "word"),
    [
        (0, 0, 500, "PASS"),
        (0, 0, 100, "INCONCLUSIVE"),
        (5, 5, 500, "PASS"),
        (14, 4, 500, "INCONCLUSIVE"),
        (60, 10, 500, "FAIL"),
        (0, 40, 500, "PASS"),
    ],
)
def test_what_it_comes_to(broken: int, fixed: int, images: int, word: str) -> None:
    """Excluded, shown, or neither; the line says which, with the interval."""
    found = judge_margin(compared(broken, fixed, images), TWO)
    assert found.word == word
    assert "a loss of 2% or more is " in found.text
    assert "of images like these" in found.text


def test_a_significant_small_loss_is_fine() -> None:
    """What the test of the baseline fails, a margin may tolerate: 20 of 5,000 broken."""
    found = compared(20, 0, 5000)
    assert found.loss_shown
    assert judge_margin(found, TWO).word == "PASS"


def test_groups_count_as_groups() -> None:
    """The same images in scenes exclude less; 35 scenes without a flip exclude no 2%."""
    assert judge_margin(compared(0, 0, 350), TWO).word == "PASS"
    found = judge_margin(compared(0, 0, 350, 10), TWO)
    assert found.word == "INCONCLUSIVE"
    assert "(350 in 35 scenes)" in found.text
    low = scipy_stats.beta.ppf(0.05, 35, 1) - 1
    wide = Margin(share=Fraction(str(round(-low + 0.001, 4))))
    assert judge_margin(compared(0, 0, 350, 10), wide).word == "PASS"
    assert "all images are of one group" in judge_margin(compared(0, 0, 10, 10), TWO).text


def test_nothing_is_known_of_what_was_not_asked() -> None:
    """A stopped run, and one without an image in common."""
    stopped = judge_margin(compared(0, 0, 500, not_asked=("x",)), TWO)
    assert (stopped.word, "needs every image" in stopped.text) == ("INCONCLUSIVE", True)
    assert judge_margin(compared(0, 0, 0), TWO).word == "INCONCLUSIVE"


def test_a_loss_of_the_margin_passes_as_seldom_as_promised() -> None:
    """Exactly, over all tables of six images; more in benchmarks/non_inferiority.py."""
    images, margin = 6, 0.4
    tables = [(b, f) for b in range(images + 1) for f in range(images + 1 - b)]
    ends = [difference_interval(b, f, images, confidence=1 - 2 * ERROR) for b, f in tables]
    excluded = np.array([found.low > -margin for found in ends])
    shown = np.array([found.high < -margin for found in ends])
    counts = np.array([(b, f, images - b - f) for b, f in tables])
    for fixed in np.linspace(0, (1 - margin) / 2 - 1e-9, 15):
        chances = [fixed + margin, fixed, 1 - 2 * fixed - margin]
        weights = scipy_stats.multinomial.pmf(counts, images, chances)
        for claimed in (excluded, shown):
            assert weights[claimed].sum() <= ERROR
