"""The controller's book: every collected case, and how it ended."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf.api import PublicReport, public
from pytest_llmclf.gates.looks import earlier_looks
from pytest_llmclf.metrics.report import DatasetFacts, Report, Verdict, build, unheard
from pytest_llmclf.plugin.absences import REPORT_ATTRIBUTE, Absences, skip_note
from pytest_llmclf.plugin.collection import assignment_of, is_gate, job_of
from pytest_llmclf.plugin.session import run_if_any
from pytest_llmclf.prompting.readers import READ_BY, STRICT, reader_name
from pytest_llmclf.runner.settings import path_in_project
from pytest_llmclf.values.outcome import Outcome
from pytest_llmclf.values.provenance import tool_version
from pytest_llmclf.values.request import ModelIdentity
from pytest_llmclf.values.seeded import seeded_order

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pytest_llmclf.analysis.comparison.paired_comparison import Comparison
    from pytest_llmclf.data.dataset import Dataset
    from pytest_llmclf.gates.sequential.watch import Watch
    from pytest_llmclf.plugin.session import Run
    from pytest_llmclf.runner.task import Assignment
    from pytest_llmclf.values.case import Case

BOOK_KEY = pytest.StashKey["Book"]()


def book_of(config: pytest.Config) -> Book:
    """This session's book, made on first use."""
    if BOOK_KEY not in config.stash:
        config.stash[BOOK_KEY] = Book()
    return config.stash[BOOK_KEY]


def outcome_on(report: pytest.TestReport) -> dict[str, Any] | None:
    """The whole outcome that a test report carries, in JSON built-ins.

    ``None`` where it carries none, and where all but its kind was let go since everybody had it
    once: a plugin that repeats tests may show a report again.
    """
    outcome: dict[str, Any] | None = getattr(report, REPORT_ATTRIBUTE, {}).get("outcome")
    return outcome if outcome is not None and "case" in outcome else None


