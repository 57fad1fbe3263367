"""What a subcommand of ``llmclf`` is, and the arguments that several of them have."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from pytest_llmclf.files import HOME_FOLDER
from pytest_llmclf.runner.shared_options import SHARED_OPTIONS, hosts_of

if TYPE_CHECKING:
    from collections.abc import Iterable

RUN: Final = "folder, name or start of a name in .llmclf/runs, 'latest' or 'previous'"
"""How a finished run is named, for the help."""
_ARGUMENTS: Final[dict[str, dict[str, Any]]] = {
    "run_name": {"metavar": "RUN", "help": RUN},
    "--evaluation": {
        "action": "append",
        "default": [],
        "metavar": "NAME",
        "help": "only this one; may repeat",
    },
    "--gate": {
        "action": "append",
        "default": [],
        "metavar": "EXPRESSION",
        "help": "what is to be reached",
    },
    "--json": {"action": "store_true", "help": "print JSON instead of text"},
    "--no-images": {"action": "store_true", "help": "leave the images out of the page"},
    "--no-near-copies": {
        "action": "store_true",
        "help": "do not look for images that look alike",
    },
    "--home": {
        "type": Path,
        "metavar": "FOLDER",
        "help": "folder of answers, runs and imported datasets (default: the project's "
        f"{HOME_FOLDER})",
    },
}
_DONE_OR_NOT: Final = """\
exit code:
  0  done
  2  not done: the message says why
"""
_OPTION: Final = re.compile(r"--llmclf-[a-z-]+")
_CLAUSE: Final = re.compile(r"(; |, or )")
_LONGEST_ADVICE: Final = 10_000


class ExitCode(IntEnum):
    """How a command ends; what 1 means is in the help of each that ends so.

    Attributes:
        about: What it means.
    """

    about: str
    DONE = 0, "done"
    FOUND = 1, "found something: a worse run, a model that cannot see, an image without an answer"
    NOT_DONE = 2, "not done, or what came of it could not be written: the message says why"
    INTERRUPTED = 130, "interrupted by Ctrl-C"
    PIPE_CLOSED = 141, "whoever read the output, such as `| head`, stopped reading"

    def __new__(cls, code: int, about: str) -> Self:
        """A number with its meaning."""
        made = int.__new__(cls, code)
        made._value_, made.about = code, about
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandHelp:
    """What ``--help`` says of a subcommand, besides its arguments.

    Attributes:
        name: Of the subcommand.
        summary: A line for the list of all commands.
        description: Above the arguments.
        about: What to know, below the arguments.
        examples: Command lines without the command itself.
        exit_codes: What they mean; default: of a command that either does a thing or does not.
    """

    name: str
    summary: str
    description: str
    about: str
    examples: str
    exit_codes: str = _DONE_OR_NOT


class CommandModule(Protocol):
    """A module of this package that is a subcommand."""

    HELP: CommandHelp

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare its arguments."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it, and return the exit code."""


def add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], module: CommandModule
) -> None:
    """Declare a subcommand, whose help keeps its lines as they are written."""
    told = module.HELP
    parser = commands.add_parser(
        told.name,
        help=told.summary,
        description=told.description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    examples = [f"  {parser.prog} {line}".rstrip() for line in told.examples.splitlines()]
    parser.epilog = "\n\n".join((told.about, "\n".join(["examples:", *examples]), told.exit_codes))
    parser.set_defaults(run=module.run, command=parser)
    module.declare(parser)


def add_arguments(parser: argparse.ArgumentParser, *names: str) -> None:
    """Declare arguments that are the same in several commands."""
    for name in names:
        parser.add_argument(name, **_ARGUMENTS[name])


def add_shared_options(parser: argparse.ArgumentParser, *further: str) -> None:
    """Declare how servers are reached, under the names that evaluations have for it, too.

    Messages of backends name the options of evaluations.

    Args:
        parser: Of the command.
        further: More of `SHARED_OPTIONS` than all commands have.
    """
    for name in (*further, "timeout", "allow-remote", "allow-clear-key", "pull"):
        parser.add_argument(f"--{name}", f"--llmclf-{name}", **SHARED_OPTIONS[name])


def add_model(parser: argparse.ArgumentParser, **more: Any) -> None:
    """Declare ``--model``, under its name for evaluations, too."""
    parser.add_argument(
        "--model",
        "--llmclf-model",
        metavar="MODEL",
        **{"help": "who is asked, as for evaluations", **more},
    )


def reaching(arguments: argparse.Namespace) -> dict[str, Any]:
    """What `add_shared_options` declares, as keyword arguments of `ConnectSettings`."""
    return {
        "timeout_s": arguments.timeout,
        "allow_remote": hosts_of(arguments.allow_remote),
        "allow_clear_key": hosts_of(arguments.allow_clear_key),
        "pull": arguments.pull,
    }


def own_options(text: str, arguments: argparse.Namespace) -> str:
    """Advice that speaks of options of evaluations, in those of a command.

    An option is named as the command has it; a clause about one that it does not have is left out.

    Args:
        text: Such as "allow more time: --llmclf-timeout".
        arguments: The command line, read by a parser of `add_command`.
    """
    known: Iterable[str] = arguments.command._option_string_actions  # noqa: SLF001 - nothing public

    def fits(clause: str) -> bool:
        return all(_own(option) in known for option in _OPTION.findall(clause))

    first, *rest = _CLAUSE.split(text[:_LONGEST_ADVICE])
    kept = first if fits(first) else ""
    for between, clause in zip(rest[::2], rest[1::2], strict=True):
        if fits(clause):
            kept += between + clause if kept else clause
    return _OPTION.sub(lambda found: _own(found[0]), kept)


def _own(option: str) -> str:
    return option.replace("--llmclf-", "--", 1)
