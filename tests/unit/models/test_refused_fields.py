"""What a server refuses is left out, once and for the run, and the answers say so."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf import errors
from pytest_llmclf.models.openai.openai_backend import OpenAIBackend
from pytest_llmclf.models.openai.refused_fields import RefusedFields, refused_in
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.request import Request
from tests.unit.models.chat_server import ChatServer, completion

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

OPTIONS = {
    "temperature": 0, "seed": 7, "num_predict": 16, "top_k": 1, "repeat_penalty": 1.0, "stop": ["x"]
}  # fmt: skip
REQUEST = Request(
    system="One word.",
    prompt="Which animal?",
    image=b"\x89PNG",
    media_type="image/png",
    options=OPTIONS,
    top_logprobs=5,
)
SENT = [
    "temperature", "seed", "max_tokens", "top_k", "repeat_penalty", "stop", "logprobs",
    "top_logprobs",
]  # fmt: skip

REFUSALS: dict[str, tuple[Any, set[str]]] = {
    "OpenAI, another name": (
        {"error": {"message": "Unsupported parameter: 'max_tokens' is not supported with this "
                   "model. Use 'max_completion_tokens' instead.", "param": "max_tokens",
                   "type": "invalid_request_error", "code": "unsupported_parameter"}},
        {"max_tokens"},
    ),
    "OpenAI, no param": (
        {"error": {"message": "'max_tokens' is not supported with this model. Use "
                   "'max_completion_tokens' instead.", "code": "unsupported_parameter"}},
        {"max_tokens"},
    ),
    "OpenAI, unknown": (
        {"error": {"message": "Unknown parameter: 'top_k'.", "param": "top_k",
                   "code": "unknown_parameter"}},
        {"top_k"},
    ),
    "OpenAI, several": (
        {"error": {"message": "Unrecognized request arguments supplied: repeat_penalty, top_k"}},
        {"repeat_penalty", "top_k"},
    ),
    "OpenAI, one value only": (
        {"error": {"message": "Unsupported value: 'temperature' does not support 0 with this "
                   "model. Only the default (1) value is supported.", "param": "temperature",
                   "code": "unsupported_value"}},
        {"temperature"},
    ),
    "by its param alone": (
        {"error": {"message": "Bad request", "param": "seed", "code": "unsupported_parameter"}},
        {"seed"},
    ),
    "not allowed": (
        {"error": {"message": "You are not allowed to request logprobs from this model"}},
        {"logprobs"},
    ),
    "vLLM, strict": (
        {"object": "error", "type": "BadRequestError", "code": 400, "param": None,
         "message": "[{'type': 'extra_forbidden', 'loc': ('body', 'top_k'), 'msg': 'Extra inputs "
                    "are not permitted', 'input': 1}]"},
        {"top_k"},
    ),
    "vLLM, too many": (
        {"object": "error", "code": 400, "message": "Requested sample logprobs of 20, which is "
                                                    "greater than max allowed: 5"},
        {"logprobs"},
    ),
    "FastAPI": (
        {"detail": [
            {"type": "extra_forbidden", "loc": ["body", "repeat_penalty"],
             "msg": "Extra inputs are not permitted", "input": 1.0},
            {"type": "extra_forbidden", "loc": ["body", "stop"],
             "msg": "Extra inputs are not permitted", "input": ["x"]},
        ]},
        {"repeat_penalty", "stop"},
    ),
    "Groq": ({"error": {"message": "property 'top_k' is unsupported"}}, {"top_k"}),
    "Google": (
        [{"error": {"code": 400, "message": "Invalid JSON payload received. Unknown name "
                    '"seed": Cannot find field.', "status": "INVALID_ARGUMENT"}}],
        {"seed"},
    ),
    "Rust": (
        "Failed to deserialize the body into the target type: unknown field `top_k`, expected one",
        {"top_k"},
    ),
    "humps": (
        {"error": "Model grok does not support parameter repeatPenalty."}, {"repeat_penalty"}
    ),
    "at the end": ({"error": "Argument not supported on this model: stop"}, {"stop"}),
    "LiteLLM": (
        {"error": {"message": "litellm.UnsupportedParamsError: openai does not support "
                   "parameters: ['top_k', 'repeat_penalty'], for model=o3"}},
        {"top_k", "repeat_penalty"},
    ),
    "only one value": (
        {"error": {"message": "invalid temperature: only 1 is allowed for this model"}},
        {"temperature"},
    ),
    "one of two": (
        {"error": {"message": "`temperature` and `top_k` cannot both be specified for this model. "
                   "Please use only one."}},
        {"top_k"},
    ),
}  # fmt: skip

NO_REFUSALS: dict[str, Any] = {
    "a wrong value": {"error": {"message": "temperature must be at most 2", "param": "temperature",
                                "code": "invalid_value"}},
    "too large": {"error": {"message": "max_tokens is too large: 100000. This model supports at "
                            "most 4096 completion tokens, whereas you provided 100000."}},
    "no images": {"error": {"message": "Invalid content type. image_url is only supported by "
                            "certain models."}},
    "an ordinary word": {"error": "This server does not support stop and go requests"},
    "a name": {"error": "The model seed-1.6 is not available"},
    "another sentence": {"error": "Images are not supported. Your temperature was 0."},
    "the message": {"error": {"message": "Unsupported", "param": "messages.[0].content"}},
    "text": "nothing here",
    "nothing": None,
    "a list": [],
}  # fmt: skip


@pytest.mark.parametrize(("told", "fields"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_names_its_fields(told: Any, fields: set[str]) -> None:
    """As servers word it: by parameter, in prose, in lists of a validator."""
    assert refused_in(told, SENT) == fields


@pytest.mark.parametrize("told", NO_REFUSALS.values(), ids=NO_REFUSALS)
def test_what_is_no_refusal_takes_nothing_away(told: Any) -> None:
    """A value that is wrong is the user's to mend, and words of a sentence name no field."""
    assert refused_in(told, SENT) == set()


