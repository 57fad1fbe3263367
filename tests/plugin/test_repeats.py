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
    colours.run_apart("--llmclf-repeats", "2", "-n2")
    lines = (colours.root / "run" / "outcomes.jsonl").read_text("utf-8").splitlines()
    assert len(lines) == 18


def test_a_repeat_without_an_answer_leaves_the_verdict_alone(colours: Colours) -> None:
    """The first asking decides; that a later one failed is not kept quiet."""
    colours.server.odd = {"red/0": Odd(status=400, times=1)}
    result = colours.run("--llmclf-repeats", "2", "--llmclf-in-flight", "1")
    assert result.ret == pytest.ExitCode.TESTS_FAILED  # the first asking had no answer
    colours.server.odd = {}
    assert colours.run("--llmclf-repeats", "2").ret == pytest.ExitCode.OK
