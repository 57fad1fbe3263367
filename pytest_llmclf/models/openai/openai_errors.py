"""What each error of a server of OpenAI's protocol means, and which remedy works there.

Hosted services, gateways and servers of one's own speak the same protocol and word their errors
differently. How much context there is was decided when the server was started, so no option of
the Modelfile raises it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf import errors
from pytest_llmclf.models.http import http_errors
from pytest_llmclf.models.http.http_errors import RULES, Rule, code_of, cut, unwrap

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGER_CONTEXT: Final = (
    "start the server with more context (vLLM: --max-model-len, llama-server: -c), send smaller "
    "images, or shorten the prompt"
)
_NO_FORM: Final = 'this server cannot force a form of the answer: ask for Evaluation(answer="text")'
_FILTERED: Final = re.compile(
    r"content[_ ](?:filter|policy|management)|ResponsibleAIPolicyViolation|moderation_blocked"
    r"|flagged by (?:the )?(?:content )?moderation|safety system",
    re.IGNORECASE,
)
_FILTERS: Final = frozenset({200, 400, 403, 422})
"""What a service says with it that its filter did not let a request through."""

OPENAI_RULES: tuple[Rule, ...] = (
    Rule(
        r"max_(?:completion_)?tokens[^.]{0,60} too large[\s\S]{0,200} context length",
        errors.ContextTooSmall,
        "lower num_predict, or start the server with more context",
    ),
    Rule(
        r"response_format|json_schema|structured output|guided[_ ](?:json|decoding)",
        errors.RequestRejected,
        _NO_FORM,
    ),
    *(
        Rule(rule.pattern, rule.error, _LONGER_CONTEXT)
        if rule.error is errors.ContextTooSmall
        else rule
        for rule in RULES
    ),
)
"""For servers that somebody else started."""


def is_filtered(status: int, told: Any) -> bool:
    """Whether an error says that a filter of the service stopped the question or its answer.

    That is how the service answers this image: asked again it says the same.
    """
    failed = status != 200 or (isinstance(told, dict) and bool(told.get("error")))  # noqa: PLR2004
    if not failed or status not in _FILTERS:
        return False
    return _FILTERED.search(f"{cut(unwrap(told))} {code_of(told)}") is not None


def naming(error: errors.BackendError, words: Sequence[str]) -> errors.BackendError:
    """A refused request's error, whose remedy says what the user wrote and the server blames.

    Args:
        error: As the server's words and status give it.
        words: What the server blames, as the user calls it.
    """
    general = http_errors.by_status(400)[1]
    if not words or type(error) is not errors.RequestRejected or error.remedy != general:
        return error
    return errors.RequestRejected(
        error.message,
        remedy=f"correct {', '.join(words)} in the Modelfile or in the evaluation",
    )
