"""From an evaluation to its assignments: what is loaded and who is asked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmclf.data import dataset as datasets
from pytest_llmclf.data.image import PictureLimits
from pytest_llmclf.errors import DatasetError, SettingsError
from pytest_llmclf.gates.gate import addressed_to, check_gates
from pytest_llmclf.metrics.clusters import check_group
from pytest_llmclf.models.llamacpp.embedded import knows_some, labels_unknown, unknown_to_embedded
from pytest_llmclf.models.spec import names_file
from pytest_llmclf.prompting import modelfile as modelfiles
from pytest_llmclf.prompting.labels import Label, LabelSet
from pytest_llmclf.prompting.prompt import compose
from pytest_llmclf.runner.settings import project_root
from pytest_llmclf.runner.task import Assignment, instruct

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pytest_llmclf.errors import BackendError
    from pytest_llmclf.gates.gate import Gate
    from pytest_llmclf.models.spec import ModelSpec
    from pytest_llmclf.prompting.modelfile import Modelfile
    from pytest_llmclf.prompting.prompt import Instructions
    from pytest_llmclf.runner.evaluation import Evaluation
    from pytest_llmclf.runner.settings import Settings


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
    verify_pictures: bool,
    meant: Callable[[ModelSpec, Instructions], Sequence[ModelSpec]] | None = None,
) -> tuple[Assignment, ...]:
    """Load what an evaluation names and pair it with each model of the run.

    Args:
        evaluation: What is asked.
        settings: Who is asked, and how many pictures.
        declared_in: The file that declares the evaluation.
        choose: Settles which model a wanted one (perhaps ``auto``) means here.
        verify_pictures: Whether every picture is decoded now, so that a bad one is known before
            the first question.
        meant: The models that a wanted one stands for, such as all those of a recording that
            answered these very questions; default: itself alone.

    Raises:
        DatasetError: The dataset cannot be judged.
        ModelfileError: The Modelfile does not parse.
        SettingsError: Labels or names make no sense.
    """
    limits = PictureLimits()
    root = project_root(declared_in, settings.root)
    modelfile = modelfiles.load(locate_modelfile(str(evaluation.modelfile), root))
    given = evaluation.given_labels
    whole = datasets.load(
        datasets.locate(str(evaluation.dataset), root),
        name=evaluation.title,
        labels=None if given is None else [label.name for label in given],
        limits=limits,
        verify_pictures=verify_pictures,
        options=evaluation.source_options(settings.allow_links),
    )
    if not whole.cases:
        raise DatasetError(f"{whole.root}: no pictures; put some in, one folder a class")
    if evaluation.group is not None:
        check_group(whole.cases, evaluation.group, f"Evaluation({evaluation.title!r})")
    labels = LabelSet(
        labels=given or tuple(Label(name=name) for name in whole.labels),
        case_matters=evaluation.case_matters,
    )
    gates = gates_for(evaluation, settings)
    # The bundled and the imported images of a name may bear different tags.
    fitting = [gate for gate in gates if gate.is_for(imported=whole.imported)]
    check_gates(gates, labels.names)
    check_gates(fitting, labels.names, whole.tags)
    compose(evaluation.prompt, labels, evaluation.answer)  # an empty prompt is known by now
    chosen = whole
    if settings.sample is not None:
        chosen = datasets.sample(whole, settings.sample, settings.seed)
    sizes = Counter(case.label for case in whole.cases)
    assignments = []
    told = instruct(evaluation, modelfile, labels, "", settings.think)
    every = (spec for one in settings.models for spec in (meant(one, told) if meant else (one,)))
    for wanted in every:
        choice = choose(evaluation, modelfile, wanted)
        unfit, caveat = fitness(choice.spec, labels, modelfile)
        assignments.append(
            Assignment(
                evaluation=evaluation,
                dataset=chosen,
                labels=labels,
                modelfile=modelfile,
                spec=choice.spec,
                model=choice.model,
                reason=choice.reason,
                whole=len(whole.cases),
                class_sizes=tuple(sizes[name] for name in labels.names),
                limits=limits,
                verified=verify_pictures,
                gates=gates,
                unfit=unfit,
                caveat=caveat,
                think=settings.think,
            )
        )
    return _distinct(assignments)


def fitness(
    spec: ModelSpec, labels: LabelSet, modelfile: Modelfile
) -> tuple[BackendError | None, str]:
    """Why a model cannot know any of the labels, if it cannot, and else what it does not know."""
    unknown = unknown_to_embedded(spec, labels)
    if not unknown:
        return None, ""
    if len(unknown) < len(labels.names):
        return None, knows_some(unknown)
    base = modelfile.from_
    return labels_unknown(labels, f"ollama:{'llava' if names_file(base) else base}"), ""


def gates_for(evaluation: Evaluation, settings: Settings) -> tuple[Gate, ...]:
    """The gates of an evaluation, then those that the run adds to it by name or pattern.

    Raises:
        SettingsError: One of them names a metric that the evaluation does not have.
    """
    added = addressed_to(evaluation.title, settings.gates)
    return (*evaluation.given_gates, *(gate.knowing(evaluation.own_metrics) for gate in added))


def _distinct(assignments: Sequence[Assignment]) -> tuple[Assignment, ...]:
    """One a model; two ways to reach a model of one name cannot be told apart in a report."""
    found: dict[str, Assignment] = {}
    for assignment in assignments:
        other = found.setdefault(assignment.model, assignment)
        if other.spec != assignment.spec:
            raise SettingsError(
                f"{other.spec} and {assignment.spec} are both called {assignment.model}; "
                "ask them in two runs"
            )
    return tuple(found.values())


def called(spec: ModelSpec) -> str:
    """What a model is called: as it is written, but without address and folders."""
    match spec.backend:
        case "openai":
            return f"openai:{spec.name}"
        case "ollama" if names_file(spec.name):
            return f"ollama:{_file_name(spec.name)}"
        case "llamacpp" if spec.text:
            return f"llamacpp:{_file_name(spec.text)}+{_file_name(spec.mmproj)}"
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
