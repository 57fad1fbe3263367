"""Models on Ollama: derived once, checked, asked over real HTTP."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf import errors
from pytest_llmclf.backends.address import Address
from pytest_llmclf.backends.ollama import OllamaBackend, has_model, probe
from pytest_llmclf.backends.ollama_derive import full_name
from pytest_llmclf.modelfile import Modelfile, parse
from pytest_llmclf.request import Request
from tests.ollama_replay import OllamaReplay, all_exchanges, exchange
from tests.unit.backends.test_ollama_errors import EXPECTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MICRO = parse("FROM micro-llava\nPARAMETER num_predict 8\n", "digits.Modelfile")
PROMPT = "Which digit is in the picture? Answer with one of: 0, 1, 2."


@pytest.fixture
def connect(server: OllamaReplay) -> Iterator[Callable[..., OllamaBackend]]:
    """Make backends of the server that are closed at the end."""
    made: list[OllamaBackend] = []

    def make(modelfile: Modelfile = MICRO, **settings: Any) -> OllamaBackend:
        settings = {"address": server.address, "timeout_s": 2.0, **settings}
        made.append(OllamaBackend(modelfile=modelfile, **settings))
        return made[-1]

    yield make
    for backend in made:
        backend.close()


def _request(picture: bytes, **changes: Any) -> Request:
    prompt = exchange("105").sent["messages"][0]["content"]
    request = Request(
        system=None, prompt=prompt, image=picture, media_type="image/png",
        options=MICRO.options(),
    )  # fmt: skip
    return replace(request, **changes)


def test_a_model_is_derived_and_asked(
    server: OllamaReplay, connect: Callable[..., OllamaBackend], picture: bytes
) -> None:
    """Create, show and chat in turn; the recorded answer comes back whole."""
    backend = connect()
    answer = backend.ask(_request(picture))
    recorded = exchange("106").body  # the later of two equal recorded requests is as good
    assert (answer.text, answer.finish) == (recorded["message"]["content"], "stop")
    assert answer.prompt_tokens == recorded["prompt_eval_count"]
    assert answer.answer_tokens == recorded["eval_count"]
    assert answer.server_s is not None
    assert answer.load_s is not None
    assert answer.wall_s is not None
    assert 0 < answer.load_s < answer.server_s
    (created,) = server.sent("/api/create")
    assert created["from"] == "micro-llava"
    assert created["parameters"] == {"num_predict": 8}
    (sent,) = server.sent("/api/chat")
    assert sent["model"] == created["model"]
    assert sent["model"].startswith("llmclf-micro-llava-")
    assert not sent.get("options"), "they are the derived model's own"
    assert [message["role"] for message in sent["messages"]] == ["user"]


def test_a_model_is_derived_once(
    server: OllamaReplay, connect: Callable[..., OllamaBackend]
) -> None:
    """The same Modelfile over the same base finds its model again."""
    first, second = connect().identify(), connect().identify()
    assert first == second
    assert len(server.sent("/api/create")) == 1


def test_another_text_or_base_is_another_model(
    server: OllamaReplay, connect: Callable[..., OllamaBackend]
) -> None:
    """System text, parameters and the base's own digest are in the name."""
    connect().identify()
    connect(replace(MICRO, system="Short.")).identify()
    connect(replace(MICRO, parameters=(("num_predict", 9),))).identify()
    connect(model="smol").identify()
    server.change_base("micro-llava")
    connect().identify()
    names = [body["model"] for body in server.sent("/api/create")]
    assert len(set(names)) == 5


def test_the_users_models_are_not_touched(
    server: OllamaReplay, connect: Callable[..., OllamaBackend]
) -> None:
    """Whatever is created carries the prefix, and nothing is deleted."""
    before = server.models
    connect().identify()
    new = set(server.models) - set(before)
    assert set(before) <= set(server.models)
    assert all(name.startswith("llmclf-") for name in new)
    assert all(seen.method != "DELETE" for seen in server.seen)


def test_identity_is_the_derived_models(connect: Callable[..., OllamaBackend]) -> None:
    """Name as people write it, digest of what answers, version of the server."""
    identity = connect().identify()
    assert identity.spec == "ollama:micro-llava"
    assert identity.server == "ollama 0.33.0-rc2"
    assert len(identity.digest) == 64
    assert identity.details["derived"].startswith("llmclf-micro-llava-")


