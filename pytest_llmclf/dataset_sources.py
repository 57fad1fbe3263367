"""Readers of datasets: a folder a class, labels in file names, or a manifest. Nothing is judged.

Each reader says where every picture and label came from, so that the checks can name the place.
"""

from __future__ import annotations

import csv
import json
import os
import re
import tomllib
import unicodedata
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.errors import DatasetError, nearest
from pytest_llmclf.plain_files import require_plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

DESCRIPTION: Final = "dataset.toml"
MOST_COLUMNS: Final = 1000
"""Of a manifest: each is a tag of every image, and is looked at for every line."""
MANIFESTS: Final = ("manifest.csv", "manifest.jsonl")
DEFAULT_PATTERN: Final = r"^(?P<label>[^_]+)_"
"""Label in a file name: what stands before the first underscore, as in ``7_img_117.jpg``."""

_RESERVED: Final = frozenset(("path", "label", "sha256", "licence", "license", "source"))
_TEXT_KEYS: Final = ("name", "licence", "about", "pattern")
_KEYS: Final = (*_TEXT_KEYS, "labels", "imported")
_PICTURES: Final = frozenset((".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"))
_JUNK_NAMES: Final = frozenset(("thumbs.db", "desktop.ini", "__macosx", "__pycache__"))
_PAPERS: Final = ("readme", "license", "licence", "licenses", "licences", "copying", "notice")
_PAPER_ENDINGS: Final = frozenset(
    (".csv", ".html", ".json", ".jsonl", ".log", ".md", ".py", ".rst", ".sha256", ".toml", ".tsv")
) | {".txt", ".xml", ".yaml", ".yml"}


