"""Labels that the instructions give as an example."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf import reference
from pytest_llmclf.analysis.diagnosis.instructions import (
    InstructionTexts,
    Standing,
    standings,
    with_others,
)
from pytest_llmclf.analysis.diagnosis.mistakes import told
from pytest_llmclf.cli import new
from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.prompting import modelfile
from pytest_llmclf.prompting.labels import Label
from pytest_llmclf.prompting.prompt import Instructions, compose
from pytest_llmclf.values.example_image import ExampleImage
from pytest_llmclf.values.request import MODELS_OWN_SYSTEM, ModelIdentity

if TYPE_CHECKING:
    from pytest_llmclf.metrics.report import Report

ANIMALS = (
    "butterfly",
    "cat",
    "chicken",
    "cow",
    "dog",
    "elephant",
    "horse",
    "sheep",
    "spider",
    "squirrel",
)
DIGITS = tuple("0123456789")
IDLE = ("one", "person", "1", "label", "picture", "list", "other")
FOLDER = Path(__file__).parents[2] / "modelfiles"
LISTED = "Choose one of " + ", ".join(ANIMALS) + "."
QUOTED = "The labels are " + ", ".join(f'"{animal}"' for animal in ANIMALS) + "."


def in_system(label: str, labels: tuple[str, ...], text: str) -> Standing | None:
    given = InstructionTexts(labels={name: (name,) for name in labels}, texts={"system": text})
    return standings(given).get(label)


@pytest.mark.parametrize(
    "text",
    [
        'Answer with a JSON such as {"label": "cat"}',
        'Answer with JSON only:\n{\n  "animal": "Cat"\n}',
        'Answer with JSON and no prose: {"label": "cat"}',
        "Answer with one word, for example: cat.",
        "Answer with one word, e.g. cat",
        "Answer with one word, e.g. cat, without punctuation.",
        'Answer with one word and not with a sentence, like "cat".',
        "Name the animal, such as\na cat.",
        "Answer like this: cat",
        'Say "cat".',
        'Reply with the word "cat" only.',
        "Example of an answer: cat",
        "What is it?\nAnswer: cat\n",
        "Output: Cat.",
        f'{LISTED} Answer with a JSON such as {{"label": "cat"}}',
        f'{QUOTED} Answer as in {{"label": "cat"}}',
        "For example, answer cat or dog.",
    ],
)
def test_examples_are_seen(text: str) -> None:
    """A label that is marked as an example is one, whatever else is listed."""
    assert in_system("cat", ANIMALS, text) == "system"
    assert in_system("cow", ANIMALS, text) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        LISTED,
        QUOTED,
        f"The picture shows an animal, such as: {', '.join(ANIMALS)}.",
        "You sort catalogues; concatenate nothing.",
        '{"label": "dog"}',
        '{"label": "cat|dog|cow|sheep|horse"}',
        "Mind that a cat may be hidden.",
        "It looks like a cat",
        'Never answer "cat".',
        'Do not say "cat" or "dog".',
        'Never answer with {"label": "cat"}.',
        "Avoid guesses, such as cat.".replace(",", ""),
        'Say "cat" if it is one.',
        'If you cannot tell, answer "cat".',
        "The word cat is short.",
        "Answer: one of cat, dog and the others",
    ],
)
def test_what_is_listed_forbidden_or_said_by_the_way_is_no_example(text: str) -> None:
    """A label that is named like all the others, for a case, or in an ordinary sentence."""
    assert in_system("cat", ANIMALS, text) is None


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        (DIGITS, "Think in 3 steps."),
        (DIGITS, "Think in 3 steps, for example 3 short ones."),
        (DIGITS, "never answer 3"),
        (DIGITS, 'Answer with 1 label; never answer "3".'),
        (DIGITS, "Digits from 0 to 9."),
        (DIGITS, "A digit, e.g. 0-9"),
        (DIGITS, "between 0 and 9"),
        (DIGITS, "Give 9.5 points"),
        (IDLE, "Answer with one label, like a person would."),
        (IDLE, "For example, one person may stand before another."),
        (IDLE, 'Answer as JSON: {"label": "<one label from this list>"}'),
        (tuple("abcdefgh"), "You see a letter, for example on a wall."),
    ],
)
def test_numbers_and_idle_words_are_no_examples(labels: tuple[str, ...], text: str) -> None:
    """Whatever the labels are, what an ordinary sentence says is none."""
    assert [in_system(label, labels, text) for label in labels] == [None] * len(labels)


def test_numbers_and_letters_may_be_examples() -> None:
    """The 3 of an example counts, quoted or not, and the label "a" as the value of a key."""
    assert in_system("3", DIGITS, 'Answer with JSON: {"digit": 3}') == "system"
    assert in_system("3", DIGITS, 'Digits from 0 to 9. Answer {"label": "3"}.') == "system"
    letters = tuple("abcdefgh")
    assert in_system("a", letters, 'You see a letter. Answer {"label": "a"}') == "system"


def test_a_synonym_is_its_label() -> None:
    """An example in other words is an example of the same label."""
    given = InstructionTexts(
        labels={"dog": ("dog", "hound"), "cat": ("cat",), "cow": ("cow",)},
        texts={"prompt": "Which animal? Answer with one word, e.g. hound."},
    )
    assert standings(given).get("dog") == "prompt"


def test_example_turns_count_unless_they_show_all() -> None:
    """One turn makes an example; a turn for every label makes none."""
    labels = {name: (name,) for name in ANIMALS}
    assert standings(InstructionTexts(labels=labels, answers=["Cat."])).get("cat") == "turns"
    assert standings(InstructionTexts(labels=labels, answers=["dog"])).get("cat") is None
    assert standings(InstructionTexts(labels=labels, answers=ANIMALS)).get("cat") is None


def reported(told_so: Instructions, details: dict[str, str]) -> Report:
    return build(
        evaluation="pets",
        model="ollama:llava",
        dataset=DatasetFacts(name="pets", content_hash="", labels=("cat", "dog", "cow")),
        outcomes=(),
        identity=ModelIdentity(
            backend="ollama", name="llava", digest="", server="", details=details
        ),
        full_instructions=told_so,
    )


@pytest.mark.parametrize(
    ("system", "question", "turns", "own", "place"),
    [
        ('Answer such as {"label": "cat"}', "Which?", (), "", "system"),
        (None, "Which? Answer with one word, e.g. cat.", (), "", "prompt"),
        (None, "Which?", (("user", "Which?"), ("assistant", "cat")), "", "turns"),
        (None, "Which?", (), 'Reply with a word like "cat".', "base"),
        # A SYSTEM text of the Modelfile takes the place of the model's own.
        ("You sort.", "Which?", (), 'Reply with a word like "cat".', None),
        (None, "Which?", (("user", "such as cat"),), "", None),
    ],
)
def test_every_place_is_looked_at(
    system: str | None,
    question: str,
    turns: tuple[tuple[str, str], ...],
    own: str,
    place: Standing | None,
) -> None:
    """SYSTEM text, prompt, MESSAGE turns, and the SYSTEM text that a base model has of its own."""
    labels = tuple(Label(name) for name in ("cat", "dog", "cow"))
    whole = Instructions(
        system=system, turns=turns, question=question, labels=labels, prompt=question
    )
    assert standings(told(reported(whole, {MODELS_OWN_SYSTEM: own}))).get("cat") == place


def test_the_label_of_the_only_example_images_is_an_example() -> None:
    """Images of one label stand for it; images of all labels for none."""
    labels = tuple(Label(name) for name in ("cat", "dog", "cow"))
    shown = [
        ExampleImage(file="", label=one.name, answer="", sha256="", sent="", media_type="")
        for one in labels
    ]
    whole = Instructions(question="Which?", labels=labels, prompt="Which?")
    for examples, place in ((shown[:1] * 2, "examples"), (shown, None)):
        given = told(reported(replace(whole, examples=tuple(examples)), {}))
        assert standings(given).get("cat") == place


def test_what_is_known_of_the_published_prompts_is_read() -> None:
    """Only which label was the example was published, and that is said."""
    for name, label in (("animals", "cat"), ("mnist", "3")):
        given = told(reference.published(name))
        assert list(standings(given)) == [label]


def own_texts() -> list[str]:
    """What the package writes into Modelfiles and prompts."""
    texts = [modelfile.load(path).system or "" for path in sorted(FOLDER.glob("*.Modelfile"))]
    template = new._MODELFILE.format(
        name="x",
        identifier="x",
        base="llava",
        tokens=24,
        labels="2 labels",
        context=4096,
        system=modelfile.SYSTEM,
    )
    return [*texts, modelfile.parse(template, "new").system or ""]


@pytest.mark.parametrize("text", own_texts())
def test_own_texts_single_nothing_out(text: str) -> None:
    """Whatever their words: no word that the package writes itself is an example, as any label."""
    assert text
    words = tuple(dict.fromkeys(re.findall(r"\w+", text.casefold())))
    for labels in (ANIMALS, DIGITS, IDLE, words, *((word, "x", "y", "z") for word in words)):
        assert [in_system(label, labels, text) for label in labels] == [None] * len(labels)


@pytest.mark.parametrize("mode", ["text", "enum"])
def test_the_list_and_its_closing_single_nothing_out(mode: str) -> None:
    """Nor does what is put around the question."""
    from pytest_llmclf.prompting.labels import LabelSet

    labels = LabelSet.of(IDLE)
    text = compose("Which label fits this picture?", labels, mode)  # type: ignore[arg-type]
    assert [in_system(label, IDLE, text) for label in IDLE] == [None] * len(IDLE)


def test_long_instructions_are_read_fast() -> None:
    """Time grows with the text, not with its square: a quarter of a megabyte is read."""
    assert in_system("cat", ANIMALS, "\"' : { like e.g. " * 15_000) is None


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        (
            'Answer with a JSON such as {"label": "cat"}',
            'Answer with a JSON such as {"label": "dog"}',
        ),
        (f"{LISTED} Example of an answer: cat", f"{LISTED} Example of an answer: dog"),
        ("A cat on a mat. Say 'Cat'.", "A cat on a mat. Say 'Dog'."),
        ("Straße, Bälle: one word, e.g. cat", "Straße, Bälle: one word, e.g. dog"),
        (LISTED, LISTED),
        ("A bobcat is a cat.", "A bobcat is a cat."),
    ],
)
def test_nothing_but_the_example_is_exchanged(text: str, changed: str) -> None:
    """Another label stands in its place; lists and other words stay what they are."""
    given = InstructionTexts(labels={name: (name,) for name in ANIMALS}, texts={"system": text})
    texts, _ = with_others(given, {"cat": "dog"})
    assert texts == {"system": changed}


def test_a_digit_is_exchanged_where_it_is_the_example_alone() -> None:
    """Steps and ranges keep their numbers."""
    text = "Think in 3 steps. Digits 0 to 9. For example, say: 3"
    given = InstructionTexts(labels={name: (name,) for name in DIGITS}, texts={"system": text})
    texts, _ = with_others(given, {"3": "7"})
    assert texts["system"] == "Think in 3 steps. Digits 0 to 9. For example, say: 7"


def test_example_turns_are_exchanged() -> None:
    """What the turns let the model say is another label then."""
    given = InstructionTexts(labels={name: (name,) for name in ANIMALS}, answers=["Cat.", "cat"])
    assert with_others(given, {"cat": "dog"}) == ({}, ("Dog.", "dog"))
