"""Zip archives: what is in them."""

from __future__ import annotations

import stat
import struct
import zipfile
from typing import IO, TYPE_CHECKING

from pytest_llmclf.data.archives.member import (
    ArchiveMember,
    Contents,
    LeftOut,
    not_a_file,
    refusal,
    safe_name,
)
from pytest_llmclf.data.entry import shown
from pytest_llmclf.errors import DatasetError

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from pytest_llmclf.data.archives.member import ArchiveLimits

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
    members: list[ArchiveMember] = []
    left_out: list[LeftOut] = []
    for number, info in enumerate(infos):
        name = safe_name(place, info.filename)
        mode = info.external_attr >> 16 if info.create_system == _UNIX else 0
        kind = stat.S_IFMT(mode)
        if not name or info.is_dir():
            continue
        if kind not in {0, stat.S_IFREG}:
            left_out.append(LeftOut(name, not_a_file(mode)))
        elif info.flag_bits & _ENCRYPTED:
            left_out.append(LeftOut(name, "is under a password"))
        elif info.compress_type not in _READ:
            left_out.append(LeftOut(name, "is packed in a way that is not read: use deflate"))
        else:
            members.append(ArchiveMember(name, info.file_size, number))

    def open_member(member: ArchiveMember) -> IO[bytes]:
        return archive.open(infos[member.key])

    return Contents(
        members=tuple(members),
        left_out=tuple(left_out),
        open=open_member,
        packed_bytes=place.stat().st_size,
    )
