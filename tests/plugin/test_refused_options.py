"""A Modelfile of Ollama's options put to a strict server: a whole run, and the runs after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours

MODELFILE = """FROM llava
PARAMETER temperature 0
PARAMETER seed 3
PARAMETER num_predict 16
PARAMETER top_k 1
PARAMETER repeat_penalty 1.0
"""
REFUSED = ("temperature", "top_k", "repeat_penalty")


@pytest.fixture
def strict(colours: Colours) -> Colours:
    """A server that takes seed, max_completion_tokens and nothing else of these."""
    (colours.root / "modelfiles" / "colours.Modelfile").write_text(MODELFILE)
    colours.server.refuses = frozenset({*REFUSED, "max_tokens"})
    return colours


def said(colours: Colours) -> list[str]:
    """What the last report says of what was left out."""
    return [note for note in colours.written()["notes"] if "was asked without" in note]


@pytest.mark.parametrize("processes", [(), ("-n2",)], ids=["one", "xdist"])
def test_every_image_is_answered_and_every_word_said(
    strict: Colours, processes: tuple[str, ...]
) -> None:
    """Once each, whatever processes asked, and by the word of the Modelfile."""
    assert strict.run(*processes).ret == pytest.ExitCode.OK
    assert strict.ledger() == {"collected": 9, "correct": 9}
    assert len(said(strict)) == len(REFUSED)
    for word in REFUSED:
        (note,) = [note for note in said(strict) if f"asked without {word}, " in note]
        assert note.startswith("openai:colours ")
    assert {body["max_completion_tokens"] for body in strict.server.bodies} == {16}
    assert {body["seed"] for body in strict.server.bodies} == {3}
    assert all(REFUSED[0] not in body for body in strict.server.bodies)


def test_known_and_recorded_answers_say_it_too(strict: Colours) -> None:
    """The same questions have the same digests: nobody is asked again, and it is not forgotten."""
    strict.run("--llmclf-record=record.jsonl")
    first, asked = said(strict), strict.server.questions
    assert strict.run().ret == pytest.ExitCode.OK
    assert said(strict) == first
    strict.server.stop()
    assert strict.run().ret == pytest.ExitCode.OK
    assert said(strict) == first
    assert strict.run("--llmclf-home=other", model="replay:record.jsonl").ret == pytest.ExitCode.OK
    assert said(strict) == first
    assert strict.server.questions == asked == 9


def test_a_server_that_takes_all_is_asked_for_all(strict: Colours) -> None:
    """Nothing is left out beforehand, and nothing said."""
    strict.server.refuses = frozenset()
    assert strict.run().ret == pytest.ExitCode.OK
    assert said(strict) == []
    assert all(body["top_k"] == 1 for body in strict.server.bodies)
    assert {body["max_tokens"] for body in strict.server.bodies} == {16}


def test_repeats_and_a_subset_are_asked_without_it(strict: Colours) -> None:
    """With a seed of its own a repeat is another question, and needs no refusal of its own."""
    assert strict.run("--llmclf-repeats=2", "-k", "red").ret == pytest.ExitCode.OK
    assert len(said(strict)) == len(REFUSED)
    assert strict.server.questions == 6


def test_a_name_at_another_address_may_be_another_model(colours: Colours) -> None:
    """No digest is told: the message says from where answers are known, and uses none."""
    colours.run()
    where = colours.server.url.removeprefix("http://").removesuffix("/v1")
    result = colours.run("--llmclf-attempts=1", model="openai:colours@http://127.0.0.1:1/v1")
    assert colours.ledger() == {"collected": 9, "error": 9}
    text = " ".join(result.stdout.str().split())
    assert f"answers are known from {where} (digest " in text
    assert "name that address if its model is the one that is meant" in text
    colours.server.stop()
    assert colours.run("--llmclf-attempts=1").ret == pytest.ExitCode.OK
