"""An error that comes with HTTP 200 is no answer, in every dialect and in streams."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf import errors
from pytest_llmclf.models.openai.openai_backend import OpenAIBackend
from tests.ollama_replay import OllamaReplay, exchange
from tests.ollama_replay.server import _stream
from tests.unit.models.chat_server import ChatServer, completion
from tests.unit.models.ollama_models import question

if TYPE_CHECKING:
    from tests.unit.models.ollama_models import Connect

UPSTREAM = {"message": "upstream idle", "code": 502}
GREEN = {"role": "assistant", "content": "green"}
SAID = {"index": 0, "message": GREEN, "finish_reason": "stop"}
OPENAI: dict[str, Any] = {
    "error in an empty choice": {
        "choices": [
            {**SAID, "error": UPSTREAM, "message": {"content": ""}, "finish_reason": "error"}
        ]
    },
    "error beside the text": {"choices": [{**SAID, "error": UPSTREAM, "finish_reason": "error"}]},
    "error beside the choices": {"error": UPSTREAM, "choices": [SAID]},
    "error in the message": {"choices": [{**SAID, "message": {**GREEN, "error": UPSTREAM}}]},
    "error as text": {"error": "upstream idle", "choices": [SAID]},
    "finish reason alone": {"choices": [{**SAID, "finish_reason": "error"}]},
    "no choice": {"choices": []},
    "choices null": {"choices": None},
    "nothing at all": {},
    "an object of its own": {"object": "error", "message": "engine dead", "code": 500},
    "error and choices null": {"error": UPSTREAM, "choices": None},
    "a stream that breaks": "".join(
        f"data: {json.dumps(event)}\n\n" for event in ({"choices": [SAID]}, {"error": UPSTREAM})
    )
    + "data: [DONE]\n\n",
    "llama.cpp's stream": 'error: {"code":500,"message":"slot lost"}\n\n',
}
DONE = exchange("105").body
OLLAMA: dict[str, Any] = {
    "error beside the message": {**DONE, "error": "runner gone"},
    "error as an object": {"error": {"message": "runner gone", "code": 502}},
    "broken off": {key: DONE[key] for key in ("model", "created_at", "message")} | {"done": False},
    "broken off, some text": {
        "message": {"role": "assistant", "content": "7 7 7"}, "done": False
    },
    "a stream that breaks": "\n".join(
        json.dumps(line) for line in ({**DONE, "done": False}, {"error": "runner gone"})
    ),
}  # fmt: skip


@pytest.mark.parametrize("body", OPENAI.values(), ids=OPENAI)
def test_openai(body: Any) -> None:
    """Whatever text stands beside it, what comes is an error that may pass."""
    with ChatServer() as chat:
        backend = OpenAIBackend(model="llava", address=chat.address, timeout_s=2)
        chat.answers["/v1/chat/completions"] = (200, body)
        with pytest.raises(errors.BackendError) as caught:
            backend.ask(question(b"p"))
        assert caught.value.retryable
        assert caught.value.remedy
        assert "HTTP -1" not in str(caught.value)
        backend.close()


@pytest.mark.parametrize("error", [None, {}, "", False])
def test_no_error_is_none(error: Any) -> None:
    """Servers that always have the field, and leave it empty, are understood."""
    with ChatServer() as chat:
        backend = OpenAIBackend(model="llava", address=chat.address, timeout_s=2)
        body = completion(error=error)
        chat.answers["/v1/chat/completions"] = (200, {**body, "error": error})
        assert backend.ask(question(b"p")).text == "7"
        backend.close()


@pytest.mark.parametrize("body", OLLAMA.values(), ids=OLLAMA)
def test_ollama(server: OllamaReplay, connect_ollama: Connect, image: bytes, body: Any) -> None:
    """The same on Ollama; the message tells no status that HTTP does not have."""
    sound = exchange("105")
    server.force(replace(sound, body=body))
    with pytest.raises(errors.BackendError) as caught:
        connect_ollama().ask(question(image))
    assert caught.value.retryable
    assert "HTTP 200" in str(caught.value)


REPEATS = ["7" * 31, " ha" * 30, "\n" * 40, '{"label": "' + "\\t" * 30, "cat, " * 25, " 7\n" * 60]


@pytest.mark.parametrize("text", REPEATS)
@pytest.mark.parametrize("field", ["content", "thinking"])
def test_a_model_that_repeats_itself_answered(
    server: OllamaReplay, connect_ollama: Connect, image: bytes, text: str, field: str
) -> None:
    """The server gives up on it without ``done``: that is how this model answers."""
    sound = exchange("105")
    message = {"role": "assistant", "content": "", field: text}
    server.force(replace(sound, body={"message": message, "done": False}))
    answer = connect_ollama().ask(question(image))
    assert answer.finish == "other"


def test_a_status_that_is_none_is_not_shown(server: OllamaReplay, connect_ollama: Connect) -> None:
    """The official client says -1 of an error line after HTTP 200; people are told what it was."""
    server._create = lambda _: _stream([{"error": "disk full"}])  # type: ignore[method-assign, assignment]
    with pytest.raises(errors.BackendError) as caught:
        connect_ollama().identify()
    assert "disk full" in str(caught.value)
    assert "-1" not in str(caught.value)
    assert "HTTP 200 with an error in it" in str(caught.value)
