"""``llmclf compare``: which reports belong together, what is printed, and the exit code."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.cli import main
from pytest_llmclf.commands import console
from pytest_llmclf.commands.compare import choose, compare_all, exit_code
from pytest_llmclf.errors import SettingsError
from pytest_llmclf.render import files
from pytest_llmclf.report import DatasetFacts, Report, build
from tests.unit.ended import ended

if TYPE_CHECKING:
    from pathlib import Path

RIGHT = "+" * 20
WORSE = "x" * 8 + "+" * 12
CHANCE = "x" * 2 + "+" * 18


def report(signs: str, evaluation: str = "pets", model: str = "ollama:llava") -> Report:
    """One picture a sign: right, wrong or unanswered."""
    kinds = {"+": "correct", "x": "misclassified", "!": "error"}
    outcomes = [
        replace(ended(f"{place:02}", kinds[sign]), evaluation=evaluation, model=model)  # type: ignore[arg-type]
        for place, sign in enumerate(signs)
    ]
    facts = DatasetFacts(name="pets", content_hash="abc", labels=("cat", "dog"))
    return build(evaluation=evaluation, model=model, dataset=facts, outcomes=outcomes)


def write(folder: Path, *reports: Report) -> Path:
    """A run's folder, without the matrices, which take long to draw."""
    folder.mkdir(parents=True)
    (folder / "outcomes.jsonl").write_text(files.outcomes_jsonl(reports), "utf-8")
    summary = {
        "schema": files.SCHEMA,
        "settings": {},
        "environment": {},
        "reports": [files.report_json(each) for each in reports],
        "gates": [],
    }
    (folder / "run.json").write_text(json.dumps(summary), "utf-8")
    return folder


@pytest.mark.parametrize(
    ("now", "code"),
    [(RIGHT, 0), (CHANCE, 0), (WORSE, 1), ("!" + RIGHT[1:], 2), (WORSE[:-1] + "!", 1)],
)
def test_the_exit_code_says_what_it_came_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], now: str, code: int
) -> None:
    """0 not worse, 1 worse, 2 unknown; a loss outweighs what is not known."""
    first = write(tmp_path / "a", report(RIGHT))
    second = write(tmp_path / "b", report(now))
    assert main(["compare", str(first), str(second)]) == code
    shown = capsys.readouterr().out
    assert ("B is worse" in shown) is (code == 1)
    assert ("undecided" in shown) is (code == 2)


def test_a_gain_is_no_loss(tmp_path: Path) -> None:
    """However significant."""
    first = write(tmp_path / "a", report(WORSE))
    assert main(["compare", str(first), str(write(tmp_path / "b", report(RIGHT)))]) == 0


def test_what_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both runs, the evaluation, its numbers and the pictures, without colours."""
    monkeypatch.setenv("COLUMNS", "500")
    first = write(tmp_path / "a", report(RIGHT))
    second = write(tmp_path / "b", report(WORSE))
    main(["compare", str(first), str(second)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[:5] == [
        f"A  {first}",
        f"B  {second}",
        "",
        "pets · ollama:llava",
        "    A  accuracy 1.000 (20/20)",
    ]
    assert "A is better on 8 images, B on 0" in lines[7]
    assert "      00: expected cat, A: cat, B: dog" in lines
    assert "\x1b" not in "".join(lines)


def test_json_is_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One object with every number, and the same exit code."""
    first = write(tmp_path / "a", report(RIGHT), report(RIGHT, "other"))
    second = write(tmp_path / "b", report(WORSE))
    assert main(["compare", "--json", str(first), str(second)]) == 1
    data = json.loads(capsys.readouterr().out)
    assert (data["schema"], data["exit_code"], data["a"]) == (1, 1, str(first))
    assert data["notes"] == ["other is in run A only: not compared"]
    (found,) = data["evaluations"]
    assert (found["evaluation"], found["worse"], found["images"]) == ("pets", True, 20)
    assert found["models"] == ["ollama:llava", "ollama:llava"]
    assert found["p_value_of_all"] == found["p_value"] == pytest.approx(2 / 2**8)


