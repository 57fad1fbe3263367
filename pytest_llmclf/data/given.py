"""Images that a function of the evaluation gives, instead of a folder or manifest.

Files stay where they are; bytes are kept in the project's folder of kept things, under the digest
of their content, so that every report and page finds them again.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from pytest_llmclf.data.entry import Entry, Found, composed, shown
from pytest_llmclf.data.image_header import read_header
from pytest_llmclf.errors import DatasetError, ImageError
from pytest_llmclf.files import write_whole
from pytest_llmclf.values.text import shorten

DataSource = Callable[[], Iterable[Any]] | Iterable[Any]
"""A function that gives images, or whatever can be gone through again and again.

Each is a pair or triple: a path or the image's bytes, its label, and perhaps tags by name.
"""
_FORM: Final = "(path or bytes, label) or (path or bytes, label, {tag: value})"
KEPT: Final = "images"
"""Of the project's folder of kept things: images that came as bytes."""
_DIGITS: Final = 20
_SHOWN: Final = 80
_WITH_TAGS: Final = 3


@dataclass(frozen=True, slots=True)
class Given:
    """Images that were given.

    Attributes:
        name: Where from, for messages.
        root: Folder that the ids count from.
        found: The images, and what is wrong with them.
    """

    name: str
    root: Path
    found: Found

    def __str__(self) -> str:
        """Where from."""
        return self.name


def source_name(source: object) -> str:
    """What messages and evaluations call a source; empty for one without a name."""
    return str(getattr(source, "__name__", ""))


def read_given(source: DataSource, *, root: Path, kept: Path) -> Given:
    """Go through a source once.

    Args:
        source: The function, or the collection.
        root: Of the project; relative paths count from it.
        kept: Folder for the images that come as bytes; made if it is not there.

    Raises:
        DatasetError: The function raises, gives no collection, or gives files and bytes together.
    """
    name = source_name(source) or type(source).__name__
    found = Found()
    given: list[tuple[Path | bytes, Entry]] = []
    try:
        for number, item in enumerate(source() if callable(source) else source, start=1):
            read = _read(item, f"{name}, image {number}", found.problems)
            if read is not None:
                given.append(read)
    except Exception as error:
        raise DatasetError(
            shown(f"dataset {name} raised {type(error).__name__}: {error}; mend the function")
        ) from error
    kinds = {isinstance(image, bytes) for image, _ in given}
    if len(kinds) > 1:
        raise DatasetError(shown(f"dataset {name} gives files and bytes: give one kind of both"))
    in_bytes = kinds == {True}
    paths = [_absolute(root, image) for image, _ in given if isinstance(image, Path)]
    folder = kept.absolute() if in_bytes else _folder(paths, root.absolute())
    for image, entry in given:
        if isinstance(image, bytes):
            id_ = _keep(image, folder)
        else:
            id_ = _absolute(root, image).relative_to(folder).as_posix()
        found.entries.append(replace(entry, id=id_))
    return Given(name=name, root=folder, found=found)


def kept_under(home: Path, title: str) -> Path:
    """The folder for an evaluation's images that come as bytes."""
    return home / KEPT / (plain_name(title) or "images")


def plain_name(title: str) -> str:
    """A title as the name of a file or folder: no sign that a file system minds; may be empty."""
    return re.sub(r"[^\w.-]+", "-", title).strip(".-")


def _read(item: object, place: str, problems: list[str]) -> tuple[Path | bytes, Entry] | None:
    parts = list(item) if isinstance(item, tuple | list) else []
    tags = parts[2] if len(parts) == _WITH_TAGS else {}
    if not 2 <= len(parts) <= _WITH_TAGS or not isinstance(tags, Mapping):  # noqa: PLR2004 - pairs
        problems.append(f"{place}: {shorten(repr(item), _SHOWN)} is not of the form {_FORM}")
        return None
    image, label = parts[:2]
    if not isinstance(image, str | os.PathLike | bytes | bytearray | memoryview):
        problems.append(f"{place}: {type(image).__name__} is neither a path nor bytes")
        return None
    if not isinstance(label, str | int) or not str(label).strip():
        problems.append(f"{place}: {shorten(repr(label), _SHOWN)} is no label: give its name")
        return None
    entry = Entry(
        id="",
        label=composed(str(label).strip()),
        place=place,
        tags={str(tag): str(value) for tag, value in tags.items() if str(value)},
    )
    return Path(image) if isinstance(image, str | os.PathLike) else bytes(image), entry


def _absolute(root: Path, path: Path) -> Path:
    return Path(os.path.normpath(root.absolute() / path.expanduser()))


def _folder(paths: list[Path], root: Path) -> Path:
    """The project's folder if all images are in it, so that ids stay; else what they share."""
    if all(path.is_relative_to(root) for path in paths):
        return root
    try:
        return Path(os.path.commonpath([path.parent for path in paths]))
    except ValueError as error:  # drives of Windows
        raise DatasetError(f"the images have no folder in common ({error}): give bytes") from error


def _keep(image: bytes, kept: Path) -> str:
    digest = hashlib.sha256(image).hexdigest()
    try:
        ending = f".{read_header(image).format.lower()}"
    except ImageError:
        ending = ""
    path = kept / f"{digest[:_DIGITS]}{ending}"
    if not path.is_file():
        kept.mkdir(parents=True, exist_ok=True)
        write_whole(path, image)
    return path.name
