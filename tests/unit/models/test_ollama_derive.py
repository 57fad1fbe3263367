"""Deriving models: once for the same content, read back, and never over the user's own."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf import errors
from pytest_llmclf.models.ollama.derive import full_name
from pytest_llmclf.models.ollama.ollama_backend import OllamaBackend
from pytest_llmclf.models.ollama.verify import differences
from pytest_llmclf.prompting.modelfile import parse
from pytest_llmclf.values.request import MODELS_OWN_SYSTEM
from tests.ollama_replay import OllamaReplay, exchange
from tests.unit.models.ollama_models import MICRO, Connect, question

if TYPE_CHECKING:
    from pathlib import Path


def test_a_model_is_derived_once(server: OllamaReplay, connect_ollama: Connect) -> None:
    """The same Modelfile over the same base finds its model again."""
    first, second = connect_ollama().identify(), connect_ollama().identify()
    assert first == second
    assert len(server.sent("/api/create")) == 1


def test_another_text_or_base_is_another_model(
    server: OllamaReplay, connect_ollama: Connect
) -> None:
    """System text, parameters and the base's own digest are in the name."""
    connect_ollama().identify()
    connect_ollama(replace(MICRO, system="Short.")).identify()
    connect_ollama(replace(MICRO, parameters=(("num_predict", 9),))).identify()
    connect_ollama(model="smol").identify()
    server.change_base("micro-llava")
    connect_ollama().identify()
    names = [body["model"] for body in server.sent("/api/create")]
    assert len(set(names)) == 5


def test_another_adapter_is_another_model(
    server: OllamaReplay, connect_ollama: Connect, tmp_path: Path
) -> None:
    """An adapter that was trained on is not answered for by the model derived with the old one."""
    path = tmp_path / "style.gguf"
    weights = []
    for content in (b"GGUF first", b"GGUF second"):
        path.write_bytes(content)
        weights.append(connect_ollama(replace(MICRO, adapters=(str(path),))).identify().weights)
    assert len({body["model"] for body in server.sent("/api/create")}) == 2
    assert len({*weights, connect_ollama().identify().weights}) == 3


def test_an_edited_prompt_leaves_the_weights(server: OllamaReplay, connect_ollama: Connect) -> None:
    """Each text makes a derived model with a digest of its own; the model asked is one."""
    first = connect_ollama().identify()
    edited = connect_ollama(replace(MICRO, system="Short.")).identify()
    assert first.digest != edited.digest
    assert first.weights == edited.weights
    server.change_base("micro-llava")
    assert connect_ollama().identify().weights != first.weights


def test_a_system_text_that_the_base_brings_along_is_told(connect_ollama: Connect) -> None:
    """As the server tells it, and only where the Modelfile has none in its place."""
    plain = connect_ollama(model="smol").identify().details
    assert plain[MODELS_OWN_SYSTEM] == "You are a terse helper."
    replaced = connect_ollama(replace(MICRO, system="Short."), model="smol").identify().details
    assert MODELS_OWN_SYSTEM not in replaced
    assert MODELS_OWN_SYSTEM not in connect_ollama().identify().details


def test_the_users_models_are_not_touched(server: OllamaReplay, connect_ollama: Connect) -> None:
    """Whatever is created carries the prefix, and nothing is deleted."""
    before = server.models
    connect_ollama().identify()
    new = set(server.models) - set(before)
    assert set(before) <= set(server.models)
    assert all(name.startswith("llmclf-") for name in new)
    assert all(seen.method != "DELETE" for seen in server.seen)


