"""The command ``llmclf``: finds the subcommand and says its errors in one line."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, cast

from pytest_llmclf.commands import (
    cache,
    compare,
    completion,
    describe,
    doctor,
    import_,
    new,
    planning,
    predict,
    report,
    reread,
)
from pytest_llmclf.errors import LlmclfError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TROUBLE = 2
"""Exit code of a command that could not do what it was asked for, as argparse's own."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

_COMMANDS = (
    doctor,
    import_,
    new,
    planning,
    describe,
    predict,
    compare,
    report,
    reread,
    cache,
    completion,
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
        return run(chosen)
    except LlmclfError as error:
        sys.stderr.write(f"llmclf: {error}\n")
        return TROUBLE
    except KeyboardInterrupt:
        return INTERRUPTED
