"""The files that list a dataset's images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_llmclf.data.entry import shown
from pytest_llmclf.errors import DatasetError

if TYPE_CHECKING:
    from pathlib import Path

MANIFESTS: Final = ("manifest.csv", "manifest.jsonl")
METADATA: Final = ("metadata.csv", "metadata.jsonl")
"""What Hugging Face's imagefolder calls it; a manifest of our own goes first."""


def manifest_of(source: Path) -> Path | None:
    """The manifest that `source` is or has, or ``None``.

    Raises:
        DatasetError: A folder has two.
    """
    if source.is_file():
        return source
    for names in (MANIFESTS, METADATA):
        found = [source / name for name in names if (source / name).is_file()]
        if len(found) > 1:
            msg = f"{source} has both {' and '.join(names)}: remove one, or name the one to read"
            raise DatasetError(shown(msg))
        if found:
            return found[0]
    return None
