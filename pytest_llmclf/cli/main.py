"""The command ``llmclf``: finds the subcommand and says its errors in one line."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from typing import TYPE_CHECKING, cast

from pytest_llmclf.cli import (
    cache,
    compare_command,
    describe,
    doctor,
    import_,
    init,
    judge_command,
    labels_command,
    leaderboard_command,
    new,
    planning,
    predict,
    report_command,
    reread,
    review_command,
    try_,
)
from pytest_llmclf.cli.command import ExitCode, add_command, own_options
from pytest_llmclf.errors import BackendError, LlmclfError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_UNWRITTEN = "the output could not be written"

_COMMANDS = (
    try_,
    judge_command,
    doctor,
    import_,
    new,
    init,
    planning,
    describe,
    predict,
    compare_command,
    leaderboard_command,
    report_command,
    reread,
    labels_command,
    review_command,
    cache,
)
"""In the order of ``--help``."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand and return its exit code."""
    if sys.stderr is None:  # closed; the next file that is opened would be taken for it
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - until the end
    if sys.stdout is None:
        return _trouble("standard output is closed")
    try:
        code = _called(arguments)
        sys.stdout.flush()
    except SystemExit:  # help, or a usage error, is told
        if _let_go():
            return _trouble(_UNWRITTEN)
        raise
    except BrokenPipeError:
        _let_go()
        return ExitCode.PIPE_CLOSED
    except KeyboardInterrupt:
        _let_go()
        return ExitCode.INTERRUPTED
    except OSError as error:
        # Files have names, and streams have none.
        what = f"{_UNWRITTEN}: " if error.filename is None else ""
        return _trouble(f"{what}{error}")
    return code


def parser() -> argparse.ArgumentParser:
    """What reads the command line, with all subcommands."""
    whole = argparse.ArgumentParser(
        prog="llmclf",
        description="Ask multimodal LLMs for the classes of images, and judge what they answer.",
    )
    commands = whole.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        add_command(commands, command)
    return whole


def _called(arguments: Sequence[str] | None) -> int:
    reader = parser()
    if not (sys.argv[1:] if arguments is None else arguments):
        reader.print_help()
        return 0
    chosen = reader.parse_args(arguments)
    run = cast("Callable[[argparse.Namespace], int]", chosen.run)
    try:
        return run(chosen)
    except LlmclfError as error:
        return _trouble(_told(error, chosen))


def _trouble(why: str) -> int:
    """Say why a command could not do what it was asked for, where that can be written."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"llmclf: {why}\n")
        sys.stderr.flush()
    _let_go()
    return ExitCode.NOT_DONE


def _told(error: LlmclfError, chosen: argparse.Namespace) -> str:
    """An error with its remedy in options that the command has."""
    if not isinstance(error, BackendError):
        return own_options(str(error), chosen)
    return str(type(error)(error.message, remedy=own_options(error.remedy, chosen)))


def _let_go() -> bool:
    """Write to nowhere where nothing can be written; whether that is so of standard output.

    Whoever read may have enough, such as ``| head``, or the disk may be full. Python would try once
    more at its end, and fail with an exit code of its own.
    """
    failed = []
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            failed.append(stream)
            with contextlib.suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)
    return sys.stdout in failed
