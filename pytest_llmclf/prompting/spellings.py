"""Which spellings mean which label: as written, with other separators, and in the plural."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_llmclf.prompting.label_text import CARRIERS, normalise, parts, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Words = tuple[str, ...]

# "GoldenRetriever", "USBStick"; not "iPhone": what stands between would have to be a whole word.
_CAMEL: Final = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][^\W\d_A-Z])")
# "7-5" and "1_000" are values, not two words.
_JOINED: Final = re.compile(r"(?<=[^\W_])[_-]+(?=[^\W\d_])|(?<=[^\W\d_])[_-]+(?=[^\W_])")
# What parts two words, and no two numbers.
_BETWEEN: Final = re.compile(r"(?<=[^\W_])[ _/-](?=[^\W\d_])|(?<=[^\W\d_])[ _/-](?=[^\W_])")
_SHORTEST_PLURAL: Final = 3
_SHORTEST_JOINED: Final = 5
_UNITS: Final = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
_TENS: Final = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_NUMBERS: Final = {str(number): (word,) for number, word in enumerate(_UNITS)} | {
    str(20 + 10 * ten + unit): (word, _UNITS[unit]) if unit else (word,)
    for ten, word in enumerate(_TENS)
    for unit in range(10)
}
_IRREGULAR: Final = {
    "mouse": "mice", "goose": "geese", "wolf": "wolves", "calf": "calves", "leaf": "leaves",
    "knife": "knives", "man": "men", "woman": "women", "child": "children", "foot": "feet",
    "tooth": "teeth", "person": "people", "loaf": "loaves", "shelf": "shelves",
}  # fmt: skip
_SIBILANT: Final = ("s", "x", "z", "ch", "sh")
_NO_PLURAL: Final = ("ss", "us", "is", "ews", "ics")


def separated(text: str) -> Words:
    """The words of `text` where ``_``, ``-``, a blank and a capital inside are one separator."""
    return words(normalise(_JOINED.sub(" ", _CAMEL.sub(" ", text))))


@dataclass(frozen=True, slots=True, kw_only=True)
class SpellingIndex:
    """All spellings of a set of labels, as words.

    Attributes:
        exact: The names and synonyms themselves.
        loose: With other separators, or in the plural, where that means one label only and is no
            other label's own spelling.
        singular: The singular of a label that is a plural, likewise; for whole answers.
        squeezed: Spellings without separators, likewise; for whole answers.
        hidden: Runs of letters and digits, to find labels inside of words ("cat/dog").
        longest: Words of the longest spelling.
    """

    exact: Mapping[Words, str]
    loose: Mapping[Words, str]
    singular: Mapping[Words, str]
    squeezed: Mapping[str, str]
    hidden: Mapping[Words, str]
    longest: int

    def words_of(self, name: str) -> set[str]:
        """All words of the spellings of a label."""
        return {word for key, owner in self.exact.items() if owner == name for word in key}

    def whole(self, text: str) -> str | None:
        """Name of the label that all of `text` is, or ``None``."""
        found = self.exact.get(words(normalise(text)))
        if found is None:
            key = separated(text)
            found = self.exact.get(key) or self.loose.get(key) or self.singular.get(key)
        return found or self.squeezed.get(_squeezed(text))


def index_spellings(exact: Mapping[Words, str], given: Iterable[tuple[str, str]]) -> SpellingIndex:
    """Index what means which label.

    Args:
        exact: Label names by their words.
        given: Every spelling as the user wrote it, with its label's name.
    """
    loose: dict[Words, set[str]] = {}
    singular: dict[Words, set[str]] = {}
    squeezed: dict[str, set[str]] = {}
    given = list(given)
    for spelling, name in given:
        squeezed.setdefault(_squeezed(spelling), set()).add(name)
    for spelling, name in [*given, *_comma_parts(given)]:
        for source in {separated(spelling), words(normalise(spelling))}:
            loose.setdefault(source, set()).add(name)
            if len(source) > 1 and len(joined := "".join(source)) >= _SHORTEST_JOINED:
                loose.setdefault((joined,), set()).add(name)
            for form in _plurals(source[-1]):
                loose.setdefault((*source[:-1], form), set()).add(name)
            if len(source) == 1 and source[0] in _NUMBERS:
                loose.setdefault(_NUMBERS[source[0]], set()).add(name)
            for form in _singulars(source[-1]):
                singular.setdefault((*source[:-1], form), set()).add(name)
    hidden = {found: name for key, name in exact.items() if (found := parts(" ".join(key)))}
    told_apart = {key: min(names) for key, names in loose.items() if len(names) == 1}
    return SpellingIndex(
        exact=dict(exact),
        loose={key: name for key, name in told_apart.items() if exact.get(key, name) == name},
        singular={
            key: min(names)
            for key, names in singular.items()
            if len(names) == 1 and key not in exact and key not in loose
        },
        squeezed={
            key: min(names)
            for key, names in squeezed.items()
            if len(names) == 1 and len(key) >= _SHORTEST_JOINED
        },
        hidden=hidden,
        longest=max(map(len, (*exact, *told_apart, *hidden)), default=0),
    )


def _squeezed(text: str) -> str:
    """`text` without what parts its words; two numbers stay two ("7-5" is not 75)."""
    said = normalise(text)
    return _BETWEEN.sub("", said) if said[:1].isalpha() else ""


def _comma_parts(given: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Names that a label lists ("Siamese cat, Siamese"), with the label's name.

    Where two labels share a part, as "red, round" and "red, square" do, commas list no synonyms.
    """
    owners: dict[Words, set[str]] = {}
    for spelling, name in given:
        for part in (spelling, *spelling.split(",")):
            owners.setdefault(separated(part), set()).add(name)
    found: list[tuple[str, str]] = []
    for spelling, name in given:
        listed = [part.strip() for part in spelling.split(",")]
        alone = all(owners[separated(part)] == {name} for part in listed)
        if len(listed) > 1 and alone:
            found.extend((part, name) for part in listed if any(map(str.isalpha, part)))
    return found


def _plurals(word: str) -> tuple[str, ...]:
    if len(word) < _SHORTEST_PLURAL or not (word.isascii() and word.isalpha()) or word in CARRIERS:
        return ()
    if word in _IRREGULAR:
        return (_IRREGULAR[word],)
    if word.endswith("y") and word[-2] not in "aeiou":
        return (word[:-1] + "ies",)
    if word.endswith("o"):
        return (word + "s", word + "es")
    return (word + ("es" if word.endswith(_SIBILANT) else "s"),)


def _singulars(word: str) -> tuple[str, ...]:
    plain = word.isascii() and word.isalpha() and word.endswith("s")
    if not plain or word.endswith(_NO_PLURAL) or len(word) <= _SHORTEST_PLURAL:
        return ()
    if word.endswith("ies"):
        return (word[:-3] + "y", word[:-1])
    return (word[:-1], word[:-2]) if word.endswith("es") else (word[:-1],)
