"""A derived model that its server loses while it is asked, over real HTTP."""

from __future__ import annotations

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.stub_ollama import StubOllama
from pytest_llmclf import errors
from pytest_llmclf.models.http.address import parse_address
from pytest_llmclf.models.ollama.ollama_backend import MOST_LOSSES, OllamaBackend
from pytest_llmclf.models.pool import Pool
from pytest_llmclf.prompting.modelfile import parse
from pytest_llmclf.values.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterator

MODELFILE = parse("FROM llava:7b\nSYSTEM Be brief.\n", "pets.Modelfile")


def question(image: bytes = b"one") -> Request:
    """One that the Modelfile's model takes."""
    return Request(
        system=MODELFILE.system, prompt="?", image=image, media_type="image/png", options={}
    )


def derived(stub: StubOllama) -> list[str]:
    """Names of the models that were derived."""
    return [name for name in stub.models() if name.startswith("llmclf-")]


def lose(stub: StubOllama) -> None:
    """Remove what was derived."""
    names = derived(stub)
    assert len(names) == 1
    stub.delete(*names)


@pytest.fixture
def stub() -> Iterator[StubOllama]:
    with StubOllama(service_ms=1, slots=4) as running:
        yield running


@pytest.fixture
def backend(stub: StubOllama) -> Iterator[OllamaBackend]:
    made = OllamaBackend(modelfile=MODELFILE, address=parse_address(stub.netloc))
    yield made
    made.close()


def test_it_is_derived_anew(stub: StubOllama, backend: OllamaBackend) -> None:
    """Whoever asks gets the answer, from the same model; people are told."""
    identity, answer = backend.identify(), backend.ask(question())
    assert not backend.notices
    lose(stub)
    assert backend.ask(question()).text == answer.text
    assert backend.identify() == identity
    assert [notice.split("-")[0] for notice in backend.notices] == [f"{stub.netloc} lost llmclf"]


def test_many_who_ask_at_once_derive_it_once(stub: StubOllama, backend: OllamaBackend) -> None:
    """The others wait for the one that does."""
    backend.ask(question())
    lose(stub)
    stub.reset()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(backend.ask, [question(bytes([n])) for n in range(32)]))
    assert len(answers) == 32
    assert stub.stats()["other_requests"]["/api/create"] == 1
    assert len(backend.notices) == 1


def test_whoever_removes_it_again_and_again_wins(stub: StubOllama, backend: OllamaBackend) -> None:
    """It is derived so many times; then questions fail, as they would with no such model."""
    for _ in range(MOST_LOSSES):
        backend.ask(question())
        lose(stub)
    backend.ask(question())
    lose(stub)
    with pytest.raises(errors.ModelMissing, match="not found"):
        backend.ask(question())
    assert len(stub.models()) == 1


def test_without_its_base_it_cannot_be(stub: StubOllama, backend: OllamaBackend) -> None:
    """The message says what is missing, and the server is not searched for ever."""
    backend.ask(question())
    stub.delete("llava:7b", *derived(stub))
    with pytest.raises(errors.ModelMissing, match=r"does not have llava:7b \(run `ollama pull"):
        backend.ask(question())
    for number in range(MOST_LOSSES):
        with pytest.raises(errors.ModelMissing):
            backend.ask(question(bytes([number])))
    stub.reset()
    with pytest.raises(errors.ModelMissing):
        backend.ask(question())
    assert stub.stats()["other_requests"] == {}


def post(stub: StubOllama, path: str, body: dict[str, Any]) -> None:
    """Talk to the server behind the backend's back."""
    connection = http.client.HTTPConnection(stub.netloc, timeout=10)
    connection.request("POST", path, json.dumps(body))
    assert connection.getresponse().status == 200
    connection.close()


def test_another_base_makes_another_model(stub: StubOllama, backend: OllamaBackend) -> None:
    """Its answers are not taken for those of the model that was lost."""
    backend.ask(question())
    stub.delete("llava:7b", *derived(stub))
    post(stub, "/api/create", {"model": "llava:7b", "parameters": {"num_ctx": 1}, "stream": False})
    with pytest.raises(errors.ModelMissing, match=r"is another model.*\(run again\)"):
        backend.ask(question())
    assert not backend.notices


def test_a_pool_goes_on_without_a_server_that_lost_its_base(stub: StubOllama) -> None:
    """The question goes to another one; the notices of both are the pool's."""
    with StubOllama(service_ms=1, slots=4) as other:
        members = [
            (each.netloc, OllamaBackend(modelfile=MODELFILE, address=parse_address(each.netloc)))
            for each in (stub, other)
        ]
        pool = Pool(members)
        for number in range(8):
            pool.ask(question(bytes([number])))
        lose(other)
        stub.delete("llava:7b", *derived(stub))
        for number in range(8):
            pool.ask(question(bytes([number])))
        assert sum("was dropped: Ollama" in notice for notice in pool.notices) == 1
        assert sum("was derived anew" in notice for notice in pool.notices) == 1
        pool.close()


def test_a_replaced_base_is_said_once(stub: StubOllama, backend: OllamaBackend) -> None:
    """What was derived answers as before; people learn that the name means another model now."""
    before = backend.ask(question())
    stub.replace("llava:7b")
    backend._base._due = 0.0
    assert backend.ask(question()).text == before.text
    for _ in range(3):
        backend._base._due = 0.0
        backend.ask(question())
    (notice,) = backend.notices
    assert notice.startswith(f"llava:7b was replaced on {stub.netloc} during the run")


def test_a_base_that_stays_is_looked_at_seldom(stub: StubOllama, backend: OllamaBackend) -> None:
    """One look more than to derive it, at most, in a hundred quick answers."""
    backend.ask(question())
    stub.reset()
    for _ in range(100):
        backend.ask(question())
    assert stub.stats()["other_requests"].get("/api/tags", 0) <= 2
    assert not backend.notices
