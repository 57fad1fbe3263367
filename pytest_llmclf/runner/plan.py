"""From an evaluation to its tasks: what is loaded and who is asked."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmclf.data import dataset as datasets
from pytest_llmclf.data.decision_files import decision_files, decisions_file
from pytest_llmclf.data.given import Given, kept_under, read_given
from pytest_llmclf.data.holdout import hold_out
from pytest_llmclf.errors import DatasetError, SettingsError, naming_variant
from pytest_llmclf.gates.gate import addressed_to, check_gates, check_variant_names
from pytest_llmclf.metrics.clusters import check_group
from pytest_llmclf.models.llamacpp.embedded import labels_unknown, unknown_to_embedded
from pytest_llmclf.models.predictions.predictions_backend import name_of, predictions_for
from pytest_llmclf.models.spec import names_file
from pytest_llmclf.models.yardstick.kinds import options_of, yardstick_title
from pytest_llmclf.prompting import modelfile as modelfiles
from pytest_llmclf.prompting.labels import Label, LabelSet
from pytest_llmclf.prompting.prompt import compose
from pytest_llmclf.runner.example_plan import drawn
from pytest_llmclf.runner.examples import as_shown
from pytest_llmclf.runner.settings import DEFAULT_SEED, project_root
from pytest_llmclf.runner.task import Task, instruct
from pytest_llmclf.runner.variant_tasks import (
    check_different,
    check_labels,
    in_variants,
)
from pytest_llmclf.values.case import CaseSet
from pytest_llmclf.values.request import is_told

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

    from pytest_llmclf.data.dataset import Dataset
    from pytest_llmclf.errors import BackendError
    from pytest_llmclf.gates.gate import Gate
    from pytest_llmclf.metrics.report_facts import Part
    from pytest_llmclf.models.spec import ModelSpec
    from pytest_llmclf.prompting.modelfile import Modelfile
    from pytest_llmclf.prompting.prompt import Instructions
    from pytest_llmclf.runner.evaluation import Evaluation
    from pytest_llmclf.runner.examples import Pairs
    from pytest_llmclf.runner.settings import Settings
    from pytest_llmclf.values.case import Case
    from pytest_llmclf.values.example_image import ExampleImage
    from pytest_llmclf.values.outcome import TaskName
    from pytest_llmclf.values.thinking import Think


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which model answers.

    Attributes:
        spec: How it is reached.
        model: What it is called.
        reason: Why it, in one line; empty when it was simply demanded.
    """

    spec: ModelSpec
    model: str
    reason: str = ""


