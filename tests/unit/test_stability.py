"""How much a model differs from itself, and whether flips exceed that."""

from __future__ import annotations

import random
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from pytest_llmclf.analysis.comparison.paired_comparison import compare_predictions
from pytest_llmclf.analysis.comparison.prediction import Prediction
from pytest_llmclf.analysis.consistency import Stability, flips_beyond_noise, stability
from pytest_llmclf.metrics import report_build as reports
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.metrics.significance import at_least
from pytest_llmclf.metrics.wording import p_value
from tests.unit.ended import ended

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.analysis.comparison.paired_comparison import Comparison
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.outcome import OutcomeKind

KINDS: dict[str, OutcomeKind] = {"?": "unparsed", "!": "error", "-": "not_needed"}


def asked(*images: str) -> Report:
    """One image a text, one asking a sign: cat (right), dog, ? unparsed, ! no answer, - not."""
    outcomes = []
    for place, signs in enumerate(images):
        for repeat, sign in enumerate(signs):
            label = {"c": "cat", "d": "dog", "w": "cow"}.get(sign)
            kind = KINDS.get(sign, "correct" if sign == "c" else "misclassified")
            outcomes.append(ended(f"{place:03}", kind, predicted=label, repeat=repeat))
    return reports.build(
        evaluation="pets",
        model="ollama:llava",
        dataset=DatasetFacts(name="pets", content_hash="abc", labels=("cat", "cow", "dog")),
        outcomes=outcomes,
    )


def stable(*images: str) -> Stability:
    found = stability(asked(*images))
    assert found is not None
    return found


def test_without_repeats_nothing_is_known() -> None:
    """No number is made up."""
    assert stability(asked("c", "d")) is None


def test_the_numbers_of_three_askings() -> None:
    """By hand: agreement 1, 1/3, 0 and 1 of pairs; three pairs of askings."""
    found = stable("ccc", "ccd", "cdw", "???")
    assert found.askings == 3
    assert repr(found.consistent) == "0.5 (2/4)"
    assert found.self_consistency == pytest.approx((1 + 1 / 3 + 0 + 1) / 4)
    assert [image.case for image in found.inconsistent] == ["001", "002"]
    assert [flips.hits for flips in found.flips] == [1, 2, 1]
    assert found.mean_flips == pytest.approx(4 / 3)
    assert found.no_majority == ("002",)
    assert repr(found.majority_accuracy) == "0.5 (2/4)"
    assert found.unanswered == 0


def test_an_asking_without_an_answer_is_counted_and_in_no_ratio() -> None:
    """The image counts with its other answers; with one alone it agrees with nothing."""
    found = stable("c!c", "c!!", "!!!", "cdd")
    assert found.unanswered == 6
    assert repr(found.consistent) == "0.5 (1/2)"
    assert [(flips.hits, flips.total) for flips in found.flips] == [(1, 1), (1, 2), (0, 1)]
    assert repr(found.majority_accuracy) == "0.6666666666666666 (2/3)"


def test_what_was_not_asked_is_left_out() -> None:
    """A run that stopped early is judged on what it asked about."""
    found = stable("cc", "--")
    assert len(found.images) == 1
    assert found.unanswered == 0


def test_only_errors_leave_everything_undefined() -> None:
    """But counted."""
    found = stable("!!", "!!")
    assert (found.self_consistency, found.mean_flips) == (None, None)
    assert found.consistent.value is None
    assert found.unanswered == 4


@given(st.lists(st.text("cdw?", min_size=3, max_size=3), min_size=1, max_size=8))
def test_flips_are_disagreements_about_right_and_wrong(images: list[str]) -> None:
    """Between readings that agree there is none; and the order of askings never matters."""
    found, turned = stable(*images), stable(*(image[::-1] for image in images))
    assert found.self_consistency == turned.self_consistency
    assert found.mean_flips == pytest.approx(turned.mean_flips)
    assert found.majority_accuracy == turned.majority_accuracy
    assert found.self_consistency is not None
    assert found.mean_flips is not None
    disagreements = len(images) * (1 - found.self_consistency)
    assert found.mean_flips <= disagreements + 1e-9


