"""What stands around a label in its noun phrase, and whether the phrase still means the label.

The head of an English noun phrase is its last noun: a "German Shepherd dog" is a dog, and a "dog
house" is none. The phrases of which that is not true ("hot dog", "toy horse") are listed here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_llmclf.prompting.label_text import BEFORE_LABEL, BEHIND_LABEL, CARRIERS, FUNCTION_WORDS
from pytest_llmclf.prompting.readers.word_lists import (
    CHEST,
    DETERMINER,
    DOMAIN,
    NO_MODIFIER,
    NOT_AHEAD,
    NOT_THERE,
    NOUNS_AS_PARTICIPLES,
    OTHER_NAMES,
    OTHER_THING,
    SHOWN,
    UNITS,
    VERBS_BEHIND,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.prompting.readers.sentence import Token

_MOST_MODIFIERS: Final = 4
_ENOUGH: Final = ("fits", "applies", "matches", "suits")
_AROUND: Final = 3
_HALF: Final = 50
_SHORTEST_PARTICIPLE: Final = 4


def begin_of_phrase(left: Sequence[Token], label: str, *, closed: bool) -> int | None:
    """Where the noun phrase begins whose head is a label, or ``None`` if it is another thing's.

    Args:
        left: The clause up to the label.
        label: The label's first word.
        closed: Whether a modifier could make another thing of it, as of numbers and letters.
    """
    place = len(left)
    while place and len(left) - place <= _MOST_MODIFIERS + 1:
        token = left[place - 1]
        word = token.word
        if word in DETERMINER:
            return place - 1
        if place == len(left) and {(word, label), (word, label.removesuffix("s"))} & OTHER_NAMES:
            return None
        if _is_other(word):
            return None
        if word == "and" and _joins_adjectives(left, place - 1):
            place -= 1
            continue
        if word in NO_MODIFIER | FUNCTION_WORDS or (
            word in CARRIERS and word not in ("chess", "animal")
        ):
            return place
        described = word in BEFORE_LABEL or _begins_a_list(left, place - 1)
        if not described and (closed or token.breaks or len(left) - place >= _MOST_MODIFIERS):
            return place if token.breaks or closed else None
        place -= 1
    return place


def _begins_a_list(left: Sequence[Token], place: int) -> bool:
    """Whether a word with a comma is the first of several that describe ("a long, thin ...")."""
    listed_on = left[place].breaks and place + 1 < len(left)
    return listed_on and place > 0 and left[place - 1].word in DETERMINER


def _joins_adjectives(left: Sequence[Token], place: int) -> bool:
    """Whether "and" stands between two words that describe ("a black and white ...")."""
    around = [token.word for token in left[max(place - 1, 0) : place + 2]]
    return len(around) == _AROUND and {around[0], around[-1]} <= BEFORE_LABEL - NO_MODIFIER


def _is_other(word: str) -> bool:
    return word in OTHER_THING or (
        word.endswith(("-like", "-shaped", "-free", "'s")) and word not in FUNCTION_WORDS
    )


def ends_the_phrase(right: Sequence[Token], label: set[str], *, determined: bool) -> bool:
    """Whether the words behind a label are no further part of a name.

    Args:
        right: The clause behind the label.
        label: The label's words.
        determined: Whether an article or the like begins the phrase.
    """
    following = right[0].word
    if all(token.word in CARRIERS or token.word in label for token in right):
        # "1 1" may be eleven.
        return not (following.isdecimal() and following in label)
    if following in VERBS_BEHIND:
        return _is_there(right, determined=determined)
    if following == "of":
        # "a photo of ..." is a photo; "a bishop of ..." may be another thing.
        several = len(label) > 1 and len(right) > 1 and right[1].word in DETERMINER
        return several or not label.isdisjoint(CARRIERS)
    chest = following == "chest" and len(right) > 1 and right[1].word in CHEST
    if chest or (following in DOMAIN and len(right) > 1 and not right[0].breaks):
        return ends_the_phrase(right[1:], label, determined=True)
    if following == "and":
        return len(right) > 1 and right[1].word in DETERMINER | {"it", "there"}
    return _is_said_of_signs(right, label) or _goes_on(right, determined=determined)


def _is_there(right: Sequence[Token], *, determined: bool) -> bool:
    """Whether a verb behind a label says that the image shows it."""
    verb, behind = right[0].word, right[1].word if len(right) > 1 else ""
    if not determined and verb in ("is", "are") and behind.endswith("ed"):
        # "Glass is collected on Tuesdays" says nothing of an image.
        return behind in SHOWN
    return behind not in NOT_THERE if behind else verb in _ENOUGH


def _is_said_of_signs(right: Sequence[Token], label: set[str]) -> bool:
    """Whether a unit or "ahead" follows that the sign says itself ("speed limit 50 km/h")."""
    rest = right[1:] if right[0].word in UNITS and len(label) > 1 else ()
    if right[0].word == "ahead" and label.isdisjoint(NOT_AHEAD):
        rest = right[1:]
    elif not rest and not (right[0].word in UNITS and len(label) > 1):
        return False
    return not rest or right[0].breaks or rest[0].word in DOMAIN | BEHIND_LABEL


def _goes_on(right: Sequence[Token], *, determined: bool) -> bool:
    """Whether the word behind a label begins something else than a name."""
    word = right[0].word
    return word in BEHIND_LABEL | DOMAIN or is_sure(word) or (determined and _is_doing(right))


def _is_doing(right: Sequence[Token]) -> bool:
    """Whether a participle follows ("a dog running"), as far as its ending tells."""
    word = right[0].word
    if len(word) <= _SHORTEST_PARTICIPLE or not word.endswith(("ing", "ed")):
        return False
    return word not in NOUNS_AS_PARTICIPLES or (len(right) > 1 and right[1].word in DETERMINER)


def is_sure(word: str) -> bool:
    """Whether a word is a percentage of more than half."""
    number = word.removesuffix("%")
    return number != word and number.isdecimal() and int(number) > _HALF
