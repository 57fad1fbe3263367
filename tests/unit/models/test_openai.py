"""OpenAI-compatible servers: what is sent, what is read, and where the key goes."""

from __future__ import annotations

import base64
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf import errors
from pytest_llmclf.models.http.address import Access, Address, parse_chat_address
from pytest_llmclf.models.openai.openai_backend import OpenAIBackend
from pytest_llmclf.models.openai.openai_request import chat_body
from pytest_llmclf.values.request import Request
from tests.ollama_replay import exchange
from tests.unit.models.chat_server import ChatServer, completion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REQUEST = Request(
    system="One word.",
    examples=(("user", "Hi"), ("assistant", "Hello")),
    prompt="Which digit?",
    image=b"\x89PNG",
    media_type="image/png",
    options={"temperature": 0, "seed": 7, "num_predict": 8, "num_ctx": 2048, "stop": ["x"]},
)
KEY = "sk-very-secret"


@pytest.fixture
def chat() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


@pytest.fixture
def connect(chat: ChatServer) -> Iterator[Callable[..., OpenAIBackend]]:
    made: list[OpenAIBackend] = []

    def make(**settings: Any) -> OpenAIBackend:
        settings = {"model": "llava", "address": chat.address, "timeout_s": 2.0, **settings}
        made.append(OpenAIBackend(**settings))
        return made[-1]

    yield make
    for backend in made:
        backend.close()


def test_a_request_is_sent_whole(chat: ChatServer, connect: Callable[..., OpenAIBackend]) -> None:
    """System text, examples, image and question go in this order, options under their names."""
    connect().ask(REQUEST)
    (arrived,) = chat.arrived
    body = arrived.body
    assert arrived.path == "/v1/chat/completions"
    assert [m["role"] for m in body["messages"]] == ["system", "user", "assistant", "user"]
    image, text = body["messages"][-1]["content"]
    encoded = image["image_url"]["url"].removeprefix("data:image/png;base64,")
    assert base64.b64decode(encoded) == REQUEST.image
    assert text == {"type": "text", "text": "Which digit?"}
    assert {k: v for k, v in body.items() if k != "messages"} == {
        "model": "llava", "stream": False, "temperature": 0, "seed": 7, "max_tokens": 8,
        "stop": ["x"],
    }  # fmt: skip


def test_a_grammar_and_log_probabilities_are_asked_for() -> None:
    """A schema becomes a strict response format, alternatives are asked for by number."""
    schema = {"type": "string", "enum": ["1", "2"]}
    body = chat_body("m", replace(REQUEST, answer_schema=schema, top_logprobs=3))
    assert body["response_format"]["json_schema"]["schema"] == schema
    assert body["response_format"]["json_schema"]["strict"] is True
    assert (body["logprobs"], body["top_logprobs"]) == (True, 3)


def test_no_limit_is_sent_as_no_limit() -> None:
    """`num_predict -1` means as many as it takes."""
    assert "max_tokens" not in chat_body("m", replace(REQUEST, options={"num_predict": -1}))


def test_an_answer_is_read(connect: Callable[..., OpenAIBackend]) -> None:
    """Text, end and counts of an ordinary answer."""
    answer = connect().ask(REQUEST)
    assert (answer.text, answer.finish) == ("7", "stop")
    assert (answer.prompt_tokens, answer.answer_tokens) == (31, 2)
    assert answer.wall_s is not None
    assert answer.logprobs is None


def test_a_recorded_answer_is_read(chat: ChatServer, connect: Callable[..., OpenAIBackend]) -> None:
    """The answer of a real server (068) with log-probabilities."""
    recorded = exchange("068")
    chat.answers["/v1/chat/completions"] = (200, recorded.body)
    answer = connect().ask(REQUEST)
    choice = recorded.body["choices"][0]
    tokens = choice["logprobs"]["content"]
    assert answer.text == choice["message"]["content"]
    assert answer.logprobs is not None
    assert [(t.token, t.logprob) for t in answer.logprobs] == [
        (t["token"], t["logprob"]) for t in tokens
    ]
    assert [list(t.top) for t in answer.logprobs] == [
        [(o["token"], o["logprob"]) for o in t["top_logprobs"]] for t in tokens
    ]


