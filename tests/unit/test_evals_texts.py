"""What the bundled evaluations say of themselves, and what README and docs show of them."""

from __future__ import annotations

import re
import runpy
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf import reference
from pytest_llmclf.analysis.comparison.baseline import compare
from pytest_llmclf.analysis.comparison.predictions_file import parse_predictions
from pytest_llmclf.gates.gate import Gate
from pytest_llmclf.metrics.measure import Ratio
from pytest_llmclf.reporting import numbers
from pytest_llmclf.runner.evaluation import Evaluation

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
REPORTS = (ROOT / "docs" / "reports.md").read_text(encoding="utf-8")
RECORDED = (ROOT / "docs" / "terminal.txt").read_text(encoding="utf-8")
BLOCK = re.compile(r"<!-- output: evals -->\n```text\n(.*?)\n```\n", re.DOTALL)
MEASURED = re.compile(
    r"measured: (?P<value>0\.\d+) of all images; a margin of (?P<points>\d+) points"
)
PUBLISHED = re.compile(
    r"published: (?P<value>0\.\d+) on (?P<images>\d+) (?:images )?of this data set"
    r"(?P<chance>, as by chance)?; a margin of (?P<points>\d+) points"
)


@cache
def evaluations() -> dict[str, Evaluation]:
    found: dict[str, Evaluation] = {}
    for path in sorted((ROOT / "evals").glob("test_*.py")):
        own = [one for one in runpy.run_path(str(path)).values() if isinstance(one, Evaluation)]
        found |= {path.stem.removeprefix("test_"): one for one in own}
    return found


def gates() -> Iterator[tuple[str, Gate]]:
    for name, evaluation in evaluations().items():
        yield from ((name, gate) for gate in evaluation.gates if isinstance(gate, Gate))


def committed(name: str) -> str:
    path = ROOT / "evals" / "__predictions__" / f"test_{name}" / "test_gate[micro-llava].txt"
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "gate"), list(gates()))
def test_a_gate_says_where_its_number_comes_from(name: str, gate: Gate) -> None:
    """The value, of which images, and the margin; never of "these" what others were measured on."""
    (threshold,) = gate.parsed.thresholds
    measured, published = MEASURED.fullmatch(gate.because), PUBLISHED.fullmatch(gate.because)
    if measured is not None:
        predictions = parse_predictions(committed(name)).predictions
        rate = sum(one.correct for one in predictions.values()) / len(predictions)
        assert gate.images == "bundled"
        found = measured
    else:
        assert published is not None
        report = reference.published(name)
        rate = float(report.accuracy.value or 0)
        assert int(published["images"]) == report.ledger.answered
        assert "these" not in gate.because
        # The published answers are of images that do not come with the package.
        assert gate.images == "imported"
        guessing = 1 / len(report.confusion.labels)
        assert (published["chance"] is not None) == (abs(rate - guessing) < 0.01)
        found = published
    assert found["value"] == f"{rate:.3f}"
    assert round(100 * (rate - threshold.number)) == int(found["points"])


@pytest.mark.parametrize("page", [README, REPORTS], ids=["README", "reports"])
def test_a_page_shows_a_part_of_the_recorded_run(page: str) -> None:
    """Line by line, in its order: the digits, and what follows them."""
    (block,) = BLOCK.findall(page)
    shown = block.splitlines()
    recorded = iter(RECORDED[RECORDED.index("mnist · llamacpp:micro-llava\n") :].splitlines())
    assert [line for line in shown if line not in recorded] == []
    assert shown[0] == "mnist · llamacpp:micro-llava"
    assert len(shown) > 10


def test_the_live_line_is_one_of_the_recorded_run() -> None:
    """As it stood at some moment."""
    (moment,) = re.findall(r"^`(mnist · .*)`\.$", REPORTS, re.MULTILINE)
    assert moment in RECORDED.splitlines()


def test_the_recorded_run_is_of_the_committed_predictions() -> None:
    """Accuracy and gate of each evaluation, and what the comparison says today."""
    flat = " ".join(RECORDED.split())
    for name, gate in gates():
        if gate.images != "bundled":
            continue
        text = committed(name)
        predictions = parse_predictions(text).predictions
        right = Ratio(hits=sum(one.correct for one in predictions.values()), total=len(predictions))
        of = f"{name} · llamacpp:micro-llava"
        assert f"accuracy {numbers.counted(right)}, 95% interval" in flat
        assert (
            f"PASS {of}: {gate.expression}: {right.value:.4f} ({numbers.fraction(right)}) on these "
            f"{right.total} images ({gate.because})"
        ) in flat
        assert f"PASS {of}: baseline: {compare(text, text).summary()}" in flat
        assert f"{of} the same instructions, model, server version, images" in flat


def test_the_example_of_confidence_is_the_recorded_run() -> None:
    """The page on statistics quotes what micro-llava's run on the chess images printed."""
    page = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
    start = RECORDED.index("chess · llamacpp:micro-llava\n")
    flat = " ".join(RECORDED[start : RECORDED.index("mnist · llamacpp:micro-llava\n")].split())
    for pattern, quoted in (
        (r"calibration error \(ECE, 10 bins\) (0\.\d+);", "| calibration error (ECE), {} |"),
        (r"exactly right it would be about (0\.\d+) ", 'right it would be about" {} |'),
        (r"Brier score (0\.\d+) ", "| Brier score, {} |"),
        (r" 80% (0\.\d+ \(\d+/\d+\)) 90%", "| most confident 80%: {} |"),
        (r"accept (\d+/\d+) answers", 'time … accept {}" |'),
        (r"accuracy (0\.\d+) \(", "chess images, accuracy {}."),
    ):
        found = re.search(pattern, flat)
        assert found is not None, pattern
        assert quoted.format(found[1]) in page
