"""Metrics that are not in the package: an evaluation's own, and one more entry in the table."""

from __future__ import annotations

import ast
import random
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import pytest_llmclf
from pytest_llmclf import Evaluation, Gate, GateInconclusive, ImageMean
from pytest_llmclf.analysis.foresight import foresee_gate
from pytest_llmclf.api import PublicReport, public
from pytest_llmclf.errors import SettingsError
from pytest_llmclf.gates.evidence import evidence_of
from pytest_llmclf.gates.feasible import undecidable
from pytest_llmclf.gates.sequential.question import Question, questions
from pytest_llmclf.metrics.measure import Ratio
from pytest_llmclf.metrics.metric import Metric, Share
from pytest_llmclf.metrics.metric_table import METRICS
from pytest_llmclf.metrics.own_metrics import own_metrics
from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.plugin.stopped_report import guarded
from pytest_llmclf.reporting import artifacts
from pytest_llmclf.reporting.html.document import page_pieces
from pytest_llmclf.reporting.html.page import page_of
from pytest_llmclf.reporting.markdown import markdown_summary
from pytest_llmclf.reporting.run_folder import read_run
from pytest_llmclf.values.case import Case
from tests.unit.ended import ended

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.outcome import Outcome

LABELS = ("cat", "dog")


def report(metrics: dict[str, Any], outcomes: Sequence[Outcome] | None = None) -> PublicReport:
    """Fifteen right and five wrong, or others, with metrics of its evaluation's own."""
    found = outcomes or [
        ended(f"{number:02}", "correct" if number % 4 else "misclassified") for number in range(20)
    ]
    built = build(
        evaluation="pets",
        model="ollama:llava",
        dataset=DatasetFacts(
            name="pets", content_hash="", labels=LABELS, cases_in_dataset=len(found)
        ),
        outcomes=found,
    )
    return public(replace(built, own_metrics=tuple(own_metrics(metrics).values())))


def cost(found: Report) -> float:
    """Three for each wrong answer, by image."""
    return 3 * len(found.of_kind("misclassified")) / len(found.outcomes)


def test_a_function_of_the_report_is_a_metric() -> None:
    """It is gated in either direction, beside others, on slices, and compared by hand."""
    found = report({"cost": cost})
    assert found.metrics["cost"] == 0.75
    assert found.meets("cost <= 0.75, accuracy >= 0.75")
    assert not found.meets("cost > 1")
    assert not found.meets("cost >= 2.5e3")
    assert repr(found.meets("cost <= 0.5")) == "FAIL cost <= 0.5: 0.7500 on these 20 images"
    assert repr(found.meets("cost > -1")) == "PASS cost > -1: 0.7500 on these 20 images"


def test_a_function_is_called_once_a_report_and_once_a_slice() -> None:
    """However many gates, tables and files ask for it."""
    seen: list[int] = []

    def counted(found: Report) -> float:
        seen.append(len(found.outcomes))
        return 0.5

    outcomes = [ended(str(one), "correct", tags={"even": str(one % 2)}) for one in range(5)]
    found = report({"counted": counted}, outcomes)
    for _ in range(2):
        assert found.meets("counted <= 0.5, counted{even=0} <= 0.5")
        artifacts.report_json(found)
    assert seen == [5, 3]


def _skips(_: Report) -> float:
    pytest.skip("not today")


def _ends(_: Report) -> float:
    sys.exit(3)


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda _: 1 / 0, 'cost raised "ZeroDivisionError: division by zero"'),
        (lambda report: report.nothing, 'cost raised "AttributeError: '),
        (_skips, 'cost raised "Skipped: not today"'),
        (_ends, 'cost raised "SystemExit: 3"'),
        (lambda _: "12", """cost gave back "'12'", which is no number"""),
        (lambda _: float("nan"), 'cost gave back "nan", which is no number'),
        (lambda _: float("inf"), 'cost gave back "inf", which is no number'),
        (ImageMean(lambda _: 1 / 0), 'cost raised "ZeroDivisionError: division by zero"'),
        (ImageMean(lambda _: 7), 'cost gave back "7" for 00, which is not from 0 to 1: '),
    ],
)
def test_what_fails_is_told_at_its_gate(function: Any, why: str) -> None:
    """The number is undefined, its gate INCONCLUSIVE; everything else is as ever."""
    found = report({"cost": function})
    judged = found.meets("cost <= 0.5")
    assert judged.verdicts[0].word == "INCONCLUSIVE"
    assert f"cost <= 0.5: undefined on these 20 images: {why}" in judged.verdicts[0].text
    with pytest.raises(GateInconclusive):
        assert judged
    assert found.meets("accuracy >= 0.75")
    assert artifacts.report_json(found)["metrics"]["cost"]["value"] is None
    assert why in " ".join(artifacts.report_text([found], ()).split())


