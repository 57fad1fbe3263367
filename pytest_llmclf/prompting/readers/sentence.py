"""The words of an answer, and the labels among them.

A label that is a word of the language as well ("a", "no", "photo"), or a number, is not named by
every sentence in which it stands: "There is 1 image." says nothing about the digit 1. Where such a
label counts is decided here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from pytest_llmclf.prompting.label_text import (
    ANNOUNCES,
    BEFORE_LABEL,
    BEHIND_LABEL,
    CARRIERS,
    DETERMINERS,
    FUNCTION_WORDS,
    NUMBER_WORDS,
    fold,
    listed,
    parts,
    trim,
)
from pytest_llmclf.prompting.spellings import separated

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmclf.prompting.spellings import SpellingIndex

Standing = Literal["named", "mentioned", "nothing"]

_CLOSERS: Final = "\"'`*_~)]}>\u2019\u201d\u00bb"
_ENDS: Final = (".", "!", "?", ";", "\u2026", "\u3002", "\uff01", "\uff1f")
_BREAKS: Final = (",", ":", "\u3001", "\uff0c")
_SIGNS: Final = "-+#*|/=~>\u2022\u2013\u2014\u2192"
_INTERJECTIONS: Final = listed("ok okay right good fine great well sure yes clear perfect alright")
_PROMISES: Final = tuple(
    tuple(words.split())
    for words in (
        "i will", "i'll", "let me", "let us", "let's", "i am going to", "i'm going to",
        "we will", "we'll", "i shall", "i can help", "i can do", "i can try", "now i will",
        "so i will", "first i will", "now let me",
        "so let me", "first let me", "now i'll", "first i'll", "i would be happy", "i am ready",
        "i'm ready", "i am happy", "i'm happy", "please", "i need to", "i have to", "i understand",
        "give me",
    )
)  # fmt: skip
_BEGINS_WITH: Final = listed(
    "look analyze analyse examine inspect check take think start begin classify identify try help "
    "do describe see go ready happy send upload provide share moment second wait tell understand "
    "consider study work proceed"
)
_PROMISE: Final = 8
_NAMING: Final = ("a", "an", "is", "it's", "that's")
_FILLERS: Final = ("a", "an", "the", "of")
_DASHES: Final = frozenset(
    ("-", "--", "\u2013", "\u2014", ":", "=", "->", "=>", "\u2192", "/", "|")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One word of an answer.

    Attributes:
        word: Folded, without decoration.
        pieces: Its words, where it joins several with ``_``, ``-`` or a capital; else itself.
        ends: Whether its sentence or line ends with it.
        asks: Whether that sentence is a question.
        breaks: Whether a comma, colon, dash or bracket follows it.
        introduces: Whether that is a colon or a dash.
    """

    word: str
    pieces: tuple[str, ...]
    ends: bool = False
    asks: bool = False
    breaks: bool = False
    introduces: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A label in an answer.

    Attributes:
        label: Its name.
        start: Its first token.
        stop: One behind its last token.
        standing: Whether the answer names it there, only mentions it, or neither.
    """

    label: str
    start: int
    stop: int
    standing: Standing


def tokenise(text: str) -> tuple[Token, ...]:
    """Cut an answer into words, with what ends or breaks a sentence behind each."""
    tokens: list[Token] = []
    for line in text.replace("\uff1a", ": ").splitlines():
        first = len(tokens)
        for raw in line.split():
            for piece in fold(raw).split():
                _take(tokens, raw, piece, fresh=len(tokens) == first)
        if len(tokens) > first:
            # "It is none of these:" goes on in the next line.
            goes_on = line.rstrip(_CLOSERS + " \t").endswith((":", "\uff1a"))
            tokens[-1] = replace(tokens[-1], ends=not goes_on, breaks=tokens[-1].breaks or goes_on)
    return tuple(tokens)


def _take(tokens: list[Token], raw: str, piece: str, *, fresh: bool) -> None:
    """Add the word of a piece of text; a piece without one says something of the word before."""
    word = trim(piece)
    opens = piece.startswith(("(", "[", "\u2013", "\u2014"))
    if tokens and not fresh and (opens or piece in _DASHES):
        tokens[-1] = replace(tokens[-1], breaks=True, introduces=not piece.startswith(("(", "[")))
    if not word or all(char in _SIGNS for char in word):
        return
    bare = piece.rstrip(_CLOSERS)
    pieces = separated(raw) if _joins(raw) else (word,)
    tokens.append(
        Token(
            word=word,
            pieces=pieces or (word,),
            ends=bare.endswith(_ENDS),
            asks=bare.endswith(("?", "\uff1f")),
            breaks=bare.endswith(_BREAKS),
            introduces=bare.endswith(":"),
        )
    )


def _joins(raw: str) -> bool:
    return "_" in raw or "-" in raw or not (raw.islower() or raw.isupper() or raw.istitle())


def labels_in(tokens: Sequence[Token], index: SpellingIndex) -> tuple[Named, ...]:
    """Every label among the words, the longest first where spellings overlap."""
    return tuple(_scan(tokens, index))


def _scan(tokens: Sequence[Token], index: SpellingIndex) -> Iterator[Named]:
    at = 0
    while at < len(tokens):
        for length in range(min(index.longest + 1, len(tokens) - at), 0, -1):
            name = _label_of(tokens[at : at + length], index)
            if name is not None:
                stop = at + length
                standing = _standing(tokens, at, stop) if length == 1 else "named"
                yield Named(label=name, start=at, stop=stop, standing=standing)
                at = stop
                break
        else:
            at += 1


def _label_of(said: Sequence[Token], index: SpellingIndex) -> str | None:
    """The label that words are, articles and "of" between them left out ("with a mask")."""
    name = index.exact.get(tuple(token.word for token in said))
    if name is None:
        name = index.loose.get(tuple(piece for token in said for piece in token.pieces))
    inside = said[1:-1]
    if name is None and any(token.word in _FILLERS for token in inside):
        kept = [said[0], *(token for token in inside if token.word not in _FILLERS), said[-1]]
        name = index.loose.get(tuple(piece for token in kept for piece in token.pieces))
    return name


def hidden_labels(
    tokens: Sequence[Token], found: Sequence[Named], index: SpellingIndex
) -> set[str]:
    """Labels inside of words that are no label themselves ("cat/dog", "cat-like")."""
    taken = {place for one in found for place in range(one.start, one.stop)}
    names: set[str] = set()
    for place, token in enumerate(tokens):
        pieces = parts(token.word)
        if place in taken or pieces == (token.word,):
            continue
        for start in range(len(pieces)):
            for stop in range(start + 1, min(len(pieces), start + index.longest) + 1):
                name = index.hidden.get(pieces[start:stop])
                if name is not None and not _means_little(pieces[start:stop]):
                    names.add(name)
    return names


def _means_little(pieces: tuple[str, ...]) -> bool:
    word = pieces[0]
    return len(pieces) == 1 and (word in FUNCTION_WORDS or (len(word) == 1 and word.isalpha()))


def _standing(tokens: Sequence[Token], at: int, stop: int) -> Standing:
    """Whether a label of one word is named where it stands."""
    word = tokens[at].word
    if word in _INTERJECTIONS and _only_agrees(tokens, at):
        return "nothing"
    if is_number(word):
        return _number_standing(tokens, at)
    function = word in FUNCTION_WORDS or word in DETERMINERS
    if not function and word not in CARRIERS:
        return "named"
    last = at > 0 and not tokens[at - 1].ends
    before = tokens[at - 1].word if last else ""
    if tokens[at].ends:
        return "named"
    begins = not before and tokens[at].breaks
    if function:
        behind = tokens[stop].word if stop < len(tokens) else ""
        # "It's an A, because ...", "The letter is I, since ..."
        begins = begins or (tokens[at].breaks and before in _NAMING)
        announced = before in ANNOUNCES - {"is"} and behind not in CARRIERS - FUNCTION_WORDS
        return "named" if begins or announced else "nothing"
    return "named" if begins or _is_called(tokens, at) else "mentioned"


def _only_agrees(tokens: Sequence[Token], at: int) -> bool:
    """Whether a word only agrees to begin ("Ok, I will look at the image")."""
    if (at and not tokens[at - 1].ends) or not (tokens[at].breaks or tokens[at].ends):
        return False
    following = [token.word for token in tokens[at + 1 : at + 1 + _PROMISE]]
    begins = any(tuple(following[: len(one)]) == one for one in _PROMISES)
    return begins and not _BEGINS_WITH.isdisjoint(following)


def _is_called(tokens: Sequence[Token], at: int) -> bool:
    """Whether "is a" leads to a word, adjectives between ("is a simple drawing of ...")."""
    place = at - 1
    while place > 0 and tokens[place].word not in ("a", "an"):
        if tokens[place].ends or tokens[place].word not in BEFORE_LABEL - FUNCTION_WORDS:
            return False
        place -= 1
    return place > 0 and tokens[place - 1].word in ("is", "it's", "that's")


def _number_standing(tokens: Sequence[Token], at: int) -> Standing:
    """A number is named unless it counts what follows ("1 image", "two loops")."""
    token = tokens[at]
    before = tokens[at - 1].word if at and not tokens[at - 1].ends else ""
    if before in DETERMINERS and not before.isdecimal():
        return "nothing"
    if token.ends or token.breaks or at + 1 == len(tokens):
        return "named"
    behind = tokens[at + 1].word
    if before in ANNOUNCES - {"is"} or behind in FUNCTION_WORDS or behind in BEHIND_LABEL:
        return "named"
    return "mentioned" if is_number(behind) or behind in ("and", "or") else "nothing"


def is_number(word: str) -> bool:
    """Whether a word is a number in digits or letters."""
    return word.isdecimal() or word in NUMBER_WORDS
