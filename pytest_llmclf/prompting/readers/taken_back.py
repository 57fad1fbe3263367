"""Whether what stands behind an answer leaves it standing, or denies, doubts or replaces it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_llmclf.prompting.label_text import (
    DENIES,
    HOLDS,
    NEGATIVE,
    RETRACTS,
    TAKES_BACK,
    parts,
)
from pytest_llmclf.prompting.readers.clauses import mentions, without_idioms
from pytest_llmclf.prompting.readers.sentence import hidden_labels, labels_in
from pytest_llmclf.prompting.readers.word_lists import DOUBTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.prompting.labels import LabelSet
    from pytest_llmclf.prompting.readers.sentence import Token

_HARMLESS: Final = ("asserted", "mentioned", "compared", "conceded")
"""What may be said again of the answer's own label."""
_OTHERS: Final = ("denied", "compared", "conceded")
"""What may be said of other labels behind an answer."""


def leaves_standing(tokens: Sequence[Token], name: str, labels: LabelSet) -> bool:
    """Whether words behind an answer leave it standing: other labels are denied or compared."""
    tokens = without_idioms(tokens)
    said = mentions(tokens, labels.spellings)
    for one in said:
        if one.status not in (_HARMLESS if one.label == name else _OTHERS):
            return False
    hidden = hidden_labels(tokens, labels_in(tokens, labels.spellings), labels.spellings)
    return not hidden - {name} and not takes_back(tokens, name, labels)


def takes_back(tokens: Sequence[Token], name: str, labels: LabelSet) -> bool:
    """Whether a word denies or doubts the answer before it; words of the label itself do not.

    "With no mane" denies nothing, nor does "no" behind "no"; "It is not." does.
    """
    found = labels_in(tokens, labels.spellings)
    own = {place for one in found for place in range(one.start, one.stop) if one.label == name}
    # "No dog." takes no cat back.
    own |= {
        one.start - 1
        for one in found
        if one.label != name and one.start and tokens[one.start - 1].word in DENIES
    }
    words = {
        part
        for place, token in enumerate(tokens)
        if place not in own
        for part in (*parts(token.word), *(["n't"] if "n't" in token.word else []))
    }
    taken = words & (TAKES_BACK | {"n't"})
    if words.isdisjoint(DOUBTS):
        taken -= {"although", "rather"}
    taken = {word for word in taken if word not in DENIES or _denies(tokens, word)}
    said = labels.spellings.words_of(name)
    if said == {"no"} or not (NEGATIVE - {"no"}).isdisjoint(said):
        taken -= DENIES | {"n't"}
    return bool(taken)


def _denies(tokens: Sequence[Token], word: str) -> bool:
    """Whether a denying word is about the answer before it, and not about what an image lacks."""
    first = 0
    for place, token in enumerate(tokens):
        if word in parts(token.word):
            begin = tokens[first].word
            before = tokens[place - 1].word if place > first else ""
            short = place == first and (token.ends or token.breaks or place + 2 >= len(tokens))
            if short or (begin in RETRACTS and before not in HOLDS - {"is", "are"}):
                return True
            if place == first and word not in ("no", "without", "nothing", "none"):
                return True
        if token.ends:
            first = place + 1
    return False
