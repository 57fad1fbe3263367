"""Servers of four kinds whose model thinks: what they take, and how they send what it thought."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

Kind = Literal["ollama", "openai", "vllm", "llama.cpp"]
Manner = Literal["obeys", "ignores", "refuses", "refuses wordlessly", "cannot"]
Shape = Literal["content", "both", "thinking", "cut", "tags", "closing tag", "tags, cut"]

KINDS: Final[tuple[Kind, ...]] = ("ollama", "openai", "vllm", "llama.cpp")
MANNERS: Final[tuple[Manner, ...]] = (
    "obeys", "ignores", "refuses", "refuses wordlessly", "cannot"
)  # fmt: skip
SHAPES: Final[tuple[Shape, ...]] = (
    "content", "both", "thinking", "cut", "tags", "closing tag", "tags, cut"
)  # fmt: skip
THOUGHT: Final = "Is it a 3? No, it is a 7"
_FIELDS: Final[dict[Kind, str]] = {
    "ollama": "thinking", "openai": "reasoning", "vllm": "reasoning", "llama.cpp":
    "reasoning_content",
}  # fmt: skip
"""What it thinks is sent under this name."""
_TOLD: Final = ("think", "reasoning_effort", "chat_template_kwargs")


@dataclass
class Thinker:
    """A model that says 7 to everything, and thinks before that unless it is told not to.

    Attributes:
        kind: Whose protocol its server speaks.
        manner: What the server does when it is told about thinking.
        shape: How an answer with thinking comes.
        switch: What its template calls thinking; it sees nothing else.
        asked: Every body that arrived.
    """

    kind: Kind
    manner: Manner
    shape: Shape
    switch: str = "enable_thinking"

    def __post_init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def __call__(self, body: dict[str, Any]) -> tuple[int, Any]:
        self.asked.append(body)
        refusal = self._refusal({name for name in _TOLD if name in body})
        if refusal:
            return 400, {"error": refusal if self.kind == "ollama" else {"message": refusal}}
        thinks = self.manner == "ignores" or (self.manner != "cannot" and not self._told_off(body))
        content, thinking, finish = _said(self.shape if thinks else "content")
        message: dict[str, Any] = {"role": "assistant", "content": content}
        if thinking:
            message[_FIELDS[self.kind]] = thinking
        if self.kind == "ollama":
            return 200, {
                "model": body["model"], "message": message, "done": True, "done_reason": finish,
                "prompt_eval_count": 30, "eval_count": 24,
            }  # fmt: skip
        usage: dict[str, Any] = {"prompt_tokens": 30, "completion_tokens": 24}
        if self.kind == "openai" and thinking:
            usage["completion_tokens_details"] = {"reasoning_tokens": 20}
        choice = {"index": 0, "message": message, "finish_reason": finish}
        return 200, {"choices": [choice], "usage": usage}

    def _told_off(self, body: dict[str, Any]) -> bool:
        match self.kind:
            case "ollama":
                return body.get("think") is False
            case "openai":
                return body.get("reasoning_effort") == "minimal"
            case _:
                return body.get("chat_template_kwargs", {}).get(self.switch) is False

    def _refusal(self, told: set[str]) -> str:  # noqa: PLR0911 - one return a kind and manner
        if not told:
            return ""
        match self.kind, self.manner:
            case "ollama", "cannot":
                return '"m" does not support thinking' if self._last.get("think") else ""
            case "ollama", "refuses" | "refuses wordlessly":
                return f'think value "{self._last["think"]}" is not supported for this model'
            case _, "refuses wordlessly":
                return "Bad request"
            case _, "refuses":
                return f"Unrecognized request argument supplied: {min(told)}"
            case "openai", _ if "chat_template_kwargs" in told:
                return "Unknown parameter: 'chat_template_kwargs'."
            case "openai", _ if self._last.get("reasoning_effort") == "none":
                return (
                    "Unsupported value: 'reasoning_effort' does not support 'none' with this "
                    "model. Supported values are: 'minimal', 'low', 'medium', and 'high'."
                )
            case "vllm", _ if self._last.get("reasoning_effort") in ("none", "minimal"):
                return (
                    "[{'type': 'literal_error', 'loc': ('body', 'reasoning_effort'), 'msg': "
                    "\"Input should be 'low', 'medium' or 'high'\"}]"
                )
        return ""

    @property
    def _last(self) -> dict[str, Any]:
        return self.asked[-1]


def _said(shape: Shape) -> tuple[str, str, str]:  # noqa: PLR0911 - one return a shape
    """Content, thinking and how it ended."""
    match shape:
        case "content":
            return "7", "", "stop"
        case "both":
            return "7", THOUGHT, "stop"
        case "thinking":
            return "", THOUGHT, "stop"
        case "cut":
            return "", THOUGHT, "length"
        case "tags":
            return f"<think>\n{THOUGHT}\n</think>\n\n7", "", "stop"
        case "closing tag":
            return f"{THOUGHT}\n</think>\n7", "", "stop"
        case "tags, cut":
            return f"<think>{THOUGHT}", "", "length"
