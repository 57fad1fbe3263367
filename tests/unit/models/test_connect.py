"""Which model answers, and what is said when it cannot."""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf import errors
from pytest_llmclf.models.connect import MICRO, Connections, resolve, resolve_auto
from pytest_llmclf.models.llamacpp import llamacpp_connect
from pytest_llmclf.models.ollama import status
from pytest_llmclf.models.pool import Pool
from pytest_llmclf.models.reach import ConnectSettings
from pytest_llmclf.models.recording import ReplayBackend
from pytest_llmclf.models.spec import ModelSpec, parse_spec
from pytest_llmclf.prompting.modelfile import load, parse
from pytest_llmclf.runner.plan import called
from tests.ollama_replay import OllamaReplay
from tests.unit.models.chat_server import ChatServer
from tests.unit.models.test_replay import LLAVA, _write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MICRO_FILE = parse("FROM micro-llava\nPARAMETER num_predict 8\n", "micro.Modelfile")
LLAVA_FILE = parse("FROM llava\n", "llava.Modelfile")


@pytest.fixture
def settings(server: OllamaReplay) -> ConnectSettings:
    return ConnectSettings(ollama_hosts=(server.address.url,), timeout_s=2)


@pytest.fixture
def nowhere() -> Iterator[ConnectSettings]:
    """Settings whose Ollama address is held, but not listened on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield ConnectSettings(ollama_hosts=(f"127.0.0.1:{held.getsockname()[1]}",))


@pytest.fixture
def no_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without llama-server."""

    def missing(given: object) -> object:
        raise errors.RuntimeMissing(f"there is none, {given}", remedy="install it")

    monkeypatch.setattr(llamacpp_connect, "find_llama_server", missing)


def test_auto_takes_ollama_where_it_has_the_model(settings: ConnectSettings) -> None:
    """The reason says who answers, where, and how to use the other."""
    spec, reason = resolve_auto(MICRO_FILE, settings)
    assert spec == ModelSpec(backend="ollama", name="micro-llava")
    assert "Ollama 0.33.0-rc2" in reason
    assert "--llmclf-model micro-llava" in reason


def test_auto_takes_the_embedded_model_where_ollama_lacks_it(settings: ConnectSettings) -> None:
    """The reason has the command that would change it."""
    spec, reason = resolve_auto(LLAVA_FILE, settings)
    assert spec == MICRO
    assert "does not have llava" in reason
    assert "`ollama pull llava`" in reason
    assert "--llmclf-model ollama:llava" in reason


def test_auto_takes_ollama_where_it_may_pull(settings: ConnectSettings) -> None:
    """With permission to pull, a missing model is no reason against Ollama."""
    spec, _ = resolve_auto(LLAVA_FILE, replace(settings, pull=True))
    assert spec == ModelSpec(backend="ollama", name="llava")


def test_auto_takes_the_embedded_model_without_ollama(nowhere: ConnectSettings) -> None:
    """Nothing listens: said with the address."""
    spec, reason = resolve_auto(LLAVA_FILE, nowhere)
    assert spec == MICRO
    assert f"no Ollama at {nowhere.ollama_addresses()[0].netloc}" in reason
    assert "\n" not in reason


def test_auto_never_leaves_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A remote `OLLAMA_HOST` is not even looked at unless it was allowed."""
    monkeypatch.setenv("OLLAMA_HOST", "http://gpu.example:11434")
    monkeypatch.setattr(status, "probe", lambda *_, **__: pytest.fail("asked"))
    spec, reason = resolve_auto(LLAVA_FILE, ConnectSettings())
    assert spec == MICRO
    assert "--llmclf-allow-remote gpu.example" in reason


def test_auto_runs_a_pair_of_files_without_a_daemon() -> None:
    """A Modelfile with a model and its projector needs no Ollama."""
    modelfile = replace(LLAVA_FILE, from_="/m/a.gguf", projectors=("/m/b.gguf",))
    spec, reason = resolve_auto(modelfile, ConnectSettings())
    assert str(spec) == "llamacpp:/m/a.gguf+/m/b.gguf"
    assert "a.gguf answers" in reason


def test_a_demand_is_named_in_full(settings: ConnectSettings) -> None:
    """`ollama` alone means the Modelfile's model; what is full stays as it is."""
    assert resolve(parse_spec("ollama"), LLAVA_FILE, settings) == (
        ModelSpec(backend="ollama", name="llava"),
        "",
    )
    full = parse_spec("ollama:llava:7b")
    assert resolve(full, LLAVA_FILE, settings) == (full, "")


def test_a_demanded_ollama_that_is_not_there(nowhere: ConnectSettings) -> None:
    """The error says how to start it, and what else would answer."""
    connections = Connections(nowhere)
    with pytest.raises(errors.ServerUnreachable) as caught:
        connections.connect(parse_spec("ollama:llava"), LLAVA_FILE)
    assert "ollama serve" in caught.value.remedy
    assert "--llmclf-model micro-llava" in caught.value.remedy
    connections.close()


def test_a_demanded_model_that_is_not_there(settings: ConnectSettings) -> None:
    """The error has the command to run."""
    connections = Connections(settings)
    with pytest.raises(errors.ModelMissing) as caught:
        connections.connect(parse_spec("ollama:llava"), LLAVA_FILE)
    assert "ollama pull llava" in caught.value.remedy
    connections.close()


