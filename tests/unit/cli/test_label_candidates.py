"""``llmclf labels candidates``: which labels of a run's images a person should look at."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.cli import label_candidates, labels_command
from pytest_llmclf.reporting import artifacts
from tests.unit.cli.command import call
from tests.unit.test_label_review import answered, herd, report_of
from tests.unit.test_perceptual_hash import drawn

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run on images of which two look alike and bear two labels."""
    (tmp_path / "pyproject.toml").touch()
    folder = tmp_path / "fixtures" / "pets"
    outcomes = herd(odd=("dog", "c"))
    for case, label, quality in (("x.jpg", "cat", 95), ("y.jpg", "dog", 60)):
        path = folder / label / case
        path.parent.mkdir(parents=True)
        drawn(1).save(path, quality=quality)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        outcomes.append(answered(f"{label}/{case}", label, label[0], sha256=sha256))
    run = tmp_path / ".llmclf" / "runs" / "20260101-000000-abc"
    artifacts.write_run(run, [report_of(outcomes)], settings={}, environment={})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert call(labels_command, "labels", "candidates", "latest", *arguments) == 0
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.usefixtures("project")
def test_candidates_are_listed_with_near_copies(capsys: pytest.CaptureFixture[str]) -> None:
    """The two images, each with the other's label; and the one that the model contradicts."""
    text = said(capsys)
    assert "1 pair of near-copies" in text
    assert "almost the same image is labelled cat as cat/x.jpg (" in text
    assert "almost the same image is labelled dog as dog/y.jpg (" in text
    assert "odd: labelled dog, perhaps cat" in text


@pytest.mark.usefixtures("project")
def test_json_has_all_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    """However few are listed; and --top says of how many it shows one."""
    assert call(labels_command, "labels", "candidates", "latest", "--json", "--top", "1") == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert {one["case"] for one in found["candidates"]} == {"odd", "cat/x.jpg", "dog/y.jpg"}
    assert "and 2 more" in said(capsys, "--top", "1")


@pytest.mark.usefixtures("project")
def test_near_copies_need_not_be_looked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """Nor is anything said of them then."""
    text = said(capsys, "--no-near-copies")
    assert "near-copies were not looked for" in text
    assert "almost the same" not in text


def test_an_image_that_changed_is_no_near_copy(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What lies there is not what was asked about."""
    drawn(1).save(project / "fixtures" / "pets" / "dog" / "y.jpg", quality=50)
    assert "0 pairs of near-copies" in said(capsys)


def test_without_an_answer_nothing_is_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says so, and is no error."""
    run = tmp_path / "runs" / "20260101-000000-abc"
    artifacts.write_run(run, [report_of([answered("a", "cat", "!")])], settings={}, environment={})
    assert call(label_candidates, "candidates", "latest", "--home", str(tmp_path)) == 0
    assert "nothing is known" in capsys.readouterr().out
