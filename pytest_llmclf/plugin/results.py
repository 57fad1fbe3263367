"""What a session came to: every collected case, and how it ended. Kept by the controller."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from pytest_llmclf.api import PublicReport, public
from pytest_llmclf.gates.looks import earlier_looks
from pytest_llmclf.gates.tuning_looks import TUNING_FILE, holdout_note, read_tuning_looks
from pytest_llmclf.plugin.absences import Absences, skip_note
from pytest_llmclf.plugin.carried import REPORT_ATTRIBUTE, outcome_on
from pytest_llmclf.plugin.items import is_gate, job_of, task_of
from pytest_llmclf.plugin.probing import Probes
from pytest_llmclf.runner.task_report import task_report
from pytest_llmclf.values.outcome import Outcome, TaskName
from pytest_llmclf.values.request import ModelIdentity
from pytest_llmclf.values.seeded import seeded_order
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    import pytest

    from pytest_llmclf.analysis.comparison.paired_comparison import Comparison
    from pytest_llmclf.data.dataset import Dataset
    from pytest_llmclf.gates.sequential.watch import SequentialMonitor
    from pytest_llmclf.gates.tuning_looks import TuningLook
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.runner.settings import Settings
    from pytest_llmclf.runner.task import Task
    from pytest_llmclf.values.case import Case
    from pytest_llmclf.values.verdict import Look, Verdict


@dataclass(slots=True, kw_only=True)
class TaskResults:
    """What is known of one evaluation put to one model.

    Attributes:
        cases: Those that are to be judged, by id, in the order of their tests.
        tests: The node id of each one's test.
        outcomes: By case id: of the first asking, then of the repeats.
        skipped: By case id, why its test was skipped.
        order: Case ids in the random order of a run that may stop early.
        watch: Looks out for the moment when the gates are decided, in such a run.
        decided: Whether the rest is not needed, the gates being decided.
        judged: Expressions with confidence that tests judged.
        digest: Of the first model that answered; ``None`` before the first answer.
        identity: Who answers, as far as it is known.
        notices: What people should know of the server, each once.
        began: When the outcome before the first one came in, in seconds of a monotonic clock.
        ended: When the last one did; ``None`` before the first.
        gate_selected: Whether a gate test is to run.
        gate_skipped: Whether one was skipped, so that nobody answers for its gates.
        gate: Node id of the gate test that answers for the declared gates, once one began.
        comparison: With the committed predictions.
        report: The latest; what was worked out of it need not be worked out again.
    """

    cases: dict[str, Case] = field(default_factory=dict)
    tests: dict[str, str] = field(default_factory=dict)
    outcomes: dict[str, tuple[Outcome, ...]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    watch: SequentialMonitor | None = None
    decided: bool = False
    judged: list[str] = field(default_factory=list)
    digest: str | None = None
    identity: ModelIdentity | None = None
    notices: dict[str, None] = field(default_factory=dict)
    began: float = 0.0
    ended: float | None = None
    gate_selected: bool = False
    gate_skipped: bool = False
    gate: str | None = None
    comparison: Comparison | None = None
    report: PublicReport | None = None

    @property
    def awaits_gate(self) -> bool:
        """Whether a gate test was to run that nobody skipped."""
        return self.gate_selected and not self.gate_skipped

    @property
    def obstacles(self) -> tuple[str, ...]:
        """Why a run that may stop early cannot do so here; empty where it can, or was not to."""
        return () if self.watch is None else self.watch.obstacles

    def comes_at_random(self, seed: int) -> bool:
        """Whether the images come in the random order: another plugin may have sorted the tests."""
        return tuple(self.cases) == seeded_order(list(self.cases), seed)

    def skipped_for_good(self) -> dict[str, str]:
        """Images that were skipped, with the reasons, except those that have an outcome."""
        return {case: why for case, why in self.skipped.items() if case not in self.outcomes}

    def begin_gate(self, test: str) -> bool:
        """Whether a gate test answers for the declared gates, as the first one that begins does.

        Args:
            test: Its node id.
        """
        self.gate = self.gate or test
        return self.gate == test

    def of_one_model(self, outcome: Outcome) -> Outcome:
        """Count an answer of another model than the one that the report is about as none.

        Workers on several machines each ask a server of their own.
        """
        if not outcome.model_digest or outcome.kind == "error":
            return outcome
        if self.digest is None:
            self.digest = outcome.model_digest
        if outcome.model_digest == self.digest:
            return outcome
        return replace(
            outcome,
            kind="error",
            reason="other-model",
            predicted=None,
            answer=None,
            probabilities=None,
            label_mass=None,
            shared_mass=None,
            message=f"answered by {outcome.model_digest}, the images before by {self.digest} "
            "(give all workers the same model)",
        )


class SessionResults:
    """What was collected and what came of it.

    Args:
        settings: What the user said.
        looks: Gives the looks at gates that earlier runs noted.
        decide: Is told when a task needs no further answers.

    Attributes:
        absences: What is known of images without an outcome.
        store_notices: What the stores of all processes had to say, each once.
        probes: What is asked besides, and what came of it.
    """

    def __init__(
        self,
        settings: Settings,
        looks: Callable[[], tuple[Look, ...]],
        decide: Callable[[TaskName], None],
    ) -> None:
        self.absences = Absences()
        self.store_notices: dict[str, None] = {}
        self.probes = Probes(settings)
        self._settings = settings
        self._looks = looks
        self._decide = decide
        self._tasks: dict[TaskName, TaskResults] = {}
        self._verdicts: dict[str, list[Verdict]] = {}
        self._hashes: dict[int, str] = {}
        self._latest = time.monotonic()
        self._tuning: tuple[TuningLook, ...] | None = None

    def of(self, name: TaskName) -> TaskResults:
        """What is known of one task; nothing, for a task that nothing was heard of."""
        return self._tasks.setdefault(name, TaskResults())

    def expect(self, items: list[pytest.Item]) -> None:
        """Note every image among the items that are to run."""
        jobs: dict[TaskName, Task] = {}
        for item in items:
            if is_gate(item):
                self.of(task_of(item).key).gate_selected = True
            job = job_of(item)
            if job is not None:
                known = self.of(job.task.key)
                known.cases[job.case.id] = job.case
                known.tests[job.case.id] = item.nodeid
                jobs[job.task.key] = job.task
        if self._settings.stop_early is not None:
            for task in jobs.values():
                self._watch(task, items)
        self._latest = time.monotonic()

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What the gates came to, in the order in which they were judged."""
        return tuple(chain.from_iterable(self._verdicts.values()))

    @property
    def comparisons(self) -> dict[TaskName, Comparison]:
        """Those with the committed predictions."""
        compared = ((name, known.comparison) for name, known in self._tasks.items())
        return {name: found for name, found in compared if found is not None}

    def begin_gate(self, name: TaskName, test: str) -> bool:
        """Forget what a gate test came to when it ran before.

        Args:
            name: What it judges.
            test: Its node id.

        Returns:
            Whether it answers for the declared gates, as the first one of a task does.
        """
        self._verdicts.pop(test, None)
        return self.of(name).begin_gate(test)

    def add_verdicts(self, test: str, verdicts: Iterable[Verdict]) -> None:
        """Note what a gate test came to; gates without a test have an empty node id."""
        self._verdicts.setdefault(test, []).extend(verdicts)

    def _watch(self, task: Task, items: list[pytest.Item]) -> None:
        """Look out for the moment when the gates of a task are decided."""
        from pytest_llmclf.gates.sequential.watch import SequentialMonitor
        from pytest_llmclf.plugin.baselines import question_of

        settings, known = self._settings, self.of(task.key)
        # Never the order of the items: `--failed-first` and the like put the worst first.
        known.order = seeded_order(list(known.cases), settings.seed)
        report = self.report(task)
        compared = [
            question_of(item, report, settings)
            for item in items
            if is_gate(item) and task_of(item) is task and not task.is_yardstick
        ]
        known.watch = SequentialMonitor(
            task.gates,
            task.labels.names,
            [known.cases[id_] for id_ in known.order],
            model=task.model,
            imported=task.dataset.imported,
            error=settings.stop_early or 0.0,
            group=task.evaluation.group or "",
            paired=[one for one in compared if one is not None],
            whole=task.whole,
            variant=task.variant,
        )

    def note(self, report: pytest.TestReport) -> Outcome | None:
        """Note the outcome that a test report carries, and return it; ``None`` if there is none."""
        self.absences.begin(report)
        carried: dict[str, Any] = getattr(report, REPORT_ATTRIBUTE, {})
        if "skipped" in carried:
            self._note_skipped(carried["skipped"])
        whole = outcome_on(report)
        if whole is None:
            return None
        outcome = Outcome.from_json(whole)
        known = self.of(outcome.task)
        outcome = known.of_one_model(outcome)
        # A case that ran twice (a rerun, a retry by another plugin) ends as it ended last.
        repeats = map(known.of_one_model, map(Outcome.from_json, carried["repeats"]))
        known.outcomes[outcome.case] = (outcome, *repeats)
        # A task begins where the outcome before its first one came in.
        if known.ended is None:
            known.began = self._latest
        known.ended = self._latest = time.monotonic()
        if carried["identity"] is not None and known.identity is None:
            known.identity = ModelIdentity.from_json(carried["identity"])
        known.notices.update(dict.fromkeys(carried["notices"]))
        if carried["store"] is not None:
            self.store_notices[carried["store"]] = None
        self._see(known.watch, outcome)
        self.probes.note(outcome, carried["probes"])
        return outcome

    def _note_skipped(self, skipped: Mapping[str, str]) -> None:
        """Note a test that was skipped; see `skip_of`."""
        known = self.of(TaskName.in_json(skipped))
        known.skipped[skipped["case"]] = skipped["reason"]

    def _see(self, watch: SequentialMonitor | None, outcome: Outcome) -> None:
        if watch is None or outcome.kind == "not_needed":
            return
        before = watch.decided
        watch.see(outcome)
        if watch.decided and not before:
            self._decide(outcome.task)

    def image_file(self, evaluation: str, case: str) -> Path | None:
        """The image's file of a collected case; ``None`` for a case of another machine."""
        for name, known in self._tasks.items():
            if name.evaluation == evaluation and case in known.cases:
                return known.cases[case].path
        return None

    def report(self, task: Task) -> PublicReport:
        """What is known of a task by now; a case not heard of counts as lost or not run."""
        name, known = task.key, self.of(task.key)
        skipped = known.skipped_for_good()
        missing = [
            Outcome.of(name, case, self.absences.kind(known.tests[id_]))
            for id_, case in known.cases.items()
            if id_ not in skipped and id_ not in known.outcomes
        ]
        report = task_report(
            task,
            [*chain.from_iterable(known.outcomes.values()), *missing],
            self._settings,
            content_hash=self._content_hash(task.dataset),
            notes=self._notes(task, skipped),
            identity=known.identity,
            deselected=task.whole - len(known.cases),
            skipped=len(skipped),
            duration_s=None if known.ended is None else known.ended - known.began,
            order=tuple(id_ for id_ in known.order if id_ not in skipped),
            stop_error=self._settings.stop_early,
            stop_rule=known.watch.rule if known.watch is not None and known.watch.decided else None,
        )
        found = public(
            replace(
                report,
                looks=earlier_looks(self._looks(), report),
                judged=known.judged,
                probes=self.probes.answers(name),
            )
        )
        # What was worked out of the same report before need not be worked out again.
        if known.report is None or known.report != found:
            known.report = found
        return known.report

    def _notes(self, task: Task, skipped: Mapping[str, str]) -> tuple[str, ...]:
        """What people must know of a task besides its numbers, a line each."""
        return (
            *skip_note(skipped),
            *self._holdout_note(task),
            *self.of(task.key).notices,
            *self._unexpected(task.key),
            *self.probes.asked_note(task.key),
        )

    def _holdout_note(self, task: Task) -> tuple[str, ...]:
        """Which part of the images these are, and how much both have been looked at."""
        if not task.part:
            return ()
        if self._tuning is None:
            self._tuning = read_tuning_looks(self._settings.home / TUNING_FILE)
        title = task.evaluation.title
        return holdout_note(title, task.dataset.name, task.part, task.part_sizes, self._tuning)

    def _content_hash(self, dataset: Dataset) -> str:
        """Worked out once a dataset: it goes through all its cases."""
        if id(dataset) not in self._hashes:
            self._hashes[id(dataset)] = dataset.content_hash()
        return self._hashes[id(dataset)]

    def notices(self) -> tuple[str, ...]:
        """What people should know of servers, once each."""
        notices = (known.notices for known in self._tasks.values())
        return tuple(dict.fromkeys(chain.from_iterable(notices)))

    def _unexpected(self, name: TaskName) -> list[str]:
        """Models that workers put an evaluation to, and that were not to be asked here."""
        return [
            f"workers put {len(known.outcomes)} {noun(len(known.outcomes), 'image')} to "
            f"{other.configuration}, which is not in this run: name the model for all of them, "
            "--llmclf-model"
            for other, known in self._tasks.items()
            if other.evaluation == name.evaluation and known.outcomes and not known.cases
        ]

    def reports(self, tasks: Iterable[Task]) -> list[Report]:
        """One report a task of which at least one image was to run, in order."""
        paired = ((self.of(task.key), task) for task in tasks)
        return [self.report(one) for known, one in paired if known.cases or known.outcomes]