def test_several_evaluations_need_more_proof() -> None:
    """Six of six broken is 3.1% in one evaluation, 6.2% in two."""
    loss = "x" * 6 + "+" * 14
    one = [(report(RIGHT), report(loss))]
    two = [*one, (report(RIGHT, "other"), report(RIGHT, "other"))]
    assert exit_code(compare_all(one)) == 1
    assert exit_code(compare_all(two)) == 0


def test_only_models_belong_together_whatever_they_are_called() -> None:
    """Each run has one."""
    first, second = report("+", model="ollama:a"), report("+", model="ollama:b")
    assert choose([first], [second]) == ([(first, second)], [])


def test_several_models_belong_together_by_name() -> None:
    """What has no partner is said."""
    before = [report("+", model=f"ollama:{name}") for name in "ab"]
    now = [report("+", model=f"ollama:{name}") for name in "bc"]
    chosen, notes = choose(before, now)
    assert chosen == [(before[1], now[0])]
    assert notes == [
        "pets on ollama:a is in one run only: not compared",
        "pets on ollama:c is in one run only: not compared",
    ]


@pytest.mark.parametrize(
    "models", [["A=ollama:a", "B=ollama:c"], ["A=a", "B=c"], ["A=*a", "B=*:c"]]
)
def test_models_can_be_chosen_for_each_run(models: list[str]) -> None:
    """By name, without the backend, or by pattern."""
    before = [report("+", model=f"ollama:{name}") for name in "ab"]
    now = [report("+", model=f"ollama:{name}") for name in "bc"]
    assert choose(before, now, (), models)[0] == [(before[0], now[1])]


def test_a_model_can_be_chosen_for_both() -> None:
    """Without a run in front."""
    before = [report("+", model=f"ollama:{name}") for name in "ab"]
    assert choose(before, before, (), ["b"])[0] == [(before[1], before[1])]


def test_an_evaluation_can_be_chosen() -> None:
    """And the others are not worth a word."""
    before = [report("+", "one"), report("+", "two"), report("+", "three")]
    assert choose(before, before[:2], ["two"]) == ([(before[1], before[1])], [])


@pytest.mark.parametrize(
    ("evaluations", "models", "what"),
    [
        (["pest"], [], "--evaluation 'pest' is not in both runs; did you mean 'pets'?"),
        ([], ["A=ollama:lava"], "is not in run A; did you mean 'ollama:llava'?"),
        ([], ["B=nobody"], "--model 'nobody' is not in run B; it has ollama:llava"),
    ],
)
def test_what_is_not_there_is_refused(evaluations: list[str], models: list[str], what: str) -> None:
    """With what was probably meant."""
    both = [report("+")]
    with pytest.raises(SettingsError) as refused:
        choose(both, both, evaluations, models)
    assert what in str(refused.value)


def test_nothing_in_common_is_refused() -> None:
    """With what there is, and how to choose."""
    before = [report("+", model=f"ollama:{name}") for name in "ab"]
    now = [report("+", model=f"ollama:{name}") for name in "cd"]
    with pytest.raises(SettingsError, match="B has pets on ollama:c, pets on ollama:d; choose"):
        choose(before, now)
    with pytest.raises(SettingsError, match="A has pets on ollama:a"):
        choose(before[:1], [report("+", "other")])


def test_errors_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr, with the exit code of a refusal."""
    assert main(["compare", str(tmp_path), str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("llmclf: ")
    assert captured.err.count("\n") == 1


def test_without_a_command_the_usage_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """As argparse does."""
    with pytest.raises(SystemExit) as left:
        main([])
    assert left.value.code == 2
    assert "COMMAND" in capsys.readouterr().err


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not under NO_COLOR."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    style = console.style_of(stream)
    console.write(stream, [style.line("plain ", ("red", ("red", "bold")))])
    assert stream.getvalue() == "plain \x1b[31;1mred\x1b[0m\n"
    monkeypatch.setenv("NO_COLOR", "1")
    assert not console.style_of(stream).color
