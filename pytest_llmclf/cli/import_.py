"""``llmclf import KIND ARCHIVE``: a downloaded data set takes the place of bundled images."""

from __future__ import annotations

import argparse
import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmclf.cli.command import CommandHelp, add_arguments
from pytest_llmclf.cli.console import style_of, write
from pytest_llmclf.cli.project import from_here, home_folder
from pytest_llmclf.data.archives.layouts import LAYOUTS, layout_of
from pytest_llmclf.data.archives.tables import KIND
from pytest_llmclf.errors import DatasetError, SettingsError, some_of
from pytest_llmclf.files import HOME_FOLDER
from pytest_llmclf.progress import ProgressLine
from pytest_llmclf.reporting.numbers import plural
from pytest_llmclf.runner.settings import DEFAULT_SEED, project_root
from pytest_llmclf.runner.shared_options import at_least
from pytest_llmclf.values.text import command_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmclf.data.archives.importer import Imported
    from pytest_llmclf.progress import Progress
    from pytest_llmclf.reporting.style import Line, Style

_LISTED = 5
_KINDS = [*(layout.kind for layout in LAYOUTS), KIND]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}")
HELP = CommandHelp(
    name="import",
    summary="use a downloaded data set instead of the bundled images",
    description="Import a data set from its publisher's archive, or the folder it was unpacked to.",
    about="""\
Which images are taken depends on the seed and their paths alone. Broken images, links and
images that are there twice are left out, and listed in left-out.csv beside the manifest. Nothing
in an archive is run, and no file is written under a name from it. Evaluations find the set by its
name (animals, mnist, chess) from then on; remove its folder to go back to the bundled images.""",
    examples="""\
animals10 archive.zip
mnist-jpg ~/Downloads/mnistasjpg/ --per-class 200
chessman chessman.tar.gz --force
parquet data/test-00000-of-00001.parquet --name pets""",
)


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "kind",
        metavar="|".join(_KINDS),
        type=_kind,
        choices=_KINDS,
        help="which data set it is; parquet: one of your own, with the images in a table",
    )
    parser.add_argument(
        "archive",
        type=Path,
        help=".zip, .tar or .tar.gz file, or a folder; for parquet .parquet or .arrow files, or "
        "what datasets.save_to_disk wrote",
    )
    parser.add_argument("--name", metavar="NAME", help="parquet: what evaluations call it")
    parser.add_argument("--split", default="", metavar="PART", help="parquet: the part, like test")
    parser.add_argument(
        "--label-column", default="", metavar="COLUMN", help="parquet: the column of the label"
    )
    parser.add_argument(
        "--per-class",
        type=at_least(int, 1),
        metavar="N",
        help="images a class (default: 50, and all for chessman and parquet)",
    )
    parser.add_argument("--all", action="store_true", help="take every image of every class")
    parser.add_argument(
        "--seed",
        type=int,
        default=DEFAULT_SEED,
        help="which images are chosen (default: %(default)s, the same for everybody)",
    )
    parser.add_argument(
        "--force", action="store_true", help="replace a set of the same name that is there already"
    )
    add_arguments(parser, "--home")


def _kind(text: str) -> str:
    """A kind that is known; argparse alone would not say which one was probably meant."""
    try:
        return text if text == KIND else layout_of(text).kind
    except DatasetError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def run(arguments: argparse.Namespace) -> int:
    """Import, print what came of it and return the exit code.

    Raises:
        DatasetError: Nothing was imported; the message says why.
        SettingsError: Options that exclude each other.
    """
    from pytest_llmclf.data.dataset import shelf_of

    if arguments.all and arguments.per_class:
        raise SettingsError("--all and --per-class exclude each other: give one of them")
    usual = shelf_of(project_root(Path.cwd()), os.environ)
    dataset_directory = (
        usual if arguments.home is None else home_folder(arguments.home) / "datasets"
    )
    with ProgressLine(sys.stderr) as progress:
        made = _imported(arguments, dataset_directory, progress)
    _keep_out_of_git(dataset_directory.parent)
    style = style_of(sys.stdout)
    elsewhere = None if dataset_directory.absolute() == usual.absolute() else dataset_directory
    write(sys.stdout, _lines(made, elsewhere, style))
    return 0


def _imported(
    arguments: argparse.Namespace, dataset_directory: Path, progress: Progress
) -> Imported:
    from pytest_llmclf.data.archives.importer import import_archive, import_table

    source = arguments.archive.expanduser()
    table = arguments.kind == KIND
    if not table and (arguments.name or arguments.split or arguments.label_column):
        raise SettingsError("--name, --split and --label-column are for parquet alone")
    if table:
        if not _NAME.fullmatch(arguments.name or ""):
            raise SettingsError(
                f"--name {arguments.name or ''!r} is no name for a dataset: use letters, digits, "
                "_, - and ., such as --name pets"
            )
        return import_table(
            arguments.name,
            source,
            dataset_directory,
            split=arguments.split,
            label_column=arguments.label_column,
            seed=arguments.seed,
            per_class=None if arguments.all else arguments.per_class,
            force=arguments.force,
            progress=progress,
        )
    layout = layout_of(arguments.kind)
    return import_archive(
        layout,
        source,
        dataset_directory,
        seed=arguments.seed,
        per_class=None if arguments.all else arguments.per_class or layout.per_class,
        force=arguments.force,
        progress=progress,
    )


def _keep_out_of_git(home: Path) -> None:
    ignore = home / ".gitignore"
    if home.name == HOME_FOLDER and not ignore.exists():
        with suppress(OSError):  # no reason to call an import failed
            ignore.write_text("*\n", encoding="utf-8")


def _lines(made: Imported, elsewhere: Path | None, style: Style) -> Iterator[Line]:
    total = sum(made.counts.values())
    name = made.layout.dataset
    yield style.line(
        (f"{name}", "bold"),
        f": {plural(total, 'image')} of {made.layout.title}, "
        f"{plural(len(made.counts), 'class', 'classes')}, in "
        f"{style.safe(str(made.folder))}",
    )
    counts = some_of(f"{label} {count}" for label, count in made.counts.items())
    yield from style.paragraph(counts, indent="  ")
    if made.short:
        said = f"fewer than asked for: {', '.join(made.short)}"
        yield from style.paragraph(said, "yellow", indent="  ")
    if made.renamed:
        yield style.line(f"  {made.renamed} had an ending that is not their content's: corrected")
    if made.elsewhere:
        yield style.line(
            f"  {plural(made.elsewhere, 'file')} in no folder of a class: not looked at"
        )
    yield from _left_out_lines(made, style)
    if elsewhere is not None:
        place = style.safe(str(elsewhere))
        yield style.line(f"Evaluations look there when the environment says LLMCLF_DATA={place}")
    evals = project_root(Path.cwd()) / "evals"
    own = evals / f"test_{name}.py"
    told = from_here(own) if own.is_file() else f"{from_here(evals)}/"
    yield style.line("Next: ", (style.safe(command_line("pytest", told)), "bold"))


def _left_out_lines(made: Imported, style: Style) -> Iterator[Line]:
    if not made.left_out:
        return
    yield style.line((f"  {len(made.left_out)} left out, listed in left-out.csv:", "yellow"))
    for each in made.left_out[:_LISTED]:
        text = f"{each.name}: {each.reason}"
        yield style.line("    " + style.name(text, style.width - 4))
    if len(made.left_out) > _LISTED:
        yield style.line(f"    and {len(made.left_out) - _LISTED} more")
