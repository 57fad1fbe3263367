"""``llmclf plan`` tells how many images it takes, and the numbers are those of the gates."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from scipy.stats import binom

from pytest_llmclf.analysis.foresight import SIZES, foresee_gate
from pytest_llmclf.cli import planning
from pytest_llmclf.errors import SettingsError
from pytest_llmclf.gates.evidence import evidence_of
from pytest_llmclf.gates.gate import Gate
from pytest_llmclf.metrics.measure import Ratio
from tests.plugin.colour_server import png
from tests.unit.cli.command import call

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_llmclf.metrics.report import Report

SURE = "with 95% confidence"


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What the command prints, on one line."""
    assert call(planning, "plan", *arguments) == 0
    return re.sub(r"\s+", " ", capsys.readouterr().out)


def test_a_gate_with_its_truth(capsys: pytest.CaptureFixture[str]) -> None:
    """Images for 80% and 90%, chances at usual sizes, and how many must be right."""
    text = printed(capsys, f"accuracy >= 0.9 {SURE}", "--truth", "0.93")
    assert f"accuracy >= 0.9 {SURE}" in text
    assert "0.93 593 792 12.6% 16.3% 35.1% 73.5% 96.1% 99.9%" in text
    assert "must be right 49 96 188 462 916 1,823" in text
    chance = binom.sf(461, 500, 0.93)
    assert f"{100 * chance:.1f}%" == "73.5%"


