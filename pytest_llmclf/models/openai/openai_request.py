"""What is sent to a server of OpenAI's protocol."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_llmclf.values.request import Request

LOAD_TIME_OPTIONS = frozenset(
    {
        "num_ctx", "num_batch", "num_gpu", "num_keep", "num_thread", "main_gpu", "low_vram",
        "use_mmap", "use_mlock", "numa", "vocab_only", "f16_kv", "draft_num_predict",
    }
)  # fmt: skip
"""Options that say how a model is loaded; no chat request carries them."""

_RENAMED = {"num_predict": "max_tokens"}


def chat_body(model: str, request: Request) -> dict[str, Any]:
    """The JSON body of a chat request.

    Options keep their names except ``num_predict``, which is ``max_tokens`` here; those that
    only say how a model is loaded are left out.
    """
    messages: list[dict[str, Any]] = []
    if request.system is not None:
        messages.append({"role": "system", "content": request.system})
    messages.extend({"role": role, "content": text} for role, text in request.examples)
    for example in request.example_images:
        messages.append(_question(example.image, example.media_type, request.prompt))
        messages.append({"role": "assistant", "content": example.answer})
    messages.append(_question(request.image, request.media_type, request.prompt))
    body: dict[str, Any] = {"model": model, "messages": messages, "stream": False}
    for name, value in request.options.items():
        if name in LOAD_TIME_OPTIONS:
            continue
        if name == "num_predict" and value < 0:
            continue  # "as many as it takes" is what leaving it out means
        body[_RENAMED.get(name, name)] = value
    if request.answer_schema is not None:
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {
                "name": "answer",
                "strict": True,
                "schema": dict(request.answer_schema),
            },
        }
    if request.top_logprobs:
        body["logprobs"] = True
        body["top_logprobs"] = request.top_logprobs
    return body


def _question(image: bytes, media_type: str, prompt: str) -> dict[str, Any]:
    """A turn of the user's: the image, then what is asked."""
    url = f"data:{media_type};base64,{base64.b64encode(image).decode()}"
    return {
        "role": "user",
        "content": [
            {"type": "image_url", "image_url": {"url": url}},
            {"type": "text", "text": prompt},
        ],
    }
