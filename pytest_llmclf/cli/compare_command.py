"""``llmclf compare A B``: two runs, paired image by image."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.analysis.comparison.margin import parse_margin
from pytest_llmclf.analysis.comparison.runs import choose, compare_all
from pytest_llmclf.analysis.comparison.score_differences import score_differences
from pytest_llmclf.cli.command import RUN, CommandHelp, add_arguments
from pytest_llmclf.cli.console import style_of, write, write_json
from pytest_llmclf.cli.project import named_run, writing
from pytest_llmclf.cli.run_images import dataset_images
from pytest_llmclf.errors import SettingsError
from pytest_llmclf.files import require_place
from pytest_llmclf.progress import ProgressLine
from pytest_llmclf.reporting.comparison import (
    comparison_lines,
    outcome_lines,
    overall_line,
    score_lines,
)
from pytest_llmclf.reporting.comparison_json import comparison_json, scores_json
from pytest_llmclf.values.provenance import ProvenanceChange

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_llmclf.analysis.comparison.runs import Compared
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.reporting.html.page import Page
    from pytest_llmclf.reporting.run_folder import RunFolder
    from pytest_llmclf.reporting.style import Line, Style

SCHEMA = 1
"""Of ``--json``: raised when a field changes its meaning or goes away; new fields do not."""
SAME, WORSE, UNDECIDED = 0, 1, 2
_STDOUT: Final = Path("-")

HELP = CommandHelp(
    name="compare",
    summary="two runs, paired image by image",
    description="Compare run B with run A on the images that both answered.",
    about="""\
With several evaluations, p-values are counted for all of them at once (Holm), and so is a margin.
With --margin 2% a loss below two points of accuracy is fine, and one of two points or more must be
excluded with 95% confidence, on images like these; it takes the place of the test. Two models of
one run are compared by naming the run twice. The page shows the images of datasets that are found
in this project, unchanged since the runs.""",
    examples="""\
previous latest
previous latest --html compared.html
main-run latest --model A=llava:7b --model B=llava:13b
latest latest --model A=llava:13b --model B=llava:7b --margin 2%
main-run latest --markdown - >> "$GITHUB_STEP_SUMMARY\"""",
    exit_codes="""\
exit code:
  0  B is not significantly worse in any evaluation; with --margin: shown not to be worse by as much
  1  B is significantly worse in at least one; with --margin: shown to be worse by as much
  2  the runs cannot be compared, images have no answer on one side, which is better is open though
     B lost more, the margin is neither excluded nor shown, or a file cannot be written
""",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """Both runs and what they come to.

    Attributes:
        before: Run A.
        now: Run B.
        compared: One an evaluation.
        notes: What is left out, one line each.
    """

    before: RunFolder[Report]
    now: RunFolder[Report]
    compared: tuple[Compared, ...]
    notes: tuple[str, ...]

    @property
    def names(self) -> tuple[str, str]:
        """What the runs are called: their folders, with the way there only if it is needed."""
        first, second = (run.path.resolve().name for run in (self.before, self.now))
        if first == second:
            return str(self.before.path), str(self.now.path)
        return first, second


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("a", metavar="A", help=f"run to compare with: {RUN}")
    parser.add_argument("b", metavar="B", help="run to compare, likewise")
    add_arguments(parser, "--evaluation")
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="[A=|B=]NAME",
        help="model (or shell-style pattern) in both runs, or in one; may repeat",
    )
    parser.add_argument(
        "--margin",
        metavar="SHARE",
        help="smallest loss of accuracy that is not fine, such as 2%%: B passes where one as large "
        "is excluded with 95%% confidence",
    )
    add_arguments(parser, "--json")
    parser.add_argument(
        "--markdown",
        nargs="?",
        type=Path,
        const=_STDOUT,
        metavar="PATH",
        help="write Markdown; without PATH (the option then stands last) or with '-', print it "
        "instead of text",
    )
    parser.add_argument(
        "--html", type=Path, metavar="PATH", help="write a page for a browser, with both runs"
    )
    add_arguments(parser, "--no-images", "--home")


def run(arguments: argparse.Namespace) -> int:
    """Compare, write, print and return the exit code.

    Raises:
        LlmclfError: A run cannot be read, or nothing in both fits what was asked for.
        SettingsError: A file cannot be written, two things are to be printed at once, or the
            margin is none.
    """
    if arguments.json and arguments.markdown == _STDOUT:
        raise SettingsError(
            "--json and --markdown would both be printed; write one to a file: --markdown PATH"
        )
    margin = None if arguments.margin is None else parse_margin(arguments.margin)
    before, now = (named_run(name, arguments.home) for name in (arguments.a, arguments.b))
    chosen, notes = choose(before.reports, now.reports, arguments.evaluation, arguments.model)
    compared = compare_all(chosen, margin)
    if before.path.resolve() == now.path.resolve():
        if all(each.before.task == each.now.task for each in compared):
            notes = ["A and B are one run, held against itself", *notes]
        compared = tuple(map(_of_one_run, compared))
    found = _Found(before=before, now=now, compared=compared, notes=tuple(notes))
    code = exit_code(found.compared)
    with writing("the comparison", "choose another path"):
        written = tuple(_written(found, arguments))
    if arguments.json:
        write_json(_json(found, code))
    elif arguments.markdown == _STDOUT:
        _print_markdown(_markdown(found))
    else:
        write(sys.stdout, _lines(found, style_of(sys.stdout)))
        for path in written:
            sys.stdout.write(f"{path}\n")
    return code


