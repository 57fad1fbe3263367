"""What came back from a model: its answer, and apart from it what it thought before."""

from __future__ import annotations

from dataclasses import dataclass, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from pytest_llmclf.values.json_values import (
    is_count,
    is_logprob,
    is_number,
    is_shares_by_name,
    is_text,
    is_texts,
    or_none,
    require,
)
from pytest_llmclf.values.thinking import split_thinking

if TYPE_CHECKING:
    from collections.abc import Mapping

Finish = Literal["stop", "length", "filtered", "other"]
"""Why the model ended: of itself, at the token limit, since a filter of the service withheld the
rest or all of it, or for another reason (aborted, unknown)."""

_FINISHES: Final = get_args(Finish)


def _is_finish(value: object) -> bool:
    return value in _FINISHES


_FITS: Final = {
    "text": is_text,
    "thinking": is_text,
    "thinking_tokens": or_none(is_count),
    "finish": _is_finish,
    "prompt_tokens": or_none(is_count),
    "answer_tokens": or_none(is_count),
    "server_s": or_none(is_number),
    "load_s": or_none(is_number),
    "wall_s": or_none(is_number),
    "asked_without": is_texts,
    "label": or_none(is_text),
    "probabilities": or_none(is_shares_by_name),
}


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

    def to_json(self) -> dict[str, Any]:
        """As JSON built-ins."""
        top = [list(pair) for pair in self.top]
        return {"token": self.token, "logprob": self.logprob, "top": top}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer as the server gave it, nothing interpreted but what is thinking and what is answer.

    This is the one place that tells them apart, for answers of any server and of files alike: what
    stands between a model's tags for thinking goes from `text` to `thinking`.

    Attributes:
        text: The message's content, without thinking.
        thinking: What the model thought before, from a field of the server's or from the content;
            empty where it did not, or nobody tells. Never read as an answer.
        thinking_tokens: How many of `answer_tokens` went into thinking; ``None`` where the server
            does not say.
        finish: Why it ended.
        prompt_tokens: Tokens read, images included; ``None`` where the server does not say.
        answer_tokens: Tokens written, thinking included; ``None`` where the server does not say.
        server_s: Seconds that the server says it spent, waiting in its queue included.
        load_s: Seconds of that spent on loading the model.
        wall_s: Seconds from sending to receiving, seen from here.
        logprobs: One entry an output token; ``None`` where the server gives none.
        asked_without: What the server refused and was therefore asked without, in the user's
            words, such as ``top_k`` or ``num_predict``.
        label: Of a classifier that names labels instead of writing text: the label, which no
            reader has to find; ``None`` where there is a text to be read.
        probabilities: Of such a classifier: how probable it says each label is; ``None`` where it
            does not say.
    """

    text: str
    finish: Finish = "stop"
    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    server_s: float | None = None
    load_s: float | None = None
    wall_s: float | None = None
    logprobs: tuple[TokenLogprob, ...] | None = None
    asked_without: tuple[str, ...] = ()
    thinking: str = ""
    thinking_tokens: int | None = None
    label: str | None = None
    probabilities: Mapping[str, float] | None = None

    def may_be_an_error(self, backend: str) -> bool:
        """Whether it has the marks of an error that a server sent with HTTP 200.

        It broke off, or has no count of tokens: sound servers count what they wrote, and gateways
        that pass an error on do not. Versions that could not tell errors from answers kept some.

        Args:
            backend: Who was asked, such as ``openai``.
        """
        if backend == "openai":
            return self.finish == "other" or self.answer_tokens is None
        return backend == "ollama" and self.finish == "other" and self.answer_tokens is None

    def __post_init__(self) -> None:
        """Take thinking out of the text."""
        text, found = self.text, [self.thinking] if self.thinking.strip() else []
        while True:
            split = split_thinking(text)
            if split.answer == text:
                break
            # An opening tag alone is a thought that has only begun.
            begun = text.strip() if not (split.closed or split.answer) else ""
            found.append(split.thinking or begun)
            text = split.answer
        if text != self.text:
            object.__setattr__(self, "text", text)
            object.__setattr__(self, "thinking", "\n".join(filter(None, found)))

    @property
    def thought(self) -> bool:
        """Whether the model is known to have thought before its answer."""
        return bool(self.thinking.strip()) or bool(self.thinking_tokens)

    def to_json(self) -> dict[str, Any]:
        """As JSON built-ins; what most answers lack is there only where there is something."""
        logprobs, given = self.logprobs, self.probabilities
        told = {
            **dict(zip(_FIELDS, _values(self), strict=True)),
            "logprobs": None if logprobs is None else [token.to_json() for token in logprobs],
            "asked_without": list(self.asked_without),
            "probabilities": None if given is None else dict(given),
        }
        return {
            name: value
            for name, value in told.items()
            if name not in _SELDOM or value not in ("", None, [])
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Answer:
        """Rebuild from `to_json`; a field of a later version is left out.

        Raises:
            LookupError: A field is missing.
            TypeError: It is none at all.
            ValueError: A field holds what it cannot hold.
        """
        require(data, _FITS)
        raw = data.get("logprobs")
        logprobs = None if raw is None else tuple(map(_token, raw))
        known = {name: data[name] for name in _FITS if name in data}
        without = tuple(data.get("asked_without", ()))
        return cls(**{**known, "logprobs": logprobs, "asked_without": without})


_FIELDS: Final = tuple(one.name for one in fields(Answer))
_SELDOM: Final = frozenset(
    ("asked_without", "thinking", "thinking_tokens", "label", "probabilities")
)
_values = attrgetter(*_FIELDS)


def _token(item: dict[str, Any]) -> TokenLogprob:
    found = TokenLogprob(
        token=item["token"],
        logprob=item["logprob"],
        top=tuple((token, value) for token, value in item["top"]),
    )
    for token, value in ((found.token, found.logprob), *found.top):
        if not (is_text(token) and is_logprob(value)):
            raise ValueError(f"a token is {token!r:.40} with {value!r:.40}")
    return found
