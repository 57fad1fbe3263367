"""``llmclf plan``: what a run would ask, and how many images a gate or a baseline takes."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_llmclf.cli.command import (
    CommandHelp,
    add_arguments,
    add_model,
    add_shared_options,
    own_options,
    reaching,
)
from pytest_llmclf.cli.console import style_of, write
from pytest_llmclf.cli.project import home_folder
from pytest_llmclf.cli.single_image import wanted_model
from pytest_llmclf.metrics.power import MOST_IMAGES
from pytest_llmclf.runner.shared_options import at_least

if TYPE_CHECKING:
    from pytest_llmclf.analysis.foresight import Foresight

_BASELINE: Final = "baseline"
_EVALUATION: Final = ".py"
_MOST_CLASSES: Final = 100_000
_CHANCES: Final = (0.8, 0.9)
HELP = CommandHelp(
    name="plan",
    summary="what a run would ask, or how many images a gate or a baseline takes",
    description="What an evaluation would ask of whom; or how many images it takes to pass a "
    "gate with confidence, or to see a loss against the committed predictions.",
    about="""\
Of a file with an evaluation (FILE::NAME where it declares several) it tells which images pytest
would ask whom about, in which variants; nobody is asked. Of a gate or a baseline everything is
computed exactly for images that are drawn independently; no evaluation, model or answer is needed.
Settle the number of images before you look: a verdict is for one look.""",
    examples="""\

evals/test_pets.py --model ollama:llava --model yardstick:svm
'accuracy >= 0.9 with 95% confidence' --truth 0.93
'recall[*] >= 0.85 with 95% confidence' --classes 10 --truth 0.9 --truth 0.95
'unparsed_rate <= 0.02 with 95% confidence' --images 500
baseline --loss 3 --fixed 1""",
)


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "question",
        metavar="EVALUATION|GATE|baseline",
        nargs="?",
        default=_BASELINE,
        help="a file with an evaluation, a threshold with confidence, or 'baseline' (the default)",
    )
    _add_asking(parser)
    several = partial(parser.add_argument, action="append", default=[])
    several(
        "--truth",
        type=_share,
        metavar="VALUE",
        help="the true value of what the gate compares, such as 0.93; may repeat",
    )
    several(
        "--loss",
        type=_points,
        metavar="POINTS",
        help="for a baseline: the true loss of accuracy in points of a hundred; may repeat",
    )
    parser.add_argument(
        "--fixed",
        type=_points,
        default=0.0,
        metavar="POINTS",
        help="for a baseline: how many of a hundred images are right only now (default: 0)",
    )
    parser.add_argument(
        "--classes",
        type=at_least(int, 1, _MOST_CLASSES),
        metavar="N",
        help="for [*]: how many classes there are",
    )
    several(
        "--images",
        type=at_least(int, 1, MOST_IMAGES),
        metavar="N",
        help="a number of images whose chance is told; may repeat",
    )
    several(
        "--chance",
        type=_share,
        metavar="SHARE",
        help="how likely the answer shall be, such as 80%%; may repeat (default: 80%%, 90%%)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the table and return the exit code.

    Raises:
        SettingsError: The gate does not parse, or has no such table.
    """
    from pytest_llmclf.reporting.plan_table import plan_lines

    style = style_of(sys.stdout)
    if arguments.question.partition("::")[0].endswith(_EVALUATION):
        write(sys.stdout, map(style.line, map(style.safe, _asked(arguments))))
    else:
        write(sys.stdout, plan_lines(_foreseen(arguments), style))
    return 0


def _add_asking(parser: argparse.ArgumentParser) -> None:
    """Declare what says whom pytest would ask about what, under its names for evaluations, too."""
    add = parser.add_argument
    add_model(parser, action="append")
    add(
        "--variant",
        "--llmclf-variant",
        action="append",
        default=[],
        metavar="TEXT",
        help="of an evaluation: tried beside what it declares, 'NAME: KEY=VALUE'",
    )
    add(
        "--sample",
        "--llmclf-sample",
        type=at_least(int, 1),
        metavar="N",
        help="of an evaluation: only N images a class",
    )
    add(
        "--final",
        "--llmclf-final",
        action="store_true",
        help="of an evaluation: the images that are held out, instead of the others",
    )
    add_shared_options(parser, "think", "allow-links")
    add_arguments(parser, "--home")


def _asked(arguments: argparse.Namespace) -> list[str]:
    """The tasks of an evaluation, as pytest would make them, a line each, and what is known."""
    from pytest_llmclf.api import open_resources
    from pytest_llmclf.batch.declared import read_evaluation
    from pytest_llmclf.data.holdout import NONE_HELD_OUT
    from pytest_llmclf.errors import SettingsError
    from pytest_llmclf.models.spec import parse_spec
    from pytest_llmclf.reporting.task_lines import planned_lines
    from pytest_llmclf.runner.settings import Settings, project_root
    from pytest_llmclf.runner.variant_option import parse_variants
    from pytest_llmclf.values.thinking import parse_think

    evaluation, declared_in = read_evaluation(arguments.question)
    if arguments.final and not evaluation.holdout:
        raise SettingsError(f"--final: {NONE_HELD_OUT}")
    settings = Settings(
        root=project_root(declared_in, Path.cwd()),
        home=home_folder(arguments.home),
        models=tuple(map(parse_spec, arguments.model or [wanted_model(None)])),
        sample=arguments.sample,
        final=arguments.final,
        variants=parse_variants(arguments.variant),
        think=None if arguments.think is None else parse_think(arguments.think),
        allow_links=tuple(Path(one).expanduser().absolute() for one in arguments.allow_links or ()),
        **reaching(arguments),
    )
    with closing(open_resources(settings)) as resources:
        tasks = resources.assign(evaluation, declared_in)
    return [own_options(line, arguments) for line in planned_lines(tasks)]


def _foreseen(arguments: argparse.Namespace) -> Foresight:
    from pytest_llmclf.analysis.foresight import LOSSES, SIZES, foresee_baseline, foresee_gate
    from pytest_llmclf.errors import SettingsError
    from pytest_llmclf.gates.gate import Gate

    chances = arguments.chance or _CHANCES
    sizes = arguments.images or SIZES
    if arguments.question == _BASELINE:
        if arguments.truth or arguments.classes:
            raise SettingsError("--truth and --classes are for a gate: write it, or drop them")
        losses = arguments.loss or LOSSES
        return foresee_baseline(losses=losses, fixed=arguments.fixed, wanted=chances, sizes=sizes)
    if arguments.loss or arguments.fixed:
        raise SettingsError("--loss and --fixed are for a baseline: write 'baseline', or drop them")
    return foresee_gate(
        Gate(arguments.question),
        truths=arguments.truth,
        wanted=chances,
        sizes=sizes,
        classes=arguments.classes,
    )


def _share(text: str) -> float:
    """A share such as ``0.8`` or ``80%``, for argparse."""
    number = _number(text.removesuffix("%"), text) / (100 if text.endswith("%") else 1)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not from 0 to 1, or from 0% to 100%")
    return number


def _points(text: str) -> float:
    """Points of a hundred such as ``3``, for argparse, as a share."""
    number = _number(text.removesuffix("%"), text)
    if not 0 <= number <= 100:  # noqa: PLR2004 - per cent
        raise argparse.ArgumentTypeError(f"{text!r} is not from 0 to 100 points")
    return number / 100


def _number(text: str, whole: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{whole!r} is no number") from None
