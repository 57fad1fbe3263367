"""Labels, and which of them an answer names. Nothing is guessed.

An answer is read by the first of these rules that applies; an answer that none of them reads is
`unparsed`, with a reason:

1. It is JSON: its one value, or that of ``label``, ``class`` or ``answer``, is the answer.
2. The whole answer is a label or a synonym.
3. It names exactly one label, and every other word is one of `label_words.CARRIERS`.
4. Its first line is a label, and the rest names no other one and takes nothing back.

An answer that was cut at the token limit is read only where what it says is complete: closed JSON,
or a label on a line of its own that was ended; "1" may have been going to be "10".
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.errors import SettingsError, nearest
from pytest_llmclf.label_words import (
    CARRIERS,
    FUNCTION_WORDS,
    REFUSAL,
    fold,
    normalise,
    parts,
    takes_back,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_llmclf.answer import Finish
    from pytest_llmclf.outcome import UnparsedReason

__all__ = ["Label", "LabelSet", "Reading", "normalise", "read_label"]

_KEYS: Final = ("label", "class", "answer")
_FENCE: Final = "```"
_LEAST: Final = 2
_LISTED: Final = 30

LONGEST: Final = 20_000
"""Characters of the longest answer that is read; a longer one is no answer with one label."""

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Label:
    """One class.

    Attributes:
        name: As the dataset writes it.
        synonyms: Other words for it that count as the same answer, such as ``seven`` or ``♔``.
        description: What it looks like, for the prompt; ``None`` says nothing.

    Raises:
        SettingsError: The synonyms are one text, whose letters would each become a synonym.
    """

    name: str
    synonyms: tuple[str, ...] = field(default=(), kw_only=True)
    description: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """Keep the synonyms as a tuple, whatever list they came as."""
        object.__setattr__(self, "synonyms", _synonyms(self.name, self.synonyms))


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSet:
    """The labels of an evaluation, in order.

    Raises:
        SettingsError: Fewer than two labels, or a name or synonym that is empty once normalised,
            not printable on one line, or means two labels.
    """

    labels: tuple[Label, ...]
    _index: dict[Words, str] = field(init=False, repr=False, compare=False)
    _parts: dict[Words, str] = field(init=False, repr=False, compare=False)
    _longest: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the labels and index their spellings."""
        index: dict[Words, str] = {}
        owners: dict[Words, int] = {}
        for place, label in enumerate(self.labels):
            for spelling in (label.name, *label.synonyms):
                key = _key(spelling, label)
                if owners.setdefault(key, place) != place:
                    raise SettingsError(_twice(spelling, label, index[key]))
                index[key] = label.name
        if len(self.labels) < _LEAST:
            names = ", ".join(map(repr, self.names)) or "none"
            msg = f"an evaluation needs at least two labels, but has {names}: name the others too"
            raise SettingsError(msg)
        by_parts = {found: name for key, name in index.items() if (found := parts(" ".join(key)))}
        # The only way to fill a frozen class; all three follow from `labels`.
        object.__setattr__(self, "_index", index)
        object.__setattr__(self, "_parts", by_parts)
        object.__setattr__(self, "_longest", max(map(len, (*index, *by_parts))))

    @classmethod
    def of(
        cls,
        names: Iterable[str],
        *,
        synonyms: Mapping[str, Iterable[str]] | None = None,
        descriptions: Mapping[str, str] | None = None,
    ) -> LabelSet:
        """Put a set together from names and what is said about some of them.

        Raises:
            SettingsError: As for the class, or a synonym or description is for no such label.
        """
        names = tuple(names)
        synonyms, descriptions = synonyms or {}, descriptions or {}
        for what, given in (("synonyms", synonyms), ("descriptions", descriptions)):
            for name in given:
                if name not in names:
                    msg = f"{what} are given for {unknown(name, names)}"
                    raise SettingsError(msg)
        return cls(
            labels=tuple(
                Label(
                    name=name,
                    synonyms=_synonyms(name, synonyms.get(name, ())),
                    description=descriptions.get(name),
                )
                for name in names
            )
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The labels' names, in order."""
        return tuple(label.name for label in self.labels)

    def find(self, text: str) -> str | None:
        """Name of the label that `text` is, by name or synonym after normalisation, or `None`."""
        return self._index.get(words(normalise(text)))

    def unknown(self, text: str) -> str:
        """``'ct', which is not one of cat, dog; did you mean 'cat'?`` for messages."""
        spellings = [s for label in self.labels for s in (label.name, *label.synonyms)]
        return unknown(text, self.names, spellings)

    def mentions(self, folded: str) -> set[str]:
        """Names of all labels that occur in `folded` text as words, however they are joined."""
        found = {name for name, _ in _scan(words(folded), self._index, self._longest) if name}
        return found | {
            name for name, _ in _scan(parts(folded), self._parts, self._longest) if name
        }

    def in_sentence(self, said: Words) -> str | None:
        """The one label that `said` names among carrier words only, or `None`."""
        named: str | None = None
        after_number = False
        for name, key in _scan(said, self._index, self._longest):
            if name is None:
                if key[0] not in CARRIERS:
                    return None
                after_number = False
                continue
            # "a" may be the article and "1 1" may be eleven: both would be guesses.
            number = len(key) == 1 and key[0].isdecimal()
            if named not in (None, name) or FUNCTION_WORDS.issuperset(key):
                return None
            if number and after_number:
                return None
            named, after_number = name, number
        return named


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What an answer names; exactly one of the two is `None`.

    Attributes:
        label: Name of the label.
        reason: Why there is none.
    """

    label: str | None
    reason: UnparsedReason | None


def read_label(text: str, labels: LabelSet, finish: Finish = "stop") -> Reading:
    """Read the label that an answer names, by the rules at the top of this module.

    Takes any text and never raises; time grows with the text's length.

    Args:
        text: The model's answer.
        labels: What it may name.
        finish: Why the answer ended.
    """
    cut = finish == "length"
    if len(text) > LONGEST:
        return Reading(label=None, reason="cut-off" if cut else "outside-the-list")
    body = _unfenced(text)
    values = _json_values(body)
    if values is None:
        name = None if cut else _in_text(body, labels)
        name = name or _in_first_line(body, labels, ended=not cut)
        return _reading(name, body, labels, cut=cut)
    named = {_in_text(value, labels) for value in values}
    name = named.pop() if len(named) == 1 else None
    return _reading(name, "\n".join(values) if values else body, labels, cut=False)


def unknown(text: str, names: Iterable[str], spellings: Iterable[str] = ()) -> str:
    """``'ct', which is not one of cat, dog; did you mean 'cat'?`` for messages.

    Args:
        text: The word that is none of them.
        names: All labels; the message lists the first thirty.
        spellings: Further words that the hint may propose.
    """
    names = tuple(names)
    hint = nearest(text, [*names, *spellings])
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{text!r}, which is not one of {', '.join(names[:_LISTED])}{more}{hint}"


def _in_text(text: str, labels: LabelSet) -> str | None:
    """Rules 2 and 3."""
    name = labels.find(text)
    return name or labels.in_sentence(words(normalise(text)))


def _in_first_line(text: str, labels: LabelSet, *, ended: bool) -> str | None:
    """Rule 4; `ended` says that a line without a line end is complete, too."""
    lines = text.lstrip().splitlines(keepends=True)
    if not lines or not (ended or lines[0] != lines[0].rstrip("\r\n")):
        return None
    name = labels.find(lines[0])
    rest = fold("".join(lines[1:]))
    if name is None or takes_back(rest) or labels.mentions(rest) - {name}:
        return None
    return name


def _reading(name: str | None, text: str, labels: LabelSet, *, cut: bool) -> Reading:
    if name is not None:
        return Reading(label=name, reason=None)
    folded = normalise(text)
    reason: UnparsedReason
    if REFUSAL.search(folded):
        reason = "refusal"
    elif len(labels.mentions(folded)) > 1:
        reason = "several-labels"
    elif cut:
        reason = "cut-off"
    else:
        reason = "outside-the-list" if folded else "empty"
    return Reading(label=None, reason=reason)


def _unfenced(text: str) -> str:
    """What stands in the code fence that is the whole of `text`, or `text` itself."""
    body = text.strip()
    opening, line_end, inside = body.partition("\n")
    language = opening[len(_FENCE) :].strip()
    fenced = opening.startswith(_FENCE) and (not language or language.isalnum())
    if fenced and line_end and inside.endswith(_FENCE) and inside.count(_FENCE) == 1:
        return inside[: -len(_FENCE)]
    return text


def _json_values(text: str) -> tuple[str, ...] | None:
    """Rule 1: the strings and numbers that a JSON answer gives, or `None` if it is not JSON.

    Numbers stay as written (7.0 is not 7); a value of another kind comes out as the empty string,
    which names nothing.
    """
    body = text.strip()
    if not body.startswith(("{", '"')):
        return None
    try:
        data: Any = json.loads(
            body, object_pairs_hook=_Pairs, parse_int=str, parse_float=str, parse_constant=str
        )
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, _Pairs):
        return (data,) if isinstance(data, str) else ("",)
    values = [value for key, value in data if normalise(key) in _KEYS]
    if not values and len(data) == 1 and not takes_back(fold(data[0][0].replace("_", " "))):
        values = [data[0][1]]
    return tuple(value if isinstance(value, str) else "" for value in values)


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with every key, repeated ones too."""


def _scan(
    said: Words, index: Mapping[Words, str], longest: int
) -> Iterator[tuple[str | None, Words]]:
    """Cut `said` into labels, the longest first, and single other words (with `None`)."""
    at = 0
    while at < len(said):
        for length in range(min(longest, len(said) - at), 0, -1):
            key = said[at : at + length]
            if key in index:
                yield index[key], key
                break
        else:
            key = said[at : at + 1]
            yield None, key
        at += len(key)


def _synonyms(name: str, given: Iterable[str]) -> tuple[str, ...]:
    if isinstance(given, str):
        msg = f'the synonyms of {name!r} are the bare text {given!r}: write ("{given}",)'
        raise SettingsError(msg)
    return tuple(given)


def _key(spelling: str, label: Label) -> Words:
    key = words(normalise(spelling))
    what = "label" if spelling == label.name else f"synonym of {label.name!r}"
    if not key:
        msg = (
            f"the {what} {spelling!r} is empty once quotes, brackets and punctuation are off: "
            f"use a word"
        )
        raise SettingsError(msg)
    if not spelling.isprintable() or spelling != spelling.strip():
        msg = (
            f"the {what} {spelling!r} has control characters, line breaks or blanks at an end: "
            f"write it as one printable line"
        )
        raise SettingsError(msg)
    return key


def _twice(spelling: str, label: Label, other: str) -> str:
    return (
        f"{spelling!r} means both {other!r} and {label.name!r} (case, quotes and closing "
        f"punctuation do not tell labels apart): drop one of them"
    )
