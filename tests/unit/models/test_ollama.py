"""Asking models on Ollama, over real HTTP."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf import errors
from pytest_llmclf.models.http.address import Access, Address
from pytest_llmclf.models.ollama.ollama_backend import MOST_LOSSES, OllamaBackend
from pytest_llmclf.models.ollama.status import OllamaStatus, has_model, probe
from tests.ollama_replay import all_exchanges, exchange
from tests.unit.models.ollama_models import MICRO, Connect, question
from tests.unit.models.test_ollama_errors import EXPECTED

if TYPE_CHECKING:
    from tests.ollama_replay import OllamaReplay


def test_a_model_is_derived_and_asked(
    server: OllamaReplay, connect_ollama: Connect, image: bytes
) -> None:
    """Create, show and chat in turn; the recorded answer comes back whole."""
    backend = connect_ollama()
    answer = backend.ask(question(image))
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


def test_identity_is_the_derived_models(connect_ollama: Connect) -> None:
    """Name as people write it, digest of what answers, version of the server."""
    identity = connect_ollama().identify()
    assert identity.spec == "ollama:micro-llava"
    assert identity.server == "ollama 0.33.0-rc2"
    assert len(identity.digest) == 64
    assert identity.details["derived"].startswith("llmclf-micro-llava-")


def test_only_differing_options_are_sent(
    server: OllamaReplay, connect_ollama: Connect, image: bytes
) -> None:
    """Options that the derived model has stay out; others override it."""
    server.force(exchange("106"))
    options = {"num_predict": 4, "temperature": 0.5, "seed": 1}
    connect_ollama().ask(question(image, options=options))
    (sent,) = server.sent("/api/chat")
    assert sent["options"] == options


def test_a_grammar_and_log_probabilities_are_asked_for(
    server: OllamaReplay, connect_ollama: Connect, image: bytes
) -> None:
    """The recorded request with `format` and log-probabilities is made, and its answer read."""
    wanted = exchange("126").sent
    answer = connect_ollama(replace(MICRO, parameters=())).ask(
        question(
            image,
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
    server: OllamaReplay, connect_ollama: Connect, image: bytes
) -> None:
    """`done: false` without counts (301) is how the model answers, not an error."""
    server.force(exchange("301"))
    answer = connect_ollama().ask(question(image))
    assert answer.finish == "other"
    assert answer.text.startswith('" ha ha')
    assert (answer.prompt_tokens, answer.server_s, answer.logprobs) == (None, None, None)


def test_an_answer_at_the_limit_says_so(
    server: OllamaReplay, connect_ollama: Connect, image: bytes
) -> None:
    """`done_reason: length` (027) is told apart from an end of its own."""
    server.force(exchange("027"))
    assert connect_ollama().ask(question(image)).finish == "length"


def test_loading_is_not_an_answer(
    server: OllamaReplay, connect_ollama: Connect, image: bytes
) -> None:
    """`done_reason: load` (044) carries no answer to a question."""
    server.force(exchange("044"))
    with pytest.raises(errors.BadAnswer, match="'load'"):
        connect_ollama().ask(question(image))


CHAT_ERRORS = list(
    {i.file: i for i in all_exchanges() if i.path == "/api/chat" and i.status >= 400}.values()
)


@pytest.mark.parametrize("number", [item.file[:3] for item in CHAT_ERRORS])
def test_every_recorded_chat_error_arrives_typed(
    server: OllamaReplay, connect_ollama: Connect, image: bytes, number: str
) -> None:
    """The error of a real server, over HTTP and through the client, has its type."""
    error = next(i for i in CHAT_ERRORS if i.file.startswith(number) and i.failed)
    for _ in range(1 + MOST_LOSSES):  # after a lost model it is asked once more
        server.force(error)
    with pytest.raises(EXPECTED[number]):
        connect_ollama().ask(question(image))


@pytest.mark.parametrize(
    ("body", "content_type"),
    [("<html>", "text/html"), ([], "application/json"), ({"done": True}, "application/json")],
    ids=["html", "list", "no-message"],
)
def test_another_protocol_is_a_bad_answer(
    server: OllamaReplay,
    connect_ollama: Connect,
    image: bytes,
    body: Any,
    content_type: str,
) -> None:
    """HTTP 200 with something else in it is not taken for an answer."""
    server.force(replace(exchange("106"), body=body, content_type=content_type))
    with pytest.raises(errors.BadAnswer):
        connect_ollama().ask(question(image))


def test_an_error_that_is_no_object_is_still_typed(
    server: OllamaReplay, connect_ollama: Connect, image: bytes
) -> None:
    """The client fails over an error body that is a JSON list; that too is one of our errors."""
    server.force(replace(exchange("055"), body=["oops"]))
    with pytest.raises(errors.BackendError):
        connect_ollama().ask(question(image))


def test_a_cut_connection_may_be_tried_again(
    server: OllamaReplay, connect_ollama: Connect, image: bytes
) -> None:
    """A connection that breaks before the answer is the server's failure."""
    server.force("drop")
    with pytest.raises(errors.ServerFailed) as caught:
        connect_ollama().ask(question(image))
    assert caught.value.retryable


