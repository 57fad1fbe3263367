"""``llmclf completion SHELL``: a script that completes commands and options in a shell.

The script is written from the parser and holds plain lists: no Python is started while somebody
types, which takes longer than people wait for a completion, and no package is needed for it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmclf.cli.project import add_command, described

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Mapping, Sequence

_BASH = """\
# bash completion of llmclf
_llmclf() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}"
    local command="${{COMP_WORDS[1]}}"
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "{names}" -- "$word"))
        return
    fi
    case "$command $before" in
{values}    esac
    case "$command" in
{commands}    esac
}}
# What is in no list may be a file.
complete -o default -F _llmclf llmclf
"""
_ZSH = """\
# zsh takes bash's functions
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
autoload -Uz bashcompinit && bashcompinit
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """An option as a shell sees it.

    Attributes:
        names: Such as ``-h`` and ``--help``.
        help: What it does, without line breaks.
        takes: Whether a value follows.
        choices: The values that it may have; empty for any.
        files: Whether the value is a path.
    """

    names: tuple[str, ...]
    help: str
    takes: bool
    choices: tuple[str, ...]
    files: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A subcommand as a shell sees it.

    Attributes:
        help: What it does.
        options: Its options.
        words: What may stand without an option: choices of its arguments.
        files: Whether an argument is a path.
    """

    help: str
    options: tuple[Option, ...]
    words: tuple[str, ...]
    files: bool


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = add_command(
        commands,
        "completion",
        summary="a script that completes commands and options in a shell",
        description="Write a script that completes llmclf's commands and options.",
        epilog=described(
            "completion",
            "It belongs into the shell's start-up file; write it anew after an update.",
            "bash >> ~/.bashrc\nzsh >> ~/.zshrc\nfish > ~/.config/fish/completions/llmclf.fish",
        ),
    )
    parser.add_argument("shell", choices=sorted(_SHELLS), help="for which shell")
    # All subcommands are known only once every one of them was declared.
    parser.set_defaults(run=partial(_run, commands))


def _run(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], arguments: argparse.Namespace
) -> int:
    sys.stdout.write(_SHELLS[arguments.shell](described_commands(commands)))
    return 0


def described_commands(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> dict[str, Command]:
    """The subcommands of a parser, by name."""
    # argparse has no public way to list what was declared; these names have stayed for decades.
    summaries = {
        action.dest: action.help or ""
        for action in commands._choices_actions  # noqa: SLF001 - see above
    }
    return {
        name: _command(parser, summaries.get(name, ""))
        for name, parser in sorted(commands.choices.items())
    }


def _command(parser: argparse.ArgumentParser, summary: str) -> Command:
    actions: Sequence[argparse.Action] = parser._actions  # noqa: SLF001 - see above
    arguments = [action for action in actions if not action.option_strings]
    return Command(
        help=_plain(summary),
        options=tuple(_option(action) for action in actions if action.option_strings),
        words=tuple(str(choice) for action in arguments for choice in action.choices or ()),
        files=any(_is_path(action) for action in arguments),
    )


def _option(action: argparse.Action) -> Option:
    return Option(
        # The long names of pytest's options are there for messages that name them.
        names=tuple(name for name in action.option_strings if not name.startswith("--llmclf")),
        help=_plain((action.help or "").partition("(default")[0]),
        takes=action.nargs != 0,
        choices=tuple(map(str, action.choices or ())),
        files=_is_path(action),
    )


def _is_path(action: argparse.Action) -> bool:
    # Of arguments without a type, runs of `compare` are folders or names of them.
    return action.type is Path or (not action.option_strings and action.metavar in {"A", "B"})


def _plain(text: str) -> str:
    """Without what means something to argparse or to a shell between single quotes."""
    return " ".join(text.replace("%%", "%").replace("'", "").split())


def bash(commands: Mapping[str, Command]) -> str:
    """The script for bash."""
    values, cases = [], []
    for name, command in commands.items():
        for option in command.options:
            if option.takes:
                patterns = "|".join(f'"{name} {spelling}"' for spelling in option.names)
                reply = _listed(option.choices) if option.choices else ":"
                values.append(f"        {patterns}) {reply}; return ;;\n")
        options = _listed(name for option in command.options for name in option.names)
        cases.append(f'        {name}) case "$word" in\n            -*) {options} ;;\n')
        if command.words:
            words = _listed(command.words)
            cases.append(f'            *) [ "$COMP_CWORD" -eq 2 ] && {words} ;;\n')
        cases.append("        esac ;;\n")
    return _BASH.format(names=" ".join(commands), values="".join(values), commands="".join(cases))


def _listed(words: Iterable[str]) -> str:
    return f'COMPREPLY=($(compgen -W "{" ".join(words)}" -- "$word"))'


def zsh(commands: Mapping[str, Command]) -> str:
    """The script for zsh, which takes bash's functions."""
    return _ZSH + bash(commands)


def fish(commands: Mapping[str, Command]) -> str:
    """The script for fish."""
    lines = ["# fish completion of llmclf", "complete -c llmclf -f"]
    for name, command in commands.items():
        lines.append(f"complete -c llmclf -n __fish_use_subcommand -a {name} -d '{command.help}'")
        here = f"complete -c llmclf -n '__fish_seen_subcommand_from {name}'"
        if command.files:
            lines.append(f"{here} -F")
        if command.words:
            lines.append(f"{here} -a '{' '.join(command.words)}'")
        for option in command.options:
            spelled = " ".join(_fish_name(spelling) for spelling in option.names)
            value = f" -x -a '{' '.join(option.choices)}'" if option.choices else " -x"
            value = " -r -F" if option.files else value
            lines.append(f"{here} {spelled}{value if option.takes else ''} -d '{option.help}'")
    return "\n".join(lines) + "\n"


def _fish_name(spelling: str) -> str:
    return f"-l {spelling[2:]}" if spelling.startswith("--") else f"-s {spelling[1:]}"


_SHELLS: dict[str, Callable[[Mapping[str, Command]], str]] = {
    "bash": bash,
    "fish": fish,
    "zsh": zsh,
}