def test_none_is_undefined() -> None:
    """A function says so of what it cannot tell."""
    judged = report({"cost": lambda _: None}).meets("cost <= 0.5")
    assert judged.verdicts[0].text == "cost <= 0.5: undefined on these 20 images"


def test_only_a_mean_over_images_has_a_reading_with_confidence() -> None:
    """Of any other function nobody knows how it varies."""
    found = report({"cost": cost, "loss": ImageMean(lambda one: float(one.kind != "correct"))})
    with pytest.raises(SettingsError, match=r"cost has no reading with confidence.*ImageMean"):
        found.meets("cost <= 0.75 with 95% confidence")
    # A mean of ones and zeros is a share: Clopper and Pearson's bound.
    text = repr(found.meets("loss <= 0.5 with 95% confidence"))
    share = repr(found.meets("accuracy >= 0.5 with 95% confidence"))
    assert text.startswith("PASS loss <= 0.5 with 95% confidence: 0.2500, plausibly 0.1040 to")
    assert share.startswith("PASS accuracy >= 0.5 with 95% confidence: 0.7500 (15/20), plausibly")
    assert "to 0.8960" in share


def test_bounds_of_a_mean_hold() -> None:
    """A true mean is claimed to be missed in at most 5% of draws, on either side."""
    chance, draws, wrong = random.Random(5), 150, [0, 0]  # noqa: S311
    mean = own_metrics({"m": ImageMean(lambda one: float(one.tags["cost"]))})["m"]
    at = Gate("m >= 0.1", own={"m": mean}).parsed.thresholds[0]
    for _ in range(draws):
        outcomes = [
            ended(str(one), "correct", tags={"cost": str(chance.betavariate(0.3, 2.7))})
            for one in range(40)
        ]
        found = report({"m": mean}, outcomes)
        evidence = evidence_of(at, found, at.measure(found))
        assert evidence.estimate == pytest.approx(found.metrics["m"].value)
        wrong[0] += evidence.doubt_at_least(0.1) <= 0.05
        wrong[1] += evidence.doubt_at_most(0.1) <= 0.05
    # 5% of 150 draws with three standard deviations.
    assert max(wrong) <= 0.05 * draws + 3 * (draws * 0.05 * 0.95) ** 0.5


def test_a_mean_counts_groups_where_images_are_in_groups() -> None:
    """Ten images of two scenes show less than ten images."""
    loss = ImageMean(lambda _: 0.0)
    alone = [ended(str(one), "correct") for one in range(30)]
    together = [ended(str(one), "correct", tags={"scene": str(one % 3)}) for one in range(30)]
    metrics = tuple(own_metrics({"loss": loss}).values())
    grouped = build(
        evaluation="pets",
        model="ollama:llava",
        dataset=DatasetFacts(name="pets", content_hash="", labels=LABELS),
        outcomes=together,
        group="scene",
    )
    assert report({"loss": loss}, alone).meets("loss <= 0.2 with 95% confidence")
    judged = public(replace(grouped, own_metrics=metrics)).meets("loss <= 0.2 with 95% confidence")
    assert judged.word == "INCONCLUSIVE"
    assert "in 3 scenes" in repr(judged)


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ({"accuracy": cost}, "metrics: accuracy is there already; call yours by another name"),
        ({"my cost": cost}, "metrics: 'my cost' is no name that a gate can write"),
        ({"cost": 0.5}, "metrics: cost is 0.5; give a function of the report, or ImageMean"),
    ],
)
def test_what_is_no_metric_is_refused_at_once(metrics: dict[str, Any], message: str) -> None:
    """Where the evaluation is declared."""
    with pytest.raises(SettingsError, match=message):
        Evaluation(dataset="pets", modelfile="pets", prompt="Which?", metrics=metrics)