@given(st.integers(0, 12), st.integers(0, 12), st.floats(0, 1))
def test_at_least_is_the_binomial_tail(least: int, events: int, chance: float) -> None:
    """Where all draws are of one or nothing with one chance, to scipy's value."""
    assert at_least(least, [(1, 0, chance)] * events) == pytest.approx(
        float(binom.sf(least - 1, events, chance)), abs=1e-9
    )


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.floats(0, 1)), max_size=7),
    st.integers(0, 20),
)
def test_at_least_is_the_sum_over_all_ways(draws: list[tuple[int, int, float]], least: int) -> None:
    """Unlike draws, every combination counted."""
    total = 0.0
    for firsts in product((True, False), repeat=len(draws)):
        if sum(draw[not first] for draw, first in zip(draws, firsts, strict=True)) >= least:
            pairs = zip(draws, firsts, strict=True)
            total += float(np.prod([draw[2] if first else 1 - draw[2] for draw, first in pairs]))
    assert at_least(least, draws) == pytest.approx(total, abs=1e-9)


def against(committed: Sequence[str], found: Report) -> Comparison:
    """What is committed (``c`` right, else wrong) against the first asking."""
    before = {
        f"{place:03}": Prediction(
            expected="cat",
            kind="correct" if sign == "c" else "misclassified",
            label="cat" if sign == "c" else "dog",
        )
        for place, sign in enumerate(committed)
    }
    now = {
        each.case: Prediction(expected="cat", kind=each.kind, label=each.predicted)
        for each in found.outcomes
    }
    return compare_predictions(before, now)


def judged(committed: str, *images: str) -> tuple[int, float, float]:
    """Flips, the model's own, p-value."""
    verdict = flips_beyond_noise(against(committed, asked(*images)), stable(*images))
    assert verdict is not None
    return verdict.flips, verdict.own_flips, verdict.p_value


@pytest.mark.parametrize(
    ("committed", "image", "expected"),
    [
        # The odd one out of four is the committed one in 1 of 4 cases.
        ("d", "ccc", (1, 0, 1 / 4)),
        ("c", "ccc", (0, 0, 1)),
        # Two right of four: whichever is the committed one, it differs from two.
        ("c", "dcd", (1, 2 / 3, 1)),
        # Three right of four: a wrong one differs from all three, a right one from one.
        ("c", "dcc", (1, 2 / 3, 1)),
    ],
)
def test_the_p_value_by_hand(
    committed: str, image: str, expected: tuple[float, float, float]
) -> None:
    """Flips, the model's own, and how often the one that is committed differs from so many."""
    assert judged(committed, image) == pytest.approx(expected)


def test_flips_of_a_steady_model_are_not_its_own() -> None:
    """Six images that were always right and are now always wrong."""
    flips, own, p_value = judged("c" * 6, *["ddd"] * 6)
    assert (flips, own) == (6, 0.0)
    assert p_value == pytest.approx(1 / 4**6)


def test_seven_flips_of_a_model_that_never_flips_are_more_than_its_own() -> None:
    """Asked only twice, it gave 0.059 when the first asking alone was held against them."""
    _, own, p_value = judged("c" * 7, *["dd"] * 7)
    assert own == 0.0
    assert p_value == pytest.approx(1 / 3**7)


@pytest.mark.parametrize(
    ("images", "committed", "told"),
    [
        (
            ["dcd"] * 10,
            "c" * 6 + "d" * 4,
            (
                "6 flips, 5.3 on average over 3 askings; between two of these the model flips 6.7 "
                "images by itself: not shown to be more than its own (p = 1.000)"
            ),
        ),
        (
            ["dd"] * 2,
            "cc",
            (
                "2 flips, 2.0 on average over 2 askings; between two of these the model flips 0.0 "
                "images by itself: not shown to be more than its own (p = 0.111)"
            ),
        ),
        (
            ["ddd"] * 6,
            "c" * 6,
            (
                "6 flips, 6.0 on average over 3 askings; between two of these the model flips 0.0 "
                "images by itself: more than its own (p < 0.001)"
            ),
        ),
    ],
)
def test_the_sentence_claims_what_is_shown(images: list[str], committed: str, told: str) -> None:
    """Both numbers, and never "no more", which no test can show."""
    verdict = flips_beyond_noise(against(committed, asked(*images)), stable(*images))
    assert verdict is not None
    assert verdict.text == told
    assert verdict.beyond is ("not shown" not in told)


