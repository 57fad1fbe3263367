"""What runs note in the project's folder, one JSON object a line, and find again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pytest_llmclf.files import require_plain, require_writable_kind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def read_lines(path: Path) -> tuple[object, ...]:
    """What each line says, oldest first, ``None`` for a damaged one; nothing without a file."""
    try:
        text = require_plain(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    return tuple(_parsed(line) for line in text.splitlines() if line.strip())


def add_lines(path: Path, entries: Sequence[dict[str, Any]]) -> None:
    """Add lines to a file, which is made if there is none.

    Raises:
        OSError: It cannot be written.
    """
    if not entries:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)
    place = require_writable_kind(path)
    with place.open("a", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        file.write(text)


def _parsed(line: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
