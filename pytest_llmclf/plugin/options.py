"""Options and ini values as they are declared; what they come to is read in `option_values`."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from pytest_llmclf.files import HOME_FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


def add_options(parser: pytest.Parser) -> None:
    """Declare every option; each destination starts with ``llmclf_``."""
    # Values are JSON built-ins: xdist sends them to its workers.
    group = parser.getgroup("llmclf", "vision LLMs as image classifiers")
    for declare in (_add_questions, _add_judging, _add_reaching, _add_written):
        declare(group.addoption)
    _add_ini(parser)


def _add_questions(add: Callable[..., None]) -> None:
    """Declare what is asked, and of whom."""
    add(
        "--llmclf-model", action="append", dest="llmclf_model", metavar="MODEL", default=None,
        help="who is asked: auto (default), ollama:llava, openai:NAME@URL, llamacpp:micro-llava, "
        "llamacpp:TEXT.gguf+MMPROJ.gguf, replay:FILE; repeat for several models in one run "
        "(also: LLMCLF_MODEL, ini llmclf_model)",
    )  # fmt: skip
    add(
        "--llmclf-sample", type=at_least(int, 1), dest="llmclf_sample", metavar="N", default=None,
        help="ask only N pictures a class, chosen by --llmclf-seed",
    )  # fmt: skip
    add(
        "--llmclf-seed", type=int, dest="llmclf_seed", metavar="SEED", default=None,
        help="seed of the random order of images and of --llmclf-sample (default: a fixed one, "
        "the same for everybody)",
    )  # fmt: skip
    add(
        "--llmclf-repeats", type=at_least(int, 1), dest="llmclf_repeats", metavar="N", default=1,
        help="ask every question N times, to see how often the model changes its mind",
    )  # fmt: skip
    add(
        "--llmclf-think", dest="llmclf_think", metavar="HOW", default=None,
        help="whether models are to think before they answer, whatever evaluations say: off, on, "
        "low, medium or high (default: off where the server can be told; also: ini llmclf_think)",
    )  # fmt: skip
    add(
        "--llmclf-fresh", action="store_true", dest="llmclf_fresh", default=False,
        help="ask anew even where the answer is known from an earlier run",
    )  # fmt: skip
    add(
        "--llmclf-record", dest="llmclf_record", metavar="FILE", default=None,
        help="keep every answer in FILE, to be played back with --llmclf-model replay:FILE",
    )  # fmt: skip


def _add_judging(add: Callable[..., None]) -> None:
    """Declare what is made of the answers."""
    add(
        "--llmclf-gate", action="append", dest="llmclf_gate", metavar="'NAME: GATE'", default=None,
        help="one more gate for an evaluation, such as 'mnist: accuracy>=0.75, recall[7]>=0.6' or "
        "'*: accuracy>=0.8 with 95%% confidence'; may be repeated (also: ini llmclf_gates)",
    )  # fmt: skip
    add(
        "--llmclf-inconclusive", choices=["fail", "allow"], dest="llmclf_inconclusive",
        default=None,
        help="what a gate that the images cannot decide does: fail (default) or allow; one on "
        "images without an answer always fails (also: ini llmclf_inconclusive)",
    )  # fmt: skip
    add(
        "--llmclf-stop-early", action="store_true", dest="llmclf_stop_early", default=False,
        help="stop as soon as all gates of an evaluation, and its comparison with committed "
        "predictions, are decided",
    )  # fmt: skip
    add(
        "--llmclf-stop-error", type=_share, dest="llmclf_stop_error", metavar="SHARE",
        default=None, help="how often stopping early may come to another verdict than all images "
        "would, over all gates of an evaluation (default: 0.05)",
    )  # fmt: skip
    add(
        "--llmclf-tolerance", dest="llmclf_tolerance", metavar="LOSS", default=None,
        help="largest net loss against the committed predictions that passes: pictures (3) or a "
        "share (2%%); a significant one never does (also: ini llmclf_tolerance)",
    )  # fmt: skip
    add(
        "--llmclf-margin", dest="llmclf_margin", metavar="SHARE", default=None,
        help="a loss of accuracy below SHARE (2%%) against the committed predictions is fine: one "
        "as large must be excluded with 95%% confidence (also: ini llmclf_margin)",
    )  # fmt: skip
    add(
        "--llmclf-strict", action="store_true", dest="llmclf_strict", default=False,
        help="a misclassified or unparsed picture fails its test",
    )  # fmt: skip


def _add_reaching(add: Callable[..., None]) -> None:
    """Declare how servers and files are reached."""
    add(
        "--llmclf-allow-remote", action="append", dest="llmclf_allow_remote", metavar="HOST",
        default=None,
        help="let pictures leave this machine for HOST (nothing but loopback is used otherwise)",
    )  # fmt: skip
    add(
        "--llmclf-allow-clear-key", action="append", dest="llmclf_allow_clear_key",
        metavar="HOST", default=None,
        help="let a key or password go to HOST unencrypted (otherwise over TLS or to this machine "
        "only)",
    )  # fmt: skip
    add(
        "--llmclf-allow-links", action="append", dest="llmclf_allow_links", metavar="FOLDER",
        default=None,
        help="let links among the images lead into FOLDER (nothing outside of a dataset's own "
        "folder is read otherwise; also: ini llmclf_allow_links)",
    )  # fmt: skip
    add(
        "--llmclf-in-flight", type=at_least(int, 1), dest="llmclf_in_flight", metavar="N",
        default=None, help="requests in flight a model (default: learnt from how fast each server "
        "answers; twice the slots of a llama-server that is started for the run)",
    )  # fmt: skip
    add(
        "--llmclf-attempts", type=at_least(int, 1), dest="llmclf_attempts", metavar="N",
        default=4, help="times one picture is asked when the server fails (default: %(default)s)",
    )  # fmt: skip
    add(
        "--llmclf-server-wait", type=at_least(float, 0), dest="llmclf_server_wait",
        metavar="MINUTES", default=None,
        help="how long a server that was reached in this run is waited for when it is away or "
        "busy; 0: not at all (default: 5; also: ini llmclf_server_wait)",
    )  # fmt: skip
    add(
        "--llmclf-timeout", type=at_least(float, 0.1), dest="llmclf_timeout", metavar="SECONDS",
        default=300.0, help="seconds one request may take (default: %(default)s)",
    )  # fmt: skip
    add(
        "--llmclf-pull", action="store_true", dest="llmclf_pull", default=False,
        help="let Ollama download a model that it does not have",
    )  # fmt: skip


def _add_written(add: Callable[..., None]) -> None:
    """Declare what is written, and where."""
    add(
        "--llmclf-home", dest="llmclf_home", metavar="FOLDER", default=None,
        help=f"folder of known answers and of runs (default: {HOME_FOLDER} in the project's "
        "root: the nearest folder with modelfiles/, else pytest's own root folder)",
    )  # fmt: skip
    add(
        "--llmclf-run", dest="llmclf_run", metavar="FOLDER", default=None,
        help="folder for this run's files (default: a new one in the home folder)",
    )  # fmt: skip
    add(
        "--llmclf-html", dest="llmclf_html", metavar="PATH", default=None,
        help="where to write the page for a browser (default: page.html in the run's folder)",
    )  # fmt: skip
    add(
        "--llmclf-no-pictures", action="store_true", dest="llmclf_no_pictures", default=False,
        help="leave the pictures out of the page",
    )  # fmt: skip
    add(
        "--llmclf-picture-budget", type=at_least(float, 0.1), dest="llmclf_picture_budget",
        metavar="MB", default=11.0,
        help="megabytes of the page that pictures may take (default: %(default)s)",
    )  # fmt: skip
    add(
        "--llmclf-summary", dest="llmclf_summary", metavar="PATH", default=None,
        help="write the summary in Markdown there, too ($GITHUB_STEP_SUMMARY gets it anyway)",
    )  # fmt: skip
    add(
        "--llmclf-parquet", action="store_true", dest="llmclf_parquet", default=False,
        help="write outcomes.parquet as well (needs pyarrow)",
    )  # fmt: skip


def _add_ini(parser: pytest.Parser) -> None:
    """Declare the values of the ini file."""
    parser.addini("llmclf_model", "who is asked, one a line (default: auto)", "linelist", [])
    parser.addini("llmclf_gates", "further gates, one 'NAME: GATE' a line", "linelist", [])
    parser.addini("llmclf_inconclusive", "what an undecided gate does: fail or allow", default="")
    parser.addini("llmclf_margin", "loss of accuracy that a baseline must exclude", default="")
    parser.addini("llmclf_tolerance", "largest net loss against a baseline", default="")
    parser.addini("llmclf_think", "whether models are to think: off, on, low ...", default="")
    parser.addini("llmclf_server_wait", "minutes that a server is waited for", default="")
    parser.addini("llmclf_allow_remote", "hosts that images may be sent to", "linelist", [])
    parser.addini("llmclf_allow_links", "folders that links may lead into", "linelist", [])
    parser.addini(
        "llmclf_allow_clear_key", "hosts that keys may be sent to unencrypted", "linelist", []
    )


def _refused(why: str) -> argparse.ArgumentTypeError:
    """The error of a value, of which CI hears now: pytest ends before anything else can tell it."""
    from pytest_llmclf.plugin.github import command, on_github

    if on_github():
        sys.stdout.write(command("error", "usage error", why) + "\n")
    return argparse.ArgumentTypeError(why)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise _refused(f"{text!r} is not a number") from None
    if not 0 < value < 0.5:  # noqa: PLR2004 - beyond one half a coin does better
        raise _refused(f"{text} is not between 0 and 0.5")
    return value


def at_least(kind: Callable[[str], Any], lowest: float) -> Callable[[str], Any]:
    """What reads a number of some kind that is not below the lowest, for argparse."""

    def parse(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            raise _refused(f"{text!r} is not a number") from None
        if not value >= lowest:
            raise _refused(f"{text} is below {lowest}")
        return value

    return parse
