"""Files that a Modelfile names, before they are sent to a server."""

from __future__ import annotations

import stat
from pathlib import Path

from pytest_llmclf import errors
from pytest_llmclf.files import file_digest

GGUF_MAGIC = b"GGUF"
"""The first bytes of every GGUF file."""


def require_gguf(path: Path, source: str) -> None:
    """Refuse to send a file that is none of a model, whatever its name says.

    Args:
        path: The file.
        source: The Modelfile that names it, for the message.

    Raises:
        ModelNotCreated: It does not begin as every GGUF file does, or cannot be read.
    """
    try:
        # Not opened unless it is a plain file: a FIFO would never answer.
        begins = b""
        if stat.S_ISREG(path.stat().st_mode):
            with path.open("rb") as file:
                begins = file.read(len(GGUF_MAGIC))
    except OSError as error:
        raise _unreadable(path, error) from error
    if begins != GGUF_MAGIC:
        raise errors.ModelNotCreated(
            f"{source} names {path}, which is no GGUF file, and it was not sent to Ollama",
            remedy="name a GGUF file; for one of another format run "
            f"`ollama create NAME -f {source}` and put FROM NAME into the Modelfile",
        )


def blob_digest(path: Path) -> str:
    """``sha256:...`` of a file's bytes, as a server calls them.

    Raises:
        ModelNotCreated: The file cannot be read.
    """
    try:
        return f"sha256:{file_digest(path)}"
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> errors.ModelNotCreated:
    return errors.ModelNotCreated(
        f"{path} cannot be read ({error.strerror})", remedy="correct the path in the Modelfile"
    )


def by_file_name(blobs: dict[str, str]) -> dict[str, str]:
    """The server wants names, not paths; equal names are told apart by a number."""
    named: dict[str, str] = {}
    for path, digest in blobs.items():
        name = Path(path).name
        named[f"{len(named)}-{name}" if name in named else name] = digest
    return named
