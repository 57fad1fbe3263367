"""The endpoint key: how a model is reached, so that the same one leads to whoever was there last.

It is kept in the store, which continuous integration caches and people share: it is made of two
digests, and no password goes into it. The first one is of the model without the address, so that
the same model elsewhere can be found.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from typing import TYPE_CHECKING

from pytest_llmclf.models.spec import names_file, without_users

_ADDRESS = re.compile(r"^(openai:.+?)@https?://.*$", re.IGNORECASE | re.DOTALL)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.models.spec import ModelSpec
    from pytest_llmclf.prompting.modelfile import Modelfile


def way_to(spec: ModelSpec, modelfile: Modelfile, ollama_hosts: Sequence[str] = ()) -> str | None:
    """Digests of the model, and of everything that determines who answers, without asking anybody.

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
        return _digest([str(spec), modelfile.digest()])
    if names_file(spec.name) or modelfile.projectors or modelfile.adapters:
        return None
    hosts = ",".join(ollama_hosts) or os.environ.get("OLLAMA_HOST", "")
    # Blanks between addresses are dropped: some callers have the text, others its parts.
    return _digest([str(spec), modelfile.digest(), "".join(hosts.split())])


def mended(endpoint_key: str) -> str:
    """The endpoint key of today for one of an earlier version, which held addresses as text."""
    try:
        parts = json.loads(endpoint_key)
    except (ValueError, RecursionError):
        return endpoint_key
    if not (isinstance(parts, list) and parts and all(isinstance(part, str) for part in parts)):
        return endpoint_key
    return _digest(parts)


def _digest(parts: list[str]) -> str:
    *first, last = parts
    model = _sha256([_ADDRESS.sub(r"\1", without_users(part)) for part in parts[:2]])
    return f"{model}@{_sha256([*first, without_users(last)])}"


def _sha256(parts: list[str]) -> str:
    return hashlib.sha256(json.dumps(parts).encode("utf-8", "surrogatepass")).hexdigest()