def _of_one_run(each: Compared) -> Compared:
    """The same; what a report held against itself does not tell is the same all the same."""
    change = each.comparison.provenance
    if change is None or each.before.task != each.now.task:
        return each
    known = ProvenanceChange(same=(*change.same, *change.unknown))
    return replace(each, comparison=replace(each.comparison, provenance=known))


def exit_code(compared: Sequence[Compared]) -> int:
    """What the comparisons come to together; a loss that is found outweighs what is not known."""
    if any(each.worse for each in compared):
        return WORSE
    return UNDECIDED if any(each.undecided for each in compared) else SAME


def _written(found: _Found, arguments: argparse.Namespace) -> Iterator[Path]:
    """Write the files that are asked for, none of them where one cannot be; their paths."""
    for path in (arguments.markdown, arguments.html):
        if path not in (None, _STDOUT):
            require_place(path.expanduser())
    if arguments.markdown not in (None, _STDOUT):
        path = arguments.markdown.expanduser()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_markdown(found), encoding="utf-8", newline="\n")
        yield path
    if arguments.html is not None:
        from pytest_llmclf.reporting.html.document import write_page

        page = _page(found, images=not arguments.no_images)
        with ProgressLine(sys.stderr) as progress:
            path = write_page(arguments.html.expanduser(), page, progress)
        yield path


def _markdown(found: _Found) -> str:
    from pytest_llmclf.reporting.markdown_comparison import markdown_comparison

    return markdown_comparison(found.compared, found.names, notes=found.notes)


def _print_markdown(text: str) -> None:
    # It is read as UTF-8 wherever it goes, whatever a terminal here may speak.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.write(text)


def _page(found: _Found, *, images: bool) -> Page:
    """Both runs' reports, B's in front, and how they differ."""
    from pytest_llmclf.reporting.html.page import Page, Pair, no_image, section
    from pytest_llmclf.reporting.html.thumbnails import ImageBudget

    sides = [
        (side, report, run.verdicts)
        for each in found.compared
        for side, report, run in (("B", each.now, found.now), ("A", each.before, found.before))
    ]
    before, now = found.names
    left_out = {"left out": list(found.notes)} if found.notes else {}
    return Page(
        title=f"{now} (B) compared with {before} (A)",
        sections=tuple(
            section(report, verdicts, name=f"{report.task.title} · {side}")
            for side, report, verdicts in sides
        ),
        pairs=tuple(Pair.of(each, "runs") for each in found.compared),
        settings=left_out | _of_both(found.before.settings, found.now.settings),
        environment=_of_both(found.before.environment, found.now.environment),
        images=dataset_images([report for _, report, _ in sides]) if images else no_image,
        budget=ImageBudget(none=not images),
    )


def _of_both(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """What is the same in both runs once, what is not by run."""
    both: dict[str, Any] = {}
    for name in dict.fromkeys((*before, *now)):
        first, second = before.get(name), now.get(name)
        if first == second:
            both[name] = first
        else:
            both |= {f"{name} (A)": first, f"{name} (B)": second}
    return both


def _lines(found: _Found, style: Style) -> Iterator[Line]:
    yield style.line(("A", "bold"), f"  {style.safe(str(found.before.path))}")
    yield style.line(("B", "bold"), f"  {style.safe(str(found.now.path))}")
    for each in found.compared:
        yield style.line()
        models = list(dict.fromkeys((each.before.configuration, each.now.configuration)))
        of = " and ".join(map(style.safe, models))
        yield style.line((style.safe(each.before.evaluation), "bold"), " · ", (of, "cyan"))
        yield from comparison_lines(each, style)
        yield from score_lines(each, style)
        yield from outcome_lines(each, style)
    for note in found.notes:
        yield style.line((style.safe(note), "yellow"))
    if len(found.compared) > 1:
        yield style.line()
    yield from overall_line(found.compared, style)


def _json(found: _Found, code: int) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "a": str(found.before.path),
        "b": str(found.now.path),
        "exit_code": code,
        "notes": list(found.notes),
        "evaluations": [
            {
                "evaluation": each.before.evaluation,
                "models": [each.before.model, each.now.model],
                "variants": [each.before.variant, each.now.variant],
                "worse": each.worse,
                "undecided": each.undecided,
                "p_value_of_all": each.p_value,
                "margin": None
                if each.margin is None
                else {"word": each.margin.word, "text": each.margin.text},
                **comparison_json(each.comparison),
                "scores": scores_json(score_differences(each.before, each.now, each.comparison)),
            }
            for each in found.compared
        ],
    }
