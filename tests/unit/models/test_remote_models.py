"""A model that a server on this machine passes on to another one counts as that other one."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf.cli import checks, describe
from pytest_llmclf.errors import BackendError, RemoteRefused, ServerFailed
from pytest_llmclf.models.connect import MICRO as EMBEDDED
from pytest_llmclf.models.connect import Connections, resolve_auto
from pytest_llmclf.models.ollama.listing import list_models
from pytest_llmclf.models.openai import ollama_behind
from pytest_llmclf.models.openai.openai_backend import OpenAIBackend
from pytest_llmclf.models.reach import ConnectSettings
from pytest_llmclf.models.spec import parse_spec
from tests.ollama_replay import OllamaReplay, exchange
from tests.unit.cli.command import call
from tests.unit.models.chat_server import ChatServer, completion
from tests.unit.models.ollama_models import MICRO, question

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit.models.ollama_models import Connect

HOSTS = ("https://ollama.com:443", "ollama.com", "HTTPS://OLLAMA.COM", "https://192.0.2.7:443")
ODD_HOSTS = ("ftp://x", "https://a b", "127.0.0.1.example.com", "http://[::2]", "0", "localhost.x")


@pytest.fixture
def cloud() -> Iterator[OllamaReplay]:
    """An Ollama on this machine whose model runs elsewhere."""
    with OllamaReplay() as server:
        server.run_elsewhere("micro-llava")
        yield server


def settings_for(server: OllamaReplay, *allowed: str) -> ConnectSettings:
    """As a run with that server would have them."""
    return ConnectSettings(ollama_hosts=(server.address.url,), allow_remote=frozenset(allowed))


@pytest.mark.parametrize("host", [*HOSTS, *ODD_HOSTS])
def test_no_image_goes_there(
    server: OllamaReplay, connect_ollama: Connect, image: bytes, host: str
) -> None:
    """Nothing is derived, and no chat is sent: neither asked directly nor through a pool."""
    server.run_elsewhere("micro-llava", host)
    with pytest.raises(RemoteRefused, match="is run by"):
        connect_ollama().ask(question(image))
    connections = Connections(settings_for(server))
    with pytest.raises(RemoteRefused, match="is run by"):
        connections.connect(parse_spec("ollama:micro-llava"), MICRO)
    connections.close()
    assert server.sent("/api/create") == server.sent("/api/chat") == []


@pytest.mark.parametrize("host", [*HOSTS, *ODD_HOSTS])
def test_nor_by_the_other_protocol(host: str) -> None:
    """An Ollama speaks OpenAI's, too, which says nothing of another machine: its own is asked."""
    with ChatServer() as server:
        server.answers["/api/show"] = (200, {"remote_host": host, "remote_model": "llava"})
        connections = Connections(ConnectSettings())
        spec = parse_spec(f"openai:llava@{server.address.url}")
        with pytest.raises(RemoteRefused, match="is run by"):
            connections.connect(spec, MICRO).identify()
        connections.close()
        assert "/v1/chat/completions" not in [each.path for each in server.arrived]


REMOTE = ({"remote_host": HOSTS[0]}, {"remote_model": "m"}, {"remote_host": ["x"]})


@pytest.mark.parametrize("marks", REMOTE, ids=str)
@pytest.mark.parametrize(
    ("listed", "asked"),
    [("llava:latest", "llava"), ("llava", "llava:latest"), ("LLaVA:latest", "llava"), ("x", "x")],
)
def test_nor_where_only_its_list_says_so(marks: dict[str, object], listed: str, asked: str) -> None:
    """Whatever its facts are, and under whichever of its names it is listed or asked for."""
    for key in ("name", "model"):
        with ChatServer() as server:
            entry = {"name": "other", key: listed, **marks}
            server.answers |= {
                "/api/show": (200, {"details": {}}),
                "/api/tags": (200, {"models": [7, {"name": "here"}, entry]}),
            }
            backend = OpenAIBackend(model=asked, address=server.address)
            with pytest.raises(RemoteRefused, match="is run by"):
                backend.identify()
            assert "/v1/chat/completions" not in [each.path for each in server.arrived]
            backend.close()
            allowed = OpenAIBackend(model="here", address=server.address)
            assert allowed.identify().name == "here"
            allowed.close()


