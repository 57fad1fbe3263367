"""What an archive of any kind has in it, and what is never read of it."""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final

from pytest_llmclf.data.entry import shown
from pytest_llmclf.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

CHUNK: Final = 1 << 16
"""Bytes read at once."""

# Windows takes any one sign before a colon for a drive, not letters alone.
_DRIVE: Final = re.compile(r".:", re.DOTALL)
_SMALL: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveLimits:
    """What is read at all; the known data sets stay far below.

    Attributes:
        entries: Most files.
        file_bytes: Largest single file.
        total_bytes: Most bytes of all files together.
        ratio: Most bytes that a byte of the archive may become. Images hardly shrink (about 1);
            a bomb is at 1000 and more. Archives that come to less than 16 MiB may exceed it.
    """

    entries: int = 200_000
    file_bytes: int = 64 * 1024 * 1024
    total_bytes: int = 8 * 1024**3
    ratio: int = 100


@dataclass(frozen=True, slots=True)
class ArchiveMember:
    """One regular file of an archive.

    Attributes:
        name: POSIX path from the archive's root; for comparing and for messages, never a place.
        size: Bytes, as declared.
        key: How the archive finds it.
    """

    name: str
    size: int
    key: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that is not imported.

    Attributes:
        name: Its path in the archive.
        reason: Why.
    """

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a kind of archive has in it, before anything is judged.

    Attributes:
        members: Its regular files.
        left_out: Links, and what else is no file.
        open: Opens a member for reading.
        packed_bytes: Size of the archive itself; 0 for a folder, where nothing is packed.
    """

    members: tuple[ArchiveMember, ...]
    left_out: tuple[LeftOut, ...]
    open: Callable[[ArchiveMember], IO[bytes]]
    packed_bytes: int = 0


def sorted_out(
    entries: Iterable[tuple[str, int, str]],
) -> tuple[tuple[ArchiveMember, ...], tuple[LeftOut, ...]]:
    """What is read of an archive, and what is not; a member's key is the place of its entry.

    Args:
        entries: Name, declared size, and why it is not read (empty: it is) of each; folders have
            no name.
    """
    members: list[ArchiveMember] = []
    left_out: list[LeftOut] = []
    for place, (name, size, why) in enumerate(entries):
        if name and why:
            left_out.append(LeftOut(name, why))
        elif name:
            members.append(ArchiveMember(name, size, place))
    return tuple(members), tuple(left_out)


def check_size(place: Path, total: int, packed: int, limits: ArchiveLimits) -> None:
    """Refuse an archive of `packed` bytes (0: not packed) that comes to `total` bytes.

    Raises:
        DatasetError: That is more than the limits allow.
    """
    if total > limits.total_bytes:
        raise refusal(place, f"it becomes {total} bytes, more than {limits.total_bytes}")
    if packed and total > _SMALL and total > limits.ratio * packed:
        raise refusal(
            place,
            f"its {packed} bytes become {total}, {limits.ratio} times as many and more: "
            f"an archive bomb",
        )


def safe_name(place: Path, name: str) -> str:
    """The name of an entry, its parts separated by single slashes.

    A backslash separates, too: that is what it does where the archive may be unpacked.

    Raises:
        DatasetError: The name is absolute or leaves the archive.
    """
    slashed = name.replace("\\", "/")
    parts = slashed.split("/")
    safe = "/".join(part for part in parts if part not in {"", "."})
    if slashed.startswith("/") or _DRIVE.match(safe) or ".." in parts:
        raise refusal(place, f"its entry {name[:200]!r} leads out of the folder it is unpacked to")
    return safe


def refusal(place: Path, why: str) -> DatasetError:
    """The error for an archive that is not read at all."""
    return DatasetError(
        shown(
            f"{place} is refused: {why}. Nothing was imported; get the archive from its "
            f"publisher, and give it as it was downloaded"
        )
    )


def not_a_file(mode: int) -> str:
    """Why something of this mode is not read."""
    return "is a link, which is not followed" if stat.S_ISLNK(mode) else "is no regular file"
