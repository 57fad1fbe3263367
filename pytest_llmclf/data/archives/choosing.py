"""Which images of an archive are taken: sound ones, each once, as many a class as wanted."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_llmclf.data.archives.member import LeftOut
from pytest_llmclf.data.image import ImageLimits, check
from pytest_llmclf.data.image_header import read_header
from pytest_llmclf.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_llmclf.data.archives.archive import Archive
    from pytest_llmclf.data.archives.layouts import Classes
    from pytest_llmclf.data.archives.member import ArchiveMember
    from pytest_llmclf.progress import Progress

_ENDINGS: Final = {"JPEG": ".jpg", "PNG": ".png", "GIF": ".gif", "BMP": ".bmp", "WebP": ".webp"}
_SAME_ENDINGS: Final = {".jpeg": ".jpg", ".jpe": ".jpg"}
_RESERVED: Final = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)", re.IGNORECASE)
_LONGEST: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenImage:
    """One image that is imported.

    Attributes:
        id: Path in the dataset.
        label: Its class.
        sha256: Of its bytes.
        source: Its path in the archive.
        renamed: Whether its ending in the archive was another than its content's.
    """

    id: str
    label: str
    sha256: str
    source: str
    renamed: bool


class Choosing:
    """Takes sound images in an order that the seed gives, until there are enough of each class.

    Args:
        archive: What is read.
        classes: Its images by label.
        folder: Where the images are written, one folder a label.
        seed: Which images come first.
        per_class: Images a class; ``None``: all.

    Attributes:
        taken: By sha256.
        left_out: What was looked at and not taken.
        counts: Images taken, by label.
        per_class: As given.
        short: Labels with fewer images than wanted, where a number was wanted.
    """

    def __init__(
        self,
        archive: Archive,
        classes: Classes,
        folder: Path,
        *,
        seed: int,
        per_class: int | None,
    ) -> None:
        self.archive = archive
        self.classes = classes
        self.taken: dict[str, ChosenImage] = {}
        self.left_out: list[LeftOut] = [*archive.left_out]
        self.counts: Counter[str] = Counter()
        self.short: tuple[str, ...] = ()
        self._folder = folder
        self.per_class = per_class
        self._limits = ImageLimits()
        self._ambiguous: set[str] = set()
        self._names: set[str] = set()
        self._waiting = {
            label: _ranked(members, seed) for label, members in classes.members.items()
        }
        self._wanted = {
            label: len(members) if per_class is None else per_class
            for label, members in classes.members.items()
        }

    def run(self, progress: Progress) -> None:
        """Take until every class has enough, or no more images."""
        total = sum(
            min(wanted, len(self.classes.members[label])) for label, wanted in self._wanted.items()
        )
        # An image that turns up under a second label is taken back, so one pass may not do.
        while label := self._hungry():
            self._look_at(label, self._waiting[label].pop())
            progress("images", self.counts.total(), total)
        self.short = tuple(
            label for label in self._wanted if self.counts[label] < (self.per_class or 0)
        )

    def _hungry(self) -> str | None:
        return next(
            (
                label
                for label, wanted in self._wanted.items()
                if self._waiting[label] and self.counts[label] < wanted
            ),
            None,
        )

    def _look_at(self, label: str, member: ArchiveMember) -> None:
        try:
            data = self.archive.read(member)
            problem = check(data, self._limits)
        except ImageError as error:
            problem = str(error)
        if problem is not None:
            self.left_out.append(LeftOut(member.name, problem))
            return
        sha256 = hashlib.sha256(data).hexdigest()
        other = self.taken.get(sha256)
        if sha256 in self._ambiguous:
            self.left_out.append(LeftOut(member.name, "is the same image under several labels"))
        elif other is None:
            self._take(label, member, data, sha256)
        elif other.label == label:
            self.left_out.append(LeftOut(member.name, f"is the same image as {other.source}"))
        else:
            self._take_back(other, member)

    def _take(self, label: str, member: ArchiveMember, data: bytes, sha256: str) -> None:
        ending = _ENDINGS[read_header(data).format]
        stem, given = _stem_and_ending(member.name)
        # A label may be anybody's word, and no folder's name.
        folder = file_name(label)
        id_ = f"{folder}/{file_name(stem)}{ending}"
        if id_.casefold() in self._names:
            id_ = f"{folder}/{file_name(stem)}-{sha256[:8]}{ending}"
        self._names.add(id_.casefold())
        place = self._folder / id_
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(data)
        self.counts[label] += 1
        self.taken[sha256] = ChosenImage(
            id=id_,
            label=label,
            sha256=sha256,
            source=member.name,
            renamed=bool(given) and _SAME_ENDINGS.get(given, given) != ending,
        )

    def _take_back(self, other: ChosenImage, member: ArchiveMember) -> None:
        """Neither of two labels is known to be the right one."""
        self._ambiguous.add(other.sha256)
        del self.taken[other.sha256]
        self.counts[other.label] -= 1
        (self._folder / other.id).unlink()
        self.left_out += [
            LeftOut(member.name, f"is the same image as {other.source}, of another label"),
            LeftOut(other.source, f"is the same image as {member.name}, of another label"),
        ]


def file_name(stem: str) -> str:
    """`stem` as a name without ending that every file system takes and that leads nowhere."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", stem)[:_LONGEST].strip("._-")
    return f"image-{plain}".rstrip("-") if not plain or _RESERVED.match(plain) else plain


def _ranked(members: Sequence[ArchiveMember], seed: int) -> list[ArchiveMember]:
    """In the order that the seed gives, the first one last."""

    def rank(member: ArchiveMember) -> tuple[str, str]:
        # The folder of the class and the file: the same wherever the archive has them.
        name = "/".join(member.name.split("/")[-2:])
        content = f"{seed}:{name}".encode("utf-8", "backslashreplace")
        return hashlib.sha256(content).hexdigest(), member.name

    return sorted(members, key=rank, reverse=True)


def _stem_and_ending(name: str) -> tuple[str, str]:
    file = name.rpartition("/")[2]
    stem, dot, ending = file.rpartition(".")
    return (stem, f".{ending.casefold()}") if dot else (file, "")
