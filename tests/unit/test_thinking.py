"""What a model thought is kept apart from its answer, in one place, and never read as one."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf.errors import SettingsError
from pytest_llmclf.models.http.redact import HIDDEN, Redactor
from pytest_llmclf.prompting.label_probabilities import class_probabilities
from pytest_llmclf.prompting.labels import LabelSet
from pytest_llmclf.prompting.readers import READERS, read_answer
from pytest_llmclf.reporting.columns import row
from pytest_llmclf.runner.answer_cache import AnswerStore
from pytest_llmclf.runner.answer_cache_mend import WITHOUT_ERRORS
from pytest_llmclf.runner.evaluation import Evaluation
from pytest_llmclf.values.answer import Answer, TokenLogprob
from pytest_llmclf.values.outcome import Outcome
from pytest_llmclf.values.request import ModelIdentity
from pytest_llmclf.values.thinking import LEVELS, check_think, parse_think, think_word

if TYPE_CHECKING:
    from pathlib import Path

ANIMALS = LabelSet.of(["cat", "dog"])
TAGGED = [
    ("<think>\nA dog?\n</think>\n\ncat", "A dog?", "cat"),
    ("<think>\n\n</think>\n\ncat", "", "cat"),
    ("It could be a dog, hm.\n</think>\ncat", "It could be a dog, hm.", "cat"),
    ("◁think▷a dog◁/think▷cat", "a dog", "cat"),
    ("<thinking>dog</thinking>cat", "dog", "cat"),
    ("<|channel|>analysis<|message|>dog<|end|><|channel|>final<|message|>cat", "dog", "cat"),
    ("[THINK]dog[/THINK]cat", "dog", "cat"),
    ("<think>a dog, since", "a dog, since", ""),
    ("<think>", "<think>", ""),
    ("cat", "", "cat"),
    (" cat\n", "", " cat\n"),
    ("I use <think> tags", "", "I use <think> tags"),
]


@pytest.mark.parametrize(("text", "thinking", "answer"), TAGGED)
def test_tags_in_the_text_are_told_from_the_answer(text: str, thinking: str, answer: str) -> None:
    """However an answer is made: of a server's text, of a file, or by changing another."""
    made = Answer(text=text)
    assert (made.thinking, made.text) == (thinking, answer)
    # An earlier version kept the whole text.
    assert Answer.from_json({"text": text}) == made
    assert replace(Answer(text="x"), text=text) == made


def test_a_field_of_the_servers_comes_first() -> None:
    """What stands there and what stands in the text are both thinking."""
    answer = Answer(text="more</think>cat", thinking="first")
    assert (answer.thinking, answer.text) == ("first\nmore", "cat")
    assert Answer(text="cat", thinking=" \n").thought is False
    assert Answer(text="cat", thinking_tokens=12).thought is True


pieces = st.sampled_from(
    ["<think>", "</think>", "cat", " ", "\n", "◁think▷", "◁/think▷", "<|channel|>final<|message|>",
     "<|channel|>analysis<|message|>", "<|end|>", "[/THINK]", "dog"]
)  # fmt: skip


@given(st.lists(pieces, max_size=9).map("".join), st.sampled_from(["", "dog"]))
def test_it_survives_a_file(text: str, thinking: str) -> None:
    """What was told apart stays so, through JSON and back."""
    made = Answer(text=text, thinking=thinking)
    assert Answer.from_json(json.loads(json.dumps(made.to_json()))) == made
    assert Answer(text=made.text).text == made.text


def test_an_answer_without_thinking_is_written_as_before() -> None:
    """Files of versions that know no thinking stay readable by them, and equal."""
    assert not {"thinking", "thinking_tokens"} & set(Answer(text="cat").to_json())
    thought = Answer(text="cat", thinking="hm", thinking_tokens=3)
    assert Answer.from_json(thought.to_json()) == thought
    with pytest.raises(ValueError, match="thinking"):
        Answer.from_json({"text": "cat", "thinking": 3})


@pytest.mark.parametrize("reader", [*READERS, lambda text, _: text or None])
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(text="", thinking="It is a cat", finish="length"), "cut-off-in-thinking"),
        (Answer(text="", thinking="cat", finish="stop"), "thinking-only"),
        (Answer(text=" \n", thinking="cat", finish="other"), "thinking-only"),
        (Answer(text="<think>It is a cat", finish="length"), "cut-off-in-thinking"),
        (Answer(text="<think>cat</think>", finish="stop"), "thinking-only"),
        (Answer(text="", thinking_tokens=24, finish="length"), "cut-off-in-thinking"),
        (Answer(text="", finish="stop"), "empty"),
    ],
)
def test_thinking_is_never_read(answer: Answer, reason: str, reader: Any) -> None:
    """By no reader; why there is no label is told by how the answer ended."""
    found = read_answer(answer, ANIMALS, reader=reader)
    assert (found.label, found.reason) == (None, reason)


def test_the_label_is_read_from_the_answer() -> None:
    """Whatever was thought before."""
    answer = Answer(text="cat", thinking="dog dog dog")
    assert all(read_answer(answer, ANIMALS, reader=name).label == "cat" for name in READERS)


