"""What is asked of whom: an evaluation as pytest would assign it, without its cases."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmclf.data import dataset as datasets
from pytest_llmclf.data.dataset import Dataset
from pytest_llmclf.data.holdout import NONE_HELD_OUT
from pytest_llmclf.data.listed_images import describe, settled
from pytest_llmclf.data.sources import table_of
from pytest_llmclf.errors import DatasetError, SettingsError
from pytest_llmclf.gates.tuning_looks import part_note
from pytest_llmclf.models.connect import resolve
from pytest_llmclf.runner.example_plan import drawn
from pytest_llmclf.runner.examples import as_shown
from pytest_llmclf.runner.plan import (
    Choice,
    asked_part,
    called,
    decisions_about,
    label_set,
    modelfile_of,
    pair,
)
from pytest_llmclf.runner.settings import project_root
from pytest_llmclf.runner.variant_tasks import check_labels, in_variant
from pytest_llmclf.values.case import CaseSet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_llmclf.data.entry import SourceOptions
    from pytest_llmclf.models.reach import ConnectSettings
    from pytest_llmclf.models.spec import ModelSpec
    from pytest_llmclf.runner.evaluation import Evaluation
    from pytest_llmclf.runner.examples import Pairs
    from pytest_llmclf.runner.job import AskingPolicy
    from pytest_llmclf.runner.task import Task
    from pytest_llmclf.values.example_image import ExampleImage
    from pytest_llmclf.values.thinking import Think


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchTask:
    """Everything that a process needs to ask about rows; can be sent to another one.

    Attributes:
        task: As pytest would make it, but for the cases, of which it has none.
        source: The manifest, or the folder of images.
        options: How `source` is read.
        root: Folder that the paths in `source` count from.
        connect: How servers are reached.
        asking: How the engine asks.
        limit: Rows that are asked about, from the first; ``None``: all.
        left_out: Digests of images that are not asked about: those that are held out, or the
            others.
        part_note: Which those are; empty where none are held out.
    """

    task: Task
    source: Path
    options: SourceOptions
    root: Path
    connect: ConnectSettings
    asking: AskingPolicy
    limit: int | None = None
    left_out: frozenset[str] = frozenset()
    part_note: str = ""


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
    confused: Callable[[Path], Pairs] | None = None,
    variant: str = "",
    final: bool = False,
) -> BatchTask:
    """Settle what is asked of whom; images are read only where some are shown or held out.

    The question depends on the labels. They are those that a pytest run would take: the
    evaluation's, else those of ``dataset.toml``, else those found in the evaluation's dataset,
    which is read once for that.

    Args:
        evaluation: What is asked.
        declared_in: The file that declares it.
        model: Who is asked.
        manifest: Images to ask about instead of the evaluation's dataset.
        connect: How servers are reached.
        asking: How the engine asks.
        limit: Rows that are looked at, from the first; ``None``: all.
        links: Folders elsewhere that links among the images may lead into.
        think: What is said about thinking instead of what the evaluation says; ``None``: nothing.
        confused: Reads which labels a finished run confused from its folder; see `Examples`.
        variant: The one variant that is asked, where the evaluation declares some.
        final: Whether the images that are held out are asked about, instead of the others.

    Raises:
        DatasetError: Dataset or manifest are not there, or their labels cannot be.
        ModelfileError: The Modelfile does not parse.
        SettingsError: Names or the model make no sense.
    """
    if model.backend == "replay":
        raise SettingsError(f"{model} is a recording, which has its answers already: name a model")
    if final and not evaluation.holdout:
        raise SettingsError(f"--final: {NONE_HELD_OUT}")
    evaluation = in_variant(evaluation, variant)
    root = project_root(declared_in, Path.cwd())
    modelfile = modelfile_of(evaluation, root)
    if not isinstance(evaluation.dataset, str | Path):
        raise SettingsError(
            f"the images of Evaluation({evaluation.title!r}) come from a function, and predict "
            "reads a folder or manifest: run pytest, or write one"
        )
    own = datasets.locate(str(evaluation.dataset), root)
    part, description = describe(own, evaluation.split)
    options = evaluation.source_options(links, root)
    options, own = settled(options, description, located=part != own), part
    names = datasets.labels_of(own, description, evaluation.label_names, options)
    check_labels(evaluation, variant, evaluation, names)
    labels = label_set(evaluation, names, evaluation.given_gates)
    source = (table_of(own, options) if own.exists() else None) or own
    if manifest is not None:
        source = manifest.expanduser().absolute()
        if not source.is_file():
            raise DatasetError(f"there is no manifest {source}: name a .csv or .jsonl file")
        options = replace(options, split="", strangers=None)  # its lines are meant, and no other
    examples, left_out, note = _of_whole(
        evaluation, root, links, confused, final=final, variant=variant
    )
    spec, reason = resolve(model, modelfile, connect)
    folder = source.parent if source.is_file() else source
    task = pair(
        evaluation,
        Dataset(name=evaluation.title, root=folder.absolute(), labels=names, cases=()),
        labels,
        modelfile,
        Choice(spec=spec, model=called(spec), reason=reason),
        gates=evaluation.given_gates,
        think=think,
        images=CaseSet(name=evaluation.title, root=root, cases=(), labels=labels.names),
        examples=examples,
        variant=variant,
    )
    return BatchTask(
        task=task,
        source=source.absolute(),
        options=options,
        root=folder.absolute(),
        connect=connect,
        asking=asking,
        limit=limit,
        left_out=left_out,
        part_note=note,
    )


def _of_whole(
    evaluation: Evaluation,
    root: Path,
    links: Sequence[Path],
    confused: Callable[[Path], Pairs] | None,
    *,
    final: bool,
    variant: str,
) -> tuple[tuple[ExampleImage, ...], frozenset[str], str]:
    """Example images that pytest would show, digests of those that it would leave out, and why.

    Only for these the whole table is held at once.
    """
    wish = evaluation.given_examples
    if wish is None and not evaluation.holdout:
        return (), frozenset(), ""
    source = datasets.locate(str(evaluation.dataset), root)
    whole = datasets.load(
        source,
        labels=evaluation.label_names,
        verify_images=False,
        options=evaluation.source_options(links, root),
        decisions=decisions_about(evaluation, source, root),
    )
    part, asked, other, pool = asked_part(evaluation, whole, final=final)
    here = {case.sha256 for case in asked.cases}
    left_out = frozenset(case.sha256 for case in whole.cases) - here
    sizes = (other, len(asked.cases)) if final else (len(asked.cases), other)
    note = part_note(part, sizes)
    if wish is None:
        return (), left_out, note
    # What is judged beside them is nothing to look for here.
    evaluation = replace(evaluation, examples=replace(wish, near_copies=False))
    found = drawn([(variant, evaluation)], asked, root, links=links, confused=confused, pool=pool)
    (shown,) = found.shown
    return as_shown(shown, evaluation.answer, evaluation.image_limits), left_out, note
