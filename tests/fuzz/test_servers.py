"""Servers that say anything: an answer that can be kept and counted, or a `BackendError`."""

# ruff: noqa: PT017 -- most inputs raise nothing

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_llmclf.errors import BackendError
from pytest_llmclf.models.ollama.derive import derived_name
from pytest_llmclf.models.ollama.listing import list_models
from pytest_llmclf.models.ollama.ollama_backend import OllamaBackend
from pytest_llmclf.models.ollama.status import OllamaStatus, has_model, probe
from pytest_llmclf.models.openai.openai_backend import OpenAIBackend
from pytest_llmclf.prompting.label_probabilities import class_probabilities
from pytest_llmclf.prompting.labels import LabelSet
from pytest_llmclf.prompting.modelfile import parse
from pytest_llmclf.prompting.readers import read_label
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.request import Request
from tests.fuzz.effort import assert_says, effort
from tests.fuzz.raw_server import RawServer, http

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT_S = 5.0
PETS = LabelSet.of(("cat", "dog"))
PLAIN = parse("FROM llava\n", "pets.Modelfile")
QUESTION = Request(
    system=None, prompt="Which?", image=b"image", media_type="image/png", top_logprobs=2
)
RUNNING: list[RawServer] = []


@pytest.fixture(scope="module", autouse=True)
def _running() -> Iterator[None]:
    with RawServer() as running:
        RUNNING.append(running)
        yield
        RUNNING.clear()


def server() -> RawServer:
    """The server of this module; one of its own outside pytest."""
    if not RUNNING:
        RUNNING.append(RawServer().__enter__())
    return RUNNING[0]


def assert_kept(answer: Answer) -> None:
    """What a server says can be stored, read back, written into files and read as a label."""
    stored = json.dumps(answer.to_json(), allow_nan=False)
    assert Answer.from_json(json.loads(stored)) == answer
    assert isinstance(answer.text, str)
    assert answer.finish in {"stop", "length", "other"}
    for count in (answer.prompt_tokens, answer.answer_tokens):
        assert count is None or (type(count) is int and 0 <= count < 2**53)
    for seconds in (answer.server_s, answer.load_s, answer.wall_s):
        assert seconds is None or (0 <= seconds < math.inf)
    read_label(answer.text, PETS, answer.finish)
    for item in answer.logprobs or ():
        assert isinstance(item.token, str)
        assert math.isfinite(item.logprob)
    if answer.logprobs is not None:
        class_probabilities(answer, PETS)


def asked(backend: OpenAIBackend | OllamaBackend, *, handled: bool = True) -> None:
    """Ask; anything but an answer that can be kept and a `BackendError` is a failure."""
    try:
        try:
            identity = backend.identify()
            assert json.dumps(identity.to_json(), allow_nan=False)
            assert_kept(backend.ask(QUESTION))
        finally:
            backend.close()
    except BackendError as error:
        assert_says(error)
        assert len(str(error)) < 2000
        if not handled:
            raise


def ask_openai(chat: bytes, models: bytes | None = None) -> None:
    """Put the question to a server with these answers."""
    running = server()
    running.replies = {"/chat/completions": chat}
    running.otherwise = http(b'{"data": [{"id": "m"}]}') if models is None else models
    asked(OpenAIBackend(model="m", address=running.address, timeout_s=TIMEOUT_S, api_key=""))


def derived() -> str:
    """The name of the model that is derived from `PLAIN`."""
    return derived_name(PLAIN, "aa")


SOUND: dict[str, Any] = {
    "/api/version": {"version": "0.33.0"},
    "/api/tags": {"models": [{"name": "llava:latest", "model": "llava:latest", "digest": "aa"}]},
    "/api/show": {"modelfile": "FROM llava\n", "parameters": "", "template": "", "details": {}},
    "/api/create": {"status": "success"},
    "/api/chat": {"message": {"role": "assistant", "content": "cat"}, "done_reason": "stop"},
}


def ask_ollama(path: str, reply: bytes, *, handled: bool = True) -> None:
    """Put the question to an Ollama that answers one path like this and all others soundly."""
    running = server()
    sound: dict[str, bytes | list[bytes]] = {
        known: http(json.dumps(body).encode()) for known, body in SOUND.items()
    }
    listed = [*SOUND["/api/tags"]["models"], {"name": derived(), "model": derived(), "digest": "b"}]
    if path not in {"/api/create", "/api/tags"}:
        sound["/api/tags"] = http(json.dumps({"models": listed}).encode())
    running.replies = {**sound, path: reply}
    running.otherwise = http(b"404 page not found", 404)
    status = probe(running.address, TIMEOUT_S)
    if isinstance(status, OllamaStatus):
        has_model(status, "llava")
    list_models(running.address, TIMEOUT_S)
    backend = OllamaBackend(modelfile=PLAIN, address=running.address, timeout_s=TIMEOUT_S)
    asked(backend, handled=handled)


