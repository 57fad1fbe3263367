"""A backend that follows a script, and a task of images to it."""

from __future__ import annotations

import hashlib
import io
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

from PIL import Image

from pytest_llmclf.data.dataset import Dataset
from pytest_llmclf.data.image import ImageLimits
from pytest_llmclf.models.spec import parse_spec
from pytest_llmclf.prompting.labels import LabelSet
from pytest_llmclf.prompting.modelfile import parse
from pytest_llmclf.runner.answer_cache import AnswerStore
from pytest_llmclf.runner.evaluation import Evaluation
from pytest_llmclf.runner.job import AskingPolicy, Job
from pytest_llmclf.runner.scheduler import Engine, unheard
from pytest_llmclf.runner.task import Task
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.case import Case
from pytest_llmclf.values.request import ModelIdentity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pytest_llmclf.values.request import Request

QUICK = AskingPolicy(in_flight=1, first_pause_s=0.001, longest_pause_s=0.002, away_s=0)
"""Retries without waiting."""


def image(number: int) -> bytes:
    """An image that is this wide."""
    buffer = io.BytesIO()
    Image.new("RGB", (number, 1), (number % 256, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def number_of(request: Request) -> int:
    """Which image a request is about."""
    with Image.open(io.BytesIO(request.image)) as image:
        return image.width


class Scripted:
    """Answers ``cat`` unless its script has something else for an image.

    Attributes:
        asked: Images in the order in which they were asked about.
        script: By image: errors to raise one after the other, then an answer.
        gate: While it is not set, questions wait.
        identities: What `identify` raises before it answers.
        closed: How often it was closed.
        in_flight: Requests that it can use at once.
        notices: What people should know of it.
        digest: Which model it says it is.
    """

    def __init__(self, *, in_flight: int = 1, digest: str = "abc") -> None:
        self.in_flight = in_flight
        self.notices: tuple[str, ...] = ()
        self.digest = digest
        self.asked: list[int] = []
        self.script: dict[int, list[BaseException | str]] = {}
        self.identities: list[BaseException] = []
        self.gate = threading.Event()
        self.gate.set()
        self.closed = 0
        self.asking = 0
        self.most_in_flight = 0
        self._lock = threading.Lock()

    def identify(self) -> ModelIdentity:
        """Who answers, after the errors of the script."""
        if self.identities:
            raise self.identities.pop(0)
        return ModelIdentity(backend="openai", name="scripted", digest=self.digest)

    def ask(self, request: Request) -> Answer:
        """Follow the script."""
        number = number_of(request)
        with self._lock:
            self.asked.append(number)
            self.asking += 1
            self.most_in_flight = max(self.asking, self.most_in_flight)
        try:
            assert self.gate.wait(10)
            with self._lock:
                rest = self.script.get(number, [])
                now = rest.pop(0) if len(rest) > 1 else (rest or ["cat"])[0]
        finally:
            with self._lock:
                self.asking -= 1
        if isinstance(now, BaseException):
            raise now
        return Answer(text=now)

    def close(self) -> None:
        """Count."""
        self.closed += 1

    def times(self) -> Counter[int]:
        """How often each image was asked about."""
        with self._lock:
            return Counter(self.asked)

    def wait_for(self, questions: int) -> None:
        """Wait until so many questions have arrived."""
        deadline = time.monotonic() + 10
        while len(self.asked) < questions:
            assert time.monotonic() < deadline
            time.sleep(0.002)


def task(folder: Path, count: int, *, model: str = "a", name: str = "pets") -> Task:
    """An evaluation of so many images, all said to be cats, put to a model."""
    cases = []
    for number in range(1, count + 1):
        path = folder / f"{number}.png"
        path.write_bytes(image(number))
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        cases.append(Case(id=path.name, root=folder, sha256=sha256, label="cat"))
    labels = ("cat", "dog")
    return Task(
        evaluation=Evaluation(dataset=name, modelfile="m", prompt="Which animal?", name=name),
        dataset=Dataset(name=name, root=folder, labels=labels, cases=tuple(cases)),
        labels=LabelSet.of(labels),
        modelfile=parse("FROM llava\n", "pets.Modelfile"),
        spec=parse_spec(f"openai:{model}@http://127.0.0.1:1/v1"),
        model=f"openai:{model}",
        whole=count,
        limits=ImageLimits(),
        verified=False,
    )


OPENED: list[AnswerStore] = []
"""Stores of the running test, which `conftest` closes behind it."""


def jobs(assigned: Task) -> list[Job]:
    """One job a case, in order."""
    return [Job(task=assigned, case=case) for case in assigned.dataset.cases]


def engine(
    connect: Callable[[Task], Scripted] | Scripted,
    *,
    policy: AskingPolicy = QUICK,
    store: AnswerStore | None = None,
    on_wait: Callable[[float | None], None] = unheard,
) -> Engine:
    """An engine over a backend, or over whatever connects; answers in memory."""
    backend = connect
    opened = AnswerStore(None) if store is None else store  # an empty one is falsy
    OPENED.append(opened)
    return Engine(
        connect=(lambda _: backend) if isinstance(backend, Scripted) else backend,
        store=opened,
        policy=policy,
        on_wait=on_wait,
    )


def kinds(running: Engine, wanted: Sequence[Job]) -> list[str]:
    """Wait for the outcomes of jobs, in order."""
    return [running.outcome(job).kind for job in wanted]
