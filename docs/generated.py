"""What the reference takes from the code when the site is built; `conf.py` puts it into the pages.

A page of `reference/` says where by a comment, `<!-- generated: NAME -->`. What stands between it
and `<!-- end -->` is for readers of a checkout, and says what prints the same: a command, or
`python -m docs.generated NAME`.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from functools import partial
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any, Final

import pytest_llmclf
from pytest_llmclf.cli import main
from pytest_llmclf.cli.command import ExitCode
from pytest_llmclf.gates import expression
from pytest_llmclf.metrics.metric import Average, Share
from pytest_llmclf.metrics.metric_table import METRICS
from pytest_llmclf.plugin.options import add_options
from pytest_llmclf.reporting.columns import COLUMNS, SCHEMA
from pytest_llmclf.reporting.new_run import RUN_FILES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest_llmclf.metrics.metric import Metric

DOCS: Final = Path(__file__).parent
MARK: Final = re.compile(r"<!-- generated: ([\w ]+) -->\n.*?\n<!-- end -->", re.DOTALL)
_CODE: Final = re.compile(
    r"(?P<code>`[^`]+`)|(?<!\w)'(?P<quoted>[^']+)'(?!\w)|(?<![\w`-])(?P<option>--[a-z][\w-]*)"
    r"|(?P<sign>[\\*_<>\[\]|$])"
)
_COLOUR: Final = re.compile(r"\x1b\[[\d;]*m")
_WIDTH: Final = 88
_LINKS: Final = 3
"""Pages that an option leads to: those that speak of it most."""


class Declared:
    """What the plugin declares to pytest, in a parser of argparse, as those of commands are.

    Attributes:
        options: Parser of the options, in groups.
        ini: What the keys of the ini file mean, by key.
    """

    def __init__(self) -> None:
        self.options = argparse.ArgumentParser(prog="pytest", add_help=False)
        self._group = self.options.add_argument_group()
        self.ini: dict[str, str] = {}
        add_options(self)  # type: ignore[arg-type]  # all that it asks of pytest's parser

    def getgroup(self, _: str, about: str) -> Declared:
        """This very one, for options of a new group with that heading."""
        self._group = self.options.add_argument_group(about.removeprefix("llmclf: "))
        return self

    def addoption(self, name: str, **given: Any) -> None:
        """Declare an option of the group."""
        self._group.add_argument(name, **given)

    def addini(self, name: str, about: str, *_: object, **__: object) -> None:
        """Declare a key of the ini file."""
        self.ini[name] = about


def filled(page: str) -> str:
    """A page's text with everything that is generated in its place."""
    return MARK.sub(lambda found: BLOCKS[found[1]](), page)


def _options() -> str:
    pages = _pages()
    parts = ["```{program} pytest\n```"]
    declared = [
        (group.title if not place else "", action)
        for group in Declared().options._action_groups
        for place, action in enumerate(group._group_actions)
    ]
    for title, action in declared:
        if title:
            parts.append(f"## {title[0].upper()}{title[1:]}")
        used = re.compile(rf"{action.option_strings[0]}(?![\w-])")
        said = {link: len(used.findall(text)) for link, text in pages if used.search(text)}
        links = ", ".join(sorted(said, key=lambda link: -said[link])[:_LINKS])
        parts.append(_option(action, f"\n\nMore in: {links}." if links else ""))
    return "\n\n".join(parts)


def _pages() -> list[tuple[str, str]]:
    """Link and text of every page that a person wrote, in the order of the index."""
    index = (DOCS / "index.md").read_text("utf-8")
    found = []
    for name in dict.fromkeys(re.findall(r"\]\(((?:howto/)?[\w-]+\.md)\)", index)):
        text = (DOCS / name).read_text("utf-8")
        title = text.partition("\n")[0].removeprefix("# ")
        found.append((f"[{title}](../{name})", text))
    return found


def _ini() -> str:
    keys = Declared().ini
    return table("key | what it says", ((f"`{key}`", prose(text)) for key, text in keys.items()))


def _option(action: argparse.Action, more: str = "") -> str:
    """An option or argument as Sphinx describes it, so that it can be searched and linked to."""
    about = prose(argparse.ArgumentParser()._get_formatter()._expand_help(action))
    if action.default not in (None, False, "", [], argparse.SUPPRESS) and "default" not in about:
        about += f" (default: `{action.default}`)"
    return f"````{{option}} {_signature(action)}\n{about}{more}\n````"


def _signature(action: argparse.Action) -> str:
    """An option under its short name, with what it takes; or the name of an argument."""
    choices = "|".join(map(str, action.choices or ()))
    value = action.metavar or choices or action.dest.upper()
    if not action.option_strings:
        return str(value)
    names = [one for one in action.option_strings if not one.startswith("--llmclf-")]
    name = (names or action.option_strings)[0]
    return name if action.nargs == 0 else f"{name} {value}"


def _commands() -> str:
    commands = dict(_subparsers(main.parser()))
    helps = _summaries(main.parser())
    linked = ((f"[`llmclf {one}`](#llmclf-{one})", helps[one]) for one in commands)
    parts = [table("command | what it does", linked)]
    for name, command in commands.items():
        parts += [f"(llmclf-{name})=\n## `llmclf {name}`", *_command(command)]
        for action, deeper in _subparsers(command):
            parts += [f"(llmclf-{name}-{action})=\n### `llmclf {name} {action}`", *_command(deeper)]
    return "\n\n".join(parts)


