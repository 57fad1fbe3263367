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

    from pytest_llmclf.prompting.prompt import Instructions

Standing = Literal["system", "prompt", "turns", "examples", "base"]
"""Where a label is the example of an answer: in the SYSTEM text, the evaluation's ``prompt=``, the
MESSAGE turns of the Modelfile, under its example images, or in the SYSTEM text that the base model
brings along."""

Span = tuple[int, int]
"""Where a part of a text begins and ends."""

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


def texts_of(told: Instructions, names: Iterable[str], own: str = "") -> InstructionTexts:
    """The texts of instructions.

    Args:
        told: All that a model is told.
        names: The classes.
        own: SYSTEM text that the model has by itself, for instructions without one.
    """
    spellings = {label.name: (label.name, *label.synonyms) for label in told.labels}
    return InstructionTexts(
        labels={name: spellings.get(name, (name,)) for name in names},
        texts={
            "prompt": told.question,
            **({"base": own} if told.system is None else {"system": told.system}),
        },
        answers=[text for role, text in told.turns if role == "assistant"],
        shown=[example.label for example in told.examples],
    )


def standings(given: InstructionTexts) -> dict[str, Standing]:
    """The labels that are the example of an answer, and where each stands first.

    A way of marking gives examples only where it marks few labels: one, or at most three that are
    no more than a quarter of all. A text that marks every label gives none as its example.
    """
    forms = _forms(given.labels)
    ways: list[tuple[Standing, Sequence[str]]] = [
        (place, [words for _, words in spans])
        for place, text in given.texts.items()
        for spans in _marked(fold(text))
    ]
    ways.append(("turns", [fold(answer) for answer in given.answers]))
    ways.append(("examples", [fold(label) for label in given.shown]))
    found: dict[str, Standing] = {}
    for place, spans in ways:
        for label in _few(_named(forms, spans), forms):
            found.setdefault(label, place)
    return found


def with_others(
    given: InstructionTexts, others: Mapping[str, str]
) -> tuple[dict[Standing, str], tuple[str, ...]]:
    """The texts and the answers of the turns with other labels as their examples.

    Nothing but the example changes: a label stays wherever else it is named, as in a list.

    Args:
        given: What is told.
        others: By label that is an example, the one that takes its place.
    """
    forms = _forms(given.labels)
    texts = {place: _replaced(text, forms, others) for place, text in given.texts.items()}
    told = _few(_named(forms, map(fold, given.answers)), forms)
    taken = {label: other for label, other in others.items() if label in told}
    return texts, tuple(
        _written(answer, [(0, len(answer))], forms, taken) for answer in given.answers
    )


def _forms(labels: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """By every way in which a label may be written, as words, the label."""
    return {
        " ".join(parts(fold(spelling))): label
        for label, spellings in labels.items()
        for spelling in spellings
    }


def _few(named: set[str], forms: Mapping[str, str]) -> set[str]:
    """The labels that a way of marking names, where they are few enough to be examples."""
    several = len(named) <= _MOST and _SHARE * len(named) <= len(set(forms.values()))
    return named if len(named) == 1 or several else set()


def _replaced(text: str, forms: Mapping[str, str], others: Mapping[str, str]) -> str:
    """A text with other labels as its examples."""
    folded, places = _aligned(text)
    spans, taken = [], set[str]()
    for marked in _marked(folded):
        named = _few(_named(forms, [words for _, words in marked]), forms) & set(others)
        taken |= named
        spans += [
            (places[start], places[start + len(words)])
            for start, words in marked
            if named & _named(forms, [words])
        ]
    return _written(text, spans, forms, {label: others[label] for label in taken})


def _written(
    text: str, spans: Iterable[Span], forms: Mapping[str, str], others: Mapping[str, str]
) -> str:
    """A text with labels in the place of others within some parts of it."""
    folded, places = _aligned(text)
    found: dict[Span, str] = {}
    for form, label in forms.items():
        if label not in others:
            continue
        words = r"[\W_]+".join(map(re.escape, form.split()))
        for one in re.finditer(rf"(?<!\w){words}(?!\w)", folded):
            start, end = places[one.start()], places[one.end()]
            if any(first <= start and end <= last for first, last in spans):
                found[start, end] = others[label]
    for (start, end), other in sorted(found.items(), reverse=True):
        before = text[start:end]
        capital = before[:1].isupper() and before[1:].islower() and other.islower()
        text = text[:start] + (other.capitalize() if capital else other) + text[end:]
    return text


def _aligned(text: str) -> tuple[str, Sequence[int]]:
    """A text folded sign by sign, and for each place in it, its end included, that in the text."""
    if text.isascii():
        return fold(text), range(len(text) + 1)
    folded = list(map(fold, text))
    places = [place for place, signs in enumerate(folded) for _ in signs]
    return "".join(folded), [*places, len(text)]


def _marked(text: str) -> Iterator[list[tuple[int, str]]]:
    """What each way of marking marks: JSON values, answer lines, quotes, announcements.

    Yields:
        For each way where every part that it marks begins, and what stands there.
    """
    for pattern in (_VALUE, _ANSWER_LINE, _QUOTED):
        yield [
            (found.start(1), found[1])
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


def _cued(text: str) -> Iterator[tuple[int, str]]:
    """What "for example" and its like announce, where that is nothing but a label or a few."""
    for found in _CUE.finditer(text):
        if not _is_meant(text, found.start(), found.end()):
            continue
        behind = text[found.end() : found.end() + _REACH]
        # A line end between both is a matter of layout.
        bare = behind.lstrip(" :,\n\t")
        start = found.end() + len(behind) - len(bare)
        # As many blanks, so that places stay what they are.
        announced = _SENTENCE_END.split(_RANGE.sub(lambda ends: " " * len(ends[0]), bare))[0]
        for words in announced.split(","):
            yield start, words
            start += len(words) + 1


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
