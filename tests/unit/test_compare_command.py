"""``llmclf compare``: which reports belong together, what is printed, and the exit code."""

from __future__ import annotations

import hashlib
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf.analysis.comparison.runs import choose, compare_all
from pytest_llmclf.cli import console
from pytest_llmclf.cli.compare_command import exit_code
from pytest_llmclf.cli.main import main
from pytest_llmclf.errors import SettingsError
from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.reporting import artifacts
from pytest_llmclf.reporting.columns import SCHEMA
from tests.pages import png
from tests.unit.ended import ended

if TYPE_CHECKING:
    from pytest_llmclf.metrics.report import Report

RIGHT = "+" * 20
WORSE = "x" * 8 + "+" * 12
UNKNOWN = ("instructions", "model", "server version", "version of pytest-llmclf")
CHANCE = "x" * 2 + "+" * 18
MIXED = "x" + "+" * 19


def report(signs: str, evaluation: str = "pets", model: str = "ollama:llava") -> Report:
    """One image a sign: right, wrong or unanswered."""
    kinds = {"+": "correct", "x": "misclassified", "!": "error"}
    outcomes = [
        replace(ended(f"{place:02}", kinds[sign]), evaluation=evaluation, model=model)  # type: ignore[arg-type]
        for place, sign in enumerate(signs)
    ]
    facts = DatasetFacts(name="pets", content_hash="abc", labels=("cat", "dog"))
    return build(evaluation=evaluation, model=model, dataset=facts, outcomes=outcomes)


