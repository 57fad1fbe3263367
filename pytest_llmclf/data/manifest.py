"""Tables of paths and labels: CSV, with tabs or semicolons too, and JSON lines."""

from __future__ import annotations

import csv
import json
from typing import IO, TYPE_CHECKING, Any, Final

from pytest_llmclf.data.entry import Entry, SourceOptions, composed, shown
from pytest_llmclf.data.exports import export_rows
from pytest_llmclf.data.folders import split_kind
from pytest_llmclf.data.json_lines import object_of
from pytest_llmclf.data.label_cells import cell_text, label_list
from pytest_llmclf.data.manifest_columns import (
    MOST_COLUMNS,
    NO_TAGS,
    Columns,
    columns_of,
    header_problem,
)
from pytest_llmclf.data.text_tables import START, encoding_of, header_of, no_text, rows_of
from pytest_llmclf.errors import DatasetError
from pytest_llmclf.files import require_plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_SPLIT_COLUMNS: Final = ("split", "subset", "partition")


def manifest_entries(
    path: Path, problems: list[str], options: SourceOptions | None = None
) -> Iterator[Entry]:
    """The entries of a manifest, read as they are wanted, so that it may have any length.

    Args:
        path: A ``.csv``, ``.tsv`` or ``.jsonl`` file, or the ``.json`` of a labelling tool.
        problems: Takes what is wrong with a line, before the next entry is given.
        options: Which column is the label, and which part of a split is wanted.

    Raises:
        DatasetError: The file is no manifest by its ending, or cannot be read.
    """
    options = options or SourceOptions()
    readers = {".csv": _csv_lines, ".tsv": _csv_lines, ".jsonl": _jsonl_lines, ".json": export_rows}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        msg = (
            f"{path} is no manifest by its ending: name a .csv, .tsv, .jsonl or .json file, or a "
            f"folder"
        )
        raise DatasetError(shown(msg))
    try:
        with _opened(path) as file:
            for place, row, columns in reader(file, path.name, problems, options.label_column):
                entry = _entry(place, row, columns, problems)
                if entry is not None and in_split(entry, options.split):
                    yield entry
    except UnicodeError as exc:
        with path.open("rb") as lines:
            raise DatasetError(shown(no_text(lines, str(path)))) from exc
    except (OSError, ValueError) as exc:
        msg = f"{path} cannot be read: {exc}; save it as UTF-8"
        raise DatasetError(shown(msg)) from exc


def _opened(path: Path) -> IO[str]:
    """A file of text, however it is encoded.

    Raises:
        OSError: It cannot be opened.
    """
    with require_plain(path).open("rb") as file:
        encoding = encoding_of(file.read(START))
    return path.open(encoding=encoding)


def split_of(entry: Entry) -> str:
    """The part of a split that a line names: by a column for it, or by its path's first folder."""
    for name in _SPLIT_COLUMNS:
        if name in entry.tags:
            return entry.tags[name]
    first, _, rest = entry.id.partition("/")
    return first if rest else ""


def in_split(entry: Entry, split: str) -> bool:
    """Whether a line belongs to the wanted part of a split; all do where none is wanted."""
    if not split:
        return True
    has = split_of(entry)
    kind = split_kind(split)
    return has.casefold() == split.casefold() or (kind is not None and split_kind(has) == kind)


def has_labels(path: Path, label_column: str) -> bool:
    """Whether a table has a column of labels at all."""
    try:
        with _opened(path) as file:
            first = next((line for line in file if line.strip()), "")
    except (OSError, ValueError):  # said when it is read
        return True
    if path.suffix.lower() == ".jsonl":
        try:
            row = json.loads(first)
        except (ValueError, RecursionError):
            return True
        columns = columns_of(list(row) if isinstance(row, dict) else [], label_column)
    else:
        names = header_of(first, lambda names: _fits(names, label_column))[1]
        columns = _columns_of(names, label_column)
    return bool(columns.label or columns.problem)


def _entry(place: str, row: dict[str, str], columns: Columns, problems: list[str]) -> Entry | None:
    lacking = [key for key in ("path", "label") if not row.get(getattr(columns, key))]
    if lacking:
        unnamed = row and not all(getattr(columns, key) for key in lacking)
        there = f" (there are: {', '.join(list(row)[:30])})" if unnamed else ""
        problems.append(f"{place}: no {' and no '.join(lacking)}: fill it in{there}")
        return None
    used = {columns.path, columns.label}
    return Entry(
        # As Windows writes paths; elsewhere no data set has a backslash in a file's name.
        id=row[columns.path].replace("\\", "/").removeprefix("./"),
        label=composed(row[columns.label]),
        place=place,
        sha256=row.get("sha256") or None,
        tags={
            key: value
            for key, value in row.items()
            if value and key not in used and key not in NO_TAGS
        },
    )


def _csv_lines(
    file: IO[str], name: str, problems: list[str], label_column: str
) -> Iterator[tuple[str, dict[str, str], Columns]]:
    first = file.readline()
    try:
        separator, names = header_of(first, lambda names: _fits(names, label_column))
    except csv.Error as exc:
        problems.append(f"{name}:1: not CSV ({exc}): mend the quotes")
        return
    columns = _columns_of(names, label_column)
    problem = header_problem(names, columns)
    if problem is None and "" in names:
        problem = f"column {names.index('') + 1} has no name: name it, or remove it"
    if problem:
        problems.append(f"{name}:1: {problem}")
        return
    for line, row in rows_of(file, first, separator, names, place=name, problems=problems):
        yield f"{name}:{line}", row, columns


def _fits(names: list[str], label_column: str) -> bool:
    columns = _columns_of(names, label_column)
    return bool(columns.path and columns.label)


def _columns_of(names: list[str], label_column: str) -> Columns:
    return columns_of(names, label_column) if len(names) <= MOST_COLUMNS else Columns("", "")


def _jsonl_lines(
    file: Iterable[str], name: str, problems: list[str], label_column: str
) -> Iterator[tuple[str, dict[str, str], Columns]]:
    known: dict[tuple[str, ...], Columns] = {}
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        row = object_of(line, f"{name}:{number}", problems)
        if row is None:
            continue
        if tuple(row) not in known:
            if len(known) > MOST_COLUMNS:  # every line has other names
                known.clear()
            known[tuple(row)] = columns_of(list(row), label_column)
        columns = known[tuple(row)]
        problem = columns.problem or _nested(row, columns)
        if problem:
            problems.append(f"{name}:{number}: {problem}")
            continue
        yield f"{name}:{number}", {key: cell_text(value) for key, value in row.items()}, columns


def _nested(row: dict[str, Any], columns: Columns) -> str | None:
    nested = [
        key
        for key, value in row.items()
        if isinstance(value, (dict, list)) and (key != columns.label or label_list(value) is None)
    ]
    return f"{nested[0]!r} is a list or object: write text" if nested else None
