"""How a model is written."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf.errors import SettingsError
from pytest_llmclf.models.spec import ModelSpec, parse_spec

SPECS = {
    "auto": ModelSpec(backend="auto"),
    "ollama": ModelSpec(backend="ollama"),
    "ollama:/m/my model.gguf": ModelSpec(backend="ollama", name="/m/my model.gguf"),
    r"ollama:C:\m\a.GGUF": ModelSpec(backend="ollama", name=r"C:\m\a.GGUF"),
    "ollama:llava": ModelSpec(backend="ollama", name="llava"),
    "ollama:llava:7b": ModelSpec(backend="ollama", name="llava:7b"),
    "ollama:hf.co/u/r:Q4": ModelSpec(backend="ollama", name="hf.co/u/r:Q4"),
    "openai:m@http://127.0.0.1:8080/v1": ModelSpec(
        backend="openai", name="m", address="http://127.0.0.1:8080/v1"
    ),
    "openai:a@b/c@https://h/v1": ModelSpec(backend="openai", name="a@b/c", address="https://h/v1"),
    "llamacpp:micro-llava": ModelSpec(backend="llamacpp", name="micro-llava"),
    "llamacpp:a.gguf+b.gguf": ModelSpec(backend="llamacpp", text="a.gguf", mmproj="b.gguf"),
    r"llamacpp:C:\m\a.GGUF+C:\m\b.gguf": ModelSpec(
        backend="llamacpp", text=r"C:\m\a.GGUF", mmproj=r"C:\m\b.gguf"
    ),
    "llamacpp:/x/c++/a.gguf+/y/b+c.gguf": ModelSpec(
        backend="llamacpp", text="/x/c++/a.gguf", mmproj="/y/b+c.gguf"
    ),
    "yardstick:svm": ModelSpec(backend="yardstick", name="svm"),
    "yardstick:knn?train=a/b&most=50": ModelSpec(
        backend="yardstick", name="knn", query="train=a/b&most=50"
    ),
    "predictions:a/b.csv": ModelSpec(backend="predictions", file="a/b.csv"),
    r"predictions:C:\b?.csv?image=file name&name=x": ModelSpec(
        backend="predictions", file=r"C:\b?.csv", query="image=file name&name=x"
    ),
    "sklearn:sklearn.svm:SVC": ModelSpec(backend="sklearn", name="sklearn.svm:SVC"),
    "replay:run.jsonl": ModelSpec(backend="replay", file="run.jsonl"),
    "replay:run.jsonl#ollama:llava": ModelSpec(
        backend="replay", file="run.jsonl", name="ollama:llava"
    ),
    r"replay:C:\run.jsonl": ModelSpec(backend="replay", file=r"C:\run.jsonl"),
}


@pytest.mark.parametrize("text", SPECS)
def test_every_form_is_read_and_written_back(text: str) -> None:
    """A spec prints as it was written."""
    assert parse_spec(text) == SPECS[text]
    assert str(parse_spec(text)) == text


def test_the_embedded_model_needs_no_backend() -> None:
    """Its name alone means it."""
    assert parse_spec("micro-llava") == SPECS["llamacpp:micro-llava"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("olama:llava", "did you mean ollama:llava?"),
        ("llava:7b", "did you mean ollama:llava:7b?"),
        ("micro-lava", "did you mean micro-llava?"),
        ("llamacpp:micro-lava", "did you mean llamacpp:micro-llava?"),
        ("yardstick:swm", "did you mean 'svm'?"),
        ("yardstik:svm", "did you mean yardstick:svm?"),
        ("predictions:", "a model is written"),
        ("prediction:a.csv", "did you mean predictions:a.csv?"),
        ("predictions:a.csv?pred=x", "did you mean 'predicted'?"),
        ("yardstick:", "there are yardstick:majority, yardstick:knn"),
        ("yardstick:svm?trian=x", "did you mean 'train'?"),
        ("yardstick:svm?most=1", "no whole number from 2 on"),
        ("yardstick:svm?train=", "train has no value"),
        ("sklearn:SVC", "write sklearn:sklearn.ensemble:RandomForestClassifier"),
        ("llamacpp:a.gguf", "the second one being the projector"),
        ("llamacpp:", "does not name two GGUF files"),
        ("openai:m", "openai:NAME@http://HOST:PORT/v1"),
        ("openai:@http://h", "lacks a name"),
        ("openai:x@ftp://127.0.0.1/v1", "scheme 'ftp', it must be http or https"),
        ("openai:x@ftp://me:secret@127.0.0.1/v1", "'openai:x@ftp://127.0.0.1/v1'"),
        ("openai:m@h:80", "lacks a name or an address"),
        ("ollama:", "is no model"),
        ("ollama:a b", "no model name"),
        ("replay:", "nothing stands behind its colon"),
        ("nope:", "did you mean ollama:nope? a model is"),
        ("replay:#m", "is no model"),
        ("auto:x", "is no model"),
        ("", "is no model"),
        ("???", "a model is written auto,"),
    ],
)
def test_what_is_no_model_says_the_nearest_form(text: str, said: str) -> None:
    """Mistakes name the remedy."""
    with pytest.raises(SettingsError) as caught:
        parse_spec(text)
    assert said in str(caught.value)


def test_passwords_are_not_printed() -> None:
    """User and password of a URL stay in the address and out of everything printed."""
    spec = parse_spec("openai:m@http://user:secret@127.0.0.1/v1")
    assert "secret" in spec.address
    assert "secret" not in f"{spec} {spec!r}"
    with pytest.raises(SettingsError) as caught:
        parse_spec("opnai:m@http://user:secret@127.0.0.1/v1")
    assert "secret" not in str(caught.value)


@given(st.text(max_size=40))
def test_any_text_is_a_model_or_a_settings_error(text: str) -> None:
    """Nothing else is ever raised, and what is read prints as itself."""
    spec = None
    with contextlib.suppress(SettingsError):
        spec = parse_spec(text)
    assert spec is None or parse_spec(str(spec)) == spec
