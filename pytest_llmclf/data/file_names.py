"""Labels in the names of files, read by a regular expression."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pytest_llmclf.data.entry import Entry, Found, composed, named, shown
from pytest_llmclf.data.folders import files_in
from pytest_llmclf.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

DEFAULT_PATTERN: Final = r"^(?P<label>[^_]+)_"
"""Label in a file name: what stands before the first underscore, as in ``7_img_117.jpg``."""
LONGER_PATTERN: Final = r"^(?P<label>.+)_\d+\."
"""What is proposed instead where names look like ``american_bulldog_1.png``."""

# Words, then a number: what an identifier in hexadecimal digits or a date is not.
_NUMBERED: Final = re.compile(r"^([^_]+)_((?:[^\W\d_]+[_ -])*[^\W\d_]+)_\d+\.[^.]*$")
_TABLES: Final = (".csv", ".tsv", ".jsonl", ".json")
_SEVERAL: Final = 2


def read_names(root: Path, pattern: str | None, links: Sequence[Path] = ()) -> Found:
    """Read the label of each file below `root` from its name.

    Args:
        root: Folder that ids count from.
        pattern: Regular expression with a group ``label``; ``None``: `DEFAULT_PATTERN`.
        links: Folders that links to folders may lead into.

    Raises:
        DatasetError: The pattern is unusable.
    """
    found = Found()
    compiled = _compiled(pattern or DEFAULT_PATTERN)
    for file in files_in(root, root, found, links):
        match = compiled.search(file.rpartition("/")[2])
        if match is None or not match["label"]:
            found.problems.append(
                f"{file}: no label in the file name by the pattern {compiled.pattern!r}: rename "
                f"it, give another pattern, or put it into a folder named like its label"
            )
        else:
            found.entries.append(Entry(id=file, label=composed(match["label"]), place=file))
    how = "up to the first _" if pattern is None else f"by the pattern {pattern!r}"
    found.add_label = (
        f"labels were read from the file names, {how}: put the images into one folder a class, "
        "such as cat/1.png"
    )
    if pattern is None:
        found.warnings += _merged(found)
    tables = sorted(item.name for item in root.iterdir() if item.suffix.casefold() in _TABLES)
    if tables and pattern is None:
        found.warnings.append(
            f"labels were read from file names and {named(tables)} was not looked at: if the "
            f"labels stand there, give {shown(root / tables[0])} as the dataset"
        )
        if found.problems:
            found.problems.append(found.warnings[-1])
    return found


def _merged(found: Found) -> Iterator[str]:
    """Say where the default pattern may have cut a label of several words.

    ``american_bulldog_1`` and ``american_pit_bull_terrier_1`` are both ``american`` by it. That is
    no fault where other labels have the same words, as in ``cat_front_1`` and ``dog_front_1``.
    """
    owners: dict[str, set[str]] = {}
    examples: dict[str, dict[str, str]] = {}
    for entry in found.entries:
        match = _NUMBERED.match(entry.id.rpartition("/")[2])
        if match is not None:
            owners.setdefault(match[2], set()).add(entry.label)
            examples.setdefault(entry.label, {}).setdefault(match[2], entry.id)
    for label, by_words in examples.items():
        own = [words for words in by_words if len(owners[words]) == 1]
        if len(own) >= _SEVERAL and 2 * len(own) > len(by_words):
            one, other = by_words[own[0]], by_words[own[1]]
            yield (
                f"{one} and {other} both get the label {label!r}, which is what stands before the "
                f"first underscore: if the label ends before the number, say "
                f"pattern=r{LONGER_PATTERN!r} in the Evaluation".replace("\\\\", "\\")
            )


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as exc:
        msg = f"the pattern {pattern!r} is no regular expression: {exc}"
        raise DatasetError(shown(msg)) from exc
    if "label" not in compiled.groupindex:
        msg = f"the pattern {pattern!r} has no group named label: write it like {DEFAULT_PATTERN}"
        raise DatasetError(shown(msg))
    return compiled
