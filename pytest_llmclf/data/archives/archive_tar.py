"""Tar archives, plain or under gzip: what is in them."""

from __future__ import annotations

import gzip
import tarfile
import tempfile
import zlib
from typing import IO, TYPE_CHECKING, cast

from pytest_llmclf.data.archives.member import (
    CHUNK,
    Contents,
    check_size,
    refusal,
    safe_name,
    sorted_out,
)
from pytest_llmclf.data.entry import shown
from pytest_llmclf.errors import DatasetError

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from pytest_llmclf.data.archives.member import ArchiveLimits, ArchiveMember
    from pytest_llmclf.progress import Progress

_LONGEST_HEADER = 1 << 20
_PIECE = 1 << 20
_GZIP = b"\x1f\x8b"


class _ShortReads:
    """A file that refuses to be read in large pieces.

    `tarfile` reads an extended header in one go, however long it says it is.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LONGEST_HEADER:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def contents(
    place: Path,
    stack: ExitStack,
    limits: ArchiveLimits,
    scratch: Path | None,
    progress: Progress,
) -> Contents:
    """What a tar archive has in it.

    One under gzip is unpacked into a temporary tar first, since images are read in any order
    and gzip can only be read from its beginning.

    Args:
        place: The file.
        stack: Keeps it open.
        limits: What is read at all.
        scratch: Folder for the temporary file.
        progress: Told how far the unpacking is.

    Raises:
        DatasetError: It is cut, or refused as unsafe.
    """
    packed = place.stat().st_size
    file: IO[bytes] = stack.enter_context(place.open("rb"))
    if file.read(2) == _GZIP:
        file = stack.enter_context(
            tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115 - the stack closes it
        )
        _gunzip(place, file, limits, progress)
    file.seek(0)
    archive, infos = _opened(place, file, stack, limits)
    members, left_out = sorted_out(
        (safe_name(place, info.name) * (not info.isdir()), info.size, _why_not(info))
        for info in infos
    )

    def open_member(member: ArchiveMember) -> IO[bytes]:
        # Regular files alone have come this far, for which there always is one.
        return cast("IO[bytes]", archive.extractfile(infos[member.key]))

    return Contents(members=members, left_out=left_out, open=open_member, packed_bytes=packed)


def _opened(
    place: Path, file: IO[bytes], stack: ExitStack, limits: ArchiveLimits
) -> tuple[tarfile.TarFile, list[tarfile.TarInfo]]:
    infos: list[tarfile.TarInfo] = []
    try:
        bounded = cast("IO[bytes]", _ShortReads(file))
        archive = stack.enter_context(
            tarfile.open(fileobj=bounded, mode="r:")  # noqa: SIM115 - the stack closes it
        )
        for info in archive:
            infos.append(info)
            if len(infos) > limits.entries:
                raise refusal(place, f"it has more than {limits.entries} entries")
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise DatasetError(
            shown(f"{place} is no whole tar archive ({error}): download it again")
        ) from error
    return archive, infos


def _why_not(info: tarfile.TarInfo) -> str:
    """Why an entry is not read; empty where it is."""
    if info.issym() or info.islnk():
        return "is a link, which is not followed"
    if not info.isreg():
        return "is no regular file"
    # A sparse one could be of any size without being in the archive.
    return "is a sparse file" if info.issparse() else ""


def _gunzip(place: Path, target: IO[bytes], limits: ArchiveLimits, progress: Progress) -> None:
    packed, written = place.stat().st_size, 0
    try:
        with place.open("rb") as source, gzip.open(source) as stream:
            while piece := stream.read(CHUNK):
                written += len(piece)
                check_size(place, written, packed, limits)
                target.write(piece)
                if written % _PIECE < CHUNK:
                    progress("unpacking", source.tell(), packed)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DatasetError(
            shown(f"{place} is no whole gzip file ({error}): download it again")
        ) from error
