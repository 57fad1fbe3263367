"""Which project a command is called in, and where its files are kept."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmclf.errors import DatasetError, SettingsError
from pytest_llmclf.files import HOME_FOLDER
from pytest_llmclf.runner.settings import project_root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.reporting.run_folder import RunFolder


def home_folder(given: Path | None) -> Path:
    """The folder given, or the project's own."""
    if given is None:
        return project_root(Path.cwd()) / HOME_FOLDER
    return given.expanduser().absolute()


def named_run(name: str, home: Path | None) -> RunFolder[Report]:
    """A finished run by folder, name, start of a name, ``latest`` or ``previous``.

    Raises:
        RunFolderError: There is none, or it cannot be read.
    """
    from pytest_llmclf.reporting.run_folder import find_run, read_run

    return read_run(find_run(name, home_folder(home) / "runs"))


def from_here(path: Path) -> str:
    """A path as a command to be copied has it: relative to the folder that one is in."""
    return Path(os.path.relpath(path)).as_posix()


def project_above(root: Path) -> str:
    """Which folder is the project, where that is not the folder that one is in; else empty."""
    if root == Path.cwd().resolve():
        return ""
    return (
        f"the project is {root}, which has a folder modelfiles: to begin one here, make such a "
        "folder here"
    )


@contextmanager
def own_folder_choices() -> Iterator[None]:
    """Meanwhile a folder that can be read in two ways is refused with options of the command."""
    try:
        yield
    except DatasetError as error:
        if "split=" in str(error) or "label_folder=" in str(error):
            said = f"{error}\n  (here: --split PART, --label-folder first or last)"
            raise DatasetError(said) from error
        raise


@contextmanager
def writing(what: str, remedy: str) -> Iterator[None]:
    """Meanwhile a file that cannot be written is told in a line, with what to do.

    Args:
        what: Such as "the page".
        remedy: Such as "choose another path".

    Raises:
        SettingsError: A file cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise SettingsError(f"{what} cannot be written: {error}; {remedy}") from error
