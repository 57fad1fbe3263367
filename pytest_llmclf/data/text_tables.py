"""Tables of text as people have them: encoding, separator, and lines that are no row."""

from __future__ import annotations

import codecs
import csv
from itertools import chain
from typing import IO, TYPE_CHECKING, Final

from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_SEPARATORS: Final = (",", ";", "\t", "|")
_AROUND: Final = 20
START: Final = 4
"""Bytes at the start of a file that tell its encoding."""


def encoding_of(start: bytes) -> str:
    """How a text is encoded: UTF-16 where its first bytes show that, else UTF-8.

    Args:
        start: Its first `START` bytes, or more. A table begins with a sign of ASCII, of which
            UTF-16 has a byte that is zero.
    """
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if start[1:2] == b"\0":
        return "utf-16-le"
    return "utf-16-be" if start[:1] == b"\0" else "utf-8-sig"


def no_text(lines: Iterable[bytes], place: str) -> str:
    """What is said of a file that is not encoded as it should be: the line, its text, the remedy.

    Args:
        lines: Its lines.
        place: What it is called.
    """
    for number, line in enumerate(lines, start=1):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            near = line[max(0, error.start - _AROUND) : error.start + _AROUND]
            shown = near.decode("latin-1").strip()
            return (
                f"{place}:{number}: byte 0x{line[error.start]:02x} is no UTF-8 ({shown!r}, if it "
                'is Latin-1): save the table as "CSV UTF-8"'
            )
    return f'{place} ends within a letter: save the table as "CSV UTF-8"'


def header_of(first: str, fits: Callable[[list[str]], bool]) -> tuple[str, list[str]]:
    """The separator of a table and the names of its columns, by its first line.

    Args:
        first: That line.
        fits: Whether names are those that are looked for. Of several separators the one under
            which they do is meant, else the one that gives most columns.

    Raises:
        csv.Error: The line is no CSV under any separator.
    """
    found: list[tuple[str, list[str]]] = []
    for sign in _SEPARATORS:
        try:
            cells = next(csv.reader([first], strict=True, delimiter=sign), [])
        except csv.Error:  # such as a field that is too long, of a line with another separator
            if sign == _SEPARATORS[-1] and not found:
                raise
            continue
        found.append((sign, [cell.strip() for cell in cells]))
    return max(found, key=lambda each: (fits(each[1]), len(each[1])))


def rows_of(
    file: IO[str],
    first: str,
    separator: str,
    names: Sequence[str],
    *,
    place: str,
    problems: list[str],
    before: int = 0,
) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a table by the names of its columns, each with the number of its last line.

    Args:
        file: Read up to its first line, which is `first`.
        first: The line that names the columns.
        separator: What parts the cells.
        names: Of the columns.
        place: What messages call the file.
        problems: Takes what is wrong with a line.
        before: Lines above the first one.
    """
    reader = csv.reader(
        chain([first], file), strict=True, delimiter=separator, skipinitialspace=True
    )
    try:
        next(reader)
        for cells in reader:
            if not any(cells):
                continue
            if len(cells) != len(names):
                remedy = (
                    f"put a cell with {separator!r} into quotes"
                    if len(cells) > len(names)
                    else "write empty cells, too"
                )
                line, here = before + reader.line_num, len(cells)
                problems.append(
                    f"{place}:{line}: {here} {noun(here, 'cell')} where the first line names "
                    f"{len(names)} {noun(len(names), 'column')}: {remedy}"
                )
                continue
            yield before + reader.line_num, dict(zip(names, map(str.strip, cells), strict=True))
    except csv.Error as exc:
        problems.append(f"{place}:{before + reader.line_num}: not CSV ({exc}): mend the quotes")