@pytest.mark.parametrize("told", [(404, "no"), (500, "x"), (200, {"error": "x"}), (200, [])])
def test_nor_where_its_list_is_kept_back(told: tuple[int, Any]) -> None:
    """As where its facts are: what runs elsewhere may stand there only."""
    with ChatServer() as server:
        server.answers |= {
            **SIGNS["version"],
            "/api/show": (200, {"details": {}}),
            "/api/tags": told,
        }
        backend = OpenAIBackend(model="llava", address=server.address)
        with pytest.raises(BackendError, match=f"HTTP {told[0]} for /api/tags"):
            backend.identify()
        backend.close()


@pytest.mark.parametrize("status", [200, 400, 503])
@pytest.mark.parametrize("marks", REMOTE, ids=str)
def test_nor_a_second_one_where_only_its_answer_says_so(
    image: bytes, marks: dict[str, object], status: int
) -> None:
    """Its answer, or its error, is none, and nothing further is sent by OpenAI's protocol."""
    with ChatServer() as server:
        server.answers["/v1/chat/completions"] = (status, {**completion(), **marks})
        backend = OpenAIBackend(model="llava", address=server.address)
        for _ in range(3):
            with pytest.raises(RemoteRefused, match="is run by"):
                backend.ask(question(image))
        asked = [each for each in server.arrived if each.path == "/v1/chat/completions"]
        assert len(asked) == 1
        backend.close()


def test_whoever_is_no_ollama_is_asked() -> None:
    """Servers that do not know the question, or answer it with something else."""
    for told in ((404, {"error": "no"}), (200, ["x"]), (200, "page"), (200, {"error": "what"})):
        with ChatServer() as server:
            server.answers["/api/show"] = told
            backend = OpenAIBackend(model="llava", address=server.address)
            assert backend.identify().name == "llava"
            assert backend.notices == ()
            backend.close()


SIGNS: dict[str, dict[str, tuple[int, Any]]] = {
    "version": {"/api/version": (200, {"version": "0.33.0"})},
    "greeting": {"/": (200, "Ollama is running")},
    "owner": {"/v1/models": (200, {"data": [{"id": "llava", "owned_by": "library"}]})},
}
LASTING = ((404, {"error": "model not found"}), (403, "no"), (200, {"error": "what"}))
PASSING = ((500, {"error": "x"}), (503, "busy"), (429, {"error": "slow"}))


@pytest.mark.parametrize("sign", SIGNS.values(), ids=SIGNS)
@pytest.mark.parametrize("told", [*LASTING, *PASSING], ids=str)
def test_an_ollama_that_does_not_say_where_a_model_runs(
    sign: dict[str, tuple[int, Any]], told: tuple[int, Any]
) -> None:
    """Is refused, and asked again where that may help: no image is sent on a guess."""
    with ChatServer() as server:
        server.answers |= {**sign, "/api/show": told}
        backend = OpenAIBackend(model="llava", address=server.address)
        with pytest.raises(BackendError, match="does not say where llava runs") as caught:
            backend.identify()
        assert caught.value.retryable is (told in PASSING)
        assert "ollama:llava" in caught.value.remedy
        server.answers |= {"/api/show": (200, {"details": {}}), "/api/tags": (200, {"models": []})}
        assert backend.identify().name == "llava"
        backend.close()
        assert "/v1/chat/completions" not in [each.path for each in server.arrived]


