"""``llmclf judge FILE``: report, page and gates of answers that exist already."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmclf.cli.command import CommandHelp, add_arguments
from pytest_llmclf.cli.console import style_of, write
from pytest_llmclf.cli.project import home_folder
from pytest_llmclf.errors import SettingsError, some_of
from pytest_llmclf.progress import ProgressLine
from pytest_llmclf.prompting.labels import NONE_LABEL
from pytest_llmclf.reporting.numbers import count, plural
from pytest_llmclf.runner.shared_options import naming

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

HELP = CommandHelp(
    name="judge",
    summary="report, page and gates of answers that exist already",
    description="Judge the answers of any other program; nothing is asked.",
    about="""\
FILE is a table (CSV, TSV, JSON lines, Parquet) with a row an image: its path or name, the expected
label, and what was predicted or answered; or results.json of promptfoo, a .eval or .json log of
Inspect, samples_*.jsonl of lmms-eval. Columns are found by usual names, asked for on a terminal, or
named; where none names the images, rows are numbered. Nothing is asked of any model. The page shows
images that are found beside the file or in --images.""",
    examples="""\
answers.csv
answers.csv --expected truth --predicted guess --gate 'accuracy >= 0.9, recall[cat] >= 0.8'
results.json --images photos
logs/2026-11-26_digits.eval --reader last""",
    exit_codes="""\
exit code:
  0  every gate passes, or there is none
  1  a gate fails or is undecided, or images have no answer
  2  the file cannot be judged: the message says why
""",
)


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add = parser.add_argument
    add("file", metavar="FILE", type=Path, help="the answers")
    for name, what in (
        ("image", "path or name of the image"),
        ("expected", "expected label"),
        ("predicted", "predicted label"),
        ("text", "text that was answered, in which a reader finds the label"),
    ):
        add(f"--{name}", default="", metavar="COLUMN", help=f"column of the {what}")
    add(
        "--labels",
        type=naming("label"),
        metavar="A,B,...",
        help="all labels (default: those expected)",
    )
    add(
        "--none-label",
        default=NONE_LABEL,
        metavar="LABEL",
        help="label of images of no class (default: %(default)s)",
    )
    add("--name", default="", metavar="NAME", help="what reports call it (default: as the file)")
    add("--reader", default="strict", help="what finds labels in texts (default: %(default)s)")
    add("--images", type=Path, metavar="FOLDER", help="where the images lie (default: as FILE)")
    add_arguments(parser, "--gate", "--home")


def run(arguments: argparse.Namespace) -> int:
    """Read, judge, show and return the exit code.

    Raises:
        SettingsError: The file cannot be judged, or a gate or reader makes no sense.
    """
    from pytest_llmclf.cli.shown import show_run
    from pytest_llmclf.data.foreign_answers import read_answers
    from pytest_llmclf.data.foreign_predictions import ColumnNames
    from pytest_llmclf.gates.gate import Gate, check_gates
    from pytest_llmclf.prompting.readers import check_reader
    from pytest_llmclf.runner.foreign_reports import foreign_reports

    check_reader(arguments.reader)
    gates = [Gate(expression) for expression in arguments.gate]
    path = arguments.file.expanduser()
    found = read_answers(
        path,
        ColumnNames(image=arguments.image, predicted=arguments.predicted, text=arguments.text),
        arguments.expected,
        labels=[name.strip() for name in (arguments.labels or "").split(",") if name.strip()],
        none_label=arguments.none_label,
        choose=_choose if sys.stdin.isatty() and sys.stderr.isatty() else None,
    )
    check_gates(gates, found.labels)
    folder = (arguments.images or path.parent).expanduser()
    if not folder.is_dir():
        raise SettingsError(
            f"there is no folder {folder}: --images names the one that the images lie in"
        )
    if arguments.images is not None and found.numbered:
        raise SettingsError(
            f"{path}: which column names the images in {folder} is not said: name one of "
            f"{some_of(found.columns)} with --image COLUMN, or leave --images out"
        )
    image = _images(folder)
    with ProgressLine(sys.stderr) as progress:
        reports = foreign_reports(
            found,
            arguments.name or found.task or path.stem,
            image,
            arguments.reader,
            arguments.none_label,
            progress=progress,
        )
    code = show_run(
        reports,
        gates,
        home_folder(arguments.home),
        {"judged": path.name, "gates": arguments.gate, "reader": arguments.reader},
        lambda _, case: image(case),
    )
    cases = sorted({one.case for report in reports for one in report.outcomes})
    lacking = [case for case in cases if image(case) is None]
    if lacking and not found.numbered:
        said = (
            f"{count(len(cases) - len(lacking))} of {plural(len(cases), 'image')} found in "
            f"{folder} ({lacking[0]} is not there): the page shows no others; --images FOLDER "
            "says where they lie"
        )
        write(sys.stdout, style_of(sys.stdout).paragraph(said, "yellow"))
    return code


def _images(folder: Path) -> Callable[[str], Path | None]:
    """Finds an image's file below a folder, by a path that is relative to it or absolute."""

    def find(case: str) -> Path | None:
        path = folder / case.replace("\\", "/")
        try:
            return path if path.is_file() else None
        except (OSError, ValueError):  # no name that a file could have
            return None

    return find


def _choose(what: str, columns: Sequence[str]) -> str:
    """Ask on the terminal which column is meant.

    Raises:
        SettingsError: None of them was named.
    """
    sys.stderr.write(f"Which column is {what}? {', '.join(filter(None, columns))}: ")
    sys.stderr.flush()
    said = sys.stdin.readline().strip()
    if said not in columns:
        raise SettingsError(f"{said!r} is no column of the file: name one of {', '.join(columns)}")
    return said