def test_impossible_is_a_number(chat: ChatServer, connect: Callable[..., OpenAIBackend]) -> None:
    """An infinite log-probability would not survive JSON."""
    tokens = {"content": [{"token": "7", "logprob": float("-inf")}]}
    chat.answers["/v1/chat/completions"] = (200, completion(logprobs=tokens))
    answer = connect().ask(REQUEST)
    assert answer.logprobs is not None
    assert answer.logprobs[0].logprob == -9999.0


@pytest.mark.parametrize(
    ("choice", "text", "finish"),
    [
        ({"finish_reason": "length"}, "7", "length"),
        ({"finish_reason": "content_filter"}, "7", "filtered"),
        ({"finish_reason": None}, "7", "other"),
        ({"message": {"content": None}}, "", "stop"),
        ({"message": {"content": None, "refusal": "I cannot."}}, "I cannot.", "stop"),
        ({"message": {"content": [{"type": "text", "text": "a"}, {"text": "b"}]}}, "ab", "stop"),
    ],
    ids=["length", "filter", "unsaid", "nothing", "refusal", "parts"],
)
def test_other_ends_are_told_apart(
    chat: ChatServer,
    connect: Callable[..., OpenAIBackend],
    choice: dict[str, Any],
    text: str,
    finish: str,
) -> None:
    """What servers write when an answer is cut, refused or in parts."""
    chat.answers["/v1/chat/completions"] = (200, completion(**choice))
    answer = connect().ask(REQUEST)
    assert (answer.text, answer.finish) == (text, finish)


@pytest.mark.parametrize("body", [{}, {"choices": []}, [], "<html>", {"choices": [{}]}, "null"])
def test_another_protocol_is_a_bad_answer(
    chat: ChatServer, connect: Callable[..., OpenAIBackend], body: Any
) -> None:
    """HTTP 200 with something else in it is not taken for an answer."""
    chat.answers["/v1/chat/completions"] = (200, body)
    with pytest.raises(errors.BadAnswer):
        connect().ask(REQUEST)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"error": {"message": "Incorrect API key provided"}}, errors.AccessRefused),
        (404, {"error": {"message": "The model `x` does not exist"}}, errors.ModelMissing),
        (400, {"error": {"message": "image input is not supported - hint: if this is unexpected, "
                                    "you may need to provide the mmproj"}}, errors.ModelCannotSee),
        (400, {"error": {"message": "Failed to load image or audio file"}}, errors.ImageRejected),
        (400, {"error": {"message": "This model's maximum context length is 4096 tokens"}},
         errors.ContextTooSmall),
        (400, {"detail": "bad"}, errors.RequestRejected),
        (429, {"error": {"message": "Rate limit reached"}}, errors.ServerOverloaded),
        (500, "boom", errors.ServerFailed),
        (503, {"error": {"message": "Loading model"}}, errors.ServerOverloaded),
        (504, "", errors.RequestTimedOut),
        (307, "", errors.Redirected),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else None,
)  # fmt: skip
def test_an_error_has_its_type_and_a_remedy(
    chat: ChatServer,
    connect: Callable[..., OpenAIBackend],
    status: int,
    body: Any,
    kind: type[errors.BackendError],
) -> None:
    """Wordings of several servers map to one type each."""
    chat.answers["/v1/chat/completions"] = (status, body)
    with pytest.raises(errors.BackendError) as caught:
        connect().ask(REQUEST)
    assert type(caught.value) is kind
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("the runner has crashed", errors.ServerFailed),
        ({"message": "boom", "type": "server_error", "code": None}, errors.ServerFailed),
        ({"message": "upstream", "code": 502}, errors.ServerFailed),
        ({"message": "slow down", "code": "429"}, errors.ServerOverloaded),
        ({"message": "no", "type": "rate_limit_error"}, errors.ServerOverloaded),
        ({"message": "bad seed", "type": "invalid_request_error"}, errors.RequestRejected),
        ({"message": "who?", "type": "authentication_error"}, errors.AccessRefused),
        ({"message": "model `x` does not exist"}, errors.ModelMissing),
    ],
)
def test_an_error_with_http_200_is_an_error(
    chat: ChatServer,
    connect: Callable[..., OpenAIBackend],
    error: Any,
    kind: type[errors.BackendError],
) -> None:
    """The server's own words are shown, and what it meant decides the type."""
    chat.answers["/v1/chat/completions"] = (200, {"error": error})
    with pytest.raises(errors.BackendError) as caught:
        connect().ask(REQUEST)
    said = error if isinstance(error, str) else error["message"]
    assert type(caught.value) is kind
    assert f'said "{said}" (HTTP 200 with an error in it)' in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("<html>\n<b>Gateway</b>", '"<html>\\n<b>Gateway</b>" (not JSON)'),
        ("\x1b[2J" + "x" * 500, '…" (not JSON)'),
        ("", "answered nothing (not JSON)"),
    ],
    ids=["page", "long", "nothing"],
)
def test_garbage_is_shown(
    chat: ChatServer, connect: Callable[..., OpenAIBackend], body: str, shown: str
) -> None:
    """The beginning of a page tells what answers there, and cannot move the cursor."""
    chat.answers["/v1/chat/completions"] = (200, body)
    with pytest.raises(errors.BadAnswer) as caught:
        connect().ask(REQUEST)
    assert shown in caught.value.message
    assert len(caught.value.message) < 160
    assert "\x1b" not in str(caught.value)
    assert "/v1" in caught.value.remedy