def test_sound_servers_are_understood() -> None:
    """What the tests below vary is an answer to begin with."""
    running = server()
    running.replies = {"/chat/completions": http(encoded(completion()))}
    running.otherwise = http(b'{"data": [{"id": "m"}]}')
    backend = OpenAIBackend(model="m", address=running.address, timeout_s=TIMEOUT_S, api_key="")
    backend.identify()
    assert backend.ask(QUESTION).text == "cat"
    backend.close()
    with pytest.raises(BackendError, match="still no answer"):
        ask_ollama("/api/chat", http(b'{"error": "still no answer"}', 400), handled=False)


odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from([10**400, -1, 2**63, 1e308, "", "cat", "\ud800", "\x1b[2J", "NaN", "stop", "0",
                     "x" * 5000, "not found", "load", "error"]),
)  # fmt: skip
anything = st.recursive(
    odd,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "message", "content", "token", "logprob", "text", "code"])
            | st.text(max_size=2),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


def maybe(usual: Any) -> st.SearchStrategy[Any]:
    """Mostly what is usual, else anything."""
    sound = usual if isinstance(usual, st.SearchStrategy) else st.just(usual)
    return st.one_of(sound, sound, anything)


tops = maybe(
    st.lists(maybe(st.fixed_dictionaries({"token": maybe("cat"), "logprob": maybe(-0.5)})))
)
tokens = maybe(
    st.lists(
        maybe(
            st.fixed_dictionaries({"token": maybe("cat"), "logprob": maybe(-0.1)},
                                  optional={"top_logprobs": tops, "bytes": anything})
        ),
        max_size=3,
    )
)  # fmt: skip
messages = maybe(
    st.fixed_dictionaries(
        {"role": maybe("assistant"), "content": maybe("cat")},
        optional={"refusal": anything, "tool_calls": anything, "images": anything},
    )
)
completions = st.fixed_dictionaries(
    {
        "choices": maybe(
            st.tuples(
                maybe(
                    st.fixed_dictionaries(
                        {"message": messages},
                        optional={"finish_reason": maybe("stop"),
                                  "logprobs": maybe(st.fixed_dictionaries({"content": tokens}))},
                    )
                )
            )
        )
    },
    optional={
        "usage": maybe(st.fixed_dictionaries({"prompt_tokens": odd, "completion_tokens": odd})),
        "timings": maybe(st.fixed_dictionaries({"prompt_ms": odd, "predicted_ms": odd})),
        "error": anything,
    },
)  # fmt: skip
chats = st.fixed_dictionaries(
    {"message": messages},
    optional={
        "done_reason": maybe("stop"), "done": anything, "prompt_eval_count": odd,
        "eval_count": odd, "total_duration": odd, "load_duration": odd, "logprobs": tokens,
        "error": anything, "created_at": anything,
    },
)  # fmt: skip
statuses = st.sampled_from([200, 200, 200, 201, 204, 400, 401, 404, 429, 500, 503, 307, 599, 100])


def encoded(value: Any) -> bytes:
    """JSON, with NaN and halves of surrogate pairs where they are."""
    return json.dumps(value, ensure_ascii=True).encode()


def completion(**choice: Any) -> dict[str, Any]:
    """An answer of an OpenAI-compatible server."""
    return {"choices": [{"message": {"content": "cat"}, **choice}]}


@effort(125)
@given(completions | anything, statuses)
@example(completion(logprobs={"content": [{"token": "cat", "logprob": math.nan}]}), 200)
@example(completion(logprobs={"content": [{"token": 7, "logprob": -1}]}), 200)
@example(completion(logprobs={"content": [{"token": "a", "logprob": 10**400}]}), 200)
@example({**completion(), "usage": {"prompt_tokens": "many", "completion_tokens": math.nan}}, 200)
@example({**completion(), "usage": {"prompt_tokens": 10**400}}, 200)
@example({**completion(), "timings": {"prompt_ms": math.inf, "predicted_ms": 1}}, 200)
@example({**completion(), "timings": {"prompt_ms": 10**400}}, 200)
@example({"choices": [{"message": {"content": {"a": math.nan}}}]}, 200)
@example({"error": {"message": {"error": "x"}, "code": "\ud800"}}, 200)
@example({"error": "\x1b[2J\ud800" * 500}, 500)
def test_openai_chat(body: Any, status: int) -> None:
    """Any JSON as the answer to a question."""
    ask_openai(http(encoded(body), status))


@effort(40)
@given(maybe(st.fixed_dictionaries({"data": anything}, optional={"error": anything})), statuses)
@example({"data": [{"id": "x" * 100_000}]}, 200)
@example({"data": [{"id": "m", "owned_by": "\ud800"}]}, 200)
@example({"data": [{"id": f"model-{n}"} for n in range(5000)]}, 200)
def test_openai_models(body: Any, status: int) -> None:
    """Any JSON as the list of models."""
    ask_openai(http(encoded(completion())), http(encoded(body), status))


