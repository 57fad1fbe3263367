"""Files that are replaced whole: a reader sees the old one or the new one, never a part."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


def write_whole(path: Path, content: bytes) -> Path:
    """Write beside `path`, then take its place at once; returns `path`.

    Raises:
        OSError: It cannot be written; what stood there still does.
    """
    return write_pieces(path, (content,))


def write_pieces(path: Path, pieces: Iterable[bytes]) -> Path:
    """`write_whole` of what is too much to be held at once, piece by piece.

    Raises:
        OSError: It cannot be written; what stood there still does.
    """
    with beside(path) as draft:
        with draft.open("wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    return path


@contextlib.contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A name next to `path` for a draft, of which nothing is left afterwards."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield draft
    finally:
        # What went wrong before says more than that the rest of it cannot be removed.
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
