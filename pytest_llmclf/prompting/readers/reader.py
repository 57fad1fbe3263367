"""What a reader is: it turns the text of an answer into a label, or a reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from pytest_llmclf.prompting.labels import LabelSet
    from pytest_llmclf.values.answer import Finish
    from pytest_llmclf.values.outcome import UnparsedReason

LONGEST_ANSWER: Final = 20_000
"""Characters of the longest answer that is read; a longer one is no answer with one label."""

STRICT: Final = "strict"
"""Name of the reader that is used unless another one is chosen: it guesses nothing."""

EXACT: Final = "exact"
"""Name of the reader that tells upper from lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelOrReason:
    """What an answer names; exactly one of the two is ``None``.

    Attributes:
        label: Name of the label.
        reason: Why there is none.
    """

    label: str | None
    reason: UnparsedReason | None


class Reader(Protocol):
    """Reads an answer's text, thinking taken out already."""

    def __call__(self, text: str, labels: LabelSet, finish: Finish, /) -> LabelOrReason:
        """The label that `text` names, or why there is none."""
