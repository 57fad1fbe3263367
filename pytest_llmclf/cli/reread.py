"""``llmclf reread RUN --reader READER``: the stored answers of a run, read by another reader."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmclf.analysis.rereading import reread
from pytest_llmclf.cli.command import CommandHelp, add_arguments
from pytest_llmclf.cli.console import style_of, write
from pytest_llmclf.cli.project import named_run, writing
from pytest_llmclf.errors import SettingsError
from pytest_llmclf.prompting.readers import READERS, STRICT, check_reader
from pytest_llmclf.reporting import terminal
from pytest_llmclf.reporting.artifacts import write_run
from pytest_llmclf.reporting.reread_lines import rereading_lines

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pytest_llmclf.gates.gate import Gate
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.prompting.readers import ReaderFunction
    from pytest_llmclf.values.verdict import Verdict

HELP = CommandHelp(
    name="reread",
    summary="judge the stored answers of a run by another reader",
    description="Read the stored answers of a run anew, without asking.",
    about=f"""\
Nobody is asked: the answers are those of the run's outcomes.jsonl. READER is one of
{", ".join(READERS)}, or MODULE:FUNCTION, a function of an answer's text and the label names that
gives back a label, a reason or None. The gates of the eval files are not judged; say --gate for
some. Baselines are not compared: they are of the reader that wrote them.""",
    examples="""\
latest --reader contains
latest --reader my_readers:final_word --out reread
previous --reader last --gate "animals: accuracy >= 0.8\"""",
    exit_codes="""\
exit code:
  0  done, and every gate that was given passes
  1  a gate fails or is undecided
  2  not done: the message says why
""",
)


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_arguments(parser, "run_name")
    parser.add_argument(
        "--reader", metavar="READER", default=STRICT, help=f"who reads (default: {STRICT})"
    )
    parser.add_argument(
        "--gate",
        action="append",
        default=[],
        metavar="'NAME: GATE'",
        help="a gate to judge, as for pytest's --llmclf-gate; may be repeated",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="write it as a run folder (default: print only)"
    )
    add_arguments(parser, "--home")


def run(arguments: argparse.Namespace) -> int:
    """Read, print and return the exit code.

    Raises:
        LlmclfError: The run cannot be read, or there is no such reader or gate.
    """
    reader = find_reader(arguments.reader)
    gates = _gates(arguments.gate)
    found = named_run(arguments.run_name, arguments.home)
    out = None if arguments.out is None else arguments.out.expanduser()
    if out is not None and out.resolve() == found.path.resolve():
        raise SettingsError(f"--out {out} is the run itself, which stays as it is: name another")
    done = [reread(report, reader) for report in found.reports]
    after = [one.after for one in done]
    verdicts = _judge(after, gates)
    style = style_of(sys.stdout)
    write(sys.stdout, terminal.lines(after, verdicts, style))
    write(sys.stdout, rereading_lines(done, style))
    if out is not None:
        with writing(str(out), "choose another folder with --out"):
            written = write_run(
                out,
                after,
                settings=found.settings,
                environment=found.environment,
                verdicts=verdicts,
            )
        sys.stdout.writelines(f"{path}\n" for path in written)
    return 1 if any(verdict.word in ("FAIL", "INCONCLUSIVE") for verdict in verdicts) else 0


def find_reader(text: str) -> str | ReaderFunction:
    """A reader by name, or the function that ``MODULE:FUNCTION`` names, from here first.

    Raises:
        SettingsError: There is none.
    """
    module, colon, name = text.partition(":")
    if not colon:
        check_reader(text)
        return text
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        reader: ReaderFunction = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise SettingsError(
            f"--reader {text}: {error}; write MODULE:FUNCTION, with a module that Python finds "
            "from this folder"
        ) from error
    check_reader(reader)
    return reader


def _gates(texts: Sequence[str]) -> tuple[tuple[str, Gate], ...]:
    from pytest_llmclf.gates.gate import parse_addressed

    try:
        found = tuple(map(parse_addressed, texts))
        # The functions of an evaluation's own metrics are not in a run's folder.
        _ = [gate.parsed for _, gate in found]
    except SettingsError as error:
        raise SettingsError(f"--gate: {error}") from error
    return found


def _judge(reports: Sequence[Report], gates: Sequence[tuple[str, Gate]]) -> list[Verdict]:
    from pytest_llmclf.gates.gate import addressed_to, check_addresses
    from pytest_llmclf.gates.judging import judge

    try:
        check_addresses(gates, list(dict.fromkeys(report.evaluation for report in reports)))
    except SettingsError as error:
        raise SettingsError(f"--gate {error}") from error
    return [
        verdict
        for report in reports
        if (meant := addressed_to(report.evaluation, gates))
        for verdict in judge(report, meant)
    ]
