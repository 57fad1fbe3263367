"""Decisions about labels, and images of no class, through whole runs and what they leave."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.cli.main import main
from pytest_llmclf.data.decisions import append_decisions
from tests.plugin.colour_server import Odd, png
from tests.unit.test_decisions import decided

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours

WRONG = decided(
    image="green/0.png",
    sha256=hashlib.sha256(png("red", 7)).hexdigest(),
    was=("green",),
    labels=("red",),
    followed={"openai:colours": "red"},
)
OUT = decided(
    "leave-out",
    image="blue/2.png",
    sha256=hashlib.sha256(png("blue", 2)).hexdigest(),
    was=("blue",),
    by="ben",
)


@pytest.fixture
def mislabelled(colours: Colours) -> Colours:
    """Nine images of which one green one is red."""
    colours.images()
    (colours.root / "fixtures" / "colours" / "green" / "0.png").write_bytes(png("red", 7))
    colours.evaluation("accuracy >= 0.5", arguments=", baseline",
                       body="assert report.predictions == baseline")  # fmt: skip
    return colours


def test_from_a_wrong_label_to_a_new_baseline(mislabelled: Colours) -> None:
    """Applied, told everywhere, named by the baseline, and the same when it is read back."""
    colours = mislabelled
    assert colours.run("--snapshot-update").ret == 0
    before = colours.written()
    assert before["ledger"]["misclassified"] == 1
    own = colours.root / "fixtures" / "colours" / "decisions.jsonl"
    append_decisions(own, [WRONG, OUT])
    result = colours.run()
    assert result.ret == 1
    shown = " ".join(result.stdout.str().split())
    said = (
        "1 label corrected by 2 reviewers, 1 image left out; accuracy with the labels as they "
        "were: 0.875 (7/8), now 1.000 (8/8)"
    )
    biased = "accuracy is biased towards this model: 1 of 1 correction took over its own answers"
    assert "green/0.png was labelled green and is red; labels changed, no answer did" in shown
    for text in (said, biased):
        assert text in shown
        for name in ("summary.md", "page.html", "report.txt"):
            written = (colours.root / "run" / name).read_text("utf-8")
            assert text in " ".join(written.split()), name
    after = colours.written()
    assert after["dataset"]["content_hash"] != before["dataset"]["content_hash"]
    assert after["dataset"]["review"]["left_out"] == ["blue/2.png"]
    assert after["labels"] == {
        "corrected": 1, "accuracy_before": 0.875, "followed": {"openai:colours": 1},
    }  # fmt: skip
    lines = (colours.root / "run" / "report.txt").read_text("utf-8")
    assert main(["report", str(colours.root / "run")]) == 0
    assert (colours.root / "run" / "report.txt").read_text("utf-8") == lines
    assert colours.run("--snapshot-update").ret == 0
    assert colours.run().ret == 0
    assert "anna" not in (colours.root / "run" / "run.json").read_text("utf-8")


def test_a_decision_about_something_else_stops_a_run(mislabelled: Colours) -> None:
    """Before anybody is asked, with line, image and what to do."""
    own = mislabelled.root / "fixtures" / "colours" / "decisions.jsonl"
    append_decisions(own, [replace(WRONG, sha256="0" * 64)])
    result = mislabelled.run()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    shown = " ".join(result.stdout.str().split())
    assert "decisions.jsonl:1: a decision of 'anna' about 'green/0.png' is refused" in shown
    assert "llmclf labels revert" in shown
    assert mislabelled.server.questions == 0


def test_images_of_no_class(colours: Colours) -> None:
    """Gated, offered as a label, shown apart, and found again when the report is written anew."""
    colours.images()
    strangers = colours.root / "elsewhere" / "street"
    strangers.mkdir(parents=True)
    for number in range(3):
        (strangers / f"{number}.png").write_bytes(png("yellow", number))
    colours.server.odd = {"yellow": Odd(says="None of these."), "yellow/1": Odd(says="blue")}
    colours.evaluation("false_accept <= 0.3")
    path = colours.root / "test_colours.py"
    path.write_text(path.read_text().replace("gates=", 'strangers="elsewhere/street", gates='))
    result = colours.run()
    assert result.ret == 1
    shown = " ".join(result.stdout.str().split())
    assert "FAIL colours · openai:colours: false_accept <= 0.3: 0.3333 (1/3)" in shown
    assert "1 of 3 images of no class was taken for one (false accepts): blue 1" in shown
    assert "most frequent confusions" not in shown
    assert any("none of these" in prompt for prompt in colours.server.prompts)
    assert colours.written()["dataset"]["strangers"] == "elsewhere"
    whole = (colours.root / "run" / "page.html").read_text("utf-8").count("data:image")
    assert main(["report", str(colours.root / "run"), "--out", str(colours.root / "anew")]) == 0
    assert (colours.root / "anew" / "page.html").read_text("utf-8").count("data:image") == whole
    path.write_text(path.read_text().replace('strangers="elsewhere/street", ', ""))
    refused = colours.run()
    assert refused.ret == pytest.ExitCode.INTERRUPTED
    assert "is about images of no class, and there is none: label some 'none of these'" in " ".join(
        refused.stdout.str().split()
    )
