"""Numbers in the running text of the page on statistics, held against scipy and the code."""

from __future__ import annotations

from pathlib import Path

import pytest
from scipy.stats import binom, chi2

from pytest_llmclf.analysis.comparison.paired_comparison import Change, Comparison
from pytest_llmclf.analysis.comparison.predictions_file import parse_predictions
from pytest_llmclf.analysis.comparison.runs import Compared
from pytest_llmclf.gates.gate import Gate
from pytest_llmclf.gates.judging import judge
from pytest_llmclf.gates.sequential.watch import SequentialMonitor
from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.reporting.comparison import comparison_lines
from pytest_llmclf.reporting.numbers import percent
from pytest_llmclf.reporting.style import Style
from pytest_llmclf.values.case import Case
from pytest_llmclf.values.seeded import seeded_order
from tests.unit.ended import ended

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
PROSE = " ".join(PAGE.replace("\n> ", "\n").split())
SEVEN = (20, 50, 100, 200, 500, 1000, 2000)


def fails_to(images: int, bound: float, alpha: float) -> int:
    """The most right images of which so few come less often than `alpha` at the bound."""
    return max(hits for hits in range(-1, images) if binom.cdf(hits, images, bound) < alpha)


def test_a_gate_about_these_images_on_other_images() -> None:
    """Four points below a true 0.85, by number of images."""
    shares = [percent(float(binom.cdf(-(-81 * n // 100) - 1, n, 0.85))) for n in (50, 200, 500)]
    assert (
        f"fails in {shares[0]} of draws of 50 images, in {shares[1]} of 200, in {shares[2]}"
        in PROSE
    )


def test_how_often_a_gate_with_confidence_is_wrong() -> None:
    """At the bound and just below it, at seven sizes; and all of ten classes at once."""
    failing = max(binom.cdf(fails_to(n, 0.8, 0.05), n, 0.8) for n in SEVEN)
    passing = max(binom.sf(binom.isf(0.05, n, 0.8), n, 0.8) for n in SEVEN)
    assert f"a true accuracy at the bound fails in at most {percent(float(failing), 2)}" in PROSE
    assert f"one just below it passes in at most {percent(float(passing), 2)}" in PROSE
    one = binom.cdf(fails_to(50, 0.8, 0.005), 50, 0.8)
    assert f"fails wrongly in {percent(float(1 - (1 - one) ** 10), 2)} of draws" in PROSE


def test_the_quoted_comparison_is_what_is_printed() -> None:
    """Fourteen images one way and four the other."""
    changes = tuple(
        Change(case=f"{n}", kind="broken" if n < 14 else "fixed", expected="a", was="a", now="b")
        for n in range(18)
    )
    found = Comparison(cases=tuple(map(str, range(100))), correct=80, changes=changes)
    side = build(
        evaluation="",
        model="",
        dataset=DatasetFacts(name="", content_hash="", labels=()),
        outcomes=(),
    )
    both = Compared(before=side, now=side, comparison=found, p_value=found.p_value)
    lines = [line.text.strip() for line in comparison_lines(both, Style(width=400))]
    (said,) = [line for line in lines if line.startswith("A is better on")]
    assert said in PROSE
    # Without continuity correction, by another program, it is of that order.
    assert 0.01 < chi2.sf((14 - 4) ** 2 / 18, 1) < 0.031


@pytest.mark.parametrize(("seed", "images"), [(20, 270), (1, 231), (2, 152)])
def test_the_chess_example_stops_where_the_page_says(seed: int, images: int) -> None:
    """The committed predictions, asked in the order of three seeds; all give PASS."""
    assert (
        "Seed 20 stops after 270 images, seed 1 after 231, seed 2 after 152, each with PASS"
        in PROSE
    )
    path = ROOT / "evals" / "__predictions__" / "test_chess" / "test_gate[micro-llava].txt"
    before = parse_predictions(path.read_text("utf-8")).predictions
    cases = [
        Case(id=id_, root=Path(), sha256="", label=before[id_].expected)
        for id_ in seeded_order(list(before), seed)
    ]
    labels = sorted({one.expected for one in before.values()})
    watch = SequentialMonitor(
        [Gate("accuracy >= 0.773")], labels, cases, "llamacpp:x", imported=False
    )
    for case in cases:
        one = before[case.id]
        watch.see(ended(case.id, "correct" if one.correct else "misclassified", case.label,
                        predicted=one.label))  # fmt: skip
    assert watch.asked == images
    assert [verdict.word for verdict in watch.verdicts] == ["PASS"]


def test_the_undecided_gate_on_its_page_is_that_of_the_committed_predictions() -> None:
    """Word, numbers and advice, as a run over the bundled chess images prints them."""
    path = ROOT / "evals" / "__predictions__" / "test_chess" / "test_gate[micro-llava].txt"
    before = parse_predictions(path.read_text("utf-8")).predictions
    labels = tuple(sorted({one.expected for one in before.values()}))
    report = build(
        evaluation="pets",
        model="ollama:llava",
        dataset=DatasetFacts(name="chess", content_hash="", labels=labels),
        outcomes=[
            ended(id_, "correct" if one.correct else "misclassified", one.expected,
                  predicted=one.label)
            for id_, one in before.items()
        ],
    )  # fmt: skip
    page = " ".join((ROOT / "docs" / "gates.md").read_text(encoding="utf-8").split())
    (verdict,) = judge(report, [Gate("accuracy >= 0.8 with 95% confidence")])
    assert f"{verdict.word} chess · llamacpp:micro-llava: {verdict.text}" in page
