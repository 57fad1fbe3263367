"""What servers of OpenAI's protocol say when they do not answer, and whether the remedy helps."""

from __future__ import annotations

from dataclasses import replace
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf import errors
from pytest_llmclf.models.http.client import wait_of
from pytest_llmclf.models.http.http_errors import RULES, from_status
from pytest_llmclf.models.openai.openai_backend import OpenAIBackend
from pytest_llmclf.prompting.labels import LabelSet
from pytest_llmclf.prompting.readers import read_label
from pytest_llmclf.runner.job import AskingPolicy
from pytest_llmclf.values.request import Request
from tests.unit.models.chat_server import ChatServer, completion

if TYPE_CHECKING:
    from collections.abc import Iterator

CHAT = "/v1/chat/completions"
REQUEST = Request(
    system="One word.",
    prompt="Which animal?",
    image=b"\x89PNG",
    media_type="image/png",
    options={"temperature": 0, "num_predict": 8},
)


@pytest.fixture
def chat() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


@pytest.fixture
def backend(chat: ChatServer) -> Iterator[OpenAIBackend]:
    made = OpenAIBackend(model="llava", address=chat.address, timeout_s=2)
    yield made
    made.close()


def error_of(chat: ChatServer, backend: OpenAIBackend, status: int, body: Any) -> Any:
    """What comes of a question that is answered so."""
    chat.answers[CHAT] = (status, body)
    with pytest.raises(errors.BackendError) as caught:
        backend.ask(REQUEST)
    return caught.value