def test_an_ollama_that_does_not_answer_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts as one that does not say it; each look has a bound."""
    monkeypatch.setattr(ollama_behind, "_LOOK_S", 0.1)

    def late(_: Any) -> tuple[int, Any]:
        time.sleep(0.3)
        return 200, {}

    with ChatServer() as server:
        server.answers |= {**SIGNS["version"], "/api/show": late}
        backend = OpenAIBackend(model="llava", address=server.address)
        with pytest.raises(ServerFailed, match="did not answer in time for /api/show"):
            backend.identify()
        backend.close()


@pytest.mark.parametrize("told", [(500, "x"), (503, {}), (502, "<html>")], ids=str)
def test_who_cannot_be_told_from_an_ollama_is_asked_and_said(told: tuple[int, Any]) -> None:
    """What is not known stands in the report."""
    with ChatServer() as server:
        server.answers |= dict.fromkeys(("/api/show", "/api/version", "/"), told)
        backend = OpenAIBackend(model="llava", address=server.address)
        assert backend.identify().name == "llava"
        (notice,) = backend.notices
        assert f"(HTTP {told[0]} for /api/show), so it is not known whether it passes" in notice
        backend.close()


def test_the_message_has_the_option_that_allows_it(cloud: OllamaReplay) -> None:
    """And with it the model is asked, and its identity says who runs it."""
    connections = Connections(settings_for(cloud))
    with pytest.raises(RemoteRefused) as caught:
        connections.connect(parse_spec("ollama:micro-llava"), MICRO)
    assert caught.value.remedy == "if that is wanted, say --llmclf-allow-remote ollama.com"
    connections.close()
    allowed = Connections(settings_for(cloud, "ollama.com"))
    identity = allowed.connect(parse_spec("ollama:micro-llava"), MICRO).identify()
    allowed.close()
    assert identity.details["run by"] == "https://ollama.com:443"


def test_a_model_that_only_its_facts_give_away(
    server: OllamaReplay, connect_ollama: Connect, image: bytes
) -> None:
    """A list that leaves it out is not believed: ``show`` is looked at before the first image."""
    server.run_elsewhere("micro-llava")
    tag = server._tag
    server._tag = lambda model: tag(replace(model, remote={}))  # type: ignore[method-assign]
    with pytest.raises(RemoteRefused, match=r"ollama\.com"):
        connect_ollama().ask(question(image))
    assert server.sent("/api/chat") == []


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize(
    "marks", [{"remote_host": "https://x.example"}, {"remote_model": "m"}, {"remote_host": 7}]
)
def test_a_model_that_only_its_answer_gives_away(
    server: OllamaReplay,
    connect_ollama: Connect,
    image: bytes,
    marks: dict[str, object],
    status: int,
) -> None:
    """Its answer, or its error, is no answer, and no second image is sent, whoever asks."""
    backend = connect_ollama()
    sound = exchange("105")
    server.force(replace(sound, status=status, body={**sound.body, **marks}))
    for _ in range(3):
        with pytest.raises(RemoteRefused):
            backend.ask(question(image))
    assert len(server.sent("/api/chat")) == 1


def test_a_model_of_this_machine_is_none(server: OllamaReplay) -> None:
    """A server that passes questions to another one beside it stays on this machine."""
    server.run_elsewhere("micro-llava", "http://127.0.0.1:11500")
    connections = Connections(settings_for(server))
    connections.connect(parse_spec("ollama:micro-llava"), MICRO).identify()
    connections.close()


@pytest.mark.parametrize("allowed", [(), ("ollama.com",)])
def test_auto_never_chooses_it(cloud: OllamaReplay, allowed: tuple[str, ...]) -> None:
    """The embedded model answers, and the reason says why."""
    spec, reason = resolve_auto(MICRO, settings_for(cloud, *allowed))
    assert spec == EMBEDDED
    assert "micro-llava run by https://ollama.com:443, which is another machine" in reason


def test_the_doctor_shows_it(cloud: OllamaReplay) -> None:
    """In the list of what the server has."""
    found = [check.found for check in checks.ollama(settings_for(cloud))]
    assert any(
        "micro-llava" in each and "run by https://ollama.com:443, not on this machine" in each
        for each in found
    )
    assert [model.remote for model in list_models(cloud.address)] == ["https://ollama.com:443", ""]


def test_describe_refuses_it(
    cloud: OllamaReplay, image: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A single image is as private as a thousand."""
    monkeypatch.setenv("OLLAMA_HOST", cloud.address.url)
    (tmp_path / "7.png").write_bytes(image)
    with pytest.raises(RemoteRefused, match=r"ollama\.com"):
        call(describe, "describe", str(tmp_path / "7.png"), "--model", "ollama:micro-llava")
    assert cloud.sent("/api/chat") == []
