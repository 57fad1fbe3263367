"""``llmclf labels candidates RUN``: labels of a run's images that a person should look at."""

from __future__ import annotations

import hashlib
import sys
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.analysis.label_review.copies import NearCopies
from pytest_llmclf.analysis.label_review.review import review_labels
from pytest_llmclf.cli.command import CommandHelp, add_arguments
from pytest_llmclf.cli.console import style_of, write, write_json
from pytest_llmclf.cli.project import named_run
from pytest_llmclf.cli.run_images import dataset_images
from pytest_llmclf.data.perceptual_hash import BITS, near_pairs, perceptual_hash
from pytest_llmclf.progress import ProgressLine
from pytest_llmclf.reporting.doubtful_labels import all_lines, review_json
from pytest_llmclf.runner.shared_options import at_least

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_llmclf.metrics.report import Report

_TOP: Final = 20
HELP = CommandHelp(
    name="candidates",
    summary="list labels that are probably wrong, with reasons",
    description="List labels of a finished run's images that a person should look at.",
    about="""\
Labels are held against what all models of the run say of the same images, weighed together, and
against copies and near-copies of each image under another label. The most doubtful comes first,
with the reasons. Nothing is asked and no label is changed. Near-copies are looked for among images
that are found in this project, unchanged since the run.""",
    examples="""\
latest
latest --top 100
latest --json > candidates.json""",
)


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_arguments(parser, "run_name")
    parser.add_argument(
        "--top", type=at_least(int, 0), default=_TOP, metavar="N",
        help=f"candidates of each dataset that are listed (default {_TOP}; 0: all)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print all of them as JSON")
    add_arguments(parser, "--no-near-copies", "--home")


def run(arguments: argparse.Namespace) -> int:
    """List and return the exit code.

    Raises:
        LlmclfError: The run cannot be read.
    """
    found = named_run(arguments.run_name, arguments.home)
    near = {} if arguments.no_near_copies else find_near_copies(found.reports)
    reviews = review_labels(found.reports, near)
    if arguments.json:
        write_json([review_json(one, found.reports) for one in reviews])
        return 0
    if not reviews:
        sys.stdout.write("no image of this run was answered or has a copy: nothing is known\n")
    style = style_of(sys.stdout)
    for review in reviews:
        write(sys.stdout, all_lines(review, style, arguments.top or None))
    return 0


def find_near_copies(reports: Sequence[Report]) -> dict[str, tuple[NearCopies, ...]]:
    """Pairs of images that look almost alike, by their dataset's digest; of those found here."""
    # One report a dataset: the images are the same.
    once = {report.dataset.content_hash: report for report in reports}
    find, total = dataset_images(reports), sum(len(one.outcomes) for one in once.values())
    pairs, done = {}, 0
    with ProgressLine(sys.stderr) as progress:
        for dataset, report in once.items():
            hashes = {}
            for outcome in report.outcomes:
                done += 1
                progress("looking for near-copies", done, total)
                hashes[outcome.case] = _hash(find(report.evaluation, outcome.case), outcome.sha256)
            seen = {case: one for case, one in hashes.items() if one is not None}
            if seen:
                pairs[dataset] = tuple(
                    NearCopies(first=first, second=second, bits=bits, of=BITS)
                    for first, second, bits in near_pairs(seen)
                )
    return pairs


def _hash(path: Path | None, sha256: str) -> NDArray[Any] | None:
    """The hash of an image that is as it was when it was asked about."""
    try:
        same = path is not None and hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    except OSError:
        return None
    return perceptual_hash(path) if path is not None and same else None
