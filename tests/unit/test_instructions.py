"""Labels that the instructions single out."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_llmclf import modelfile
from pytest_llmclf.diagnosis.instructions import standing

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
FOLDER = Path(__file__).parents[2] / "modelfiles"
LISTED = "Choose one of " + ", ".join(ANIMALS) + "."
QUOTED = "The labels are " + ", ".join(f'"{animal}"' for animal in ANIMALS) + "."


@pytest.mark.parametrize(
    "text",
    [
        'Answer with a JSON such as {"label": "cat"}',
        'Answer with JSON only:\n{\n  "animal": "Cat"\n}',
        "Answer with one word, for example: cat.",
        "Answer with one word, e.g. cat",
        "Name the animal, such as\na cat.",
        "Answer like this: cat",
        'Say "cat" if it is one.',
        "You sort pictures.\nuser: What is it?\nassistant: cat",
        f'{LISTED} Answer with a JSON such as {{"label": "cat"}}',
        f'{QUOTED} Answer as in {{"label": "cat"}}',
        "For example, answer cat or dog.",
    ],
)
def test_examples_are_seen(text: str) -> None:
    """A label that is marked as an example is one, whatever else is listed."""
    assert standing("cat", ANIMALS, text) == "example"
    assert standing("cow", ANIMALS, text) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        LISTED,
        QUOTED,
        f"The picture shows an animal, such as: {', '.join(ANIMALS)}.",
        "You sort catalogues; concatenate nothing.",
        "\n".join(f"user: Which?\nassistant: {animal}" for animal in ANIMALS),
        '{"label": "dog"}',
        '{"label": "cat|dog|cow|sheep|horse"}',
    ],
)
def test_labels_among_many_are_no_examples(text: str) -> None:
    """A label that is named like all the others is not singled out, nor a part of a word."""
    assert standing("cat", ANIMALS, text) is None


def test_a_label_named_alone_is_named() -> None:
    """A label in plain words counts where hardly any other is named."""
    assert standing("cat", ANIMALS, "Mind that a cat may be hidden.") == "named"
    assert standing("cat", ("cat", "dog"), "You tell a cat from a dog.") is None


def test_numbers_are_examples_but_ranges_are_none() -> None:
    """The 3 of an example counts, quoted or not; the ends of 0 to 9 do not."""
    assert standing("3", DIGITS, 'Answer with JSON: {"digit": 3}') == "example"
    assert standing("3", DIGITS, 'Digits from 0 to 9. Answer {"label": "3"}.') == "example"
    for text in ("Digits from 0 to 9.", "A digit, e.g. 0-9", "between 0 and 9", "Give 9.5 points"):
        assert standing("9", DIGITS, text) is None


def test_articles_are_no_labels_in_a_sentence() -> None:
    """The label "a" is not named by an article; as the value of a JSON key it is."""
    letters = tuple("abcdefgh")
    assert standing("a", letters, "You see a letter, for example on a wall.") is None
    assert standing("a", letters, 'You see a letter. Answer {"label": "a"}') == "example"


def test_what_looks_like_something_is_no_example() -> None:
    """In "looks like" the word announces no example; the label is merely named."""
    assert standing("dog", ANIMALS, "It looks like a dog") == "named"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.Modelfile")), ids=lambda path: path.stem)
def test_own_modelfiles_single_nothing_out(path: Path) -> None:
    """The Modelfiles that come along name no label in their SYSTEM text."""
    text = modelfile.load(path).system
    assert text
    for labels in (ANIMALS, DIGITS, ("bishop", "king", "knight", "pawn", "queen", "rook")):
        assert [standing(label, labels, text) for label in labels] == [None] * len(labels)


def test_long_instructions_are_read_fast() -> None:
    """Time grows with the text, not with its square: a megabyte of quotes is read."""
    assert standing("cat", ANIMALS, "\"' : { like e.g. " * 60_000) is None
