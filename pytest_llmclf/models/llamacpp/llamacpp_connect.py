"""From GGUF files as written to a `llama-server` that runs them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmclf.errors import RuntimeMissing
from pytest_llmclf.models.llamacpp.llama_binary import find_llama_server
from pytest_llmclf.models.llamacpp.llama_server import LlamaServers
from pytest_llmclf.models.llamacpp.llamacpp import LlamaCppBackend, embedded_pair, file_pair
from pytest_llmclf.models.spec import names_file

if TYPE_CHECKING:
    from pytest_llmclf.models.base import Backend
    from pytest_llmclf.models.reach import Reach


def connect(reach: Reach) -> Backend:
    """A `llama-server` for two GGUF files, or for the embedded model.

    Raises:
        RuntimeMissing: There is no `llama-server`.
    """
    spec, modelfile, settings = reach.spec, reach.modelfile, reach.settings
    pair = file_pair(Path(spec.text), Path(spec.mmproj)) if spec.text else embedded_pair()
    try:
        program = find_llama_server(settings.llama_server)
    except RuntimeMissing as error:
        base = modelfile.from_
        other = "" if names_file(base) else f", or use Ollama: `ollama serve`, `ollama pull {base}`"
        raise RuntimeMissing(error.message, remedy=f"{error.remedy}{other}") from error
    servers = reach.once(
        "llama-servers", lambda: LlamaServers(start_timeout_s=settings.start_timeout_s)
    )
    return LlamaCppBackend(
        pair=pair,
        program=program,
        servers=servers,
        options=modelfile.options(),
        settings=settings,
        notes=reach.template_note,
        copies=min(settings.llama_copies, os.cpu_count() or 1) if pair.embedded else 1,
    )