def strict(known: Collection[str]) -> Any:
    """A server that takes these fields alone, and says of one at a time that it does not."""

    def answer(body: Any) -> tuple[int, Any]:
        for field in body:
            if field not in {"model", "messages", "stream", *known}:
                return 400, {"error": {"message": f"Unknown parameter: '{field}'.", "param": field}}
        return 200, completion()

    return answer


@pytest.fixture
def chat() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


def backend_of(chat: ChatServer, refused: RefusedFields | None = None) -> OpenAIBackend:
    return OpenAIBackend(model="llava", address=chat.address, timeout_s=2, refused=refused)


def test_a_strict_server_is_asked_without_what_it_refuses(chat: ChatServer) -> None:
    """One refusal a field in the whole run, not one an image, and the answer says what was left."""
    chat.answers["/v1/chat/completions"] = strict({"temperature", "max_completion_tokens"})
    backend = backend_of(chat)
    answers = [backend.ask(REQUEST) for _ in range(5)]
    backend.close()
    assert {answer.text for answer in answers} == {"7"}
    left = {"seed", "top_k", "repeat_penalty", "stop", "top_logprobs"}
    assert all(set(answer.asked_without) == left for answer in answers)
    last = chat.arrived[-1].body
    assert last["max_completion_tokens"] == 16
    assert set(last) == {"model", "messages", "stream", "temperature", "max_completion_tokens"}
    assert len(chat.arrived) == 5 + len(left) + 1


def test_a_limit_that_has_no_name_is_left_out(chat: ChatServer) -> None:
    """Where neither name of the limit is taken; the user's word is said."""
    chat.answers["/v1/chat/completions"] = strict(set(SENT) - {"max_tokens"})
    backend = backend_of(chat)
    assert backend.ask(REQUEST).asked_without == ("num_predict",)
    backend.close()


def test_nothing_is_left_out_of_what_is_taken(chat: ChatServer) -> None:
    """A server that takes everything gets everything, and answers say nothing."""
    backend = backend_of(chat)
    assert backend.ask(REQUEST).asked_without == ()
    backend.close()
    assert set(SENT) <= set(chat.arrived[0].body)


def test_a_form_of_the_answer_is_never_left_out(chat: ChatServer) -> None:
    """What a server cannot force is told, not dropped: the prompt asks for it."""
    refusal = {"error": {"message": "Unknown parameter: 'response_format'."}}
    chat.answers["/v1/chat/completions"] = (400, refusal)
    backend = backend_of(chat)
    with pytest.raises(errors.RequestRejected):
        backend.ask(replace(REQUEST, answer_schema={"type": "object"}))
    backend.close()
    assert len(chat.arrived) == 1


def test_what_one_learns_all_know(chat: ChatServer) -> None:
    """Several evaluations of a run put questions to one server."""
    chat.answers["/v1/chat/completions"] = strict(set(SENT) - {"top_k"})
    known = RefusedFields()
    for _ in range(3):
        backend = backend_of(chat, known)
        assert backend.ask(REQUEST).asked_without == ("top_k",)
        backend.close()
    assert len(chat.arrived) == 4


