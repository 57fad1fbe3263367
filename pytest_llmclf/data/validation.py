"""Whether a dataset can be judged: everything wrong with it, found before any model is asked."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from pytest_llmclf.data.entry import ADD_CLASS
from pytest_llmclf.data.image import ImageLimits, Seen, see
from pytest_llmclf.errors import nearest, some_of
from pytest_llmclf.files import require_plain
from pytest_llmclf.prompting.label_text import normalise
from pytest_llmclf.values.case import Case
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pytest_llmclf.data.entry import Entry, SourceOptions

_SHA256: Final = re.compile(r"[0-9a-fA-F]{64}")
_DRIVE: Final = re.compile(r"[A-Za-z]:")
_LEAST: Final = 2
_SHOWN: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedImage:
    """An entry and what its file is.

    Attributes:
        entry: What the source says.
        case: The case made of it.
        seen: What its pixels show; nothing where they were not decoded.
    """

    entry: Entry
    case: Case
    seen: Seen


def label_problems(
    labels: Sequence[str],
    options: SourceOptions | None = None,
    add_label: str = ADD_CLASS,
) -> Iterator[str]:
    """What is wrong with the list of labels itself.

    Args:
        labels: In order.
        options: Whether upper and lower case tell labels apart.
        add_label: What to do where there is one; see `Found`.
    """
    case_matters = options is not None and options.case_matters
    if len(labels) < _LEAST:
        names = some_of(map(repr, labels)) or "none"
        yield f"a dataset needs at least two labels, but this one has {names}: {add_label}"
    seen: dict[str, str] = {}
    for label in labels:
        if not label.isprintable() or label != label.strip() or not normalise(label):
            yield f"label {label!r} is empty or not a printable line: rename it"
            continue
        other = seen.setdefault(normalise(label), label)
        if other is label:
            continue
        if other.casefold() != label.casefold():
            yield f"labels {other!r} and {label!r} are the same to a reader of answers: rename one"
        elif not case_matters:
            yield (
                f"labels {other!r} and {label!r} differ in upper and lower case only and are the "
                f'same to this reader of answers: rename one, or say reader="exact"'
            )


def entry_problems(
    entries: Sequence[Entry],
    labels: Sequence[str],
    listed_in: str,
    options: SourceOptions | None = None,
) -> Iterator[str]:
    """Unknown labels, and ids that are unsafe, repeated or the same on some file system.

    Args:
        entries: What the source says.
        labels: Those that an entry may have.
        listed_in: Where a user would add another one, for the message.
        options: Whether labels, and so the folders that bear their names, differ in case.
    """
    case_matters = options is not None and options.case_matters
    yield from _unknown_labels(entries, labels, listed_in)
    seen: dict[str, Entry] = {}
    for entry in entries:
        problem = _id_problem(entry.id)
        if problem:
            yield f"{_at(entry)}path {entry.id!r} {problem}"
            continue
        # Composed and folded: what a file system may take for the same name.
        key = unicodedata.normalize("NFC", entry.id)
        key = key if case_matters else key.casefold()
        other = seen.setdefault(key, entry)
        if other is entry:
            continue
        if other.id == entry.id:
            yield f"{entry.place}: path {entry.id!r} was named before, {other.place}: remove one"
        else:
            line = f" ({other.place})" if _at(other) else ""
            yield (
                f"{_at(entry)}path {entry.id!r} is the same file as {other.id!r}{line} "
                f"on Windows and macOS: rename one"
            )


def _at(entry: Entry) -> str:
    """Begin of a message that names the entry's id; without a manifest the id is the place."""
    return "" if entry.place == entry.id else f"{entry.place}: "


def openable(entries: Iterable[Entry]) -> list[Entry]:
    """The entries whose ids are safe to open, each id once."""
    safe: dict[str, Entry] = {}
    for entry in entries:
        if _id_problem(entry.id) is None:
            safe.setdefault(entry.id, entry)
    return list(safe.values())


def _unknown_labels(
    entries: Sequence[Entry], labels: Sequence[str], listed_in: str
) -> Iterator[str]:
    known_labels = frozenset(labels)
    strange: dict[str, list[Entry]] = {}
    for entry in entries:
        for label in entry.labels:
            if label not in known_labels:
                strange.setdefault(label, []).append(entry)
    for label, using in strange.items():
        known = some_of(labels)
        yield (
            f"{using[0].place}: label {label!r} is not one of [{known}]{_and_more(using)}: "
            f"add it to labels in {listed_in}, or mend the label{nearest(label, labels)}"
        )


def _and_more(using: Sequence[Entry]) -> str:
    count = len(using) - 1
    if not count:
        return ""
    if _at(using[0]):
        return f", and {count} more {noun(count, 'line says', 'lines say')} so"
    return f", and {count} more {noun(count, 'image has', 'images have')} it"


def _id_problem(name: str) -> str | None:
    if not name.isprintable():
        return "has characters that cannot be printed: rename the file"
    for has, problem in (
        ("://" in name, "is an address: fetch the image and write where it lies in the folder"),
        ("\\" in name, "has a backslash: write it with /"),
        (
            name.startswith("/") or _DRIVE.match(name),
            "is absolute: write it relative to the dataset's folder",
        ),
    ):
        if has:
            return problem
    if ".." in name.split("/"):
        return "leaves the dataset's folder: move the file into it"
    if str(PurePosixPath(name)) != name:
        return f"is not in its shortest form: write {str(PurePosixPath(name))!r}"
    return None