def token(text: str, probability: float = 0.9, other: str = "dog") -> TokenLogprob:
    from math import log

    top = ((text, log(probability)), (other, log(1 - probability)))
    return TokenLogprob(token=text, logprob=log(probability), top=top)


@pytest.mark.parametrize(
    "before",
    [
        ("<think>", "cat", "?", "</think>"),
        ("<think>", "cat", "</think>", "\n\n"),
        ("cat", "? ", "</think>"),
        # The tags may be no text of their own.
        ("Is it a ", "cat", "?"),
        (),
    ],
)
def test_probabilities_are_those_behind_the_thinking(before: tuple[str, ...]) -> None:
    """Though the same word stands in it, with another probability."""
    tokens = tuple(token(text, 0.6) for text in before)
    thinking = "".join(before).replace("<think>", "").replace("</think>", "").strip()
    answer = Answer(text="cat", thinking=thinking, logprobs=(*tokens, token("cat", 0.8)))
    found = class_probabilities(answer, ANIMALS)
    assert found is not None
    assert found.confidence == pytest.approx(0.8)


def test_tokens_of_the_thinking_alone_say_nothing() -> None:
    """Where a server tells no token of the answer, nothing is known of it."""
    inside = Answer(text="cat", thinking="a cat", logprobs=(token("a "), token("cat", 0.6)))
    assert class_probabilities(inside, ANIMALS) is None
    unclosed = Answer(text="cat", logprobs=(token("<think>"), token("cat", 0.6)))
    assert class_probabilities(unclosed, ANIMALS) is None


def test_an_answer_in_front_of_its_reasons() -> None:
    """Has its probabilities in front of them."""
    tokens = (token("cat", 0.8), token("<think>"), token("cat", 0.6), token("</think>"))
    answer = Answer(text="cat<think>cat</think>", logprobs=tokens)
    found = class_probabilities(answer, ANIMALS)
    assert answer.text == "cat"
    assert found is not None
    assert found.confidence == pytest.approx(0.8)


def test_a_key_in_the_thinking_is_hidden() -> None:
    """As in the answer, and with it the tokens that spell it."""
    answer = Answer(text="cat", thinking="I was given sk-very-secret", logprobs=(token("cat"),))
    hidden = Redactor(["sk-very-secret"]).answer(answer)
    assert hidden.thinking == f"I was given {HIDDEN}"
    assert hidden.text == "cat"
    assert hidden.logprobs is None


def test_tables_and_lines_have_it() -> None:
    """In columns of its own; and a line about an image whose answer is missing shows it."""
    answer = Answer(text="", thinking="a cat", finish="length", answer_tokens=9, thinking_tokens=9)
    outcome = Outcome(
        evaluation="e", model="m", model_digest="", case="c", sha256="", expected="cat",
        kind="unparsed", reason="cut-off-in-thinking", answer=answer,
    )  # fmt: skip
    shown = row(outcome)
    assert (shown["answer"], shown["thinking"], shown["thinking_tokens"]) == ("", "a cat", 9)
    assert outcome.summary() == (
        'expected cat, no label (cut-off-in-thinking), answered nothing after thinking "a cat"'
    )


@pytest.mark.parametrize("value", ["max", "off", 1, 0, "Low", []])
def test_what_cannot_be_said_about_thinking_is_refused(value: Any) -> None:
    """Where it is declared, with what can."""
    with pytest.raises(SettingsError, match="'low', 'medium', 'high', None"):
        Evaluation(dataset="d", modelfile="m", prompt="p", think=value)


def test_words_for_it() -> None:
    """Each value has a word that is understood on the command line."""
    for value in (False, True, *LEVELS):
        check_think(value)
        assert parse_think(think_word(value).upper()) == value
    with pytest.raises(SettingsError, match="did you mean 'medium'"):
        parse_think("mediun")


def test_thought_that_an_earlier_version_lost_is_asked_for_anew(tmp_path: Path) -> None:
    """Once: answers under the same digest are without thinking from now on."""
    path = tmp_path / "answers.sqlite"
    kept = Answer(text="cat", answer_tokens=2)
    answers = {
        ("openai", "a"): Answer(text="", answer_tokens=24, finish="length"),
        ("openai", "b"): Answer(text="hm</think>cat", answer_tokens=9),
        ("openai", "c"): kept,
        ("ollama", "d"): Answer(text="", answer_tokens=24, finish="length"),
    }
    with AnswerStore(path) as store:
        for (backend, digest), answer in answers.items():
            identity = ModelIdentity(backend=backend, name="m", digest="d")
            store.put(digest * 64, identity, answer)
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA application_id = {WITHOUT_ERRORS}")
    connection.close()
    for _ in range(2):
        with AnswerStore(path) as store:
            found = {digest for _, digest in answers if store.get(digest * 64) is not None}
            assert found == {"c", "d"}
            assert store.get("c" * 64) == kept
            identity = ModelIdentity(backend="openai", name="m", digest="d")
            store.put("e" * 64, identity, answers["openai", "a"])
    with AnswerStore(path) as store:
        assert store.get("e" * 64) == answers["openai", "a"]