def said(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


FOR_GOOD = {
    "a used-up quota": (429, said("You exceeded your current quota", code="insufficient_quota")),
    "by its type": (429, said("No more for now.", type="insufficient_quota")),
    "credits": (402, said("Insufficient credits")),
    "402 alone": (402, ""),
    "balance": (400, said("Your credit balance is too low to access the API.")),
    "within an answer": (200, said("Insufficient Balance", code=402)),
    "a limit of the key": (403, said("Key limit exceeded")),
    "billing": (
        400,
        said("Billing hard limit has been reached", code="billing_hard_limit_reached"),
    ),
}
PASSING = {
    "a quota a minute": said(
        "You exceeded your current quota, please check your plan.\n"
        "* Quota exceeded for requests, limit: 15\nPlease retry in 22.3s.",
        status="RESOURCE_EXHAUSTED",
    ),
    "a rate": said("Rate limit reached: Limit 30000, Used 29000. Please try again in 1.2s."),
    "no reason": "",
}


@pytest.mark.parametrize(("status", "body"), FOR_GOOD.values(), ids=FOR_GOOD)
def test_a_used_up_account_is_not_asked_again(
    chat: ChatServer, backend: OpenAIBackend, status: int, body: Any
) -> None:
    """Waiting adds no credit: the run ends, and says what does."""
    error = error_of(chat, backend, status, body)
    assert type(error) is errors.QuotaUsedUp
    assert not error.retryable
    assert error.for_good
    assert "add credit" in error.remedy


@pytest.mark.parametrize("body", PASSING.values(), ids=PASSING)
def test_what_is_too_much_for_now_is_asked_again(
    chat: ChatServer, backend: OpenAIBackend, body: Any
) -> None:
    """Some services word a limit a minute like one for good, but say when to come back."""
    error = error_of(chat, backend, 429, body)
    assert type(error) is errors.ServerOverloaded
    assert error.retryable


CANNOT_SEE = [
    (400, said("At most 0 image(s) may be provided in one request.")),
    (404, said("No endpoints found that support image input")),
    (400, said("Invalid content type. image_url is only supported by certain models.")),
    (400, said("granite is not a multimodal model")),
    (400, said("unknown variant `image_url`, expected `text`")),
    (400, said("'messages[1].content' must be a string")),
    (400, said("messages.1.content must be a string")),
    (400, said("Image input modality is not enabled for models/gemma")),
    (400, said("Image inputs are not supported by this model.")),
    (400, said("Model does not support images. Please use a model that does.")),
    (422, {"detail": "This model doesn't support image_url content"}),
]
TOO_LONG = [
    said("The decoder prompt (length 2910) is longer than the maximum model length of 2048."),
    said("This model's maximum context length is 2048 tokens.", code="context_length_exceeded"),
    said("too much", code="context_length_exceeded"),
    said("prompt is too long: 210000 tokens > 200000 maximum"),
    said("Please reduce the length of the messages or completion."),
    said("The input token count (40000) exceeds the maximum number of tokens allowed (32768)."),
    said("Input exceeds the context window of this model"),
]
MISSING = [
    (404, said("The model `lava` does not exist or you do not have access to it.")),
    (400, said("lava is not a valid model ID")),
    (400, said("Invalid model: lava")),
    (404, said("No endpoints found for lava.")),
    (404, said("models/lava is not found for API version v1beta")),
    (404, said("The API deployment for this resource does not exist.", code="DeploymentNotFound")),
    (404, said("who", code="model_not_found")),
]


@pytest.mark.parametrize(("status", "body"), CANNOT_SEE)
def test_a_model_without_eyes_is_named(
    chat: ChatServer, backend: OpenAIBackend, status: int, body: Any
) -> None:
    """Whatever the server calls it."""
    error = error_of(chat, backend, status, body)
    assert type(error) is errors.ModelCannotSee
    assert "vision" in error.remedy


@pytest.mark.parametrize(
    "words",
    ["unsupported image format", "image type is not supported", "does not support image format X"],
)
def test_a_image_of_a_wrong_kind_blames_no_model(
    chat: ChatServer, backend: OpenAIBackend, words: str
) -> None:
    """A model that sees may still not take this file."""
    assert type(error_of(chat, backend, 400, said(words))) is not errors.ModelCannotSee


@pytest.mark.parametrize("body", TOO_LONG)
def test_a_prompt_that_is_too_long_is_named(
    chat: ChatServer, backend: OpenAIBackend, body: Any
) -> None:
    """The context of such a server was decided when it was started: num_ctx would not help."""
    error = error_of(chat, backend, 400, body)
    assert type(error) is errors.ContextTooSmall
    assert "num_ctx" not in error.remedy
    assert "shorten the prompt" in error.remedy


def test_a_server_of_ours_has_the_context_of_the_modelfile() -> None:
    """There num_ctx does help."""
    body = TOO_LONG[0]
    error = from_status(400, body, where="x", model="m", rules=RULES)
    assert "num_ctx" in error.remedy


@pytest.mark.parametrize(("status", "body"), MISSING)
def test_a_missing_model_is_named_and_near_names_are_a_hint(
    chat: ChatServer, status: int, body: Any
) -> None:
    """The chat's own answer tells; the list says what might be meant."""
    made = OpenAIBackend(model="lava", address=chat.address, timeout_s=2)
    made.identify()
    error = error_of(chat, made, status, body)
    made.close()
    assert type(error) is errors.ModelMissing
    assert error.of_model
    assert f"it has llava; write openai:llava@{chat.address.url}" in str(error)


def test_a_wrong_value_is_blamed_by_the_users_word(
    chat: ChatServer, backend: OpenAIBackend
) -> None:
    """What is sent as max_tokens stands in the Modelfile as num_predict."""
    error = error_of(chat, backend, 400, said("max_tokens must be at least 16"))
    assert type(error) is errors.RequestRejected
    assert error.remedy.startswith("correct num_predict in the Modelfile")


def test_a_form_that_cannot_be_forced_has_its_remedy(
    chat: ChatServer, backend: OpenAIBackend
) -> None:
    """The prompt for free text is another one."""
    body = said("Invalid parameter: 'response_format' of type 'json_schema' is not supported")
    assert 'answer="text"' in error_of(chat, backend, 400, body).remedy


FILTERED: dict[str, tuple[int, Any]] = {
    "the answer": (
        200,
        completion(message={"role": "assistant", "content": ""}, finish_reason="content_filter"),
    ),
    "nothing said": (200, completion(message={"content": None}, finish_reason="content_filter")),
    "the question": (400, said("The response was filtered", code="content_filter")),
    "a policy": (400, said("Rejected", code="content_policy_violation")),
    "within an answer": (200, said("The prompt was filtered", code="content_filter")),
    "moderation": (403, said("Your input was flagged by moderation")),
}


@pytest.mark.parametrize(("status", "body"), FILTERED.values(), ids=FILTERED)
def test_a_filter_is_named(
    chat: ChatServer, backend: OpenAIBackend, status: int, body: Any
) -> None:
    """It is how the service answers this image; no template and no context is to blame."""
    chat.answers[CHAT] = (status, body)
    answer = backend.ask(REQUEST)
    assert (answer.text, answer.finish) == ("", "filtered")
    labels = LabelSet.of(("cat", "dog"))
    for reader in ("strict", "first", "last", "contains"):
        read = read_label(answer.text, labels, answer.finish, reader=reader)
        assert (read.label, read.reason) == (None, "content-filter")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_filter_is_asked_again(
    chat: ChatServer, backend: OpenAIBackend, status: int
) -> None:
    """What fails or is busy said nothing on the image yet."""
    assert error_of(chat, backend, status, said("content filter unavailable")).retryable


def test_no_choice_is_no_wrong_address(chat: ChatServer, backend: OpenAIBackend) -> None:
    """The server speaks the protocol; it has nothing to say."""
    error = error_of(chat, backend, 200, {"choices": []})
    assert type(error) is errors.BadAnswer
    assert "no choices" in error.message
    assert "/v1" not in error.remedy


def test_a_word_of_a_model_is_no_filter(chat: ChatServer, backend: OpenAIBackend) -> None:
    """What an answer says of filters is its text."""
    spoken = {"role": "assistant", "content": "content_filter"}
    chat.answers[CHAT] = (200, completion(message=spoken))
    assert backend.ask(REQUEST).text == "content_filter"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7", 7), (" 2.5 ", 2.5), ("", None), ("soon", None), ("-1", None), ("1e9", None),
     ("9" * 40, None), ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("nan", None)],
)  # fmt: skip
def test_a_wait_is_read(text: str, seconds: float | None) -> None:
    """Seconds, or a moment that may have passed; nothing else is a wait."""
    assert wait_of(text) == seconds


