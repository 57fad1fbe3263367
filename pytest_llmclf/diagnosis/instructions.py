"""Which labels the instructions of an evaluation single out.

Models lean towards an answer that they were shown. A label that the instructions merely list
among the others is not singled out; one that stands there alone, or as the example, is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

from pytest_llmclf.label_words import FUNCTION_WORDS, fold, parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Standing = Literal["example", "named"]
"""``example``: marked as one (JSON value, quotes, "such as", an example turn); ``named``: named
in plain words, and hardly any other label is."""

_MOST: Final = 3
_SHARE: Final = 4

_RANGE: Final = re.compile(r"\d+\s*(?:to|through|and|-|\u2013|\u2014|\.{2,})\s*\d+")
"""Such as ``0 to 9``: its ends stand for everything between."""
_VALUE: Final = re.compile(r"[\"']\s*:\s*[\"']?([^\"'\n{}]{1,80})")
"""The value behind a JSON key, quoted or not."""
_QUOTED: Final = re.compile(r"[\"'`\u201c\u2018\u00ab]([^\"'`\u201d\u2019\u00bb\n]{1,80})")
_CUE: Final = re.compile(
    r"\b(?:for (?:example|instance)|e\.\s?g\b\.?|eg\b|examples?\b|such as\b"
    r"|(?<!look )(?<!looks )(?<!looking )like\b)"
)
"""What announces an example; "looks like" does not."""
_REACH: Final = 80
_SENTENCE_END: Final = re.compile(r"[.!?;](?:\s|$)")
_TURN: Final = re.compile(r"^(user|assistant|system):", re.MULTILINE)


def standing(label: str, labels: Sequence[str], instructions: str) -> Standing | None:
    """How `instructions` single out `label`; ``None`` if they do not.

    A way of marking singles labels out only where it marks few: one label, or at most three that
    are no more than a quarter of all. A SYSTEM text that quotes every label marks none by it.

    Args:
        label: One of `labels`.
        labels: All classes.
        instructions: SYSTEM text, and example turns as lines ``role: text``.
    """
    text = fold(instructions)
    for spans in _marked(text):
        if _singles_out(label, labels, _named(labels, spans, sentence=False)):
            return "example"
    cued = _named(labels, _cued(text), sentence=True)
    if _singles_out(label, labels, cued):
        return "example"
    plain = _named(labels, [_RANGE.sub(" ", text)], sentence=True)
    return "named" if _singles_out(label, labels, plain) else None


def _singles_out(label: str, labels: Sequence[str], named: set[str]) -> bool:
    few = len(named) == 1 or (len(named) <= _MOST and _SHARE * len(named) <= len(labels))
    return label in named and few


def _marked(text: str) -> Iterable[list[str]]:
    """What each way of marking marks: JSON values, example turns, quotes."""
    yield _VALUE.findall(text)
    yield list(_answers(text))
    # Quotes around a sentence mark no label: only what is short enough to be one.
    yield [span for span in _QUOTED.findall(text) if len(span.split()) <= _MOST]


def _answers(text: str) -> Iterable[str]:
    """The texts of example turns that the model is supposed to have said."""
    turns = list(_TURN.finditer(text))
    starts = [*(turn.start() for turn in turns), len(text)]
    for turn, end in zip(turns, starts[1:], strict=True):
        if turn[1] == "assistant":
            yield text[turn.end() : end]


def _cued(text: str) -> Iterable[str]:
    """What follows "for example" and its like, up to the end of the sentence."""
    for found in _CUE.finditer(text):
        behind = text[found.end() : found.end() + _REACH]
        yield _RANGE.sub(" ", _SENTENCE_END.split(behind)[0])


def _named(labels: Iterable[str], spans: Iterable[str], *, sentence: bool) -> set[str]:
    """The labels that occur in `spans` as words.

    Args:
        labels: Which to look for.
        spans: Folded texts.
        sentence: Whether the spans are running text, where "a" is an article and no label.
    """
    texts = [f" {' '.join(parts(span))} " for span in spans]
    found = set()
    for label in labels:
        words = parts(fold(label))
        if sentence and FUNCTION_WORDS.issuperset(words):
            continue
        key = f" {' '.join(words)} "
        if any(key in text for text in texts):
            found.add(label)
    return found
