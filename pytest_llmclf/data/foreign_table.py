"""A table that another program wrote: CSV, JSON lines or Parquet, every cell as it stands there."""

from __future__ import annotations

import csv
import hashlib
import io
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.data.entry import by_kind
from pytest_llmclf.data.json_lines import object_of
from pytest_llmclf.data.text_tables import encoding_of, header_of, no_text, rows_of
from pytest_llmclf.errors import SettingsError, need_extra, some_of
from pytest_llmclf.files import require_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_LONGEST_CELL: Final = (1 << 31) - 1  # more does not fit into a C long on Windows
_MOST_PROBLEMS: Final = 3
Rows = list[dict[str, Any]]
_Read = tuple[list[str], Rows]
"""Names of columns, and rows by them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignTable:
    """A table.

    Attributes:
        path: The file.
        sha256: Hex digest of its bytes.
        columns: Names of its columns, in order.
        rows: By the names of the columns; a row of JSON may lack some.
    """

    path: Path
    sha256: str
    columns: tuple[str, ...]
    rows: Rows


def read_bytes(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        SettingsError: It cannot be read.
    """
    try:
        return require_plain(path).read_bytes()
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read ({error.strerror or error}); name a file of predictions"
        ) from error


def read_table(path: Path, data: bytes) -> ForeignTable:
    """A table by the ending of its file.

    Args:
        path: Where it lies.
        data: Its bytes.

    Raises:
        SettingsError: It is no table, or cannot be read; the message names file and line.
    """
    readers: dict[str, Callable[[Path, bytes], _Read]] = {
        ".csv": _csv, ".tsv": _csv, ".txt": _csv, ".jsonl": _json_lines, ".parquet": _parquet,
    }  # fmt: skip
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise SettingsError(
            f"{path} is no table by its ending: name a {some_of(readers)} file of predictions"
        )
    names, rows = reader(path, data)
    return ForeignTable(
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        columns=tuple(names),
        rows=rows,
    )


def text_of(path: Path, data: bytes) -> str:
    """The text of a file, however it is encoded.

    Raises:
        SettingsError: It is neither UTF-8 nor UTF-16.
    """
    try:
        return data.decode(encoding_of(data))
    except UnicodeError as error:
        raise SettingsError(no_text(io.BytesIO(data), str(path))) from error


def _csv(path: Path, data: bytes) -> _Read:
    file = io.StringIO(text_of(path, data))
    before, first = 0, file.readline()
    while first and not first.strip():
        before, first = before + 1, file.readline()
    try:
        separator, names = header_of(first, lambda _: False)
    except csv.Error as error:
        raise SettingsError(f"{path}:1: not CSV ({error}): mend the quotes") from error
    if not any(names):
        raise SettingsError(
            f"{path} cannot be read: it names no columns: write a row an image, under a line such "
            "as path,label,predicted"
        )
    # A data frame writes its row numbers under no name.
    names = [name or f"column {place}" for place, name in enumerate(names, start=1)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SettingsError(f"{path}:{before + 1}: column {twice!r} is there twice: rename one")
    problems: list[str] = []
    found = rows_of(
        file, first, separator, names, place=str(path), problems=problems, before=before
    )
    with _cells_of_any_length():
        rows = [row for _, row in found]
    _refuse(problems)
    return names, rows


@contextmanager
def _cells_of_any_length() -> Iterator[None]:
    """A text that was answered, or an image within the table, may be longer than csv expects."""
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _json_lines(path: Path, data: bytes) -> _Read:
    problems: list[str] = []
    lines = enumerate(io.StringIO(text_of(path, data)), start=1)
    found = [object_of(line, f"{path}:{place}", problems) for place, line in lines if line.strip()]
    _refuse(problems)
    rows = [{name.strip(): cell for name, cell in row.items()} for row in found if row is not None]
    return list(dict.fromkeys(name for row in rows for name in row)), rows


def _parquet(path: Path, data: bytes) -> _Read:
    import pandas as pd

    need_extra("pyarrow", "parquet", "Parquet")
    try:
        frame = pd.read_parquet(io.BytesIO(data))
    except (ValueError, OSError) as error:
        raise SettingsError(
            f"{path} cannot be read: {str(error).strip()}; write it anew, or save it as CSV"
        ) from error
    frame.columns = [str(name).strip() for name in frame.columns]
    return list(frame.columns), frame.to_dict("records")


def _refuse(problems: list[str]) -> None:
    if problems:
        told = by_kind(problems)
        more = f"; and {len(told) - _MOST_PROBLEMS} more" if len(told) > _MOST_PROBLEMS else ""
        raise SettingsError("; ".join(told[:_MOST_PROBLEMS]) + more)
