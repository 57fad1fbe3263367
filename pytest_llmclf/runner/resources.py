"""What one process needs to ask: settings, answer cache, connections and engine."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmclf.errors import LlmclfError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

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


class Resources:
    """Settings, answer cache, connections and engine of one process.

    Args:
        settings: What the user said.
        run: Names the run, the same in all of its processes.
        safe: Makes the name of a recorded model fit for a line of a report.
        confused: Which classes an earlier run confused, by its folder and an evaluation's name.
        worker: Whether this process asks for another one.

    Attributes:
        settings: What the user said.
        id: The same for all processes of one run.
        worker: Whether this process asks for another one.
        tasks: By name, in the order in which their evaluations came.
        on_wait: Is told while somebody waits for an answer for how many seconds a server has been
            waited for; ``None`` as long as none is.
    """

    def __init__(
        self,
        settings: Settings,
        run: str,
        *,
        safe: Callable[[str], str],
        confused: Callable[[Path, str], Pairs],
        worker: bool = False,
    ) -> None:
        self.settings = settings
        self.id = run
        self.worker = worker
        self.tasks: dict[TaskName, Task] = {}
        self.on_wait: Callable[[float | None], None] | None = None
        self._safe = safe
        self._confused = confused
        self._by_evaluation: dict[str, tuple[Evaluation, tuple[Task, ...]]] = {}
        self._store: AnswerStore | None = None
        self._connections: Connections | None = None
        self._own_systems: dict[str, str] = {}
        self._engine: Engine | None = None
        self._recorder: Recorder | None = None

    def assign(self, evaluation: Evaluation, declared_in: Path) -> tuple[Task, ...]:
        """The tasks of an evaluation, loaded once.

        Raises:
            LlmclfError: What it names cannot be loaded.
        """
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
            confused=partial(self._confused_in, evaluation.title),
        )
        if not self.worker:
            self._check_classifiers(tasks)
        self._by_evaluation[evaluation.title] = (evaluation, tasks)
        self.tasks.update((task.key, task) for task in tasks)
        return tasks

    def _check_classifiers(self, tasks: Iterable[Task]) -> None:
        """Refuse classifiers that cannot be made or learn from no dataset, once and not by image.

        Raises:
            SettingsError: Which one, and why.
        """
        for task in tasks:
            if task.spec.backend in ("yardstick", "sklearn"):
                from pytest_llmclf.models.yardstick.yardstick_backend import YardstickBackend

                made = self._connected.connect(task.spec, task.modelfile, task.images)
                if isinstance(made, YardstickBackend):
                    made.check()

    def own_system(self, task: Task) -> str:
        """SYSTEM text that a task's model has by itself, where it is told none; empty if unknown.

        Asked of a server once a model, before the first question.
        """
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

    @property
    def engine(self) -> Engine:
        """Asks ahead; idle until the first outcome is wanted."""
        from pytest_llmclf.runner.scheduler import Engine

        if self._engine is None:
            self._recorder = self.open_recorder()
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

    def drop(self, tasks: Iterable[Task]) -> None:
        """Ask no more for these tasks."""
        if self._engine is not None:
            for task in tasks:
                self._engine.drop(task)

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

    def open_recorder(self) -> Recorder | None:
        """The recording that is written, if any.

        Raises:
            SettingsError: It cannot be.
        """
        from pytest_llmclf.models.recording import Recorder

        if self.settings.record is None:
            return None
        try:
            return Recorder(self.settings.record)
        except SettingsError as error:
            raise SettingsError(f"--llmclf-record: {error}") from error

    def _way(self, task: Task) -> str | None:
        from pytest_llmclf.models.endpoint_key import way_to

        hosts = self._connect_settings().ollama_hosts
        return way_to(task.spec, task.modelfile, hosts)

    def _connect(self, task: Task) -> Backend:
        if task.spec.backend == "replay":
            from pytest_llmclf.models.recording import ReplayBackend

            # Whoever answered a task answers what is probed of it.
            spec, declared = task.spec, self.tasks.get(task.connection, task)
            return ReplayBackend(spec.file, spec.name, declared.instructions)
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

    def _confused_in(self, evaluation: str, folder: Path) -> Pairs:
        return self._confused(folder, evaluation)

    def _choose(self, evaluation: Evaluation, modelfile: Modelfile, wanted: ModelSpec) -> Choice:
        from pytest_llmclf.models.connect import resolve
        from pytest_llmclf.models.recording import ReplayBackend
        from pytest_llmclf.models.spec import parse_spec
        from pytest_llmclf.runner.plan import Choice, called

        if wanted.backend == "replay":
            # It names tests, gates and reports: a recording may call its model anything.
            recorded = self._safe(ReplayBackend(wanted.file, wanted.name).identify().spec)
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
    from pytest_llmclf.models.recording_file import read_recording

    recording = read_recording(Path(wanted.file))
    if len(recording.specs()) < 2:  # noqa: PLR2004 - then the file says it
        return (wanted,)
    return [replace(wanted, name=spec) for spec in recording.answering(evaluation, told)]
