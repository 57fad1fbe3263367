"""What a CI job gets: a summary in Markdown, and annotations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.plugin import github
from pytest_llmclf.values.verdict import Verdict
from tests.plugin.colour_server import Odd

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plugin.conftest import Colours


def test_the_summary_is_appended(
    colours: Colours, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """GITHUB_STEP_SUMMARY keeps what is in it, also when a run fails."""
    step = tmp_path / "step.md"
    step.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(step))
    colours.server.odd = {"red": Odd(says="blue")}
    colours.evaluation("recall[red] >= 0.5")
    colours.run()
    text = step.read_text("utf-8")
    assert text.startswith("before\n\n## ")
    assert "❌ FAIL" in text
    assert text.endswith((colours.root / "run" / "summary.md").read_text("utf-8"))


def test_a_full_step_is_left_alone(tmp_path: Path) -> None:
    """A summary that would make GitHub drop the whole file is not added."""
    step = tmp_path / "step.md"
    step.write_bytes(b"x" * github.MOST_SUMMARY_BYTES)
    github.write_summaries([], [], environ={"GITHUB_STEP_SUMMARY": str(step)})
    assert step.stat().st_size == github.MOST_SUMMARY_BYTES


def test_a_path_gets_the_summary(tmp_path: Path) -> None:
    """A given path is written anew, its folder made."""
    path = tmp_path / "deep" / "summary.md"
    github.write_summaries([], [Verdict(word="PASS", text="fine")], path, environ={})
    github.write_summaries([], [Verdict(word="FAIL", text="bad")], path, environ={})
    assert "bad" in path.read_text("utf-8")
    assert "fine" not in path.read_text("utf-8")


def test_a_summary_that_cannot_be_written_is_said(
    colours: Colours, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The verdicts stand; a line says what is missing."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(colours.root))
    result = colours.run()
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["llmclf: the Markdown summary could not be written*"])


def test_annotations_are_escaped() -> None:
    """A gate that fails is an error and comes first, an undecided one a warning, others none."""
    verdicts = [
        Verdict(word="PASS", text="fine"),
        Verdict(word="INCONCLUSIVE", text="n=5", evaluation="pets", model="ollama:llava"),
        Verdict(word="FAIL", text="50% < 60%\n::error::x", evaluation="a,b", model="m"),
    ]
    failed = github.annotation_lines(verdicts, lambda verdict: verdict.word == "FAIL")
    assert list(failed) == [
        "::error title=FAIL%3A a%2Cb on m::50%25 < 60%25%0A::error::x",
        "::warning title=INCONCLUSIVE%3A pets on ollama%3Allava::n=5",
    ]


def test_annotations_on_github_alone(colours: Colours, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed gate is annotated where a runner reads it, once, and nowhere else."""
    colours.evaluation("accuracy <= 0.1")
    assert "::error" not in colours.run().stdout.str()
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    for args in ((), ("-q",)):
        lines = colours.run(*args).outlines
        (found,) = [line for line in lines if line.startswith("::error")]
        assert found.startswith("::error title=FAIL%3A colours on openai%3Acolours::accuracy <= ")


def test_answers_cannot_command_the_runner(
    colours: Colours, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While reports are printed the runner takes no commands; afterwards it does again."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    colours.server.odd = {"red/0": Odd(says="::add-mask::secret")}
    lines = colours.run().outlines
    (stop,) = [place for place, line in enumerate(lines) if line.startswith("::stop-commands::")]
    token = lines[stop].removeprefix("::stop-commands::")
    assert re.fullmatch(r"[0-9a-f]{32}", token)
    start = lines.index(f"::{token}::")
    said = [place for place, line in enumerate(lines) if "::add-mask::" in line]
    assert said
    assert all(stop < place < start for place in said)


def test_a_value_that_ends_pytest_at_once_is_one_error(
    colours: Colours, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pytest's own parser refuses it before any report: the runner hears of it all the same."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    result = colours.run("--llmclf-sample=x")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    told = [line for line in result.stdout.lines if line.startswith("::error")]
    assert told == ["::error title=usage error::'x' is not a whole number"]
