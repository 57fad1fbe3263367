"""Which labels the instructions of an evaluation give as their example of an answer.

Models lean towards an answer that they were shown. A label that is merely listed among the others,
forbidden, meant for a certain case, or a word of an ordinary sentence ("in 3 steps", "one person")
is no example, and nothing is said of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from pytest_llmclf.prompting.label_text import FUNCTION_WORDS, fold, parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


Standing = Literal["system", "prompt", "turns", "examples", "base"]
"""Where a label is the example of an answer: in the SYSTEM text, the evaluation's ``prompt=``, the
MESSAGE turns of the Modelfile, under its example images, or in the SYSTEM text that the base model
brings along."""

_MOST: Final = 3
_SHARE: Final = 4

_RANGE: Final = re.compile(r"\d+\s*(?:to|through|and|-|\u2013|\u2014|\.{2,})\s*\d+")
"""Such as ``0 to 9``: its ends stand for everything between."""
_VALUE: Final = re.compile(r"[\"']\s*:\s*[\"']?([^\"'\n{}]{1,80})")
"""The value behind a JSON key, quoted or not."""
_QUOTED: Final = re.compile(
    r"\b(?:answer|say|reply|respond|return|output|write|print)(?:\s+\w{1,12}){0,3}?\s*:?\s*"
    r"[\"'`\u201c\u2018\u00ab]([^\"'`\u201d\u2019\u00bb\n]{1,80})"
)
"""What is in quotes behind a verb that asks for it."""
_ANSWER_LINE: Final = re.compile(
    r"^[^\S\n]*(?:answer|output|label|class|response|result|assistant|a)[^\S\n]*[:=]([^\n]{1,80})$",
    re.MULTILINE,
)
"""A line that is an answer as it is to be given, and nothing else."""
_CUE: Final = re.compile(
    r"\b(?:for (?:example|instance)|e\.\s?g\b\.?|eg\b|examples?\b|such as\b"
    r"|(?<!look )(?<!looks )(?<!looking )like\b)"
)
"""What announces an example; "looks like" does not."""
_FILLERS: Final = FUNCTION_WORDS.union(
    ("answer", "answers", "say", "reply", "respond", "return", "output", "write", "print"),
    ("be", "was", "or", "and", "with", "by", "as", "just", "simply", "only", "please", "you"),
    ("label", "class", "word"),
)
"""Words that may stand between an announcement and the example that it announces."""
_REACH: Final = 80
_SENTENCE_END: Final = re.compile(r"[.!?;](?=\s|$)|\n")
_CLAUSE_END: Final = re.compile(r"[,;:.!?\n](?=\s|$)")
_FORBIDS: Final = re.compile(
    r"\b(?:never|not|avoid|without|except|no|instead of|rather than)\b|n't"
)
_IF: Final = re.compile(r"\b(?:if|when|whenever|unless|otherwise|in case)\b")
"""What makes of an example the answer for a certain case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstructionTexts:
    """The texts in which a label may be an example.

    Attributes:
        labels: All classes, each with every way in which it may be written.
        texts: Running text, by where it stands.
        answers: What the example turns let the model say.
        shown: The labels of the example images.
    """

    labels: Mapping[str, tuple[str, ...]]
    texts: Mapping[Standing, str] = field(default_factory=dict)
    answers: Sequence[str] = ()
    shown: Sequence[str] = ()


def standings(given: InstructionTexts) -> dict[str, Standing]:
    """The labels that are the example of an answer, and where each stands first.

    A way of marking gives examples only where it marks few labels: one, or at most three that are
    no more than a quarter of all. A text that marks every label gives none as its example.
    """
    forms = {
        " ".join(parts(fold(spelling))): label
        for label, spellings in given.labels.items()
        for spelling in spellings
    }
    ways: list[tuple[Standing, Sequence[str]]] = [
        (place, spans) for place, text in given.texts.items() for spans in _marked(fold(text))
    ]
    ways.append(("turns", [fold(answer) for answer in given.answers]))
    ways.append(("examples", [fold(label) for label in given.shown]))
    found: dict[str, Standing] = {}
    for place, spans in ways:
        named = _named(forms, spans)
        if len(named) == 1 or (len(named) <= _MOST and _SHARE * len(named) <= len(given.labels)):
            for label in named:
                found.setdefault(label, place)
    return found


def _marked(text: str) -> Iterator[list[str]]:
    """What each way of marking marks: JSON values, answer lines, quotes, announcements."""
    for pattern in (_VALUE, _ANSWER_LINE, _QUOTED):
        yield [
            found[1]
            for found in pattern.finditer(text)
            # Quotes around a sentence mark no label: only what is short enough to be one.
            if len(found[1].split()) <= _MOST and _is_meant(text, found.start(), found.end())
        ]
    yield list(_cued(text))


def _is_meant(text: str, start: int, end: int) -> bool:
    """Whether what stands there is neither forbidden nor meant for a certain case."""
    before = text[max(0, start - _REACH) : start]
    clause = _CLAUSE_END.split(before)[-1]
    # The verb of a quote is within the match: "never answer".
    after = _SENTENCE_END.split(text[end : end + _REACH])[0]
    sentence = _SENTENCE_END.split(before)[-1] + " " + after
    return not _FORBIDS.search(clause) and not _IF.search(sentence)


def _cued(text: str) -> Iterator[str]:
    """What "for example" and its like announce, where that is nothing but a label or a few."""
    for found in _CUE.finditer(text):
        behind = text[found.end() : found.end() + _REACH]
        # A line end between both is a matter of layout.
        announced = _SENTENCE_END.split(_RANGE.sub(" ", behind.lstrip(" :,\n\t")))[0]
        if _is_meant(text, found.start(), found.end()):
            yield from announced.split(",")


def _named(forms: Mapping[str, str], spans: Iterable[str]) -> set[str]:
    """The labels of spans that hold nothing but labels and fillers."""
    found: set[str] = set()
    longest = max((form.count(" ") + 1 for form in forms), default=0)
    for span in spans:
        found |= _only_labels(parts(span), forms, longest)
    return found


def _only_labels(words: Sequence[str], forms: Mapping[str, str], longest: int) -> set[str]:
    """The labels that `words` are made of; none where another word is among them."""
    found: set[str] = set()
    place = 0
    while place < len(words):
        for length in range(min(longest, len(words) - place), 0, -1):
            form = " ".join(words[place : place + length])
            if form in forms and (form not in _FILLERS or len(words) == 1):
                found.add(forms[form])
                place += length
                break
        else:
            if words[place] not in _FILLERS:
                return set()
            place += 1
    return found
