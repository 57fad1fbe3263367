"""Labels as cells of a table hold them: several in one cell, and whole numbers with a fraction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from pytest_llmclf.data.entry import Entry

_SEVERAL: Final = 2
_OPENING: Final = ("[", "(")
_CLOSING: Final = ("]", ")")


def several_labels(label: str, known: Collection[str]) -> tuple[str, ...]:
    """The labels that one cell names, where it names several; else empty.

    ``cat|dog`` and ``["cat", "dog"]`` always do. ``cat, dog`` and ``cat;dog`` do where each part
    is a label by itself, for a name may have a comma ("tench, Tinca tinca").

    Args:
        label: The cell.
        known: All labels; one that was declared as it stands is no list.
    """
    text = label.strip()
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


def several_label_problems(entries: Iterable[Entry], declared: Collection[str]) -> Iterator[str]:
    """One problem a cell that names several labels, with its first place.

    Args:
        entries: Of a table.
        declared: Labels that the user listed; empty where the table alone says them.
    """
    uses: dict[str, list[Entry]] = {}
    for entry in entries:
        uses.setdefault(entry.label, []).append(entry)
    known = set(declared) or set(uses)
    for label, using in uses.items():
        if label in declared:
            continue
        parts = several_labels(label, known)
        if parts:
            rest = len(using) - 1
            more = f", and {rest} more {noun(rest, 'line')}" if rest else ""
            yield (
                f"{using[0].place}: {using[0].id} has several labels, {label!r}{more}: an image "
                f"has one label here; keep one of {', '.join(parts)}, leave the image out, or "
                f"ask about each label in an evaluation of its own (yes or no)"
            )


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
