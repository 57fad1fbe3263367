"""Answers that count, where labels are numbers: "There are 12 eggs in the box."."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_llmclf.prompting.label_text import (
    BEHIND_LABEL,
    CARRIERS,
    DENIES,
    FUNCTION_WORDS,
    REFUSAL,
    TAKES_BACK,
    fold,
    listed,
    parts,
)
from pytest_llmclf.prompting.readers.clauses import sentences
from pytest_llmclf.prompting.readers.sentence import is_number, tokenise
from pytest_llmclf.prompting.readers.word_lists import DOUBTS

if TYPE_CHECKING:
    from pytest_llmclf.prompting.labels import LabelSet

_COUNTS: Final = frozenset(
    f"{lead} {adverb}".strip()
    for lead in (
        "there are", "there is", "i count", "i counted", "i can count", "we count", "i see",
        "i can see", "we see", "the image shows", "the picture shows", "the photo shows",
        "the image contains", "the picture contains", "the photo contains", "it shows", "",
        "this image shows", "in the image there are", "in the picture there are",
        "in total there are", "in this image there are", "the image depicts",
    )
    for adverb in ("", "exactly", "a total of", "in total")
)  # fmt: skip
"""What a sentence says before the number of what it counts."""
_NO_COUNT: Final = (
    DOUBTS
    | DENIES
    | TAKES_BACK
    | listed(
        "about around approximately roughly least more fewer less than over under up nearly "
        "almost only estimate another half dozen"
    )
)
"""Words of an answer that counts to no exact number."""
_COUNTING: Final = listed("count counted")
_FIRST_COUNTS: Final = 3
_FEW: Final = 3
_DIGITS: Final = 10
_NOT_COUNTED: Final = CARRIERS | listed(
    "images pictures photos photographs drawings answers labels classes categories digits numbers "
    "letters part parts loop loops line lines stroke strokes curve curves side sides end ends way "
    "ways option options possibility possibilities reason reasons issue issues problem problems "
    "question questions step steps example examples type types kind kinds thing things clue clues "
    "feature features candidate candidates difference differences choice choices quarters halves "
    "thirds times percent second seconds minute minutes hour hours day days year years and or to"
)
"""What a number counts without being the count that was asked for."""


def counted(text: str, labels: LabelSet) -> str | None:
    """Rule 5 where labels are counts: the only number, if it counts what the image shows."""
    tokens = tokenise(text)
    words = [token.word for token in tokens]
    numbers = [place for place, word in enumerate(words) if _has_number(word)]
    if len(numbers) != 1 or not _are_counts(labels) or any(token.asks for token in tokens):
        return None
    place = numbers[0]
    name = labels.spellings.whole(words[place])
    if name is None or REFUSAL.search(fold(text)) or not _NO_COUNT.isdisjoint(words):
        return None
    begin = next(begin for begin, end in sentences(tokens) if begin <= place < end)
    before, behind = words[begin:place], words[place + 1 :]
    if not behind or tokens[place].ends or tokens[place].breaks:
        return None
    thing = next(
        (at for at, word in enumerate(behind) if word in FUNCTION_WORDS | BEHIND_LABEL), len(behind)
    )
    # "There are 12 eggs." may be of a picture beside the number that was asked for.
    placed = thing < len(behind) or not _COUNTING.isdisjoint(before)
    if not placed or not thing or " ".join(before) not in _COUNTS:
        return None
    return name if _NOT_COUNTED.isdisjoint(behind[:thing]) else None


def _has_number(word: str) -> bool:
    return any(is_number(part) for part in parts(word)) or any(map(str.isdigit, word))


def _are_counts(labels: LabelSet) -> bool:
    """Whether labels can be counts, and not the digits that an image shows."""
    if not all(name.isdecimal() for name in labels.names):
        return False
    values = sorted(map(int, labels.names))
    run = values == list(range(values[0], values[0] + len(values)))
    several = run and values[0] < _FIRST_COUNTS and _FEW <= len(values) < _DIGITS
    return values[-1] >= _DIGITS or several
