"""``llmclf review RUN``: the page on which a person decides about doubtful labels."""

from __future__ import annotations

import sys
import webbrowser
from contextlib import suppress
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_llmclf.analysis.label_review.review import review_labels
from pytest_llmclf.analysis.label_review.review_queue import reports_of, review_queue
from pytest_llmclf.cli.command import CommandHelp, add_arguments
from pytest_llmclf.cli.console import style_of, write
from pytest_llmclf.cli.label_candidates import find_near_copies
from pytest_llmclf.cli.project import named_run, writing
from pytest_llmclf.cli.run_images import dataset_images
from pytest_llmclf.data.dataset import locate
from pytest_llmclf.data.decision_files import decision_files, decisions_file
from pytest_llmclf.data.decisions import read_decisions
from pytest_llmclf.data.entry import Found
from pytest_llmclf.data.given import KEPT, Given, plain_name
from pytest_llmclf.errors import LlmclfError, SettingsError, nearest, some_of
from pytest_llmclf.files import HOME_FOLDER
from pytest_llmclf.progress import ProgressLine
from pytest_llmclf.reporting import numbers
from pytest_llmclf.reporting.new_run import REVIEW_PAGE
from pytest_llmclf.runner.settings import project_root
from pytest_llmclf.runner.shared_options import at_least
from pytest_llmclf.values.text import command_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pytest_llmclf.analysis.label_review.review import LabelReview
    from pytest_llmclf.data.decisions import Decision
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.reporting.html.page import FindImage
    from pytest_llmclf.reporting.html.review_page import ReviewPage
    from pytest_llmclf.reporting.run_folder import RunFolder

_CONTROL: Final = 40
_SEED: Final = 20
HELP = CommandHelp(
    name="review",
    summary="open the page on which labels in doubt are decided about, by keyboard",
    description="Decide about the labels of a finished run's images that are in doubt.",
    about="""\
Writes review.html into the run's folder, a single file that works offline, and opens it where a
terminal asks. It shows one image at a time: those whose labels are in doubt, the most doubtful
first, then some drawn at random among the others, so that it is known how many labels are wrong
where nobody proposed anything. Keys decide; the browser keeps every decision, and S writes them to
a file for llmclf labels apply. No label changes before that (docs/labels.md).""",
    examples="""\
latest
latest --control 100 --limit 50
latest --dataset pets --no-open""",
)


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_arguments(parser, "run_name")
    parser.add_argument(
        "--dataset", default="", metavar="NAME", help="which one, where the run has several"
    )
    parser.add_argument(
        "--control", type=at_least(int, 0), default=_CONTROL, metavar="N",
        help=f"images drawn at random where nothing is proposed (default {_CONTROL})",
    )  # fmt: skip
    parser.add_argument(
        "--limit", type=at_least(int, 0), metavar="N",
        help="most images whose labels are in doubt (default: all of them)",
    )  # fmt: skip
    parser.add_argument("--all", action="store_true", help="all images of the dataset, these first")
    parser.add_argument(
        "--seed", type=int, default=_SEED, metavar="N",
        help=f"of the images drawn at random (default {_SEED})",
    )  # fmt: skip
    add_arguments(parser, "--no-near-copies")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="where to (default: in the run's folder)"
    )
    parser.add_argument("--no-open", action="store_true", help="do not open the page")
    add_arguments(parser, "--home")


def run(arguments: argparse.Namespace) -> int:
    """Write, open and return the exit code.

    Raises:
        LlmclfError: The run cannot be read, or there is nothing to decide about.
    """
    from pytest_llmclf.reporting.html.review_page import write_review_page

    found = named_run(arguments.run_name, arguments.home)
    near = {} if arguments.no_near_copies else find_near_copies(found.reports)
    reviews = review_labels(found.reports, near)
    review = _chosen(reviews, arguments.dataset)
    page = _page(found, review, arguments)
    several = len(reviews) > 1
    name = f"{plain_name(arguments.dataset)}-{REVIEW_PAGE}" if several else REVIEW_PAGE
    path = (found.path / name if arguments.out is None else arguments.out.expanduser()).absolute()
    with (
        writing("the page", "choose another file with --out"),
        ProgressLine(sys.stderr) as progress,
    ):
        write_review_page(path, page, progress)
    write(sys.stdout, style_of(sys.stdout).paragraph(_told(page)))
    sys.stdout.write(f"{path}\n")
    if not arguments.no_open and sys.stdout.isatty():
        sys.stdout.flush()
        webbrowser.open(path.as_uri())
    return 0


