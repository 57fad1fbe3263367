"""What the page on statistics says of runs that stop early with committed predictions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.analysis.comparison.baseline import fails
from pytest_llmclf.analysis.comparison.predictions_file import parse_predictions
from pytest_llmclf.analysis.comparison.tolerance import parse_tolerance
from pytest_llmclf.gates.gate import Gate
from pytest_llmclf.gates.sequential.paired import PairedQuestion
from pytest_llmclf.gates.sequential.watch import EARLY_ERROR, SequentialMonitor
from pytest_llmclf.values.case import Case
from pytest_llmclf.values.seeded import seeded_order
from tests.unit.ended import ended

if TYPE_CHECKING:
    from pytest_llmclf.values.outcome import OutcomeKind

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
ROW = re.compile(
    r"^\| (\d+) of (\d+) \| (\d+) \| (\d+) \| (–|[\d%]+) \| (PASS|FAIL) "
    r"\| ([\d.]+)% ± ([\d.]+) \| (\d+) \|$",
    re.MULTILINE,
)


@pytest.mark.parametrize(
    ("gate", "numbers"),
    [("accuracy >= 0.773", (277, 280, 194)), ("accuracy >= 0.6", (194, 192, 194))],
)
def test_committed_predictions_stop_a_run_as_the_page_says(
    gate: str, numbers: tuple[int, ...]
) -> None:
    """The unchanged model, seeds 20, 1 and 2; a gate that is a clear case adds no image."""
    path = ROOT / "evals" / "__predictions__" / "test_chess" / "test_gate[micro-llava].txt"
    before = parse_predictions(path.read_text("utf-8")).predictions
    right = {case: one.correct for case, one in before.items()}
    asked = PairedQuestion(
        name="", right=right, fails=lambda broken, fixed: fails(broken, fixed, len(right), None)
    )
    found = []
    for seed in (20, 1, 2):
        order = seeded_order(list(right), seed)
        cases = [Case(id=id_, root=Path(), sha256="", label=before[id_].expected) for id_ in order]
        watch = SequentialMonitor(
            [Gate(gate)],
            sorted({one.expected for one in before.values()}),
            cases,
            "llamacpp:micro-llava",
            imported=False,
            paired=[asked],
        )
        for case in cases:
            kind: OutcomeKind = "correct" if right[case.id] else "misclassified"
            watch.see(ended(case.id, kind, case.label, predicted=before[case.id].label))
        found.append(watch.asked)
    assert tuple(found) == numbers
    prose = " ".join(PAGE.split())
    if gate == "accuracy >= 0.773":
        assert (
            "after 277 images with seed 20, after 280 with seed 1, after 194 with seed 2" in prose
        )
    else:
        assert "a clear case, as `accuracy >= 0.6`, it is 194, 192 and 194" in prose


def test_the_table_of_stopped_comparisons() -> None:
    """All images say what the page says they do; the clear and the borderline cases are there."""
    rows = ROW.findall(PAGE)
    assert len(rows) >= 12
    for right, images, broken, fixed, tolerance, word, wrong, error, mean in rows:
        allowed = None if tolerance == "–" else parse_tolerance(tolerance)
        assert int(right) <= int(images)
        truth = "FAIL" if fails(int(broken), int(fixed), int(images), allowed) else "PASS"
        assert word == truth
        assert float(wrong) <= 100 * EARLY_ERROR
        assert float(error) < 2
        assert int(mean) <= int(images)
    sizes = {(images, broken, fixed) for _, images, broken, fixed, *_ in rows}
    assert {("348", "40", "0"), ("500", "60", "0"), ("348", "6", "0"), ("348", "5", "0")} <= sizes