def test_the_spec_wins_over_from(server: OllamaReplay, connect_ollama: Connect) -> None:
    """A model that was named replaces the Modelfile's FROM."""
    assert connect_ollama(model="smol").identify().name == "smol"
    assert server.sent("/api/create")[0]["from"] == "smol"


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        ({"system": "Another."}, "SYSTEM"),
        ({"parameters": {"num_predict": 9}}, "PARAMETER num_predict is 9, not 8"),
        ({"parameters": {}}, "PARAMETER num_predict is missing"),
        ({"template": "other"}, "TEMPLATE"),
        ({"messages": []}, "MESSAGE"),
    ],
)
def test_a_model_that_is_not_what_was_asked_is_refused(
    server: OllamaReplay,
    connect_ollama: Connect,
    broken: dict[str, Any],
    named: str,
) -> None:
    """What the server made is read back, and a difference is named."""
    server.break_create = broken
    modelfile = replace(
        MICRO, system="One word.", template="{{ .Prompt }}", messages=(("user", "Hi"),)
    )
    with pytest.raises(errors.ModelNotCreated, match=named):
        connect_ollama(modelfile).identify()


def test_a_stream_that_ends_early_is_no_success(
    server: OllamaReplay, connect_ollama: Connect
) -> None:
    """Without its last line a creation has not happened, whatever the status said."""
    server.cut_create = True
    with pytest.raises(errors.ModelNotCreated, match=r"stopped creating .* at 'writing manifest'"):
        connect_ollama().identify()


def test_every_part_of_a_modelfile_is_derived(
    server: OllamaReplay, connect_ollama: Connect
) -> None:
    """Template, system text, examples, stops and numbers arrive and are recognised."""
    text = (
        'FROM micro-llava\nTEMPLATE """{{ .System }}\n{{ .Prompt }}"""\n'
        'SYSTEM """Say "7".\nNothing else."""\nPARAMETER temperature 0.1\n'
        "PARAMETER stop <|im_end|>\nPARAMETER stop x\nPARAMETER seed 7\nPARAMETER use_mmap true\n"
        "MESSAGE user Which?\nMESSAGE assistant 7\nLICENSE none\n"
    )
    connect_ollama(parse(text, "all.Modelfile")).identify()
    (body,) = server.sent("/api/create")
    assert body["parameters"]["stop"] == ["<|im_end|>", "x"]
    assert body["messages"] == [
        {"role": "user", "content": "Which?"}, {"role": "assistant", "content": "7"},
    ]  # fmt: skip
    assert body["license"] == ["none"]


def test_a_recorded_show_is_read(connect_ollama: Connect) -> None:
    """Parameters of a real `show` (023) are recognised although they are the base's own."""
    modelfile = parse("FROM smol\nPARAMETER temperature 0\nPARAMETER stop <|im_start|>\n"
                      "PARAMETER stop <|im_end|>\n", "x")  # fmt: skip
    connect_ollama(modelfile).identify()


@pytest.mark.parametrize("number", ["023", "104"])
def test_real_shows_are_read(number: str) -> None:
    """A model is recognised in what a real server showed of it, and another one is not."""
    body = exchange(number).body
    wanted = replace(
        parse("FROM x\nPARAMETER temperature 0\nPARAMETER stop <|im_end|>\n"
              "PARAMETER stop <|im_start|>\n", "x"),
        template=body["template"],
        system=body.get("system"),
    )  # fmt: skip
    assert differences(wanted, body) == []
    other = replace(wanted, system="Something else.", template="{{ .Prompt }}", parameters=())
    assert differences(other, body) == ["TEMPLATE", "SYSTEM"]


def test_a_show_that_cannot_be_parsed_is_searched() -> None:
    """Base models bring licences of every kind; the system text is still found."""
    body = {**exchange("023").body, "modelfile": 'LICENSE """a"""b\nSYSTEM You are terse.\n'}
    assert differences(replace(MICRO, parameters=(), system="You are terse."), body) == []
    assert differences(replace(MICRO, parameters=(), system="Else."), body) == ["SYSTEM"]


def test_a_missing_model_says_what_to_run(connect_ollama: Connect) -> None:
    """Nothing is downloaded unasked; the command is in the message."""
    with pytest.raises(errors.ModelMissing, match="ollama pull llava:7b"):
        connect_ollama(model="llava:7b").identify()