def _subparsers(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def _summaries(parser: argparse.ArgumentParser) -> dict[str, str]:
    """One line on every subcommand."""
    return {
        choice.dest: prose(choice.help or "")
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
        for choice in action._choices_actions
    }


def _command(command: argparse.ArgumentParser) -> Iterator[str]:
    """What its help says: usage, what it does, arguments, options, examples, exit codes."""
    text, _, rest = (command.epilog or "").partition("examples:\n")
    examples, _, codes = rest.partition("exit code:\n")
    command.formatter_class = partial(argparse.HelpFormatter, width=_WIDTH)
    usage = _COLOUR.sub("", command.format_usage()).removeprefix("usage: ").rstrip()
    yield paragraphs(command.description or "")
    yield f"```text\n{usage}\n```"
    yield paragraphs(text)
    yield f"```{{program}} {command.prog}\n```"
    for action in command._actions:
        if not isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
            yield _option(action)
    if examples:
        lines = "\n".join(line.strip() for line in examples.strip().splitlines())
        yield f"```sh\n{lines}\n```"
    if codes:
        rows = re.findall(r"^  (\d+) +(.*(?:\n {3,}.*)*)", codes, re.MULTILINE)
        yield table("exit code | meaning", ((code, prose(meaning)) for code, meaning in rows))


def _exit_codes() -> str:
    return table("exit code | meaning", ((f"{one:d}", prose(one.about)) for one in ExitCode))


def _grammar() -> str:
    """What the module that reads gates says of them, but for its first line."""
    return paragraphs(inspect.getdoc(expression) or "", skip=1)


def _metrics() -> str:
    rows = (
        (_written(one), prose(one.question), *_values(one), _needs(one)) for one in METRICS.values()
    )
    return table("written | answers | values | with confidence | needs", rows)


def _written(metric: Metric) -> str:
    label = "[LABEL]" if metric.by_class else ""
    part = f", `{metric.name}@coverageSHARE`" if metric.at_coverage else ""
    return f"`{metric.name}{label}`{part}"


def _values(metric: Metric) -> tuple[str, str]:
    """Unit and limits, and what bounds with confidence rest on."""
    limits = "0 and up" if metric.largest is None else f"0 to {metric.largest:g}"
    match metric.bound:
        case Share():
            bounds = "yes: a share of images"
        case Average():
            bounds = "yes: an average over classes"
        case _:
            bounds = f"no: {prose(metric.unsure)}"
    return f"{metric.unit}, {limits}", bounds


def _needs(metric: Metric) -> str:
    needs = {
        "log-probabilities (`top_logprobs`)": metric.probabilities,
        "images of no class": metric.strangers,
        "prices (`--llmclf-price`)": metric.unit == "money",
        f"that every answer has its {metric.unit}": metric.cost and metric.unit != "money",
    }
    return "; ".join(what for what, needed in needs.items() if needed)


def _run_files() -> str:
    rows = ((f"`{one.name}`", one.about, one.when) for one in RUN_FILES)
    return table("file | what it has | when", rows)


def _columns() -> str:
    rows = ((f"`{one.name}`", one.holds, one.about) for one in COLUMNS)
    head = f"These are the columns of schema {SCHEMA}."
    return f"{head}\n\n{table('column | holds | meaning', rows)}"


def _api() -> str:
    """Every public name: first what pages import most, last what is raised."""
    imported = re.findall(
        r"^from pytest_llmclf import (.*)$", "\n".join(text for _, text in _pages()), re.MULTILINE
    )
    words = re.findall(r"\w+", " ".join(imported))
    order = sorted(pytest_llmclf.__all__, key=lambda name: -words.count(name))
    names = [(name, getattr(pytest_llmclf, name)) for name in order]
    raised = [name for name, it in names if isinstance(it, type) and issubclass(it, Exception)]
    lines = []
    for name, it in names:
        if not isinstance(it, type):
            lines.append(f".. autofunction:: pytest_llmclf.{name}")
        elif name not in raised:
            head = f".. autoclass:: pytest_llmclf.{name}"
            lines.append(f"{head}\n   :members:\n   :inherited-members:")
    lines += [f".. autoexception:: pytest_llmclf.{name}" for name in raised]
    return "```{eval-rst}\n" + "\n\n".join(lines) + "\n```"


def table(head: str, rows: Iterable[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    lines = [f"| {head} |", "|" + "---|" * (head.count("|") + 1)]
    for row in rows:
        cells = (cell.replace("|", "\\|").replace("\\\\|", "\\|") for cell in row)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def paragraphs(text: str, skip: int = 0) -> str:
    """Text as a terminal shows it: prose, and parts whose columns are kept; not the first few."""
    parts = re.split(r"\n\s*\n", text.strip())[skip:]
    kept = re.compile(r"^ {2}|\S {2,}\S", re.MULTILINE)
    return "\n\n".join(
        f"```text\n{dedent(one)}\n```" if kept.search(one) else prose(one) for one in parts
    )


def prose(text: str) -> str:
    """Text for people as Markdown: options and what stands in quotes are code, signs are signs."""

    def shown(found: re.Match[str]) -> str:
        if found["sign"]:
            return f"\\{found['sign']}"
        return found["code"] or f"`{found['quoted'] or found['option']}`"

    return _CODE.sub(shown, " ".join(text.split()))


BLOCKS: Final[dict[str, Callable[[], str]]] = {
    "options": _options,
    "ini keys": _ini,
    "commands": _commands,
    "exit codes": _exit_codes,
    "python": _api,
    "grammar": _grammar,
    "metrics": _metrics,
    "run files": _run_files,
    "columns": _columns,
}
"""What can be generated, by the name that pages have for it."""


if __name__ == "__main__":
    NAME: Final = " ".join(sys.argv[1:])
    if NAME not in BLOCKS:
        sys.exit(f"python -m docs.generated NAME: name one of {', '.join(BLOCKS)}")
    print(BLOCKS[NAME]())