def test_gates_know_the_metrics_of_their_evaluation() -> None:
    """Written as text or as `Gate`; a slip is refused with what there is, as ever."""

    def declare(*gates: Gate | str) -> Evaluation:
        return Evaluation(
            dataset="pets", modelfile="pets", prompt="?", metrics={"cost": cost}, gates=gates
        )

    for gate in declare("cost <= 3", Gate("cost <= 3", model="ollama:*")).given_gates:
        assert gate.text == "cost <= 3"
    for slip in ("cots <= 3", Gate("cots <= 3")):
        with pytest.raises(SettingsError, match=r"'cots' is not one of .*did you mean 'cost'"):
            declare(slip)
    with pytest.raises(SettingsError, match="'cost' is not one of accuracy, "):
        _ = Gate("cost <= 3").parsed
    with pytest.raises(SettingsError, match="cost is of all classes together"):
        declare("cost[cat] <= 3")
    with pytest.raises(SettingsError, match=r"inf is not a finite number"):
        declare("cost <= inf")


def test_nobody_asks_a_function_before_there_are_answers() -> None:
    """What images can show is known without it; stopping early has an obstacle in it."""

    def never(_: object) -> float:
        raise AssertionError

    own = own_metrics({"cost": never, "loss": ImageMean(never)})
    cases = [Case(id=str(one), root=Path(), sha256=str(one), label="cat") for one in range(9)]
    assert undecidable(Gate("cost <= 0", own=own), LABELS, cases) == ()
    (few,) = undecidable(Gate("loss <= 0.1 with 95% confidence", own=own), LABELS, cases)
    assert "9 images cannot show it even if each has the lowest value; it needs 29" in few
    for metric in own:
        gate = Gate(f"{metric} <= 0.5", own=own)
        (obstacle,) = questions([gate], LABELS, cases, "m", imported=False)
        assert isinstance(obstacle, str)
        assert obstacle.startswith(f"{metric} <= 0.5 needs every image: it is no share")


def test_a_run_that_stopped_early_does_not_compare_its_metrics() -> None:
    """As no other number of it: what all images would give is not known."""
    outcomes = [*(ended(str(one), "correct") for one in range(5)), ended("9", "not_needed")]
    found = guarded(report({"cost": lambda _: 0.5}, outcomes))
    assert f"{found.metrics['cost']}" == "0.5"
    with pytest.raises(GateInconclusive, match="cost"):
        assert found.metrics["cost"] <= 1


def test_a_run_is_read_back_with_its_metrics(tmp_path: Path) -> None:
    """Values and reasons; of a part of the images, and with confidence, the function is missing."""
    outcomes = [ended(str(one), "correct", tags={"even": str(one % 2)}) for one in range(5)]
    written = report({"cost": lambda _: 1.5, "bad": lambda _: 1 / 0}, outcomes)
    artifacts.write_run(tmp_path / "run", [written], settings={}, environment={})
    (found,) = read_run(tmp_path / "run").reports
    read = public(found)
    assert artifacts.report_json(read) == artifacts.report_json(written)
    assert read.meets("cost <= 1.5")
    assert "division by zero" in repr(read.meets("bad <= 1"))
    assert "recorded for all images together" in repr(read.meets("cost{even=1} <= 1"))
    with pytest.raises(SettingsError, match="its function is not in the run's folder"):
        read.meets("cost <= 1 with 95% confidence")


HALVES = Metric(
    name="right_share",
    question="how often is it right?",
    whole=lambda found: Ratio(hits=found.confusion.correct, total=found.confusion.answered),
    bound=Share(),
    row=True,
)
"""A metric that the package does not have; it is the accuracy, so that all can be compared."""


@pytest.fixture
def one_more(monkeypatch: pytest.MonkeyPatch) -> str:
    """One more entry in the table of metrics, and nothing else."""
    monkeypatch.setitem(METRICS, HALVES.name, HALVES)
    return HALVES.name


