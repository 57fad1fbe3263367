"""What is asked of whom: an evaluation as pytest would assign it, without its cases."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmclf.data import dataset as datasets
from pytest_llmclf.data.dataset import Dataset
from pytest_llmclf.data.entry import Entry, SourceOptions, shown
from pytest_llmclf.data.image import PictureLimits
from pytest_llmclf.data.label_cells import several_label_problems
from pytest_llmclf.data.manifest import manifest_entries
from pytest_llmclf.data.sources import Description, read_source, table_of
from pytest_llmclf.data.validation import label_problems
from pytest_llmclf.errors import DatasetError, SettingsError
from pytest_llmclf.models.connect import resolve
from pytest_llmclf.prompting import modelfile as modelfiles
from pytest_llmclf.prompting.labels import Label, LabelSet
from pytest_llmclf.runner.plan import called, fitness, locate_modelfile
from pytest_llmclf.runner.settings import project_root
from pytest_llmclf.runner.task import Assignment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.models.connect import ConnectSettings
    from pytest_llmclf.models.spec import ModelSpec
    from pytest_llmclf.runner.evaluation import Evaluation
    from pytest_llmclf.runner.job import AskingPolicy
    from pytest_llmclf.values.thinking import Think


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Everything that a process needs to ask about rows; can be sent to another one.

    Attributes:
        assignment: As pytest would make it, but for the cases, of which it has none.
        source: The manifest, or the folder of pictures.
        options: How `source` is read.
        root: Folder that the paths in `source` count from.
        connect: How servers are reached.
        asking: How the engine asks.
        limit: Rows that are looked at, from the first; ``None``: all.
    """

    assignment: Assignment
    source: Path
    options: SourceOptions
    root: Path
    connect: ConnectSettings
    asking: AskingPolicy
    limit: int | None = None


def plan(
    evaluation: Evaluation,
    declared_in: Path,
    *,
    model: ModelSpec,
    manifest: Path | None,
    connect: ConnectSettings,
    asking: AskingPolicy,
    limit: int | None = None,
    links: Sequence[Path] = (),
    think: Think | None = None,
) -> Task:
    """Settle what is asked of whom, without reading a picture.

    The question depends on the labels. They are those that a pytest run would take: the
    evaluation's, else those of ``dataset.toml``, else those found in the evaluation's dataset,
    which is read once for that.

    Args:
        evaluation: What is asked.
        declared_in: The file that declares it.
        model: Who is asked.
        manifest: Pictures to ask about instead of the evaluation's dataset.
        connect: How servers are reached.
        asking: How the engine asks.
        limit: Rows that are looked at, from the first; ``None``: all.
        links: Folders elsewhere that links among the images may lead into.
        think: What is said about thinking instead of what the evaluation says; ``None``: nothing.

    Raises:
        DatasetError: Dataset or manifest are not there, or their labels cannot be.
        ModelfileError: The Modelfile does not parse.
        SettingsError: Names or the model make no sense.
    """
    if model.backend == "replay":
        raise SettingsError(f"{model} is a recording, which has its answers already: name a model")
    root = project_root(declared_in, Path.cwd())
    modelfile = modelfiles.load(locate_modelfile(str(evaluation.modelfile), root))
    own = datasets.locate(str(evaluation.dataset), root)
    part, description = datasets.describe(own, evaluation.split)
    options = evaluation.source_options(links)
    options, own = datasets.settled(options, description, located=part != own), part
    names = _labels_of(evaluation, own, description, options)
    labels = LabelSet(
        labels=evaluation.given_labels or tuple(Label(name=name) for name in names),
        case_matters=evaluation.case_matters,
    )
    source = (table_of(own, options) if own.exists() else None) or own
    if manifest is not None:
        source = manifest.expanduser().absolute()
        if not source.is_file():
            raise DatasetError(f"there is no manifest {source}: name a .csv or .jsonl file")
        options = replace(options, split="")  # all of its lines are meant
    spec, reason = resolve(model, modelfile, connect)
    unfit, caveat = fitness(spec, labels, modelfile)
    folder = source.parent if source.is_file() else source
    assignment = Assignment(
        evaluation=evaluation,
        dataset=Dataset(name=evaluation.title, root=folder.absolute(), labels=names, cases=()),
        labels=labels,
        modelfile=modelfile,
        spec=spec,
        model=called(spec),
        reason=reason,
        whole=0,
        limits=PictureLimits(),
        verified=False,
        think=think,
        unfit=unfit,
        caveat=caveat,
    )
    return Task(
        assignment=assignment,
        source=source.absolute(),
        options=options,
        root=folder.absolute(),
        connect=connect,
        asking=asking,
        limit=limit,
    )


def _labels_of(
    evaluation: Evaluation, own: Path, description: Description, options: SourceOptions
) -> tuple[str, ...]:
    """The names of the labels in order, as `dataset.load` has them."""
    given = evaluation.given_labels
    names = description.labels or tuple(label.name for label in given or ())
    problems: list[str] = []
    if not names:
        # One entry a label, whatever the length of the table.
        firsts: dict[str, Entry] = {}
        table = table_of(own, options) if own.exists() else None
        # What is wrong with single lines is said of each of them; without a label nothing goes on.
        wrong: list[str] = []
        if table is not None:
            for entry in manifest_entries(table, wrong, options):
                firsts.setdefault(entry.label, entry)
            problems += several_label_problems(firsts.values(), ())
        else:
            found = read_source(own, options)[1]
            wrong = found.problems
            firsts = {entry.label: entry for entry in found.entries}
        names = datasets.label_order(firsts)
        problems += () if names else wrong
    problems += label_problems(names, options)
    if problems:
        raise DatasetError(shown(f"{own}: {'; '.join(problems)}"))
    return names
