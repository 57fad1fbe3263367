"""A classifier of scikit-learn as a model: it learns when it is first asked, and then answers."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from pytest_llmclf.data import dataset as datasets
from pytest_llmclf.errors import DatasetError, SettingsError, some_of
from pytest_llmclf.models.base import LocalBackend
from pytest_llmclf.models.yardstick.kinds import KINDS, options_of
from pytest_llmclf.models.yardstick.learner_process import LearnerFailed, LearnerProcess
from pytest_llmclf.models.yardstick.learning import (
    FOLDS,
    SEED,
    check_lesson,
    lesson_json,
    lesson_of,
)
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.request import ModelIdentity
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from pytest_llmclf.models.base import Backend
    from pytest_llmclf.models.reach import Reach
    from pytest_llmclf.models.spec import ModelSpec
    from pytest_llmclf.models.yardstick.learning import Lesson
    from pytest_llmclf.values.case import Case, CaseSet
    from pytest_llmclf.values.request import Request

LEARNING_FORMAT: Final = 1
"""Raised when other answers come of the same images; all is learnt anew then."""


class YardstickBackend(LocalBackend):
    """Answers by a classical classifier, for each image by one that has not seen it.

    Args:
        spec: The model as written.
        learner: The process that learns.
        images: What is asked about.
        lesson: What is learnt from.
        elsewhere: The folder that `lesson` comes from; empty: `images` themselves.
    """

    def __init__(
        self,
        spec: ModelSpec,
        *,
        learner: LearnerProcess,
        images: CaseSet,
        lesson: Lesson,
        elsewhere: str,
    ) -> None:
        self._spec = spec
        self._learner = learner
        self._images = images
        self._lesson = lesson
        self._elsewhere = elsewhere
        self._digests = {case.id: case.sha256 for case in images.cases}
        self._lock = threading.Lock()
        self._key = f"{spec} {id(self)}"
        self._learnt_before: int | None = None
        self._unread: list[str] = []

    @property
    def notices(self) -> tuple[str, ...]:
        """What it has learnt from, and which images it could not learn from."""
        told = [f"{self._spec} has learnt from {self._learnt_from}"]
        unread = self._unread
        if unread:
            told.append(
                f"{self._spec}: {len(unread)} {noun(len(unread), 'image')} cannot be read and "
                f"{noun(len(unread), 'was', 'were')} not learnt from: {some_of(unread, 3)}"
            )
        return tuple(told)

    @property
    def _learnt_from(self) -> str:
        learnt = min(self._lesson.learnt, len(self._lesson.cases))
        part = "" if learnt == len(self._lesson.cases) else f" of {len(self._lesson.cases):,}"
        images = f"{learnt:,}{part} {noun(len(self._lesson.cases), 'image')}"
        if self._elsewhere:
            return f"the labels of {images} in {self._elsewhere}, none of which is asked about"
        return (
            f"the labels of this very set ({images}), out of fold: no image is answered by a "
            "classifier that has seen it or a copy"
        )

    def identify(self) -> ModelIdentity:
        """Who answers; its digest is that of all images and labels that it learns from.

        Raises:
            LabelsUnknown: Not every label can be learnt.
        """
        name = self._spec.name
        if not (self._spec.backend == "yardstick" and KINDS[name].guesses):
            check_lesson(self._lesson, self._images, self._elsewhere)
        content = {
            "format": LEARNING_FORMAT,
            "classifier": self._described(),
            "pillow": version("pillow"),
            "labels": list(self._images.labels),
            "images": self._lesson.facts,
            "most": self._lesson.learnt,
            "folds": None if self._elsewhere else [FOLDS, SEED],
        }
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        return ModelIdentity(
            backend=self._spec.backend,
            name=str(self._spec).partition(":")[2],
            digest=f"sha256:{digest}",
            server=f"scikit-learn {version('scikit-learn')}",
            details={"learnt from": self._learnt_from},
        )

    def ask(self, request: Request) -> Answer:
        """What the classifier says of an image that it has not seen.

        Its time holds a share of what looking and fitting took, spread over all images that there
        are, asked about or not.

        Raises:
            BackendError: The classifier cannot be fitted, or cannot say.
        """
        with self._lock:
            if self._learnt_before != self._learner.ended:
                self._learn()
        found = self._learner.do(
            do="ask",
            key=self._key,
            sha256=self._digests.get(request.case, ""),
            image=base64.b64encode(request.image).decode(),
        )
        self._unread = found["unread"]
        label = found["label"]
        return Answer(
            text=label,
            label=label,
            probabilities=found["probabilities"],
            wall_s=found["seconds"],
        )

    def check(self) -> None:
        """Refuse a classifier that cannot be made, before anybody is asked.

        Raises:
            SettingsError: There is no such module or factory, or it makes no classifier.
        """
        try:
            self._described()
        except LearnerFailed as error:
            raise SettingsError(str(error)) from error

    def _learn(self) -> None:
        """Tell the process what there is to learn; it does when it is first asked."""
        self._learner.do(
            do="learn",
            key=self._key,
            backend=self._spec.backend,
            name=self._spec.name,
            lesson=lesson_json(self._lesson, elsewhere=bool(self._elsewhere)),
            labels=list(self._images.labels),
            answered=len(self._images.cases),
        )
        self._learnt_before = self._learner.ended

    def _described(self) -> str:
        """All that decides what the classifier is."""
        spec = self._spec
        if spec.backend == "yardstick":
            return json.dumps([spec.name, KINDS[spec.name].parameters], sort_keys=True)
        found: str = self._learner.do(do="describe", name=spec.name)
        return found


def connect(reach: Reach) -> Backend:
    """A classifier of scikit-learn for the images of a task.

    Raises:
        SettingsError: There is no such classifier or dataset, or nothing is known of the images.
    """
    spec, images = reach.spec, reach.images
    if images is None:
        raise SettingsError(
            f"{spec} learns from labelled images, and there are none here: ask it in a pytest run"
        )
    options = options_of(spec.query, str(spec))
    if not options.train and not images.cases:
        raise SettingsError(
            f"{spec} would learn from the labels of the very images, which are not looked at here: "
            "say what to learn from, ?train=FOLDER"
        )
    labelled = [case for case in images.cases if case.label in images.labels]
    lesson = lesson_of(labelled, images.group, options.most)
    if options.train:
        own = {case.sha256 for case in images.cases}
        lesson = lesson_of(_training_cases(spec, options.train, images), "", options.most, own)
    return YardstickBackend(
        spec,
        learner=reach.once("yardstick learner", LearnerProcess),
        images=images,
        lesson=lesson,
        elsewhere=options.train,
    )


def _training_cases(spec: ModelSpec, train: str, images: CaseSet) -> tuple[Case, ...]:
    try:
        folder = datasets.locate(train, images.root)
        return datasets.load(folder, labels=images.labels, verify_images=False).cases
    except DatasetError as error:
        raise SettingsError(f"{spec}: {error}") from error
