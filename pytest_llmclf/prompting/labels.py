"""Labels: their names, synonyms and descriptions, and the spellings that mean one of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pytest_llmclf.errors import SettingsError
from pytest_llmclf.prompting.label_text import as_written, normalise, words
from pytest_llmclf.prompting.spellings import SpellingIndex, Words, index_spellings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["NONE_LABEL", "Label", "LabelSet", "normalise"]

NONE_LABEL: Final = "none of these"
"""The label of images of no class, unless an evaluation calls it otherwise."""
_LEAST: Final = 2


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

    Attributes:
        labels: In order.
        case_matters: Whether upper and lower case tell labels apart, for the reader ``exact``.
        spellings: What means which label for readers to which case is nothing; without spellings
            that differ from another label's in case alone.

    Raises:
        SettingsError: Fewer than two labels, or a name or synonym that is empty once normalised,
            not printable on one line, or means two labels.
    """

    labels: tuple[Label, ...]
    case_matters: bool = False
    spellings: SpellingIndex = field(init=False, repr=False, compare=False)
    _written: Mapping[Words, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the labels and index their spellings."""
        written: dict[Words, str] = {}
        owners: dict[Words, int] = {}
        folded: dict[Words, set[str]] = {}
        for place, label in enumerate(self.labels):
            for spelling in (label.name, *label.synonyms):
                blind = _key(spelling, label)
                key = words(as_written(spelling)) if self.case_matters else blind
                if owners.setdefault(key, place) != place:
                    raise SettingsError(_twice(spelling, label, written[key]))
                written[key] = label.name
                folded.setdefault(blind, set()).add(label.name)
        index = {key: min(names) for key, names in folded.items() if len(names) == 1}
        if len(self.labels) < _LEAST:
            names = ", ".join(map(repr, self.names)) or "none"
            msg = f"an evaluation needs at least two labels, but has {names}: name the others too"
            raise SettingsError(msg)
        given = [(text, one.name) for one in self.labels for text in (one.name, *one.synonyms)]
        # The only way to fill a frozen class; it follows from `labels`.
        object.__setattr__(self, "spellings", index_spellings(index, given))
        object.__setattr__(self, "_written", written)

    @classmethod
    def of(cls, names: Iterable[str]) -> LabelSet:
        """The labels of these names, without synonyms or descriptions.

        Raises:
            SettingsError: As for the class.
        """
        return cls(labels=tuple(map(Label, names)))

    @property
    def names(self) -> tuple[str, ...]:
        """The labels' names, in order."""
        return tuple(label.name for label in self.labels)

    def find(self, text: str) -> str | None:
        """Name of the label that `text` is, by name or synonym after normalisation, or `None`."""
        return self._written.get(words((as_written if self.case_matters else normalise)(text)))

    @property
    def told_by_case(self) -> bool:
        """Whether two of them differ in upper and lower case alone."""
        return len({normalise(name) for name in self.names}) < len(self.labels)


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
    by_case = other.casefold() == label.name.casefold() and other != label.name
    exact = ', or say reader="exact", to which case matters (--reader exact)' if by_case else ""
    return (
        f"{spelling!r} means both {other!r} and {label.name!r} (case, quotes and closing "
        f"punctuation do not tell labels apart): drop one of them{exact}"
    )
