"""Looking again at a gate with confidence, as people do: with more images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugin.colour_server import Odd

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours

GATE = "accuracy >= 0.8 with 95% confidence"


def said(colours: Colours) -> tuple[str, str]:
    """The verdict of the last run and its line."""
    gate = colours.summary()["gates"][0]
    return gate["word"], gate["text"]


def test_without_a_verdict_nobody_looked(colours: Colours) -> None:
    """Images that are run without the gate test cost no look."""
    colours.evaluation(GATE)
    colours.run("-k", "test_image and 0.png")
    assert not (colours.root / ".llmclf" / "looks.jsonl").exists()
    colours.run("--llmclf-inconclusive=allow")
    assert "look 2" not in said(colours)[1]


@pytest.mark.parametrize("declared", [True, False])
def test_more_images_are_a_second_look(colours: Colours, *, declared: bool) -> None:
    """Whether the gate is declared or asserted; the same answers, and another question, are not."""
    body = f'assert report.meets("{GATE}")'
    if declared:
        colours.evaluation(GATE)
    else:
        colours.evaluation("", body=body)
    allow = "--llmclf-inconclusive=allow"
    assert colours.run().ret == pytest.ExitCode.TESTS_FAILED
    assert said(colours)[0] == "INCONCLUSIVE"
    assert "one look at about" in said(colours)[1] or "too few" in said(colours)[1]
    assert colours.run(allow).ret == pytest.ExitCode.OK
    assert "look 2" not in said(colours)[1]
    colours.images(each=10)
    assert colours.run(allow, "-n2").ret == pytest.ExitCode.OK
    word, text = said(colours)
    assert word == "INCONCLUSIVE"
    assert "look 2 at this gate: its 5% were for the first, at 9 images (INCONCLUSIVE)" in text
    assert colours.run().ret == pytest.ExitCode.TESTS_FAILED
    path = colours.root / "modelfiles" / "colours.Modelfile"
    path.write_text("FROM llava\nSYSTEM Name the colour.\n")
    assert colours.run().ret == pytest.ExitCode.OK
    assert colours.run("--llmclf-home=another").ret == pytest.ExitCode.OK


def test_a_stopped_run_that_does_not_pass_is_a_look(colours: Colours) -> None:
    """Adding images until a run that may stop early passes is looking again."""
    colours.images(each=20)
    colours.evaluation("accuracy >= 0.85 with 95% confidence")
    colours.server.odd = {f"red/{number}": Odd(says="blue") for number in range(6)}
    colours.run("--llmclf-stop-early")
    assert said(colours)[0] == "INCONCLUSIVE"
    assert colours.ledger()["not_needed"]
    colours.images(each=60)
    colours.run()
    word, text = said(colours)
    assert word == "INCONCLUSIVE"
    assert "look 2 at this gate" in text


def test_damaged_looks_are_told(colours: Colours) -> None:
    """A file that cannot be read whole is no silent beginning."""
    colours.evaluation(GATE)
    colours.run()
    path = colours.root / ".llmclf" / "looks.jsonl"
    assert path.exists()
    path.write_text("garbage\n")
    result = colours.run("--llmclf-inconclusive=allow")
    assert "looks.jsonl: 1 damaged line: earlier looks" in " ".join(result.stdout.str().split())
