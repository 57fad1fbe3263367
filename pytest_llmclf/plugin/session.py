"""What one pytest process knows of its evaluations; made when the first one is collected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from pytest_llmclf.errors import SettingsError
from pytest_llmclf.runner.resources import Resources

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_llmclf.models.recording import Recorder
    from pytest_llmclf.runner.examples import Pairs
    from pytest_llmclf.runner.settings import Settings
    from pytest_llmclf.runner.task import Task
    from pytest_llmclf.values.outcome import TaskName
    from pytest_llmclf.values.verdict import Look

SESSION_KEY = pytest.StashKey["EvaluationSession"]()
RUN_ID_KEY = pytest.StashKey[str]()
EVALUATIONS: Final = "llmclf-evaluations"
"""In what a worker leaves behind: that it collected evaluations."""
EVALUATIONS_KEY = pytest.StashKey[bool]()
"""That there are evaluations, where none could be collected: by word of a worker, or since an
evaluation file raised what only this package raises."""


def session_of(config: pytest.Config) -> EvaluationSession:
    """This process's session, which is made when the first evaluation is collected.

    Raises:
        KeyError: No evaluation was collected.
    """
    return config.stash[SESSION_KEY]


def session_if_any(config: pytest.Config) -> EvaluationSession | None:
    """This process's session, or ``None`` if no evaluation was collected."""
    return config.stash.get(SESSION_KEY, None)


class EvaluationSession(Resources):
    """Settings, answer store, connections, engine and results of one process.

    Args:
        settings: What the user said.
        run: Names the pytest session, the same in all of its processes.
        worker: Whether this process runs tests for another.

    Attributes:
        results: What was collected, and what came of it.
        gated: Evaluations that have a gate test, selected or not.
    """

    def __init__(self, settings: Settings, run: str, *, worker: bool) -> None:
        from pytest_llmclf.plugin.results import SessionResults

        super().__init__(settings, run, safe=_safe, confused=_confused, worker=worker)
        self.results = SessionResults(settings, self._earlier_looks, self._decide)
        self.gated: set[str] = set()
        self._looks: tuple[Look, ...] | None = None

    def _earlier_looks(self) -> tuple[Look, ...]:
        """Looks at gates that earlier runs noted."""
        from pytest_llmclf.gates.looks import FILE, read_looks

        if self._looks is None:
            self._looks = read_looks(self.settings.home / FILE)
        return self._looks

    def _decide(self, name: TaskName) -> None:
        """Note, for all processes of the run, that a task needs no further answers."""
        self.store.agree(self.id, _decision(name), "decided", "")
        self._stop_task(self.tasks[name])

    def is_decided(self, task: Task) -> bool:
        """Whether the gates of a task are decided, so that the rest is not needed."""
        if self.settings.stop_early is None:
            return False
        name, known = task.key, self.results.of(task.key)
        if self.worker and not known.decided and self.store.agreed(self.id, _decision(name)):
            self._stop_task(task)
        return known.decided

    def _stop_task(self, task: Task) -> None:
        self.results.of(task.key).decided = True
        self.drop([task, *self.results.probes.tasks(task.key)])

    def open_recorder(self) -> Recorder | None:
        """The recording that is written, if any.

        Raises:
            pytest.UsageError: It cannot be.
        """
        try:
            return super().open_recorder()
        except SettingsError as error:
            raise pytest.UsageError(str(error)) from error


def _safe(text: str) -> str:
    from pytest_llmclf.reporting.style import Style

    return Style().safe(text)


def _confused(folder: Path, evaluation: str) -> Pairs:
    from pytest_llmclf.reporting.earlier_confusions import confused_in

    return confused_in(folder, evaluation)


def _decision(name: TaskName) -> str:
    return f"decided: {name.evaluation} on {name.configuration}"