def assign(
    evaluation: Evaluation,
    settings: Settings,
    declared_in: Path,
    choose: Callable[[Evaluation, Modelfile, ModelSpec], Choice],
    *,
    verify_images: bool,
    meant: Callable[[ModelSpec, Instructions], Sequence[ModelSpec]] | None = None,
    confused: Callable[[Path], Pairs] | None = None,
) -> tuple[Task, ...]:
    """Load what an evaluation names and pair it with each model of the run.

    Args:
        evaluation: What is asked.
        settings: Who is asked, and how many images.
        declared_in: The file that declares the evaluation.
        choose: Settles which model a wanted one (perhaps ``auto``) means here.
        verify_images: Whether every image is decoded now, so that a bad one is known before
            the first question.
        meant: The models that a wanted one stands for, such as all those of a recording that
            answered these very questions; default: itself alone.
        confused: Reads which labels a finished run confused from its folder; see `Examples`.

    Raises:
        DatasetError: The dataset cannot be judged.
        ModelfileError: The Modelfile does not parse.
        SettingsError: Labels or names make no sense.
    """
    root = project_root(declared_in, settings.root)
    source = source_of(evaluation, root, settings.home)
    whole = datasets.load(
        source,
        name=evaluation.title,
        labels=evaluation.label_names,
        verify_images=verify_images,
        options=evaluation.source_options(settings.allow_links, root),
        decisions=decisions_about(evaluation, source, root),
    )
    if not whole.cases:
        raise DatasetError(f"{whole.root}: no images; put some in, one folder a class")
    if evaluation.group is not None:
        # Images of no class come from elsewhere, and each is one by itself.
        own = [case for case in whole.cases if case.root == whole.root]
        check_group(own, evaluation.group, f"Evaluation({evaluation.title!r})")
    gates = gates_for(evaluation, settings)
    # The bundled and the imported images of a name may bear different tags.
    fitting = [gate for gate in gates if gate.is_for(imported=whole.imported)]
    check_gates(fitting, whole.labels, whole.tags)
    _check_strangers(evaluation, fitting, whole.cases)
    part, whole, other, pool = asked_part(evaluation, whole, final=settings.final)
    variants = in_variants(evaluation, settings.variants)
    check_variant_names(gates, [name for name, _ in variants])
    # Those that are shown as examples, too: others may learn from them, or have answers to them.
    images = CaseSet(
        name=whole.name,
        root=root,
        cases=whole.cases,
        labels=whole.labels,
        group=evaluation.group or "",
    )
    links, home = settings.allow_links, settings.home
    found = drawn(variants, whole, root, links=links, confused=confused, home=home, pool=pool)
    chosen = whole = found.judged
    if settings.sample is not None:
        chosen = datasets.sample(whole, settings.sample, settings.seed)
    tasks = []
    known: dict[Hashable, tuple[str, Evaluation]] = {}
    for (name, varied), shown in zip(variants, found.shown, strict=True):
        check_labels(evaluation, name, varied, whole.labels)
        with naming_variant(name):
            modelfile = modelfile_of(varied, root)
            labels = label_set(varied, whole.labels, gates)
        examples = as_shown(shown, varied.answer, varied.image_limits)
        told = instruct(varied, modelfile, labels, "", think=settings.think, examples=examples)
        check_different(known, name, varied, told=told, modelfile=modelfile, think=settings.think)
        every = [
            one for spec in settings.models for one in (meant(spec, told) if meant else [spec])
        ]
        tasks += [
            pair(
                varied,
                chosen,
                labels,
                modelfile,
                choose(varied, modelfile, wanted),
                whole=whole,
                verified=verify_images,
                gates=gates,
                think=settings.think,
                images=images,
                examples=examples,
                taken_out=found.taken_out,
                variant=name,
            )
            for wanted in every
        ]
    return _distinct([replace(task, part=part, other_part=other) for task in tasks])


def asked_part(
    evaluation: Evaluation, whole: Dataset, *, final: bool
) -> tuple[Part, Dataset, int, Sequence[Case] | None]:
    """Which part of the images is asked about, its images, and how many the other part has.

    Also which ones may be shown as examples: those to tune on, in a final run, too. The parts are
    the same whatever the seed of a run is: another seed would show what is held out.
    """
    if not evaluation.holdout:
        return "", whole, 0, None
    tuning, held = hold_out(whole, evaluation.holdout, DEFAULT_SEED, evaluation.group or "")
    if final:
        return "held-out", held, len(tuning.cases), tuning.cases
    return "tuning", tuning, len(held.cases), tuning.cases


