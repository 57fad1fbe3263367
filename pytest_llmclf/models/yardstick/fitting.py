"""Classifiers fitted to images when they are first needed."""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.data.image import prepare
from pytest_llmclf.errors import BackendError, ImageError
from pytest_llmclf.files import require_plain
from pytest_llmclf.models.yardstick.learning import folds_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pytest_llmclf.models.yardstick.learning import Lesson
    from pytest_llmclf.values.case import Case

_EVERY: Final = -1
"""The fold that stands for all images of another set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A fitted classifier.

    Attributes:
        classifier: It.
        seconds: What looking at images and fitting took, shared among the images that it answers.
        said: What it says of images that were looked at already, by digest: label and
            probabilities.
    """

    classifier: Any
    seconds: float
    said: Mapping[str, tuple[str, dict[str, float] | None]]


class TrainingFeatures:
    """The features of all images that are learnt from, and their folds; looked at once.

    Several classifiers share it, so that an image is decoded for them once.

    Args:
        lesson: What is learnt from.
        elsewhere: Whether other images are learnt from than those that are asked about.

    Attributes:
        folds: The fold of each image by its digest; empty where others are asked about.
        cases: The images that could be looked at.
        features: Theirs, a row each.
        unread: Ids of the others.
        seconds: What looking at them took.
    """

    def __init__(self, lesson: Lesson, *, elsewhere: bool) -> None:
        self._lesson = lesson
        self._elsewhere = elsewhere
        self.folds: Mapping[str, int] = {}
        self.cases: list[Case] = []
        self.features: NDArray[np.float32] | None = None
        self.unread: list[str] = []
        self.seconds = 0.0

    def look(self) -> NDArray[np.float32]:
        """The features.

        Raises:
            BackendError: No image can be read.
        """
        if self.features is not None:
            return self.features
        import numpy as np

        from pytest_llmclf.models.yardstick.features import features_of

        began = time.perf_counter()
        if not self._elsewhere:
            self.folds = folds_of(self._lesson)
        found, self.cases, self.unread = [], [], []
        for case in self._lesson.chosen:
            try:
                found.append(features_of(_bytes_of(case)))
            except (ImageError, OSError):
                self.unread.append(case.id)
            else:
                self.cases.append(case)
        if not found:
            raise BackendError(
                "no image can be read that the classifier could learn from",
                remedy="mend the images: each says what is wrong with it",
            )
        self.features = np.stack(found)
        self.seconds = time.perf_counter() - began
        return self.features


class Fitting:
    """The classifiers that answer for a set of images. To be used by one thread at a time.

    Args:
        make: Makes a classifier that was not fitted yet.
        seen: What is learnt from.
        labels: Names of the labels, in order.
        answered: How many images are asked about in all; 0 where that is not known: then nobody's
            time has a share of the training.
    """

    def __init__(
        self, make: Callable[[], Any], seen: TrainingFeatures, labels: Sequence[str], answered: int
    ) -> None:
        self._make = make
        self._seen = seen
        self._labels = tuple(labels)
        self._answered = answered
        self._fitted: dict[int, Fitted | BackendError] = {}

    def fitted(self, sha256: str) -> Fitted:
        """The classifier that answers for an image: it has seen neither it nor its like.

        Args:
            sha256: Digest of the image's file.

        Raises:
            BackendError: Nothing can be fitted.
        """
        features = self._seen.look()
        # An image that nobody learns from, such as one of no label, may be answered by any.
        fold = self._seen.folds.get(sha256, 0) if self._seen.folds else _EVERY
        if fold not in self._fitted:
            try:
                self._fitted[fold] = self._fit(features, fold)
            except BackendError as error:  # for the next image as for this one
                self._fitted[fold] = error
        found = self._fitted[fold]
        if isinstance(found, BackendError):
            raise found
        return found

    @property
    def unread(self) -> list[str]:
        """Images that could not be looked at, and were not learnt from."""
        return self._seen.unread

    def say(self, fitted: Fitted, sha256: str, image: bytes) -> tuple[str, dict[str, float] | None]:
        """Label and probabilities of an image, by the classifier that answers for it.

        Raises:
            BackendError: The classifier, or the image's features, fail.
        """
        known = fitted.said.get(sha256)
        if known is not None:
            return known
        from pytest_llmclf.models.yardstick.features import features_of

        (found,) = self._predicted(fitted.classifier, features_of(image)[None, :])
        return found

    def _fit(self, features: NDArray[np.float32], fold: int) -> Fitted:
        """Fit to all images of other folds; what is said of those in the fold is kept."""
        import numpy as np

        began = time.perf_counter()
        seen = self._seen
        place = {name: number for number, name in enumerate(self._labels)}
        truth = np.array([place[case.label] for case in seen.cases])
        folds = np.array([seen.folds.get(case.sha256, 0) for case in seen.cases])
        try:
            classifier = self._make()
            classifier.fit(features[folds != fold], truth[folds != fold])
        except Exception as error:
            raise BackendError(
                f"the classifier cannot be fitted, {type(error).__name__}: {error}",
                remedy="add images, or ask another classifier",
            ) from error
        inside = np.flatnonzero(folds == fold)
        said = self._predicted(classifier, features[inside]) if len(inside) else []
        asked = sum(own == fold for own in seen.folds.values()) or self._answered or math.inf
        digests = (seen.cases[row].sha256 for row in inside)
        return Fitted(
            classifier=classifier,
            seconds=(time.perf_counter() - began) / asked
            + seen.seconds / (self._answered or math.inf),
            said=dict(zip(digests, said, strict=True)),
        )

    def _predicted(
        self, classifier: Any, seen: NDArray[np.float32]
    ) -> list[tuple[str, dict[str, float] | None]]:
        try:
            named = [self._labels[int(one)] for one in classifier.predict(seen)]
            if not hasattr(classifier, "predict_proba"):
                return [(label, None) for label in named]
            shares = classifier.predict_proba(seen)
            columns = [self._labels[int(one)] for one in classifier.classes_]
        except Exception as error:
            raise BackendError(
                f"the classifier cannot say, {type(error).__name__}: {error}",
                remedy="ask another classifier",
            ) from error
        none = dict.fromkeys(self._labels, 0.0)
        return [
            (label, none | dict(zip(columns, map(float, row), strict=True)))
            for label, row in zip(named, shares, strict=True)
        ]


def _bytes_of(case: Case) -> bytes:
    """An image as it would be sent.

    Raises:
        ImageError: It cannot be, or its file changed since it was listed.
        OSError: Its file cannot be read.
    """
    if case.problem is not None:
        raise ImageError(case.problem)
    data = require_plain(case.path).read_bytes()
    if hashlib.sha256(data).hexdigest() != case.sha256:
        raise ImageError("the file changed since it was collected")
    return prepare(data).data
