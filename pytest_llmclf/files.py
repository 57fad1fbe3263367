"""Files: what is no regular one is refused before it is opened; one is replaced whole or not.

To open a named pipe waits for somebody at its other end, and to read a device may never end. Both
can lie wherever a file is looked for, put there by accident or by somebody else.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

HOME_FOLDER: Final = ".llmclf"
"""Folder of answers, runs and imported datasets, in the root of a project."""

_WHAT = {
    stat.S_IFIFO: "it is a named pipe and no file",
    stat.S_IFSOCK: "it is a socket and no file",
    stat.S_IFCHR: "it is a device and no file",
    stat.S_IFBLK: "it is a device and no file",
    stat.S_IFDIR: "it is a folder and no file",
}


def require_plain(path: Path) -> Path:
    """The path, of a regular file or a link to one.

    Raises:
        OSError: There is none, or it is something else; `strerror` says what.
    """
    what = _WHAT.get(stat.S_IFMT(path.stat().st_mode))
    if what is not None:
        raise OSError(errno.EINVAL, what, os.fspath(path))
    return path


def require_writable_kind(path: Path) -> Path:
    """The path, unless something lies there that would keep a writer waiting; devices take text.

    Raises:
        OSError: It is a pipe, a socket or a folder; `strerror` says which.
    """
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
    except OSError:  # nothing is there, or it cannot be seen: whoever opens it will be told
        return path
    if kind in (stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFDIR):
        raise OSError(errno.EINVAL, _WHAT[kind], os.fspath(path))
    return path


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