def shown(text: object) -> str:
    """`text` on one line of a terminal, whatever a file is called.

    Escapes control characters, line breaks, direction marks and halves of surrogate pairs.
    """
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in str(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One picture as a source names it.

    Attributes:
        id: Relative POSIX path, as written.
        label: As written; empty where none could be read.
        place: Where it is said, for messages: ``manifest.csv:7`` or the file's path.
        sha256: Digest that the manifest promises, or `None`.
        tags: Every further column that is not empty.
    """

    id: str
    label: str
    place: str
    sha256: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What ``dataset.toml`` says; every field may be absent."""

    name: str | None = None
    labels: tuple[str, ...] | None = None
    licence: str = ""
    about: str = ""
    pattern: str | None = None
    imported: bool = False


@dataclass(slots=True, kw_only=True)
class Found:
    """What a reader found.

    Attributes:
        entries: Pictures in the order of the source.
        problems: What makes the source unusable, each with place and remedy.
        warnings: What is odd and does not matter.
    """

    entries: list[Entry] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def read_description(root: Path) -> Description:
    """Read ``dataset.toml`` beside the pictures; an absent one says nothing.

    Raises:
        DatasetError: Not TOML, an unknown key, or a value of the wrong type.
    """
    path = root / DESCRIPTION
    try:
        data = tomllib.loads(require_plain(path).read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return Description()
    except (OSError, ValueError, RecursionError) as exc:
        msg = f"{path} cannot be read: {exc}"
        raise DatasetError(shown(msg)) from exc
    problems = list(_description_problems(data))
    if problems:
        raise DatasetError(shown(f"{path}: " + "; ".join(problems)))
    labels = data.pop("labels", None)
    return Description(**data, labels=None if labels is None else tuple(map(_nfc, labels)))


def _description_problems(data: dict[str, Any]) -> Iterator[str]:
    for key, value in data.items():
        if key not in _KEYS:
            yield f"unknown key {key!r}{nearest(key, _KEYS)} (known: {', '.join(_KEYS)})"
        elif key in _TEXT_KEYS and not isinstance(value, str):
            yield f'{key} is {value!r}: write text in quotes, {key} = "..."'
        elif key == "imported" and not isinstance(value, bool):
            yield f"imported is {value!r}: write true or false"
        elif key == "labels" and not (
            isinstance(value, list) and all(isinstance(label, str) for label in value)
        ):
            yield f'labels is {value!r}: write a list of texts, labels = ["0", "1"]'


def read_source(source: Path, pattern: str | None) -> tuple[Path, Found]:
    """Find the pictures and labels of `source`, and the folder that their ids count from.

    Args:
        source: A manifest, or a folder: with a manifest in it, with a folder a class, or flat
            with the label in the file names.
        pattern: Regular expression with a group ``label`` for file names. Given, a folder is read
            by it even where it has subfolders.

    Raises:
        DatasetError: `source` is missing or neither, or the pattern is unusable.
    """
    if source.is_file():
        return source.parent, _read_manifest(source)
    if not source.is_dir():
        msg = f"there is no dataset at {source}: give a folder, or a .csv or .jsonl manifest"
        raise DatasetError(shown(msg))
    manifest = manifest_of(source)
    if manifest is not None:
        return source, _read_manifest(manifest)
    folders = sorted(item.name for item in source.iterdir() if item.is_dir())
    folders = [name for name in folders if not _is_junk_folder(name)]
    if pattern is None and folders:
        return source, _read_class_folders(source, folders)
    return source, _read_names(source, _compiled(pattern or DEFAULT_PATTERN))


def manifest_of(source: Path) -> Path | None:
    """The manifest that `source` is or has, or ``None``.

    Raises:
        DatasetError: A folder has two.
    """
    if source.is_file():
        return source
    manifests = [source / name for name in MANIFESTS if (source / name).is_file()]
    if len(manifests) > 1:
        msg = f"{source} has both {' and '.join(MANIFESTS)}: remove one, or name the one to read"
        raise DatasetError(shown(msg))
    return manifests[0] if manifests else None


def _is_junk_folder(name: str) -> bool:
    return name.startswith(".") or name.casefold() in _JUNK_NAMES


def _is_junk(name: str) -> bool:
    """Whether a file of this name is plainly no picture of the dataset."""
    stem, ending = os.path.splitext(name.casefold())  # noqa: PTH122 -- a name, not a path
    if _is_junk_folder(name) or ending in _PAPER_ENDINGS:
        return True
    return stem in _PAPERS and ending not in _PICTURES


def _read_class_folders(root: Path, folders: list[str]) -> Found:
    found = Found()
    for name in folders:
        files = list(_files(root, root / name, found))
        if not files:
            found.warnings.append(f"{name}/: no picture in this folder; it is no label")
        found.entries += [Entry(id=file, label=_nfc(name), place=file) for file in files]
    stray = [item.name for item in sorted(root.iterdir()) if item.is_file()]
    found.problems += [
        f"{name}: lies beside the folders of the classes and so has no label: move it into one"
        for name in stray
        if not _is_junk(name)
    ]
    return found


def _read_names(root: Path, pattern: re.Pattern[str]) -> Found:
    found = Found()
    for file in _files(root, root, found):
        match = pattern.search(file.rpartition("/")[2])
        if match is None or not match["label"]:
            found.problems.append(
                f"{file}: no label in the file name by the pattern {pattern.pattern!r}: rename it, "
                f"give another pattern, or put it into a folder named like its label"
            )
        else:
            found.entries.append(Entry(id=file, label=_nfc(match["label"]), place=file))
    return found


def _files(root: Path, folder: Path, found: Found) -> Iterator[str]:
    """Ids of the files below `folder` that may be pictures."""

    def unreadable(error: OSError) -> None:
        place = Path(error.filename).relative_to(root).as_posix()
        found.problems.append(f"{place}/: cannot be listed ({error.strerror}): mend permissions")

    for parent, folders, names in os.walk(folder, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not _is_junk_folder(name))
        for name in folders:
            link = Path(parent, name)
            if link.is_symlink():
                found.problems.append(
                    f"{link.relative_to(root).as_posix()}: a link to a folder, which is not "
                    f"followed: copy the pictures"
                )
        for name in sorted(names):
            if not _is_junk(name):
                yield Path(parent, name).relative_to(root).as_posix()


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as exc:
        msg = f"the pattern {pattern!r} is no regular expression: {exc}"
        raise DatasetError(shown(msg)) from exc
    if "label" not in compiled.groupindex:
        msg = f"the pattern {pattern!r} has no group named label: write it like {DEFAULT_PATTERN}"
        raise DatasetError(shown(msg))
    return compiled


def _read_manifest(path: Path) -> Found:
    """Read path, label, sha256 and tags of each line."""
    found = Found()
    found.entries += manifest_entries(path, found.problems)
    return found


def manifest_entries(path: Path, problems: list[str]) -> Iterator[Entry]:
    """The entries of a manifest, read as they are wanted, so that it may have any length.

    Args:
        path: A ``.csv`` or ``.jsonl`` file.
        problems: Takes what is wrong with a line, before the next entry is given.

    Raises:
        DatasetError: The file is no manifest by its ending, or cannot be read.
    """
    readers = {".csv": _csv_lines, ".jsonl": _jsonl_lines}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        msg = f"{path} is no manifest by its ending: name a .csv or .jsonl file, or a folder"
        raise DatasetError(shown(msg))
    try:
        with require_plain(path).open(encoding="utf-8-sig") as file:
            for line, row in reader(file, path.name, problems):
                place = f"{path.name}:{line}"
                lacking = [key for key in ("path", "label") if not row.get(key)]
                if lacking:
                    problems.append(f"{place}: no {' and no '.join(lacking)}: fill it in")
                    continue
                yield Entry(
                    id=row["path"].removeprefix("./"),
                    label=_nfc(row["label"]),
                    place=place,
                    sha256=row.get("sha256") or None,
                    tags={key: row[key] for key in row if key not in _RESERVED and row[key]},
                )
    except (OSError, ValueError) as exc:
        msg = f"{path} cannot be read: {exc}; save it as UTF-8"
        raise DatasetError(shown(msg)) from exc


def _csv_lines(
    file: Iterable[str], name: str, problems: list[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.reader(file, strict=True)
    try:
        columns = [column.strip() for column in next(reader, [])]
        # Everything else would take its time over a line of a hundred thousand.
        problem = (
            f"{len(columns)} columns, more than {MOST_COLUMNS}: keep those that are needed"
            if len(columns) > MOST_COLUMNS
            else _column_problem(columns)
        )
        if problem:
            problems.append(f"{name}:1: {problem}")
            return
        for cells in reader:
            if not any(cells):
                continue
            if len(cells) != len(columns):
                problems.append(
                    f"{name}:{reader.line_num}: {len(cells)} cells where the first line names "
                    f"{len(columns)} columns: put a cell with a comma into quotes"
                )
                continue
            yield (
                reader.line_num,
                {key: cell.strip() for key, cell in zip(columns, cells, strict=True)},
            )
    except csv.Error as exc:
        problems.append(f"{name}:{reader.line_num}: not CSV ({exc}): mend the quotes")


def _column_problem(columns: list[str]) -> str | None:
    if not any(columns):
        return "the first line names no columns: write path,label there"
    if len(columns) == 1:
        for sign, said in ((";", "semicolons"), ("\t", "tabs")):
            if sign in columns[0]:
                return f"a manifest must be separated by commas, not {said}: save it with commas"
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        return f"column {twice[0]!r} is there twice: rename one"
    if "" in columns:
        return f"column {columns.index('') + 1} has no name: name it, or remove it"
    for needed in ("path", "label"):
        if needed not in columns:
            near = get_close_matches(needed, columns, n=1)
            what = repr(near[0]) if near else "one of them"
            return f"no column {needed!r} among {', '.join(columns)}: add it, or rename {what}"
    return None


def _jsonl_lines(
    file: Iterable[str], name: str, problems: list[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, object_pairs_hook=_each_name_once)
        except _Twice as exc:
            problems.append(f"{name}:{number}: {exc.args[0]!r} is there twice: remove one")
            continue
        except (ValueError, RecursionError) as exc:
            problems.append(f"{name}:{number}: not JSON ({exc}): write one object a line")
            continue
        if not isinstance(row, dict):
            problems.append(f"{name}:{number}: not an object: write one object a line")
            continue
        if len(row) > MOST_COLUMNS:
            problems.append(
                f"{name}:{number}: {len(row)} names, more than {MOST_COLUMNS}: keep those that "
                "are needed"
            )
            continue
        nested = [key for key, value in row.items() if isinstance(value, (dict, list))]
        if nested:
            problems.append(f"{name}:{number}: {nested[0]!r} is a list or object: write text")
            continue
        yield number, {key: _cell(value) for key, value in row.items()}


class _Twice(Exception):
    """An object has a name more than once; of its values JSON would keep the last."""


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _Twice(name)
        found[name] = value
    return found


def _nfc(label: str) -> str:
    # File systems differ in how they compose "é"; labels must not.
    return unicodedata.normalize("NFC", label)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value).strip()


def natural_key(text: str) -> tuple[tuple[str, int, str], ...]:
    """Sort key under which "img_2" comes before "img_10"; different texts never compare equal."""
    pieces: Iterable[tuple[str, str]] = re.findall(r"([^0-9]*)([0-9]*)", text)
    numbers = tuple(
        (words, len(digits.lstrip("0")), digits.lstrip("0")) for words, digits in pieces
    )
    return (*numbers, (text, 0, ""))
