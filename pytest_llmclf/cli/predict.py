"""``llmclf predict EVALUATION``: ask about every image of a manifest, outside of pytest."""

from __future__ import annotations

import os
import re
import shlex
import sys
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmclf.cli.cache import STORE
from pytest_llmclf.cli.command import (
    CommandHelp,
    ExitCode,
    add_arguments,
    add_model,
    add_shared_options,
    own_options,
    reaching,
)
from pytest_llmclf.cli.console import style_of
from pytest_llmclf.cli.project import writing
from pytest_llmclf.cli.single_image import MODEL_VARIABLE, wanted_model
from pytest_llmclf.errors import (
    BackendError,
    BadAnswer,
    DatasetError,
    LlmclfError,
    SettingsError,
    StoreError,
)
from pytest_llmclf.files import HOME_FOLDER, require_place
from pytest_llmclf.progress import ProgressLine
from pytest_llmclf.reporting.numbers import plural
from pytest_llmclf.runner.settings import project_root
from pytest_llmclf.runner.shared_options import at_least, naming
from pytest_llmclf.values.thinking import parse_think

if TYPE_CHECKING:
    import argparse
    from collections.abc import Generator

    from pytest_llmclf.batch.batch_task import BatchTask
    from pytest_llmclf.batch.tally import Batch, FailureFile, Tally
    from pytest_llmclf.models.reach import ConnectSettings
    from pytest_llmclf.runner.evaluation import Evaluation

