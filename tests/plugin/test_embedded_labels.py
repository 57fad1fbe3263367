"""The embedded model knows three tasks: what it cannot know is said, and measures nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.models.llamacpp.embedded import embedded_tasks, unknown_to_embedded
from pytest_llmclf.models.spec import parse_spec
from pytest_llmclf.prompting.labels import Label, LabelSet

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours

MICRO = parse_spec("micro-llava")


@pytest.mark.parametrize(
    ("model", "args"),
    [("micro-llava", ()), ("auto", ()), ("micro-llava", ("-n2",)), ("micro-llava", ("-k", "red")),
     ("micro-llava", ("--llmclf-stop-early",)), ("micro-llava", ("--llmclf-repeats=2",))],
)  # fmt: skip
def test_labels_that_it_cannot_know_end_inconclusive(
    colours: Colours, monkeypatch: pytest.MonkeyPatch, model: str, args: tuple[str, ...]
) -> None:
    """Said before the first question, which is never put; the remedy is another model."""
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:1")
    monkeypatch.setenv("LLMCLF_LLAMA_SERVER", "/nowhere/llama-server")
    result = colours.run(*args, model=model)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    text = result.stdout.str()
    if "-n2" not in args:
        header = " ".join(text.partition("test_colours.py")[0].split())
        assert "knows none of the labels blue, green, red" in header
        assert "--llmclf-model ollama:llava" in header
    assert "labels-unknown" in text
    assert "INCONCLUSIVE  colours" in text
    assert {gate["word"] for gate in colours.summary()["gates"]} <= {"INCONCLUSIVE"}
    ledger = colours.ledger()
    assert ledger["error"] == ledger["collected"]
    assert "synonym" not in text


def test_without_a_gate_the_run_is_red(colours: Colours) -> None:
    """No answer is no success."""
    colours.evaluation(gate="")
    assert colours.run(model="micro-llava").ret == pytest.ExitCode.TESTS_FAILED


def test_a_task_or_a_part_of_one_is_known() -> None:
    """In any spelling that its answers would be read in."""
    for task in embedded_tasks().values():
        assert unknown_to_embedded(MICRO, task) == ()
        assert unknown_to_embedded(MICRO, LabelSet.of(task.names[:2])) == ()
    assert len(embedded_tasks()) == 3
    capitals = LabelSet.of(("Cat", "DOG"))
    assert unknown_to_embedded(MICRO, capitals) == ()
    named = LabelSet(labels=(Label("Felis catus", synonyms=("cat",)), Label("dog")))
    assert unknown_to_embedded(MICRO, named) == ()


def test_what_it_does_not_know_is_named_in_order() -> None:
    """Some of the labels, or all of them."""
    assert unknown_to_embedded(MICRO, LabelSet.of(("zebra", "cat", "gnu"))) == ("zebra", "gnu")
    assert unknown_to_embedded(MICRO, LabelSet.of(("yes", "no"))) == ("yes", "no")


@pytest.mark.parametrize(
    "spec", ["ollama:micro-llava", "openai:micro-llava@http://h/v1", "llamacpp:a.gguf+b.gguf"]
)
def test_of_other_models_nothing_is_known(spec: str) -> None:
    """A name elsewhere may be any model."""
    assert unknown_to_embedded(parse_spec(spec), LabelSet.of(("yes", "no"))) == ()


@pytest.mark.parametrize("args", [(), ("-n2",), ("--llmclf-stop-early",), ("-k", "cat")], ids=str)
def test_one_label_that_it_does_not_know_measures_nothing(
    colours: Colours, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...]
) -> None:
    """No gate is judged, not even one on a label that it knows or one that wants little."""
    for old, new in (("red", "cat"), ("green", "dog"), ("blue", "zebra")):
        folder = colours.root / "fixtures" / "colours"
        (folder / old).rename(folder / new)
    colours.evaluation("recall[zebra] <= 0.5, recall[cat] >= 0.0")
    monkeypatch.setenv("LLMCLF_LLAMA_SERVER", "/nowhere/llama-server")
    result = colours.run(*args, model="micro-llava")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    text = result.stdout.str()
    if "-n2" not in args:
        header = " ".join(text.partition("test_colours.py")[0].split())
        assert "does not know the label zebra, only those of" in header
        assert "--llmclf-model ollama:llava" in header
    assert "knows none" not in text
    assert "labels-unknown" in text
    assert {gate["word"] for gate in colours.summary()["gates"]} <= {"INCONCLUSIVE"}
    assert colours.ledger()["error"] == colours.ledger()["collected"]
