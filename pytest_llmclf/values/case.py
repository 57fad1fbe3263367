"""One image and what it is said to show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_llmclf.values.reviewed import ImageReview


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One image of a dataset.

    Attributes:
        id: Path relative to the dataset, POSIX separators; stable across machines.
        root: Folder of the dataset on this machine; one object for all its cases.
        sha256: Hex digest of the file's bytes.
        label: Name of the class it is said to show; the first one of several right labels.
        tags: Slices it belongs to, such as ``{"style": "photo"}``.
        problem: Why the image cannot be asked about (unreadable, cut, ...), with the
            remedy; ``None`` for a sound one. Such a case is never sent and ends as `error`.
        also: Further right labels; an answer is right if it is any of them.
        review: What people decided about its label; ``None``: nobody looked.
        stranger: Whether it shows none of the classes, so that its label is the one for that.
    """

    id: str
    root: Path
    sha256: str
    label: str
    tags: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None
    also: tuple[str, ...] = ()
    review: ImageReview | None = None
    stranger: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        """All right labels, the first one first."""
        return (self.label, *self.also)

    @property
    def path(self) -> Path:
        """Where the file lies on this machine."""
        # Made when it is wanted: kept, it would be a third of what a case takes.
        return self.root / self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseSet:
    """All images of a dataset with their labels, whatever part of them a run asks about.

    Attributes:
        name: Of the dataset.
        root: Folder of the project, in which names of other datasets are looked up.
        cases: Every one, before any sample was drawn.
        labels: Names of the labels, in order.
        group: Tag whose values are groups of images that belong together; empty: none.
    """

    name: str
    root: Path
    cases: tuple[Case, ...]
    labels: tuple[str, ...]
    group: str = ""

    def __repr__(self) -> str:
        """Short, however many cases there are."""
        return f"CaseSet({self.name!r}, {len(self.cases)} {noun(len(self.cases), 'case')})"
