"""Random prompts around the shapes that the plugin sends, with the answers they deserve."""

from __future__ import annotations

import string
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import wording
from config import TASKS, UNKNOWN

if TYPE_CHECKING:
    import random

BARE, QUOTED, JSON_TEXT, JSON_NUMBER = "bare", "quoted", "json", "json-number"


@dataclass(frozen=True)
class Prompt:
    """One way of asking: what stands around the picture, and which answers are fair.

    Attributes:
        task: The task asked about, or None when the labels belong to no task.
        before: Text of the conversation up to the picture.
        after: Text from the picture to where the answer starts.
        wants_json: Whether the last line asks for JSON.
        labels: The labels on offer.
    """

    task: str | None
    before: str
    after: str
    wants_json: bool
    labels: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Piece:
    """A stretch of the answer and how firmly the model is taught to write it, 0 to 1."""

    text: str
    taught: float


HINT = 0.04
"""How firmly a form that was not asked for is taught: likelier than blanks, no likelier."""


def pseudo_word(rng: random.Random) -> str:
    """A word that means nothing."""
    return "".join(rng.choice(string.ascii_lowercase) for _ in range(rng.randint(2, 8)))


def choose_labels(rng: random.Random, task: str, truth: str) -> list[str]:
    """The task's labels: usually all, sometimes some, in any order."""
    labels = list(TASKS[task])
    if rng.random() < 0.15:
        kept = rng.sample(labels, rng.randint(2, len(labels)))
        labels = [label for label in labels if label in kept or label == truth]
    if rng.random() < 0.35:
        rng.shuffle(labels)
    return labels


def foreign_labels(rng: random.Random) -> tuple[tuple[str, str], list[str]]:
    """Labels that the model knows nothing about, with their nouns."""
    nouns = rng.choice(tuple(wording.FOREIGN))
    labels = list(wording.FOREIGN[nouns])
    labels = rng.sample(labels, rng.randint(2, len(labels)))
    if rng.random() < 0.35:
        labels = [pseudo_word(rng) for _ in range(rng.randint(2, 9))]
        nouns = nouns if rng.random() < 0.5 else (pseudo_word(rng), pseudo_word(rng))
    return nouns, labels


def list_item(rng: random.Random, label: str, described: bool, named: bool) -> str:
    """One line of a label list."""
    item = f"- {label}"
    if named and rng.random() < 0.8:
        names = wording.SYNONYMS.get(label) or (pseudo_word(rng),)
        item += f" (also: {', '.join(rng.sample(names, rng.randint(1, len(names))))})"
    if described:
        texts = wording.DESCRIPTIONS.get(label, ())
        words = " ".join(pseudo_word(rng) for _ in range(rng.randint(1, 5)))
        item += f": {rng.choice(texts) if texts and rng.random() < 0.75 else words}"
    return item


def label_section(rng: random.Random, labels: list[str]) -> str:
    """The label list, as lines or in a sentence."""
    if rng.random() < 0.8:
        described, named = rng.random() < 0.18, rng.random() < 0.12
        lines = [list_item(rng, label, described, named) for label in labels]
        return "\n".join([rng.choice(wording.HEADERS), *lines])
    return rng.choice(wording.INLINE).replace("{all}", ", ".join(labels))


def system_text(rng: random.Random, one: str, many: str, certain: bool) -> str | None:
    """Two to four sentences, or none."""
    if not certain and rng.random() < 0.2:
        return None
    persona = rng.choice(
        wording.PERSONAS if certain or rng.random() < 0.85 else wording.PLAIN_PERSONAS
    )
    sentences = [persona]
    if rng.random() < 0.75:
        sentences.append(rng.choice(wording.INSTRUCTIONS))
    sentences += rng.sample(wording.RULES, rng.randint(0, 2))
    if rng.random() < 0.2:
        sentences.insert(rng.randrange(len(sentences) + 1), filler(rng))
    joint = "\n" if rng.random() < 0.35 else " "
    return joint.join(sentences).replace("{one}", one).replace("{many}", many)


def filler(rng: random.Random) -> str:
    """A sentence that should change nothing."""
    if rng.random() < 0.5:
        return rng.choice(wording.FILLERS)
    return " ".join(pseudo_word(rng) for _ in range(rng.randint(2, 8))).capitalize() + "."