def _chosen(reviews: Sequence[LabelReview], name: str) -> LabelReview:
    """The review of the dataset that is meant, by its name or that of an evaluation of it.

    Raises:
        SettingsError: There is none, or which one is not said.
    """
    if not reviews:
        raise SettingsError(
            "no image of this run was answered or has a copy, so that no label is in doubt: review "
            "a run in which images were answered"
        )
    found = [one for one in reviews if name in ("", one.dataset, *one.evaluations)]
    if len(found) == 1:
        return found[0]
    datasets = [one.dataset for one in found or reviews]
    # One dataset may be cut in two ways: then evaluations tell them apart.
    apart = len(set(datasets)) == len(datasets)
    names = datasets if apart else [one.evaluations[0] for one in found or reviews]
    if found:
        raise SettingsError(
            f"the run has several datasets: name one with --dataset: {some_of(names)}"
        )
    raise SettingsError(
        f"the run has no dataset {name!r}, only {some_of(names)}{nearest(name, names)}"
    )


def _page(
    found: RunFolder[Report], review: LabelReview, arguments: argparse.Namespace
) -> ReviewPage:
    """What is shown.

    Raises:
        SettingsError: No image is left, or none of them is found.
    """
    from pytest_llmclf.reporting.html.review_page import ReviewPage

    queue = review_queue(
        review,
        found.reports,
        control=arguments.control,
        seed=arguments.seed,
        limit=arguments.limit,
        everything=arguments.all,
    )
    if not queue.images:
        raise SettingsError(
            "nothing is left to decide about: more images come with --all, or with a larger "
            "--control or --limit"
        )
    reports = reports_of(review, found.reports)
    images: FindImage = dataset_images(reports)
    if all(images(reports[0].evaluation, one.case) is None for one in queue.images):
        raise SettingsError(
            f"no image of {review.dataset!r} is found here: call llmclf review in the project that "
            "has the dataset, or, where a function gives the images, the kept ones (.llmclf/images)"
        )
    target, applied = decided(reports[0])
    return ReviewPage(
        run=found.path.name,
        review=review,
        queue=queue,
        reports=found.reports,
        target=target,
        applied=applied,
        images=images,
    )


def decided(report: Report) -> tuple[str, Sequence[Decision]]:
    """The dataset as ``llmclf labels apply FILE`` wants it, and what is decided about it so far.

    Images that a function gave, or that lie in a folder of their own, are known to the evaluation
    alone.
    """
    facts, root = report.dataset, project_root(Path.cwd())
    name, _, split = facts.name.removesuffix(")").rpartition(" (")
    kept = facts.path.startswith(f"{HOME_FOLDER}/{KEPT}/")
    known = not facts.strangers and facts.path != "." and not kept
    ways = ((facts.name,), (name, "--split", split), (facts.path,)) if known else ()
    for words in filter(itemgetter(0), ways):
        with suppress(LlmclfError):
            own = decisions_file(locate(words[0], root), root, split=split if words[1:] else "")
            return command_line(*words), read_decisions(decision_files(own))
    own = decisions_file(Given(report.evaluation, root, Found()), root)
    return f"evals/FILE.py::{report.evaluation}", read_decisions(decision_files(own))


def _told(page: ReviewPage) -> str:
    """How many images of each kind there are."""
    images = page.queue.images
    doubtful = sum(one.candidate is not None for one in images)
    control = sum(one.control for one in images)
    parts = [f"{numbers.plural(doubtful, 'label')} in doubt"]
    if page.queue.waiting:
        parts[0] += f" of {doubtful + page.queue.waiting}"
    parts.append(f"{numbers.plural(control, 'image')} drawn at random among the others")
    if others := len(images) - doubtful - control:
        parts.append(f"{numbers.plural(others, 'image')} more")
    return f"{page.review.dataset}: {', '.join(parts)}"
