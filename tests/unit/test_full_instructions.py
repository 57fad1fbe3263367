"""Everything that a model is told beside the image, as one value with a digest and a text."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf.prompting.labels import Label
from pytest_llmclf.prompting.prompt import Instructions, printable
from pytest_llmclf.values.example_image import ExampleImage
from tests.pages import HOSTILE

SHOWN = ExampleImage(
    file="dog/1.gif",
    label="dog",
    answer='{"label": "dog"}',
    sha256="a" * 64,
    sent="b" * 64,
    media_type="image/png",
)
WHOLE = Instructions(
    system="You sort animals.\nBe brief.",
    turns=(("user", "What is it?"), ("assistant", "dog")),
    question="Which animal?",
    labels=(Label("cat", synonyms=("kitten",), description="it purrs"), Label("dog")),
    prompt="Which animal?\n\nLabels:\n- cat (also: kitten): it purrs\n- dog",
    answer="enum",
    options={"temperature": 1.5, "seed": 7, "stop": ["a", "b"]},
    top_logprobs=5,
    template="{{ .Prompt }}",
    think="low",
    examples=(SHOWN,),
    image_size=336,
)
CHANGES: list[dict[str, Any]] = [
    {"system": None},
    {"system": ""},
    {"system": "You sort animals.\nBe brief. "},
    {"turns": ()},
    {"turns": (("assistant", "What is it?"), ("user", "dog"))},
    {"prompt": "Which animal?\n\nLabels:\n- dog\n- cat (also: kitten): it purrs"},
    {"answer": "text"},
    {"options": {"temperature": 1.5, "seed": 8, "stop": ["a", "b"]}},
    {"options": {"temperature": 1.5, "stop": ["a", "b"]}},
    {"options": {"temperature": 1.5, "seed": 7, "stop": ["a, b"]}},
    {"top_logprobs": 0},
    {"template": None},
    {"template": "{{ .System }}"},
    {"reader": "lenient"},
    {"think": None},
    {"think": False},
    {"examples": ()},
    {"examples": (SHOWN, SHOWN)},
    {"examples": (replace(SHOWN, label="cat", answer='{"label": "cat"}'),)},
    {"examples": (replace(SHOWN, sent="c" * 64),)},
    {"examples": (replace(SHOWN, media_type="image/jpeg"),)},
    {"image_size": None},
    {"image_size": 224},
]
texts = st.text(max_size=30)
anything = st.builds(
    Instructions,
    system=st.none() | texts,
    turns=st.lists(st.tuples(texts, texts), max_size=2).map(tuple),
    question=texts,
    labels=st.just(WHOLE.labels),
    prompt=texts,
    options=st.dictionaries(texts, texts | st.integers() | st.booleans(), max_size=2),
    top_logprobs=st.integers(0, 20),
    template=st.none() | texts,
    think=st.sampled_from([None, True, False, "low", "medium", "high"]),
    examples=st.lists(
        st.builds(
            ExampleImage,
            **dict.fromkeys(("file", "label", "answer", "sha256", "sent", "media_type"), texts),
        ),
        max_size=2,
    ).map(tuple),
    image_size=st.none() | st.integers(1, 4000),
)


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_every_part_is_in_digest_and_text(change: dict[str, Any]) -> None:
    """Whatever is told otherwise shows in the text, and makes another digest."""
    other = replace(WHOLE, **change)
    assert other.digest() != WHOLE.digest()
    assert other.lines() != WHOLE.lines()


def test_a_new_field_must_be_recorded() -> None:
    """What is told and not recorded could change unseen."""
    assert set(WHOLE.to_json()) == set(Instructions.__dataclass_fields__)


@given(anything)
def test_it_survives_a_file(told: Instructions) -> None:
    """As JSON and back it is the same value, with the same digest."""
    again = Instructions.from_json(json.loads(json.dumps(told.to_json())))
    assert again == told
    assert again.digest() == told.digest()


@given(anything)
def test_its_text_is_text(told: Instructions) -> None:
    """No line of it holds what acts on a terminal, ends a line, or cannot be seen at its end."""
    for line in told.lines():
        assert line.isprintable()
        assert line == line.rstrip()
        assert len(f"x{line}x".splitlines()) == 1


@pytest.mark.parametrize("text", HOSTILE)
def test_a_prompt_cannot_pose_as_another_part(text: str) -> None:
    """Lines of a text are indented below its name."""
    told = replace(WHOLE, system=f"{text}\nprompt:\n  other", prompt="p")
    heads = [line for line in told.lines() if line and not line.startswith(" ")]
    assert [head.split(" ")[0] for head in heads] == [
        "system:", "turn", "turn", "example", "each", "prompt:", "template:", "answer:",
        "option", "option", "option", "top_logprobs:", "reader:", "thinking:", "image",
    ]  # fmt: skip


def test_what_is_not_said_is_not_recorded() -> None:
    """Digests of earlier versions, and of committed predictions, stay the same."""
    silent = replace(WHOLE, think=None, image_size=None)
    assert not {"think", "image_size"} & silent.to_json().keys()
    assert Instructions.from_json(silent.to_json()) == silent


def test_what_a_later_version_says_more_is_not_dropped() -> None:
    """Without a field that is not known here two results could look alike that are not."""
    assert Instructions.from_json({**WHOLE.to_json(), "thinking": "high"}) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("system", 1), ("turns", [["user"]]), ("turns", "x"), ("labels", [{"name": 1}]),
        ("answer", "poem"), ("options", []), ("top_logprobs", -1), ("reader", None),
        ("think", "max"), ("think", 1),
    ],
)  # fmt: skip
def test_damage_is_refused(name: str, value: object) -> None:
    """With the name of what cannot be."""
    data = {**WHOLE.to_json(), name: value}
    with pytest.raises((ValueError, KeyError)):
        Instructions.from_json(data)
    if name == "think":  # said by later versions only
        return
    del data[name]
    with pytest.raises(ValueError, match=name):
        Instructions.from_json(data)


def test_a_repeat_has_a_seed_of_its_own() -> None:
    """Known values, so that everybody asks the same; the first asking is as it was written."""
    assert WHOLE.options_of(0) == WHOLE.options
    assert [WHOLE.options_of(repeat)["seed"] for repeat in (1, 2)] == [1808820083, 1187467706]
    assert {**WHOLE.options_of(1), "seed": 7} == WHOLE.options


@pytest.mark.parametrize("options", [{}, {"seed": -1}, {"seed": True}], ids=str)
def test_without_a_seed_nothing_is_varied(options: dict[str, Any]) -> None:
    """The server draws one each time."""
    told = replace(WHOLE, options=options)
    assert told.options_of(3) == options
    assert told.seed is None


@pytest.mark.parametrize(
    ("options", "greedy"),
    [({"temperature": 0}, True), ({"temperature": 0.0}, True), ({"top_k": 1}, True),
     ({"temperature": 0.1}, False), ({}, False)],
)  # fmt: skip
def test_when_nothing_is_drawn(options: dict[str, Any], *, greedy: bool) -> None:
    """Temperature 0 takes the likeliest token, and so does a choice of one."""
    assert replace(WHOLE, options=options).greedy is greedy


def test_blanks_at_an_end_can_be_seen() -> None:
    """A diff of two lines that look alike helps nobody."""
    assert printable("a  ") == r"a\x20\x20"
    assert printable("\x1b[2J\u202e") == r"\x1b[2J\u202e"
