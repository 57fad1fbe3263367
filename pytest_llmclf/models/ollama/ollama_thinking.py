"""What an Ollama server is told about thinking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf import errors
from pytest_llmclf.values.request import THINKS
from pytest_llmclf.values.thinking import think_word

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llmclf.values.request import ModelIdentity, Request

FIELD: Final = "think"
"""Of a chat request, and the user's word for it."""


class OllamaThinking:
    """The field ``think`` of the requests to one model.

    Args:
        model: The model as people write it.
        where: The server, for messages.
    """

    def __init__(self, model: str, where: str) -> None:
        self._model = model
        self._where = where
        self._refused = False

    def field(
        self, request: Request, identity: ModelIdentity
    ) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """What stands beside the messages, and the word for what the server refuses to be told.

        A value that the server does not list would silently become its default.

        Raises:
            CannotThink: The model cannot be told so.
        """
        think, values = request.told_think(identity), identity.thinks
        if think is None:
            return {}, ()
        if self._refused and not request.think:
            return {}, (FIELD,)
        if values and think not in values:
            raise errors.CannotThink(
                f"{self._model} on {self._where} cannot be told about thinking: "
                f"{think_word(think)}",
                remedy=f"it takes {identity.details[THINKS]}: say one of these with --llmclf-think "
                "or Evaluation(think=...)",
            )
        return {FIELD: think}, ()

    def is_refused(self, sent: Mapping[str, Any], request: Request) -> bool:
        """Whether to ask again without the field, which the server refused.

        Only where nothing else was wished than no thinking: whoever wants thinking is told.
        """
        if not sent or request.think:
            return False
        self._refused = True
        return True
