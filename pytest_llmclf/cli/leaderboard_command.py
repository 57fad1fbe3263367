"""``llmclf leaderboard RUN ...``: the tasks of finished runs, ranked on the same images."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_llmclf.analysis.comparison.runs import meant
from pytest_llmclf.analysis.leaderboard.ranking import leaderboards
from pytest_llmclf.cli.command import RUN, CommandHelp, add_arguments
from pytest_llmclf.cli.console import style_of, write, write_json
from pytest_llmclf.cli.project import named_run, writing
from pytest_llmclf.cli.run_images import dataset_images
from pytest_llmclf.errors import SettingsError, some_of
from pytest_llmclf.reporting.leaderboard import leaderboard_json, leaderboard_lines

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.reporting.run_folder import RunFolder

SCHEMA: Final = 1
"""Of ``--json``: raised when a field changes its meaning or goes away; new fields do not."""

HELP = CommandHelp(
    name="leaderboard",
    summary="models and runs, ranked on the same images",
    description="Rank the tasks of finished runs, and tell which images are hard.",
    about="""\
All pairs of tasks of an evaluation are compared on the images that all of them answered, with exact
tests for all pairs at once. Name all the runs that you tried, those that you like less, too: the
best of many is only shown to be so if all of them were counted.""",
    examples="""\
latest
previous latest --evaluation mnist
first-try shorter-prompt latest --model 'llava*' --html tries.html""",
)


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("runs", metavar="RUN", nargs="+", help=RUN)
    add_arguments(parser, "--evaluation")
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="NAME",
        help="only such models; a pattern; may repeat",
    )
    add_arguments(parser, "--json")
    parser.add_argument("--html", type=Path, metavar="PATH", help="write a page for a browser")
    add_arguments(parser, "--home")


def run(arguments: argparse.Namespace) -> int:
    """Rank, write, print and return 0.

    Raises:
        LlmclfError: A run cannot be read, is named twice, or there are not two tasks to rank.
    """
    runs = [named_run(name, arguments.home) for name in arguments.runs]
    reports = _reports(runs, arguments.evaluation, arguments.model)
    boards = leaderboards(reports)
    if not boards:
        named = (
            some_of([f"{one.evaluation} on {one.configuration}" for one in reports]) or "nothing"
        )
        raise SettingsError(
            "there are no two tasks of one evaluation with answers to the same images; "
            f"chosen: {named}; name more runs, or fewer --evaluation and --model"
        )
    if arguments.html is not None:
        _write_page(arguments.html, reports)
    if arguments.json:
        found = [leaderboard_json(board) for board in boards]
        write_json({"schema": SCHEMA, "leaderboards": found})
    else:
        write(sys.stdout, leaderboard_lines(reports, style_of(sys.stdout)))
    return 0


def _reports(
    runs: Sequence[RunFolder[Report]], evaluations: Sequence[str], models: Sequence[str]
) -> list[Report]:
    """The reports that are asked for; where a model is in several runs, with the run's name."""
    folders = [one.path.resolve() for one in runs]
    twice = [str(path) for path, times in Counter(folders).items() if times > 1]
    if twice:
        raise SettingsError(f"run {twice[0]} is named twice: name each run once")
    chosen = [
        (folder, report)
        for folder, one in zip(folders, runs, strict=True)
        for report in one.reports
        if not evaluations or report.evaluation in evaluations
        if not models or any(meant(report, pattern) for pattern in models)
    ]
    times = Counter(report.task for _, report in chosen)
    return [
        replace(report, model=f"{report.model} in {folder.name}")
        if times[report.task] > 1
        else report
        for folder, report in chosen
    ]


def _write_page(path: Path, reports: Sequence[Report]) -> None:
    from pytest_llmclf.reporting.html.document import write_page
    from pytest_llmclf.reporting.html.page import page_of

    with writing("the page", "choose another path"):
        page = page_of(reports, title="Leaderboard", images=dataset_images(reports))
        write_page(path, page)
