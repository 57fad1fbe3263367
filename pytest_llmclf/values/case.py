"""One image and what it is said to show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

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
    """

    id: str
    root: Path
    sha256: str
    label: str
    tags: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None
    also: tuple[str, ...] = ()
    review: ImageReview | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """All right labels, the first one first."""
        return (self.label, *self.also)

    @property
    def path(self) -> Path:
        """Where the file lies on this machine."""
        # Made when it is wanted: kept, it would be a third of what a case takes.
        return self.root / self.id
