"""The digest of a request: everything that is sent, and nothing else."""

from __future__ import annotations

import hashlib
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pytest_llmclf
from pytest_llmclf.values.example_image import ExampleImage
from pytest_llmclf.values.request import THINKS, ModelIdentity, Request, thinks_text

WHO = ModelIdentity(backend="ollama", name="llava:7b", digest="sha256:1", server="ollama 1")
SHOWN = ExampleImage(
    file="a.png", label="cat", answer="cat", sha256="1", sent="1", media_type="image/png"
)
ASKED = Request(
    system="You sort.",
    examples=(("user", "hi"), ("assistant", "ho")),
    prompt="Which?",
    image=b"bytes",
    media_type="image/png",
    options={"temperature": 0, "seed": 1},
)
CHANGES: dict[str, list[Any]] = {
    "system": [None, "", "You sort"],
    "examples": [(), (("user", "hi"),), (("assistant", "ho"), ("user", "hi"))],
    "prompt": ["which?", "Which? "],
    "image": [b"", b"Bytes"],
    "media_type": ["image/jpeg"],
    "options": [{}, {"temperature": 0}, {"temperature": 1, "seed": 1}],
    "answer_schema": [{}, {"type": "object"}],
    "top_logprobs": [1],
    "repeat": [1],
    "known_sha256": ["0" * 64],
    "example_images": [
        (SHOWN,),
        (SHOWN, SHOWN),
        (replace(SHOWN, sent="2"),),
        (replace(SHOWN, answer="dog"),),
        (replace(SHOWN, media_type="image/jpeg"),),
    ],
    "think": [True, "low"],
}
UNSENT: dict[str, list[Any]] = {"case": ["cat/1.png"]}
"""What a request knows and nobody is sent."""


def test_every_field_is_tried() -> None:
    """A new field of a request must be thought of here."""
    assert {*CHANGES, *UNSENT} == {field.name for field in fields(Request)}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in CHANGES.items() for value in values]
)
def test_whatever_is_sent_changes_the_digest(field: str, value: Any) -> None:
    """Each field, to whatever else it may be set, makes another request."""
    assert replace(ASKED, **{field: value}).digest(WHO) != ASKED.digest(WHO)


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in UNSENT.items() for value in values]
)
def test_what_is_not_sent_changes_no_digest(field: str, value: Any) -> None:
    """Nor the summary, which says what was asked: a known answer stays known."""
    other = replace(ASKED, **{field: value})
    assert other.digest(WHO) == ASKED.digest(WHO)
    assert other.summary() == ASKED.summary()


def test_a_digest_known_beforehand_is_the_same() -> None:
    """Without the image itself, too."""
    sha256 = hashlib.sha256(ASKED.image).hexdigest()
    outline = replace(ASKED, image=b"", known_sha256=sha256)
    assert outline.digest(WHO) == ASKED.digest(WHO)


@pytest.mark.parametrize(
    "other",
    [replace(WHO, backend="openai"), replace(WHO, digest="sha256:2"), replace(WHO, server="2")],
)
def test_whoever_answers_changes_the_digest(other: ModelIdentity) -> None:
    """Another model, server version or protocol gives another answer."""
    assert ASKED.digest(other) != ASKED.digest(WHO)


def test_names_and_prose_do_not_change_it() -> None:
    """A model under another name is the same model: its digest counts."""
    assert ASKED.digest(replace(WHO, name="mine", details={"a": "b"})) == ASKED.digest(WHO)


def test_the_order_of_options_does_not_matter() -> None:
    """The same inputs give the same digest."""
    turned = replace(ASKED, options={"seed": 1, "temperature": 0})
    assert turned.digest(WHO) == ASKED.digest(WHO)


def test_the_order_of_a_schema_does_not_matter_but_that_of_an_enum_does() -> None:
    """Keys are a set; a list of labels is a list."""
    first = replace(ASKED, answer_schema={"a": 1, "enum": ["x", "y"]})
    turned = replace(ASKED, answer_schema={"enum": ["x", "y"], "a": 1})
    other = replace(ASKED, answer_schema={"a": 1, "enum": ["y", "x"]})
    assert turned.digest(WHO) == first.digest(WHO) != other.digest(WHO)