def test_a_server_that_refuses_without_end_is_left(chat: ChatServer) -> None:
    """One that says the same whatever is sent ends as an error, after as many tries as fields."""
    refusal = {"error": {"message": f"not supported: {', '.join(SENT)}"}}
    chat.answers["/v1/chat/completions"] = (400, refusal)
    backend = backend_of(chat)
    with pytest.raises(errors.RequestRejected):
        backend.ask(REQUEST)
    backend.close()
    assert len(chat.arrived) <= len(SENT) + 2


def test_several_at_once_learn_together(chat: ChatServer) -> None:
    """Threads that are refused at the same time lose no question."""
    together = threading.Barrier(4)

    def answer(body: Any) -> tuple[int, Any]:
        if "top_k" in body:
            together.wait(5)
            return 400, {"error": "Unknown parameter: 'top_k'."}
        return 200, completion()

    chat.answers["/v1/chat/completions"] = answer
    backend = backend_of(chat)
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(backend.ask, [REQUEST] * 4))
    backend.close()
    assert [answer.asked_without for answer in answers] == [("top_k",)] * 4


def test_an_error_within_an_answer_refuses_too(chat: ChatServer) -> None:
    """Gateways answer HTTP 200 with the error of the server behind them."""

    def answer(body: Any) -> tuple[int, Any]:
        if "seed" in body:
            return 200, {"error": {"message": "Unknown parameter: 'seed'.", "code": 400}}
        return 200, completion()

    chat.answers["/v1/chat/completions"] = answer
    backend = backend_of(chat)
    assert backend.ask(REQUEST).asked_without == ("seed",)
    backend.close()


def test_an_answer_that_speaks_of_refusals_is_an_answer(chat: ChatServer) -> None:
    """What a model says is never taken for what its server says."""
    said = {"role": "assistant", "content": "temperature is not supported"}
    chat.answers["/v1/chat/completions"] = (200, completion(message=said))
    backend = backend_of(chat)
    assert backend.ask(REQUEST).text == "temperature is not supported"
    backend.close()
    assert len(chat.arrived) == 1


def test_a_word_stands_while_a_field_for_it_does() -> None:
    """Where several fields say one thing, refusing one of them leaves it said."""
    fields, effort, switch = RefusedFields(), "reasoning_effort", "chat_template_kwargs"
    body = {effort: "none", switch: {}, "c": 1}
    assert fields.learn(400, {"error": f"unknown field {effort}"}, body)
    assert fields.fitted(body) == ({switch: {}, "c": 1}, ())
    assert fields.learn(400, {"error": f"unknown field {switch}"}, {switch: {}, "c": 1})
    assert fields.fitted(body) == ({"c": 1}, ("think",))


def test_what_it_was_asked_without_is_kept() -> None:
    """In the store and in recordings; an answer to a whole question is written as before."""
    answer = Answer(text="cat", asked_without=("seed",))
    assert Answer.from_json(answer.to_json()) == answer
    assert "asked_without" not in Answer(text="cat").to_json()


@pytest.mark.parametrize("status", [400, 403, 404, 422, 501])
def test_log_probabilities_are_a_wish(chat: ChatServer, status: int) -> None:
    """Whatever a refusal comes with: the answer counts, its confidence is not known."""

    def answer(body: Any) -> tuple[int, Any]:
        if "logprobs" in body or "top_logprobs" in body:
            said = "You are not allowed to request logprobs from this model"
            return status, {"error": {"message": said}}
        return 200, completion()

    chat.answers["/v1/chat/completions"] = answer
    backend = backend_of(chat)
    answers = [backend.ask(REQUEST) for _ in range(3)]
    backend.close()
    assert [one.asked_without for one in answers] == [("top_logprobs",)] * 3
    assert len(chat.arrived) == 4


@pytest.mark.parametrize("status", [401, 402, 429, 500, 503])
def test_a_busy_or_closed_server_refuses_no_field(chat: ChatServer, status: int) -> None:
    """Its words may name a field all the same."""
    chat.answers["/v1/chat/completions"] = (status, {"error": "top_k is not supported now"})
    backend = backend_of(chat)
    with pytest.raises(errors.BackendError):
        backend.ask(REQUEST)
    backend.close()
    assert len(chat.arrived) == 1
