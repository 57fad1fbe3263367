"""Readers of datasets: a folder a class, labels in file names, or a manifest. Nothing is judged.

Each reader says where every image and label came from, so that the checks can name the place.
The readers themselves are in `data`; here is chosen among them.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.data.entry import (
    LABEL_FOLDERS,
    Found,
    LabelFolder,
    SourceOptions,
    composed,
    named,
    shown,
)
from pytest_llmclf.data.file_names import read_names
from pytest_llmclf.data.folders import folders_in, read_class_folders, split_folder, split_kind
from pytest_llmclf.data.given import Given
from pytest_llmclf.data.label_cells import is_no_label, with_several
from pytest_llmclf.data.manifest import has_labels, manifest_entries, split_of
from pytest_llmclf.data.manifest_names import METADATA, manifest_of
from pytest_llmclf.errors import DatasetError, nearest
from pytest_llmclf.files import require_plain

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

DESCRIPTION: Final = "dataset.toml"

_TEXT_KEYS: Final = ("name", "licence", "about", "pattern", "label_folder", "label_column")
_KEYS: Final = (*_TEXT_KEYS, "labels", "imported")
_SEVERAL: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What ``dataset.toml`` says; every field may be absent."""

    name: str | None = None
    labels: tuple[str, ...] | None = None
    licence: str = ""
    about: str = ""
    pattern: str | None = None
    label_folder: LabelFolder | None = None
    label_column: str = ""
    imported: bool = False


def read_description(root: Path) -> Description:
    """Read ``dataset.toml`` beside the images; an absent one says nothing.

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
    return Description(**data, labels=None if labels is None else tuple(map(composed, labels)))


def _description_problems(data: dict[str, Any]) -> Iterator[str]:
    for key, value in data.items():
        if key not in _KEYS:
            yield f"unknown key {key!r}{nearest(key, _KEYS)} (known: {', '.join(_KEYS)})"
        elif key in _TEXT_KEYS and not isinstance(value, str):
            yield f'{key} is {value!r}: write text in quotes, {key} = "..."'
        elif key == "label_folder" and value not in LABEL_FOLDERS:
            yield f"label_folder is {value!r}: write one of {', '.join(LABEL_FOLDERS)}"
        elif key == "imported" and not isinstance(value, bool):
            yield f"imported is {value!r}: write true or false"
        elif key == "labels" and not (
            isinstance(value, list) and all(isinstance(label, str) for label in value)
        ):
            yield f'labels is {value!r}: write a list of texts, labels = ["0", "1"]'


def part_of(source: Path, split: str) -> Path:
    """What is read of a source: all of it, or the folder of one part of a split.

    Args:
        source: A folder or a manifest; one with a manifest stays itself, whose lines are chosen.
        split: The part, such as ``test``; empty: all.

    Raises:
        DatasetError: There is no such part.
    """
    if not split or not source.is_dir() or manifest_of(source) is not None:
        return source
    return split_folder(source, split)


def read_source(
    source: Path | Given, options: SourceOptions, labels: Collection[str] = ()
) -> tuple[Path, Found]:
    """Find the images and labels of `source`, and the folder that their ids count from.

    Args:
        source: A manifest, or a folder: with a manifest in it, with a folder a class, or flat
            with the label in the file names. Of a split dataset: what `part_of` gave.
        options: What is meant where it could be several things.
        labels: Those that are known already, if any.

    Raises:
        DatasetError: `source` is missing or neither, or the pattern is unusable.
    """
    if isinstance(source, Given):
        return source.root, source.found
    if source.is_file():
        return source.parent, _read_manifest(source, options, labels)
    if not source.is_dir():
        msg = f"there is no dataset at {source}: give a folder, or a .csv or .jsonl manifest"
        raise DatasetError(shown(msg))
    manifest = table_of(source, options)
    if manifest is not None:
        return source, _read_manifest(manifest, options, labels)
    folders = folders_in(source)
    if options.pattern is None and folders:
        found = read_class_folders(source, folders, options, labels)
    else:
        found = read_names(source, options.pattern, options.links)
        found.warnings += _parts_together(folders)
        if options.label_folder is not None:
            found.problems.append(
                f"label_folder={options.label_folder!r} is for folders of classes, and labels are "
                f"read from file names here: leave it out"
            )
    unlabelled = manifest_of(source)
    if unlabelled is not None:
        found.warnings.append(
            f"{unlabelled.name} has no column of labels: the folders are the labels"
        )
    return source, found


def table_of(source: Path, options: SourceOptions) -> Path | None:
    """The manifest that is read of a source; ``None`` where folders or file names are.

    A ``metadata.csv`` without labels beside the folders of the classes says other things.

    Raises:
        DatasetError: A folder has two.
    """
    manifest = manifest_of(source)
    if manifest is None or manifest.name not in METADATA or source.is_file():
        return manifest
    by_folder = bool(folders_in(source)) and not has_labels(manifest, options.label_column)
    return None if by_folder else manifest


def _read_manifest(path: Path, options: SourceOptions, labels: Collection[str]) -> Found:
    """Read path, label, sha256 and tags of each line."""
    found = Found()
    for entry in with_several(manifest_entries(path, found.problems, options), labels):
        if is_no_label(entry.label, labels):
            found.problems.append(
                f"{entry.place}: {entry.label!r} is how programs write that there is no label: "
                "fill it in, or, if it is a class, list all labels in the evaluation or in "
                f"{DESCRIPTION}"
            )
        else:
            found.entries.append(entry)
    if options.split:
        if not found.entries and not found.problems:
            found.problems.append(
                f"{path.name}: no line belongs to split={options.split!r}, neither by a column "
                f"split nor by the first folder of its path: leave it out, or add the column"
            )
    else:
        found.warnings += _parts_together({split_of(entry) for entry in found.entries})
    return found


def _parts_together(names: Collection[str]) -> Iterator[str]:
    """Say so where all parts of a split are read as one."""
    parts = {name for name in names if split_kind(name)}
    if len({split_kind(name) for name in parts}) >= _SEVERAL:
        yield (
            f"the parts {named(parts)} are read together: for one of them say "
            f"split={min(parts)!r} in the Evaluation"
        )
