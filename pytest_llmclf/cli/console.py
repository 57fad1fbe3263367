"""Lines of a report on the console of a command, without pytest."""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import TYPE_CHECKING, TextIO

from pytest_llmclf.reporting.style import Style

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llmclf.reporting.style import Line, Mark

_CODES: dict[Mark, int] = {
    "bold": 1,
    "light": 2,
    "red": 31,
    "green": 32,
    "yellow": 33,
    "cyan": 36,
}
"""ECMA-48, select graphic rendition."""


def style_of(stream: TextIO) -> Style:
    """What a stream can show; colours only on a terminal, and not under ``NO_COLOR``."""
    return Style(
        color=stream.isatty() and not os.environ.get("NO_COLOR"),
        unicode=Style.can_unicode(stream.encoding),
        width=shutil.get_terminal_size().columns,
    )


def write_json(value: object) -> None:
    """Print JSON for other programs: ASCII, without NaN."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")


def write(stream: TextIO, lines: Iterable[Line]) -> None:
    """Write `lines`."""
    for line in lines:
        for segment in line.segments:
            codes = ";".join(str(_CODES[mark]) for mark in segment.marks)
            stream.write(f"\x1b[{codes}m{segment.text}\x1b[0m" if codes else segment.text)
        stream.write("\n")