def test_a_moment_is_read() -> None:
    """Held against the clock here."""
    import time

    found = wait_of(formatdate(time.time() + 100, usegmt=True))
    assert found is not None
    assert 50 < found <= 101


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_says_when_is_left_alone(
    chat: ChatServer, backend: OpenAIBackend, status: int
) -> None:
    """The pause is as long as it asks for, and bounded."""
    chat.headers["Retry-After"] = "9"
    error = error_of(chat, backend, status, said("slow down"))
    assert error.retry_after_s == 9
    policy = AskingPolicy()
    assert 9 <= policy.pause_after_s(error, 1, 0.5, 300) < 10
    error.retry_after_s = 86400
    assert 60 <= policy.pause_after_s(error, 1, 0.99, 300) < 67
    assert policy.pause_after_s(error, 1, 0.5, 3) == 3
    assert policy.pause_after_s(error, 4, 0.5, 0) == policy.pause_s(4, 0.5)
    error.retry_after_s = 0
    assert policy.pause_after_s(error, 3, 0.5, 300) == policy.pause_s(3, 0.5)
    error.retry_after_s = None
    assert policy.pause_after_s(error, 3, 0.5, 300) == policy.pause_s(3, 0.5)


def test_an_empty_answer_to_a_whole_question_is_not_filtered(
    chat: ChatServer, backend: OpenAIBackend
) -> None:
    """Only the service itself says that it filters."""
    chat.answers[CHAT] = (200, completion(message={"content": ""}))
    answer = backend.ask(replace(REQUEST, system=None))
    assert answer.finish == "stop"
