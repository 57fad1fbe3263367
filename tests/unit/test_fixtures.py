"""The bundled images and the embedded model are what their papers say."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest

from pytest_llmclf.analysis.comparison.predictions_file import parse_predictions
from pytest_llmclf.data import dataset

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "fixtures"
MODEL = ROOT / "pytest_llmclf" / "models" / "micro_llava"
TRAINING = ROOT / "tools" / "micro_llava" / "pictures"
NAMES = ("animals", "chess", "mnist")


def manifest(folder: Path) -> list[dict[str, str]]:
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", NAMES)
def test_every_image_is_in_its_manifest(name: str) -> None:
    """Files and manifest agree, digests included, and nothing is odd about the images."""
    loaded = dataset.load(FIXTURES / name, name=name)
    rows = {row["path"]: row for row in manifest(FIXTURES / name)}
    files = {
        path.relative_to(FIXTURES / name).as_posix()
        for path in (FIXTURES / name).rglob("*.*")
        if path.suffix not in (".csv", ".toml")
    }
    assert files == set(rows) == {case.id for case in loaded.cases}
    assert {case.id: case.sha256 for case in loaded.cases} == {
        path: row["sha256"] for path, row in rows.items()
    }
    assert loaded.warnings == ()
    assert [case.problem for case in loaded.cases if case.problem] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_image_has_a_licence_and_a_source(name: str) -> None:
    """No image is bundled without saying where it comes from."""
    rows = manifest(FIXTURES / name)
    assert all(row["licence"].strip() and row["source"].strip() for row in rows)


def test_there_are_enough_images() -> None:
    """Fifty a digit, at least fifty a chess piece in two views, at least 120 animals."""
    counts = {name: Counter(row["label"] for row in manifest(FIXTURES / name)) for name in NAMES}
    assert set(counts["mnist"].values()) == {50}
    assert min(counts["chess"].values()) >= 50
    assert {row["view"] for row in manifest(FIXTURES / "chess")} == {"flat", "3d"}
    assert counts["animals"].total() >= 120
    assert len(counts["mnist"]) == len(counts["animals"]) == 10


def test_no_image_is_on_both_sides() -> None:
    """What the embedded model learned from is not what it is measured on."""
    fixtures = {row["sha256"] for name in NAMES for row in manifest(FIXTURES / name)}
    training = {
        hashlib.sha256(path.read_bytes()).hexdigest()
        for path in TRAINING.rglob("*")
        if path.suffix in (".png", ".jpg")
    }
    assert len(training) > 1000
    assert not fixtures & training
    sets = {row["set"] for row in manifest(FIXTURES / "chess")}
    trained = {row["set"] for row in manifest(TRAINING / "chess")}
    assert not sets & trained


def test_the_model_is_the_one_that_its_papers_describe() -> None:
    """Digests match, both files together stay under 5 MB, the card names the counts."""
    facts = json.loads((MODEL / "model.json").read_text(encoding="utf-8"))
    size = 0
    for part in ("text", "mmproj"):
        data = (MODEL / facts[part]["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == facts[part]["sha256"]
        size += len(data)
    assert size < 5_000_000
    card = (MODEL / "MODEL_CARD.md").read_text(encoding="utf-8")
    for task, found in facts["accuracy"].items():
        assert f"| {task} | {found['correct']} of {found['total']} |" in card


@pytest.mark.parametrize("name", NAMES)
def test_committed_predictions_agree_with_the_card(name: str) -> None:
    """The counts of the card are those of the committed predictions."""
    facts = json.loads((MODEL / "model.json").read_text(encoding="utf-8"))
    file = ROOT / "evals" / "__predictions__" / f"test_{name}" / "test_gate[micro-llava].txt"
    predictions = parse_predictions(file.read_text(encoding="utf-8")).predictions.values()
    correct = sum(prediction.correct for prediction in predictions)
    assert (correct, len(predictions)) == (
        facts["accuracy"][name]["correct"],
        facts["accuracy"][name]["total"],
    )