HELP = CommandHelp(
    name="predict",
    summary="ask about every image of a manifest of any length",
    description="Ask about every image of an evaluation, so that pytest finds the answers.",
    about=f"""\
Fills the answer store that pytest reads; nothing is judged. Rows whose answer is known are not
asked about again, so the same command goes on where an earlier one was stopped, however it ended.
What got no answer is listed in a file and asked about next time. EVALUATION is a file, or
FILE::NAME where it declares several. Without --model the environment's {MODEL_VARIABLE} is asked,
else as for evaluations.""",
    examples="""\
evals/test_mnist.py
evals/test_pets.py --servers http://gpu1:11434 --allow-remote gpu1
evals/test_pets.py --manifest all.csv --engine ray --workers 8""",
    exit_codes="""\
exit code:
  0  every row has its answer
  1  some have none: the message says why, and where they are listed
  2  nothing was asked: the message says why
  130  interrupted by Ctrl-C; what was answered is kept
""",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    """How the asking ended.

    Attributes:
        tally: What became of the rows.
        spent_s: Seconds that it took.
        stopped: Why not all rows were looked at, or ``None``.
        interrupted: Whether by Ctrl-C.
    """

    tally: Tally
    spent_s: float
    stopped: str | None
    interrupted: bool

    @property
    def code(self) -> int:
        """What the command returns."""
        if self.interrupted:
            return ExitCode.INTERRUPTED
        return ExitCode.DONE if not self.tally.failed and self.stopped is None else ExitCode.FOUND


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add = parser.add_argument
    add("evaluation", metavar="EVALUATION", help="the file that declares it, or FILE::NAME")
    add_model(parser)
    add(
        "--manifest",
        type=Path,
        metavar="FILE",
        help="images to ask about, .csv or .jsonl (default: the evaluation's dataset)",
    )
    add(
        "--variant",
        default="",
        metavar="NAME",
        help="which variant to ask, of an evaluation that declares some",
    )
    add(
        "--final",
        "--llmclf-final",
        action="store_true",
        help="ask about the images that are held out, instead of the others",
    )
    add(
        "--limit",
        type=at_least(int, 1),
        metavar="N",
        help="only the first N rows of those asked about",
    )
    _declare_engine(parser)
    add(
        "--servers",
        type=naming("server"),
        metavar="URL,...",
        help="Ollama servers (default: OLLAMA_HOST, else this machine's)",
    )
    add_shared_options(parser, "allow-links", "think", "in-flight", "attempts", "server-wait")
    add_arguments(parser, "--home")


def _declare_engine(parser: argparse.ArgumentParser) -> None:
    """Declare where the questions are asked from."""
    add = parser.add_argument
    add(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="this process, or several through Ray Data (default: %(default)s)",
    )
    add(
        "--workers",
        type=at_least(int, 1),
        default=2,
        metavar="N",
        help="Ray: processes that ask (%(default)s)",
    )
    add(
        "--ray-address",
        default="",
        metavar="HOST:PORT",
        help="Ray: an existing cluster, or 'auto' (default: one of its own on this machine)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Ask about every row, print what became of them and return the exit code.

    Raises:
        LlmclfError: Evaluation, dataset, model or server are not there or make no sense.
    """
    from pytest_llmclf.batch.declared import read_evaluation
    from pytest_llmclf.batch.tally import FailureFile
    from pytest_llmclf.data.archives.choosing import file_name

    if arguments.ray_address and arguments.engine != "ray":
        raise SettingsError("--ray-address has no effect without --engine ray")
    evaluation, declared_in = read_evaluation(arguments.evaluation)
    batch_task = _planned(arguments, evaluation, declared_in)
    home = project_root(declared_in, Path.cwd()) / HOME_FOLDER
    if arguments.home is not None:
        home = arguments.home.expanduser().absolute()
    _open_store(home)
    task = batch_task.task
    if not arguments.ray_address:  # machines of a cluster may have servers of their own
        _reach(batch_task, home / STORE)
    for line in (task.reason or task.key.configuration, batch_task.part_note):
        if line:
            sys.stderr.write(f"{evaluation.title}: {own_options(line, arguments)}\n")
    name = file_name(f"{evaluation.title}-{task.key.configuration}")
    with writing("the list of failures", "remove it, or choose another folder with --home"):
        failure_file = FailureFile(require_place(home / "predict" / f"{name}.failures.jsonl"))
    with (
        failure_file as failures,
        ProgressLine(sys.stderr) as progress,
        closing(_batches(batch_task, home / STORE, arguments, progress)) as batches,
    ):
        end = _watched(batches, failures, progress)
    if not end.tally.rows and end.stopped is None:
        none = f"none is left, {batch_task.part_note}" if batch_task.left_out else "no images"
        raise DatasetError(f"{batch_task.source}: {none}; there is nothing to ask about")
    _say(end, home / STORE, failures.path, at_once=arguments.engine == "local")
    judging = _judging(arguments, home, declared_in, str(task.spec))
    sys.stdout.write(f"to judge: {judging}\n")
    return end.code


def _planned(arguments: argparse.Namespace, evaluation: Evaluation, declared_in: Path) -> BatchTask:
    """What is asked of whom, and how."""
    from pytest_llmclf.batch.batch_task import plan
    from pytest_llmclf.batch.window import WINDOW
    from pytest_llmclf.models.spec import parse_spec
    from pytest_llmclf.reporting.earlier_confusions import confused_in
    from pytest_llmclf.runner.job import AskingPolicy, away_s

    return plan(
        evaluation,
        declared_in,
        model=parse_spec(wanted_model(arguments.model)),
        manifest=arguments.manifest,
        connect=_connect_settings(arguments),
        asking=AskingPolicy(
            in_flight=arguments.in_flight,
            ahead=WINDOW,
            attempts=arguments.attempts,
            away_s=away_s(arguments.server_wait),
        ),
        limit=arguments.limit,
        links=[Path(folder).expanduser().absolute() for folder in arguments.allow_links or ()],
        think=None if arguments.think is None else parse_think(arguments.think),
        confused=partial(confused_in, evaluation=evaluation.title),
        variant=arguments.variant,
        final=arguments.final,
    )


def _connect_settings(arguments: argparse.Namespace) -> ConnectSettings:
    from pytest_llmclf.models.reach import ConnectSettings

    # Settled here: processes on other machines have an environment of their own.
    servers = arguments.servers or os.environ.get("OLLAMA_HOST", "")
    return ConnectSettings(
        ollama_hosts=tuple(part.strip() for part in servers.split(",") if part.strip()),
        **reaching(arguments),
    )


def _open_store(home: Path) -> None:
    """Make sure that answers will be kept, before the first one is paid for.

    Raises:
        StoreError: The store cannot be used, or was set aside and is empty now.
    """
    from pytest_llmclf.runner.answer_cache import AnswerStore

    with AnswerStore(home / STORE) as store:
        notice = store.notice
    if notice is not None:
        raise StoreError(f"nothing was asked: {notice}; then call this again")
    ignore = home / ".gitignore"
    if not ignore.exists():
        with suppress(OSError):
            ignore.write_text("*\n", encoding="utf-8")


def _reach(batch_task: BatchTask, store_path: Path) -> None:
    """Say at once that there is no server, before the engine waits for one patiently.

    Where it was reached before, what it answered then needs no server.

    Raises:
        BackendError: The server or the model is not there.
    """
    from pytest_llmclf.batch.window import endpoint_key_of
    from pytest_llmclf.models.connect import Connections
    from pytest_llmclf.runner.answer_cache import AnswerStore

    if batch_task.task.spec.backend not in ("ollama", "openai"):
        return
    connections = Connections(batch_task.connect)
    try:
        connections.connect(batch_task.task.spec, batch_task.task.modelfile).identify()
    except BackendError as error:
        endpoint_key = endpoint_key_of(batch_task)
        if endpoint_key is None or not error.retryable or isinstance(error, BadAnswer):
            raise
        with AnswerStore(store_path) as store:
            if store.remembered(endpoint_key) is None:
                raise
    finally:
        connections.close()


def _batches(
    batch_task: BatchTask, store: Path, arguments: argparse.Namespace, progress: ProgressLine
) -> Generator[Batch]:
    def wait(seconds: float | None) -> None:
        if seconds is not None:
            progress(f"waiting for the server ({seconds:.0f} s)", 0, 1)

    if arguments.engine == "local":
        from pytest_llmclf.batch.local import run_local

        return run_local(batch_task, store, wait)
    from pytest_llmclf.batch.on_ray import Cluster, run_on_ray

    cluster = Cluster(workers=arguments.workers, address=arguments.ray_address)
    return run_on_ray(batch_task, store, cluster)


def _watched(batches: Generator[Batch], failures: FailureFile, progress: ProgressLine) -> _End:
    """Count batches as they come, until there is no more or no use."""
    from pytest_llmclf.batch.tally import IN_VAIN, Tally

    tally, stopped, started, interrupted = Tally(), None, time.monotonic(), False
    try:
        for batch in batches:
            tally = tally.plus(batch)
            failures.write(batch.failures)
            progress(f"asking ({tally.failed} failed)", tally.rows, 0)
            if batch.notice is not None:
                stopped = batch.notice
            elif tally.hopeless:
                stopped = f"no answer to {IN_VAIN} questions in a row; see to the server"
            if stopped is not None:
                break
    except KeyboardInterrupt:
        stopped, interrupted = "interrupted", True
    except LlmclfError as error:
        if not tally.rows:
            raise
        stopped = str(error)
    spent_s = time.monotonic() - started
    return _End(tally=tally, spent_s=spent_s, stopped=stopped, interrupted=interrupted)


def _say(end: _End, store: Path, failures: Path, *, at_once: bool) -> None:
    tally = end.tally
    recently = "" if at_once else ", but for the last second or two,"
    rate = f", {tally.asked / end.spent_s:.1f} a second" if tally.asked and end.spent_s else ""
    sys.stdout.write(
        f"{plural(tally.rows, 'row')}: {tally.asked} asked{rate}, {tally.known} known, "
        f"{tally.failed} failed\n"
    )
    style = style_of(sys.stderr)
    for failure in tally.first:
        sys.stderr.write(style.safe(f"  {failure.id or failure.place}: {failure.message}") + "\n")
    if tally.failed:
        sys.stderr.write(f"all without an answer: {failures}\n")
    for sentence in tally.told:
        sys.stderr.write(style.safe(sentence) + "\n")
    if end.interrupted:
        sys.stderr.write(
            f"interrupted: what was answered{recently} is kept in {store}; "
            "the same command goes on from here\n"
        )
    elif end.stopped is not None:
        sys.stderr.write(f"stopped: {end.stopped}; the same command goes on from here\n")


def _judging(arguments: argparse.Namespace, home: Path, declared_in: Path, model: str) -> str:
    """The pytest call that judges the answers, without passwords of servers."""
    from pytest_llmclf.models.spec import without_users

    words = ["pytest", str(declared_in), "--llmclf-model", model]
    words += ["-k", _selecting(arguments.variant)] if arguments.variant else []
    words += ["--llmclf-final"] * arguments.final
    if arguments.servers:
        words = [f"OLLAMA_HOST={without_users(arguments.servers)}", *words]
    for host in arguments.allow_remote or ():
        words += ["--llmclf-allow-remote", host]
    for folder in arguments.allow_links or ():
        words += ["--llmclf-allow-links", folder]
    for host in arguments.allow_clear_key or ():
        words += ["--llmclf-allow-clear-key", host]
    if arguments.think is not None:
        words += ["--llmclf-think", arguments.think]
    if home != Path.cwd() / HOME_FOLDER:
        words += ["--llmclf-home", str(home)]
    return shlex.join(words)


def _selecting(variant: str) -> str:
    """The expression for ``-k`` that selects a variant: its words, as far as pytest takes them."""
    words = re.findall(r"[\w.+-]+", variant)
    if words and variant.endswith(words[-1]):
        words[-1] += "]"  # as ids end, so that "0" of examples=0 is no 0.png
    return " and ".join(word for word in words if word not in ("and", "or", "not")) or variant
