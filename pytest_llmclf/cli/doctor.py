"""``llmclf doctor``: what is installed, who answers, who can see, and what to do about the rest."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from pytest_llmclf.cli.command import (
    CommandHelp,
    ExitCode,
    add_arguments,
    add_model,
    add_shared_options,
    own_options,
    reaching,
)
from pytest_llmclf.cli.console import style_of, write, write_json
from pytest_llmclf.cli.project import home_folder
from pytest_llmclf.cli.single_image import MODEL_VARIABLE, wanted_model
from pytest_llmclf.progress import ProgressLine
from pytest_llmclf.reporting.numbers import plural

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from pytest_llmclf.cli.checks import Check, State
    from pytest_llmclf.models.reach import ConnectSettings
    from pytest_llmclf.reporting.style import Line, Mark, Style

SCHEMA = 1
"""Of ``--json``: raised when a field changes its meaning or goes away; new fields do not."""

_MARKS: dict[State, Mark] = {"ok": "green", "note": "yellow", "problem": "red"}
HELP = CommandHelp(
    name="doctor",
    summary="what is installed, which models answer, and whether they can see",
    description="Look at everything that evaluations need, and say what to do.",
    about=f"""\
Without --model it asks whoever evaluations would ask ({MODEL_VARIABLE}, else `auto`), and the
embedded model. A model is shown three plain images (colours, or digits for the embedded one) and
must tell them apart; on Ollama that is a model derived from it (llmclf-...), as for evaluations.
Nothing leaves this machine: servers elsewhere are not asked unless --allow-remote names them, nor
is a model that Ollama has another machine run.""",
    examples="""\

--model ollama:llava --model micro-llava
--json""",
    exit_codes="""\
exit code:
  0  evaluations can run
  1  something is in the way; each such line says what to do
  2  the command line makes no sense
""",
)


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_model(
        parser,
        action="append",
        help="ask this one, written as for --llmclf-model; may repeat",
    )
    add_shared_options(parser)
    parser.add_argument("--json", action="store_true", help="write JSON instead of text")
    add_arguments(parser, "--home")


def run(arguments: argparse.Namespace) -> int:
    """Look, print and return the exit code.

    Raises:
        SettingsError: A model makes no sense.
    """
    from pytest_llmclf.models.spec import parse_spec

    for model in arguments.model or ():
        parse_spec(model)
    with ProgressLine(sys.stderr) as progress:
        sections: dict[str, list[Check]] = {}
        for name, checks in _sections(arguments):
            progress(f"looking at {name}", 0, 0)
            sections[name] = [
                replace(check, advice=own_options(check.advice, arguments)) for check in checks
            ]
    found = [check for listed in sections.values() for check in listed]
    problems = [check for check in found if check.state == "problem"]
    if arguments.json:
        listed_checks = [
            {"section": name, **asdict(check)}
            for name, listed in sections.items()
            for check in listed
        ]
        write_json({"schema": SCHEMA, "fine": not problems, "checks": listed_checks})
    else:
        style = style_of(sys.stdout)
        for name, listed in sections.items():
            write(sys.stdout, _lines(name, listed, style))
        write(sys.stdout, [_verdict(found, style)])
    return ExitCode.FOUND if problems else ExitCode.DONE


def _sections(arguments: argparse.Namespace) -> Iterator[tuple[str, Iterator[Check]]]:
    from pytest_llmclf.cli import checks
    from pytest_llmclf.models.reach import ConnectSettings

    settings = ConnectSettings(start_timeout_s=arguments.timeout, **reaching(arguments))
    yield "what is installed", checks.installed()
    yield "llama-server", checks.llama_server()
    yield "ollama", checks.ollama(settings)
    yield "models", _models(arguments.model, settings)
    yield "places", checks.places(home_folder(arguments.home))


def _models(given: Sequence[str] | None, settings: ConnectSettings) -> Iterator[Check]:
    """The models that were named; else whoever would be asked, and the embedded one."""
    from pytest_llmclf.cli.sight import check_sight
    from pytest_llmclf.models.connect import MICRO

    if given:
        yield from (check_sight(spec, settings) for spec in dict.fromkeys(given))
        return
    usual = wanted_model(None)
    check = check_sight(usual, settings)
    yield check
    if check.subject not in {str(MICRO), MICRO.name, "auto"}:
        embedded = check_sight(MICRO.name, settings)
        # Evaluations can do without it where another one answers.
        yield embedded if embedded.state == "ok" else replace(embedded, state="note")


def _lines(name: str, checks: Sequence[Check], style: Style) -> Iterator[Line]:
    yield style.line((name, "bold"))
    for check in checks:
        first, *more = style.wrapped(f"{check.subject}: {check.found}".lstrip(), " " * 11)
        yield style.line("  ", (f"{check.state:<8}", _MARKS[check.state]), " ", first[11:])
        for text in more:
            yield style.line(text)
        yield from style.paragraph(check.advice, "cyan", indent=" " * 13) if check.advice else ()


def _verdict(checks: Sequence[Check], style: Style) -> Line:
    problems = sum(check.state == "problem" for check in checks)
    if not problems:
        return style.line(("Evaluations can run.", ("green", "bold")))
    return style.line(
        (f"{plural(problems, 'problem')}: see above for what to do.", ("red", "bold"))
    )
