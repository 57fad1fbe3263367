"""Which images a number is said to be of, and which mix of classes they have."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.gates.gate import Gate
from pytest_llmclf.gates.judging import judge
from pytest_llmclf.metrics.population import own_mix, population
from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.reporting.artifacts import write_run
from pytest_llmclf.reporting.run_folder import RunFolderError, read_run
from pytest_llmclf.reporting.style import Style
from pytest_llmclf.reporting.terminal import report_lines
from tests.unit.ended import ended

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_llmclf.metrics.report import Report


def report(cats: int, dogs: int, sizes: tuple[int, ...] = (20, 300)) -> Report:
    """So many cats and dogs, all right, of a dataset with these sizes."""
    facts = DatasetFacts(
        name="pets",
        content_hash="",
        labels=("cat", "dog"),
        cases_in_dataset=sum(sizes) or 320,
        class_sizes=sizes,
    )
    outcomes = [ended(f"c{n}", "correct") for n in range(cats)]
    outcomes += [ended(f"d{n}", "correct", "dog", predicted="dog") for n in range(dogs)]
    return build(evaluation="pets", model="ollama:llava", dataset=facts, outcomes=outcomes)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (report(10, 10), "on 20 of 320 images, a subset of 10 a class"),
        (report(20, 50), "on 70 of 320 images, a subset of at most 50 a class"),
        (report(5, 10), "on 15 of 320 images, a subset"),
        (report(20, 300), "on these 320 images"),
        (report(10, 10, ()), "on 20 of 320 images, a subset"),
    ],
)
def test_which_images(found: Report, said: str) -> None:
    """A sample of so many a class, all of a class that has fewer; else a subset."""
    assert population(found) == said


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (report(10, 10), "10 images a class, 20 to 300 in the whole dataset"),
        (report(20, 50), "20 to 50 images a class, 20 to 300 in the whole dataset"),
        (report(2, 30), ""),
        (report(20, 300), ""),
        (report(10, 10, (50, 50)), ""),
        (report(10, 10, ()), ""),
    ],
)
def test_which_mix(found: Report, said: str) -> None:
    """Said where, and only where, it is not the dataset's."""
    assert own_mix(found) == said


@pytest.mark.parametrize(
    "metric", ["accuracy", "precision[cat]", "f1[cat]", "macro_f1", "unparsed_rate"]
)
def test_a_claim_about_other_images_says_of_which_mix(metric: str) -> None:
    """Where it depends on how frequent classes are."""
    sign = "<= 0.4" if metric == "unparsed_rate" else ">= 0.5"
    (verdict,) = judge(report(10, 10), [Gate(f"{metric} {sign} with 95% confidence")])
    said = "of images like these (10 images a class, 20 to 300 in the whole dataset)"
    assert said in verdict.text


@pytest.mark.parametrize("metric", ["recall[cat]", "macro_recall", "balanced_accuracy"])
def test_recall_is_of_any_mix(metric: str) -> None:
    """How often a class is seen does not depend on how frequent it is."""
    (verdict,) = judge(report(10, 10), [Gate(f"{metric} >= 0.5 with 95% confidence")])
    assert verdict.text.endswith("of images like these")


def test_the_report_says_it() -> None:
    """Above the accuracy."""
    shown = "\n".join(line.text for line in report_lines(report(10, 10), Style(width=200)))
    assert "classes: 10 images a class, 20 to 300 in the whole dataset; accuracy" in shown
    shown = "\n".join(line.text for line in report_lines(report(20, 300), Style(width=200)))
    assert "whole dataset" not in shown


def test_a_run_folder_keeps_it(tmp_path: Path) -> None:
    """So that it says the same when it is judged again; damaged sizes are refused."""
    write_run(tmp_path, [report(10, 10)], settings={}, environment={})
    (back,) = read_run(tmp_path).reports
    assert own_mix(back) == own_mix(report(10, 10))
    data = json.loads((tmp_path / "run.json").read_text("utf-8"))
    for broken in ([1], ["a", 2], 3):
        data["reports"][0]["dataset"]["class_sizes"] = broken
        (tmp_path / "run.json").write_text(json.dumps(data))
        with pytest.raises(RunFolderError):
            read_run(tmp_path)


@pytest.mark.parametrize(
    ("text", "judged"), [("accuracy{light=dim} >= 0.5", 9), ("accuracy >= 0.5", 20)]
)
@pytest.mark.parametrize(
    ("sizes", "of"), [((10, 10), "20 images"), ((20, 300), "20 of 320 images")]
)
def test_a_gate_on_a_tag_counts_the_images_with_the_tag(
    text: str, judged: int, sizes: tuple[int, int], of: str
) -> None:
    """The count behind a ratio is its denominator; the whole run follows, sampled or not."""
    whole = report(10, 10, sizes)
    tagged = [
        dataclasses.replace(one, tags={"light": "dim" if number < 9 else "day"})
        for number, one in enumerate(whole.outcomes)
    ]
    made = build(evaluation="pets", model="ollama:llava", dataset=whole.dataset, outcomes=tagged)
    (verdict,) = judge(made, [Gate(text)])
    assert f"({judged}/{judged}) on " in verdict.text
    tags = " with light=dim, of " in verdict.text
    assert tags is (judged == 9)
    assert f"on these 9 images with light=dim, of {of}" in verdict.text or not tags
    assert of in verdict.text