def test_the_spec_wins_over_from(
    server: OllamaReplay, connect: Callable[..., OllamaBackend]
) -> None:
    """A model that was named replaces the Modelfile's FROM."""
    assert connect(model="smol").identify().name == "smol"
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
    connect: Callable[..., OllamaBackend],
    broken: dict[str, Any],
    named: str,
) -> None:
    """What the server made is read back, and a difference is named."""
    server.break_create = broken
    modelfile = replace(
        MICRO, system="One word.", template="{{ .Prompt }}", messages=(("user", "Hi"),)
    )
    with pytest.raises(errors.ModelNotCreated, match=named):
        connect(modelfile).identify()


def test_every_part_of_a_modelfile_is_derived(
    server: OllamaReplay, connect: Callable[..., OllamaBackend]
) -> None:
    """Template, system text, examples, stops and numbers arrive and are recognised."""
    text = (
        'FROM micro-llava\nTEMPLATE """{{ .System }}\n{{ .Prompt }}"""\n'
        'SYSTEM """Say "7".\nNothing else."""\nPARAMETER temperature 0.1\n'
        "PARAMETER stop <|im_end|>\nPARAMETER stop x\nPARAMETER seed 7\nPARAMETER use_mmap true\n"
        "MESSAGE user Which?\nMESSAGE assistant 7\nLICENSE none\n"
    )
    connect(parse(text, "all.Modelfile")).identify()
    (body,) = server.sent("/api/create")
    assert body["parameters"]["stop"] == ["<|im_end|>", "x"]
    assert body["messages"] == [
        {"role": "user", "content": "Which?"}, {"role": "assistant", "content": "7"},
    ]  # fmt: skip
    assert body["license"] == ["none"]


def test_a_recorded_show_is_read(connect: Callable[..., OllamaBackend]) -> None:
    """Parameters of a real `show` (023) are recognised although they are the base's own."""
    modelfile = parse("FROM smol\nPARAMETER temperature 0\nPARAMETER stop <|im_start|>\n"
                      "PARAMETER stop <|im_end|>\n", "x")  # fmt: skip
    connect(modelfile).identify()


def test_a_missing_model_says_what_to_run(connect: Callable[..., OllamaBackend]) -> None:
    """Nothing is downloaded unasked; the command is in the message."""
    with pytest.raises(errors.ModelMissing, match="ollama pull llava:7b"):
        connect(model="llava:7b").identify()


def test_pulling_happens_when_told(picture: bytes) -> None:
    """With permission the base is pulled, then derived from and asked."""
    with OllamaReplay(models=(), pullable=("micro-llava",)) as server:
        backend = OllamaBackend(modelfile=MICRO, address=server.address, pull=True)
        try:
            assert backend.ask(_request(picture)).text
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
    server: OllamaReplay, connect: Callable[..., OllamaBackend], tmp_path: Path
) -> None:
    """Both GGUF files of a pair are sent, unless the server has them already."""
    text, mmproj = tmp_path / "text.gguf", tmp_path / "mmproj.gguf"
    text.write_bytes(b"GGUF text")
    mmproj.write_bytes(b"GGUF mmproj")
    modelfile = replace(MICRO, from_=str(text), projectors=(str(mmproj),))
    connect(modelfile).identify()
    (body,) = server.sent("/api/create")
    assert "from" not in body
    assert body["files"] == {
        path.name: f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
        for path in (text, mmproj)
    }
    connect(replace(modelfile, system="Other.")).identify()
    uploads = [s for s in server.seen if s.method == "POST" and "/blobs/" in s.path]
    assert len(uploads) == 2


def test_a_missing_file_is_named(connect: Callable[..., OllamaBackend], tmp_path: Path) -> None:
    """A FROM that names no file says which."""
    path = tmp_path / "nothing.gguf"
    with pytest.raises(errors.ModelNotCreated, match=r"nothing\.gguf cannot be read"):
        connect(replace(MICRO, from_=str(path))).identify()


@pytest.mark.parametrize("word", ["draft", "renderer", "parser"])
def test_what_the_client_cannot_send_is_refused(
    connect: Callable[..., OllamaBackend], word: str
) -> None:
    """An instruction is never left out silently."""
    modelfile = replace(MICRO, **{word: "x"})  # type: ignore[arg-type]
    with pytest.raises(errors.ModelNotCreated, match=word.upper()):
        connect(modelfile).identify()


def test_a_required_version_is_required(
    server: OllamaReplay, connect: Callable[..., OllamaBackend]
) -> None:
    """REQUIRES is compared with what the server says, number by number."""
    connect(replace(MICRO, requires="0.9.1")).identify()
    server.version = "0.9.0"
    with pytest.raises(errors.ModelNotCreated, match=r"requires Ollama 0\.33"):
        connect(replace(MICRO, requires="0.33.0")).identify()


