"""``llmclf compare --margin``: what is excluded or shown, in every form, and the exit code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf.analysis.comparison.margin import judge_margin, judge_margins, parse_margin
from pytest_llmclf.analysis.comparison.paired_comparison import Comparison
from pytest_llmclf.analysis.comparison.runs import compare_all
from pytest_llmclf.cli.main import main
from tests.unit.test_compare_command import data_of, report, write
from tests.unit.test_margin import compared

if TYPE_CHECKING:
    from pathlib import Path

TWO = parse_margin("2%")
RIGHT = "+" * 300
FEW_BROKEN = "x" * 7 + "+" * 293
BROKEN = "x" * 30 + "+" * 270
OTHERS = "x" * 4 + "+" * 294 + "!" * 2


def test_a_margin_decides_instead_of_the_test(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Seven of 300 broken are a significant loss, and one that 5% tolerate and 2% leave open."""
    sides = [
        str(write(tmp_path / "a", report(RIGHT))),
        str(write(tmp_path / "b", report(FEW_BROKEN))),
    ]
    for margin, code, word in (([], 1, ""), (["5%"], 0, "PASS"), (["2%"], 2, "INCONCLUSIVE")):
        options = ["--margin", *margin] if margin else []
        assert main(["compare", *sides, *options]) == code
        shown = " ".join(capsys.readouterr().out.split())
        assert f"{word} a loss of" in shown if word else "a loss of" not in shown
        assert ("B is worse" in shown) is (code == 1)
        assert ("undecided" in shown) is (code == 2)


@pytest.mark.parametrize(
    "case",
    [
        (RIGHT, "2%", 0, "PASS", "same answers"),
        (FEW_BROKEN, "5%", 0, "PASS", "within the margin"),
        (BROKEN, "2%", 1, "FAIL", "worse"),
        (FEW_BROKEN, "2%", 2, "INCONCLUSIVE", "undecided"),
        (OTHERS, "5%", 2, "PASS", "undecided"),
        (BROKEN[:-1] + "!", "2%", 1, "FAIL", "worse"),
    ],
)
def test_every_form_says_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], case: tuple[str, str, int, str, str]
) -> None:
    """Text, JSON, Markdown, page and exit code."""
    now, margin, code, word, shown = case
    sides = [str(write(tmp_path / "a", report(RIGHT))), str(write(tmp_path / "b", report(now)))]
    page, summary = tmp_path / "c.html", tmp_path / "c.md"
    options = ["--margin", margin, "--html", str(page), "--markdown", str(summary)]
    assert main(["compare", *sides, *options, "--json"]) == code
    data = json.loads(capsys.readouterr().out)
    (found,) = data["evaluations"]
    assert (data["exit_code"], found["margin"]["word"]) == (code, word)
    assert (found["worse"], found["undecided"] and code == 2) == (code == 1, code == 2)
    text = found["margin"]["text"]
    written = summary.read_text("utf-8")
    assert f" {shown} |" in written
    assert text.replace("+", "\\+") in written or text in written
    (pair,) = data_of(page)["pairs"]
    assert (pair["word"], pair["margin"]) == (shown, f"{word} {text}")
    assert main(["compare", *sides, "--margin", margin]) == code
    assert text in " ".join(capsys.readouterr().out.split())


def test_without_a_margin_nothing_is_said_of_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In JSON it is null."""
    side = str(write(tmp_path / "a", report(RIGHT)))
    assert main(["compare", side, side, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["evaluations"][0]["margin"] is None


def test_a_margin_that_is_none_is_refused_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before a run is looked for, with the remedy."""
    assert main(["compare", "nowhere", "either", "--margin", "2", "--home", str(tmp_path)]) == 2
    assert "write 2%" in capsys.readouterr().err


def test_two_models_of_one_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The run is named twice: whether the second model may take the place of the first."""
    both = (report(RIGHT, model="ollama:large"), report(FEW_BROKEN, model="ollama:small"))
    run = str(write(tmp_path / "a", *both))
    chosen = ["--model", "A=large", "--model", "B=small", "--margin", "5%", "--json"]
    assert main(["compare", run, run, *chosen]) == 0
    (found,) = json.loads(capsys.readouterr().out)["evaluations"]
    assert found["models"] == ["ollama:large", "ollama:small"]
    assert found["margin"]["word"] == "PASS"


def test_a_refused_comparison_has_no_verdict() -> None:
    """And takes no part of the others' error."""
    strange = Comparison(cases=(), correct=0, changes=(), refused="they are of different images")
    alone = judge_margin(compared(14, 4, 500), TWO)
    assert judge_margins([compared(14, 4, 500), strange], TWO) == (alone, None)


def test_several_share_the_error_unless_all_pass() -> None:
    """Two that pass at 95% pass; beside an open one each needs 97.5%."""
    good, open_ = compared(0, 0, 160), compared(0, 0, 100)
    assert [one.word for one in judge_margins([good, good], TWO) if one] == ["PASS", "PASS"]
    found = [one for one in judge_margins([good, open_], TWO) if one]
    assert [one.word for one in found] == ["INCONCLUSIVE", "INCONCLUSIVE"]
    assert all("97.5% sure, for 2 comparisons at once" in one.text for one in found)
    clear = [one.word for one in judge_margins([compared(0, 0, 500), open_], TWO) if one]
    assert clear == ["PASS", "INCONCLUSIVE"]
    # A single one is told as ever.
    assert "comparisons at once" not in judge_margin(good, TWO).text


def test_groups_count_as_groups() -> None:
    """What 350 images exclude, 35 scenes do not; the word follows."""
    found: Any = judge_margins([compared(0, 0, 350, 10)], TWO)[0]
    assert found.word == "INCONCLUSIVE"
    assert "(350 in 35 scenes)" in found.text


def test_p_values_stay_what_they_are() -> None:
    """A margin changes what decides, not what is measured."""
    pair = [(report(RIGHT), report(FEW_BROKEN))]
    (plain,), (with_margin,) = compare_all(pair), compare_all(pair, parse_margin("5%"))
    assert plain.p_value == with_margin.p_value
    assert (plain.word, with_margin.word) == ("worse", "within the margin")