def test_every_backend_is_connected_and_closed(settings: ConnectSettings, tmp_path: Path) -> None:
    """Each spec gives its backend; closing the connections closes them all."""
    _write(tmp_path / "run.jsonl", LLAVA)
    with ChatServer() as chat:
        connections = Connections(settings)
        specs = {
            "ollama:micro-llava": Pool,
            "auto": Pool,
            f"openai:llava@{chat.address.url}": Pool,
            f"replay:{tmp_path / 'run.jsonl'}": ReplayBackend,
        }
        for text, kind in specs.items():
            backend = connections.connect(parse_spec(text), MICRO_FILE)
            assert isinstance(backend, kind)
            assert backend.identify().digest
        connections.close()
        connections.close()


def test_a_template_that_is_not_used_is_said() -> None:
    """An OpenAI-compatible server brings its own template, and the identity says so."""
    modelfile = replace(LLAVA_FILE, template="{{ .Prompt }}")
    with ChatServer() as chat:
        connections = Connections(ConnectSettings())
        spec = parse_spec(f"openai:llava@{chat.address.url}")
        identity = connections.connect(spec, modelfile).identify()
        connections.close()
    assert "TEMPLATE" in identity.details["template"]


@pytest.mark.usefixtures("no_runtime")
def test_without_a_runtime_both_ways_out_are_named(nowhere: ConnectSettings) -> None:
    """Neither Ollama nor llama-server: the error says what to install or start."""
    connections = Connections(nowhere)
    with pytest.raises(errors.RuntimeMissing) as caught:
        connections.connect(parse_spec("auto"), LLAVA_FILE)
    assert "install it" in caught.value.remedy
    assert "ollama pull llava" in caught.value.remedy
    connections.close()


def test_a_remote_server_is_refused_before_anything_is_sent() -> None:
    """Both kinds of remote address need the option."""
    connections = Connections(ConnectSettings(ollama_hosts=("gpu.example",)))
    for text in ("ollama:llava", "openai:m@https://api.example/v1"):
        with pytest.raises(errors.RemoteRefused):
            connections.connect(parse_spec(text), LLAVA_FILE)
    connections.close()


def test_each_ollama_server_counts_once() -> None:
    """A list is read whole, and an address that is in it twice is one server."""
    settings = ConnectSettings(ollama_hosts=("a:1", "b", "http://a:1"))
    assert [address.netloc for address in settings.ollama_addresses()] == ["a:1", "b:11434"]


def test_auto_looks_at_every_address(server: OllamaReplay, nowhere: ConnectSettings) -> None:
    """One of several servers is enough; the reason names those that answer."""
    hosts = (*nowhere.ollama_hosts, server.address.url)
    spec, reason = resolve_auto(MICRO_FILE, ConnectSettings(ollama_hosts=hosts))
    assert spec == ModelSpec(backend="ollama", name="micro-llava")
    assert f"at {server.address.netloc})" in reason


def test_every_address_must_be_allowed(server: OllamaReplay) -> None:
    """One server elsewhere among those here is refused by name before anything is sent."""
    hosts = (server.address.url, "gpu.example")
    connections = Connections(ConnectSettings(ollama_hosts=hosts))
    with pytest.raises(errors.RemoteRefused, match=r"gpu\.example"):
        connections.connect(parse_spec("ollama:micro-llava"), MICRO_FILE)
    connections.close()
    assert server.seen == []


def test_a_server_without_the_model_is_named(server: OllamaReplay) -> None:
    """A pool needs the model everywhere: the command says where to pull it."""
    with OllamaReplay(models=("smol",)) as other:
        hosts = (server.address.url, other.address.url)
        connections = Connections(ConnectSettings(ollama_hosts=hosts))
        with pytest.raises(errors.ModelMissing) as caught:
            connections.connect(parse_spec("ollama:micro-llava"), MICRO_FILE)
        connections.close()
    assert f"OLLAMA_HOST={other.address.netloc} ollama pull micro-llava" in caught.value.remedy


def test_missing_files_of_a_pair_are_named(tmp_path: Path) -> None:
    """A pair that is not there is said before a server is started."""
    connections = Connections(ConnectSettings())
    spec = parse_spec(f"llamacpp:{tmp_path / 'a.gguf'}+{tmp_path / 'b.gguf'}")
    with pytest.raises(errors.ModelMissing, match=r"a\.gguf"):
        connections.connect(spec, LLAVA_FILE)
    connections.close()


def test_auto_takes_a_gguf_file_without_projector(tmp_path: Path) -> None:
    """What was chosen can be written down and read again, as workers do, and hides no folder."""
    (tmp_path / "a b.gguf").write_bytes(b"GGUF" + bytes(64))
    path = tmp_path / "m.Modelfile"
    path.write_text('FROM "./a b.gguf"\n')
    chosen, reason = resolve(parse_spec("auto"), load(path), ConnectSettings())
    assert parse_spec(str(chosen)) == chosen
    assert chosen.backend == "ollama"
    assert "a b.gguf answers, through Ollama" in reason
    assert called(chosen) == "ollama:a b.gguf"
