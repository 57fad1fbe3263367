"""A run through Ollama's API, from the choice of the model to the report."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.ollama_replay import OllamaReplay, exchange

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.plugin.conftest import Colours

NINE = exchange("105")
"""A recorded answer to an image: the digit 9."""


@pytest.fixture
def ollama(colours: Colours, monkeypatch: pytest.MonkeyPatch) -> Iterator[OllamaReplay]:
    """A server that has the Modelfile's model, and images named for the digits it answers."""
    folder = colours.root / "fixtures" / "colours"
    shutil.rmtree(folder)
    colours.images(each=2, colours=("red", "blue"))
    (folder / "red").rename(folder / "9")
    (folder / "blue").rename(folder / "1")
    colours.evaluation(gate="accuracy >= 0.5")
    (colours.root / "modelfiles" / "colours.Modelfile").write_text(
        "FROM micro-llava\nPARAMETER temperature 0\nSYSTEM You read digits.\n"
    )
    with OllamaReplay(models=("micro-llava",)) as server:
        monkeypatch.setenv("OLLAMA_HOST", server.address.netloc)
        yield server
    assert server.unmatched == []


@pytest.mark.parametrize("model", ["auto", "ollama", "ollama:micro-llava"])
def test_a_run_through_ollama(colours: Colours, ollama: OllamaReplay, model: str) -> None:
    """The model is derived once under a name of its own, asked for each image, and reported."""
    for _ in range(4):
        ollama.force(NINE)
    result = colours.run(model=model)
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        ["*colours: 4 images, 2 classes -> ollama:micro-llava", "*2 misclassified in *"]
    )
    assert colours.ledger() == {"collected": 4, "correct": 2, "misclassified": 2}
    (derived,) = set(ollama.models) - {"micro-llava:latest"}
    assert derived.startswith("llmclf-")
    assert {body["model"].removesuffix(":latest") for body in ollama.sent("/api/chat")} == {
        derived.removesuffix(":latest")
    }


def test_a_derived_model_is_used_again(colours: Colours, ollama: OllamaReplay) -> None:
    """A second run over other answers creates nothing."""
    for _ in range(8):
        ollama.force(NINE)
    colours.run(model="auto")
    colours.run("--llmclf-fresh", model="auto")
    assert len(ollama.sent("/api/create")) == 1
    assert len(ollama.sent("/api/chat")) == 8


def test_a_missing_model_is_asked_for(colours: Colours, ollama: OllamaReplay) -> None:
    """A demanded model that is not there: the remedy is in the report, and no gate is green."""
    result = colours.run(model="ollama:llava")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    # The terminal breaks lines where it must.
    assert "run `ollama pull llava`" in " ".join(result.stdout.str().split())
    result.stdout.fnmatch_lines(["*INCONCLUSIVE*4 of 4 images got no answer*"])
    assert ollama.sent("/api/chat") == []


def test_known_answers_need_no_server_at_another_address_either(
    colours: Colours, ollama: OllamaReplay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model's digest is known from where it was reached, and the report says so."""
    for _ in range(4):
        ollama.force(NINE)
    colours.run(model="ollama:micro-llava")
    where = ollama.address.netloc
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:1")
    colours.run("--llmclf-attempts=1", model="ollama:micro-llava").assert_outcomes(passed=3)
    assert colours.ledger() == {"collected": 4, "correct": 2, "misclassified": 2}
    (note,) = [note for note in colours.written()["notes"] if "was not reached" in note]
    assert f"at {where} of 20" in note
    assert len(ollama.sent("/api/chat")) == 4


def test_an_example_that_the_base_model_brings_is_said_before_the_run(
    colours: Colours, ollama: OllamaReplay
) -> None:
    """Its own SYSTEM text stands where ours says nothing; a probe puts another label there."""
    modelfile = colours.root / "modelfiles" / "colours.Modelfile"
    modelfile.write_text("FROM micro-llava\nPARAMETER temperature 0\n")
    ollama.give_system("micro-llava", "Answer with one digit, for example: 9.")
    for _ in range(8):
        ollama.force(NINE)
    said = '"9" stands as the example of an answer in the base model\'s own SYSTEM text'
    assert said in " ".join(colours.run(model="ollama").stdout.str().split())
    sent = len(ollama.sent("/api/chat"))
    result = colours.run("--llmclf-probe=example", model="ollama")
    result.stdout.fnmatch_lines(["*probe example: 4 further questions about 4 images; *"])
    told = [body["messages"][0]["content"] for body in ollama.sent("/api/chat")[sent:]]
    created = [body["system"] for body in ollama.sent("/api/create") if "system" in body]
    assert "Answer with one digit, for example: 1." in {*told, *created}
    assert said not in " ".join(colours.run("--collect-only", model="ollama").stdout.str().split())
