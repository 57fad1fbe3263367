"""``llmclf compare A B``: two runs, paired image by image."""

from __future__ import annotations

import difflib
import json
import sys
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from pytest_llmclf.commands.console import style_of, write
from pytest_llmclf.comparison import SIGNIFICANCE, Comparison, compare_reports
from pytest_llmclf.comparison.models import adjusted_p_values
from pytest_llmclf.errors import SettingsError
from pytest_llmclf.render.comparison import comparison_json, comparison_lines
from pytest_llmclf.run_folder import find_run, read_run

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from pytest_llmclf.render.text import Line, Style
    from pytest_llmclf.report import Report
    from pytest_llmclf.run_folder import RunFolder

SCHEMA = 1
"""Of ``--json``: raised when a field changes its meaning or goes away; new fields do not."""
SAME, WORSE, UNDECIDED = 0, 1, 2

_EPILOG = """\
exit code:
  0  B is not significantly worse in any evaluation
  1  B is significantly worse in at least one
  2  the runs cannot be compared, or images have no answer on one side
With several evaluations, p-values are counted for all of them at once (Holm).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One evaluation in both runs.

    Attributes:
        before: Its report in A.
        now: Its report in B.
        comparison: B held against A.
        p_value: Of the comparison, for all evaluations compared with it.
    """

    before: Report
    now: Report
    comparison: Comparison
    p_value: float

    @property
    def worse(self) -> bool:
        """Whether B is worse beyond what chance explains, however many are compared."""
        refused = self.comparison.refused is not None
        return not refused and self.comparison.net_loss > 0 and self.p_value < SIGNIFICANCE

    @property
    def undecided(self) -> bool:
        """Whether the runs say too little: refused, or images without an answer."""
        found = self.comparison
        return found.refused is not None or bool(found.unanswered) or not found.common


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    import argparse

    parser = commands.add_parser(
        "compare",
        help="two runs, paired image by image",
        description="Compare run B with run A on the images that both answered.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    place = "folder, name or start of a name in .llmclf/runs, 'latest' or 'previous'"
    parser.add_argument("a", metavar="A", help=f"run to compare with: {place}")
    parser.add_argument("b", metavar="B", help="run to compare, likewise")
    parser.add_argument(
        "--evaluation",
        action="append",
        default=[],
        metavar="NAME",
        help="only this one; may repeat",
    )
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="[A=|B=]NAME",
        help="model (or shell-style pattern) in both runs, or in one; may repeat",
    )
    parser.add_argument("--json", action="store_true", help="write JSON instead of text")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compare, print and return the exit code.

    Raises:
        LlmclfError: A run cannot be read, or nothing in both fits what was asked for.
    """
    before, now = (read_run(find_run(name)) for name in (arguments.a, arguments.b))
    chosen, notes = choose(before.reports, now.reports, arguments.evaluation, arguments.model)
    compared = compare_all(chosen)
    code = exit_code(compared)
    if arguments.json:
        data = _json(before, now, compared, notes, code)
        sys.stdout.write(json.dumps(data, indent=2, allow_nan=False) + "\n")
    else:
        style = style_of(sys.stdout)
        write(sys.stdout, _lines(before, now, compared, notes, style))
    return code


def compare_all(chosen: Sequence[tuple[Report, Report]]) -> tuple[Compared, ...]:
    """Compare each pair, with p-values for all of them at once."""
    comparisons = [compare_reports(before, now) for before, now in chosen]
    return tuple(
        Compared(before=before, now=now, comparison=comparison, p_value=p_value)
        for (before, now), comparison, p_value in zip(
            chosen, comparisons, adjusted_p_values(comparisons), strict=True
        )
    )


def exit_code(compared: Sequence[Compared]) -> int:
    """What the comparisons come to together; a loss that is found outweighs what is not known."""
    if any(each.worse for each in compared):
        return WORSE
    return UNDECIDED if any(each.undecided for each in compared) else SAME


def choose(
    before: Sequence[Report],
    now: Sequence[Report],
    evaluations: Sequence[str] = (),
    models: Sequence[str] = (),
) -> tuple[list[tuple[Report, Report]], list[str]]:
    """Which reports of two runs belong together, and what is left out.

    In each evaluation: the only models of both runs, whatever they are called; else the models
    that have the same name in both.

    Args:
        before: Reports of run A.
        now: Reports of run B.
        evaluations: Names of evaluations; default: all that both runs have.
        models: Patterns of models, ``A=`` or ``B=`` before one that is meant for one run alone.

    Raises:
        SettingsError: Nothing is left to compare; says what there is.
    """
    common = [name for name in _names(before) if name in _names(now)]
    _check_evaluations(evaluations, common, before, now)
    notes = [
        f"{name} is in run {side} only: not compared"
        for side, here, there in (("A", before, now), ("B", now, before))
        for name in _names(here)
        if name not in _names(there) and not evaluations
    ]
    sides = (_of_models(before, models, "A"), _of_models(now, models, "B"))
    chosen: list[tuple[Report, Report]] = []
    for name in common:
        if evaluations and name not in evaluations:
            continue
        first, second = (
            {report.model: report for report in side if report.evaluation == name} for side in sides
        )
        if len(first) == len(second) == 1:
            chosen.append((next(iter(first.values())), next(iter(second.values()))))
            continue
        chosen += [(first[model], second[model]) for model in first if model in second]
        notes += [
            f"{name} on {model} is in one run only: not compared"
            for model in sorted(first.keys() ^ second.keys())
        ]
    if not chosen:
        raise SettingsError(
            "the runs have no evaluation of one model in common: "
            f"A has {_listed(sides[0])}; B has {_listed(sides[1])}; "
            "choose with --model A=NAME --model B=NAME"
        )
    return chosen, notes


def _check_evaluations(
    wanted: Sequence[str], common: Sequence[str], before: Sequence[Report], now: Sequence[Report]
) -> None:
    for name in wanted:
        if name not in common:
            near = difflib.get_close_matches(name, common, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise SettingsError(
                f"--evaluation {name!r} is not in both runs; {hint}"
                f"A has {', '.join(_names(before)) or 'none'}; "
                f"B has {', '.join(_names(now)) or 'none'}"
            )


def _of_models(reports: Sequence[Report], models: Sequence[str], side: str) -> list[Report]:
    """The reports of one run on the models that are asked for."""
    wanted = [
        text.removeprefix(f"{side}=")
        for text in models
        if text.startswith(f"{side}=") or not text.startswith(("A=", "B="))
    ]
    for pattern in wanted:
        if not any(_meant(report, pattern) for report in reports):
            known = list(dict.fromkeys(report.model for report in reports))
            near = difflib.get_close_matches(pattern, known, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise SettingsError(
                f"--model {pattern!r} is not in run {side}; {hint}"
                f"it has {', '.join(known) or 'none'}"
            )
    return [
        report
        for report in reports
        if not wanted or any(_meant(report, pattern) for pattern in wanted)
    ]


def _meant(report: Report, pattern: str) -> bool:
    short = report.model.partition(":")[2]
    return fnmatchcase(report.model, pattern) or fnmatchcase(short, pattern)


def _names(reports: Sequence[Report]) -> list[str]:
    return list(dict.fromkeys(report.evaluation for report in reports))


def _listed(reports: Sequence[Report]) -> str:
    return ", ".join(f"{report.evaluation} on {report.model}" for report in reports) or "none"


def _lines(
    before: RunFolder,
    now: RunFolder,
    compared: Sequence[Compared],
    notes: Sequence[str],
    style: Style,
) -> Iterator[Line]:
    yield style.line(("A", "bold"), f"  {style.safe(str(before.path))}")
    yield style.line(("B", "bold"), f"  {style.safe(str(now.path))}")
    for each in compared:
        yield style.line()
        models = list(dict.fromkeys((each.before.model, each.now.model)))
        of = " and ".join(map(style.safe, models))
        yield style.line((style.safe(each.before.evaluation), "bold"), " · ", (of, "cyan"))
        yield from comparison_lines(
            each.comparison, ("A", "B"), style, p_value=each.p_value, tests=len(compared)
        )
        if each.worse:
            yield style.line(("  B is worse", ("red", "bold")))
        elif each.undecided:
            yield style.line(("  undecided", ("yellow", "bold")))
    for note in notes:
        yield style.line((style.safe(note), "yellow"))


def _json(
    before: RunFolder,
    now: RunFolder,
    compared: Sequence[Compared],
    notes: Sequence[str],
    code: int,
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "a": str(before.path),
        "b": str(now.path),
        "exit_code": code,
        "notes": list(notes),
        "evaluations": [
            {
                "evaluation": each.before.evaluation,
                "models": [each.before.model, each.now.model],
                "worse": each.worse,
                "undecided": each.undecided,
                "p_value_of_all": each.p_value,
                **comparison_json(each.comparison),
            }
            for each in compared
        ],
    }
