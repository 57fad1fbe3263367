"""Asking a model about one image, outside of any evaluation."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmclf.models.base import Backend
    from pytest_llmclf.models.reach import ConnectSettings
    from pytest_llmclf.values.answer import Answer
    from pytest_llmclf.values.request import ModelIdentity
    from pytest_llmclf.values.thinking import Think

MODEL_VARIABLE = "LLMCLF_MODEL"
"""Who is asked where nobody is named, as for evaluations."""

THINKING_TOKENS = 2048
"""Most tokens of an answer by a model that thinks though it is told not to."""

BASE = "llava"
"""The model that ``auto`` looks for on Ollama."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """A model that answers.

    Attributes:
        spec: How it was reached.
        reason: Why it, in one line; empty when it was demanded.
        backend: Who is asked.
        identity: Who that is.
    """

    spec: str
    reason: str
    backend: Backend
    identity: ModelIdentity


def wanted_model(given: str | None) -> str:
    """The model given, the environment's, or ``auto``."""
    return given or next(iter(os.environ.get(MODEL_VARIABLE, "").split()), "auto")


@contextmanager
def connected(spec_text: str, settings: ConnectSettings, *, tokens: int) -> Iterator[Connected]:
    """Reach a model, and let go of it at the end.

    Args:
        spec_text: The model as written on the command line.
        settings: How servers are reached and started.
        tokens: Most tokens of an answer.

    Raises:
        BackendError: The server, the model or the runtime is not there.
        SettingsError: The model or an address makes no sense.
    """
    from pytest_llmclf.models.connect import Connections, resolve
    from pytest_llmclf.models.spec import parse_spec
    from pytest_llmclf.prompting import modelfile as modelfiles

    text = f"FROM {BASE}\nPARAMETER temperature 0\nPARAMETER seed 1\n"
    modelfile = modelfiles.parse(f"{text}PARAMETER num_predict {tokens}\n", "the command line")
    spec, reason = resolve(parse_spec(spec_text), modelfile, settings)
    connections = Connections(settings)
    try:
        backend = connections.connect(spec, modelfile)
        identity = backend.identify()
        yield Connected(
            spec=str(spec),
            reason=reason,
            backend=backend,
            identity=identity,
        )
    finally:
        connections.close()


def ask(
    model: Connected, prompt: str, image: bytes, *, tokens: int, think: Think | None = None
) -> Answer:
    """Ask one question about an image, as likely an answer as possible.

    Args:
        model: Who is asked.
        prompt: The question.
        image: The image's file.
        tokens: Most tokens of the answer, thinking included.
        think: Whether to think first; ``None``: not, where the server can be told so.

    Raises:
        BackendError: There is no answer.
        ImageError: The image cannot be sent.
    """
    from pytest_llmclf.data.image import prepare
    from pytest_llmclf.values.request import Request

    prepared = prepare(image)
    return model.backend.ask(
        Request(
            system=None,
            prompt=prompt,
            image=prepared.data,
            media_type=prepared.media_type,
            options={"temperature": 0, "seed": 1, "num_predict": tokens},
            think=think,
        )
    )


def only_thinking(answer: Answer) -> bool:
    """Whether nothing came of an answer but thinking."""
    return answer.thought and not answer.text.strip()