def test_identity_is_honest_about_the_digest(connect: Callable[..., OpenAIBackend]) -> None:
    """The protocol tells no digest of the model, and the details say so."""
    identity = connect().identify()
    assert identity.spec == "openai:llava"
    assert identity.server == "someone"
    assert "name only" in identity.details["digest"]


def test_another_server_is_another_model(chat: ChatServer) -> None:
    """Two servers may serve different models under one name."""
    with ChatServer() as other:
        backends = [OpenAIBackend(model="llava", address=s.address) for s in (chat, other)]
        digests = {backend.identify().digest for backend in backends}
        for backend in backends:
            backend.close()
    assert len(digests) == 2


def test_a_model_that_is_not_listed_is_asked(connect: Callable[..., OpenAIBackend]) -> None:
    """Gateways know more names than they list; one that answers all the same is noted."""
    backend = connect(model="lava")
    assert backend.identify().name == "lava"
    told = [backend.notices]
    assert [backend.ask(REQUEST).text for _ in range(3)] == ["7"] * 3
    told.append(backend.notices)
    assert [len(notices) for notices in told] == [0, 1]
    assert "does not list lava (llava) and answered all the same" in told[1][0]


def test_a_listed_model_needs_no_notice(connect: Callable[..., OpenAIBackend]) -> None:
    """There is nothing to say of it."""
    backend = connect()
    backend.identify()
    backend.ask(REQUEST)
    assert backend.notices == ()


@pytest.mark.parametrize("status", [400, 403, 404, 405, 410, 501])
def test_a_server_without_a_list_is_believed(
    chat: ChatServer, connect: Callable[..., OpenAIBackend], status: int
) -> None:
    """Not every server lists its models."""
    chat.answers["/v1/models"] = (status, "")
    assert connect().identify().server == "openai-compatible"


def test_a_wrong_key_is_said_at_once(
    chat: ChatServer, connect: Callable[..., OpenAIBackend]
) -> None:
    """A refused list is not taken for a missing one."""
    chat.answers["/v1/models"] = (401, {"error": {"message": "no"}})
    with pytest.raises(errors.AccessRefused, match="OPENAI_API_KEY"):
        connect().identify()


