"""Example images on the wire: the same turns through Ollama, OpenAI's protocol and llama.cpp."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf.errors import ContextTooSmall, RemoteRefused, ReplayMismatch, RequestRejected
from pytest_llmclf.models.openai.openai_request import chat_body
from pytest_llmclf.models.recording import Recorder, ReplayBackend
from pytest_llmclf.models.recording_file import asked_the_same, read_recording
from pytest_llmclf.models.third_party import ThirdParty
from pytest_llmclf.prompting.labels import Label
from pytest_llmclf.prompting.prompt import Instructions
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.example_image import ExampleImage
from pytest_llmclf.values.request import ModelIdentity, Request
from tests.ollama_replay import exchange
from tests.plugin.colour_server import png
from tests.unit.models.ollama_models import MICRO, Connect, question

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ollama_replay import Exchange, OllamaReplay

IDENTITY = ModelIdentity(backend="ollama", name="llava", digest="d", server="ollama 1")


def example(label: str, number: int = 0) -> ExampleImage:
    """An image with its label."""
    data = png(label, number)
    sha256 = hashlib.sha256(data).hexdigest()
    return ExampleImage(
        file=f"{label}/{number}.png",
        label=label,
        answer=label,
        sha256=sha256,
        sent=sha256,
        media_type="image/png",
        image=data,
    )


SHOWN = (example("red"), example("blue", 1))
REQUEST = Request(
    system="One word.",
    examples=(("user", "Hi"), ("assistant", "Hello")),
    example_images=SHOWN,
    prompt="Which colour?",
    image=png("green", 2),
    media_type="image/png",
)


def in_base64(data: bytes) -> str:
    """As servers want it."""
    return base64.b64encode(data).decode()


def turns_of(messages: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Role, text and image of each message, of either dialect."""
    found = []
    for message in messages:
        content, image = message["content"], "".join(message.get("images", ()))
        if isinstance(content, list):
            first, second = content
            image = first["image_url"]["url"].partition("base64,")[2]
            content = second["text"]
        found.append((message["role"], content, image))
    return found


def test_each_example_is_a_turn_before_the_question(
    server: OllamaReplay, connect_ollama: Connect
) -> None:
    """The question with the example's image, then its label; behind the Modelfile's own turns."""
    body = chat_body("llava", REQUEST)
    wanted = [
        ("user", REQUEST.prompt, in_base64(SHOWN[0].image)),
        ("assistant", "red", ""),
        ("user", REQUEST.prompt, in_base64(SHOWN[1].image)),
        ("assistant", "blue", ""),
        ("user", REQUEST.prompt, in_base64(REQUEST.image)),
    ]
    assert turns_of(body["messages"])[3:] == wanted
    server.force(exchange("106"))
    asked = replace(question(REQUEST.image), prompt=REQUEST.prompt, example_images=SHOWN)
    connect_ollama().ask(replace(asked, system=REQUEST.system))
    (sent,) = server.sent("/api/chat")
    assert turns_of(sent["messages"]) == [("system", REQUEST.system, ""), *wanted]


def test_ollama_must_not_drop_turns_without_a_word(
    server: OllamaReplay, connect_ollama: Connect
) -> None:
    """It is always told not to: a model may hold turns that nobody here knows of."""
    asked = question(REQUEST.image)
    backend = connect_ollama()
    for request in (asked, replace(asked, example_images=SHOWN)):
        server.force(exchange("106"))
        backend.ask(request)
    assert [sent["truncate"] for sent in server.sent("/api/chat")] == [False, False]


def test_a_real_server_drops_turns_that_would_fit() -> None:
    """Four examples are 396 tokens of 2048; untold, it counts 768 for each image, and errs."""
    whole, cut = exchange("141"), exchange("146")
    assert {**cut.sent, "truncate": False} == whole.sent
    one, four = (exchange(number).body["prompt_eval_count"] for number in ("140", "141"))
    assert four - one == 3 * 99
    assert cut.body["prompt_eval_count"] < one + 99
    assert cut.body["message"]["content"] != whole.body["message"]["content"]


def as_recorded(recorded: Exchange) -> Request:
    """The question that was put when an exchange was recorded."""
    sent = recorded.sent
    system = "".join(turn["content"] for turn in sent["messages"] if turn["role"] == "system")
    *shown, (_, prompt, asked) = (
        turn for turn in turns_of(sent["messages"]) if turn[0] != "system"
    )
    return question(
        base64.b64decode(asked),
        system=system or None,
        prompt=prompt,
        example_images=tuple(
            replace(SHOWN[0], answer=answer, image=base64.b64decode(image))
            for (_, _, image), (_, answer, _) in zip(shown[::2], shown[1::2], strict=True)
        ),
        options={**MICRO.options(), **sent.get("options", {})},
        answer_schema=sent.get("format"),
        top_logprobs=sent.get("top_logprobs", 0),
    )