def write(folder: Path, *reports: Report, word: str = "PASS", **settings: int) -> Path:
    """A run's folder, without the matrices, which take long to draw, with a gate of its first."""
    folder.mkdir(parents=True)
    (folder / "outcomes.jsonl").write_text("".join(artifacts.outcomes_jsonl(reports)), "utf-8")
    summary = {
        "schema": SCHEMA,
        "settings": settings,
        "environment": {},
        "reports": [artifacts.report_json(each) for each in reports],
        "gates": [
            {"word": word, "text": "", "evaluation": each.evaluation, "model": each.model}
            for each in reports[:1]
        ],
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
    """Both runs, the evaluation, its numbers and the images, without colours."""
    monkeypatch.setenv("COLUMNS", "500")
    first = write(tmp_path / "a", report(RIGHT))
    second = write(tmp_path / "b", report(WORSE))
    main(["compare", str(first), str(second)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[:6] == [
        f"A  {first}",
        f"B  {second}",
        "",
        "pets · ollama:llava",
        f"    the same images; unknown whether the same: {', '.join(UNKNOWN)}",
        "    A  accuracy 1.000 (20/20)",
    ]
    assert "A is better on 8 images, B on 0" in lines[8]
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


def test_what_is_refused_is_no_test() -> None:
    """Six of six broken stays 3.1% beside an evaluation that cannot be compared."""
    first, other = report(RIGHT, "other"), report(RIGHT, "other")
    strange = replace(other, dataset=replace(other.dataset, name="people"))
    pairs = [(report(RIGHT), report("x" * 6 + "+" * 14)), (first, strange)]
    found, refused = compare_all(pairs)
    assert (found.tests, found.word, refused.word) == (1, "worse", "undecided")
    assert found.p_value == pytest.approx(2 / 2**6)


@pytest.mark.parametrize(
    ("now", "word"),
    [
        (WORSE, "worse"),
        (WORSE[:-1] + "!", "worse"),
        (RIGHT, "better"),
        (CHANCE[:-1] + "!", "undecided"),
        (MIXED, "same answers"),
        (CHANCE, "difference not shown"),
    ],
)
def test_a_word_says_what_it_comes_to(now: str, word: str) -> None:
    """A loss outweighs what is not known, and that outweighs the rest."""
    before = {RIGHT: WORSE, WORSE: RIGHT, WORSE[:-1] + "!": RIGHT}.get(now, MIXED)
    (found,) = compare_all([(report(before), report(now))])
    assert found.word == word


@pytest.mark.parametrize(
    ("signs", "margin", "last"),
    [
        ((RIGHT, WORSE), None, "B is worse"),
        ((WORSE, RIGHT), None, "B is better"),
        ((MIXED, MIXED), None, "A and B name the same labels on 20 images that both answered"),
        ((RIGHT, CHANCE), None, "not told apart on 20 images that both answered: that A or B is"),
        (("x+" + RIGHT[2:], "+x" + RIGHT[2:]), None, "not told apart on 20 images"),
        ((RIGHT, RIGHT[1:] + "!"), None, "undecided"),
        ((RIGHT, WORSE), "5%", "B is worse by the margin"),
        ((RIGHT, CHANCE), "60%", "B is within the margin"),
        ((RIGHT, RIGHT), "60%", "A and B name the same labels"),
        ((WORSE, RIGHT), "60%", "B is better"),
    ],
)
def test_the_last_line_says_what_it_comes_to(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    signs: tuple[str, str],
    *,
    margin: str | None,
    last: str,
) -> None:
    """In words, and in no stronger ones than the word of the comparison."""
    monkeypatch.setenv("COLUMNS", "500")
    runs = [write(tmp_path / name, report(each)) for name, each in zip("ab", signs, strict=True)]
    main(["compare", *map(str, runs), *(["--margin", margin] if margin else [])])
    said = capsys.readouterr().out
    assert said.splitlines()[-1].strip().startswith(last)
    strong = {"B is better", "B is worse", "B is worse by the margin"} - {last}
    assert strong.isdisjoint(line.strip() for line in said.splitlines())


def test_several_evaluations_end_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted by word, whatever was left out."""
    monkeypatch.setenv("COLUMNS", "500")
    signs = {"pets": (RIGHT, WORSE), "other": (MIXED, MIXED), "third": (MIXED, MIXED)}
    sides = [
        write(tmp_path / "ab"[side], *(report(each[side], name) for name, each in signs.items()))
        for side in (0, 1)
    ]
    assert main(["compare", *map(str, sides)]) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "B against A in 3 evaluations: worse in 1, same answers in 2"


@pytest.mark.parametrize("form", [(), ("--json",), ("--markdown", "-")])
def test_a_run_held_against_itself_is_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: tuple[str, ...]
) -> None:
    """What no side tells is the same all the same, and nothing is called unknown."""
    run = write(tmp_path / "a", report(MIXED))
    assert main(["compare", str(run), f"{run}/", *form]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "A and B are one run, held against itself" in said
    assert "unknown whether" not in said
    assert '"unknown": []' in said if "--json" in form else "instructions, model" in said


def test_two_models_of_one_run_are_not_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is not known of them stays unknown."""
    run = write(tmp_path / "a", report(RIGHT, model="ollama:a"), report(WORSE, model="ollama:b"))
    assert main(["compare", str(run), str(run), "--model", "A=ollama:a", "--model", "B=*b"]) == 1
    said = capsys.readouterr().out
    assert "one run" not in said
    assert "unknown whether the same" in said


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


def test_no_model_can_be_chosen_where_no_evaluation_is_in_both_runs() -> None:
    """The remedy is two other runs then, and the one with models where they are what differs."""
    pets = [report("+")]
    with pytest.raises(SettingsError, match="; name two runs of one evaluation"):
        choose(pets, [replace(pets[0], evaluation="birds")])


@pytest.mark.parametrize(
    ("evaluations", "models", "what"),
    [
        (["pest"], [], "'pest' is not in both runs; A has pets; B has pets; did you mean 'pets'?"),
        (
            [],
            ["A=ollama:lava"],
            "not in run A; it has ollama:llava; did you mean 'ollama:llava'?",
        ),
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


@pytest.mark.parametrize("more", [["--markdown"], ["--markdown", "-"]])
def test_markdown_is_printed_instead_of_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    """With or without a dash, and with the same exit code."""
    first = write(tmp_path / "a", report(RIGHT), report(RIGHT, "other"))
    second = write(tmp_path / "b", report(WORSE))
    assert main(["compare", str(first), str(second), *more]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == ["## Runs compared", "", "- A: `a`", "- B: `b`"]
    assert "| ❌ worse | `pets` | `ollama:llava` | 20 | 100.0% | 60.0% | 8 | 0 | 0.008 |" in lines
    assert "- other is in run A only: not compared" in lines


def test_markdown_and_a_page_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Into folders that are made for them, beside the text; their paths stand last."""
    first = write(tmp_path / "a", report(RIGHT))
    second = write(tmp_path / "b", report(RIGHT))
    summary, page = tmp_path / "deep" / "c.md", tmp_path / "deeper" / "c.html"
    options = ["--markdown", str(summary), "--html", str(page)]
    assert main(["compare", str(first), str(second), *options]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"A  {first}\n")
    assert out.splitlines()[-2:] == [str(summary), str(page)]
    assert "| ✅ same answers |" in summary.read_text("utf-8")
    main(["compare", str(first), str(second), "--json", *options])
    assert json.loads(capsys.readouterr().out)["exit_code"] == 0


def test_runs_of_one_name_are_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the way to their folders."""
    both = [write(tmp_path / side / "run", report(RIGHT)) for side in "ab"]
    main(["compare", *map(str, both), "--markdown"])
    shown = capsys.readouterr().out.splitlines()[2:4]
    assert [line[-len("a/run`") :].replace("\\", "/") for line in shown] == ["a/run`", "b/run`"]


def data_of(page: Path) -> dict[str, Any]:
    """What a page knows."""
    found = re.search(
        '<script type="application/json" id="data">(.*?)</script>', page.read_text("utf-8")
    )
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_the_page_has_both_runs(tmp_path: Path) -> None:
    """Each evaluation of B before that of A, with their own verdicts, settings and pair."""
    first = write(
        tmp_path / "a", report(RIGHT), report(RIGHT, "other"), report(RIGHT, "gone"), seed=1, size=2
    )
    second = write(
        tmp_path / "b", report(WORSE), report(RIGHT, "other"), word="FAIL", seed=3, size=2
    )
    page = tmp_path / "c.html"
    assert main(["compare", str(first), str(second), "--html", str(page)]) == 1
    data = data_of(page)
    names = [f"{name} · ollama:llava · {side}" for name in ("pets", "other") for side in "BA"]
    assert data["title"] == "b (B) compared with a (A)"
    assert [each["name"] for each in data["sections"]] == names
    assert [len(each["verdicts"]) for each in data["sections"]] == [1, 1, 0, 0]
    assert [each["verdicts"][0]["word"] for each in data["sections"][:2]] == ["FAIL", "PASS"]
    pair, other = data["pairs"]
    assert (pair["names"], pair["what"], pair["word"]) == (["A", "B"], "runs", "worse")
    assert [(each["now"], each["before"], each["tests"]) for each in (pair, other)] == [
        (0, 1, 2),
        (2, 3, 2),
    ]
    assert pair["p"] == "McNemar p = 0.016"
    assert data["settings"] == [
        ["left out", "gone is in run A only: not compared"],
        ["seed (A)", "1"],
        ["seed (B)", "3"],
        ["size", "2"],
    ]


def test_the_page_shows_the_images_of_this_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As far as it has the dataset, and unless they are not wanted."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LLMCLF_DATA", raising=False)
    image = tmp_path / "fixtures" / "pets" / "cat" / "1.png"
    for path in (image, image.parent.parent / "dog" / "2.png"):
        path.parent.mkdir(parents=True)
        path.write_bytes(png((len(path.parent.name), 1, ord(path.parent.name[0]))))
    sha256 = hashlib.sha256(image.read_bytes()).hexdigest()
    plain = report("+")
    outcomes = [replace(plain.outcomes[0], case="cat/1.png", sha256=sha256)]
    shown = build(evaluation="pets", model=plain.model, dataset=plain.dataset, outcomes=outcomes)
    for name in ("20260101", "20260102"):
        write(tmp_path / ".llmclf" / "runs" / name, shown)
    arguments = ["compare", "previous", "latest", "--html", "c.html"]
    assert main(arguments) == 0
    assert data_of(tmp_path / "c.html")["without"] == [None]
    assert "data:image/" in Path("c.html").read_text("utf-8")
    assert main([*arguments, "--no-images"]) == 0
    assert "data:image/" not in Path("c.html").read_text("utf-8")


def test_runs_are_looked_up_in_the_home_folder(tmp_path: Path) -> None:
    """By name, with --home."""
    for name in ("20260101", "20260102"):
        write(tmp_path / "home" / "runs" / name, report(RIGHT))
    assert main(["compare", "previous", "20260102", "--home", str(tmp_path / "home")]) == 0


@pytest.mark.parametrize("option", ["--markdown", "--html"])
def test_what_cannot_be_written_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    """In one line, with the exit code of a refusal."""
    both = [str(write(tmp_path / side, report(RIGHT))) for side in "ab"]
    (tmp_path / "file").write_text("")
    other = {"--html": "--markdown", "--markdown": "--html"}[option]
    more = [other, str(tmp_path / "whole")]
    assert main(["compare", *both, option, str(tmp_path / "file" / "c"), *more]) == 2
    assert not (tmp_path / "whole").exists()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("llmclf: the comparison cannot be written: ")


def test_one_thing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON and Markdown at once are refused before anything is read."""
    assert main(["compare", "a", "b", "--json", "--markdown"]) == 2
    assert "--markdown PATH" in capsys.readouterr().err


def test_printed_markdown_is_utf_8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the console speaks something else, too."""
    both = [str(write(tmp_path / side, report(RIGHT))) for side in "ab"]
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="cp1252")
    monkeypatch.setattr("sys.stdout", stream)
    assert main(["compare", *both, "--markdown"]) == 0
    stream.flush()
    assert "✅ same answers" in raw.getvalue().decode("utf-8")


def test_errors_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr, with the exit code of a refusal."""
    assert main(["compare", str(tmp_path), str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("llmclf: ")
    assert captured.err.count("\n") == 1


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Who does not know the commands yet is told all of them."""
    assert main([]) == 0
    told = capsys.readouterr()
    assert "COMMAND" in told.out
    assert "compare" in told.out
    assert not told.err


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
