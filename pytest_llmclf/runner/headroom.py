"""Whether questions and answers have the room that they need, told by the first answers' counts.

How many tokens a question takes, its image included, is known from the first answer. What a server
cut silently must not be judged, and that every answer ends at its limit must be known before all
images are asked about.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_llmclf.errors import ContextTooSmall
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llmclf.runner.task import Task
    from pytest_llmclf.values.answer import Answer
    from pytest_llmclf.values.outcome import TaskName

FIRST: Final = 5
"""So many first answers that all end at the limit are told of."""

_STEP: Final = 1024
_LEAST_ON_OLLAMA: Final = 2048
"""A model that sees images has this context there, where less is asked for."""


BYTES_A_TOKEN: Final = (2, 4)
"""Of a list of labels: 860 names of everyday things are 5,265 tokens of two to three bytes each;
prose has about four."""


def question_tokens(texts: Sequence[str]) -> tuple[int, int]:
    """How many tokens texts have at least and at most, estimated from their bytes."""
    told = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    few, many = max(BYTES_A_TOKEN), min(BYTES_A_TOKEN)
    return told // few, -(-told // many)


def doubtful_room(texts: Sequence[str], context: int | None, examples: int = 0) -> str | None:
    """Why a question may not fit into the context that is set, in one line; ``None`` where it does.

    An estimate, made before the first question: the counts of the first answer are what decides.

    Args:
        texts: What is said to the model beside the image.
        context: What the server is told to have; without it nothing is known.
        examples: Example images whose texts are among them.
    """
    least, most = question_tokens(texts)
    if not context or most <= context:
        return None
    fits = "does not fit" if least > context else "may not fit"
    question = "the question without its image"
    if examples:
        question = f"the question with {examples} {noun(examples, 'example')}, without images,"
    return (
        f"{question} is {least} to {most} tokens long, by an estimate, and "
        f"{fits} into num_ctx {context}: PARAMETER num_ctx {enough(most)} in a Modelfile"
    )


@dataclass(slots=True)
class _First:
    """The first answers of one task."""

    answers: int = 0
    cut: int = 0
    thinking: int = 0
    tokens: int | None = None


class Headroom:
    """What the first answers of each task tell of room for tokens. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._first: dict[TaskName, _First] = {}
        self._notices: dict[TaskName, dict[str, str]] = {}

    def require_whole(self, task: Task, answer: Answer) -> None:
        """Refuse an answer to a question that its server cut without saying so.

        Such a question fills the context to the last token. More context is not asked for in its
        place: that would be another request than the one that the Modelfile writes down, and may
        not fit into the server's memory.

        Raises:
            ContextTooSmall: The question fills the whole context.
        """
        context, read = context_sent(task), answer.prompt_tokens
        if context and read == context:
            raise ContextTooSmall(
                f"the question takes up the whole context, {read} of {context} tokens: what did "
                "not fit was cut without a word",
                remedy=f"raise num_ctx, PARAMETER num_ctx {enough(2 * context)} in a Modelfile, "
                "or shorten the prompt",
            )

    def note(self, task: Task, answer: Answer) -> None:
        """Note an answer; only the first ones say something."""
        key = task.key
        first = self._first.get(key)
        if first is not None and first.answers >= FIRST:
            return
        options, context = task.instructions.options, context_sent(task)
        with self._lock:
            first = self._first.setdefault(key, _First())
            if first.answers >= FIRST:
                return
            first.answers += 1
            first.cut += answer.finish == "length"
            first.thinking += answer.finish == "length" and answer.thought
            notices = self._notices.setdefault(key, {})
            if first.tokens is None and answer.prompt_tokens is not None:
                first.tokens = answer.prompt_tokens
                told = _little_room(key.model, answer.prompt_tokens, context, options)
                notices.update({"room": told} if told else {})
            if first.answers == first.cut == FIRST:
                notices["cut"] = _all_cut(key.model, first, options)

    def notices(self, task: Task | None = None) -> tuple[str, ...]:
        """What is to be said of a task, or of all."""
        with self._lock:
            keys = list(self._notices) if task is None else [task.key]
            return tuple(text for key in keys for text in self._notices.get(key, {}).values())


def enough(tokens: int) -> int:
    """A size of context that holds so many tokens, as people write it."""
    return -(-tokens // _STEP) * _STEP


def context_sent(task: Task) -> int | None:
    """The context that the server is told to have.

    A server of OpenAI's protocol is told of none: it was started with its own, and ``num_ctx`` of
    a Modelfile that is written for Ollama says nothing about it. Ollama has a least one.
    """
    if task.spec.backend == "openai":
        return None
    sent = _count(task.instructions.options, "num_ctx")
    return max(sent, _LEAST_ON_OLLAMA) if sent and task.spec.backend == "ollama" else sent


def longest_answer(task: Task) -> int:
    """Tokens that an answer may take at most; 0 where no limit is set."""
    return _count(task.instructions.options, "num_predict") or 0


def _little_room(
    model: str, question: int, context: int | None, options: Mapping[str, object]
) -> str:
    longest = _count(options, "num_predict")
    # One that takes more than the context was put to a server that has another one.
    if not context or not longest or not context - longest < question <= context:
        return ""
    return (
        f"{model}: a question takes {question} tokens, image and label list included, so that "
        f"num_ctx {context} leaves {context - question} for an answer and not the "
        f"{longest} of num_predict: PARAMETER num_ctx {enough(question + longest)} has room"
    )


def _all_cut(model: str, first: _First, options: Mapping[str, object]) -> str:
    longest = _count(options, "num_predict")
    limit = f"num_predict {longest}" if longest else "the token limit"
    if first.thinking == first.cut:
        return (
            f"{model}: the first {FIRST} answers all ended at {limit} while it still thought: turn "
            "thinking off (--llmclf-think off), or raise num_predict until thinking and answer fit"
        )
    return (
        f"{model}: the first {FIRST} answers all ended at {limit}: raise num_predict, or ask for "
        "the label alone"
    )


def _count(options: Mapping[str, object], name: str) -> int | None:
    value = options.get(name)
    return value if type(value) is int and value > 0 else None
