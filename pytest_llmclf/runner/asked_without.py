"""What answers were asked without, or give without being asked: said of each once.

It is read from the answers and not from the server, so that it is said of known answers and of
recorded ones, too. A question has the same digest whether or not all of it could be asked.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pytest_llmclf.runner.task import Task
    from pytest_llmclf.values.answer import Answer
    from pytest_llmclf.values.outcome import TaskName

_MEANS: Final = {
    "temperature": "answers are drawn at the server's own temperature, and the same question may "
    "be answered otherwise in the next run",
    "seed": "where answers are drawn at random, the same question may be answered otherwise in the "
    "next run",
    "top_logprobs": "the confidence of its answers is unknown",
    "num_predict": "how long an answer may be is the server's choice",
    "think": "whether it thinks is its own choice, which takes time and tokens of num_predict",
    "stop": "answers end where the model ends them",
}
_OTHERWISE: Final = "the server's own setting is in force, which may give other answers"


class AskedWithout:
    """What the answers of each task were asked without, and unasked thinking. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._words: dict[TaskName, dict[str, None]] = {}
        self._thinking: dict[TaskName, None] = {}

    def note(self, task: Task, answer: Answer) -> None:
        """Note what an answer was asked without, and whether it thought though it need not."""
        if answer.thought and "think" not in answer.asked_without:
            unasked = not task.instructions.think
            if unasked and task.key not in self._thinking:
                with self._lock:
                    self._thinking[task.key] = None
        if answer.asked_without:
            with self._lock:
                words = self._words.setdefault(task.key, {})
                words.update(dict.fromkeys(answer.asked_without))

    def notices(self, task: Task | None = None) -> tuple[str, ...]:
        """A sentence a word, on a task or on all."""
        with self._lock:
            known = dict.fromkeys((*self._words, *self._thinking))
            keys = list(known) if task is None else [task.key]
            told = [(key.model, word) for key in keys for word in self._words.get(key, ())]
            thinking = [key for key in keys if key in self._thinking]
        sentences = [without_sentence(model, word) for model, word in dict.fromkeys(told)]
        sentences += [
            unasked_sentence(model) for model in dict.fromkeys(key.model for key in thinking)
        ]
        return tuple(sentences)


def unasked_sentence(model: str) -> str:
    """That a model thinks though it was to answer at once."""
    return (
        f"{model} thinks before it answers though no thinking was wished: it cannot be told not "
        "to, or does not heed that; what it thinks is kept apart, and takes time and tokens, which "
        "num_predict limits"
    )


def without_sentence(model: str, word: str) -> str:
    """That a model was asked without something, and what comes of it."""
    means = _MEANS.get(word, _OTHERWISE)
    return f"{model} was asked without {word}, which its server refuses: {means}"
