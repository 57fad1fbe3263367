"""Labels as cells of a table hold them: several in one cell, and whole numbers with a fraction."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pytest_llmclf.data.entry import composed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from pytest_llmclf.data.entry import Entry

_SEVERAL: Final = 2
_NO_LABEL: Final = frozenset(
    ("", "NaN", "nan", "NAN", "NaT", "<NA>", "NA", "N/A", "None", "NULL", "null")
)
"""How spreadsheets and programs write that a cell has no value."""
_OPENING: Final = ("[", "(")
_CLOSING: Final = ("]", ")")


def is_no_label(cell: str, declared: Collection[str]) -> bool:
    """Whether a cell lacks its label: it is empty, or a word for that.

    Args:
        cell: As it stands there, without blanks at its ends.
        declared: Labels that the user listed, among which such a word is a label like others.
    """
    return cell in _NO_LABEL and cell not in declared


def several_labels(label: str, known: Collection[str]) -> tuple[str, ...]:
    """The labels that one cell names, where it names several; else empty.

    ``cat|dog`` and ``["cat", "dog"]`` always do. ``cat, dog`` and ``cat;dog`` do where each part
    is a label by itself, for a name may have a comma ("tench, Tinca tinca").

    Args:
        label: The cell.
        known: All labels; one that was declared as it stands is no list.
    """
    text = label.strip()
    listed = _json_list(text)
    if listed:
        return listed
    if (
        text[:1] in _OPENING
        and text[-1:] in _CLOSING
        and ("'" in text or '"' in text or "," in text)
    ):
        return _parts(text[1:-1].replace('"', "").replace("'", ""), ",")
    if "|" in text:
        parts = _parts(text, "|")
        return parts if len(parts) >= _SEVERAL else ()
    for sign in (",", ";"):
        parts = _parts(text, sign)
        if len(parts) >= _SEVERAL and all(part in known for part in parts):
            return parts
    return ()


def _parts(text: str, sign: str) -> tuple[str, ...]:
    return tuple(part for part in map(str.strip, text.split(sign)) if part)


def _json_list(text: str) -> tuple[str, ...]:
    """The texts of a JSON list; empty where it is none."""
    try:
        found = json.loads(text) if text.startswith("[") else None
    except (ValueError, RecursionError):
        return ()
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        return ()
    return tuple(filter(None, map(str.strip, found)))


def cell_text(value: object) -> str:
    """A cell as text; what is missing is empty."""
    if isinstance(value, str):
        return value.strip()
    if value is None or value != value:  # noqa: PLR0124 - what is missing is not itself
        return ""
    listed = label_list(value)
    if listed is not None:
        return listed
    return str(value).lower() if isinstance(value, bool) else str(value).strip()


def label_list(value: object) -> str | None:
    """A list of labels, as JSON has it, as a cell of a table; ``None`` where it is none."""
    if not isinstance(value, list) or not value:
        return None
    if not all(isinstance(each, str | int | float) for each in value):
        return None
    return json.dumps([str(each).strip() for each in value], ensure_ascii=False)


def with_several(entries: Iterable[Entry], declared: Collection[str] = ()) -> list[Entry]:
    """The entries with the labels of cells that name several, in their order, each once.

    Args:
        entries: Of a table.
        declared: Labels that the user listed; empty where the table alone says them.
    """
    plain = [_split(entry, several_labels(entry.label, ()), declared) for entry in entries]
    known = set(declared) or {label for entry in plain for label in entry.labels}
    return [
        entry if entry.also else _split(entry, several_labels(entry.label, known), declared)
        for entry in plain
    ]


def _split(entry: Entry, labels: tuple[str, ...], declared: Collection[str]) -> Entry:
    if not labels or entry.label in declared:
        return entry
    first, *also = dict.fromkeys(map(composed, labels))
    return replace(entry, label=first, also=tuple(also))


def whole_number(label: str, labels: Collection[str]) -> str:
    """``1`` for ``1.0`` where the labels have that and not the other; else the label itself.

    Tables with an empty cell come out of spreadsheets and data frames with such numbers.
    """
    whole, zeros = _number(label)
    return (
        whole
        if whole and not zeros.strip("0") and label not in labels and whole in labels
        else label
    )


def with_whole_numbers(labels: Iterable[str]) -> frozenset[str]:
    """The labels with ``1.0`` written as ``1``, unless some are fractions, as versions are."""
    found = frozenset(labels)
    numbers = {label: _number(label) for label in found}
    if any(fraction.strip("0") for _, fraction in numbers.values()):
        return found
    return frozenset(whole or label for label, (whole, _) in numbers.items())


def _number(label: str) -> tuple[str, str]:
    """What stands before and behind the point of a number; empty where it is no such number."""
    whole, point, fraction = label.partition(".")
    digits = whole.removeprefix("-").removeprefix("+") + fraction
    is_one = bool(point and whole and fraction) and digits.isascii() and digits.isdigit()
    return (whole, fraction) if is_one else ("", "")
