"""Files: what is no regular one is refused before it is opened; one is replaced whole or not.

To open a named pipe waits for somebody at its other end, and to read a device may never end. Both
can lie wherever a file is looked for, put there by accident or by somebody else.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

HOME_FOLDER: Final = ".llmclf"
"""Folder of answers, runs and imported datasets, in the root of a project."""

LAST_PLACE: Final = 0x7FFF_FFFE
"""Windows locks no byte beyond this place."""

_NO_LOCKS: Final = frozenset((errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS))

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


def file_digest(path: Path) -> str:
    """Hex sha256 of a regular file's bytes, which are never held all at once.

    Raises:
        OSError: As for `require_plain`, or it cannot be read.
    """
    import hashlib

    with require_plain(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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


def require_place(path: Path, *, folder: bool = False) -> Path:
    """The path, if a file or folder can be written there, as far as that shows beforehand.

    Nothing is made: whoever writes makes the folders that are not there yet.

    Args:
        path: Where something will be written.
        folder: Whether that is a folder.

    Raises:
        OSError: It cannot; `filename` is what stands in the way, `strerror` says why.
    """
    for place in (path, *path.parents):
        try:
            kind = place.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            continue
        if place == path and not folder:
            require_writable_kind(path)
            free = os.access(path, os.W_OK) or os.access(path.parent, os.W_OK)
        elif not stat.S_ISDIR(kind):
            raise NotADirectoryError(errno.ENOTDIR, "it is a file and no folder", os.fspath(place))
        else:
            free = os.access(place, os.W_OK | os.X_OK)
        if not free:
            raise PermissionError(errno.EACCES, "it may not be written to", os.fspath(place))
        break
    return path


def write_whole(path: Path, content: bytes) -> Path:
    """Write beside `path`, then take its place at once; returns `path`.

    Raises:
        OSError: It cannot be written; what stood there still does.
    """
    return write_pieces(path, (content,))


def write_pieces(path: Path, pieces: Iterable[bytes]) -> Path:
    """`write_whole` of what is too much to be held at once, piece by piece.

    A device is written to: it would be lost if a file took its place.

    Raises:
        OSError: It cannot be written; what stood there still does.
    """
    if require_writable_kind(path).exists() and not path.is_file():
        with path.open("wb") as file:
            file.writelines(pieces)
        return path
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


def append_whole(path: Path, more: Callable[[bytes], bytes]) -> bytes:
    """Add to the end of a file all or nothing, while no other process does the same.

    Whoever adds waits for its turn, and sees what those before it added. The file is never
    replaced, so that nothing which others add meanwhile is lost.

    Args:
        path: The file; made if it is not there.
        more: From what the file holds to what is added.

    Returns:
        What was added.

    Raises:
        OSError: It cannot be read or written; it holds what it held.
    """
    how = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(require_writable_kind(path), how, 0o666), "r+b", buffering=0) as file:
        try:
            lock_byte(file.fileno(), LAST_PLACE, wait=True)
        except OSError as error:
            if error.errno not in _NO_LOCKS:  # a file system without locks is written all the same
                raise
        try:
            file.seek(0)
            before = file.read()
            added = more(before)
            try:
                _add(file.fileno(), added)
            except OSError:
                file.truncate(len(before))
                raise
        finally:
            with contextlib.suppress(OSError):
                unlock_byte(file.fileno(), LAST_PLACE)
    return added


def _add(file: int, content: bytes) -> None:
    """Write all of it, and have it on the disk."""
    while content:
        content = content[os.write(file, content) :]
    os.fsync(file)


if sys.platform == "win32":

    def lock_byte(file: int, place: int, *, wait: bool = False) -> None:
        """Lock one byte of an open file, at once or once whoever has it lets go.

        Raises:
            OSError: Another process has it, or the file system has no locks.
        """
        os.lseek(file, place, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)

    def unlock_byte(file: int, place: int) -> None:
        """Unlock a byte that `lock_byte` locked."""
        os.lseek(file, place, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_UNLCK, 1)

else:

    def lock_byte(file: int, place: int, *, wait: bool = False) -> None:
        """Lock one byte of an open file, at once or once whoever has it lets go.

        Raises:
            OSError: Another process has it, or the file system has no locks.
        """
        fcntl.lockf(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), 1, place)

    def unlock_byte(file: int, place: int) -> None:
        """Unlock a byte that `lock_byte` locked."""
        fcntl.lockf(file, fcntl.LOCK_UN, 1, place)