def pair(
    evaluation: Evaluation,
    dataset: Dataset,
    labels: LabelSet,
    modelfile: Modelfile,
    choice: Choice,
    *,
    whole: Dataset | None = None,
    verified: bool = False,
    gates: tuple[Gate, ...] = (),
    think: Think | None = None,
    images: CaseSet | None = None,
    examples: tuple[ExampleImage, ...] = (),
    taken_out: tuple[str, ...] = (),
    variant: str = "",
) -> Task:
    """An evaluation put to a model.

    Args:
        evaluation: What is asked.
        dataset: The cases.
        labels: Those that an answer may name; see `label_set`.
        modelfile: The evaluation's.
        choice: Who is asked.
        whole: The dataset before sampling; default: `dataset`.
        verified: Whether every image was decoded when the dataset was loaded.
        gates: All that are judged.
        think: What the run says about thinking instead of the evaluation; ``None``: nothing.
        images: All images, for models that learn from them or have answers to them.
        examples: Images that are shown with their labels.
        taken_out: Ids of the images that are not judged for it, neither in `dataset` nor `whole`.
        variant: Name of the variant that it is asked in; empty: as it is declared.
    """
    if images is not None:
        check_given(choice.spec, images)
    if yardstick_title(choice.model) is not None:
        gates = tuple(gate for gate in gates if gate.names_a_model)
    if not is_told(choice.model):
        # It is told nothing and shown nothing; what is judged stays the same.
        examples, variant = (), ""
    whole = whole or dataset
    sizes = Counter(case.label for case in whole.cases)
    return Task(
        evaluation=evaluation,
        dataset=dataset,
        labels=labels,
        modelfile=modelfile,
        spec=choice.spec,
        model=choice.model,
        reason=choice.reason,
        whole=len(whole.cases),
        class_sizes=tuple(sizes[name] for name in labels.names),
        limits=evaluation.image_limits,
        verified=verified,
        gates=gates,
        unfit=unfitness(choice.spec, labels, modelfile),
        think=think,
        images=images,
        examples=examples,
        taken_out=taken_out,
        variant=variant,
    )


def check_given(spec: ModelSpec, images: CaseSet) -> None:
    """Refuse files that a model is made of and that are not there, before anybody is asked.

    Raises:
        DatasetError: There is no dataset to learn from.
        SettingsError: A file of predictions cannot be read, or is not about these images.
    """
    if spec.backend == "predictions" and images.cases:
        predictions_for(spec, images)
    elif spec.backend in ("yardstick", "sklearn"):
        train = options_of(spec.query, str(spec)).train
        if train:
            datasets.locate(train, images.root)


def label_set(evaluation: Evaluation, names: Sequence[str], gates: Sequence[Gate]) -> LabelSet:
    """The labels that an answer may name, before anybody is asked.

    In the order in which the evaluation gives them, else that of its dataset.

    Args:
        evaluation: Its own labels, with synonyms, go first.
        names: The labels of its dataset.
        gates: All that are judged.

    Raises:
        SettingsError: The prompt is empty, or a gate names a class that there is not.
    """
    labels = LabelSet(
        labels=evaluation.given_labels or tuple(Label(name=name) for name in names),
        case_matters=evaluation.case_matters,
    )
    check_gates(gates, labels.names)
    compose(evaluation.prompt, labels, evaluation.answer)
    return labels


def modelfile_of(evaluation: Evaluation, root: Path) -> Modelfile:
    """The Modelfile that an evaluation names, with the evaluation's system text before its turns.

    Ollama puts a system text that is sent behind the turns of a model: it must be the model's own.

    Raises:
        ModelfileError: It does not parse.
        SettingsError: There is none; the message lists what there is.
    """
    if evaluation.modelfile is None:
        return modelfiles.parse(
            modelfiles.DEFAULT, "the Modelfile of an evaluation that names none"
        )
    found = modelfiles.load(locate_modelfile(str(evaluation.modelfile), root))
    return replace(found, system=evaluation.system or found.system) if found.messages else found


def unfitness(spec: ModelSpec, labels: LabelSet, modelfile: Modelfile) -> BackendError | None:
    """Why a model's answers measure nothing: it cannot know all of the labels.

    Where it is asked all the same, gates on the labels that it cannot know would be judged by
    answers that cannot be right, and those on the others by fewer ways to be wrong.
    """
    unknown = unknown_to_embedded(spec, labels)
    if not unknown:
        return None
    base = modelfile.from_
    wanted = f"ollama:{'llava' if names_file(base) else base}"
    return labels_unknown(labels, unknown, wanted)


def source_of(evaluation: Evaluation, root: Path, home: Path) -> Path | Given:
    """Where an evaluation's images come from; a function is called.

    Args:
        evaluation: What is asked.
        root: Of the project.
        home: Below it images are kept that come as bytes.

    Raises:
        DatasetError: There is no such dataset, or the function gives none.
    """
    if isinstance(evaluation.dataset, str | Path):
        return datasets.locate(str(evaluation.dataset), root)
    kept = kept_under(home, evaluation.title)
    return read_given(evaluation.dataset, root=root, kept=kept)


