"""Which project a command is called in, and where its files are kept."""

from __future__ import annotations

import argparse
import re
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pytest_llmclf.errors import DatasetError
from pytest_llmclf.files import HOME_FOLDER
from pytest_llmclf.runner.settings import project_root
from pytest_llmclf.runner.shared_options import SHARED_OPTIONS, hosts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_OPTION = re.compile(r"--llmclf-[a-z-]+")
_CLAUSE = re.compile(r"(; |, or )")
_LONGEST_ADVICE = 10_000


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


EXIT_CODES = """\
exit code:
  0  done
  2  not done: the message says why
"""
"""For the help of commands that either do a thing or do not."""


def home_folder(given: Path | None) -> Path:
    """The folder given, or the project's own."""
    if given is None:
        return project_root(Path.cwd()) / HOME_FOLDER
    return given.expanduser().absolute()


def add_run_name(parser: argparse.ArgumentParser) -> None:
    """Declare the argument that names a finished run."""
    parser.add_argument(
        "run_name",
        metavar="RUN",
        help="folder, name or start of a name in .llmclf/runs, 'latest' or 'previous'",
    )


def add_home(parser: argparse.ArgumentParser) -> None:
    """Declare ``--home``."""
    parser.add_argument(
        "--home",
        type=Path,
        metavar="FOLDER",
        help=f"folder of answers, runs and imported datasets (default: the project's "
        f"{HOME_FOLDER})",
    )


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


def described(command: str, text: str, examples: str, exit_codes: str = EXIT_CODES) -> str:
    """The end of a command's help: what to know, examples, exit codes."""
    lines = [f"  llmclf {command} {line}".rstrip() for line in examples.splitlines()]
    parts = [text.strip(), "examples:\n" + "\n".join(lines), exit_codes]
    return "\n\n".join(part for part in parts if part)


def add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    *,
    summary: str,
    description: str,
    epilog: str,
) -> argparse.ArgumentParser:
    """Declare a subcommand whose help keeps its lines as they are written."""
    parser = commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=parser)
    return parser


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


@contextmanager
def own_folder_choices() -> Iterator[None]:
    """Meanwhile a folder that can be read in two ways is refused with options of the command."""
    try:
        yield
    except DatasetError as error:
        if "split=" in str(error) or "label_folder=" in str(error):
            said = f"{error}\n  (here: --split PART, --label-folder first or last)"
            raise DatasetError(said) from error
        raise
