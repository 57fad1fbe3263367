"""What came back from a model."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Finish = Literal["stop", "length", "other"]
"""Why the model ended: of itself, at the token limit, or for another reason (aborted, unknown)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLogprob:
    """One token of an answer.

    Attributes:
        token: Its text.
        logprob: Natural logarithm of its probability, before any grammar.
        top: The likeliest tokens at this place with their log-probabilities, likeliest first.
    """

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer as the server gave it, nothing interpreted.

    Attributes:
        text: The message's content.
        finish: Why it ended.
        prompt_tokens: Tokens read, pictures included; ``None`` where the server does not say.
        answer_tokens: Tokens written; ``None`` where the server does not say.
        server_s: Seconds that the server says it spent, waiting in its queue included.
        load_s: Seconds of that spent on loading the model.
        wall_s: Seconds from sending to receiving, seen from here.
        logprobs: One entry an output token; ``None`` where the server gives none.
    """

    text: str
    finish: Finish = "stop"
    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    server_s: float | None = None
    load_s: float | None = None
    wall_s: float | None = None
    logprobs: tuple[TokenLogprob, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """As JSON built-ins."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Answer:
        """Rebuild from `to_json`."""
        raw = data.get("logprobs")
        logprobs = None
        if raw is not None:
            logprobs = tuple(
                TokenLogprob(
                    token=item["token"],
                    logprob=item["logprob"],
                    top=tuple((str(token), float(value)) for token, value in item["top"]),
                )
                for item in raw
            )
        return cls(**{**data, "logprobs": logprobs})
