"""Reading archives of other people: names and bytes; nothing is unpacked, nothing is run.

No file is ever written under a name from an archive, so a name cannot lead anywhere. One that
tries to shows that this is not the archive that it should be, and it is refused as a whole. Links
are never followed, devices never opened, and sizes are bounded twice: as declared, before a byte
is read, and as they come, since a declaration can lie.
"""

from __future__ import annotations

import os
import stat
import struct
import tarfile
import zipfile
import zlib
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from pytest_llmclf.data.archives import archive_tar, archive_zip
from pytest_llmclf.data.archives.member import (
    CHUNK,
    ArchiveLimits,
    ArchiveMember,
    Contents,
    LeftOut,
    check_size,
    not_a_file,
    refusal,
)
from pytest_llmclf.data.entry import shown
from pytest_llmclf.errors import DatasetError, ImageError
from pytest_llmclf.files import require_plain
from pytest_llmclf.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Iterator

_DAMAGE: Final = (
    OSError,
    EOFError,
    RuntimeError,  # a zip entry under a password; also NotImplementedError: unknown compression
    ValueError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
    tarfile.TarError,
)
_OTHERS: Final[tuple[tuple[bytes, str], ...]] = (
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\0", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstandard archive"),
    (b"<", "a web page (a log-in page instead of the download?)"),
)


class Archive:
    """An archive, or a folder, that is open for reading.

    Attributes:
        place: The file or folder.
        members: Its regular files, each name once.
        left_out: What is in it and is not read: links, repeated names.
    """

    def __init__(self, place: Path, contents: Contents, limits: ArchiveLimits) -> None:
        self.place = place
        self._contents = contents
        self._limits = limits
        self._taken = 0
        self.members, twice = _each_once(contents.members)
        self.left_out = (*contents.left_out, *twice)
        self._check_declared()

    def read(self, member: ArchiveMember) -> bytes:
        """The bytes of one file.

        Raises:
            ImageError: It is damaged or larger than allowed, which concerns this file alone.
            DatasetError: All that was read comes to more than allowed.
        """
        most = self._limits.file_bytes
        if member.size > most:
            raise ImageError(f"has {member.size} bytes, more than the {most} allowed")
        pieces, size = [], 0
        try:
            with self._contents.open(member) as file:
                while piece := file.read(CHUNK):
                    size += len(piece)
                    self._take(len(piece))
                    if size > most:
                        raise ImageError(f"becomes more than the {most} bytes allowed")
                    pieces.append(piece)
        except _DAMAGE as error:
            raise ImageError(f"cannot be read from the archive ({error})") from error
        return b"".join(pieces)

    def _take(self, count: int) -> None:
        self._taken += count
        if self._taken > self._limits.total_bytes:
            raise refusal(self.place, f"it becomes more than {self._limits.total_bytes} bytes")

    def _check_declared(self) -> None:
        count, limits = len(self.members), self._limits
        if count > limits.entries:
            raise refusal(self.place, f"it has {count} files, more than {limits.entries}")
        total = sum(member.size for member in self.members)
        check_size(self.place, total, self._contents.packed_bytes, limits)


@contextmanager
def opened(
    place: Path,
    *,
    limits: ArchiveLimits | None = None,
    scratch: Path | None = None,
    progress: Progress = silent,
) -> Iterator[Archive]:
    """Open a zip or tar archive (tar.gz too, told by content) or a folder.

    Args:
        place: Where it is.
        limits: What is read at all.
        scratch: Folder for the one temporary file that a tar.gz needs; default: the system's.
        progress: Told how far the unpacking of a tar.gz is.

    Raises:
        DatasetError: There is none, it is of another kind, cut, or refused as unsafe.
    """
    limits = limits or ArchiveLimits()
    with ExitStack() as stack:
        if place.is_dir():
            contents = _folder(place, limits)
        else:
            start = _start(place)
            if start.startswith(b"PK"):
                contents = archive_zip.contents(place, stack, limits)
            elif start.startswith(b"\x1f\x8b") or start[257:262] == b"ustar":
                contents = archive_tar.contents(place, stack, limits, scratch, progress)
            else:
                raise DatasetError(shown(f"{place} is {_what(start)}: {_REMEDY}"))
        yield Archive(place, contents, limits)


_REMEDY: Final = "give a .zip, .tar or .tar.gz file, or the folder that it was unpacked to"


def _each_once(
    members: tuple[ArchiveMember, ...],
) -> tuple[tuple[ArchiveMember, ...], tuple[LeftOut, ...]]:
    first: dict[str, ArchiveMember] = {}
    twice = tuple(
        LeftOut(member.name, "is in the archive twice; the first one is read")
        for member in members
        if first.setdefault(member.name, member) is not member
    )
    return tuple(first.values()), twice


def _start(place: Path) -> bytes:
    try:
        with require_plain(place).open("rb") as file:
            return file.read(512)
    except OSError as error:
        raise DatasetError(
            shown(f"{place} cannot be read ({error.strerror or error}): correct the path")
        ) from error


def _what(start: bytes) -> str:
    if not start:
        return "empty"
    known = (what for mark, what in _OTHERS if start.lstrip().startswith(mark))
    return next(known, "no archive")


def _folder(place: Path, limits: ArchiveLimits) -> Contents:
    members: list[ArchiveMember] = []
    left_out: list[LeftOut] = []
    paths: list[Path] = []

    def unreadable(error: OSError) -> None:
        name = Path(error.filename).relative_to(place).as_posix()
        left_out.append(LeftOut(name, f"cannot be listed ({error.strerror})"))

    for parent, folders, names in os.walk(place, onerror=unreadable):
        folders.sort()
        for name in sorted([*names, *folders]):
            path = Path(parent, name)
            id_ = path.relative_to(place).as_posix()
            status = path.lstat()
            if stat.S_ISREG(status.st_mode):
                members.append(ArchiveMember(id_, status.st_size, len(paths)))
                paths.append(path)
            elif not stat.S_ISDIR(status.st_mode):
                left_out.append(LeftOut(id_, not_a_file(status.st_mode)))
        if len(members) > limits.entries:
            raise refusal(place, f"it has more than {limits.entries} files")

    def open_member(member: ArchiveMember) -> IO[bytes]:
        return paths[member.key].open("rb")

    return Contents(members=tuple(members), left_out=tuple(left_out), open=open_member)
