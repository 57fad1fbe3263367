"""What a report does at its users' wish: frames, notebooks, judging an expression.

It looks down on everything, so that what only counts, judges or formats need not know it. Whoever
hands a report to a test or a notebook makes it `public` first.
"""

from __future__ import annotations

import inspect
import logging
import re
import secrets
import sys
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Never

from pytest_llmclf.errors import BackendError, LlmclfError, SettingsError, nearest, some_of
from pytest_llmclf.metrics.report import Report
from pytest_llmclf.values.arguments import check_numbers, path_or_text, texts
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd
    from _typeshed import DataclassInstance
    from sklearn.metrics import ConfusionMatrixDisplay

    from pytest_llmclf.gates.gate import Judgement
    from pytest_llmclf.progress import LineStream
    from pytest_llmclf.reporting.run_folder import RunFolder
    from pytest_llmclf.runner.evaluation import Evaluation
    from pytest_llmclf.runner.resources import Resources
    from pytest_llmclf.runner.settings import Settings
    from pytest_llmclf.values.outcome import Outcome

_VALUE: Final = r" ([^\s,;`)]+)"
_IN_PYTHON: Final = (
    (f"--llmclf-(model|home){_VALUE}", r'\1="\2"'),
    (f"--llmclf-allow-remote{_VALUE}", r'allow_remote=["\1"]'),
    ("--llmclf-fresh", "fresh=True"),
)
"""Options of a run in advice, and how a script says the same."""
_OPTION_CLAUSE: Final = re.compile(r"(?:; |, or )[^;,()]*--llmclf-[^;,()]*(?=[;,)]|$)")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PublicReport(Report):
    """One evaluation on one model, as tests and notebooks get it: `pytest_llmclf.Report`.

    All that was measured is in the attributes of `report.Report`; it has no further ones.
    """

    def __str__(self) -> str:
        """Accuracy with its interval; and why nothing can be judged, where that is so."""
        from pytest_llmclf.gates.gate import why_undecided
        from pytest_llmclf.reporting.style import Style
        from pytest_llmclf.reporting.terminal import with_interval

        style = Style()
        accuracy = with_interval(self.accuracy, style, self)
        why = why_undecided(self)
        text = f"{self.task.title}: accuracy {accuracy}"
        return style.safe(f"{text}; {why}" if why else text)

    def to_frame(self, *, probabilities: bool = False) -> pd.DataFrame:
        """A pandas data frame with one row an image, repeats included, and typed columns.

        Args:
            probabilities: Whether to add a column ``p:LABEL`` a label.
        """
        from pytest_llmclf.reporting.dataframes import outcomes_frame

        return outcomes_frame([self], probabilities=probabilities)

    def plot(self, **options: Any) -> ConfusionMatrixDisplay:
        """Draw the confusion matrix; needs matplotlib (the extra ``plot``).

        Rows are actual classes, columns predicted ones; answers without a label and errors have
        columns of their own where there are any. ``report.plot().figure_.savefig(...)`` keeps it.

        Args:
            **options: Those of scikit-learn's ``ConfusionMatrixDisplay.plot``, such as ``ax``,
                ``cmap``, ``include_values`` and ``colorbar``.

        Raises:
            ExtraMissing: matplotlib is not installed; the message has the line that installs it.
        """
        from pytest_llmclf.reporting.plots import confusion_display

        return confusion_display(self, **options)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from pytest_llmclf.reporting.notebook import report_html

        return report_html(self)

    def meets(self, expression: str) -> Judgement:
        """Judge an expression such as ``recall[7] >= 0.6 with 95% confidence``; assert the result.

        It is true for PASS and false for FAIL, and refuses to be either where nothing can be
        said: ``GateInconclusive``, an `AssertionError`.

        Raises:
            SettingsError: It does not parse, or names a class or slice that is not there.
        """
        from pytest_llmclf.gates.judging import judgement

        return judgement(self, expression)

    def where(self, tags: Mapping[str, str]) -> PublicReport:
        """The report of the images that have all these tags, such as ``{"style": "photo"}``."""
        return public(Report.where(self, tags))

    def tagged(self, name: str, values: Mapping[str, str]) -> PublicReport:
        """The same report with one more tag, for slices that are known of the images only later.

        Args:
            name: Of the tag.
            values: Its value by case; images that are not in it do not get it.

        Raises:
            SettingsError: Images have a tag of that name already.
        """
        if name in self.tags:
            raise SettingsError(
                f"images of {self.evaluation} have a tag {name!r} already; choose another name"
            )
        with_tag = partial(map, partial(_tagged, name, values))
        return replace(
            self, outcomes=tuple(with_tag(self.outcomes)), repeats=tuple(with_tag(self.repeats))
        )


def _tagged(name: str, values: Mapping[str, str], outcome: Outcome) -> Outcome:
    value = values.get(outcome.case)
    return outcome if value is None else replace(outcome, tags={**outcome.tags, name: value})