def test_pulling_happens_when_told(image: bytes) -> None:
    """With permission the base is pulled, then derived from and asked."""
    with OllamaReplay(models=(), pullable=("micro-llava",)) as server:
        backend = OllamaBackend(modelfile=MICRO, address=server.address, pull=True)
        try:
            assert backend.ask(question(image)).text
        finally:
            backend.close()
        assert server.sent("/api/pull")


def test_a_failed_pull_is_a_missing_model() -> None:
    """An error at the end of a stream that began with HTTP 200 is an error."""
    with OllamaReplay(models=()) as server:
        backend = OllamaBackend(modelfile=MICRO, address=server.address, pull=True)
        try:
            with pytest.raises(errors.ModelMissing, match="could not be pulled"):
                backend.identify()
        finally:
            backend.close()


def test_files_are_uploaded_once(
    server: OllamaReplay, connect_ollama: Connect, tmp_path: Path
) -> None:
    """Both GGUF files of a pair are sent, unless the server has them already."""
    text, mmproj = tmp_path / "text.gguf", tmp_path / "mmproj.gguf"
    text.write_bytes(b"GGUF text")
    mmproj.write_bytes(b"GGUF mmproj")
    modelfile = replace(MICRO, from_=str(text), projectors=(str(mmproj),))
    connect_ollama(modelfile).identify()
    (body,) = server.sent("/api/create")
    assert "from" not in body
    assert body["files"] == {
        path.name: f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
        for path in (text, mmproj)
    }
    connect_ollama(replace(modelfile, system="Other.")).identify()
    uploads = [s for s in server.seen if s.method == "POST" and "/blobs/" in s.path]
    assert len(uploads) == 2


def test_a_missing_file_is_named(connect_ollama: Connect, tmp_path: Path) -> None:
    """A FROM that names no file says which."""
    path = tmp_path / "nothing.gguf"
    with pytest.raises(errors.ModelNotCreated, match=r"nothing\.gguf cannot be read"):
        connect_ollama(replace(MICRO, from_=str(path))).identify()


@pytest.mark.parametrize("word", ["draft", "renderer", "parser"])
def test_what_the_client_cannot_send_is_refused(connect_ollama: Connect, word: str) -> None:
    """An instruction is never left out silently."""
    modelfile = replace(MICRO, **{word: "x"})  # type: ignore[arg-type]
    with pytest.raises(errors.ModelNotCreated, match=word.upper()):
        connect_ollama(modelfile).identify()


def test_a_required_version_is_required(server: OllamaReplay, connect_ollama: Connect) -> None:
    """REQUIRES is compared with what the server says, number by number."""
    connect_ollama(replace(MICRO, requires="0.9.1")).identify()
    server.version = "0.9.0"
    with pytest.raises(errors.ModelNotCreated, match=r"requires Ollama 0\.33"):
        connect_ollama(replace(MICRO, requires="0.33.0")).identify()


def test_many_threads_derive_once(
    server: OllamaReplay, connect_ollama: Connect, image: bytes
) -> None:
    """Threads that start together wait for one derivation."""
    backend = connect_ollama()
    texts: list[str] = []
    threads = [
        threading.Thread(target=lambda: texts.append(backend.ask(question(image)).text))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(texts) == 8
    assert len(server.sent("/api/create")) == 1


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("llava", "llava:latest"),
        ("LLaVA:7B", "llava:7b"),
        ("registry.ollama.ai/library/llava", "llava:latest"),
        ("hf.co/user/repo", "hf.co/user/repo:latest"),
        ("localhost:5000/x", "localhost:5000/x:latest"),
    ],
)
def test_names_are_compared_in_full(name: str, full: str) -> None:
    """A name without a tag means `latest`; the usual registry goes unsaid."""
    assert full_name(name) == full
