"""What every reader of a dataset gives, and what it is told."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, get_args

from pytest_llmclf.errors import some_of
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pytest_llmclf.values.case import Case

LabelFolder = Literal["first", "last"]
"""Which of the folders that an image lies in is its label: the outermost or the innermost one."""
LABEL_FOLDERS: Final[tuple[str, ...]] = get_args(LabelFolder)
ADD_CLASS: Final = "add another class"
_EXAMPLES: Final = 3
_KINDS: Final = 5
_VALUES: Final = re.compile(r"'[^']{0,300}'|/\S+|\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One image as a source names it.

    Attributes:
        id: Relative POSIX path.
        label: As written; empty where none could be read.
        place: Where it is said, for messages: ``manifest.csv:7`` or the file's path.
        sha256: Digest that the manifest promises, or `None`.
        tags: Every further column that is not empty.
        also: Further right labels.
    """

    id: str
    label: str
    place: str
    sha256: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    also: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """All right labels, the first one first."""
        return (self.label, *self.also)


@dataclass(slots=True, kw_only=True)
class Found:
    """What a reader found.

    Attributes:
        entries: Images in the order of the source.
        problems: What makes the source unusable, each with place and remedy.
        warnings: What is odd and does not matter.
        add_label: What to do where it has a single label, which tells where that came from.
    """

    entries: list[Entry] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    add_label: str = ADD_CLASS


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """How a source is read where it could be meant in several ways.

    Attributes:
        pattern: For a flat folder: regular expression with a group ``label`` for file names.
            Given, a folder is read by it even where it has subfolders.
        split: The part of a split dataset that is read, such as ``test``; empty: it has none.
        label_folder: Which folder is the label where folders lie in folders; ``None``: the only
            one that can be meant.
        label_column: Column of the label in a manifest; empty: the one with a usual name.
        links: Folders outside of the dataset that links in it may lead into.
        case_matters: Whether labels that differ only in upper and lower case are two.
        strangers: Folder of images of no class, besides those of the source.
        none_label: The label that those bear.
    """

    pattern: str | None = None
    split: str = ""
    label_folder: LabelFolder | None = None
    label_column: str = ""
    links: tuple[Path, ...] = ()
    case_matters: bool = False
    strangers: Path | None = None
    none_label: str = ""

    @property
    def besides(self) -> str:
        """The label that no image of the source need have; empty for none."""
        return "" if self.strangers is None else self.none_label


def shown(text: object) -> str:
    """`text` on one line of a terminal, whatever a file is called.

    Escapes control characters, line breaks, direction marks and halves of surrogate pairs.
    """
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in str(text))


def composed(label: str) -> str:
    """`label` in Unicode's form C: file systems differ in how they compose "é"; labels must not."""
    return unicodedata.normalize("NFC", label)


def natural_key(text: str) -> tuple[tuple[str, int, str], ...]:
    """Sort key under which "img_2" comes before "img_10"; different texts never compare equal."""
    pieces: Iterable[tuple[str, str]] = re.findall(r"([^0-9]*)([0-9]*)", text)
    numbers = tuple(
        (words, len(digits.lstrip("0")), digits.lstrip("0")) for words, digits in pieces
    )
    return (*numbers, (text, 0, ""))


def named(names: Iterable[str], most: int = 5) -> str:
    """``a, b, c and 7 more``, in natural order, for messages."""
    return some_of(sorted(set(names), key=natural_key), most)


def by_kind(problems: Iterable[str]) -> list[str]:
    """Problems with those of one kind in one line: examples, a count and the remedy, once.

    Args:
        problems: Each ``PLACE: what is wrong``. Two are of one kind where they differ in place,
            numbers and quoted names alone.

    Returns:
        In the order of the first of each kind; up to three of a kind stay as they are.
    """
    kinds: dict[str, list[tuple[str, str]]] = {}
    for problem in problems:
        place, _, text = problem.partition(": ")
        kinds.setdefault(_VALUES.sub("", text.replace(place, "")), []).append((place, text))
    return [line for same in kinds.values() for line in _of_a_kind(same)]


def unsendable(cases: Iterable[Case]) -> list[str]:
    """What is wrong with images that cannot be sent, by kind; after a few, how many more kinds."""
    kinds = by_kind(f"{case.id}: {case.problem}" for case in cases if case.problem is not None)
    more = len(kinds) - _KINDS
    told = [f"and {more} more {noun(more, 'kind')} of problem with images"] if more > 0 else []
    return kinds[:_KINDS] + told


def _of_a_kind(same: list[tuple[str, str]]) -> list[str]:
    places = [place for place, _ in same]
    if len(same) <= _EXAMPLES or not all(text for _, text in same):
        return [f"{place}: {text}" if text else place for place, text in same]
    if len({text for _, text in same}) == 1:
        return [f"{some_of(places, _EXAMPLES)}: {same[0][1]}"]
    like = some_of(places[1:], _EXAMPLES)
    return [f"{places[0]}: {same[0][1]}; {len(same) - 1:,} more like it: {like}"]