def test_what_a_run_would_ask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each variant and model with the images that it is asked about; no server is needed."""
    for colour in ("red", "blue"):
        folder = tmp_path / "fixtures" / "c" / colour
        folder.mkdir(parents=True)
        for number in range(4):
            (folder / f"{number}.png").write_bytes(png(colour, number))
    (tmp_path / "modelfiles").mkdir()
    file = tmp_path / "test_c.py"
    file.write_text(
        "from pytest_llmclf import Evaluation, Variant\n"
        "c = Evaluation(dataset='c', holdout=0.25, variants={'a': Variant(), "
        "'b': Variant(prompt='?')})\n"
    )
    home = ("--home", str(tmp_path / "home"))
    models = ("--model", "ollama:m", "--model", "yardstick:majority")
    text = printed(capsys, str(file), *models, *home, "--variant", "s: prompt=Which?")
    for variant in "abs":
        assert f"c · {variant}: 6 images, 2 classes -> ollama:m " in text
    assert "c: 6 images, 2 classes -> yardstick:majority " in text
    assert "c: 2 images held out, which only --final asks about" in text
    assert "24 questions in 4 tasks, without known answers" in text
    text = printed(capsys, f"{file}::c", *models, *home, "--final", "--sample", "1")
    assert "c · a: 2 images, 2 classes -> ollama:m " in text
    assert "c: these are the 2 images held out; the 6 to tune on are not asked about" in text
    file.write_text(file.read_text().replace("holdout=0.25, ", ""))
    with pytest.raises(SettingsError, match="--final: no evaluation holds images out"):
        call(planning, "plan", str(file), "--final")


def test_the_first_row_is_read_out(capsys: pytest.CaptureFixture[str]) -> None:
    """From so many images on the chance is never lower, and just below it is, by scipy."""
    text = printed(capsys, f"accuracy >= 0.9 {SURE}", "--truth", "0.93")
    found = re.search(
        r"The first row: if the true accuracy is 0\.93, the gate passes in at least 80% of runs "
        r"with (\d+) or more images, and in ([\d.]+)% of runs with 50\.",
        text,
    )
    assert found is not None
    least = int(found[1])
    sizes = range(least - 1, 2 * least)
    below, *others = (binom.sf(binom.isf(0.05, size, 0.9), size, 0.93) for size in sizes)
    assert below < 0.8 <= min(others)
    assert found[2] == f"{100 * binom.sf(48, 50, 0.93):.1f}"
    lost = printed(capsys, "baseline", "--loss", "3")
    assert (
        "if the model lost 3 points of accuracy, the comparison fails, as it should, in at least "
        "80% of runs with 263 or more images, and in 0.4% of runs with 50."
    ) in lost
    assert binom.sf(5, 263, 0.03) >= 0.8


def test_a_baseline_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    """By points of accuracy; with images fixed by chance it takes more."""
    text = printed(capsys)
    assert "3 points 263 308" in text
    assert text == printed(capsys, "baseline")
    more = printed(capsys, "baseline", "--loss", "3", "--fixed", "1", "--images", "348")
    assert "3 points 463 599" in more
    assert "fixes 1% of the images, and breaks as many on top of the loss" in more


def test_all_classes_must_pass(capsys: pytest.CaptureFixture[str]) -> None:
    """So each needs a higher chance; the number is of each class."""
    text = printed(capsys, f"recall[*] >= 0.85 {SURE}", "--classes", "10", "--truth", "0.94")
    one = printed(capsys, f"recall[cat] >= 0.85 {SURE}", "--truth", "0.94")
    assert "0.94 158 182" in text
    assert "images of each class for" in text
    assert "all 10 classes pass" in text
    (alone,) = re.findall(r"0\.94 (\d+) ", one)
    assert int(alone) < 158
    least = binom.isf(0.05, 158, 0.85) + 1
    assert binom.sf(least - 1, 158, 0.94) ** 10 >= 0.8


@pytest.mark.parametrize(
    "expression",
    ["accuracy >= 0.8", "unparsed_rate <= 0.1", "recall[a] >= 0.7", "precision[a] >= 0.7",
     "f1[a] >= 0.7", "accuracy <= 0.4", "accuracy@coverage0.5 >= 0.8"],
)  # fmt: skip
def test_what_passes_is_what_a_gate_lets_pass(expression: str) -> None:
    """The number that decides, and one less, judged as a gate judges them."""
    gate = Gate(f"{expression} {SURE}")
    (threshold,) = gate.parsed.thresholds
    found = foresee_gate(gate, wanted=(0.8,), sizes=(60, 200))
    for size, least in zip(found.sizes, found.least, strict=True):
        assert least is not None
        taken = size if threshold.coverage is None else size // 2
        worse = least - 1 if threshold.upwards else least + 1
        doubts = [_doubt(gate, count, taken) for count in (least, worse)]
        assert [one <= 0.05 for one in doubts] == [True, False]


def _doubt(gate: Gate, count: int, total: int) -> float:
    (threshold,) = gate.parsed.thresholds
    measure = Ratio(hits=count, total=total)
    if threshold.metric == "f1":
        measure = Ratio(hits=2 * count, total=total + count)
    evidence = evidence_of(threshold, _NOTHING, measure)
    doubt = evidence.doubt_at_least if threshold.upwards else evidence.doubt_at_most
    return doubt(threshold.number)


def _empty() -> Report:
    from pytest_llmclf.metrics.report_build import build
    from pytest_llmclf.metrics.report_facts import DatasetFacts

    facts = DatasetFacts(name="pets", content_hash="", labels=("a", "b"))
    return build(evaluation="pets", model="llava", dataset=facts, outcomes=[])


_NOTHING = _empty()


def test_where_no_number_of_right_ones_is_enough() -> None:
    """A dash, and the same number as collection names for it."""
    found = foresee_gate(Gate(f"accuracy >= 0.95 {SURE}"), wanted=(0.8,), sizes=(58, 59))
    assert found.least == (None, 59)
    perfect = foresee_gate(Gate(f"accuracy >= 0.95 {SURE}"), wanted=(0.8,), truths=(1.0,))
    assert perfect.rows[0].images == (59,)
    assert len(found.rows) == 4
    assert SIZES == (50, 100, 200, 500, 1000, 2000)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["accuracy >= 0.9"], "write 'accuracy >= 0.9 with 95% confidence'"),
        ([f"macro_f1 >= 0.9 {SURE}"], "macro_f1 is no share of images"),
        ([f"recall[*] >= 0.9 {SURE}"], "needs --classes"),
        ([f"accuracy >= 0.9 {SURE}", "--classes", "3"], "takes no --classes"),
        ([f"accuracy >= 0.9, recall[a] >= 0.5 {SURE}"], "plan one at a time"),
        ([f"accuracy >= 0.9 {SURE}", "--truth", "0.9"], "is not above 0.9"),
        ([f"unparsed_rate <= 0.1 {SURE}", "--truth", "0.2"], "is not below 0.1"),
        ([f"accuracy >= 0.9 {SURE}", "--loss", "3"], "are for a baseline"),
        (["baseline", "--truth", "0.9"], "are for a gate"),
        (["baseline", "--loss", "60", "--fixed", "30"], "at most 100 flip"),
        (["baseline", "--loss", "0"], "is not possible"),
        ([f"acuracy >= 0.9 {SURE}"], "did you mean"),
    ],
)
def test_what_has_no_table_says_why(arguments: list[str], message: str) -> None:
    """With what to do instead."""
    with pytest.raises(SettingsError, match=re.escape(message)):
        call(planning, "plan", *arguments)


@pytest.mark.parametrize("arguments", [["--chance", "120%"], ["--truth", "x"], ["--loss", "-1"]])
def test_what_is_no_share_is_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """As every wrong option is."""
    with pytest.raises(SystemExit):
        call(planning, "plan", *arguments)
    assert "is not from 0 to" in capsys.readouterr().err or arguments == ["--truth", "x"]


def test_a_dash_has_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    """What is not found is said to be more than was looked for, and else nothing of it."""
    beyond = printed(capsys, f"accuracy >= 0.9 {SURE}", "--truth", "0.900001")
    assert "Where no number of images stands, more than 100,000,000 are needed" in beyond
    slow = printed(capsys, "baseline", "--loss", "0.01", "--fixed", "30")
    assert "0.01 points – –" in slow
    assert "Where no number of images stands, more than 1,000,000 are needed" in slow
    for arguments in (["baseline"], [f"accuracy >= 0.9 {SURE}", "--truth", "0.93"]):
        assert "no number of images stands" not in printed(capsys, *arguments)


@pytest.mark.parametrize("option", ["--images", "--classes"])
@pytest.mark.parametrize("number", ["1000000000", "9" * 30, "9" * 400])
def test_numbers_beyond_all_sense_are_refused(
    option: str, number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the option's name, before anything is computed."""
    with pytest.raises(SystemExit) as caught:
        call(planning, "plan", f"recall[*] >= 0.9 {SURE}", option, number)
    assert caught.value.code == 2
    assert f"argument {option}: {number[:40]} is above" in capsys.readouterr().err
