"""What became of rows, and the file that lists those without an answer."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, Self, TextIO

from pytest_llmclf.files import require_writable_kind

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ROW: Final = "row"
"""Kind of a failure that lies in the manifest."""
IMAGE: Final = "image"
"""Kind of a failure that lies in an image."""
IN_VAIN: Final = 100
"""Questions in a row without an answer after which a run is given up: the rest would fare alike."""
SHOWN: Final = 5
"""Failures that a tally keeps for people; all are in the file."""
TOLD: Final = 20
"""Sentences about servers that a tally keeps for people, the first ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A row without an answer.

    Attributes:
        id: Path of the image, as the manifest has it.
        place: Where it stands.
        kind: `ROW`, `IMAGE`, or the kind of a `BackendError`.
        message: What went wrong, and the remedy.
    """

    id: str
    place: str
    kind: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What became of some rows.

    Attributes:
        asked: Got an answer now.
        known: Had one in the store.
        failures: The others.
        notice: What is wrong with the store, or ``None``.
        told: What people should know of the servers so far, a sentence each.
    """

    asked: int = 0
    known: int = 0
    failures: tuple[Failure, ...] = ()
    notice: str | None = None
    told: tuple[str, ...] = ()

    def to_text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Batch:
        """Rebuild from `to_text`."""
        data = json.loads(text)
        failures = tuple(Failure(**each) for each in data["failures"])
        return cls(**{**data, "failures": failures, "told": tuple(data["told"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many rows came to what.

    Attributes:
        asked: Got an answer now.
        known: Had one in the store.
        failed: Have none.
        in_vain: Questions without an answer since the last answer.
        first: The first failures.
        told: What people should know of the servers, in the order in which it was learnt.
    """

    asked: int = 0
    known: int = 0
    failed: int = 0
    in_vain: int = 0
    first: tuple[Failure, ...] = ()
    told: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """All of them."""
        return self.asked + self.known + self.failed

    @property
    def hopeless(self) -> bool:
        """Whether so many questions in a row got no answer that more make no sense."""
        return self.in_vain >= IN_VAIN

    def plus(self, batch: Batch) -> Tally:
        """With some more rows."""
        unanswered = sum(failure.kind not in (ROW, IMAGE) for failure in batch.failures)
        return Tally(
            asked=self.asked + batch.asked,
            known=self.known + batch.known,
            failed=self.failed + len(batch.failures),
            in_vain=unanswered if batch.asked else self.in_vain + unanswered,
            first=(*self.first, *batch.failures[: SHOWN - len(self.first)]),
            told=self._told_with(batch.told),
        )

    def _told_with(self, more: tuple[str, ...]) -> tuple[str, ...]:
        new = [sentence for sentence in more if sentence not in self.told]
        return (*self.told, *new)[:TOLD]


class FailureFile:
    """Failures as JSON lines, written as they come; there is no file where there is none.

    Args:
        path: The file; an earlier one is replaced.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: TextIO | None = None
        path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, failures: Iterable[Failure]) -> None:
        """Add some."""
        for failure in failures:
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                place = require_writable_kind(self.path)
                self._file = place.open("w", encoding="utf-8", newline="\n")
            self._file.write(json.dumps(asdict(failure)) + "\n")
