"""What one pytest process knows of its evaluations; made when the first one is collected."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pytest_llmclf.metrics.report import Look
    from pytest_llmclf.models.base import Backend
    from pytest_llmclf.models.connect import Connections
    from pytest_llmclf.models.reach import ConnectSettings
    from pytest_llmclf.models.recording import Recorder
    from pytest_llmclf.models.spec import ModelSpec
    from pytest_llmclf.prompting.modelfile import Modelfile
    from pytest_llmclf.prompting.prompt import Instructions
    from pytest_llmclf.runner.answer_cache import AnswerStore
    from pytest_llmclf.runner.evaluation import Evaluation
    from pytest_llmclf.runner.examples import Pairs
    from pytest_llmclf.runner.plan import Choice
    from pytest_llmclf.runner.scheduler import Engine
    from pytest_llmclf.runner.settings import Settings
    from pytest_llmclf.runner.task import Task
    from pytest_llmclf.values.outcome import TaskName

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


class EvaluationSession:
    """Settings, answer store, connections, engine and results of one process.

    Args:
        settings: What the user said.
        run: Names the pytest session, the same in all of its processes.
        worker: Whether this process runs tests for another.

    Attributes:
        settings: What the user said.
        id: The same for all processes of one pytest session.
        worker: Whether this process runs tests for another.
        tasks: By name, in order of collection.
        results: What was collected, and what came of it.
        gated: Evaluations that have a gate test, selected or not.
        on_wait: Is told while a test waits for how many seconds a server has been waited for;
            ``None`` as long as none is.
    """

    def __init__(self, settings: Settings, run: str, *, worker: bool) -> None:
        from pytest_llmclf.plugin.results import SessionResults

        self.settings = settings
        self.id = run
        self.worker = worker
        self.tasks: dict[TaskName, Task] = {}
        self.results = SessionResults(settings, self._earlier_looks, self._decide)
        self.gated: set[str] = set()
        self.on_wait: Callable[[float | None], None] | None = None
        self._by_evaluation: dict[str, tuple[Evaluation, tuple[Task, ...]]] = {}
        self._store: AnswerStore | None = None
        self._looks: tuple[Look, ...] | None = None
        self._connections: Connections | None = None
        self._own_systems: dict[str, str] = {}
        self._engine: Engine | None = None
        self._recorder: Recorder | None = None

    def assign(self, evaluation: Evaluation, declared_in: Path) -> tuple[Task, ...]:
        """The tasks of an evaluation, loaded once.

        Raises:
            LlmclfError: What it names cannot be loaded.
        """
        from pytest_llmclf.errors import SettingsError
        from pytest_llmclf.runner.plan import assign

        known = self._by_evaluation.get(evaluation.title)
        if known is not None and known[0] is evaluation:
            return known[1]
        if known is not None:
            raise SettingsError(
                f"two evaluations are called {evaluation.title!r}; "
                "give one of them another name: Evaluation(name=...)"
            )
        tasks = assign(
            evaluation,
            self.settings,
            declared_in,
            self._choose,
            verify_images=not self.worker,
            meant=partial(_meant, evaluation.title),
            confused=partial(_confused, evaluation.title),
        )
        self._by_evaluation[evaluation.title] = (evaluation, tasks)
        self.tasks.update((task.key, task) for task in tasks)
        return tasks

    def own_system(self, task: Task) -> str:
        """SYSTEM text that a task's model has by itself, where it is told none; empty if unknown.

        Asked of a server once a model, before the first question.
        """
        from pytest_llmclf.errors import LlmclfError
        from pytest_llmclf.models.connect import own_system

        if task.instructions.system is not None:
            return ""
        spec = str(task.spec)
        if spec not in self._own_systems:
            try:
                found = own_system(task.spec, self._connect_settings())
            except LlmclfError:  # whoever asks is told
                found = ""
            self._own_systems[spec] = found
        return self._own_systems[spec]

    @property
    def store(self) -> AnswerStore:
        """Known answers."""
        from pytest_llmclf.runner.answer_cache import AnswerStore

        if self._store is None:
            home = self.settings.home
            ignore = home / ".gitignore"
            store = AnswerStore(home / "answers.sqlite")
            if home.is_dir() and not ignore.exists():
                with suppress(OSError):  # a read-only home is the store's to report
                    ignore.write_text("*\n")
            self._store = store
        return self._store

    def _earlier_looks(self) -> tuple[Look, ...]:
        """Looks at gates that earlier runs noted."""
        from pytest_llmclf.gates.looks import FILE, read_looks

        if self._looks is None:
            self._looks = read_looks(self.settings.home / FILE)
        return self._looks

    @property
    def engine(self) -> Engine:
        """Asks ahead; idle until the first outcome is wanted."""
        from pytest_llmclf.runner.scheduler import Engine

        if self._engine is None:
            self._recorder = self._open_recorder()
            self._engine = Engine(
                connect=self._connect,
                store=self.store,
                policy=self.settings.asking,
                recorder=self._recorder,
                endpoint_key=self._way,
                run=self.id,
                on_wait=self._waits,
            )
        return self._engine

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
        if self._engine is not None:
            self._engine.drop(task)
            for probing in self.results.probes.tasks(task.key):
                self._engine.drop(probing)

    @property
    def store_notice(self) -> str | None:
        """What people should know of the store of known answers, and of the recording."""
        kept = (self._store, self._recorder)
        told = [each.notice for each in kept if each is not None and each.notice is not None]
        return "; ".join(told) or None

    def halt(self) -> None:
        """Send no further question; whoever was asked may still answer."""
        if self._engine is not None:
            self._engine.halt()

    def stop_asking(self) -> None:
        """End requests and servers; what is known can still be read. May be called twice."""
        if self._engine is not None:
            self._engine.close()
        if self._connections is not None:
            self._connections.close()

    def close(self) -> None:
        """Stop asking and close files; may be called twice."""
        self.stop_asking()
        if self._store is not None:
            if not self.worker:
                self._store.forget_run(self.id)
            self._store.close()
        if self._recorder is not None:
            self._recorder.close()
        self._recorder = None
        self._engine = self._connections = self._store = None

    def _waits(self, seconds: float | None) -> None:
        if self.on_wait is not None:
            self.on_wait(seconds)

    def _open_recorder(self) -> Recorder | None:
        from pytest_llmclf.errors import SettingsError
        from pytest_llmclf.models.recording import Recorder

        if self.settings.record is None:
            return None
        try:
            return Recorder(self.settings.record)
        except SettingsError as error:
            raise pytest.UsageError(f"--llmclf-record: {error}") from error

    def _way(self, task: Task) -> str | None:
        from pytest_llmclf.models.endpoint_key import way_to

        hosts = self._connect_settings().ollama_hosts
        return way_to(task.spec, task.modelfile, hosts)

    def _connect(self, task: Task) -> Backend:
        if task.spec.backend == "replay":
            from pytest_llmclf.models.recording import ReplayBackend

            spec = task.spec
            return ReplayBackend(spec.file, spec.name, task.instructions)
        return self._connected.connect(task.spec, task.modelfile, task.images)

    @property
    def _connected(self) -> Connections:
        from pytest_llmclf.models.connect import Connections

        if self._connections is None:
            self._connections = Connections(self._connect_settings())
        return self._connections

    def _connect_settings(self) -> ConnectSettings:
        from pytest_llmclf.models.reach import ConnectSettings

        settings = ConnectSettings(
            allow_remote=self.settings.allow_remote,
            allow_clear_key=self.settings.allow_clear_key,
            timeout_s=self.settings.timeout_s,
            pull=self.settings.pull,
        )
        # Several workers are several servers already.
        return replace(settings, llama_copies=1) if self.worker else settings

    def _choose(self, evaluation: Evaluation, modelfile: Modelfile, wanted: ModelSpec) -> Choice:
        from pytest_llmclf.models.connect import resolve
        from pytest_llmclf.models.recording import ReplayBackend
        from pytest_llmclf.models.spec import parse_spec
        from pytest_llmclf.reporting.style import Style
        from pytest_llmclf.runner.plan import Choice, called

        if wanted.backend == "replay":
            # It names tests, gates and reports: a recording may call its model anything.
            recorded = Style().safe(ReplayBackend(wanted.file, wanted.name).identify().spec)
            return Choice(spec=wanted, model=recorded, reason=f"{recorded} as recorded: {wanted}")
        spec, reason = resolve(wanted, modelfile, self._connect_settings())
        if wanted.backend == "auto":
            # Workers must not each come to a choice of their own while a server comes or goes.
            about = f"{evaluation.title}: {modelfile.from_}"
            agreed, reason = self.store.agree(self.id, about, str(spec), reason)
            spec = parse_spec(agreed)
        return Choice(spec=spec, model=called(spec), reason=reason)


def _meant(evaluation: str, wanted: ModelSpec, told: Instructions) -> Sequence[ModelSpec]:
    """The models that a wanted one stands for: of a recording all that answered an evaluation."""
    if wanted.backend != "replay" or wanted.name:
        return (wanted,)
    from pathlib import Path

    from pytest_llmclf.models.recording_file import read_recording

    recording = read_recording(Path(wanted.file))
    if len(recording.specs()) < 2:  # noqa: PLR2004 - then the file says it
        return (wanted,)
    return [replace(wanted, name=spec) for spec in recording.answering(evaluation, told)]


def _confused(evaluation: str, folder: Path) -> Pairs:
    from pytest_llmclf.reporting.earlier_confusions import confused_in

    return confused_in(folder, evaluation)


def _decision(name: TaskName) -> str:
    return f"decided: {name.evaluation} on {name.configuration}"