def test_only_differing_options_are_sent(
    server: OllamaReplay, connect: Callable[..., OllamaBackend], picture: bytes
) -> None:
    """Options that the derived model has stay out; others override it."""
    server.force(exchange("106"))
    options = {"num_predict": 8, "temperature": 0.5, "seed": 1}
    connect().ask(_request(picture, options=options))
    (sent,) = server.sent("/api/chat")
    assert sent["options"] == {"temperature": 0.5, "seed": 1}


def test_a_grammar_and_log_probabilities_are_asked_for(
    server: OllamaReplay, connect: Callable[..., OllamaBackend], picture: bytes
) -> None:
    """The recorded request with `format` and log-probabilities is made, and its answer read."""
    wanted = exchange("126").sent
    answer = connect(replace(MICRO, parameters=())).ask(
        _request(
            picture,
            prompt=wanted["messages"][0]["content"],
            options=wanted.get("options", {}),
            answer_schema=wanted["format"],
            top_logprobs=wanted["top_logprobs"],
        )
    )
    recorded = exchange("126").body
    assert answer.text == recorded["message"]["content"]
    assert answer.logprobs is not None
    assert [token.token for token in answer.logprobs] == [
        item["token"] for item in recorded["logprobs"]
    ]
    assert len(answer.logprobs[0].top) == wanted["top_logprobs"]
    assert server.sent("/api/chat")[0]["logprobs"] is True


def test_a_model_that_repeats_itself_gave_an_answer(
    server: OllamaReplay, connect: Callable[..., OllamaBackend], picture: bytes
) -> None:
    """`done: false` without counts (301) is how the model answers, not an error."""
    server.force(exchange("301"))
    answer = connect().ask(_request(picture))
    assert answer.finish == "other"
    assert answer.text.startswith('" ha ha')
    assert (answer.prompt_tokens, answer.server_s, answer.logprobs) == (None, None, None)


def test_an_answer_at_the_limit_says_so(
    server: OllamaReplay, connect: Callable[..., OllamaBackend], picture: bytes
) -> None:
    """`done_reason: length` (027) is told apart from an end of its own."""
    server.force(exchange("027"))
    assert connect().ask(_request(picture)).finish == "length"


def test_loading_is_not_an_answer(
    server: OllamaReplay, connect: Callable[..., OllamaBackend], picture: bytes
) -> None:
    """`done_reason: load` (044) carries no answer to a question."""
    server.force(exchange("044"))
    with pytest.raises(errors.BadAnswer, match="'load'"):
        connect().ask(_request(picture))


CHAT_ERRORS = list(
    {i.file: i for i in all_exchanges() if i.path == "/api/chat" and i.status >= 400}.values()
)


@pytest.mark.parametrize("number", [item.file[:3] for item in CHAT_ERRORS])
def test_every_recorded_chat_error_arrives_typed(
    server: OllamaReplay, connect: Callable[..., OllamaBackend], picture: bytes, number: str
) -> None:
    """The error of a real server, over HTTP and through the client, has its type."""
    server.force(next(i for i in CHAT_ERRORS if i.file.startswith(number) and i.failed))
    with pytest.raises(EXPECTED[number]):
        connect().ask(_request(picture))


@pytest.mark.parametrize(
    ("body", "content_type"),
    [("<html>", "text/html"), ([], "application/json"), ({"done": True}, "application/json")],
    ids=["html", "list", "no-message"],
)
def test_another_protocol_is_a_bad_answer(
    server: OllamaReplay,
    connect: Callable[..., OllamaBackend],
    picture: bytes,
    body: Any,
    content_type: str,
) -> None:
    """HTTP 200 with something else in it is not taken for an answer."""
    server.force(replace(exchange("106"), body=body, content_type=content_type))
    with pytest.raises(errors.BadAnswer):
        connect().ask(_request(picture))


def test_an_error_that_is_no_object_is_still_typed(
    server: OllamaReplay, connect: Callable[..., OllamaBackend], picture: bytes
) -> None:
    """The client fails over an error body that is a JSON list; that too is one of our errors."""
    server.force(replace(exchange("055"), body=["oops"]))
    with pytest.raises(errors.BackendError):
        connect().ask(_request(picture))


def test_a_cut_connection_may_be_tried_again(
    server: OllamaReplay, connect: Callable[..., OllamaBackend], picture: bytes
) -> None:
    """A connection that breaks before the answer is the server's failure."""
    server.force("drop")
    with pytest.raises(errors.ServerFailed) as caught:
        connect().ask(_request(picture))
    assert caught.value.retryable