def right_by(reports: Sequence[Report]) -> dict[str, str]:
    """Which images are hard: by how many of several tasks each is answered right.

    ``all``, ``some`` (more than one, not all), ``one`` or ``none`` of them, by case. Images that
    not all of them answered are not in it. As a tag (`Report.tagged`) it makes slices of another
    report; in those that it comes from, such a slice is right or wrong by its making.

    Args:
        reports: Two or more, of the same images: of several models, or of several runs.

    Raises:
        SettingsError: They have no answered image in common.
    """
    from pytest_llmclf.analysis.leaderboard.difficulty import difficulty
    from pytest_llmclf.analysis.leaderboard.ranking import leaderboard

    board = leaderboard(reports)
    if board is None:
        raise SettingsError(
            f"{len(reports)} {noun(len(reports), 'report')} of {_names(reports)} have no answered "
            "image in common: give two or more of the same images"
        )
    if board.images.apart:
        report, why = board.images.apart[0]
        raise SettingsError(
            f"{report.evaluation} on {report.configuration} does not fit the others: {why}"
        )
    return dict(difficulty(board.images).right_by)


def _names(reports: Sequence[Report]) -> str:
    return some_of([f"{one.evaluation} on {one.configuration}" for one in reports]) or "nothing"


def init_values(value: DataclassInstance, kind: type[DataclassInstance]) -> dict[str, Any]:
    """What makes another one of `kind`, a dataclass that `value` is one of: its arguments by name.

    Unlike with `dataclasses.asdict` the values stay what they are.
    """
    return {one.name: getattr(value, one.name) for one in fields(kind) if one.init}


def public(report: Report) -> PublicReport:
    """The same report for a test or a notebook; itself where it is one of theirs already."""
    if isinstance(report, PublicReport):
        return report
    return PublicReport(**init_values(report, Report))


def evaluate(
    evaluation: Evaluation | str | Path, model: str = "auto", **options: Any
) -> PublicReport:
    """Ask about every image, and return the report; for notebooks and scripts.

    The engine and the answer cache are those of a pytest run, so that nothing is asked twice by
    both. It works in an event loop that runs already, as that of a notebook does. Images without an
    answer, and all of them where no server answers, are errors in the report; the cause is logged
    as a warning.

    Args:
        evaluation: What is asked; or a folder of images with a folder a class.
        model: Who is asked, as ``--llmclf-model`` has it.
        **options: ``sample``, ``repeats``, ``fresh``, ``allow_remote``, ``home`` and ``progress``,
            as `evaluate_all` has them.

    Raises:
        LlmclfError: Images, Modelfile or model are not there or make no sense.
        SettingsError: The evaluation has several variants, or the model stands for several:
            `evaluate_all` returns a report of each.
        TypeError: There is no such option; what belongs to an evaluation, as its prompt does, is
            written into an `Evaluation`.
    """
    if "models" in options:
        raise TypeError("evaluate asks one, model=...: call evaluate_all for several")
    _refuse_others(options, evaluation, "model")
    if not isinstance(model, str):
        raise SettingsError(
            f"model={model!r} is no text: name one, such as 'ollama:llava', or leave it out"
        )
    reports = evaluate_all(evaluation, [model], **options)
    if len(reports) != 1:
        asked = some_of([one.task.configuration for one in reports])
        raise SettingsError(f"{len(reports)} are asked, {asked}: call evaluate_all")
    return reports[0]


def evaluate_all(
    evaluation: Evaluation | str | Path,
    models: Sequence[str] = ("auto",),
    *,
    sample: int | None = None,
    repeats: int = 1,
    fresh: bool = False,
    allow_remote: Iterable[str] = (),
    home: str | Path | None = None,
    progress: bool = True,
    **other: Never,
) -> tuple[PublicReport, ...]:
    """Ask several models, in all variants of an evaluation, about every image.

    A model that does not answer costs nothing of the others' reports, as `evaluate` has it.

    Args:
        evaluation: What is asked; or a folder of images with a folder a class.
        models: Who is asked, as ``--llmclf-model`` has it; one or more.
        sample: Images a class, always the same ones; ``None``: all.
        repeats: How often every question is asked.
        fresh: Whether to ask anew where the answer is known.
        allow_remote: Hosts outside this machine that images may be sent to.
        home: Folder of the answer cache; by default ``.llmclf`` of the project that the current
            folder belongs to.
        progress: Whether a terminal or notebook shows a line that says how far it is.
        **other: Nothing; whatever else is given is refused with the place where it belongs.

    Returns:
        One report a variant and model, in order.

    Raises:
        LlmclfError: Images, Modelfile or model are not there or make no sense.
        TypeError: There is no such option, as `evaluate` has it.
    """
    from pytest_llmclf.files import HOME_FOLDER
    from pytest_llmclf.gates.gate import why_undecided
    from pytest_llmclf.models.spec import parse_spec
    from pytest_llmclf.progress import ProgressLine
    from pytest_llmclf.runner.asking import ask_all
    from pytest_llmclf.runner.evaluation import Evaluation
    from pytest_llmclf.runner.job import AskingPolicy
    from pytest_llmclf.runner.settings import Settings, project_root

    _refuse_others(other, evaluation, "models")
    models, allow_remote = texts("models", models), texts("allow_remote", allow_remote)
    check_numbers(sample=1 if sample is None else sample, repeats=repeats)
    if not models:
        raise SettingsError("models=[]: name one, such as 'ollama:llava', or leave it out")
    if not isinstance(evaluation, Evaluation):
        folder = Path(path_or_text("evaluation", evaluation)).expanduser().absolute()
        evaluation = Evaluation(dataset=folder, name=folder.name)
    root = project_root(Path.cwd())
    kept = root / HOME_FOLDER if home is None else Path(path_or_text("home", home)).expanduser()
    settings = Settings(
        root=root,
        home=kept.absolute(),
        models=tuple(map(parse_spec, models)),
        asking=AskingPolicy(fresh=fresh),
        sample=sample,
        repeats=repeats,
        allow_remote=frozenset(allow_remote),
    )
    resources = open_resources(settings)
    try:
        tasks = resources.assign(evaluation, Path.cwd())
        with ProgressLine(_shown() if progress else None) as line:
            reports = tuple(map(public, ask_all(resources, tasks, line)))
    except LlmclfError as error:
        _say_in_python(error)
        raise
    finally:
        resources.close()
    for report in reports:
        if why_undecided(report) is not None:
            logging.getLogger("pytest_llmclf").warning("%s", _in_python(str(report)))
    return reports