def as_accuracy(name: str, text: object) -> str:
    """What is said of the new metric, as if it were said of the accuracy."""
    return str(text).replace(name, "accuracy")


def test_one_entry_is_all_that_a_metric_takes(one_more: str) -> None:
    """In gates of both readings, on slices, before and while questions are asked, and in plans."""
    found = report({})
    cases = [Case(id=str(one), root=Path(), sha256=str(one), label="cat") for one in range(9)]
    for rest in (">= 0.7", ">= 0.9", ">= 0.7 with 95% confidence", "<= 0.9 with 95% confidence"):
        told = as_accuracy(one_more, repr(found.meets(f"{one_more} {rest}")))
        assert told == repr(found.meets(f"accuracy {rest}"))
        few = undecidable(Gate(f"{one_more} {rest}"), LABELS, cases)
        assert as_accuracy(one_more, few) == str(
            undecidable(Gate(f"accuracy {rest}"), LABELS, cases)
        )
        (early,) = questions([Gate(f"{one_more} {rest}")], LABELS, cases, "m", imported=False)
        assert isinstance(early, Question)
    planned, expected = (
        foresee_gate(Gate(f"{name} >= 0.8 with 95% confidence"), wanted=[0.8])
        for name in (one_more, "accuracy")
    )
    assert as_accuracy(one_more, planned) == str(expected)


def test_one_entry_is_all_that_reports_take(one_more: str) -> None:
    """A row in the table, and the number in JSON, Markdown, notebook and page."""
    found = report({})
    assert re.search(
        rf"^ +{one_more} +0\.750000$", artifacts.report_text([found], ()), re.MULTILINE
    )
    assert artifacts.report_json(found)["metrics"] == {one_more: {"value": 0.75, "why": ""}}
    assert f"{one_more} 0.750" in found._repr_html_()
    assert one_more in markdown_summary([found], ())
    assert f'"{one_more}","0.750"' in page(found)


def test_a_name_is_text_wherever_it_is_shown() -> None:
    """What a function raises may hold anything."""

    def hostile(_: Report) -> float:
        raise ValueError("</script><b>\x1b[31m\n| a |")

    found = report({"cost": hostile})
    shown = artifacts.report_text([found], ())
    assert r"</script><b>\x1b[31m\n| a |" in shown
    assert not any("\x1b" in text for text in (shown, page(found)))
    assert "</script><b>" not in page(found)


def names_metrics(tree: ast.AST, names: set[str]) -> list[str]:
    """Where a module lists metrics, or asks for one by name."""
    found = []
    for node in ast.walk(tree):
        parts: Sequence[ast.AST | None] = ()
        match node:
            case ast.Tuple() | ast.List() | ast.Set():
                parts = node.elts
            case ast.Compare():
                parts = [node.left, *node.comparators]
            case ast.MatchValue():
                parts = [node.value]
            case ast.Call(func=ast.Attribute(attr="get" | "startswith")):
                parts = node.args
        texts = {one.value for one in parts if isinstance(one, ast.Constant)}
        if texts & names:
            found.append(f"line {getattr(node, 'lineno', 0)}: {sorted(map(str, texts & names))}")
    return found


def test_no_other_module_lists_metrics() -> None:
    """Whoever needs to know one reads the table; ratios of a class are no metrics by themselves."""
    root = Path(pytest_llmclf.__file__).parent
    names = set(METRICS) - {"precision", "recall", "f1"}
    allowed = {
        # The path of accuracy over the run is the accuracy's.
        "reporting/html/page_data.py",
        # Heads of columns.
        "reporting/terminal.py",
    }
    for path in sorted(root.rglob("*.py")):
        place, text = path.relative_to(root).as_posix(), path.read_text("utf-8")
        looked_at = place != "metrics/metric_table.py" and place not in allowed
        if looked_at and any(f'"{name}"' in text for name in names):
            assert not names_metrics(ast.parse(text), names), place
    assert names_metrics(ast.parse('x in ("ece", "brier")'), names)


def page(found: Report) -> str:
    """The page of a report."""
    return "".join(page_pieces(page_of([found])))