def user_text(
    rng: random.Random, one: str, many: str, labels: list[str], listed: bool
) -> tuple[str, bool]:
    """The question, the labels and the last line; and whether JSON is asked for."""
    plain = listed and rng.random() < 0.08
    question = rng.choice(wording.PLAIN_QUESTIONS if plain else wording.QUESTIONS)
    parts = [question]
    if rng.random() < 0.12:
        parts.insert(rng.randrange(2), filler(rng))
    if listed:
        parts.append(label_section(rng, labels))
    wants_json = rng.random() < 0.25
    if wants_json or rng.random() < 0.85:
        parts.append(rng.choice(wording.JSON_ENDINGS if wants_json else wording.ENDINGS))
    joint = "\n\n" if rng.random() < 0.8 else "\n"
    return joint.join(parts).replace("{one}", one).replace("{many}", many), wants_json


def make_prompt(rng: random.Random, task: str | None, truth: str) -> Prompt:
    """A random prompt for a task, or about labels of no task when it is None."""
    if task is None:
        (one, many), labels = foreign_labels(rng)
        listed = True
    else:
        one, many = rng.choice(wording.NOUNS[task])
        labels = choose_labels(rng, task, truth)
        listed = rng.random() < 0.9
    system = system_text(rng, one, many, certain=not listed)
    user, wants_json = user_text(rng, one, many, labels, listed)
    return lay_out(rng, system, user, task=task, wants_json=wants_json, labels=tuple(labels))


def lay_out(
    rng: random.Random,
    system: str | None,
    user: str,
    *,
    task: str | None,
    wants_json: bool,
    labels: tuple[str, ...],
) -> Prompt:
    """Put the parts into the chat template, with the picture before or after the text."""
    head = f"<|im_start|>system\n{system}<|im_end|>\n" if system is not None else ""
    head += "<|im_start|>user\n"
    tail = "<|im_end|>\n<|im_start|>assistant\n"
    # llama.cpp sets no newline beside a picture, other servers set one.
    joint = "\n" if rng.random() < 0.3 else ""
    if rng.random() < 0.5:
        return Prompt(task, head, f"{joint}{user}{tail}", wants_json, labels)
    return Prompt(task, f"{head}{user}{joint}", tail, wants_json, labels)


def answer_pieces(
    rng: random.Random, prompt: Prompt, label: str, usual_share: float
) -> tuple[Piece, ...]:
    """An answer, in the form asked for or in one that a grammar may force.

    In a forced form the model is taught how to go on, and hardly to start that way of its own
    accord.
    """
    numeric = label.isdigit()
    usual = JSON_TEXT if prompt.wants_json else BARE
    forms = (BARE, QUOTED, JSON_TEXT, JSON_NUMBER) if numeric else (BARE, QUOTED, JSON_TEXT)
    form = usual if rng.random() < usual_share else rng.choice(forms)
    start = 1.0 if form == usual else HINT
    if form == BARE:
        # Bare although JSON was asked for: only a grammar brings that about.
        return (Piece(label, start),)
    if form == QUOTED:
        return Piece('"', start), Piece(f'{label}"', 1.0)
    if form == JSON_NUMBER:
        return Piece('{"', start), Piece('label":', 1.0), Piece(f" {label}}}", 0.5)
    if form == usual or rng.random() < 0.5:
        return Piece('{"', start), Piece('label": "', 1.0), Piece(f'{label}"}}', 1.0)
    return odd_json(rng, label)


def odd_json(rng: random.Random, label: str) -> tuple[Piece, ...]:
    """JSON with another key or other blanks than the usual ones; only the label is taught."""
    key = "label" if rng.random() < 0.6 else rng.choice(("answer", "class", "name"))
    opening = rng.choice(("{", "{ ", "{\n  ", "{\n"))
    colon = rng.choice((": ", ":", ": ", ":\n"))
    closing = {"{ ": " }", "{\n  ": "\n}", "{\n": "\n}"}.get(opening, "}")
    return (
        Piece(f'{opening}"{key}"{colon}"', 0.0),
        Piece(f'{label}"{closing}', 1.0),
    )


def whole_words() -> list[str]:
    """What the tokenizer must hold as one token: each label bare and after a space."""
    words = [label for labels in TASKS.values() for label in labels] + [UNKNOWN, "label"]
    return [*words, *(f" {word}" for word in words)]