@pytest.mark.parametrize(
    ("variables", "sent"),
    [
        ({"OPENAI_API_KEY": KEY}, f"Bearer {KEY}"),
        ({"OPENAI_API_KEY": "other", "LLMCLF_OPENAI_API_KEY": KEY}, f"Bearer {KEY}"),
        ({}, None),
    ],
    ids=["usual", "own", "none"],
)
def test_the_key_comes_from_the_environment(
    chat: ChatServer,
    connect: Callable[..., OpenAIBackend],
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    sent: str | None,
) -> None:
    """Our own variable comes first; without one no key is sent."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    connect().ask(REQUEST)
    assert chat.arrived[0].headers.get("Authorization") == sent


def test_the_key_is_never_shown(
    chat: ChatServer,
    connect: Callable[..., OpenAIBackend],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not in the representation, the identity, the log, or an error and what it came from."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    backend = connect()
    shown = [repr(backend), repr(backend.identify())]
    for status, body in ((500, "boom"), (200, "<html>")):
        chat.answers["/v1/chat/completions"] = (status, body)
        with pytest.raises(errors.BackendError) as caught:
            backend.ask(REQUEST)
        shown += [repr(caught.value), str(caught.value), repr(caught.value.__cause__)]
    assert KEY not in "".join(shown) + caplog.text


def test_a_password_of_the_address_is_sent_and_not_shown(
    chat: ChatServer, connect: Callable[..., OpenAIBackend]
) -> None:
    """It goes into the header of its own, and into nothing that is printed."""
    backend = connect(address=replace(chat.address, user=("me", "secret")))
    backend.ask(REQUEST)
    assert chat.arrived[0].headers["Authorization"].startswith("Basic ")
    chat.answers["/v1/chat/completions"] = (500, "boom")
    with pytest.raises(errors.ServerFailed) as caught:
        backend.ask(REQUEST)
    assert "secret" not in f"{backend!r} {backend.identify()} {caught.value}"


def test_the_key_does_not_follow_a_redirect(
    chat: ChatServer, connect: Callable[..., OpenAIBackend], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A redirect is an error: neither image nor key goes anywhere else."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    chat.answers["/v1/chat/completions"] = (302, "")
    with pytest.raises(errors.RemoteRefused):
        connect().ask(REQUEST)
    assert len(chat.arrived) == 1


def test_another_machine_is_refused() -> None:
    """A hosted model needs the host to be named."""
    address = Address(scheme="https", host="api.example.com", port=443, path="/v1")
    with pytest.raises(errors.RemoteRefused, match=r"--llmclf-allow-remote api\.example\.com"):
        OpenAIBackend(model="m", address=address)
    OpenAIBackend(model="m", address=address, access=Access(remote={"api.example.com"})).close()


@pytest.mark.parametrize("path", ["/v1", "/v1/chat/completions"])
def test_an_api_version_goes_with_every_request(
    chat: ChatServer, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """And the key as such servers want it, too; answers are known by the same identity."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    query = "?api-version=2024-10-21"
    for where in ("/v1/models", "/v1/chat/completions"):
        chat.answers[f"{where}{query}"] = chat.answers.pop(where)
    address = parse_chat_address(f"http://{chat.address.netloc}{path}{query}")
    backend = OpenAIBackend(model="llava", address=address, timeout_s=2)
    assert backend.ask(REQUEST).text == "7"
    assert backend.identify().name == "llava"
    assert backend.is_there(2)
    backend.close()
    assert {arrived.path.partition("?")[2] for arrived in chat.arrived} == {query[1:]}
    assert {arrived.headers["api-key"] for arrived in chat.arrived} == {KEY}
    assert {arrived.headers["Authorization"] for arrived in chat.arrived} == {f"Bearer {KEY}"}


def test_other_servers_get_their_key_once(
    chat: ChatServer, connect: Callable[..., OpenAIBackend], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A header more is a place more where a key may be logged."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    connect().ask(REQUEST)
    assert "api-key" not in chat.arrived[0].headers