def open_images(
    root: Path,
    entries: Iterable[Entry],
    limits: ImageLimits,
    links: Sequence[Path] = (),
    *,
    verify: bool,
) -> tuple[list[CheckedImage], list[str]]:
    """Read every file once: its digest, and whether it is a sound image.

    Args:
        root: Folder that the ids count from.
        entries: Those that are `openable`.
        limits: What is decoded at all.
        links: Folders elsewhere that links may lead into.
        verify: Whether to decode the images; without, no case has a `problem`.

    Returns:
        The cases, and the problems of files that cannot be cases.
    """
    images, problems = [], []
    roots = [os.path.realpath(each) for each in (root, *links)]
    # Resolving every file would look up each folder above it again.
    inside = cache(lambda folder: any(map(Path(os.path.realpath(folder)).is_relative_to, roots)))
    for entry in entries:
        path = root / entry.id
        problem = _file_problem(path, inside)
        if problem:
            problems.append(f"{entry.place}: {problem}")
            continue
        sha256, seen = _read(path, limits, verify=verify)
        if entry.sha256 is not None and sha256:
            problem = _digest_problem(entry.sha256, sha256)
            if problem:
                problems.append(f"{entry.place}: {problem}")
        case = Case(
            id=entry.id,
            root=root,
            sha256=sha256,
            label=entry.label,
            also=entry.also,
            tags=entry.tags,
            problem=seen.problem,
        )
        images.append(CheckedImage(entry=entry, case=case, seen=seen))
    return images, problems


def _file_problem(path: Path, inside: Callable[[Path], bool]) -> str | None:
    """Why a path is no file of the dataset; `inside` tells whether a folder is one of its own."""
    # Not Path's own, which raise for a name that is too long for the file system.
    folder = Path(os.path.realpath(path)) if os.path.islink(path) else path.parent  # noqa: PTH114
    if not inside(folder):
        return (
            f"{path} is a link out of the dataset's folder: copy the file into it, or trust the "
            f"folder that it leads to with --llmclf-allow-links"
        )
    if os.path.isfile(path):  # noqa: PTH113
        return None
    if os.path.exists(path):  # noqa: PTH110
        return f"{path} is not a file: name the image itself"
    try:
        names = sorted(item.name for item in path.parent.iterdir())
    except OSError:
        names = []
    return f"there is no file {path}{nearest(path.name, names)}"


def _digest_problem(promised: str, sha256: str) -> str | None:
    if not _SHA256.fullmatch(promised):
        return f"sha256 {promised[:70]!r} is not 64 hexadecimal digits: write {sha256}"
    if promised.lower() != sha256:
        return (
            f"the file is not the one of the manifest: sha256 {sha256[:_SHOWN]}... instead of "
            f"{promised[:_SHOWN].lower()}...: restore the file, or correct the manifest"
        )
    return None


def _read(path: Path, limits: ImageLimits, *, verify: bool) -> tuple[str, Seen]:
    """Hex digest of a file, empty if it cannot be read; and what is seen in it."""
    try:
        with require_plain(path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > limits.max_bytes:
                # Hashed in pieces: too large to be held, let alone sent.
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                return sha256, Seen(
                    problem=f"the file has {size} bytes, more than the {limits.max_bytes} "
                    f"allowed: save it smaller"
                )
            data = file.read()
    except OSError as exc:
        reason = exc.strerror or type(exc).__name__
        return "", Seen(problem=f"the file cannot be read ({reason}): mend its permissions")
    return hashlib.sha256(data).hexdigest(), see(data, limits) if verify else Seen()


def nothing_to_see(images: Sequence[CheckedImage]) -> Iterator[str]:
    """Warnings about images of one colour as they are sent.

    Where all images of a dataset are of one colour, that colour may be what is asked for.
    """
    hidden = [it.case.id for it in images if it.seen.hidden]
    if hidden:
        yield (
            f"{_counted(hidden)} white on transparency, which is put on white, so that nothing is "
            f"seen: {_first(hidden)}; put them on another ground"
        )
    plain = [it.case.id for it in images if it.seen.colour is not None and not it.seen.hidden]
    if plain and len(plain) + len(hidden) < len(images):
        yield (
            f"{_counted(plain)} of one colour as sent: {_first(plain)}; look whether they are whole"
        )


def _counted(ids: Sequence[str]) -> str:
    return f"{len(ids)} {noun(len(ids), 'image is', 'images are')}"


def _first(ids: Sequence[str]) -> str:
    return ", ".join(ids[:3]) + (", ..." if len(ids) > 3 else "")  # noqa: PLR2004


def twins(images: Sequence[CheckedImage]) -> tuple[list[str], list[str]]:
    """Files with the same content: problems where the labels differ, warnings where they agree."""
    by_digest: dict[str, list[CheckedImage]] = {}
    for image in images:
        if image.case.sha256:
            by_digest.setdefault(image.case.sha256, []).append(image)
    problems, warnings = [], []
    for same in by_digest.values():
        first = same[0]
        right = set(first.case.labels)
        other = next((it for it in same if set(it.case.labels) != right), None)
        if other is not None:
            problems.append(
                f"{_at(other.entry)}{_named(other)} is the same image as "
                f"{_named(first, place=bool(_at(first.entry)))}: keep the right one"
            )
        elif len(same) > 1:
            names = _first([it.case.id for it in same])
            warnings.append(f"the same image {len(same)} times, and counted as often: {names}")
    return problems, warnings


def _named(image: CheckedImage, *, place: bool = False) -> str:
    where = f", {image.entry.place}" if place else ""
    return f"{image.case.id} (label {' or '.join(map(repr, image.case.labels))}{where})"
