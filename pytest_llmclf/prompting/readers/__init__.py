"""Readers: what turns the text of an answer into a label, or a reason why there is none.

`strict` is the default. Others are chosen by name or handed over as a function; a report says
which one read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias, get_args

from pytest_llmclf.errors import BackendError, SettingsError, nearest
from pytest_llmclf.prompting.readers.named import (
    read_contained,
    read_exactly,
    read_first,
    read_last,
)
from pytest_llmclf.prompting.readers.reader import (
    EXACT,
    LONGEST_ANSWER,
    STRICT,
    LabelOrReason,
    Reader,
)
from pytest_llmclf.prompting.readers.strict import read_strictly
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.outcome import UnparsedReason
from pytest_llmclf.values.thinking import Split, split_thinking

if TYPE_CHECKING:
    from pytest_llmclf.prompting.labels import LabelSet
    from pytest_llmclf.values.answer import Finish

__all__ = [
    "EXACT",
    "LONGEST_ANSWER",
    "READERS",
    "READ_BY",
    "STRICT",
    "LabelOrReason",
    "Reader",
    "ReaderFailed",
    "ReaderFunction",
    "Split",
    "check_reader",
    "read_answer",
    "read_label",
    "reader_name",
    "reader_note",
    "split_thinking",
]

ReaderFunction: TypeAlias = Callable[[str, tuple[str, ...]], str | None]
"""A reader of one's own: the answer's text and the labels in, a label or a reason out."""

READERS: Final[dict[str, Reader]] = {
    STRICT: read_strictly,
    "first": read_first,
    "last": read_last,
    "contains": read_contained,
    EXACT: read_exactly,
}
READ_BY: Final = "answers read by "
"""How a report's note of who read its answers begins."""
_REASONS: Final[tuple[str, ...]] = get_args(UnparsedReason)


class ReaderFailed(BackendError):
    """A reader of one's own raised, or gave back what is neither a label nor a reason."""

    kind = "reader-failed"


def check_reader(reader: object) -> None:
    """Refuse what cannot read.

    Raises:
        SettingsError: It is no name of `READERS` and no function.
    """
    if isinstance(reader, str):
        if reader not in READERS:
            raise SettingsError(
                f"reader={reader!r} is not one of {', '.join(READERS)}, nor a function of text "
                f"and labels{nearest(reader, READERS)}"
            )
    elif not callable(reader):
        raise SettingsError(
            f"reader={reader!r} is neither a function nor one of {', '.join(READERS)}"
        )


def reader_name(reader: str | ReaderFunction) -> str:
    """What reports call a reader: its name, or module and name of the function."""
    if isinstance(reader, str):
        return reader
    module = getattr(reader, "__module__", type(reader).__module__)
    name = getattr(reader, "__qualname__", type(reader).__qualname__)
    return f"{module}:{name}"


def read_answer(
    answer: Answer, labels: LabelSet, *, reader: str | ReaderFunction = STRICT
) -> LabelOrReason:
    """Read the label that an answer names; its thinking is never read.

    Args:
        answer: What came back from the model.
        labels: What it may name.
        reader: Name of one of `READERS`, or a function of text and label names that gives back a
            label (or one of its spellings), a reason such as ``refusal``, or ``None`` for an
            answer outside of the list.

    Raises:
        ReaderFailed: The function raised, or gave back something else.
    """
    if answer.thought and not answer.text.strip() and answer.finish != "filtered":
        cut = answer.finish == "length"
        return LabelOrReason(label=None, reason="cut-off-in-thinking" if cut else "thinking-only")
    if isinstance(reader, str):
        found = READERS[reader](answer.text, labels, answer.finish)
    else:
        found = _by_function(answer.text, labels, reader)
    if found.label is None and answer.finish == "filtered":
        return LabelOrReason(label=None, reason="content-filter")
    return found


def read_label(
    text: str,
    labels: LabelSet,
    finish: Finish = "stop",
    *,
    reader: str | ReaderFunction = STRICT,
) -> LabelOrReason:
    """Read the label that a text names which a model wrote.

    Args:
        text: What the model wrote, thinking perhaps included.
        labels: What it may name.
        finish: Why the answer ended.
        reader: As for `read_answer`.

    Raises:
        ReaderFailed: As for `read_answer`.
    """
    return read_answer(Answer(text=text, finish=finish), labels, reader=reader)


def _by_function(text: str, labels: LabelSet, reader: ReaderFunction) -> LabelOrReason:
    try:
        found = reader(text, labels.names)
    except Exception as error:
        raise ReaderFailed(
            f"the reader {reader_name(reader)} raised {type(error).__name__}: {error}"
        ) from error
    if found is None:
        return LabelOrReason(label=None, reason="outside-the-list" if text.strip() else "empty")
    if isinstance(found, str):
        name = labels.find(found)
        if name is not None:
            return LabelOrReason(label=name, reason=None)
        if found in _REASONS:
            return LabelOrReason(label=None, reason=found)  # type: ignore[arg-type]
    raise ReaderFailed(
        f"the reader {reader_name(reader)} gave back {found!r}, which is neither a label nor one "
        f"of {', '.join(_REASONS)}"
    )


def reader_note(reader: str | ReaderFunction) -> tuple[str, ...]:
    """A report's line on who read the answers, where it is not the strict reader."""
    name = reader_name(reader)
    return () if name == STRICT else (f"{READ_BY}{name}, not by the strict reader",)
