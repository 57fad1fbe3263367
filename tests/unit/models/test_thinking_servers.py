"""Models that think, behind each kind of server: told as it wants it, read rightly or told why."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf import errors
from pytest_llmclf.models.ollama.ollama_backend import OllamaBackend
from pytest_llmclf.models.openai.openai_backend import OpenAIBackend
from pytest_llmclf.prompting.labels import LabelSet
from pytest_llmclf.prompting.readers import read_answer
from pytest_llmclf.values.request import Request
from tests.ollama_replay import OllamaReplay
from tests.unit.models.chat_server import ChatServer
from tests.unit.models.ollama_models import MICRO
from tests.unit.models.thinking_servers import (
    KINDS,
    MANNERS,
    SHAPES,
    THOUGHT,
    Kind,
    Manner,
    Shape,
    Thinker,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmclf.values.answer import Answer
    from pytest_llmclf.values.thinking import Think

DIGITS = LabelSet.of("0123456789")
REQUEST = Request(
    system=None, prompt="Which digit?", image=b"p", media_type="image/png", options=MICRO.options()
)
CHAT = "/v1/chat/completions"
WISHES: tuple[Think | None, ...] = (None, False, True, "low")


Connect = Callable[[Thinker], Any]


@contextmanager
def server_of(kind: Kind, values: list[Any] | None = None) -> Iterator[Connect]:
    """A server; what is given makes a backend that asks a model on it.

    On Ollama it is the same one each time: what it learns of refusals holds for every model here.

    Args:
        kind: Which kind of server.
        values: What an Ollama lists for ``think``.
    """
    made: list[Any] = []
    if kind == "ollama":
        with OllamaReplay() as replay:
            replay.thinks = values

            def derive(thinker: Thinker) -> Any:
                replay.talk = thinker
                if not made:
                    made.append(OllamaBackend(modelfile=MICRO, address=replay.address, timeout_s=5))
                return made[0]

            yield derive
    else:
        with ChatServer() as chat:

            def speak(thinker: Thinker) -> Any:
                chat.answers[CHAT] = thinker
                made.append(OpenAIBackend(model="llava", address=chat.address, timeout_s=5))
                return made[-1]

            yield speak
    for backend in made:
        backend.close()


@contextmanager
def serving(thinker: Thinker, values: list[Any] | None = None) -> Iterator[Any]:
    """A backend that asks one model."""
    with server_of(thinker.kind, values) as connect:
        yield connect(thinker)


def listed(manner: Manner) -> list[Any] | None:
    return None if manner == "cannot" else []


def expect(shape: Shape, answer: Answer) -> None:
    """An answer that came with thinking is read rightly, or not for its true cause."""
    found = read_answer(answer, DIGITS)
    cut, said = shape in ("cut", "tags, cut"), shape in ("content", "both", "tags", "closing tag")
    assert found.label == ("7" if said else None)
    assert found.reason == (None if said else "cut-off-in-thinking" if cut else "thinking-only")
    assert answer.text.strip() == ("7" if said else "")
    assert answer.thinking == ("" if shape == "content" else THOUGHT)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("manner", MANNERS)
def test_read_rightly_or_told_why(kind: Kind, manner: Manner) -> None:
    """Every way in which an answer comes, whatever was wished and whatever the server does."""
    with server_of(kind, listed(manner)) as connect:
        for shape, wish in itertools.product(SHAPES, WISHES):
            thinker = Thinker(kind, manner, shape)
            backend, wanted = connect(thinker), replace(REQUEST, think=wish)
            if kind == "ollama" and wish and manner not in ("obeys", "ignores"):
                with pytest.raises(errors.CannotThink):
                    backend.ask(wanted)
                continue
            first, second = backend.ask(wanted), backend.ask(wanted)
            quiet = manner == "cannot" or (manner == "obeys" and not wish)
            for answer in (first, second):
                expect("content" if quiet else shape, answer)
            refused = manner.startswith("refuses") and _was_told(kind, wish, shape)
            assert ("think" in first.asked_without) == refused, (shape, wish, first)
            assert first == replace(second, wall_s=first.wall_s)
            # What was learnt with the first question is known with the second.
            assert len(thinker.asked) <= 6
            assert thinker.asked[-1] == _told_at_last(thinker, wish)


def _was_told(kind: Kind, wish: Think | None, shape: Shape) -> bool:
    """Whether anything was said about thinking: it was wished, or an answer showed thinking."""
    return kind == "ollama" or wish is not None or shape != "content"


def _told_at_last(thinker: Thinker, wish: Think | None) -> dict[str, Any]:
    plain = {
        name: value
        for name, value in thinker.asked[0].items()
        if name not in ("think", "reasoning_effort", "chat_template_kwargs")
    }
    off = wish is None or wish is False
    seen = thinker.manner != "cannot" and thinker.shape != "content"
    if thinker.manner.startswith("refuses"):
        return plain
    if thinker.kind == "ollama":
        thinks = thinker.manner != "cannot"
        return {**plain, **({"think": False if off else wish} if thinks else {})}
    if wish is None and not seen:
        return plain
    efforts = {"openai": "minimal", "vllm": "low", "llama.cpp": "none"}
    effort = efforts[thinker.kind] if off else "medium" if wish is True else wish
    told: dict[str, Any] = {"reasoning_effort": effort}
    if thinker.kind != "openai":
        told["chat_template_kwargs"] = {"enable_thinking": not off, "thinking": not off}
    return {**plain, **told}


@pytest.mark.parametrize("kind", ["openai", "vllm", "llama.cpp"])
def test_what_the_first_answer_shows_is_learnt_once(kind: Kind) -> None:
    """It is asked for again without thinking, and no later question is asked twice."""
    thinker = Thinker(kind, "obeys", "both")
    with serving(thinker) as backend:
        assert backend.notices == ()
        assert backend.ask(REQUEST).thinking == ""
        learning = len(thinker.asked)
        for _ in range(3):
            backend.ask(REQUEST)
        assert len(thinker.asked) == learning + 3
        (notice,) = backend.notices
        assert "thinks, as its first answer shows" in notice


@pytest.mark.parametrize("kind", ["vllm", "llama.cpp"])
@pytest.mark.parametrize("switch", ["enable_thinking", "thinking"])
@pytest.mark.parametrize("wish", [None, False, True])
def test_a_template_is_told_by_the_name_that_it_has(
    kind: Kind, switch: str, wish: Think | None
) -> None:
    """Templates call the switch by one of two names, and obey that one alone."""
    thinker = Thinker(kind, "obeys", "both", switch=switch)
    with serving(thinker) as backend:
        found = backend.ask(replace(REQUEST, think=wish))
    assert (found.thinking == "") is (not wish)
    assert thinker.asked[-1]["chat_template_kwargs"][switch] is bool(wish)


def test_a_model_that_does_not_think_is_told_nothing() -> None:
    """Servers that know no such field see none, and each question is asked once."""
    for kind in KINDS:
        thinker = Thinker(kind, "cannot", "content")
        with serving(thinker) as backend:
            backend.ask(REQUEST)
        (body,) = thinker.asked
        assert not {"think", "reasoning_effort", "chat_template_kwargs"} & set(body)


def test_thinking_told_only_in_tokens_is_thinking() -> None:
    """Hosted servers hide what a model thought, and count it."""
    with ChatServer() as chat:
        usage = {"completion_tokens": 24, "completion_tokens_details": {"reasoning_tokens": 24}}
        message = {"role": "assistant", "content": ""}
        body = {"choices": [{"message": message, "finish_reason": "length"}], "usage": usage}
        chat.answers[CHAT] = (200, body)
        backend = OpenAIBackend(model="llava", address=chat.address, timeout_s=5)
        answer = backend.ask(replace(REQUEST, think=True))
        backend.close()
    assert (answer.thinking, answer.thinking_tokens) == ("", 24)
    assert read_answer(answer, DIGITS).reason == "cut-off-in-thinking"


@pytest.mark.parametrize(
    ("message", "text", "thinking"),
    [
        ({"content": None, "reasoning_content": "hm"}, "", "hm"),
        ({"content": "7", "reasoning": "hm", "reasoning_content": "hm"}, "7", "hm"),
        ({"content": "7", "reasoning": None}, "7", ""),
        ({"content": "7", "reasoning": {"odd": 1}}, "7", ""),
        (
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                    {"type": "text", "text": "7"},
                ]
            },
            "7",
            "hm",
        ),
        ({"content": [{"type": "reasoning", "text": "hm"}, {"text": "7"}]}, "7", "hm"),
        ({"content": None, "refusal": "I can't", "reasoning": "hm"}, "I can't", "hm"),
    ],
)
def test_whichever_field_thinking_comes_in(message: Any, text: str, thinking: str) -> None:
    """Names differ from server to server; none of them is the answer."""
    with ChatServer() as chat:
        chat.answers[CHAT] = (200, {"choices": [{"message": message, "finish_reason": "stop"}]})
        backend = OpenAIBackend(model="llava", address=chat.address, timeout_s=5)
        answer = backend.ask(replace(REQUEST, think=True))
        backend.close()
    assert (answer.text, answer.thinking) == (text, thinking)


@pytest.mark.parametrize(
    ("values", "wish", "sent"),
    [
        ([False, True], None, False),
        (["low", "medium", "high"], None, "low"),
        ([False, "low", "high"], "high", "high"),
        ([], "medium", "medium"),
    ],
)
def test_ollama_is_told_what_it_lists(values: list[Any], wish: Any, sent: Any) -> None:
    """Off where it can be, or else as little as it can."""
    thinker = Thinker("ollama", "ignores", "both")
    with serving(thinker, values) as backend:
        backend.ask(replace(REQUEST, think=wish))
    assert thinker.asked[-1]["think"] == sent


@pytest.mark.parametrize(("values", "wish"), [([False, True], "low"), (["low", "high"], False)])
def test_what_ollama_does_not_list_is_refused(values: list[Any], wish: Any) -> None:
    """It would take the model's default instead, silently; nothing is asked."""
    thinker = Thinker("ollama", "obeys", "both")
    with serving(thinker, values) as backend, pytest.raises(errors.CannotThink) as caught:
        backend.ask(replace(REQUEST, think=wish))
    assert thinker.asked == []
    assert caught.value.of_model
    listed = {(False, True): "off, on", ("low", "high"): "low, high"}[tuple(values)]
    assert f"it takes {listed}" in str(caught.value)


def test_an_error_about_something_else_stays_that() -> None:
    """A bad option is not taken for a refusal of thinking, and costs two requests at most."""
    asked = []

    def picky(body: dict[str, Any]) -> tuple[int, Any]:
        asked.append(body)
        return 400, {"error": {"message": "your image is too odd"}}

    with ChatServer() as chat:
        chat.answers[CHAT] = picky
        backend = OpenAIBackend(model="llava", address=chat.address, timeout_s=5)
        with pytest.raises(errors.RequestRejected, match="too odd"):
            backend.ask(replace(REQUEST, think=False))
        assert len(asked) == 2
        chat.answers[CHAT] = Thinker("llama.cpp", "obeys", "both")
        assert backend.ask(replace(REQUEST, think=False)).asked_without == ()
        chat.answers[CHAT] = picky
        with pytest.raises(errors.RequestRejected, match="too odd"):
            backend.ask(replace(REQUEST, think=False))
        backend.close()
    assert len(asked) == 3