class Book:
    """What was collected and what came of it.

    Attributes:
        absences: What is known of images without an outcome.
        answered_for: By evaluation and model the gate test that answers for the declared gates.
        comparisons: With the committed predictions, by evaluation and model.
        store_notices: What the stores of all processes had to say, each once.
    """

    def __init__(self) -> None:
        self.answered_for: dict[tuple[str, str], str] = {}
        self.absences = Absences()
        self._verdicts: dict[str, list[Verdict]] = {}
        self._gates: set[tuple[str, str]] = set()
        self._excused: set[tuple[str, str]] = set()
        self.comparisons: dict[tuple[str, str], Comparison] = {}
        self._expected: dict[tuple[str, str], dict[str, Case]] = {}
        self._outcomes: dict[tuple[str, str], dict[str, tuple[Outcome, ...]]] = {}
        self._watches: dict[tuple[str, str], Watch] = {}
        self._nodes: dict[tuple[str, str], dict[str, str]] = {}
        self._orders: dict[tuple[str, str], tuple[str, ...]] = {}
        self._judged: dict[tuple[str, str], list[str]] = {}
        self._reports: dict[tuple[str, str], PublicReport] = {}
        self._run: Run | None = None
        self._identities: dict[tuple[str, str], ModelIdentity] = {}
        self._notices: dict[tuple[str, str], dict[str, None]] = {}
        self.store_notices: dict[str, None] = {}
        self._digests: dict[tuple[str, str], str] = {}
        self._hashes: dict[int, str] = {}
        self._latest = time.monotonic()
        self._began: dict[tuple[str, str], float] = {}
        self._ended: dict[tuple[str, str], float] = {}

    def expect(self, run: Run, items: list[pytest.Item]) -> None:
        """Note every image among the items that are to run."""
        self._run = run
        for item in items:
            if is_gate(item):
                self._gates.add(item.callspec.params["report"].key)  # type: ignore[attr-defined]
            job = job_of(item)
            if job is not None:
                cases = self._expected.setdefault(job.assignment.key, {})
                cases[job.case.id] = job.case
                self._nodes.setdefault(job.assignment.key, {})[job.case.id] = item.nodeid
        if run.settings.stop_early is not None:
            for key, cases in self._expected.items():
                self._watch(run, run.assignments[key], cases, items)
        self._latest = time.monotonic()

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What the gates came to, in the order in which they were judged."""
        return tuple(chain.from_iterable(self._verdicts.values()))

    def begin_gate(self, key: tuple[str, str], place: str) -> bool:
        """Forget what a gate test came to when it ran before.

        Args:
            key: Evaluation and model.
            place: The gate test's node id.

        Returns:
            Whether it answers for the declared gates, as the first one of a model does.
        """
        self._verdicts.pop(place, None)
        return self.answered_for.setdefault(key, place) == place

    def add_verdicts(self, place: str, verdicts: Iterable[Verdict]) -> None:
        """Note what a gate test came to; one without a test of its own has an empty place."""
        self._verdicts.setdefault(place, []).extend(verdicts)

    def excuse_gate(self, key: tuple[str, str]) -> None:
        """Note that a gate test was skipped, so that nobody answers for its gates."""
        self._excused.add(key)

    def awaits_gate(self, key: tuple[str, str]) -> bool:
        """Whether a gate test was to run that nobody skipped."""
        return key in self._gates - self._excused

    def _watch(
        self, run: Run, assignment: Assignment, cases: dict[str, Case], items: list[pytest.Item]
    ) -> None:
        """Look out for the moment when an assignment's gates are decided."""
        from pytest_llmclf.gates.sequential.watch import Watch
        from pytest_llmclf.plugin.snapshots import question_of

        # Never the order of the items: `--failed-first` and the like put the worst first.
        order = seeded_order(list(cases), run.settings.seed)
        report = self.report(assignment)
        compared = [
            question_of(item, report, run.settings.tolerance)
            for item in items
            if is_gate(item) and assignment_of(item) is assignment
        ]
        self._orders[assignment.key] = order
        self._watches[assignment.key] = Watch(
            assignment.gates,
            assignment.labels.names,
            [cases[id_] for id_ in order],
            model=assignment.model,
            imported=assignment.dataset.imported,
            error=run.settings.stop_early or 0.0,
            group=assignment.evaluation.group or "",
            paired=[one for one in compared if one is not None],
            whole=assignment.whole,
        )

    def note(self, report: pytest.TestReport) -> Outcome | None:
        """Note the outcome that a test report carries, and return it; ``None`` if there is none."""
        self.absences.begin(report)
        whole = outcome_on(report)
        if whole is None:
            return None
        carried: dict[str, Any] = getattr(report, REPORT_ATTRIBUTE)
        outcome = self._of_one_model(Outcome.from_json(whole))
        key = (outcome.evaluation, outcome.model)
        # A case that ran twice (a rerun, a retry by another plugin) ends as it ended last.
        repeats = map(self._of_one_model, map(Outcome.from_json, carried["repeats"]))
        self._outcomes.setdefault(key, {})[outcome.case] = (outcome, *repeats)
        # An evaluation begins where the outcome before its first one came in.
        self._began.setdefault(key, self._latest)
        self._ended[key] = self._latest = time.monotonic()
        if carried["identity"] is not None:
            self._identities.setdefault(key, ModelIdentity.from_json(carried["identity"]))
        self._notices.setdefault(key, {}).update(dict.fromkeys(carried["notices"]))
        if carried["store"] is not None:
            self.store_notices[carried["store"]] = None
        self._decide(key, outcome)
        return outcome

    def _of_one_model(self, outcome: Outcome) -> Outcome:
        """Count an answer of another model than the one that the report is about as none.

        Workers on several machines each ask a server of their own.
        """
        if not outcome.model_digest or outcome.kind == "error":
            return outcome
        first = self._digests.setdefault((outcome.evaluation, outcome.model), outcome.model_digest)
        if outcome.model_digest == first:
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
            message=f"answered by {outcome.model_digest}, the images before by {first} (give all "
            "workers the same model)",
        )

    def _decide(self, key: tuple[str, str], outcome: Outcome) -> None:
        watch = self._watches.get(key)
        if watch is None or self._run is None or outcome.kind == "not_needed":
            return
        before = watch.decided
        watch.see(outcome)
        if watch.decided and not before:
            self._run.decide(self._run.assignments[key])

    def obstacles(self, assignment: Assignment) -> tuple[str, ...]:
        """Why a run that may stop early cannot do so here; empty where it can, or was not to."""
        watch = self._watches.get(assignment.key)
        return () if watch is None else watch.obstacles

    def comes_at_random(self, assignment: Assignment) -> bool:
        """Whether its images come in the random order: another plugin may have sorted the tests."""
        ids = list(self._expected.get(assignment.key, {}))
        seed = None if self._run is None else self._run.settings.seed
        return seed is not None and tuple(ids) == seeded_order(ids, seed)

    def cases(self, assignment: Assignment) -> list[Case]:
        """The cases of an assignment that are to be judged."""
        return list(self._expected.get(assignment.key, {}).values())

    def picture(self, evaluation: str, case: str) -> Path | None:
        """The picture's file of a collected case; ``None`` for a case of another machine."""
        for (title, _), cases in self._expected.items():
            if title == evaluation and case in cases:
                return cases[case].path
        return None

    def report(self, assignment: Assignment) -> PublicReport:
        """What is known of an assignment by now; a case not heard of counts as lost or not run."""
        key = assignment.key
        collected = self._expected.get(key, {})
        outcomes = self._outcomes.get(key, {})
        skipped = self.absences.skipped(key, outcomes)
        expected = {id_: case for id_, case in collected.items() if id_ not in skipped}
        missing = [
            unheard(*key, case, self.absences.kind(self._nodes[key][id_]))
            for id_, case in expected.items()
            if id_ not in outcomes
        ]
        dataset = assignment.dataset
        watch = self._watches.get(key)
        ended = self._ended.get(key)
        report = build(
            evaluation=key[0],
            model=key[1],
            dataset=DatasetFacts(
                name=dataset.name,
                content_hash=self._content_hash(dataset),
                labels=assignment.labels.names,
                licence=dataset.licence,
                imported=dataset.imported,
                cases_in_dataset=assignment.whole,
                class_sizes=assignment.class_sizes,
                path=self._path(dataset),
            ),
            outcomes=[*chain.from_iterable(outcomes.values()), *missing],
            identity=self._identities.get(key),
            deselected=assignment.whole - len(collected),
            skipped=len(skipped),
            duration_s=None if ended is None else ended - self._began[key],
            notes=(
                *dataset.warnings,
                *skip_note(skipped),
                *_reader_note(assignment),
                *filter(None, [assignment.caveat]),
                *self._notices.get(key, ()),
                *self._strangers(assignment),
            ),
            modelfile_digest=assignment.modelfile.digest(),
            instructions=assignment.instructions.prose,
            full_instructions=assignment.instructions,
            tool=tool_version(),
            order=tuple(id_ for id_ in self._orders.get(key, ()) if id_ not in skipped),
            stop_error=None if self._run is None else self._run.settings.stop_early,
            group=assignment.evaluation.group or "",
            stop_rule=watch.rule if watch is not None and watch.decided else None,
        )
        looks = () if self._run is None else earlier_looks(self._run.looks, report)
        judged = self._judged.setdefault(key, [])
        found = public(replace(report, looks=looks, judged=judged))
        # What was worked out of the same report before need not be worked out again.
        if self._reports.get(key) != found:
            self._reports[key] = found
        return self._reports[key]

    def _path(self, dataset: Dataset) -> str:
        if self._run is None:
            return ""
        return path_in_project(dataset.root, self._run.settings.root)

    def _content_hash(self, dataset: Dataset) -> str:
        """Worked out once a dataset: it goes through all its cases."""
        if id(dataset) not in self._hashes:
            self._hashes[id(dataset)] = dataset.content_hash()
        return self._hashes[id(dataset)]

    def notices(self) -> tuple[str, ...]:
        """What people should know of servers, once each."""
        return tuple(dict.fromkeys(chain.from_iterable(self._notices.values())))

    def _strangers(self, assignment: Assignment) -> list[str]:
        """Models that workers put an evaluation to, and that were not to be asked here."""
        title = assignment.evaluation.title
        return [
            f"workers put {len(outcomes)} images to {model}, which is not in this run: name the "
            "model for all of them, --llmclf-model"
            for (evaluation, model), outcomes in self._outcomes.items()
            if evaluation == title and (evaluation, model) not in self._expected
        ]

    def reports(self, config: pytest.Config) -> list[Report]:
        """One report an assignment of which at least one image was to run, in order."""
        run = run_if_any(config)
        if run is None:
            return []
        return [
            self.report(assignment)
            for key, assignment in run.assignments.items()
            if key in self._expected or key in self._outcomes
        ]


def _reader_note(assignment: Assignment) -> tuple[str, ...]:
    """Who read the answers, where it is not the strict reader."""
    name = reader_name(assignment.evaluation.reader)
    return () if name == STRICT else (f"{READ_BY}{name}, not by the strict reader",)