def test_silence_is_a_time_out(
    server: OllamaReplay, connect: Callable[..., OllamaBackend], picture: bytes
) -> None:
    """A server that says nothing is waited for only so long."""
    backend = connect(timeout_s=0.3)
    backend.identify()
    server.force("silence")
    started = time.monotonic()
    with pytest.raises(errors.RequestTimedOut):
        backend.ask(_request(picture))
    assert time.monotonic() - started < 2.5


def test_a_redirect_is_not_followed(
    server: OllamaReplay, connect: Callable[..., OllamaBackend], picture: bytes
) -> None:
    """A server on this machine cannot send the picture elsewhere."""
    server.force(replace(exchange("106"), status=307, body=""))
    with pytest.raises(errors.RemoteRefused, match="final address"):
        connect().ask(_request(picture))


def test_another_system_text_goes_in_front(
    server: OllamaReplay, connect: Callable[..., OllamaBackend], picture: bytes
) -> None:
    """A request's own system text replaces the derived model's."""
    server.force(exchange("106"))
    connect(replace(MICRO, system="One.")).ask(_request(picture, system="Two."))
    (sent,) = server.sent("/api/chat")
    assert sent["messages"][0] == {"role": "system", "content": "Two."}


def test_other_examples_than_the_models_are_refused(
    connect: Callable[..., OllamaBackend], picture: bytes
) -> None:
    """Examples live in the derived model: a request with others would be asked wrongly."""
    backend = connect()
    with pytest.raises(errors.RequestRejected, match="same Modelfile"):
        backend.ask(_request(picture, examples=(("user", "Hi"), ("assistant", "7"))))


def test_many_threads_derive_once(
    server: OllamaReplay, connect: Callable[..., OllamaBackend], picture: bytes
) -> None:
    """Threads that start together wait for one derivation."""
    backend = connect()
    texts: list[str] = []
    threads = [
        threading.Thread(target=lambda: texts.append(backend.ask(_request(picture)).text))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(texts) == 8
    assert len(server.sent("/api/create")) == 1


def test_a_dead_server_says_how_to_start_it(picture: bytes) -> None:
    """Nothing listens: retryable, with the command in the message."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = Address(host="127.0.0.1", port=unused.getsockname()[1])
        backend = OllamaBackend(modelfile=MICRO, address=address)
        with pytest.raises(errors.ServerUnreachable, match="ollama serve") as caught:
            backend.ask(_request(picture))
        assert caught.value.retryable
        backend.close()
        backend.close()
        assert probe(address) is None


def test_another_machine_is_refused() -> None:
    """The address is checked before anything is opened."""
    address = Address(host="gpu.example", port=1)
    with pytest.raises(errors.RemoteRefused):
        OllamaBackend(modelfile=MICRO, address=address)
    OllamaBackend(modelfile=MICRO, address=address, allow_remote={"gpu.example"}).close()


def test_a_proxy_of_the_environment_is_not_used(
    connect: Callable[..., OllamaBackend], picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`HTTP_PROXY` points nowhere, and the picture arrives all the same."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert connect().ask(_request(picture)).text


def test_a_probe_tells_version_and_models(server: OllamaReplay) -> None:
    """One look says what runs there; `llava` is `llava:latest`."""
    status = probe(server.address)
    assert status is not None
    assert status.version == "0.33.0-rc2"
    assert has_model(status, "micro-llava")
    assert has_model(status, "micro-llava:latest")
    assert not has_model(status, "micro-llava:7b")
    assert not has_model(status, "llava")


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


@pytest.mark.parametrize(("value", "slots"), [("4", 4), ("", 1), ("0", 1), ("many", 1), ("-2", 1)])
def test_slots_are_the_servers_setting(
    connect: Callable[..., OllamaBackend], monkeypatch: pytest.MonkeyPatch, value: str, slots: int
) -> None:
    """`OLLAMA_NUM_PARALLEL` counts where it is a number."""
    monkeypatch.setenv("OLLAMA_NUM_PARALLEL", value)
    assert connect().slots == slots


def test_importing_is_cheap() -> None:
    """The client and httpx are loaded when something is asked, not before."""
    code = (
        "import sys, pytest_llmclf.backends.connect, pytest_llmclf.backends.ollama_errors;"
        "sys.exit(int('ollama' in sys.modules or 'httpx' in sys.modules))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], env=environment, timeout=60, check=False
    )
    assert done.returncode == 0
