"""``llmclf cache``: what is kept in the home folder, and how to be rid of it."""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_llmclf.cli.command import CommandHelp, add_arguments
from pytest_llmclf.cli.console import style_of, write
from pytest_llmclf.cli.project import home_folder
from pytest_llmclf.errors import StoreError
from pytest_llmclf.reporting.numbers import plural
from pytest_llmclf.runner.shared_options import at_least

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pytest_llmclf.reporting.style import Line, Style
    from pytest_llmclf.runner.answer_cache import StoredModel

STORE = "answers.sqlite"
_ASIDE = f"{STORE}.set-aside-*"
_DAY_S = 86_400
HELP = CommandHelp(
    name="cache",
    summary="known answers and kept runs: how many, how large, away with them",
    description="Show or forget what evaluations keep.",
    about="""\
Answers are found again by exactly the question that they answer, so old ones do no harm; they take
room. A store that was damaged is set aside and never read again. Runs are results: they go only
with --runs. Imported datasets are never touched.""",
    examples="""\

--prune 30
--clear
--prune 90 --runs""",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a home folder has.

    Attributes:
        home: The folder.
        models: Answers by model.
        store_bytes: Size of the store's files.
        aside: Stores that were set aside as damaged, with what belongs to them.
        runs: Folders of runs.
        notice: What is wrong with the store, or ``None``.
    """

    home: Path
    models: tuple[StoredModel, ...]
    store_bytes: int
    aside: tuple[Path, ...]
    runs: tuple[Path, ...]
    notice: str | None = None


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--prune",
        type=at_least(int, 0),
        metavar="DAYS",
        help="forget answers, and damaged stores, that are older than so many days",
    )
    how.add_argument("--clear", action="store_true", help="forget all of them")
    parser.add_argument(
        "--runs", action="store_true", help="with --prune or --clear: remove runs, too"
    )
    add_arguments(parser, "--home")


def run(arguments: argparse.Namespace) -> int:
    """Show or forget, and return the exit code.

    Raises:
        StoreError: The store cannot be read or written, or a file cannot be removed.
        SettingsError: An option has no effect.
    """
    from pytest_llmclf.errors import SettingsError

    removes = arguments.clear or arguments.prune is not None
    if arguments.runs and not removes:
        raise SettingsError("--runs removes runs only with --prune DAYS or --clear: add one")
    home, style = home_folder(arguments.home), style_of(sys.stdout)
    if removes:
        age_s = 0 if arguments.clear else arguments.prune * _DAY_S
        # A clock that was put back must not save an answer from --clear.
        before = float("inf") if arguments.clear else time.time() - age_s
        write(sys.stdout, _forget(home, before, style, runs=arguments.runs))
    write(sys.stdout, _lines(look(home), style))
    return 0


def look(home: Path) -> Kept:
    """What there is; a store that turns out to be damaged is set aside, as a run would.

    Raises:
        StoreError: The store cannot be read.
    """
    from pytest_llmclf.runner.answer_cache import AnswerStore

    store, notice = home / STORE, None
    models: tuple[StoredModel, ...] = ()
    if store.is_file():
        with AnswerStore(store) as opened:
            models, notice = opened.stored(), opened.notice
    parts = [home / f"{STORE}{ending}" for ending in ("", "-wal", "-shm")]
    return Kept(
        home=home,
        models=models,
        store_bytes=sum(map(_size, parts)),
        aside=tuple(sorted(home.glob(_ASIDE))),
        runs=tuple(sorted(filter(_is_run, _folders(home / "runs")))),
        notice=notice,
    )


def _forget(home: Path, before: float, style: Style, *, runs: bool) -> Iterator[Line]:
    """Forget what is older than a moment, and say how much it was."""
    from pytest_llmclf.runner.answer_cache import AnswerStore

    gone = 0
    if (home / STORE).is_file():
        with AnswerStore(home / STORE) as store:
            gone = store.prune(before)
    yield style.line(f"forgot {plural(gone, 'answer')}")
    kept = look(home)
    for what, paths in (("damaged stores", kept.aside), ("runs", kept.runs if runs else ())):
        old = [path for path in paths if _modified(path) < before]
        for path in old:
            _remove(path)
        if old:
            yield style.line(f"removed {len(old)} {what}")


def _is_run(folder: Path) -> bool:
    """Whether a folder was written by a run; no other one is ever removed."""
    return any((folder / name).is_file() for name in ("run.json", "outcomes.jsonl"))


def _folders(parent: Path) -> Sequence[Path]:
    if not parent.is_dir():
        return ()
    return [item for item in parent.iterdir() if item.is_dir() and not item.is_symlink()]


def _remove(path: Path) -> None:
    try:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            f"{path} cannot be removed ({error.strerror or error}): mend permissions"
        ) from error


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return float("inf")


def _size(path: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    try:
        if path.is_dir():
            return sum(item.lstat().st_size for item in path.rglob("*"))
        return path.stat().st_size
    except OSError:
        return 0


def _lines(kept: Kept, style: Style) -> Iterator[Line]:
    answers = sum(model.answers for model in kept.models)
    yield style.line((style.safe(str(kept.home)), "bold"))
    yield style.line(f"  {plural(answers, 'answer')}, {_amount(kept.store_bytes)}")
    for model in kept.models:
        since = f"{_day(model.oldest)} to {_day(model.newest)}"
        name = style.safe(model.model)
        yield style.line(f"    {model.answers:>7}  {name}  {_amount(model.size)}, {since}")
    if kept.notice:
        yield from style.paragraph(kept.notice, "yellow", indent="  ")
    for what, paths in (("damaged stores set aside", kept.aside), ("runs", kept.runs)):
        yield style.line(f"  {len(paths)} {what}, {_amount(sum(map(_size, paths)))}")


def _amount(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).date().isoformat()
