"""Where decisions about a dataset's labels stand: in git, beside the dataset or in the project."""

from __future__ import annotations

import glob
import os
from typing import TYPE_CHECKING, Final

from pytest_llmclf.data.dataset import shelf_of
from pytest_llmclf.data.given import Given, plain_name
from pytest_llmclf.data.manifest_names import MANIFESTS, METADATA
from pytest_llmclf.data.sources import part_of

if TYPE_CHECKING:
    from pathlib import Path

NAME: Final = "decisions"
"""Of the file in a dataset's folder, and of the project's folder for datasets that have none."""
_ENDING: Final = ".jsonl"


def decisions_file(
    source: Path | Given, project: Path, *, split: str = "", title: str = ""
) -> Path:
    """The file that decisions about a dataset are added to, there or not.

    It lies in the dataset's folder, or beside its table. An imported dataset's folder is replaced
    by the next import and in no git, and a function has none: theirs is in the project's folder
    ``decisions``.

    Args:
        source: The dataset's folder or table, as `locate` finds it, or images that were given.
        project: Root of the project.
        split: The part of a split dataset.
        title: Name of the evaluation, for images that were given.

    Raises:
        DatasetError: There is no such part.
    """
    if isinstance(source, Given):
        return project / NAME / f"{plain_name(title or source.name) or NAME}{_ENDING}"
    part = part_of(source, split).absolute()
    shelf = shelf_of(project, os.environ).absolute()
    if part.is_relative_to(shelf) and part != shelf:
        own = project / NAME / part.relative_to(shelf)
        return own.with_name(f"{own.name}{_ENDING}")
    if part.is_dir():
        return part / f"{NAME}{_ENDING}"
    usual = part.name in (*MANIFESTS, *METADATA)
    return part.with_name(f"{NAME if usual else f'{part.stem}.{NAME}'}{_ENDING}")


def decision_files(own: Path) -> tuple[Path, ...]:
    """The files with decisions about a dataset: its own, and those of single people beside it.

    Args:
        own: As `decisions_file` gives it; ``decisions-anna.jsonl`` beside ``decisions.jsonl``.
    """
    others = own.parent.glob(f"{glob.escape(own.stem)}-*{_ENDING}")
    return tuple(path for path in (own, *sorted(others)) if path.is_file())
