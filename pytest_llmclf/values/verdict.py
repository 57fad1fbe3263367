"""What a gate came to, and that it was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from pytest_llmclf.values.outcome import TaskName

VerdictWord = Literal["PASS", "FAIL", "INCONCLUSIVE", "UNGATED"]
"""What a gate came to; UNGATED says that nobody has set one."""
WORST_FIRST: Final[tuple[VerdictWord, ...]] = ("FAIL", "INCONCLUSIVE", "PASS", "UNGATED")
"""The order in which the word of several verdicts is the first that any of them has."""
Undecided = Literal["incomplete", "undefined", "sample"]
"""Why a gate is INCONCLUSIVE: images have no answer; what it compares is undefined; the images are
too few to tell with the confidence that was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a gate came to.

    Attributes:
        word: The verdict.
        text: One line: what was asked, what was found.
        evaluation: Whose gate.
        model: On which model.
        undecided: For INCONCLUSIVE: why; else ``None``.
        variant: In which variant; empty for the evaluation as it is declared.
    """

    word: VerdictWord
    text: str
    evaluation: str = ""
    model: str = ""
    undecided: Undecided | None = None
    variant: str = ""

    @property
    def task(self) -> TaskName:
        """Which evaluation was put to which model, in which variant."""
        return TaskName(self.evaluation, self.model, self.variant)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at one gate.

    Attributes:
        gate: The gate, as `Gate.text` writes it.
        question: Digest of what the gate was asked of; see `looks.question_of`.
        data: Digest of the images, labels and answers; see `looks.data_of`.
        images: How many images had an answer.
        word: What it came to.
    """

    gate: str
    question: str
    data: str
    images: int
    word: VerdictWord
