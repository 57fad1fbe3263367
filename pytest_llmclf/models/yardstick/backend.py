"""A classifier of scikit-learn as a model: it learns when it is first asked, and then answers."""

from __future__ import annotations

import hashlib
import inspect
import json
import threading
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.data import dataset as datasets
from pytest_llmclf.errors import DatasetError, SettingsError, some_of
from pytest_llmclf.models.yardstick.fitting import Fitting, TrainingFeatures
from pytest_llmclf.models.yardstick.kinds import KINDS, options_of
from pytest_llmclf.models.yardstick.learning import FOLDS, SEED, check_lesson, lesson_of
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.request import ModelIdentity
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llmclf.models.base import Backend
    from pytest_llmclf.models.reach import Reach
    from pytest_llmclf.models.spec import ModelSpec
    from pytest_llmclf.models.yardstick.learning import Lesson
    from pytest_llmclf.values.case import Case, CaseSet
    from pytest_llmclf.values.request import Request

LEARNING_FORMAT: Final = 1
"""Raised when other answers come of the same images; all is learnt anew then."""


class YardstickBackend:
    """Answers by a classical classifier, for each image by one that has not seen it.

    Args:
        spec: The model as written.
        make: Makes a classifier that was not fitted yet.
        made_of: All that decides what `make` makes.
        images: What is asked about.
        lesson: What is learnt from.
        seen: The same as it is looked at, which others may share.
        elsewhere: The folder that `lesson` comes from; empty: `images` themselves.
    """

    def __init__(
        self,
        spec: ModelSpec,
        *,
        make: Callable[[], Any],
        made_of: str,
        images: CaseSet,
        lesson: Lesson,
        seen: TrainingFeatures,
        elsewhere: str,
    ) -> None:
        self._spec = spec
        self._made_of = made_of
        self._images = images
        self._lesson = lesson
        self._elsewhere = elsewhere
        self._digests = {case.id: case.sha256 for case in images.cases}
        self._lock = threading.Lock()
        self._seen = seen
        self._fitting = Fitting(make, seen, images.labels, len(images.cases))

    @property
    def in_flight(self) -> int:
        """One: it computes on this machine."""
        return 1

    @property
    def notices(self) -> tuple[str, ...]:
        """What it has learnt from, and which images it could not learn from."""
        told = [f"{self._spec} has learnt from {self._learnt_from}"]
        unread = self._seen.unread
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
            "classifier": self._made_of,
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
        sha256 = self._digests.get(request.case, "")
        with self._lock:
            fitted = self._fitting.fitted(sha256)
            began = time.perf_counter()
            label, probabilities = self._fitting.say(fitted, sha256, request.image)
            spent = time.perf_counter() - began
        return Answer(
            text=label, label=label, probabilities=probabilities, wall_s=spent + fitted.seconds
        )

    def close(self) -> None:
        """Nothing to free but memory, which goes with it."""


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
    elsewhere = bool(options.train)
    key = ("yardstick", elsewhere, lesson.learnt, tuple(lesson.facts))
    make, made_of = _maker(spec)
    return YardstickBackend(
        spec,
        make=make,
        made_of=made_of,
        images=images,
        lesson=lesson,
        seen=reach.once(key, lambda: TrainingFeatures(lesson, elsewhere=elsewhere)),
        elsewhere=options.train,
    )


def _training_cases(spec: ModelSpec, train: str, images: CaseSet) -> tuple[Case, ...]:
    try:
        folder = datasets.locate(train, images.root)
        return datasets.load(folder, labels=images.labels, verify_images=False).cases
    except DatasetError as error:
        raise SettingsError(f"{spec}: {error}") from error


def _maker(spec: ModelSpec) -> tuple[Callable[[], Any], str]:
    """What makes the classifier, and all that decides what it makes."""
    if spec.backend == "yardstick":
        kind = spec.name

        def make() -> Any:
            from pytest_llmclf.models.yardstick.estimators import yardstick

            return yardstick(kind)

        return make, json.dumps([kind, KINDS[kind].parameters], sort_keys=True)
    from pytest_llmclf.models.yardstick.estimators import estimator_of

    module, _, factory = spec.name.rpartition(":")
    made = estimator_of(module, factory)
    return lambda: estimator_of(module, factory), _described(spec, made)


def _described(spec: ModelSpec, made: Any) -> str:
    """The estimator with its parameters, and the code that it is made and fitted by."""
    parameters = {name: repr(value) for name, value in made.get_params().items()}
    code = {}
    for found in (type(made), inspect.getmodule(type(made))):
        file = inspect.getsourcefile(found) if found is not None else None
        if file is not None:
            code[Path(file).name] = hashlib.sha256(Path(file).read_bytes()).hexdigest()
    return json.dumps([spec.name, type(made).__qualname__, parameters, code], sort_keys=True)
