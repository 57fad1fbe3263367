"""The benchmark's own arithmetic and writing; what it measures is no test's business."""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from benchmarks.speed.chart import chart
from benchmarks.speed.child import RunFailed, run
from benchmarks.speed.document import BEGIN, END, markdown, replaced
from benchmarks.speed.peers import FLOOR, THIS
from benchmarks.speed.results import Row, load, save, table
from benchmarks.speed.workload import LABELS, bundled, generated, part
from benchmarks.stub_ollama.answers import label_of
from pytest_llmclf.data.dataset import load as load_dataset
from pytest_llmclf.data.image import prepare

if TYPE_CHECKING:
    from pathlib import Path

SLOW = Row(
    case="peers", what="500 images: it", value=1.5, unit="x", side="at most", bar=1.25,
    details={"name": THIS, "wall_s": 4.2},
)  # fmt: skip
FAST = Row(
    case="peers", what="floor | it", value=1.0, unit="x", details={"name": FLOOR, "wall_s": 3}
)


@pytest.mark.parametrize(
    ("side", "value", "met"),
    [
        ("at most", 2.0, True), ("at most", 2.1, False), ("at least", 2.0, True),
        ("at least", 1.9, False), ("exactly", 2.0, True), ("exactly", 3.0, False),
        ("at least", None, False),
    ],
)  # fmt: skip
def test_bar(side: str, value: float | None, met: bool) -> None:  # noqa: FBT001 - parametrized
    """A bar is met on its own side, and never by what could not be measured."""
    row = Row(case="x", what="x", value=value, unit="", side=side, bar=2.0)  # type: ignore[arg-type]
    assert row.met is met


def test_saved(tmp_path: Path) -> None:
    """Rows come back from JSON as they were, and both tables show their verdict."""
    file = tmp_path / "file.json"
    save(file, [FAST, SLOW], {"runs": 3, "quick": False})
    assert load(file)[1] == [FAST, SLOW]
    assert "MISSED" in table([FAST, SLOW]).splitlines()[2]
    assert "| floor \\| it |  | 1 x |  |  |" in markdown([file])
    text = replaced(f"a\n{BEGIN}old{END}\nb\n", "new")
    assert text == f"a\n{BEGIN}\n\nnew\n{END}\nb\n"


def test_later_file_wins(tmp_path: Path) -> None:
    """Of two files, the later one's rows of a case are written."""
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    save(first, [SLOW], {"runs": 3, "quick": False})
    save(second, [FAST], {"runs": 3, "quick": False})
    assert "500 images: it" not in markdown([first, second])


def test_no_markers() -> None:
    """A document without markers is refused, not overwritten."""
    with pytest.raises(ValueError, match="no <!-- measured"):
        replaced("text", "new")


def test_image() -> None:
    """The image is sound XML with a bar a contender, the quickest on top."""
    root = ET.fromstring(chart([SLOW, FAST], "2 <cores>"))  # noqa: S314 - made right here
    bars = root.findall("{http://www.w3.org/2000/svg}rect")
    assert [bar.get("class") for bar in bars] == ["floor", "ours"]


def test_generated(tmp_path: Path) -> None:
    """Generated images load as a dataset, are sent as they are, and 4 of 5 labels are right."""
    whole = generated(tmp_path / "whole", 20)
    some = part(whole, tmp_path / "some", 10)
    dataset = load_dataset(some.folder / "fixtures" / "digits")
    images = [case.path.read_bytes() for case in dataset.cases]
    assert len(set(images)) == 10
    assert all(prepare(data).data == data for data in images)
    right = [
        label_of(data, LABELS) == case.label
        for data, case in zip(images, dataset.cases, strict=True)
    ]
    assert sum(right) == 8


def test_bundled(tmp_path: Path) -> None:
    """The labels of the contenders go by the files, those of the plugin by what it sends."""
    work = bundled(tmp_path / "work")
    for table_file, sent in (("fixtures/digits/manifest.csv", True), ("cases.csv", False)):
        file = work.folder / table_file
        with file.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))[:50]
        root = file.parent
        files = [(root / row["path"]).read_bytes() for row in rows]
        seen = [prepare(data).data if sent else data for data in files]
        right = [
            label_of(data, LABELS) == row["label"] for data, row in zip(seen, rows, strict=True)
        ]
        assert (len(right), sum(right)) == (50, 40)


@pytest.mark.skipif(sys.platform == "win32", reason="the benchmarks run on POSIX")
def test_child(tmp_path: Path) -> None:
    """A process is measured with what it used, and one that ends badly is told with its words."""
    busy = "import time; t = time.process_time()\nwhile time.process_time() < t + 0.05: pass"
    spent = run([sys.executable, "-c", busy], cwd=tmp_path)
    assert spent.cpu_s >= 0.05
    assert spent.peak_bytes > 1_000_000
    with pytest.raises(RunFailed, match="ended with 3:\nwhy"):
        run([sys.executable, "-c", "print('why'); raise SystemExit(3)"], cwd=tmp_path)
