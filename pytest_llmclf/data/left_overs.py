"""What systems, tools and people leave beside images: never a class, never an image."""

from __future__ import annotations

import os
from typing import Final

IMAGE_ENDINGS: Final = frozenset((".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"))

_FOLDERS: Final = frozenset(
    (
        "__macosx", "__pycache__", "@eadir", "#recycle", "#snapshot", "$recycle.bin", "recycler",
        "lost+found", "system volume information",
    )
)  # fmt: skip
"""Folders of macOS, Python, NAS boxes, Windows and Linux; ``.ipynb_checkpoints`` begins with a
point, as everything hidden does."""
_FILES: Final = frozenset(("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "icon\r\n"))
_PAPERS: Final = ("readme", "license", "licence", "licenses", "licences", "copying", "notice")
_PAPER_ENDINGS: Final = frozenset(
    (
        ".csv", ".html", ".json", ".jsonl", ".log", ".md", ".py", ".rst", ".sha256", ".toml",
        ".tsv", ".txt", ".xml", ".yaml", ".yml",
    )
)  # fmt: skip


def is_left_over_folder(name: str) -> bool:
    """Whether a folder of this name is none of the dataset's."""
    return name.startswith(".") or name.casefold() in _FOLDERS


def is_left_over(name: str) -> bool:
    """Whether a file of this name is plainly no image of the dataset."""
    folded = name.casefold()
    stem, ending = os.path.splitext(folded)  # noqa: PTH122 -- a name, not a path
    if name.startswith(".") or folded in _FILES or folded in _FOLDERS or ending in _PAPER_ENDINGS:
        return True
    return stem in _PAPERS and ending not in IMAGE_ENDINGS
