"""Which project a command is called in, and where its files are kept."""

from __future__ import annotations

import argparse
from pathlib import Path

from pytest_llmclf.settings import project_root

HOME_FOLDER = ".llmclf"
"""Folder of answers, runs and imported datasets, in the project's root."""

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


def add_home(parser: argparse.ArgumentParser) -> None:
    """Declare ``--home``."""
    parser.add_argument(
        "--home",
        type=Path,
        metavar="FOLDER",
        help=f"folder of answers, runs and imported datasets (default: the project's "
        f"{HOME_FOLDER})",
    )


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
    return commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def at_least(lowest: int, text: str) -> int:
    """A whole number of at least `lowest`, for argparse.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
    if number < lowest:
        raise argparse.ArgumentTypeError(f"{number} is below {lowest}")
    return number
