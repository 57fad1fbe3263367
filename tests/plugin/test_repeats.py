"""Asking every question several times."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugin.colour_server import Odd

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours


def test_every_question_is_asked_so_many_times(colours: Colours) -> None:
    """Repeats are further requests, stored apart; counts and metrics are of the first asking."""
    result = colours.run("--llmclf-repeats", "3")
    assert result.ret == pytest.ExitCode.OK
    assert colours.server.questions == 27
    assert colours.ledger() == {"collected": 9, "correct": 9}
    lines = (colours.root / "run" / "outcomes.jsonl").read_text("utf-8").splitlines()
    assert len(lines) == 27
    colours.run("--llmclf-repeats", "3")
    assert colours.server.questions == 27


def test_a_model_that_changes_its_mind_is_told(colours: Colours) -> None:
    """Self-consistency and majority vote are printed."""
    colours.server.odd = {"red/0": Odd(says="blue", times=1)}
    result = colours.run("--llmclf-repeats", "3", "--llmclf-in-flight", "1")
    assert colours.ledger() == {"collected": 9, "correct": 8, "misclassified": 1}
    result.stdout.fnmatch_lines(["*asked 3 times*"])


def test_repeats_reach_the_controller(colours: Colours) -> None:
    """Under xdist the repeats travel with their outcome."""
    colours.run("--llmclf-repeats", "2", "-n2")
    lines = (colours.root / "run" / "outcomes.jsonl").read_text("utf-8").splitlines()
    assert len(lines) == 18


def test_a_repeat_without_an_answer_leaves_the_verdict_alone(colours: Colours) -> None:
    """The first asking decides; that a later one failed is not kept quiet."""
    colours.server.odd = {"red/0": Odd(status=400, times=1)}
    result = colours.run("--llmclf-repeats", "2", "--llmclf-in-flight", "1")
    assert result.ret == pytest.ExitCode.TESTS_FAILED  # the first asking had no answer
    colours.server.odd = {}
    assert colours.run("--llmclf-repeats", "2").ret == pytest.ExitCode.OK


def sampled(colours: Colours, modelfile: str) -> None:
    """Write the Modelfile anew."""
    (colours.root / "modelfiles" / "colours.Modelfile").write_text(f"FROM llava\n{modelfile}")


def seeds(colours: Colours) -> list[int]:
    """The seeds that were sent, each once, in ascending order; -2 where none was."""
    return sorted({body.get("seed", -2) for body in colours.server.bodies})


def test_a_repeat_is_sent_with_a_seed_of_its_own(colours: Colours) -> None:
    """With the set seed each time, a server would give one answer three times over."""
    sampled(colours, "PARAMETER temperature 1.5\nPARAMETER seed 7\n")
    result = colours.run("--llmclf-repeats=3", "--llmclf-record=record.jsonl")
    sent = seeds(colours)
    assert len(sent) == 3
    assert sent[0] == 7
    assert all(0 <= seed < 2**31 for seed in sent)
    assert sorted(colours.written()["stability"]["seeds"]) == sent
    result.stdout.fnmatch_lines(["*each asking was sent with a seed of its own: 7, *"])
    # What was recorded is what was sent, and it plays back.
    colours.server.stop()
    played = colours.run("--llmclf-repeats=3", "--llmclf-home=other", model="replay:record.jsonl")
    assert played.ret == pytest.ExitCode.OK
    played.stdout.fnmatch_lines(["*the answers are of a recording*"])


def test_the_first_asking_stays_what_it_is(colours: Colours) -> None:
    """Answers that were stored without repeats are known with them."""
    sampled(colours, "PARAMETER temperature 1.5\nPARAMETER seed 7\n")
    colours.run()
    assert seeds(colours) == [7]
    result = colours.run("--llmclf-repeats=2")
    assert colours.server.questions == 18
    result.stdout.fnmatch_lines(["*9 of 18 answers came from the store*"])
    result = colours.run("--llmclf-repeats=2")
    assert colours.server.questions == 18
    result.stdout.fnmatch_lines(["*all 18 answers came from the store*--llmclf-fresh*"])


@pytest.mark.parametrize("set_seed", ["", "PARAMETER seed -1\n"], ids=["none", "free"])
def test_a_free_seed_stays_free(colours: Colours, set_seed: str) -> None:
    """Where the server draws the seed there is nothing to vary, and nothing is claimed."""
    sampled(colours, f"PARAMETER temperature 1.5\n{set_seed}")
    result = colours.run("--llmclf-repeats=3")
    assert seeds(colours) == ([-1] if set_seed else [-2])
    text = result.stdout.str()
    assert "seed of its own" not in text
    assert "nothing was drawn" not in text


@pytest.mark.parametrize("options", ["temperature 0", "top_k 1"])
def test_repeats_at_temperature_0_say_that_they_show_nothing(
    colours: Colours, options: str
) -> None:
    """In the terminal, the record and the page."""
    sampled(colours, f"PARAMETER {options}\nPARAMETER seed 7\n")
    result = colours.run("--llmclf-repeats=2", "-n2")
    result.stdout.fnmatch_lines(["*nothing was drawn (temperature 0 or top_k 1)*"])
    assert "seed of its own" not in result.stdout.str()
    assert colours.written()["stability"]["greedy"] is True
    assert "nothing was drawn" in (colours.root / "run" / "page.html").read_text("utf-8")
