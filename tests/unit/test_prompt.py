"""The prompt has one exact form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf.errors import SettingsError
from pytest_llmclf.prompting.labels import Label, LabelSet
from pytest_llmclf.prompting.prompt import AnswerMode, answer_schema, compose
from pytest_llmclf.prompting.readers import read_label

LABELS = LabelSet(
    labels=(
        Label(name="bishop", description="a slim piece\n   with a slit in its head"),
        Label(name="king", synonyms=("♔", "♚")),
        Label(name="rook", synonyms=("castle",), description="a tower"),
        Label(name="3"),
    )
)


def test_text() -> None:
    """Question, labels in order with synonyms and description, and how to answer."""
    assert compose("  Which piece\nis this? ", LABELS, "text") == (
        "Which piece\n"
        "is this?\n"
        "\n"
        "Labels:\n"
        "- bishop: a slim piece with a slit in its head\n"
        "- king (also: ♔, ♚)\n"
        "- rook (also: castle): a tower\n"
        "- 3\n"
        "\n"
        "Answer with exactly one label from this list."
    )


def test_enum() -> None:
    """JSON is asked for in the last line alone."""
    text, enum = compose("Q", LABELS, "text"), compose("Q", LABELS, "enum")
    assert enum.splitlines()[:-1] == text.splitlines()[:-1]
    assert enum.splitlines()[-1] == 'Answer as JSON: {"label": "<one label from this list>"}'


def test_schema() -> None:
    """The schema allows the labels' names and nothing else."""
    assert answer_schema(LABELS, "text") is None
    assert answer_schema(LABELS, "enum") == {
        "type": "object",
        "properties": {"label": {"type": "string", "enum": ["bishop", "king", "rook", "3"]}},
        "required": ["label"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize("question", ["", " \n"])
def test_empty_question(question: str) -> None:
    """An empty prompt is an error with an example."""
    with pytest.raises(SettingsError, match='the prompt is empty: ask something, such as prompt="'):
        compose(question, LABELS, "text")


@given(st.permutations(LABELS.labels), st.sampled_from(["text", "enum"]))
def test_no_label_stands_out(labels: list[Label], mode: AnswerMode) -> None:
    """Each label has one line, in the order of the set, and is no example anywhere else."""
    lines = compose("Which one?", LabelSet(labels=tuple(labels)), mode).splitlines()
    assert [line.removeprefix("- ").split(" (")[0].split(":")[0] for line in lines[3:-2]] == [
        label.name for label in labels
    ]
    assert not any(label.name in line for label in labels for line in (*lines[:3], *lines[-2:]))


def test_template_is_no_answer() -> None:
    """A model that repeats the form that it was shown has named nothing."""
    echoed = '{"label": "<one label from this list>"}'
    assert read_label(echoed, LABELS).reason == "outside-the-list"
