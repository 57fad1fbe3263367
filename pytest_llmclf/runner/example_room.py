"""Whether example images and a question fit into a context, before the first image is asked.

A server may drop earlier turns that do not fit without a word, and then the answers are those of
a model that was shown fewer examples than the report says. So what a question takes is asked of
the server itself, in tokens: with all examples, with one, and with none. Those questions are about
the example images, are answered with one token, and are kept like any other, so that they are
asked once.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmclf.data.image_header import read_header
from pytest_llmclf.errors import BackendError, ContextTooSmall
from pytest_llmclf.runner.headroom import context_sent, enough, longest_answer
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_llmclf.runner.answer_cache import AnswerStore
    from pytest_llmclf.runner.task import Task
    from pytest_llmclf.values.answer import Answer
    from pytest_llmclf.values.example_image import ExampleImage
    from pytest_llmclf.values.outcome import TaskName
    from pytest_llmclf.values.request import ModelIdentity, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counts:
    """What questions take by a server's own counts.

    Attributes:
        plain: Tokens of a question without examples.
        each: Of an example of the largest size.
        examples: Of all examples together.
    """

    plain: int
    each: int
    examples: int


class ExampleRoom:
    """What servers say of the room that example images take. Thread-safe.

    Args:
        store: Known answers, those to questions about room among them.
    """

    def __init__(self, store: AnswerStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._locks: dict[TaskName, threading.Lock] = {}
        self._looked: dict[TaskName, ContextTooSmall | None] = {}
        self._notices: dict[TaskName, str] = {}
        self._recalled: set[TaskName] = set()

    def require(
        self, task: Task, identity: ModelIdentity, ask: Callable[[Request], Answer]
    ) -> None:
        """Refuse a task whose examples do not fit; looked at once.

        Args:
            task: Whose examples.
            identity: Who answers.
            ask: Asks it.

        Raises:
            ContextTooSmall: They do not fit, or were dropped.
            BackendError: The server did not answer; the next question looks again.
        """
        # A recording holds the answers that were asked for, and has no context.
        if not task.examples or task.recorded:
            return
        with self._lock:
            own = self._locks.setdefault(task.key, threading.Lock())
        with own:
            if task.key not in self._looked:
                self._looked[task.key] = self._look(task, identity, ask)
            error = self._looked[task.key]
        if error is not None:
            raise error

    def recall(self, task: Task, identity: ModelIdentity) -> None:
        """Say of answers that are known what examples took, as far as that is kept; asks nobody.

        Args:
            task: Whose examples.
            identity: Who answered.
        """
        if task.key not in self._recalled:
            self._recalled.add(task.key)
            with suppress(BackendError):
                self.require(task, identity, _not_kept)

    def notices(self, task: Task | None = None) -> tuple[str, ...]:
        """What examples take, or that nobody tells; of a task, or of all."""
        keys = list(self._notices) if task is None else [task.key]
        return tuple(self._notices[key] for key in keys if key in self._notices)

    def _look(
        self, task: Task, identity: ModelIdentity, ask: Callable[[Request], Answer]
    ) -> ContextTooSmall | None:
        def count(image: ExampleImage, shown: Sequence[ExampleImage]) -> int | None:
            request = task.about_room(image, tuple(shown))
            digest = request.digest(identity)
            answer = self._store.get(digest)
            if answer is None:
                answer = ask(request)
                self._store.put(digest, identity, answer)
            return answer.prompt_tokens

        examples, context = task.examples, _context(task, identity)
        largest = max(examples, key=_area)
        refused: ContextTooSmall | None = None
        whole: int | None = None
        try:
            whole = count(largest, examples)
        except ContextTooSmall as error:
            refused = error
        try:
            counts = _counts(examples, largest, count)
        except ContextTooSmall:
            if refused is None:
                raise
            return _too_many(len(examples), None, context, task, refused)
        if refused is not None:
            return _too_many(len(examples), counts, context, task, refused)
        if whole is None or counts is None:
            self._notices[task.key] = (
                f"{task.model} tells no number of tokens: whether its context has room for "
                f"{len(examples)} example {noun(len(examples), 'image')} is not known"
            )
            return None
        # An example that was dropped takes a whole turn with it; labels differ by a few tokens.
        if whole < counts.plain + counts.examples - counts.each // 2:
            return _too_many(len(examples), counts, context, task, None)
        self._notices[task.key] = (
            f"{task.model}: by its own count a question takes {whole} tokens with "
            f"{len(examples)} example {noun(len(examples), 'image')}, {counts.plain} without"
        )
        return None


def _not_kept(_: Request) -> Answer:
    raise BackendError("what example images take was not counted")


def _counts(
    examples: Sequence[ExampleImage],
    largest: ExampleImage,
    count: Callable[[ExampleImage, Sequence[ExampleImage]], int | None],
) -> _Counts | None:
    """What a question and its examples take; ``None`` where the server does not say.

    Images of one size take as much. Of another size the difference is that of two questions.
    """
    plain, one = count(largest, ()), count(largest, (largest,))
    if plain is None or one is None:
        return None
    each, total = one - plain, 0
    by_size = {_size(largest): each}
    for example in examples:
        size = _size(example)
        if size not in by_size:
            by_size[size] = each + (count(example, ()) or plain) - plain
        total += by_size[size]
    return _Counts(plain=plain, each=each, examples=total)


def _too_many(
    number: int,
    counts: _Counts | None,
    context: int | None,
    task: Task,
    refused: ContextTooSmall | None,
) -> ContextTooSmall:
    """That examples do not fit, with what they take and how many would fit."""
    images = f"{number} example {noun(number, 'image')}"
    given = None if refused is None else refused.context
    larger = given is None or context is None or context <= given
    context = given or context
    room = f" of {context} tokens" if context else ""
    what = "do not fit" if refused is not None else "were dropped in part, not fitting"
    if counts is None:
        said = "" if refused is None else f": {refused.message}"
        return ContextTooSmall(
            f"{images} {what} into the context{room}{said}",
            remedy="show fewer, or give the model a larger context",
        )
    whole = counts.plain + counts.examples
    wanted = enough(whole + longest_answer(task))
    remedies = [_larger(task, wanted) if larger else "take a model with a larger context"]
    if context and counts.each > 0:
        fit = min(number - 1, (context - counts.plain - 1) // counts.each)
        remedies.append(f"show at most {fit}" if fit > 0 else "show none")
    else:
        remedies.append("show fewer")
    return ContextTooSmall(
        f"{images} {what} into the context{room}: by the server's own count a question takes "
        f"{counts.plain} tokens, and they {counts.examples}",
        remedy=", or ".join(remedies),
    )


def _larger(task: Task, wanted: int) -> str:
    if task.spec.backend == "openai":
        return f"start the server with a context of {wanted} tokens"
    return f"PARAMETER num_ctx {wanted} in the Modelfile, if the model can"


def _context(task: Task, identity: ModelIdentity) -> int | None:
    """The context in tokens, as it is sent or as the server was started; else ``None``."""
    sent = context_sent(task)
    started = identity.details.get("context", "")
    return sent or (int(started) if started.isdecimal() else None)


def _size(example: ExampleImage) -> tuple[int, int]:
    return read_header(example.image).size


def _area(example: ExampleImage) -> int:
    width, height = _size(example)
    return width * height
