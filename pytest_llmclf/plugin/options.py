"""Command line, environment and ini: read once into `Settings`."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llmclf.analysis.comparison.margin import Margin
    from pytest_llmclf.analysis.comparison.tolerance import Tolerance
    from pytest_llmclf.gates.gate import Gate
    from pytest_llmclf.models.spec import ModelSpec
    from pytest_llmclf.plugin.session import Run
    from pytest_llmclf.runner.settings import Inconclusive, Settings
    from pytest_llmclf.values.thinking import Think

HOME_FOLDER = ".llmclf"


def add_options(parser: pytest.Parser) -> None:
    """Declare every option; each destination starts with ``llmclf_``."""
    # Values are JSON built-ins: xdist sends them to its workers.
    group = parser.getgroup("llmclf", "vision LLMs as image classifiers")
    add = group.addoption
    add(
        "--llmclf-model", action="append", dest="llmclf_model", metavar="MODEL", default=None,
        help="who is asked: auto (default), ollama:llava, openai:NAME@URL, llamacpp:micro-llava, "
        "llamacpp:TEXT.gguf+MMPROJ.gguf, replay:FILE; repeat for several models in one run "
        "(also: LLMCLF_MODEL, ini llmclf_model)",
    )  # fmt: skip
    add(
        "--llmclf-sample", type=_at_least(int, 1), dest="llmclf_sample", metavar="N", default=None,
        help="ask only N pictures a class, chosen by --llmclf-seed",
    )  # fmt: skip
    add(
        "--llmclf-seed", type=int, dest="llmclf_seed", metavar="SEED", default=None,
        help="seed of the random order of images and of --llmclf-sample (default: a fixed one, "
        "the same for everybody)",
    )  # fmt: skip
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
        "--llmclf-repeats", type=_at_least(int, 1), dest="llmclf_repeats", metavar="N", default=1,
        help="ask every question N times, to see how often the model changes its mind",
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
    add(
        "--llmclf-think", dest="llmclf_think", metavar="HOW", default=None,
        help="whether models are to think before they answer, whatever evaluations say: off, on, "
        "low, medium or high (default: off where the server can be told; also: ini llmclf_think)",
    )  # fmt: skip
    add(
        "--llmclf-record", dest="llmclf_record", metavar="FILE", default=None,
        help="keep every answer in FILE, to be played back with --llmclf-model replay:FILE",
    )  # fmt: skip
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
        "--llmclf-in-flight", type=_at_least(int, 1), dest="llmclf_in_flight", metavar="N",
        default=None, help="requests in flight a model (default: learnt from how fast each server "
        "answers; twice the slots of a llama-server that is started for the run)",
    )  # fmt: skip
    add(
        "--llmclf-attempts", type=_at_least(int, 1), dest="llmclf_attempts", metavar="N",
        default=4, help="times one picture is asked when the server fails (default: %(default)s)",
    )  # fmt: skip
    add(
        "--llmclf-server-wait", type=_at_least(float, 0), dest="llmclf_server_wait",
        metavar="MINUTES", default=None,
        help="how long a server that was reached in this run is waited for when it is away or "
        "busy; 0: not at all (default: 5; also: ini llmclf_server_wait)",
    )  # fmt: skip
    add(
        "--llmclf-timeout", type=_at_least(float, 0.1), dest="llmclf_timeout", metavar="SECONDS",
        default=300.0, help="seconds one request may take (default: %(default)s)",
    )  # fmt: skip
    add(
        "--llmclf-fresh", action="store_true", dest="llmclf_fresh", default=False,
        help="ask anew even where the answer is known from an earlier run",
    )  # fmt: skip
    add(
        "--llmclf-pull", action="store_true", dest="llmclf_pull", default=False,
        help="let Ollama download a model that it does not have",
    )  # fmt: skip
    add(
        "--llmclf-home", dest="llmclf_home", metavar="FOLDER", default=None,
        help=f"folder of known answers and of runs (default: {HOME_FOLDER} in the root folder)",
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
        "--llmclf-picture-budget", type=_at_least(float, 0.1), dest="llmclf_picture_budget",
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
    add(
        "--llmclf-decimals", type=_at_least(int, 1), dest="llmclf_decimals", metavar="N",
        default=3, help="decimal places in tables (default: %(default)s)",
    )  # fmt: skip
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


def check_options(config: pytest.Config) -> None:
    """Refuse what cannot be meant before anything is collected.

    Raises:
        pytest.UsageError: Which one, and what was probably meant.
    """
    option = config.option
    if option.llmclf_model:
        _parse_models(option.llmclf_model)
    if option.llmclf_gate:
        _parse_gates("--llmclf-gate", option.llmclf_gate)
    if option.llmclf_tolerance is not None:
        _parse_tolerance("--llmclf-tolerance", option.llmclf_tolerance)
    if option.llmclf_margin is not None:
        _parse_margin("--llmclf-margin", option.llmclf_margin)
    if option.llmclf_think is not None:
        _parse_think("--llmclf-think", option.llmclf_think)
    if option.llmclf_stop_error is not None and not option.llmclf_stop_early:
        raise pytest.UsageError("--llmclf-stop-error has no effect without --llmclf-stop-early")
    if option.llmclf_parquet:
        _need_parquet()


def _need_parquet() -> None:
    from pytest_llmclf.reporting.dataframes import ParquetUnavailable, need_parquet

    try:
        need_parquet()
    except ParquetUnavailable as error:
        raise pytest.UsageError(f"--llmclf-parquet: {error}") from error


def check_gate_names(config: pytest.Config, run: Run) -> None:
    """Refuse a gate from the command line that no collected evaluation is meant by.

    Those of the ini file may be for evaluations that are not run today.

    Raises:
        pytest.UsageError: Which gate, and what was probably meant.
    """
    if not config.option.llmclf_gate:
        return
    from pytest_llmclf.errors import SettingsError
    from pytest_llmclf.gates.gate import check_addresses

    titles = list(dict.fromkeys(key[0] for key in run.assignments))
    if not titles:
        return  # why nothing could be collected is said already
    try:
        check_addresses(_parse_gates("--llmclf-gate", config.option.llmclf_gate), titles)
    except SettingsError as error:
        raise pytest.UsageError(f"--llmclf-gate {error}") from error


def _parse_models(texts: list[str]) -> tuple[ModelSpec, ...]:
    from pytest_llmclf.errors import SettingsError
    from pytest_llmclf.models.spec import parse_spec

    try:
        return tuple(dict.fromkeys(parse_spec(text) for text in texts))
    except SettingsError as error:
        raise pytest.UsageError(f"--llmclf-model: {error}") from error


def _parse_gates(place: str, texts: list[str]) -> tuple[tuple[str, Gate], ...]:
    from pytest_llmclf.errors import SettingsError
    from pytest_llmclf.gates.gate import parse_addressed

    try:
        return tuple(map(parse_addressed, texts))
    except SettingsError as error:
        raise pytest.UsageError(f"{place}: {error}") from error


def _parse_tolerance(place: str, text: str) -> Tolerance:
    from pytest_llmclf.analysis.comparison.tolerance import parse_tolerance
    from pytest_llmclf.errors import SettingsError

    try:
        return parse_tolerance(text)
    except SettingsError as error:
        raise pytest.UsageError(f"{place}: {error}") from error


def read_settings(config: pytest.Config) -> Settings:
    """Everything the user said, checked.

    Raises:
        pytest.UsageError: A value makes no sense; the message says which and the remedy.
    """
    # Imported here: a run without an evaluation never gets this far.
    from pytest_llmclf.gates.sequential.watch import EARLY_ERROR
    from pytest_llmclf.runner.job import AskingPolicy
    from pytest_llmclf.runner.settings import DEFAULT_SEED, Settings

    option = config.option
    if getattr(option, "forked", False):
        raise pytest.UsageError(
            "--forked gives each test a process of its own, and the threads that ask ahead are "
            "not in it: leave it out for evaluations; -n N runs tests in several processes"
        )
    models = _parse_models(_models(config))
    asking = AskingPolicy(
        in_flight=option.llmclf_in_flight,
        attempts=option.llmclf_attempts,
        fresh=option.llmclf_fresh,
        away_s=_server_wait_s(config),
    )
    if option.llmclf_stop_early:
        # What is asked far ahead of a decision is asked for nothing.
        asking = replace(asking, ahead=None)
    home = config.rootpath / HOME_FOLDER
    if option.llmclf_home is not None:
        home = _absolute(config, option.llmclf_home)
    remote = [*(option.llmclf_allow_remote or ()), *config.getini("llmclf_allow_remote")]
    clear = [*(option.llmclf_allow_clear_key or ()), *config.getini("llmclf_allow_clear_key")]
    return Settings(
        root=config.rootpath,
        home=home,
        models=models,
        sample=option.llmclf_sample,
        seed=DEFAULT_SEED if option.llmclf_seed is None else option.llmclf_seed,
        strict=option.llmclf_strict,
        record=None if option.llmclf_record is None else _absolute(config, option.llmclf_record),
        allow_remote=frozenset(host.strip().lower() for host in remote),
        allow_clear_key=frozenset(host.strip().lower() for host in clear),
        allow_links=_allowed_links(config),
        asking=asking,
        timeout_s=option.llmclf_timeout,
        pull=option.llmclf_pull,
        run_folder=None if option.llmclf_run is None else _absolute(config, option.llmclf_run),
        decimals=option.llmclf_decimals,
        gates=(
            *_parse_gates("ini llmclf_gates", config.getini("llmclf_gates")),
            *_parse_gates("--llmclf-gate", option.llmclf_gate or []),
        ),
        inconclusive=_inconclusive(config),
        stop_early=(option.llmclf_stop_error or EARLY_ERROR) if option.llmclf_stop_early else None,
        repeats=option.llmclf_repeats,
        tolerance=_tolerance(config),
        margin=_margin(config),
        page=None if option.llmclf_html is None else _absolute(config, option.llmclf_html),
        picture_bytes=0 if option.llmclf_no_pictures else round(option.llmclf_picture_budget * 1e6),
        summary=None if option.llmclf_summary is None else _absolute(config, option.llmclf_summary),
        parquet=option.llmclf_parquet,
        think=_think(config),
    )


def _think(config: pytest.Config) -> Think | None:
    said: str = config.getini("llmclf_think")
    if config.option.llmclf_think is not None:
        return _parse_think("--llmclf-think", config.option.llmclf_think)
    return _parse_think("ini llmclf_think", said) if said else None


def _parse_think(place: str, text: str) -> Think:
    from pytest_llmclf.errors import SettingsError
    from pytest_llmclf.values.thinking import parse_think

    try:
        return parse_think(text)
    except SettingsError as error:
        raise pytest.UsageError(f"{place}: {error}") from error


def _allowed_links(config: pytest.Config) -> tuple[Path, ...]:
    from_ini: list[str] = config.getini("llmclf_allow_links")
    said = config.option.llmclf_allow_links or ()
    folders = [
        *(_absolute(config, text) for text in said),
        # As other paths of an ini file, they count from the root folder.
        *(config.rootpath / Path(text.strip()).expanduser() for text in from_ini),
    ]
    for folder in folders:
        if not folder.is_dir():
            raise pytest.UsageError(f"--llmclf-allow-links: there is no folder {folder}")
    return tuple(folders)


def _server_wait_s(config: pytest.Config) -> float:
    from pytest_llmclf.runner.job import AWAY_S

    minutes: float | None = config.option.llmclf_server_wait
    said: str = config.getini("llmclf_server_wait")
    if minutes is None and said:
        try:
            minutes = _at_least(float, 0)(said)
        except argparse.ArgumentTypeError as error:
            raise pytest.UsageError(f"ini llmclf_server_wait: {error}") from error
    return AWAY_S if minutes is None else 60 * minutes


def _inconclusive(config: pytest.Config) -> Inconclusive:
    from pytest_llmclf.runner.settings import INCONCLUSIVE

    said: str = config.option.llmclf_inconclusive or config.getini("llmclf_inconclusive") or "fail"
    if said not in INCONCLUSIVE:
        raise pytest.UsageError(
            f"ini llmclf_inconclusive: {said!r} is not one of {', '.join(INCONCLUSIVE)}"
        )
    return cast("Inconclusive", said)


def _parse_margin(place: str, text: str) -> Margin:
    from pytest_llmclf.analysis.comparison.margin import parse_margin
    from pytest_llmclf.errors import SettingsError

    try:
        return parse_margin(text)
    except SettingsError as error:
        raise pytest.UsageError(f"{place}: {error}") from error


def _margin(config: pytest.Config) -> Margin | None:
    if config.option.llmclf_margin is not None:
        return _parse_margin("--llmclf-margin", config.option.llmclf_margin)
    from_ini: str = config.getini("llmclf_margin")
    return _parse_margin("ini llmclf_margin", from_ini) if from_ini else None


def _tolerance(config: pytest.Config) -> Tolerance | None:
    if config.option.llmclf_tolerance is not None:
        return _parse_tolerance("--llmclf-tolerance", config.option.llmclf_tolerance)
    from_ini: str = config.getini("llmclf_tolerance")
    return _parse_tolerance("ini llmclf_tolerance", from_ini) if from_ini else None


def _models(config: pytest.Config) -> list[str]:
    # Command line over environment over ini; each replaces, none adds.
    said: list[str] = config.option.llmclf_model or []
    from_environment = os.environ.get("LLMCLF_MODEL", "").split()
    from_ini: list[str] = config.getini("llmclf_model")
    return said or from_environment or from_ini or ["auto"]


def _absolute(config: pytest.Config, text: str) -> Path:
    # Paths on the command line are relative to where pytest was called, as its own are;
    # options stay text, since xdist can send only built-ins to its workers.
    return (config.invocation_params.dir / Path(text).expanduser()).absolute()


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


def _at_least(kind: Callable[[str], Any], lowest: float) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            raise _refused(f"{text!r} is not a number") from None
        if not value >= lowest:
            raise _refused(f"{text} is below {lowest}")
        return value

    return parse
