"""Whether a model thinks: said on the command line, told early where it costs every answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf.cli.main import main
from tests.plugin.colour_server import THOUGHT, Odd

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours

EARLY = "llmclf: openai:colours: the first 5 answers all ended at num_predict 24 while it still"


def limited(colours: Colours) -> None:
    """Room for a label, and a model that thinks whatever it is told."""
    path = colours.root / "modelfiles" / "colours.Modelfile"
    path.write_text("FROM llava\nPARAMETER num_predict 24\n")
    colours.server.odd["*"] = Odd(thinks=500)


def lines(colours: Colours) -> list[dict[str, Any]]:
    text = (colours.root / "run" / "outcomes.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("processes", [(), ("-n1",)], ids=["alone", "xdist"])
def test_a_limit_that_thinking_uses_up_is_told_early(
    colours: Colours, processes: tuple[str, ...]
) -> None:
    """Before the last image, once, and again in the report, which is red with the remedy."""
    colours.images(8)
    limited(colours)
    result = colours.run(*processes)
    shown = result.stdout.lines
    early = [place for place, line in enumerate(shown) if line.startswith(EARLY)]
    reports = next(place for place, line in enumerate(shown) if "= evaluations =" in line)
    assert len(early) == 1
    assert early[0] < reports
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    text = "\n".join(shown)
    assert "24 cut-off-in-thinking" in text
    assert "turn thinking off" in text
    assert "thinks before it answers though no thinking was wished" in text
    assert {line["answer"]["thinking"] for line in lines(colours)} == {THOUGHT}
    page = (colours.root / "run" / "page.html").read_text("utf-8")
    assert THOUGHT in page


def test_nothing_is_told_early_where_all_is_well(colours: Colours) -> None:
    """A server whose answers end by themselves, thinking or not."""
    for think in ("on", "off"):
        result = colours.run(f"--llmclf-think={think}")
        assert result.ret == 0
        assert "llmclf: openai:colours" not in result.stdout.str()
    told = [body["chat_template_kwargs"]["enable_thinking"] for body in colours.server.bodies]
    assert told == [True] * 9 + [False] * 9


def test_the_command_line_goes_before_the_evaluation(colours: Colours) -> None:
    """And the ini file behind both; what was said is recorded with the run."""
    path = colours.root / "test_colours.py"
    path.write_text(path.read_text("utf-8").replace("gates=", "think='high', gates="), "utf-8")
    assert colours.run().ret == 0
    assert {body["reasoning_effort"] for body in colours.server.bodies} == {"high"}
    assert colours.written()["full_instructions"]["think"] == "high"
    colours.server.bodies.clear()
    assert colours.run("--llmclf-think", "low").ret == 0
    assert {body["reasoning_effort"] for body in colours.server.bodies} == {"low"}
    assert colours.summary()["settings"]["think"] == "low"
    colours.server.bodies.clear()
    (colours.root / "pytest.ini").write_text("[pytest]\nllmclf_think = medium\n")
    assert colours.run().ret == 0
    assert {body["reasoning_effort"] for body in colours.server.bodies} == {"medium"}


@pytest.mark.parametrize(
    ("ini", "args"), [("", ["--llmclf-think=lots"]), ("[pytest]\nllmclf_think = lots\n", [])]
)
def test_a_word_that_is_none_is_refused(colours: Colours, ini: str, args: list[str]) -> None:
    """With what can be said, and before anybody is asked."""
    (colours.root / "pytest.ini").write_text(ini)
    result = colours.run(*args)
    assert result.ret in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERRUPTED)
    said = result.stderr.str() + result.stdout.str()
    assert "llmclf" in said
    assert "'lots' is not one of off, on, low, medium, high" in said
    assert colours.server.questions == 0


def test_predict_asks_as_pytest_will(
    colours: Colours, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the same word for thinking, whose answers are known then; and it says that word."""
    monkeypatch.chdir(colours.root)
    asked = ["predict", "test_colours.py", "--model", colours.server.spec, "--think", "low"]
    assert main(asked) == 0
    assert "--llmclf-think low" in capsys.readouterr().out
    assert colours.server.questions == 9
    assert colours.run("--llmclf-think=low").ret == 0
    assert colours.server.questions == 9
    assert all(line["cached"] for line in lines(colours))
    assert colours.run("--llmclf-think=high").ret == 0
    assert colours.server.questions == 18
