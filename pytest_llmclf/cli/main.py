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
    new,
    planning,
    predict,
    report_command,
    reread,
)
from pytest_llmclf.cli.project import own_options
from pytest_llmclf.errors import BackendError, LlmclfError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TROUBLE = 2
"""Exit code of a command that could not do what it was asked for, as argparse's own."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

PIPE_CLOSED = 141
"""Exit code where whoever read the output stopped reading: as shells have it for SIGPIPE."""

_COMMANDS = (
    doctor,
    import_,
    new,
    planning,
    describe,
    predict,
    compare_command,
    report_command,
    reread,
    cache,
)
"""Modules with ``add_parser``, which sets the default ``run``."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="llmclf", description="What belongs to pytest-llmclf, but to no pytest run."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add_parser(commands)
    chosen = parser.parse_args(arguments)
    run = cast("Callable[[argparse.Namespace], int]", chosen.run)
    try:
        code = run(chosen)
        sys.stdout.flush()
    except LlmclfError as error:
        sys.stderr.write(f"llmclf: {_told(error, chosen)}\n")
        return TROUBLE
    except BrokenPipeError:
        _let_go_of_the_pipe()
        return PIPE_CLOSED
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _told(error: LlmclfError, chosen: argparse.Namespace) -> str:
    """An error with its remedy in options that the command has."""
    if not isinstance(error, BackendError):
        return own_options(str(error), chosen)
    return str(type(error)(error.message, remedy=own_options(error.remedy, chosen)))


def _let_go_of_the_pipe() -> None:
    """Write to nowhere from here on: whoever read has enough, such as ``| head``."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
            continue
        with contextlib.suppress(OSError, ValueError):
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
