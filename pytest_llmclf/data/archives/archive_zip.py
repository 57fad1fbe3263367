"""Zip archives: what is in them."""

from __future__ import annotations

import stat
import struct
import zipfile
from typing import IO, TYPE_CHECKING

from pytest_llmclf.data.archives.member import (
    Contents,
    not_a_file,
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

# Unpacking LZMA takes as much memory as the archive says, and damaged data raise what they like.
_READ = frozenset((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2))
_ENCRYPTED = 0x1
_UNIX = 3  # "version made by" of an archive whose external attributes hold a Unix mode


def contents(place: Path, stack: ExitStack, limits: ArchiveLimits) -> Contents:
    """What a zip archive has in it.

    Args:
        place: The file.
        stack: Keeps it open.
        limits: Most entries.

    Raises:
        DatasetError: It is cut, or refused as unsafe.
    """
    try:
        archive = stack.enter_context(zipfile.ZipFile(place))
    except (
        zipfile.BadZipFile,
        OSError,
        ValueError,
        RuntimeError,  # NotImplementedError: a later version of the format
        EOFError,
        struct.error,
    ) as error:
        raise DatasetError(
            shown(f"{place} is no whole zip archive ({error}): download it again")
        ) from error
    infos = archive.infolist()
    if len(infos) > limits.entries:
        raise refusal(place, f"it has {len(infos)} entries, more than {limits.entries}")
    members, left_out = sorted_out(
        (_file_name(place, info), info.file_size, _why_not(info)) for info in infos
    )

    def open_member(member: ArchiveMember) -> IO[bytes]:
        return archive.open(infos[member.key])

    packed = place.stat().st_size
    return Contents(members=members, left_out=left_out, open=open_member, packed_bytes=packed)


def _file_name(place: Path, info: zipfile.ZipInfo) -> str:
    """The safe name of an entry; empty for a folder, and for what has no name."""
    name = safe_name(place, info.filename)
    # Some versions of Python cannot tell what an entry without a name is.
    return "" if not name or info.is_dir() else name


def _why_not(info: zipfile.ZipInfo) -> str:
    """Why an entry is not read; empty where it is."""
    mode = info.external_attr >> 16 if info.create_system == _UNIX else 0
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
        return not_a_file(mode)
    if info.flag_bits & _ENCRYPTED:
        return "is under a password"
    return "" if info.compress_type in _READ else "is packed in a way that is not read: use deflate"
