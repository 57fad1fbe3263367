"""Variants of an evaluation: what they change, what they are called, and what is refused."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from pytest_llmclf.errors import SettingsError
from pytest_llmclf.gates.gate import Gate, check_variant_names
from pytest_llmclf.prompting.labels import Label
from pytest_llmclf.runner.evaluation import Evaluation
from pytest_llmclf.runner.examples import Examples
from pytest_llmclf.runner.variant import LONGEST_NAME, Variant
from pytest_llmclf.runner.variant_grid import product
from pytest_llmclf.runner.variant_option import parse_variant, parse_variants
from pytest_llmclf.values.outcome import TaskName


def declared(variants: dict[Any, Any] | None = None, **arguments: Any) -> Evaluation:
    known: dict[str, Any] = {"dataset": "pets", "modelfile": "pets", "prompt": "Which pet?"}
    return Evaluation(**{**known, **arguments, "variants": variants or {}})


def varied(variant: Variant, **arguments: Any) -> Evaluation:
    return declared(**arguments).varied("other", variant)


CHANGED: dict[str, Any] = {
    "modelfile": "others",
    "system": "Look well.",
    "prompt": "Which?",
    "labels": ("dog", "cat"),
    "answer": "enum",
    "options": {"temperature": 0.5},
    "top_logprobs": 5,
    "think": True,
    "reader": "first",
    "image_size": 64,
    "examples": 2,
}


def test_a_variant_may_change_whatever_it_has_a_field_for() -> None:
    """One field after the other, and nothing else with it."""
    assert set(CHANGED) == {field.name for field in fields(Variant)}
    plain = declared()
    for name, value in CHANGED.items():
        other = varied(Variant(**{name: value}))
        assert getattr(other, name) == value
        same = {field.name for field in fields(Evaluation)} - {name}
        assert all(getattr(other, each) == getattr(plain, each) for each in same)


def test_an_empty_variant_is_the_evaluation_as_it_is() -> None:
    """Whatever else it is tried beside."""
    assert declared({"as it is": Variant()}).varied("as it is", Variant()) == declared()


def test_values_that_are_false_are_said_all_the_same() -> None:
    """Only ``None`` leaves a field as it is."""
    other = varied(
        Variant(system="", top_logprobs=0, think=False), system="S", top_logprobs=3, think=True
    )
    assert (other.system, other.top_logprobs, other.think) == ("", 0, False)


def test_options_go_over_those_of_the_evaluation() -> None:
    """What a variant does not name stays."""
    other = varied(Variant(options={"seed": 2}), options={"seed": 1, "temperature": 0})
    assert other.options == {"seed": 2, "temperature": 0}


def test_a_plain_name_is_the_label_that_is_declared_under_it() -> None:
    """Another order loses neither synonyms nor descriptions; a `Label` replaces one."""
    cat, dog = Label("cat", synonyms=("kitten",)), Label("dog", description="it barks")
    assert varied(Variant(labels=["dog", "cat"]), labels=[cat, dog]).given_labels == (dog, cat)
    plain = Label("dog")
    assert varied(Variant(labels=[plain, "cat"]), labels=[cat, dog]).given_labels == (plain, cat)


@pytest.mark.parametrize(
    ("variants", "message"),
    [
        ({"a|b": Variant()}, "variant 'a|b' has '|' in its name"),
        ({"a\nb": Variant()}, "has '\\n' in its name"),
        ({"a/b": Variant()}, "has '/' in its name"),
        ({"": Variant()}, "a variant is called '', which names nothing"),
        ({" ": Variant()}, "which names nothing"),
        ({3: Variant()}, "a variant is called 3"),
        ({" a": Variant()}, "variant ' a' has blanks at an end: write 'a'"),
        ({"x" * (LONGEST_NAME + 1): Variant()}, f"{LONGEST_NAME + 1} characters"),
        ({"No Example": Variant(), "no  example": Variant()}, "'No Example' and 'no  example'"),
        ({"ﬁne": Variant(), "fine": Variant()}, "take for one name"),
        ({"a": {"prompt": "Which?"}}, 'write a Variant, such as {"a": Variant('),
        ({"a": Variant(answer="enumm")}, ", variant 'a': answer='enumm' is not one of"),  # type: ignore[arg-type]
        ({"a": Variant(options={"temprature": 0})}, "did you mean 'temperature'?"),
        ({"a": Variant(image_size=0)}, ", variant 'a': image_size=0 is no number of pixels"),
        ({"a": Variant(image_size=True)}, "image_size=True is no number of pixels"),
        ({"a": Variant(system=3)}, "system=3 is no text"),  # type: ignore[arg-type]
        ({"a": Variant(labels="cat")}, "labels='cat' is one text; write a list"),
        ({"a": Variant(labels=["cat"])}, "variant 'a': labels= lacks dog: a variant is asked"),
        ({"a": Variant(labels=["cat", "dog", "cow"])}, "labels= adds cow"),
        ({"a": Variant(labels=["cat", "dog", "dog"])}, "labels= repeats dog"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(variants: dict[Any, Any], message: str) -> None:
    """The message names evaluation, variant, value and remedy."""
    with pytest.raises(SettingsError) as caught:
        declared(variants, labels=["cat", "dog"])
    assert str(caught.value).startswith("Evaluation('pets')")
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["no example", "temperature=0.5, seed=1", "Größe 336", "例なし"])
def test_names_are_what_people_write(name: str) -> None:
    """Blanks, figures and every script."""
    assert declared({name: Variant()}).variants


def test_a_gate_may_be_for_some_variants() -> None:
    """By pattern; one that no variant matches would judge nothing, and is refused."""
    gate = Gate("accuracy >= 0.8", variant="no *")
    assert gate.applies("ollama:llava", imported=False, variant="no example")
    assert not gate.applies("ollama:llava", imported=False, variant="example")
    assert not gate.applies("ollama:llava", imported=False)
    check_variant_names([gate, Gate("accuracy >= 0.8")], ["example", "no example"])
    with pytest.raises(SettingsError, match=r"variant 'no \*' is not one of example, other"):
        check_variant_names([gate], ["example", "other"])
    with pytest.raises(SettingsError, match="is not there, nor any other"):
        check_variant_names([gate], [""])


def test_a_task_is_told_with_its_variant() -> None:
    """And as ever without one."""
    assert TaskName("pets", "ollama:llava").configuration == "ollama:llava"
    named = TaskName("pets", "ollama:llava", "no example")
    assert named.configuration == "ollama:llava · no example"
    assert named.title == "pets · ollama:llava · no example"
    assert TaskName.in_json(named._asdict()) == named
    assert TaskName.in_json({"evaluation": "pets", "model": "m"}) == TaskName("pets", "m")


LONG = "Look at the animal in the middle of the image, and at nothing else. Which one is it?"


def test_a_grid_is_every_combination() -> None:
    """In the order of its fields, the last one first to change."""
    found = product(prompt={"short": "Which?", "long": LONG}, think=[False, "high"])
    assert found == {
        "short, think=off": Variant(prompt="Which?", think=False),
        "short, think=high": Variant(prompt="Which?", think="high"),
        "long, think=off": Variant(prompt=LONG, think=False),
        "long, think=high": Variant(prompt=LONG, think="high"),
    }
    assert declared(found).variants == found


@pytest.mark.parametrize(
    ("axes", "names"),
    [
        ({"modelfile": ["animals", Path("modelfiles/plain.Modelfile")]}, ["animals", "plain"]),
        ({"prompt": ["Which animal", LONG]}, ["Which animal", "prompt 2"]),
        ({"prompt": ["Which animal is it?", "a|b"]}, ["prompt 1", "prompt 2"]),
        ({"image_size": [None, 224]}, ["image_size as it is", "image_size=224"]),
        ({"options": [{}, {"temperature": 0.5, "seed": 1}]},
         ["options 1", "temperature=0.5, seed=1"]),
        ({"examples": [0, 2, Examples(count=3)]}, ["examples=0", "examples=2", "examples 3"]),
        ({"labels": [["cat", "dog"], ["dog", "cat"]]}, ["labels 1", "labels 2"]),
        ({"answer": ["text", "enum"]}, ["answer=text", "answer=enum"]),
        ({"reader": ["first", declared]}, ["reader=first", "declared"]),
    ],
)  # fmt: skip
def test_names_are_made_of_what_differs(axes: dict[str, Any], names: list[str]) -> None:
    """And all of them can stand in ids."""
    found = product(**axes)
    assert list(found) == names
    assert declared({name: Variant() for name in found}).variants


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({}, "product() has no values"),
        ({"promt": ["a"]}, "a variant has no promt; did you mean 'prompt'?"),
        ({"prompt": "Which?"}, "'Which?' is one value; write a list"),
        ({"think": True}, "True is one value; write a list"),
        ({"prompt": []}, "product(prompt=...) has no values"),
        ({"prompt": ["Which", "Which"]}, "has two values called 'Which'"),
    ],
)
def test_a_grid_that_cannot_be_meant_is_refused(axes: dict[str, Any], message: str) -> None:
    """A combination would silently replace another one."""
    with pytest.raises(SettingsError) as caught:
        product(**axes)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "name", "variant"),
    [
        ("short: prompt=Which?", "short", Variant(prompt="Which?")),
        ("as it is:", "as it is", Variant()),
        ("a: prompt=Which; or what = it?; think=on", "a",
         Variant(prompt="Which; or what = it?", think=True)),
        ("a:prompt=x=1;image_size=64", "a", Variant(prompt="x=1", image_size=64)),
        ("a: modelfile=modelfiles/b.Modelfile", "a", Variant(modelfile="modelfiles/b.Modelfile")),
        ("a: system=", "a", Variant(system="")),
        ("a: labels=dog, cat; answer=enum; top_logprobs=5; reader=last; examples=2", "a",
         Variant(labels=("dog", "cat"), answer="enum", top_logprobs=5, reader="last", examples=2)),
        ("a: options.temperature=0.5; options.seed=7; options.stop=.", "a",
         Variant(options={"temperature": 0.5, "seed": 7, "stop": ["."]})),
    ],
)  # fmt: skip
def test_a_variant_is_read_from_the_command_line(text: str, name: str, variant: Variant) -> None:
    """With the keys of its fields; a semicolon that no ``KEY=`` follows is part of a text."""
    assert parse_variant(text) == (name, variant)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prompt=Which?", "'prompt=Which?' has no colon behind a name: write NAME: KEY=VALUE"),
        ("a: Which?", "variant 'a': 'Which?' says no KEY=VALUE"),
        ("a: promt=Which?", "options.NAME; did you mean 'prompt'?"),
        ("a: prompt=Which; x=1?", "there is no 'x'; there are modelfile, system, prompt"),
        ("a: think=maybe", "variant 'a': 'maybe' is not one of off, on"),
        ("a: answer=enumm", "variant 'a': 'enumm' is not one of text, enum; did you mean 'enum'?"),
        ("a: reader=lst", "variant 'a': "),
        ("a: image_size=big", "variant 'a': 'big' is no whole number from 0 on"),
        ("a: examples=-1", "variant 'a': '-1' is no whole number from 0 on"),
        ("a: options.temprature=0", "did you mean 'options.temperature'?"),
        ("a: options.temperature=hot", "variant 'a': parameter temperature takes a number"),
        ("a: prompt=b; prompt=c", "variant 'a' says prompt twice"),
        ("a: options.seed=1; options.seed=2", "variant 'a' says options.seed twice"),
        ("a|b: prompt=c", "variant 'a|b' has '|' in its name"),
        (": prompt=c", "a variant is called '', which names nothing"),
    ],
)
def test_what_the_command_line_cannot_mean_is_refused(text: str, message: str) -> None:
    """With value and remedy."""
    with pytest.raises(SettingsError) as caught:
        parse_variant(text)
    assert message in str(caught.value)


def test_several_are_told_apart() -> None:
    """The same one twice is one; two of one name are not."""
    assert len(parse_variants(["a: prompt=b", "a: prompt=b", "c: prompt=b"])) == 2
    with pytest.raises(SettingsError, match="variant 'a' is said twice"):
        parse_variants(["a: prompt=b", "a: prompt=c"])
    with pytest.raises(SettingsError, match="take for one name"):
        parse_variants(["a: prompt=b", "A: prompt=c"])
