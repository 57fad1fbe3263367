"""Answers: as the server gave them, and JSON there and back."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf.values.answer import Answer, TokenLogprob

logprobs = st.builds(
    TokenLogprob,
    token=st.text(max_size=5),
    logprob=st.floats(-1e4, 0),
    top=st.lists(st.tuples(st.text(max_size=5), st.floats(-1e4, 0)), max_size=3).map(tuple),
)
seconds = st.none() | st.floats(0, 1e6)
answers = st.builds(
    Answer,
    text=st.text(max_size=50),
    finish=st.sampled_from(["stop", "length", "other"]),
    prompt_tokens=st.none() | st.integers(0, 10**6),
    answer_tokens=st.none() | st.integers(0, 10**6),
    server_s=seconds,
    load_s=seconds,
    wall_s=seconds,
    logprobs=st.none() | st.lists(logprobs, max_size=3).map(tuple),
    asked_without=st.lists(st.text(max_size=5), max_size=2).map(tuple),
    thinking=st.text(max_size=20),
    thinking_tokens=st.none() | st.integers(0, 10**6),
    label=st.none() | st.text(min_size=1, max_size=5),
    probabilities=st.none()
    | st.dictionaries(st.text(max_size=5), st.floats(0, 1), min_size=1, max_size=3),
)


@given(answers)
def test_an_answer_is_read_back(answer: Answer) -> None:
    """Through JSON text, with every field and type."""
    assert Answer.from_json(json.loads(json.dumps(answer.to_json()))) == answer


def test_an_answer_from_an_older_run_is_read() -> None:
    """What was not known when it was stored has its default."""
    assert Answer.from_json({"text": "cat"}) == Answer(text="cat")


def test_no_log_probabilities_is_not_none_at_all() -> None:
    """A server that gives none differs from an answer without a token."""
    empty = Answer(text="", logprobs=())
    assert Answer.from_json(json.loads(json.dumps(empty.to_json()))) == empty
    assert empty != Answer(text="", logprobs=None)