def test_silence_is_a_time_out(server: OllamaReplay, connect_ollama: Connect, image: bytes) -> None:
    """A server that says nothing is waited for only so long."""
    backend = connect_ollama(timeout_s=0.3)
    backend.identify()
    server.force("silence")
    started = time.monotonic()
    with pytest.raises(errors.RequestTimedOut):
        backend.ask(question(image))
    assert time.monotonic() - started < 2.5


def test_a_redirect_is_not_followed(
    server: OllamaReplay, connect_ollama: Connect, image: bytes
) -> None:
    """A server on this machine cannot send the image elsewhere."""
    server.force(replace(exchange("106"), status=307, body=""))
    with pytest.raises(errors.RemoteRefused, match="final address"):
        connect_ollama().ask(question(image))


def test_another_system_text_goes_in_front(
    server: OllamaReplay, connect_ollama: Connect, image: bytes
) -> None:
    """A request's own system text replaces the derived model's."""
    server.force(exchange("106"))
    connect_ollama(replace(MICRO, system="One.")).ask(question(image, system="Two."))
    (sent,) = server.sent("/api/chat")
    assert sent["messages"][0] == {"role": "system", "content": "Two."}


def test_other_examples_than_the_models_are_refused(connect_ollama: Connect, image: bytes) -> None:
    """Examples live in the derived model: a request with others would be asked wrongly."""
    backend = connect_ollama()
    with pytest.raises(errors.RequestRejected, match="same Modelfile"):
        backend.ask(question(image, examples=(("user", "Hi"), ("assistant", "7"))))


def test_a_dead_server_says_how_to_start_it(image: bytes) -> None:
    """Nothing listens: retryable, with the command in the message."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = Address(host="127.0.0.1", port=unused.getsockname()[1])
        backend = OllamaBackend(modelfile=MICRO, address=address)
        with pytest.raises(errors.ServerUnreachable, match="ollama serve") as caught:
            backend.ask(question(image))
        assert caught.value.retryable
        backend.close()
        backend.close()
        assert isinstance(probe(address), errors.ServerUnreachable)


def test_another_machine_is_refused() -> None:
    """The address is checked before anything is opened."""
    address = Address(host="gpu.example", port=1)
    with pytest.raises(errors.RemoteRefused):
        OllamaBackend(modelfile=MICRO, address=address)
    OllamaBackend(modelfile=MICRO, address=address, access=Access(remote={"gpu.example"})).close()


def test_a_proxy_of_the_environment_is_not_used(
    connect_ollama: Connect, image: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`HTTP_PROXY` points nowhere, and the image arrives all the same."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert connect_ollama().ask(question(image)).text


def test_a_probe_tells_version_and_models(server: OllamaReplay) -> None:
    """One look says what runs there; `llava` is `llava:latest`."""
    status = probe(server.address)
    assert isinstance(status, OllamaStatus)
    assert status.version == "0.33.0-rc2"
    assert has_model(status, "micro-llava")
    assert has_model(status, "micro-llava:latest")
    assert not has_model(status, "micro-llava:7b")
    assert not has_model(status, "llava")


def test_importing_is_cheap() -> None:
    """The client and httpx are loaded when a model is made, `http.client` when one is asked."""
    code = (
        "import sys, pytest_llmclf.models.connect, pytest_llmclf.models.ollama.ollama_errors;"
        "sys.exit(int('ollama' in sys.modules or 'httpx' in sys.modules))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], env=environment, timeout=60, check=False
    )
    assert done.returncode == 0