def test_two_answers_are_no_vote() -> None:
    """Of two, none outvotes the other: a vote takes an image with three answers."""
    assert not stable("cc", "cd", "c!").voted
    assert not stable("cc!", "c!d").voted
    assert stable("cc!", "ccd").voted


def test_only_images_asked_again_take_part() -> None:
    """Others say nothing about the model's own flips; without any there is no verdict."""
    images = ("d!", "dd")
    assert judged("cc", *images)[0] == 1
    assert flips_beyond_noise(against("c", asked("d!")), stable("d!")) is None


@pytest.mark.parametrize("askings", [2, 3, 5])
def test_false_alarms_are_at_most_one_in_twenty(askings: int) -> None:
    """Where nothing changed: 150 seeded runs of 40 images that are right with chances of 0 to 1.

    With 7.5 expected at most, more than 15 would come by chance in less than 0.5% of seeds.
    """
    random = np.random.default_rng(askings)
    alarms = 0
    for _ in range(150):
        chances = random.beta(0.5, 0.5, 40)
        right = random.random((40, askings + 1)) < chances[:, None]
        signs = ["".join("c" if each else "d" for each in row) for row in right]
        images = [each[1:] for each in signs]
        _, _, p_value = judged("".join(each[0] for each in signs), *images)
        alarms += p_value < 0.05
    assert alarms <= 15


def test_the_example_of_the_docs_is_that_of_a_seeded_model() -> None:
    """Self-consistency and the verdicts on a baseline of the same model, and of a worse one."""
    page = Path(__file__).parents[2] / "docs" / "statistics.md"
    prose = " ".join(page.read_text(encoding="utf-8").split())
    chance = random.Random(2)  # noqa: S311 - a simulation
    unsure = ["".join("cd"[chance.random() >= 0.7] for _ in range(4)) for _ in range(20)]
    images = ["c" * 4] * 150 + ["d" * 4] * 30 + unsure
    committed, runs = "".join(image[0] for image in images), [image[1:] for image in images]
    found = stable(*runs)
    assert f"self-consistency {found.self_consistency:.3f}" in prose
    assert f"all answers agree on {found.consistent.hits}" in prose
    same, four, ten = (
        flips_beyond_noise(against(committed, asked(*now)), stable(*now))
        for now in (["ddd"] * broken + runs[broken:] for broken in (0, 4, 10))
    )
    assert same is not None
    assert four is not None
    assert ten is not None
    assert f"`{same.text}`" in prose
    assert f"there are {four.flips}, and {p_value(four.p_value)}" in prose
    assert f"`{ten.flips} flips, …: more than its own ({p_value(ten.p_value)})`" in prose


NOT_ASKED: tuple[OutcomeKind, ...] = ("lost", "not_run", "not_needed")


def test_an_image_that_was_not_asked_is_no_asking_without_an_answer() -> None:
    """Lost, not run and not needed: nobody asked, so nobody failed to answer."""
    outcomes = [
        ended("a.png", "correct", repeat=0),
        ended("a.png", "correct", repeat=1),
        *(ended(kind, kind, repeat=asking) for kind in NOT_ASKED for asking in (0, 1)),
    ]
    found = stability(
        reports.build(
            evaluation="pets",
            model="ollama:llava",
            dataset=DatasetFacts(name="pets", content_hash="", labels=("cat", "dog")),
            outcomes=outcomes,
        )
    )
    assert found is not None
    assert [image.case for image in found.images] == ["a.png"]
    assert found.unanswered == 0