def test_the_digest_is_the_same_for_ever() -> None:
    """Stored answers and recordings depend on it; change `DIGEST_FORMAT` with it."""
    known = "2fbde1ea7ffb83f2a6e98708cca07fa8695b93ccdbea6a19812f4246dfc239ea"
    assert ASKED.digest(WHO) == known


def thinker(values: str, backend: str = "ollama") -> ModelIdentity:
    return replace(WHO, backend=backend, details={THINKS: values})


@pytest.mark.parametrize(
    ("who", "wished", "told"),
    [
        # A model that cannot think, by what its server says, is told nothing it does not need.
        (WHO, None, None),
        (WHO, False, None),
        (WHO, True, True),
        # One that can is told not to, or to think as little as it can.
        (thinker("off, on"), None, False),
        (thinker("off, on"), False, False),
        (thinker("off, on"), "high", "high"),
        (thinker("low, medium, high"), None, "low"),
        (thinker("can think"), None, False),
        # Where the server does not say, nothing is said that nobody wished.
        (replace(WHO, backend="openai"), None, None),
        (replace(WHO, backend="openai"), False, False),
    ],
)
def test_what_is_said_about_thinking(who: ModelIdentity, wished: Any, told: Any) -> None:
    """Only what is said is in the digest: answers that were given to nothing said stay known."""
    request = replace(ASKED, think=wished)
    assert request.told_think(who) == told
    untold = replace(who, details={})
    same = request.digest(who) == ASKED.digest(untold)
    assert same == (told is None)


def test_thinking_told_otherwise_is_another_request() -> None:
    """Off, on and each level differ."""
    who = replace(WHO, backend="openai")
    wishes: list[Any] = [None, False, True, "low", "medium", "high"]
    assert len({replace(ASKED, think=wish).digest(who) for wish in wishes}) == len(wishes)


@pytest.mark.parametrize("values", [(), (False, True), ("low", "high"), (True, "medium", "max")])
def test_what_a_model_can_be_told_survives_a_file(values: tuple[Any, ...]) -> None:
    """It is a text among the details of the identity; values that nobody knows are left out."""
    who = replace(WHO, details={THINKS: thinks_text(values)})
    assert who.thinks == tuple(value for value in values if value != "max")


@given(st.text(), st.text())
def test_any_text_has_a_digest(system: str, prompt: str) -> None:
    """Texts never crash it, and moving text between fields changes it."""
    digest = replace(ASKED, system=system, prompt=prompt).digest(WHO)
    assert len(digest) == 64
    if system != prompt:
        assert replace(ASKED, system=prompt, prompt=system).digest(WHO) != digest


def test_a_number_that_is_none_is_refused() -> None:
    """NaN has no JSON, so it must not be hashed as if it had."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        replace(ASKED, options={"temperature": float("nan")}).digest(WHO)


def test_an_identity_is_read_back() -> None:
    """It crosses processes as JSON built-ins."""
    who = replace(WHO, details={"slots": "4"})
    assert ModelIdentity.from_json(who.to_json()) == who
    assert who.spec == "ollama:llava:7b"


@pytest.mark.parametrize(
    ("digest", "server", "told"),
    [
        ("sha256:75c29aaaaaaabbbbbbb", "", "digest 75c29aaaaaaa"),
        ("75c29aaaaaaabbbbbbb", "ollama 0.33.0", "digest 75c29aaaaaaa, ollama 0.33.0"),
        ("", "ollama 0.33.0", "ollama 0.33.0"),
        ("", "", ""),
    ],
)
def test_an_identity_is_told_without_empty_fields(digest: str, server: str, told: str) -> None:
    """A short digest has no kind before it, and twelve digits of its own."""
    assert ModelIdentity(backend="nearest", name="v1", digest=digest, server=server).told == told


def test_short_digests_are_cut_in_one_place() -> None:
    """Nobody else takes the first digits of a digest."""
    package = Path(pytest_llmclf.__file__).parent
    cut = [
        f"{path.name}: {found[0]}"
        for path in package.rglob("*.py")
        for found in re.finditer(
            r"\w*digest\w*\[:\s*(?:12|19|_?SHORT\w*)\]", path.read_text("utf-8")
        )
        if path.name not in ("request.py", "derive.py")  # `derive` makes a name, and shows nothing
    ]
    assert cut == []
