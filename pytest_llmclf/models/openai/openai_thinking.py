"""What servers of OpenAI's protocol are told about thinking, and what they make of it.

The protocol does not tell whether a model thinks, nor which of two fields a server takes: hosted
ones ``reasoning_effort``, those that run open models ``chat_template_kwargs``. So nothing is said
until an answer shows thinking, unless something is wished; then both are sent, and what a server
refuses is left out from then on.
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.models.http.http_errors import cut, unwrap
from pytest_llmclf.models.openai.refused_fields import EFFORT, SWITCH
from pytest_llmclf.values.thinking import think_word

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llmclf.models.openai.refused_fields import RefusedFields
    from pytest_llmclf.values.answer import Answer
    from pytest_llmclf.values.request import Request
    from pytest_llmclf.values.thinking import Think

_SWITCHES: Final = ("enable_thinking", "thinking")
"""What templates of open models call it: most the first, those of DeepSeek V3.1 and Granite the
second. A template does not see what it does not ask for, so that both are sent."""

_OFF_EFFORTS: Final = ("none", "minimal", "low")
"""What stands for no thinking, or for the least; not every server knows the first ones."""
_ON_EFFORT: Final = "medium"
_REFUSALS: Final = frozenset({400, 422})
_THOUGHT: Final = ("reasoning_content", "reasoning", "thinking")


class OpenAIThinking:
    """The fields about thinking in the requests to one model. Thread-safe.

    Args:
        model: The model's name on the server.
        where: The server, for messages.
    """

    def __init__(self, model: str, where: str) -> None:
        self._model = model
        self._where = where
        self._lock = threading.Lock()
        self._thinks = False
        self._accepted = False
        self._off_efforts = list(_OFF_EFFORTS)

    @property
    def notices(self) -> tuple[str, ...]:
        """That the model was seen to think, and was told not to."""
        if not self._thinks:
            return ()
        sentence = (
            f"{self._model} at {self._where} thinks, as its first answer shows, and was asked "
            "again and from then on not to (--llmclf-think on lets it think)"
        )
        return (sentence,)

    def fields(self, request: Request) -> dict[str, Any]:
        """What stands beside the messages of a request at this moment."""
        think = request.think
        if think is None and self._thinks:
            think = False
        return {} if think is None else self._fields(think)

    def tries_another_word(self, status: int, told: Any, sent: Mapping[str, Any]) -> bool:
        """Whether there is another word for no thinking than the one that the server refuses.

        Args:
            status: HTTP status of the answer.
            told: The answer's JSON, or its text.
            sent: What of `fields` was sent.
        """
        effort = sent.get(EFFORT)
        if status not in _REFUSALS or effort not in _OFF_EFFORTS:
            return False
        said = cut(unwrap(told))
        # The words that the server lists instead, or the one that it refuses, stand in quotes.
        if EFFORT not in said or not re.search(r"['\"`](none|minimal|low|medium|high)\b", said):
            return False
        with self._lock:
            if effort not in self._off_efforts:
                return bool(self._off_efforts)  # another thread was faster
            if self._off_efforts[-1] == effort:
                return False
            self._off_efforts.remove(effort)
            return True

    def may_be_refused(self, status: int, sent: Mapping[str, Any]) -> bool:
        """Whether an error that names no field may be one about those that were sent.

        Then the question is put once without them: if that is answered, it was.
        """
        return bool(sent) and status in _REFUSALS and not self._accepted

    def wants_again(
        self, sent: Mapping[str, Any], request: Request, answer: Answer, refused: RefusedFields
    ) -> bool:
        """Note an answer; whether the question should be put again, and without thinking.

        That is where an answer shows that the model thinks, nobody wished for that, and the server
        was not told yet and does not refuse to be.
        """
        with self._lock:
            self._accepted = self._accepted or bool(sent)
            again = answer.thought and not sent and request.think is None
            if not again or not refused.fitted(self._fields(think=False))[0]:
                return False
            self._thinks = True
            return True

    def _fields(self, think: Think) -> dict[str, Any]:
        effort = think_word(think)
        if isinstance(think, bool):
            effort = _ON_EFFORT if think else self._off_efforts[0]
        return {EFFORT: effort, SWITCH: dict.fromkeys(_SWITCHES, think is not False)}


def thought_in(message: Mapping[str, Any]) -> str:
    """What a model thought, from whichever field its server uses; empty where there is none."""
    content = message.get("content")
    parts = [part for part in content if is_thought(part)] if isinstance(content, list) else []
    told = [message.get(name) for name in _THOUGHT]
    told += [part.get("text") or part.get("thinking") for part in parts]
    # Some servers send the same text under two names.
    return "\n".join(dict.fromkeys(text for text in map(_joined, told) if text))


def is_thought(part: Mapping[str, Any]) -> bool:
    """Whether a part of a message's content is thinking."""
    return part.get("type") in ("thinking", "reasoning")


def _joined(told: Any) -> str:
    if isinstance(told, list):
        return "".join(_joined(part.get("text")) for part in told if isinstance(part, dict))
    return told if isinstance(told, str) else ""
