"""Options and ini values as they are declared; what they come to is read in `option_values`."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.files import HOME_FOLDER
from pytest_llmclf.runner.shared_options import SHARED_OPTIONS, at_least

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


_ALSO_INI: Final = ("think", "allow-remote", "allow-clear-key", "allow-links", "server-wait")


def add_options(parser: pytest.Parser) -> None:
    """Declare every option; each destination starts with ``llmclf_``."""
    # Values are JSON built-ins: xdist sends them to its workers.
    for name, about, declare in _GROUPS:
        declare(_heard_in_ci(parser.getgroup(f"llmclf-{name}", f"llmclf: {about}").addoption))
    _add_ini(parser)


def _add_questions(add: Callable[..., None]) -> None:
    """Declare what is asked, and of whom."""
    add(
        "--llmclf-model", action="append", metavar="MODEL",
        help="who is asked: auto (default), ollama:llava, openai:NAME@URL, llamacpp:micro-llava, "
        "llamacpp:TEXT.gguf+MMPROJ.gguf, replay:FILE, yardstick:svm, sklearn:MODULE:FACTORY, "
        "predictions:FILE.csv; repeat for several models in one run "
        "(also: LLMCLF_MODEL, ini llmclf_model)",
    )  # fmt: skip
    add(
        "--llmclf-variant", action="append", metavar="'NAME: KEY=VALUE; ...'",
        help="try something else beside what evaluations declare, such as 'short: prompt=Which "
        "animal?; think=on; options.temperature=0.5'; may be repeated (also: ini llmclf_variants)",
    )  # fmt: skip
    add(
        "--llmclf-sample", type=at_least(int, 1), metavar="N",
        help="ask only N images a class, chosen by --llmclf-seed",
    )  # fmt: skip
    add(
        "--llmclf-final", action="store_true",
        help="ask about the images that evaluations hold out (holdout=0.3), and only about those",
    )  # fmt: skip
    add(
        "--llmclf-seed", type=int, metavar="SEED",
        help="seed of the random order of images and of --llmclf-sample (default: a fixed one, "
        "the same for everybody)",
    )  # fmt: skip
    add(
        "--llmclf-repeats", type=at_least(int, 1), metavar="N", default=1,
        help="ask every question N times, to see how often the model changes its mind",
    )  # fmt: skip


def _add_once_more(add: Callable[..., None]) -> None:
    """Declare what is asked again, and what is kept of it."""
    add(
        "--llmclf-probe", action="append", metavar="PROBE,...",
        help="ask some images again with one thing changed, to see what the answers hang on: order "
        "(of the label list), blank (a grey image), example (another label as the example of an "
        "answer), size (of the image); the answers count in no report or gate",
    )  # fmt: skip
    add(
        "--llmclf-probe-images", type=at_least(int, 1), metavar="N",
        help="how many images of an evaluation probes ask about (default: as many as show a bias "
        "of 10 points with 80%%)",
    )  # fmt: skip
    add(
        "--llmclf-fresh", action="store_true",
        help="ask anew even where the answer is known from an earlier run",
    )  # fmt: skip
    add(
        "--llmclf-record", metavar="FILE",
        help="keep every answer in FILE, to be played back with --llmclf-model replay:FILE",
    )  # fmt: skip


def _add_judging(add: Callable[..., None]) -> None:
    """Declare what is made of the answers."""
    add(
        "--llmclf-gate", action="append", metavar="'NAME: GATE'",
        help="one more gate for an evaluation, such as 'mnist: accuracy>=0.75, recall[7]>=0.6' or "
        "'*: accuracy>=0.8 with 95%% confidence'; may be repeated (also: ini llmclf_gates)",
    )  # fmt: skip
    add(
        "--llmclf-price", action="append", metavar="'MODEL: READ,WRITTEN'",
        help="what a model costs: money for a million tokens read and a million written, such as "
        "'openai:gpt-4o*: 2.50, 10'; may be repeated (also: ini llmclf_prices)",
    )  # fmt: skip
    add(
        "--llmclf-inconclusive", choices=["fail", "allow"],
        help="what a gate that the images cannot decide does: fail (default) or allow; one on "
        "images without an answer always fails (also: ini llmclf_inconclusive)",
    )  # fmt: skip
    add(
        "--llmclf-stop-early", action="store_true",
        help="stop as soon as all gates of an evaluation, and its comparison with committed "
        "predictions, are decided",
    )  # fmt: skip
    add(
        "--llmclf-stop-error", type=_share, metavar="SHARE",
        help="how often stopping early may come to another verdict than all images "
        "would, over all gates of an evaluation (default: 0.05)",
    )  # fmt: skip
    add(
        "--llmclf-tolerance", metavar="LOSS",
        help="largest net loss against the committed predictions that passes: images (3) or a "
        "share (2%%); a significant one never does (also: ini llmclf_tolerance)",
    )  # fmt: skip
    add(
        "--llmclf-margin", metavar="SHARE",
        help="a loss of accuracy below SHARE (2%%) against the committed predictions is fine: one "
        "as large must be excluded with 95%% confidence (also: ini llmclf_margin)",
    )  # fmt: skip
    add(
        "--llmclf-require-baseline", action="store_true",
        help="fail where a test compares with committed predictions and the model has none "
        "(default: UNGATED; also: ini llmclf_require_baseline)",
    )  # fmt: skip
    add(
        "--llmclf-strict", action="store_true",
        help="a misclassified or unparsed image fails its test",
    )  # fmt: skip


def _add_reaching(add: Callable[..., None]) -> None:
    """Declare how models are asked, and how servers and files are reached."""
    for name, given in SHARED_OPTIONS.items():
        also = f" (also: ini llmclf_{name.replace('-', '_')})" if name in _ALSO_INI else ""
        add(f"--llmclf-{name}", **{**given, "help": given["help"] + also})


def _add_written(add: Callable[..., None]) -> None:
    """Declare what is written, and where."""
    add(
        "--llmclf-home", metavar="FOLDER",
        help=f"folder of known answers and of runs (default: {HOME_FOLDER} in the project's "
        "root: the nearest folder with modelfiles/, else pytest's own root folder)",
    )  # fmt: skip
    add(
        "--llmclf-run", metavar="FOLDER",
        help="folder for this run's files (default: a new one in the home folder)",
    )  # fmt: skip
    add(
        "--llmclf-html", metavar="PATH",
        help="where to write the page for a browser (default: page.html in the run's folder)",
    )  # fmt: skip
    add(
        "--llmclf-no-images", action="store_true",
        help="leave the images out of the page",
    )  # fmt: skip
    add(
        "--llmclf-image-budget", type=at_least(float, 0.1),
        metavar="MB", default=11.0,
        help="megabytes of the page that images may take (default: %(default)s)",
    )  # fmt: skip
    add(
        "--llmclf-summary", metavar="PATH",
        help="write the summary in Markdown there, too ($GITHUB_STEP_SUMMARY gets it anyway)",
    )  # fmt: skip
    add(
        "--llmclf-parquet", action="store_true",
        help="write outcomes.parquet as well (needs pyarrow)",
    )  # fmt: skip


_GROUPS: Final = (
    ("questions", "what is asked, and of whom", _add_questions),
    ("again", "what is asked again or recorded", _add_once_more),
    ("judging", "what is made of the answers", _add_judging),
    ("reaching", "how models and files are reached", _add_reaching),
    ("written", "what is written, and where", _add_written),
)
"""Name, heading in ``pytest --help`` and who declares them, of each group of options."""


def _add_ini(parser: pytest.Parser) -> None:
    """Declare the values of the ini file."""
    parser.addini("llmclf_model", "who is asked, one a line (default: auto)", "linelist", [])
    parser.addini(
        "llmclf_variants", "further variants, one 'NAME: KEY=VALUE; ...' a line", "linelist", []
    )
    parser.addini("llmclf_gates", "further gates, one 'NAME: GATE' a line", "linelist", [])
    parser.addini(
        "llmclf_prices", "what models cost, one 'MODEL: READ, WRITTEN' a line", "linelist", []
    )
    parser.addini("llmclf_inconclusive", "what an undecided gate does: fail or allow", default="")
    parser.addini("llmclf_margin", "loss of accuracy that a baseline must exclude", default="")
    parser.addini("llmclf_require_baseline", "demand committed predictions", "bool", default=False)
    parser.addini("llmclf_tolerance", "largest net loss against a baseline", default="")
    parser.addini("llmclf_think", "whether models are to think: off, on, low ...", default="")
    parser.addini("llmclf_server_wait", "minutes that a server is waited for", default="")
    parser.addini("llmclf_allow_remote", "hosts that images may be sent to", "linelist", [])
    parser.addini("llmclf_allow_links", "folders that links may lead into", "linelist", [])
    parser.addini(
        "llmclf_allow_clear_key", "hosts that keys may be sent to unencrypted", "linelist", []
    )


def _share(text: str) -> float:
    value: float = at_least(float, 0)(text)
    if not 0 < value < 0.5:  # noqa: PLR2004 - beyond one half a coin does better
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 0.5")
    return value


def _heard_in_ci(add: Callable[..., None]) -> Callable[..., None]:
    """`add`, with values whose refusal CI hears: pytest ends before anything else can tell it."""

    def added(name: str, **given: Any) -> None:
        if "type" in given:
            given["type"] = _heard(given["type"])
        add(name, **given)

    return added


def _heard(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    def parsed(text: str) -> Any:
        try:
            return parse(text)
        except argparse.ArgumentTypeError as error:
            from pytest_llmclf.plugin.github import command, on_github

            if on_github():
                sys.stdout.write(command("error", "usage error", str(error)) + "\n")
            raise

    return parsed
