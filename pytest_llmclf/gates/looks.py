"""How often a gate with confidence was looked at, on which images and with which answers.

A verdict with 95% confidence is for one look. Whoever adds images until a gate passes has as many
chances to pass wrongly as looks. So every look is noted in the project's folder, one JSON line
each. The very same answers judged again are the same look; other images, other answers to them, or
other labels are another one. Another model, other instructions, another evaluation or another gate
are another question, whose first look it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from pytest_llmclf.gates.noted_lines import add_lines, read_lines
from pytest_llmclf.values.verdict import Look

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_llmclf.metrics.report import Report

_FIELDS: Final = ("gate", "question", "data", "images", "word")
_WORDS: Final = ("PASS", "FAIL", "INCONCLUSIVE")
FILE: Final = "looks.jsonl"
"""Name of the file, in the folder of the answer store."""


def question_of(report: Report) -> str:
    """Digest of evaluation, data set, model and instructions; of a subset it is its own.

    Looking at a subset first costs nothing that the look at all images has: how many those are
    was settled before.
    """
    full = report.full_instructions
    told = [report.modelfile_digest, report.instructions] if full is None else [full.digest()]
    digests = {outcome.model_digest for outcome in report.outcomes if outcome.answer}
    subset = report.ledger.collected < report.dataset.cases_in_dataset
    return _digest(
        [
            report.evaluation,
            report.dataset.name,
            report.dataset.imported,
            subset,
            report.model,
            sorted(digests),
            told,
        ]
    )


def data_of(report: Report) -> str:
    """Digest of the images, their labels, and what each was answered as."""
    return _digest(
        [
            (one.case, one.sha256, one.expected, one.kind, one.predicted, *one.also)
            for one in report.outcomes
        ]
    )


def earlier_looks(found: Iterable[Look], report: Report) -> tuple[Look, ...]:
    """The looks at the report's question that came before the one that the report is."""
    found = tuple(found)
    if not found:
        return ()
    question, data = question_of(report), data_of(report)
    before: dict[str, list[Look]] = {}
    done: set[str] = set()
    for look in found:
        if look.question != question or look.gate in done:
            continue
        if look.data == data:
            done.add(look.gate)
            continue
        known = before.setdefault(look.gate, [])
        if all(look.data != other.data for other in known):
            known.append(look)
    return tuple(look for looks in before.values() for look in looks)


def read_looks(path: Path) -> tuple[Look, ...]:
    """All looks of a file, oldest first; none where there is no file, damaged lines left out."""
    return looks_in(read_lines(path))


def damaged_looks(path: Path) -> int:
    """How many lines of a file are no looks, so that earlier ones may be missing."""
    return sum(_look(entry) is None for entry in read_lines(path))


def looks_in(entries: object) -> tuple[Look, ...]:
    """The looks among what JSON told; whatever is none is left out."""
    if not isinstance(entries, Iterable):
        return ()
    return tuple(look for entry in entries if (look := _look(entry)) is not None)


def note_looks(path: Path, looks: Sequence[Look]) -> None:
    """Add the looks that the file does not have yet.

    Raises:
        OSError: It cannot be written.
    """
    known = {(look.gate, look.question, look.data) for look in read_looks(path)}
    new = (look for look in looks if (look.gate, look.question, look.data) not in known)
    add_lines(path, [asdict(look) for look in new])


def _look(entry: object) -> Look | None:
    if not isinstance(entry, Mapping) or not set(_FIELDS) <= set(entry):
        return None
    texts = all(isinstance(entry[name], str) for name in _FIELDS if name != "images")
    if not texts or not isinstance(entry["images"], int) or entry["word"] not in _WORDS:
        return None
    return Look(**{name: entry[name] for name in _FIELDS})


def _digest(parts: object) -> str:
    text = json.dumps(parts, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