raw = (
    st.binary(max_size=60)
    | st.sampled_from([
        b"", b"[" * 200_000, b'{"a":' * 200_000, b"1" * 5000, b"\xff\xfe", b"<html>", b"null",
        b'{"error":' * 100_000, b'"' + b'\\"' * 5000 + b'"', b'{"error": "' + b"[" * 99_999 + b'"}',
        json.dumps({"error": json.dumps({"error": "[" * 50_000})}).encode(),
        b'{"error": "' + b'{\\"error\\":' * 30_000 + b'"}',
    ])
)  # fmt: skip


@effort(40)
@given(raw, statuses)
@example(b"[" * 200_000, 200)
@example(b'{"error": "' + b"[" * 200_000 + b'"}', 500)
@example(b'{"choices": [{"message": {"content": "\xff"}}]}', 200)
def test_openai_bytes(content: bytes, status: int) -> None:
    """Any bytes as the body."""
    ask_openai(http(content, status))
    ask_openai(http(encoded(completion())), http(content, status))


heads = st.sampled_from(
    [b"", b"\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n{}", b"HTTP/9.9 200 OK\r\n\r\n",
     b"HTTP/1.1 abc\r\n",
     b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
     b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
     b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{",
     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}",
     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
     b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
     b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 200_000 + b"\r\n\r\n", b"\x16\x03\x01",
     b"HTTP/1.1 200 OK\r\n" + b"".join(b"X%d: y\r\n" % n for n in range(500)) + b"\r\n{}",
     b"HTTP/1.1 100 Continue\r\n\r\n" * 3, b"HTTP/1.1 204 No\r\n\r\n", b"HTTP/1.1 307 T\r\n\r\n",
     b"HTTP/1.1 307 T\r\nLocation: http://\r\nContent-Length: 0\r\n\r\n",
     b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=rot13\r\nContent-Length: 2\r\n\r\n{}"]
) | st.binary(max_size=40)  # fmt: skip


@effort(40)
@given(heads)
def test_any_head(reply: bytes) -> None:
    """Answers that are no HTTP, or lie about their length, coding or encoding."""
    ask_openai(reply)
    ask_ollama("/api/chat", reply)


@effort(75)
@given(chats | anything, statuses)
@example({"message": {"content": "cat"}, "logprobs": [{"token": "c", "logprob": math.nan}]}, 200)
@example({"message": {"content": "cat"}, "prompt_eval_count": 10**400}, 200)
@example({"message": {"content": "cat"}, "total_duration": -(10**400)}, 200)
@example({"message": {"content": "cat"}, "eval_count": -1}, 200)
def test_ollama_chat(body: Any, status: int) -> None:
    """Any JSON as Ollama's answer to a question."""
    ask_ollama("/api/chat", http(encoded(body), status))


paths = st.sampled_from(["/api/version", "/api/tags", "/api/show", "/api/create"])


@effort(60)
@given(
    paths,
    anything
    | st.fixed_dictionaries({"version": anything})
    | st.fixed_dictionaries({"models": maybe(st.lists(st.fixed_dictionaries(
        {"name": odd, "model": odd}, optional={"digest": odd, "size": odd, "details": anything,
                                               "capabilities": anything}), max_size=2))})
    | st.fixed_dictionaries({"modelfile": odd}, optional={"parameters": odd, "template": odd,
                                                          "capabilities": anything})
    | st.fixed_dictionaries({"status": odd}, optional={"error": anything}),
    statuses,
)  # fmt: skip
@example("/api/tags", {"models": [{"name": "llava", "model": "llava", "size": math.inf}]}, 200)
@example("/api/tags", {"models": [{"name": "a", "details": {"families": [[]]}}]}, 200)
@example("/api/tags", {"models": [{"name": "a", "details": "x"}]}, 200)
@example("/api/tags", [], 200)
@example("/api/version", [], 200)
@example("/api/show", {"modelfile": "FROM a\n", "parameters": "a " + '"' + "[" * 9}, 200)
def test_ollama_facts(path: str, body: Any, status: int) -> None:
    """Any JSON about version, models, a model, and the making of one."""
    ask_ollama(path, http(encoded(body), status))


@effort(40)
@given(paths | st.just("/api/chat"), raw, statuses)
@example("/api/tags", b"[" * 200_000, 200)
@example("/api/version", b"[" * 200_000, 200)
@example("/api/chat", b"[" * 200_000, 200)
@example("/api/create", b"[" * 200_000, 200)
@example("/api/show", b"[" * 200_000, 200)
@example("/api/create", b'{"status": "x"}\nnot json\n', 200)
def test_ollama_bytes(path: str, content: bytes, status: int) -> None:
    """Any bytes as the body."""
    ask_ollama(path, http(content, status))
