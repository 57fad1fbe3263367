"""Probes: an evaluation's questions with one thing changed, put about a few of its images.

What is changed, and of which images, is settled before anything is asked, by seed and ids alone.
The answers are no part of the evaluation: `ProbeAnswers` keeps them apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from pytest_llmclf.analysis.diagnosis.instructions import standings, texts_of, with_others
from pytest_llmclf.metrics.clusters import clusters_of
from pytest_llmclf.prompting.labels import LabelSet
from pytest_llmclf.values.probe_answers import ProbeAnswers
from pytest_llmclf.values.request import TOLD_NOTHING
from pytest_llmclf.values.seeded import seeded_coin, seeded_order

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_llmclf.analysis.diagnosis.instructions import InstructionTexts, Standing
    from pytest_llmclf.runner.task import Task
    from pytest_llmclf.values.case import Case
    from pytest_llmclf.values.probe_answers import Probe

GREYS: Final = (128, 96, 160, 64, 192)
"""The grey images that are asked about: one each, since they show nothing that could differ."""
SIZES: Final = {"half": 0.5, "twice": 2.0}
"""How many times as large the image is sent."""

_VOWELS: Final = "aeiou"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeTask:
    """One change of a task's questions.

    Attributes:
        wanted: What is to be asked, without answers; where nothing is, why.
        task: The changed task; ``None`` where nothing is to be asked.
    """

    wanted: ProbeAnswers
    task: Task | None = None


def probe_sample(cases: Sequence[Case], most: int, *, group: str, seed: int) -> tuple[str, ...]:
    """The images that probes look at: the first ones in the run's order, one of each group.

    A run that stops early has then asked them before it stops, and images that are no independent
    evidence (of a group, or copies) are not asked about twice.

    Args:
        cases: Those that are to be asked about.
        most: How many to take.
        group: Tag whose values are groups of images; empty: there are none.
        seed: Of the run's order.
    """
    clusters = clusters_of(((case.id, case.sha256, case.tags) for case in cases), group)
    seen: set[str] = set()
    chosen: list[str] = []
    for id_ in seeded_order([case.id for case in cases], seed):
        cluster = clusters.get(id_, id_)
        if cluster not in seen and len(chosen) < most:
            seen.add(cluster)
            chosen.append(id_)
    return tuple(chosen)


def probe_tasks(
    task: Task, probes: Sequence[Probe], cases: Sequence[str], *, seed: int, own: str = ""
) -> tuple[ProbeTask, ...]:
    """The changed questions of some probes, those of one probe side by side.

    Args:
        task: As it is declared.
        probes: What is looked into.
        cases: Ids of the images of the sample.
        seed: Decides what is chosen at random.
        own: SYSTEM text that the model has by itself, as far as it is known.
    """
    if told_nothing(task):
        return tuple(_not_run(probe, "the model is told nothing but the image") for probe in probes)
    found: list[ProbeTask] = []
    for probe in probes:
        match probe:
            case "order":
                found += _order(task, cases, seed)
            case "blank":
                found += _blank(task, cases)
            case "example":
                found.append(_example(task, cases, seed, own))
            case "size":
                found += _size(task, cases)
    return tuple(found)


def told_nothing(task: Task) -> bool:
    """Whether no instructions reach the model: a classical method, or a file of predictions."""
    return task.spec.backend in TOLD_NOTHING


def two_orders(names: Sequence[str], seed: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A label list in an order drawn by lot, and that order backwards.

    Labels that stand at an end of the declared list come to the middle, so that whoever follows
    an end answers something else.
    """
    ends = {names[0], names[-1]}
    inner = [name for name in seeded_order(names, seed) if name not in ends]
    middle = [name for name in seeded_order(names, seed) if name in ends]
    half = len(inner) // 2
    if len(names) < 4:  # noqa: PLR2004 - at least the first one is no end of either list
        middle, (last, *inner) = [names[0]], [names[-1], *inner]
        forth = (last, *middle, *inner)
    else:
        forth = (*inner[:half], *middle, *inner[half:])
    return tuple(forth), tuple(reversed(forth))