@pytest.mark.parametrize("number", ["140", "141", "142", "143", "144"])
def test_a_real_server_took_what_is_sent(
    server: OllamaReplay, connect_ollama: Connect, number: str
) -> None:
    """One example, several, with a schema and probabilities, not thinking, under a system text."""
    recorded = exchange(number)
    if "think" in recorded.sent:
        server.thinks = []
    server.force(recorded)
    answer = connect_ollama().ask(as_recorded(recorded))
    (sent,) = server.sent("/api/chat")
    assert {**sent, "model": ""} == {**recorded.sent, "model": ""}
    body = recorded.body
    assert (answer.text, answer.finish) == (body["message"]["content"], "stop")
    assert (answer.prompt_tokens, answer.answer_tokens) == (
        body["prompt_eval_count"], body["eval_count"],
    )  # fmt: skip
    assert len(answer.logprobs or ()) == len(body.get("logprobs", ()))


def test_more_context_than_a_model_has_is_no_remedy(
    server: OllamaReplay, connect_ollama: Connect
) -> None:
    """Asked for 8192 tokens the real server gave 2048, and said so when they were too few."""
    server.force(exchange("145"))
    modelfile = replace(MICRO, parameters=(*MICRO.parameters, ("num_ctx", 8192)))
    asked = replace(as_recorded(exchange("145")), options=modelfile.options())
    with pytest.raises(ContextTooSmall, match="num_ctx 8192 does not give this model") as caught:
        connect_ollama(modelfile).ask(asked)
    assert caught.value.context == 2048
    assert "PARAMETER" not in caught.value.remedy
    (sent,) = server.sent("/api/chat")
    assert {**sent, "model": ""} == {**exchange("145").sent, "model": ""}


def test_examples_are_part_of_the_digest() -> None:
    """Bytes, labels and order count; a request without examples keeps the digest that it had."""
    digests = {
        replace(REQUEST, example_images=shown).digest(IDENTITY)
        for shown in ((), SHOWN, SHOWN[:1], SHOWN[::-1], (example("red", 3), SHOWN[1]))
    }
    relabelled = (replace(SHOWN[0], answer="green"), SHOWN[1])
    digests.add(replace(REQUEST, example_images=relabelled).digest(IDENTITY))
    assert len(digests) == 6
    assert "example_images" not in replace(REQUEST, example_images=()).summary()
    moved = tuple(replace(one, file="elsewhere.png") for one in SHOWN)
    assert replace(REQUEST, example_images=moved).digest(IDENTITY) == REQUEST.digest(IDENTITY)


def test_a_recording_knows_examples(tmp_path: Path) -> None:
    """The same examples are found again; others, or none, are another question, which says so."""
    path = tmp_path / "recording.jsonl"
    recorder = Recorder(path)
    answer = Answer(text="green")
    recorder.record(REQUEST.digest(IDENTITY), REQUEST.summary(), IDENTITY, answer)
    recorder.close()
    backend = ReplayBackend(path)
    assert backend.ask(REQUEST) == answer
    for other in ((), SHOWN[:1]):
        with pytest.raises(ReplayMismatch, match="example images differ"):
            backend.ask(replace(REQUEST, example_images=other))
    told = Instructions(
        system=REQUEST.system,
        turns=REQUEST.examples,
        question=REQUEST.prompt,
        prompt=REQUEST.prompt,
        labels=(Label("red"),),
        examples=SHOWN,
    )
    (line,) = read_recording(path).answers
    assert asked_the_same(line["asked"], told)
    assert not asked_the_same(line["asked"], replace(told, examples=()))


def test_nothing_leaves_for_a_host_that_is_not_allowed(
    server: OllamaReplay, connect_ollama: Connect
) -> None:
    """Example images go where the image that is asked about may go, and nowhere else."""
    server.run_elsewhere("micro-llava")
    with pytest.raises(RemoteRefused, match="is run by"):
        connect_ollama().ask(replace(question(REQUEST.image), example_images=SHOWN))
    assert server.sent("/api/create") == server.sent("/api/chat") == []


class _Bare:
    """A backend of another package that knows nothing of example images."""

    sends_to = "this machine"

    def ask(self, request: Request) -> Answer:
        """The number of examples that it was handed."""
        return Answer(text=str(len(request.example_images)))


def test_a_backend_of_another_package_has_to_say_that_it_sends_them() -> None:
    """Else answers without examples would be taken for answers with them."""
    made = _Bare()
    with pytest.raises(RequestRejected, match="shows_examples = True"):
        ThirdParty("bare", made).ask(REQUEST)
    assert ThirdParty("bare", made).ask(replace(REQUEST, example_images=())).text == "0"
    made.shows_examples = True  # type: ignore[attr-defined]
    assert ThirdParty("bare", made).ask(REQUEST).text == "2"
