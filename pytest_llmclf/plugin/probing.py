"""Probes in a run: asked in the tests of the images of their sample, and kept apart from outcomes.

They are planned alike in every process, from the tests that are to run: a worker of xdist asks,
and the controller knows what was to be asked.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pytest_llmclf.analysis.diagnosis.instructions import standings, texts_of
from pytest_llmclf.analysis.diagnosis.probed import BIAS, paired_level, sample_size
from pytest_llmclf.metrics.power import loss_chance
from pytest_llmclf.reporting.numbers import percent, plural
from pytest_llmclf.reporting.probe_lines import EXAMPLE_IN
from pytest_llmclf.runner.job import Job
from pytest_llmclf.runner.probe_tasks import probe_sample, probe_tasks, told_nothing
from pytest_llmclf.values.outcome import ANSWERED
from pytest_llmclf.values.text import noun, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pytest_llmclf.runner.probe_tasks import ProbeTask
    from pytest_llmclf.runner.settings import Settings
    from pytest_llmclf.runner.task import Task
    from pytest_llmclf.values.case import Case
    from pytest_llmclf.values.outcome import Outcome, TaskName
    from pytest_llmclf.values.probe_answers import ProbeAnswers

Carried = dict[str, Any]
"""An answer of a probe in JSON built-ins: which change, the label, and why there is no answer."""


@dataclass(slots=True, kw_only=True)
class TaskProbes:
    """What is probed of one task.

    Attributes:
        parts: The changes, by what they are called.
        images: How many images are in the sample.
        answers: By change and case, the label or ``None``.
        troubles: By change, why the first case without an answer has none.
    """

    parts: dict[str, ProbeTask]
    images: int
    answers: dict[str, dict[str, str | None]] = field(default_factory=dict)
    troubles: dict[str, str] = field(default_factory=dict)

    def jobs(self, case: Case) -> Iterator[tuple[str, Job]]:
        """What is to be asked about a case, each with what its change is called."""
        for change, part in self.parts.items():
            if part.task is not None and case.id in part.wanted.cases:
                yield change, Job(task=part.task, case=case)

    def note(self, case: str, said: Iterable[Carried]) -> None:
        """Keep what was answered about a case; what it came to last counts."""
        for one in said:
            change = one["change"]
            if one["trouble"] is None:
                self.answers.setdefault(change, {})[case] = one["label"]
            else:
                self.troubles.setdefault(change, one["trouble"])

    def found(self) -> tuple[ProbeAnswers, ...]:
        """The answers by now."""
        return tuple(
            replace(
                part.wanted,
                answers=dict(sorted(self.answers.get(change, {}).items())),
                trouble=self.troubles.get(change, ""),
            )
            for change, part in self.parts.items()
        )

    @property
    def questions(self) -> int:
        """How many are to be asked."""
        return sum(len(part.wanted.cases) for part in self.parts.values())


class Probes:
    """All that is probed in a run.

    Args:
        settings: What the user said.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._by_task: dict[TaskName, TaskProbes] = {}

    def plan(self, jobs: Iterable[Job], own: Callable[[Task], str]) -> None:
        """Settle what is asked, of the images that are to run.

        Args:
            jobs: One an image and task.
            own: Gives the SYSTEM text that a task's model has by itself, as far as it is known.
        """
        probes, seed = self._settings.probes, self._settings.seed
        if not probes:
            return
        tasks: dict[TaskName, tuple[Task, list[Case]]] = {}
        for job in jobs:
            tasks.setdefault(job.task.key, (job.task, []))[1].append(job.case)
        most = self._settings.probe_images or sample_size(probes)
        for name, (task, cases) in tasks.items():
            group = task.evaluation.group or ""
            sample = probe_sample(cases, most, group=group, seed=seed)
            parts = probe_tasks(
                task, probes, sample, seed=seed, own=own(task) if "example" in probes else ""
            )
            by_change = {f"{part.wanted.probe} {part.wanted.change}": part for part in parts}
            self._by_task[name] = TaskProbes(parts=by_change, images=len(sample))

    def tasks(self, name: TaskName) -> tuple[Task, ...]:
        """The changed tasks of one."""
        known = self.of(name)
        parts = () if known is None else tuple(known.parts.values())
        return tuple(part.task for part in parts if part.task is not None)

    def of(self, name: TaskName) -> TaskProbes | None:
        """What is probed of a task; ``None``: nothing."""
        return self._by_task.get(name)

    def jobs(self, job: Job) -> tuple[tuple[str, Job], ...]:
        """What is asked besides the image's own question."""
        known = self.of(job.task.key)
        return () if known is None else tuple(known.jobs(job.case))

    def note(self, outcome: Outcome, said: Sequence[Carried]) -> None:
        """Keep what was answered beside an outcome that counts; else there is no pair."""
        known = self.of(outcome.task)
        if known is not None and outcome.kind in ANSWERED:
            known.note(outcome.case, said)

    def answers(self, name: TaskName) -> tuple[ProbeAnswers, ...]:
        """What was answered of a task by now."""
        known = self.of(name)
        return () if known is None else known.found()

    def asked_note(self, name: TaskName) -> Iterator[str]:
        """What the answers of a task cost besides its own, and where they count."""
        asked = sum(len(one.answers) for one in self.answers(name))
        if asked:
            yield (
                f"{plural(asked, 'further answer')} of probes: in no number here but the time, and "
                "in the diagnosis"
            )

    def announced(self, name: TaskName) -> Iterator[str]:
        """What is going to be asked of a task, before it is, a line each."""
        known = self.of(name)
        if known is None:
            return
        run = dict.fromkeys(one.wanted.probe for one in known.parts.values() if one.wanted.cases)
        if run:
            power = loss_chance(known.images, BIAS, alpha=paired_level(run))
            yield (
                f"{noun(len(run), 'probe')} {', '.join(run)}: "
                f"{plural(known.questions, 'further question')} about "
                f"{plural(known.images, 'image')}; a bias of 10 points is found in "
                f"{percent(power, 0)} of such samples where nothing else changes answers"
            )
        for one in known.parts.values():
            if one.wanted.why:
                yield f"probe {one.wanted.probe} tells nothing: {one.wanted.why}"


def carried(change: str, outcome: Outcome) -> Carried:
    """An answer of a probe, as it travels on the report of its image's test."""
    answered = outcome.kind in ANSWERED
    trouble = None if answered else outcome.message or outcome.kind
    return {"change": change, "label": outcome.predicted, "trouble": trouble}


def example_line(task: Task, own: str) -> str | None:
    """Which label stands as the example of an answer; ``None``: none does.

    Args:
        task: What is asked.
        own: SYSTEM text that the model has by itself, as far as it is known.
    """
    found = (
        {} if told_nothing(task) else standings(texts_of(task.instructions, task.labels.names, own))
    )
    if not found:
        return None
    listed = ", ".join(shorten(label, 40) for label in found)
    where = " and ".join(dict.fromkeys(EXAMPLE_IN[place] for place in found.values()))
    stands = noun(len(found), "stands as the example", "stand as the examples")
    return (
        f"{listed} {stands} of an answer in {where}: models may lean to it; whether this one does, "
        "--llmclf-probe example tells"
    )
