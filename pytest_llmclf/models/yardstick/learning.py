"""What a yardstick learns from, and which part of it may answer for which image.

Nothing here looks at an image. Copies count once, and images that belong together are in one fold,
so that no image is answered by a classifier that has seen it, a copy of it, or its scene.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.errors import LabelsUnknown, some_of
from pytest_llmclf.metrics.clusters import together
from pytest_llmclf.values.case import Case
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_llmclf.values.case import CaseSet

FOLDS: Final = 5
SEED: Final = 20
"""Of the folds."""
_LEAST: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """Labelled images, each content once, in the order of their digests.

    Attributes:
        cases: The images.
        together: A number for each: images with the same one belong together.
        learnt: How many of the images are learnt from; see `chosen`.
    """

    cases: tuple[Case, ...]
    together: tuple[int, ...]
    learnt: int

    @property
    def facts(self) -> list[tuple[str, str, int]]:
        """All that the classifiers depend on, as JSON built-ins."""
        return [
            (case.sha256, case.label, number)
            for case, number in zip(self.cases, self.together, strict=True)
        ]

    @property
    def chosen(self) -> tuple[Case, ...]:
        """The images that are learnt from: of each class the same share."""
        if self.learnt >= len(self.cases):
            return self.cases
        sizes = Counter(case.label for case in self.cases)
        seen = Counter[str]()
        shares = []
        for place, case in enumerate(self.cases):
            seen[case.label] += 1
            shares.append(((seen[case.label] - 0.5) / sizes[case.label], place))
        kept = sorted(place for _, place in sorted(shares)[: self.learnt])
        return tuple(self.cases[place] for place in kept)


def lesson_of(cases: Iterable[Case], group: str, most: int, left_out: Iterable[str] = ()) -> Lesson:
    """What can be learnt from labelled images.

    Args:
        cases: The images; unsound ones among them, which count for the folds.
        group: Tag whose values are groups of images that belong together; empty: none.
        most: Most images that are learnt from.
        left_out: Digests of images that are not to be learnt from.
    """
    spared = frozenset(left_out)
    first: dict[str, Case] = {}
    values: dict[str, set[str]] = defaultdict(set)
    for case in cases:
        if case.sha256 and case.sha256 not in spared:
            first.setdefault(case.sha256, case)
            if group and group in case.tags:
                values[case.sha256].add(case.tags[group])
    ordered = sorted(first)
    return Lesson(
        cases=tuple(first[sha256] for sha256 in ordered),
        together=together([values[sha256] for sha256 in ordered]),
        learnt=most,
    )


def check_lesson(lesson: Lesson, images: CaseSet, place: str) -> None:
    """Refuse images from which not every label can be learnt.

    Args:
        lesson: What is learnt from.
        images: What is asked about.
        place: Where the lesson comes from, such as a folder; empty: from `images` itself.

    Raises:
        LabelsUnknown: Which labels, with the remedy.
    """
    units: dict[str, set[int]] = defaultdict(set)
    for case, number in zip(lesson.cases, lesson.together, strict=True):
        units[case.label].add(number)
    has = {case.label for case in images.cases}
    asked = [label for label in images.labels if label in has or not has]
    what = noun(2, images.group or "image") if images.group and not place else "images"
    if len(units) < _LEAST:
        raise LabelsUnknown(
            f"all images of {place or images.name} have one label, {some_of(units) or 'none'}: a "
            "classifier has nothing to tell apart",
            remedy="add images of another label, or ask yardstick:majority",
        )
    needed = 1 if place else _LEAST
    few = [label for label in asked if len(units.get(label, ())) < needed]
    if few and place:
        raise LabelsUnknown(
            f"{place} has no image of {some_of(few)}, which nobody can learn from it",
            remedy="add some to that folder",
        )
    if few:
        raise LabelsUnknown(
            f"{some_of(few)}: fewer than {needed} different {what} of {images.name}, so that none "
            "is left to learn the label from when it is asked about",
            remedy="add some, or learn from others: train=FOLDER behind a question mark",
        )


def folds_of(lesson: Lesson, seed: int = SEED) -> dict[str, int]:
    """The fold of each image by its digest: stratified, seeded, what belongs together in one.

    There are `FOLDS`, or as many as the largest class has images.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    labels = [case.label for case in lesson.cases]
    most = max(Counter(labels).values())
    grouped = len(set(lesson.together)) < len(lesson.cases)
    number = max(_LEAST, min(FOLDS, most, len(set(lesson.together))))
    splitter = (StratifiedGroupKFold if grouped else StratifiedKFold)(
        number, shuffle=True, random_state=seed
    )
    # It warns of a class with fewer images than there are folds, which is no fault here.
    parts = list(splitter.split(labels, labels, lesson.together if grouped else None))
    return {
        lesson.cases[place].sha256: fold
        for fold, (_, tested) in enumerate(parts)
        for place in tested
    }


def lesson_json(lesson: Lesson, *, elsewhere: bool) -> dict[str, Any]:
    """A lesson for another process, as JSON built-ins."""
    cases = [
        [case.id, os.fspath(case.root), case.sha256, case.label, case.problem]
        for case in lesson.cases
    ]
    return {
        "cases": cases,
        "together": list(lesson.together),
        "learnt": lesson.learnt,
        "elsewhere": elsewhere,
    }


def lesson_from(data: Mapping[str, Any]) -> Lesson:
    """Rebuild from `lesson_json`."""
    cases = tuple(
        Case(id=id_, root=Path(root), sha256=sha256, label=label, problem=problem)
        for id_, root, sha256, label, problem in data["cases"]
    )
    return Lesson(cases=cases, together=tuple(data["together"]), learnt=data["learnt"])
