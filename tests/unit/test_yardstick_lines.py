"""The sentence about a model beside a classical classifier says what the outcomes say."""

from __future__ import annotations

import random
import re
from dataclasses import replace

import pytest

from pytest_llmclf.analysis.comparison.yardsticks import held_against
from pytest_llmclf.metrics import report, report_build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.prompting.prompt import Instructions
from pytest_llmclf.reporting.style import Style
from pytest_llmclf.reporting.yardstick_lines import (
    yardstick_lines,
    yardstick_sentence,
    yardstick_texts,
)
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.example_image import ExampleImage
from pytest_llmclf.values.outcome import Outcome

LABELS = ("cat", "dog")


def answered(model: str, right: list[bool], seconds: float | None) -> report.Report:
    """A model that is right on these images, and takes so long for each."""
    outcomes = [
        Outcome(
            evaluation="animals",
            model=model,
            model_digest="",
            case=f"{place}.png",
            sha256=f"{place:064x}",
            expected="cat",
            kind="correct" if good else "misclassified",
            predicted="cat" if good else "dog",
            answer=Answer(text="cat" if good else "dog", wall_s=seconds),
        )
        for place, good in enumerate(right)
    ]
    facts = DatasetFacts(name="animals", content_hash="", labels=LABELS)
    return report_build.build(evaluation="animals", model=model, dataset=facts, outcomes=outcomes)


def sentence(model: list[bool], yardstick: list[bool], name: str = "yardstick:svm") -> str:
    """What is said of both."""
    reports = [answered("ollama:llava", model, 2.0), answered(name, yardstick, 0.005)]
    (found,) = held_against(reports)
    return yardstick_sentence(found)


@pytest.mark.parametrize("seed", range(6))
def test_the_counts_are_those_of_both(seed: int) -> None:
    """More, fewer or as many; the interval is on the side that the images are on, or has both."""
    chance = random.Random(seed)  # noqa: S311 - a seeded simulation
    first, second = ([chance.random() < 0.6 for _ in range(40)] for _ in range(2))
    second = first if seed == 0 else second
    said = sentence(first, second)
    net = sum(second) - sum(first)
    word = f"{abs(net)} {'more' if net > 0 else 'fewer'}" if net else "as many"
    assert f"is right on {word} of 40 images" in said
    low, high = map(int, re.findall(r"interval ([-+]\d+) to ([-+]\d+)", said)[0])
    assert low <= net <= high


def test_the_time_is_that_of_the_median_answer() -> None:
    """In words for either direction, and nothing where a side does not tell."""
    right = [True] * 9
    assert "at 1/400 of the time an answer" in sentence(right, right)
    for model, yardstick, said in (
        (1.0, 1.2, "about the same"),
        (1.0, 3.0, "3 times"),
        (1.0, None, ""),
    ):
        reports = [answered("m", right, model), answered("yardstick:knn", right, yardstick)]
        found = yardstick_sentence(held_against(reports)[0])
        assert said in found
        assert ("time" in found) is bool(said)


def test_what_was_learnt_from_is_said() -> None:
    """The very set, or another one; of a classifier by its own name, too."""
    right = [True, False] * 4
    assert sentence(right, right).endswith(
        "it has learnt from the labels of this very set, ollama:llava has not"
    )
    assert "learnt from labelled images of mnist-train, ollama:llava has not" in sentence(
        right, right, "yardstick:knn?most=9&train=mnist-train"
    )
    assert "sklearn:sklearn.svm:NuSVC, NuSVC, is right" in sentence(
        right, right, "sklearn:sklearn.svm:NuSVC"
    )


def test_nothing_is_said_of_what_another_program_learnt_from() -> None:
    """Its answers come from anywhere; only a language model was given no label here."""
    right = [True] * 5
    reports = [answered("predictions:c.csv", right, None), answered("yardstick:knn", right, None)]
    said = yardstick_sentence(held_against(reports)[0])
    assert said.endswith("of this very set, of predictions:c.csv that is not known")


def test_images_that_are_shown_with_labels_are_said() -> None:
    """A model that was shown four has seen labels of the set, if few."""
    right = [True] * 5
    shown = ExampleImage(
        file="a.png", label="cat", answer="cat", sha256="1", sent="1", media_type="image/png"
    )
    told = Instructions(question="Which?", labels=(), prompt="Which?", examples=(shown,) * 4)
    model = replace(answered("ollama:llava", right, None), full_instructions=told)
    said = yardstick_sentence(held_against([model, answered("yardstick:knn", right, None)])[0])
    assert said.endswith("ollama:llava was shown 4 labelled images with every question")


def test_every_model_is_held_against_every_yardstick() -> None:
    """Yardsticks not against each other; without one, or with nothing else, nothing is said."""
    right = [True] * 5
    names = ("yardstick:knn", "a", "b", "yardstick:svm", "predictions:c.csv")
    reports = [answered(name, right, None) for name in names]
    pairs = [(found.model, found.yardstick) for found in held_against(reports)]
    assert len(pairs) == len(set(pairs)) == 6
    assert not list(yardstick_lines([reports[1], reports[2]], Style()))
    assert not list(yardstick_lines([reports[0], reports[3]], Style()))
    assert len(list(yardstick_lines(reports[:2], Style()))) > 1


def test_of_many_pairs_the_best_of_either_is_told() -> None:
    """Whatever the order; and of how many they are the best, on the images that chose them."""
    names = ("a", "yardstick:knn", "b", "yardstick:svm", "c")
    reports = [answered(name, [True] * right + [False] * (9 - right), None)
               for name, right in zip(names, (3, 8, 7, 6, 5), strict=True)]  # fmt: skip
    for ordered in (reports, reports[::-1]):
        texts = [text for _, text in yardstick_texts(ordered)]
        assert len(texts) == 2
        assert texts[0].startswith("yardstick:knn, the nearest neighbours, is right on 1 more")
        assert "than b " in texts[0]
        assert texts[1] == (
            "these are the best of 3 tasks and 2 classifiers on these very images; the page "
            "compares the 5 other pairs"
        )
    few = [text for _, text in yardstick_texts([*reports[:3], reports[4]])]
    assert len(few) == 3
    assert not any("the best of" in text for text in few)
