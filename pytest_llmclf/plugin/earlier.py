"""The files of an earlier run in the folder of a new one, never taken for its own."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

EARLIER: Final = "previous"
"""Where they are kept until the new run has files of its own."""


def folder_of(config: pytest.Config) -> Path | None:
    """The folder that a run was given for its files, if any."""
    given: str | None = config.option.llmclf_run
    if given is None or config.option.collectonly:
        return None
    return config.invocation_params.dir.joinpath(given).expanduser()


def set_aside(folder: Path | None) -> None:
    """Move the files of a finished run out of the way, so that a run that dies leaves none of them.

    What cannot be moved is the new run's to report, when it writes.
    """
    if folder is None or not (folder / "run.json").is_file():
        return
    with suppress(OSError):
        forget(folder)
        kept = folder / EARLIER
        kept.mkdir(exist_ok=True)
        # run.json first: without it a folder is not that of a finished run.
        for path in list(_own(folder)):
            path.replace(kept / path.name)


def forget(folder: Path) -> None:
    """Remove what was set aside, when the new run has written its own."""
    kept = folder / EARLIER
    if not kept.is_dir():
        return
    with suppress(OSError):
        for path in list(_own(kept)):
            path.unlink()
        kept.rmdir()  # unless somebody else keeps something there


def _own(folder: Path) -> Iterator[Path]:
    from pytest_llmclf.reporting.new_run import RUN_FILES

    earlier = "confusion-*.png"  # as earlier versions wrote them
    for name in (*(one.name for one in RUN_FILES), earlier):
        yield from (path for path in folder.glob(name) if path.is_file())
