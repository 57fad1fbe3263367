"""Answers as models write them, and who reads what of them."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from pytest_llmclf.errors import SettingsError
from pytest_llmclf.prompting.labels import LabelSet
from pytest_llmclf.prompting.readers import (
    READERS,
    LabelOrReason,
    ReaderFailed,
    check_reader,
    read_label,
    reader_name,
    split_thinking,
)
from pytest_llmclf.runner.evaluation import Evaluation

HERE = Path(__file__).parent
SETS = {
    name: LabelSet.of(labels)
    for name, labels in json.loads((HERE / "label_sets.json").read_text("utf-8")).items()
}
ANSWERS: list[dict[str, Any]] = [
    json.loads(line)
    for name in (
        "answers.jsonl",
        "answers_fresh.jsonl",
        "answers_phrasings.jsonl",
        "answers_unseen.jsonl",
        "answers_held_out.jsonl",
    )
    for line in (HERE / name).read_text("utf-8").splitlines()
]
KINDS = sorted({line["kind"] for line in ANSWERS})
ANIMALS = SETS["animals"]
NOT_ASSERTED = (
    "This is not a {}.", "It isn't a {}.", "There is no {} here.", "No {} is visible.",
    "It may be a {}.", "It could be a {}, I'm not sure.", "Perhaps a {}.", "maybe {}",
    "It looks like a {}.", "similar to a {}", "a {} or something else",
    "either {} or something else", "Is it a {}?", "{}?", "Unlike a {}, this is a giraffe.",
    "I can't tell whether this is a {}.", "It is not clear whether it is a {}.",
    "I doubt that this is a {}.", "The image lacks a {}.", "This is anything but a {}.",
    "It is far from being a {}.", "I would not call it a {}.", "It is hardly a {}.",
    "If it is a {}, I cannot see it.", "The prompt mentions a {}.", "{}-like", "{}-shaped",
    "a {} costume", "a toy {}", "The answer is not {}.", "The label '{}' does not fit.",
    "{} is wrong.", "none of these, not even {}", "Rather than a {}, it is a giraffe.",
    "I suspect it is a {}.", "Can you tell me whether it is a {}?", "a {}, possibly",
    "a {} (unsure)", "It is a {}, but I am not sure.", "It is a {}? Hard to say.",
    "My guess would be {}, but I can't be sure.", "It is none of these:\n- {}",
)  # fmt: skip
ASSERTED = (
    "I'd go with {}.", "The answer is {}.", "Final answer: {}", "**{}** (95%)", "So it is {}.",
    "My answer is {}", "The correct option is {}.", "I choose {}.", "Result: {}.", "{}: 97%",
    "Although the image is blurry, it is {}.", "{} - typical shape", "Based on that I'd say {}.",
    "Analysis:\nThe shape is typical.\n\n{}", "If I had to choose, I'd pick {}.",
)  # fmt: skip
MOST_UNREAD = 0.03
"""Of the answers that the rules were written with and of fresh ones, together."""


def strictly(line: dict[str, Any]) -> str | None:
    labels = line["labels"]
    known = SETS[labels] if isinstance(labels, str) else LabelSet.of(labels)
    return read_label(line["answer"], known).label


@pytest.mark.parametrize("kind", KINDS)
def test_no_wrong_label(kind: str) -> None:
    """The strict reader reads what a careful person reads, or nothing."""
    lines = [line for line in ANSWERS if line["kind"] == kind]
    assert lines
    wrong = [line for line in lines if strictly(line) not in (None, line["expected"])]
    assert not wrong


def test_few_stay_unread() -> None:
    """At most 3% of over 300 answers that a careful person reads are not read."""
    readable = [line for line in ANSWERS if line["expected"] is not None]
    unread = [line for line in readable if strictly(line) is None]
    assert len(readable) > 300
    assert len(unread) <= MOST_UNREAD * len(readable), unread


@pytest.mark.parametrize("name", sorted(SETS))
def test_what_is_not_asserted_is_never_read(name: str) -> None:
    """Denied, doubted, compared, asked for or a part of another name: whatever the label is."""
    read = [
        text
        for label in SETS[name].names
        for text in (frame.format(label.replace("_", " ")) for frame in NOT_ASSERTED)
        if read_label(text, SETS[name]).label is not None
    ]
    assert not read


@pytest.mark.parametrize("name", sorted(SETS))
def test_what_is_asserted_is_read(name: str) -> None:
    """In sentences that fit any label, every label of every set is read."""
    wrong = [
        (text, label)
        for label in SETS[name].names
        for text in (frame.format(label) for frame in ASSERTED)
        if read_label(text, SETS[name]).label != label
    ]
    assert not wrong


def test_every_letter_is_read_alike() -> None:
    """A letter that is a word, too, is found where another letter is."""
    read: defaultdict[str, set[bool]] = defaultdict(set)
    labels = SETS["letters"]
    for frame in ("Answer: {}", "The letter is {}.", "{}", "It is the letter {}.", "Letter: {}"):
        for letter in labels.names:
            read[frame].add(read_label(frame.format(letter), labels).label == letter)
    assert all(found == {True} for found in read.values())


def test_separators_never_make_two_labels_equal() -> None:
    """Where another label has the same words, each is read by its own spelling alone."""
    labels = LabelSet.of(["sea_lake", "sea lake shore", "SeaLake", "t-shirt"])
    assert read_label("sea_lake", labels).label == "sea_lake"
    assert read_label("SeaLake", labels).label == "SeaLake"
    assert read_label("sea lake", labels).label is None
    assert read_label("T shirt", labels).label == "t-shirt"


def test_a_plural_is_no_other_label() -> None:
    """A label that is the plural of another one stays itself."""
    labels = LabelSet.of(["glass", "glasses", "cat"])
    assert read_label("glasses", labels).label == "glasses"
    assert read_label("a glass", labels).label == "glass"
    assert read_label("cats", labels).label == "cat"


@pytest.mark.parametrize(
    ("text", "first", "last", "contains"),
    [
        ("cat", "cat", "cat", "cat"),
        ("First a dog, then a cat.", "dog", "cat", None),
        ("Probably a cat, I would guess", "cat", "cat", "cat"),
        ("not a cat", "cat", "cat", "cat"),
        ("nothing known", None, None, None),
        ("<think>dog</think>It might be a cat", "cat", "cat", "cat"),
    ],
)
def test_simpler_readers(
    text: str, first: str | None, last: str | None, contains: str | None
) -> None:
    """First, last and only label, by rules that a name stands for."""
    found = [read_label(text, ANIMALS, reader=name).label for name in ("first", "last", "contains")]
    assert found == [first, last, contains]


def test_readers_say_why_not() -> None:
    """Every reader gives a label or a reason, for empty, cut and foreign answers too."""
    for name in READERS:
        assert read_label("", ANIMALS, reader=name).reason == "empty"
        assert read_label("a horseless", ANIMALS, reader=name).reason == "outside-the-list"
        assert read_label("It is a", ANIMALS, "length", reader=name).reason == "cut-off"
        assert read_label("x" * 30_000, ANIMALS, reader=name).label is None
    assert read_label("a dog and a cat", ANIMALS, reader="contains").reason == "several-labels"


def test_a_reader_of_ones_own() -> None:
    """A function gets text and labels and gives back a label, a reason or nothing."""

    def by_initial(text: str, labels: tuple[str, ...]) -> str | None:
        if text == "?":
            return "refusal"
        return next((label for label in labels if label.startswith(text[:2])), None)

    assert read_label("ca", ANIMALS, reader=by_initial) == LabelOrReason(label="cat", reason=None)
    assert read_label("?", ANIMALS, reader=by_initial).reason == "refusal"
    assert read_label("zz", ANIMALS, reader=by_initial).reason == "outside-the-list"
    assert reader_name(by_initial).endswith(":test_a_reader_of_ones_own.<locals>.by_initial")


def test_a_reader_that_fails_is_named() -> None:
    """What it raised or gave back is said, and by whom."""

    def raises(text: str, labels: tuple[str, ...]) -> str | None:  # noqa: ARG001
        raise KeyError("x")

    with pytest.raises(ReaderFailed, match=r"raises raised KeyError: 'x'"):
        read_label("cat", ANIMALS, reader=raises)
    with pytest.raises(ReaderFailed, match=r"'lion', which is neither a label nor one of empty"):
        read_label("cat", ANIMALS, reader=lambda *_: "lion")
    with pytest.raises(ReaderFailed, match="gave back 7"):
        read_label("cat", ANIMALS, reader=lambda *_: 7)  # type: ignore[arg-type]


def test_an_unknown_reader_is_refused() -> None:
    """A slip in the name is refused where it is written, with the nearest one."""
    with pytest.raises(SettingsError, match=r"'strickt' is not one of strict.*did you mean 'str"):
        Evaluation(dataset="x", modelfile="x", prompt="?", reader="strickt")
    with pytest.raises(SettingsError, match="neither a function nor"):
        check_reader(7)


@pytest.mark.parametrize(
    ("text", "thinking", "answer", "closed"),
    [
        ("cat", "", "cat", True),
        ("<think>a dog?</think>cat", "a dog?", "cat", True),
        ("a dog?\n</think>\ncat", "a dog?", "cat", True),
        ("<think>a dog?", "a dog?", "", False),
        ("cat <think>since it has whiskers</think>", "since it has whiskers", "cat", True),
        ("<think>a</think>b<think>c</think>d", "a\nb\nc", "d", True),
        ("<think>a</think>cat<think>b", "a\nb", "cat", False),
        ("I use <think> tags", "", "I use <think> tags", True),
        (
            "<|channel|>analysis<|message|>a dog?<|end|><|start|>a<|channel|>final<|message|>cat",
            "a dog?",
            "cat",
            True,
        ),
        ("<|channel|>analysis<|message|>a dog?", "a dog?", "", False),
    ],
)
def test_thinking_is_told_from_the_answer(
    text: str,
    thinking: str,
    answer: str,
    closed: bool,  # noqa: FBT001
) -> None:
    """Between tags, before a closing tag alone, and in channels."""
    found = split_thinking(text)
    assert (found.thinking, found.answer, found.closed) == (thinking, answer, closed)