def _order(task: Task, cases: Sequence[str], seed: int) -> Iterator[ProbeTask]:
    by_name = {label.name: label for label in task.labels.labels}
    for number, names in enumerate(two_orders(task.labels.names, seed)):
        labels = LabelSet(
            labels=tuple(by_name[name] for name in names), case_matters=task.labels.case_matters
        )
        change = f"order {number + 1}"
        yield ProbeTask(
            wanted=ProbeAnswers(
                probe="order",
                change=change,
                cases=tuple(case for case in cases if seeded_coin(case, seed) == bool(number)),
                labels=names,
            ),
            task=replace(_called(task, change), labels=labels),
        )


def _blank(task: Task, cases: Sequence[str]) -> Iterator[ProbeTask]:
    for case, grey in zip(cases, GREYS, strict=False):
        change = f"grey {grey}"
        yield ProbeTask(
            wanted=ProbeAnswers(probe="blank", change=change, cases=(case,)),
            task=replace(_called(task, change), limits=replace(task.limits, grey=grey)),
        )


def _size(task: Task, cases: Sequence[str]) -> Iterator[ProbeTask]:
    for change, scale in SIZES.items():
        yield ProbeTask(
            wanted=ProbeAnswers(probe="size", change=change, cases=tuple(cases)),
            task=replace(_called(task, change), limits=replace(task.limits, scale=scale)),
        )


def _example(task: Task, cases: Sequence[str], seed: int, own: str) -> ProbeTask:
    """The question with other labels in the places of those that are examples."""
    given = texts_of(task.instructions, task.labels.names, own)
    found = _in_texts(given)
    others = _others(task.labels.names, tuple(found), seed)
    if not found:
        return _not_run(
            "example", "no label stands as an example in the SYSTEM text, the prompt or the turns"
        )
    if len(others) < len(found):
        return _not_run("example", "there is no other label to take the place of the example")
    texts, answers = with_others(given, others)
    told = iter(answers)
    messages = tuple(
        (role, next(told) if role == "assistant" else text)
        for role, text in task.modelfile.messages
    )
    system = texts.get("system") or texts.get("base") or task.evaluation.system
    changed = replace(
        _called(task, "example"),
        evaluation=replace(task.evaluation, prompt=texts["prompt"], system=system),
    )
    modelfile = task.modelfile
    if messages:  # a model on Ollama is derived from them and from what stands before them
        modelfile = replace(modelfile, messages=messages, system=system or modelfile.system)
    if modelfile != task.modelfile:
        changed = replace(changed, modelfile=modelfile, connects_as=None)
    now = _in_texts(texts_of(changed.instructions, task.labels.names))
    if set(now) != set(others.values()):
        return _not_run(
            "example", "the example cannot be exchanged for another label where it stands"
        )
    wanted = ProbeAnswers(
        probe="example",
        change="example",
        cases=tuple(cases),
        others=others,
        place=next(iter(found.values())),
    )
    return ProbeTask(wanted=wanted, task=changed)


def _in_texts(given: InstructionTexts) -> dict[str, Standing]:
    """The labels that a text has as examples; an image that is shown is of its own label alone."""
    return standings(replace(given, shown=()))


def _others(names: Sequence[str], taken: Sequence[str], seed: int) -> Mapping[str, str]:
    """For each label that is an example another one, which takes the same article if any does."""
    left = [name for name in seeded_order(names, seed) if name not in taken]
    found: dict[str, str] = {}
    for name in taken:
        vowel = name[:1].lower() in _VOWELS
        left.sort(key=lambda other: (other[:1].lower() in _VOWELS) != vowel)
        if left:
            found[name] = left.pop(0)
    return found


def _not_run(probe: Probe, why: str) -> ProbeTask:
    return ProbeTask(wanted=ProbeAnswers(probe=probe, why=why))


def _called(task: Task, change: str) -> Task:
    """A copy of the task under a name that no variant can have, without gates."""
    name = f"{task.variant}: {change}"
    return replace(task, variant=name, gates=(), probe=True, connects_as=task.connection)
