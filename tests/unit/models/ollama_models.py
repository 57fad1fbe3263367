"""What the tests of Ollama ask with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pytest_llmclf.models.ollama.ollama_backend import OllamaBackend
from pytest_llmclf.prompting.modelfile import parse
from pytest_llmclf.values.request import Request
from tests.ollama_replay import exchange

MICRO = parse("FROM micro-llava\nPARAMETER num_predict 8\n", "digits.Modelfile")
"""With it the derived model is asked what was asked when exchange 105 was recorded."""

Connect = Callable[..., OllamaBackend]
"""Make a backend from a Modelfile and settings."""


def question(image: bytes, **changes: Any) -> Request:
    """The recorded question."""
    prompt = exchange("105").sent["messages"][0]["content"]
    options = MICRO.options()
    request = Request(
        system=None, prompt=prompt, image=image, media_type="image/png", options=options
    )
    return replace(request, **changes)
