"""``llmclf report RUN``: everything that follows from a run's outcomes, written anew."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_llmclf.cli.command import CommandHelp, add_arguments
from pytest_llmclf.cli.console import style_of, write
from pytest_llmclf.cli.project import named_run, writing
from pytest_llmclf.cli.run_images import dataset_images
from pytest_llmclf.progress import ProgressLine
from pytest_llmclf.reporting import terminal
from pytest_llmclf.reporting.artifacts import write_reports, write_run
from pytest_llmclf.reporting.new_run import PAGE, REVIEW_PAGE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.reporting.run_folder import RunFolder

_IMAGE: Final = b'[["data:image/'
"""How a page's first image begins; see `page.document`."""

HELP = CommandHelp(
    name="report",
    summary="write the reports of a finished run anew",
    description="Show a finished run, and write its reports anew.",
    about="""\
Outcomes and verdicts are those of the run: no model is asked, no gate is judged again. What
follows from them (tables, matrices, diagnosis, Markdown, the page) is worked out by this version.
The page shows the images of datasets that are found in this project, unchanged since the run.""",
    examples="""\
latest
latest --out public --parquet
.llmclf/runs/20260102-030405-abcdef --no-images""",
)


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_arguments(parser, "run_name")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="where to, outcomes and run.json included (default: the run's own folder)",
    )
    parser.add_argument(
        "--parquet", action="store_true", help="write outcomes.parquet, too (needs pyarrow)"
    )
    add_arguments(parser, "--no-images")
    parser.add_argument("--quiet", "-q", action="store_true", help="print the paths alone")
    add_arguments(parser, "--home")


def run(arguments: argparse.Namespace) -> int:
    """Write, print and return the exit code.

    Raises:
        LlmclfError: The run cannot be read, or Parquet not be written.
        SettingsError: A file cannot be written.
    """
    found = named_run(arguments.run_name, arguments.home)
    out = found.path if arguments.out is None else arguments.out.expanduser()
    with writing("the reports", "choose another folder with --out"):
        written = _write(found, out, parquet=arguments.parquet)
        page = _write_page(found, out / PAGE, images=not arguments.no_images)
    if not arguments.quiet:
        style = style_of(sys.stdout)
        write(
            sys.stdout,
            terminal.lines(found.reports, found.verdicts, style, baselines=found.baselines),
        )
    for path in (*written, page):
        sys.stdout.write(f"{path}\n")
    return 0


def _write(found: RunFolder[Report], out: Path, *, parquet: bool) -> tuple[Path, ...]:
    if out.resolve() == found.path.resolve():
        # What was read is the truth and stays as it is.
        return write_reports(
            out, found.reports, found.verdicts, baselines=found.baselines, parquet=parquet
        )
    return write_run(
        out,
        found.reports,
        settings=found.settings,
        environment=found.environment,
        verdicts=found.verdicts,
        baselines=found.baselines,
        parquet=parquet,
    )


def _write_page(found: RunFolder[Report], path: Path, *, images: bool) -> Path:
    from pytest_llmclf.reporting.html.document import write_page
    from pytest_llmclf.reporting.html.page import no_image, page_of
    from pytest_llmclf.reporting.html.thumbnails import ImageBudget

    find = dataset_images(found.reports) if images else no_image
    if images and _shows_images(path) and not _any_found(found, find):
        sys.stderr.write(
            f"{path} is kept as it is: it has images, and none of this run's is found here; "
            "call llmclf report in the project that has the dataset, write to another folder "
            "with --out, or give up the images with --no-images\n"
        )
        return path
    page = page_of(
        found.reports,
        found.verdicts,
        baselines=found.baselines,
        settings=found.settings,
        environment=found.environment,
        images=find,
        budget=ImageBudget(none=not images),
        desk=REVIEW_PAGE if path.with_name(REVIEW_PAGE).is_file() else "",
    )
    with ProgressLine(sys.stderr) as progress:
        return write_page(path, page, progress)


def _any_found(found: RunFolder[Report], find: Callable[[str, str], Path | None]) -> bool:
    """Whether a page would have an image."""
    return any(
        find(outcome.evaluation, outcome.case) is not None
        for report in found.reports
        for outcome in report.outcomes
    )


def _shows_images(path: Path) -> bool:
    """Whether a page that is there has an image."""
    if not path.is_file():
        return False
    with path.open("rb") as page:
        before = b""
        while piece := page.read(1 << 20):
            if _IMAGE in before + piece:
                return True
            before = piece[-len(_IMAGE) :]
    return False