def _check_strangers(evaluation: Evaluation, gates: Sequence[Gate], cases: Sequence[Case]) -> None:
    """Refuse a gate on images of no class where there is none."""
    asked = [gate for gate in gates for one in gate.parsed.thresholds if one.spec.strangers]
    if asked and not any(case.stranger for case in cases):
        raise SettingsError(
            f"Evaluation({evaluation.title!r}): gate {asked[0].expression!r} is about images of no "
            f"class, and there is none: label some {evaluation.none_label!r} (none_label= names "
            "another label), or give strangers=FOLDER"
        )


def decisions_about(evaluation: Evaluation, source: Path | Given, root: Path) -> tuple[Path, ...]:
    """The files with what people decided about the labels of an evaluation's dataset.

    Args:
        evaluation: Of which part of a split, and of which name.
        source: Where its images come from.
        root: Of the project.
    """
    own = decisions_file(source, root, split=evaluation.split, title=evaluation.title)
    return decision_files(own)


def gates_for(evaluation: Evaluation, settings: Settings) -> tuple[Gate, ...]:
    """The gates of an evaluation, then those that the run adds to it by name or pattern.

    Raises:
        SettingsError: One of them names a metric that the evaluation does not have.
    """
    added = addressed_to(evaluation.title, settings.gates)
    try:
        known = [gate.knowing(evaluation.own_metrics) for gate in added]
    except SettingsError as error:
        raise SettingsError(f"Evaluation({evaluation.title!r}): {error}") from error
    return (*evaluation.given_gates, *known)


def _distinct(tasks: Sequence[Task]) -> tuple[Task, ...]:
    """One a model and variant, all of a model together: a server need not change models between.

    Two ways to reach a model of one name cannot be told apart in a report.
    """
    found: dict[str, dict[str, Task]] = {}
    for task in tasks:
        other = found.setdefault(task.model, {}).setdefault(task.variant, task)
        if other.spec != task.spec:
            raise SettingsError(
                f"{other.spec} and {task.spec} are both called {task.model}; ask them in two runs"
            )
    return tuple(task for variants in found.values() for task in _connected(variants.values()))


def _connected(variants: Iterable[Task]) -> Iterator[Task]:
    """The variants of one model, connected once where they reach it in the same way.

    What was learnt of how much its server can use goes on, and no slot idles at a border.
    """
    first: dict[tuple[str, bool], TaskName] = {}
    for task in variants:
        same = first.setdefault((task.modelfile.digest(), task.unfit is None), task.key)
        # A recording is looked through for who answered just this.
        yield task if task.recorded or same == task.key else replace(task, connects_as=same)


def called(spec: ModelSpec) -> str:
    """What a model is called: as it is written, but without address and folders."""
    match spec.backend:
        case "openai":
            return f"openai:{spec.name}"
        case "ollama" if names_file(spec.name):
            return f"ollama:{_file_name(spec.name)}"
        case "llamacpp" if spec.text:
            return f"llamacpp:{_file_name(spec.text)}+{_file_name(spec.mmproj)}"
        case "predictions":
            return f"predictions:{name_of(spec)}"
        case "yardstick" | "sklearn" if spec.query:
            bare = re.sub(r"(?<=train=)[^&]*[/\\](?=[^&])", "", spec.query)
            return str(replace(spec, query=bare))
        case _:
            return str(spec)


def _file_name(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def locate_modelfile(name: str, root: Path) -> Path:
    """The file of a Modelfile named by path, or by name under ``modelfiles/``.

    Raises:
        SettingsError: There is none; the message lists what there is.
    """
    candidates = [root / "modelfiles" / f"{name}.Modelfile", root / name]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    there = sorted(path.stem for path in (root / "modelfiles").glob("*.Modelfile"))
    raise SettingsError(
        f"Modelfile {name!r} is neither {candidates[0]} nor {candidates[1]}; "
        + (f"there are: {', '.join(there)}" if there else "write one: its first line is FROM llava")
    )
