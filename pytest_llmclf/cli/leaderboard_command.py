"""``llmclf leaderboard RUN ...``: the tasks of finished runs, ranked on the same images."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_llmclf.analysis.comparison.runs import meant
from pytest_llmclf.analysis.leaderboard.ranking import leaderboards
from pytest_llmclf.cli.console import style_of, write
from pytest_llmclf.cli.project import add_command, add_home, described, home_folder
from pytest_llmclf.cli.run_images import dataset_images
from pytest_llmclf.errors import SettingsError, some_of
from pytest_llmclf.reporting.leaderboard import leaderboard_json, leaderboard_lines
from pytest_llmclf.reporting.run_folder import find_run, read_run

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.reporting.run_folder import RunFolder

SCHEMA: Final = 1
"""Of ``--json``: raised when a field changes its meaning or goes away; new fields do not."""

_EPILOG: Final = described(
    "leaderboard",
    """\
All pairs of tasks of an evaluation are compared on the images that all of them answered, with exact
tests for all pairs at once. Name all the runs that you tried, those that you like less, too: the
best of many is only shown to be so if all of them were counted.""",
    """\
latest
previous latest --evaluation mnist
first-try shorter-prompt latest --model 'llava*' --html tries.html""",
)


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = add_command(
        commands,
        "leaderboard",
        summary="models and runs, ranked on the same images",
        description="Rank the tasks of finished runs, and tell which images are hard.",
        epilog=_EPILOG,
    )
    place = "folder, name or start of a name in .llmclf/runs, 'latest' or 'previous'"
    parser.add_argument("runs", metavar="RUN", nargs="+", help=place)
    parser.add_argument(
        "--evaluation", action="append", metavar="NAME", help="only this one; may repeat"
    )
    parser.add_argument(
        "--model", action="append", metavar="NAME", help="only such models; a pattern; may repeat"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.add_argument("--html", type=Path, metavar="PATH", help="write a page for a browser")
    add_home(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Rank, write, print and return 0.

    Raises:
        LlmclfError: A run cannot be read, is named twice, or there are not two tasks to rank.
    """
    kept = home_folder(arguments.home) / "runs"
    runs = [read_run(find_run(name, kept)) for name in arguments.runs]
    reports = _reports(runs, arguments.evaluation or (), arguments.model or ())
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
        found = {"schema": SCHEMA, "leaderboards": [leaderboard_json(board) for board in boards]}
        sys.stdout.write(json.dumps(found, indent=2, allow_nan=False) + "\n")
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
    from pytest_llmclf.files import require_writable_kind
    from pytest_llmclf.reporting.html.document import write_page
    from pytest_llmclf.reporting.html.page import page_of

    try:
        require_writable_kind(path)
        page = page_of(reports, title="Leaderboard", images=dataset_images(reports))
        write_page(path, page)
    except OSError as error:
        raise SettingsError(f"the page cannot be written: {error}; choose another path") from error