def _refuse_others(given: Iterable[str], evaluation: Evaluation | str | Path, asked: str) -> None:
    """Refuse what is no option, with where it belongs; `asked` is called the option of models."""
    declared = inspect.signature(evaluate_all).parameters.values()
    options = [one.name for one in declared if one.kind is inspect.Parameter.KEYWORD_ONLY]
    known = [asked, *options]
    for name in given:
        if name not in known:
            raise TypeError(_misplaced(name, evaluation, known))


def _misplaced(name: str, evaluation: Evaluation | str | Path, known: Sequence[str]) -> str:
    """Why there is no option of that name, and where what it says belongs."""
    from pytest_llmclf.runner.evaluation import Evaluation

    if name in (one.name for one in fields(Evaluation)):
        if isinstance(evaluation, Evaluation):
            return f"{name}= belongs to what is asked: write it into the Evaluation(...)"
        whole = f"Evaluation(dataset={str(evaluation)!r}, {name}=...)"
        return f"{name}= belongs to what is asked: give {whole} instead of the folder"
    return f"there is no option {name}=, only {', '.join(known)}{nearest(name, known)}"


def _say_in_python(error: LlmclfError) -> None:
    """Give an error advice that a script can follow."""
    if isinstance(error, BackendError):
        error.remedy = _in_python(error.remedy)
    error.args = tuple(_in_python(one) if isinstance(one, str) else one for one in error.args)


def _in_python(text: str) -> str:
    """Advice in arguments of `evaluate` instead of options of a run.

    A further remedy that only an option of a run can be is left out; a first one stays.
    """
    for option, written in _IN_PYTHON:
        text = re.sub(option, written, text)
    return _OPTION_CLAUSE.sub("", text)


def open_resources(settings: Settings) -> Resources:
    """What is needed to ask outside of pytest; to be closed at the end."""
    from pytest_llmclf.reporting.earlier_confusions import confused_in
    from pytest_llmclf.reporting.style import Style
    from pytest_llmclf.runner.resources import Resources

    return Resources(settings, secrets.token_hex(8), safe=Style().safe, confused=confused_in)


def _shown() -> LineStream:
    """Where people see a line that is written over itself: a terminal, or a notebook's output."""
    return _Notebook() if "ipykernel" in sys.modules else sys.stderr


class _Notebook:
    """The output of a notebook, which is no terminal and takes a carriage return all the same."""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> object:
        return sys.stderr.write(text.replace("\x1b[K", " " * 80 + "\r"))

    def flush(self) -> None:
        sys.stderr.flush()


def read_run(name: str | Path = "latest", runs: Path | None = None) -> RunFolder[PublicReport]:
    """Read a finished run.

    Args:
        name: A folder, the name of one in `runs`, the start of one name alone, ``latest`` or
            ``previous``.
        runs: Where runs are kept; by default ``.llmclf/runs`` of the project that the current
            folder belongs to: the nearest one upwards with a folder ``modelfiles``.

    Raises:
        RunFolderError: There is no such run, or several; or it is unfinished, of another schema,
            or damaged.
        SettingsError: `name` is neither text nor a path.
    """
    from pytest_llmclf.reporting import run_folder
    from pytest_llmclf.runner.settings import project_root

    kept = Path(runs or project_root(Path.cwd()) / run_folder.RUNS)
    found = run_folder.read_run(run_folder.find_run(str(path_or_text("name", name)), kept))
    values = init_values(found, run_folder.RunFolder)
    return run_folder.RunFolder(**{**values, "reports": tuple(map(public, found.reports))})
