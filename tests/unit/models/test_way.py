"""How a model is reached, as text that two runs can compare."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_llmclf.models.endpoint_key import way_to
from pytest_llmclf.models.spec import ModelSpec, parse_spec
from pytest_llmclf.prompting.modelfile import parse

MODELFILE = parse("FROM llava\nSYSTEM Be brief.\n", "pets.Modelfile")
OLLAMA = parse_spec("ollama:llava")
OPENAI = parse_spec("openai:llava@http://127.0.0.1:8080")


@pytest.fixture(autouse=True)
def _no_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OLLAMA_HOST", raising=False)


def test_the_same_text_leads_to_the_same_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether addresses come from the environment or one by one, with blanks or without."""
    given = way_to(OLLAMA, MODELFILE, ["a:1", "b:2"])
    assert way_to(OLLAMA, MODELFILE, ["a:1, b:2"]) == given
    monkeypatch.setenv("OLLAMA_HOST", "a:1, b:2")
    assert way_to(OLLAMA, MODELFILE) == given


def test_whatever_changes_who_answers_changes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers, model and Modelfile."""
    ways = {way_to(OLLAMA, MODELFILE), way_to(OPENAI, MODELFILE)}
    ways.add(way_to(OLLAMA, replace(MODELFILE, system="Be long.")))
    ways.add(way_to(parse_spec("ollama:other"), MODELFILE))
    monkeypatch.setenv("OLLAMA_HOST", "b:2")
    ways.add(way_to(OLLAMA, MODELFILE))
    assert len(ways) == 5
    assert None not in ways


@pytest.mark.parametrize(
    ("spec", "more"),
    [
        (parse_spec("llamacpp:micro-llava"), {}),
        (ModelSpec(backend="ollama", name="/models/a.gguf"), {}),
        (OLLAMA, {"adapters": ("a.gguf",)}),
        (OLLAMA, {"projectors": ("p.gguf",)}),
    ],
)
def test_files_may_have_changed(spec: ModelSpec, more: dict[str, tuple[str, ...]]) -> None:
    """A name is not enough to know what is in them."""
    assert way_to(spec, replace(MODELFILE, **more)) is None  # type: ignore[arg-type]


def model_of(endpoint_key: str | None) -> str:
    """The part before the address."""
    assert endpoint_key is not None
    return endpoint_key.partition("@")[0]


@pytest.mark.parametrize("name", ["llava", "org/llava@v1", "a@b"])
def test_the_model_is_the_same_at_every_address(name: str) -> None:
    """And another one with another name or Modelfile."""
    hosts = (["a:1"], ["b:2"], ["a:1", "http://me:secret@b:2"])
    ways = [way_to(OLLAMA, MODELFILE, given) for given in hosts]
    assert len({model_of(endpoint_key) for endpoint_key in ways}) == 1
    assert len(set(ways)) == 3
    urls = ("http://a:1/v1", "https://b/v1?api-version=1", "http://me:secret@c:3/v1")
    servers = [way_to(parse_spec(f"openai:{name}@{url}"), MODELFILE) for url in urls]
    assert len({model_of(endpoint_key) for endpoint_key in servers}) == 1
    assert len(set(servers)) == 3
    others = [
        way_to(OPENAI, replace(MODELFILE, system="Be long.")),
        way_to(parse_spec("openai:other@http://a:1/v1"), MODELFILE),
        ways[0],
        servers[0] if name != "llava" else None,
        way_to(OPENAI, MODELFILE),
    ]
    known = [endpoint_key for endpoint_key in others if endpoint_key is not None]
    assert len({model_of(endpoint_key) for endpoint_key in known}) == len(known)
