"""What the server says about an image, in the shape of either protocol."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
from functools import lru_cache
from typing import Any

_CREATED_AT = "2026-01-01T00:00:00.000000Z"
_CREATED = 1_767_225_600
_SURE = 0.9
"""Probability of the label that is said; the others share the rest."""


class NoImage(Exception):
    """The question carries no image that could be read."""


def image_of(body: dict[str, Any]) -> bytes:
    """The bytes of the last image of a question, in either protocol.

    Raises:
        NoImage: There is none, or its base64 is damaged.
    """
    for message in reversed(body.get("messages") or ()):
        images = message.get("images") or _openai_images(message.get("content"))
        if images:
            try:
                return base64.b64decode(images[-1])
            except (binascii.Error, ValueError) as error:
                raise NoImage(str(error)) from error
    raise NoImage("no image in the question")


def _openai_images(content: Any) -> list[str]:
    if not isinstance(content, list):
        return []
    urls = [part["image_url"]["url"] for part in content if part.get("type") == "image_url"]
    return [url.partition("base64,")[2] for url in urls]


def label_of(image: bytes, labels: tuple[str, ...]) -> str:
    """The label that is said about an image: always the same one."""
    digest = hashlib.sha256(image).digest()
    return labels[int.from_bytes(digest[:8], "big") % len(labels)]


def said(body: dict[str, Any], labels: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The text of the answer, and the labels that it was chosen from.

    A schema with a list of labels narrows them, and the answer is then JSON under that schema.
    """
    schema = body.get("format") or _openai_schema(body)
    if not isinstance(schema, dict) or not schema.get("properties"):
        return label_of(image_of(body), labels), labels
    name, rule = next(iter(schema["properties"].items()))
    allowed = tuple(rule.get("enum") or labels)
    return json.dumps({name: label_of(image_of(body), allowed)}), allowed


def _openai_schema(body: dict[str, Any]) -> Any:
    wanted = body.get("response_format")
    if not isinstance(wanted, dict):
        return None
    return (wanted.get("json_schema") or {}).get("schema") or wanted.get("schema")


@lru_cache(maxsize=4096)
def ollama(
    model: str, text: str, labels: tuple[str, ...], top: int | None, service_ns: int
) -> tuple[bytes, bytes]:
    """An answer of ``/api/chat``: whole, and as the two lines of a stream.

    Args:
        model: The model's name, as asked.
        text: What is said.
        labels: What could have been said.
        top: Alternatives a token; ``None`` where no log-probabilities are wanted.
        service_ns: Nanoseconds of service.
    """
    head = {"model": model, "created_at": _CREATED_AT}
    logprobs = {} if top is None else {"logprobs": [_token(text, labels, top)]}
    metrics = {
        "done_reason": "stop",
        "total_duration": service_ns + 1_000_000,
        "load_duration": 100_000,
        "prompt_eval_count": 620,
        "prompt_eval_duration": service_ns // 2,
        "eval_count": 2,
        "eval_duration": service_ns // 2,
    }
    message = {"role": "assistant", "content": text}
    whole = {**head, "message": message, "done": True, **logprobs, **metrics}
    first = {**head, "message": message, "done": False, **logprobs}
    last = {**head, "message": {"role": "assistant", "content": ""}, "done": True, **metrics}
    return json.dumps(whole).encode(), f"{json.dumps(first)}\n{json.dumps(last)}\n".encode()


@lru_cache(maxsize=4096)
def openai(model: str, text: str, labels: tuple[str, ...], top: int | None) -> tuple[bytes, bytes]:
    """An answer of ``/v1/chat/completions``: whole, and as server-sent events."""
    head = {"id": "chatcmpl-1", "created": _CREATED, "model": model}
    choice: dict[str, Any] = {"index": 0, "finish_reason": "stop"}
    if top is not None:
        choice["logprobs"] = {"content": [_token(text, labels, top)]}
    usage = {"prompt_tokens": 620, "completion_tokens": 2, "total_tokens": 622}
    message = {"role": "assistant", "content": text}
    whole = {
        **head, "object": "chat.completion", "usage": usage,
        "choices": [{**choice, "message": message}],
    }  # fmt: skip
    event = {**head, "object": "chat.completion.chunk", "choices": [{**choice, "delta": message}]}
    return json.dumps(whole).encode(), f"data: {json.dumps(event)}\n\ndata: [DONE]\n\n".encode()


def _token(text: str, labels: tuple[str, ...], top: int) -> dict[str, Any]:
    others = [label for label in labels if label != text][: max(0, top - 1)]
    rest = math.log((1.0 - _SURE) / max(1, len(labels) - 1))
    tokens = [(text, math.log(_SURE)), *((other, rest) for other in others)]
    written = [
        {"token": token, "logprob": logprob, "bytes": list(token.encode())}
        for token, logprob in tokens
    ]
    return {**written[0], "top_logprobs": written[:top]}
