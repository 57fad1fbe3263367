"""How a model is reached, as text: the same way leads to whoever was there last time."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from pytest_llmclf.backends.ollama_derive import is_gguf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.backends.spec import ModelSpec
    from pytest_llmclf.modelfile import Modelfile


def way_to(spec: ModelSpec, modelfile: Modelfile, ollama_hosts: Sequence[str] = ()) -> str | None:
    """Everything that determines who answers, without asking anybody.

    Args:
        spec: The model, fully named.
        modelfile: What it is derived from.
        ollama_hosts: Addresses of Ollama; empty: ``OLLAMA_HOST``.

    Returns:
        ``None`` where a name is not enough: files may have changed since, and whoever needs no
        server to be identified is better asked.
    """
    if spec.backend not in ("ollama", "openai"):
        return None
    if spec.backend == "openai":
        return json.dumps([str(spec), modelfile.digest()])
    if is_gguf(spec.name) or modelfile.projectors or modelfile.adapters:
        return None
    hosts = ",".join(ollama_hosts) or os.environ.get("OLLAMA_HOST", "")
    # Blanks between addresses are dropped: some callers have the text, others its parts.
    return json.dumps([str(spec), modelfile.digest(), "".join(hosts.split())])
