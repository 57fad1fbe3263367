"""Answers that exist already, each with the label that was expected: a table, or a tool's log."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from pytest_llmclf.data.entry import Entry
from pytest_llmclf.data.foreign_logs import ForeignAnswer, ForeignLog, read_log
from pytest_llmclf.data.foreign_predictions import (
    IMAGE_NAMES,
    PREDICTED_NAMES,
    ROW_NUMBERS,
    TEXT_NAMES,
    ColumnNames,
    predictions_of,
    usual_column,
)
from pytest_llmclf.data.foreign_table import read_bytes, read_table
from pytest_llmclf.data.label_cells import (
    cell_text,
    is_no_label,
    whole_number,
    with_several,
    with_whole_numbers,
)
from pytest_llmclf.data.manifest_columns import EXPECTED_NAMES, usual_columns
from pytest_llmclf.errors import SettingsError, nearest, some_of
from pytest_llmclf.prompting.labels import NONE_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from pytest_llmclf.data.foreign_table import ForeignTable

_MODEL_NAMES: Final = ("model", "model_name", "provider")
_NO_LABELS: Final = 2
_PLACES: Final = 5
"""Rows that a message names."""
_OPTION: Final = "--{} "
"""How a column is named, for messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignAnswers:
    """A file of answers with what was expected.

    Attributes:
        path: The file.
        sha256: Hex digest of its bytes.
        tool: Which tool wrote it; empty for a table.
        labels: The labels that are expected, sorted.
        answers: What it says, in order.
        task: What was evaluated; empty where the file does not say.
        columns: Of a table.
        numbered: Whether images are called by their rows, since no column names them.
    """

    path: Path
    sha256: str
    tool: str
    labels: tuple[str, ...]
    answers: tuple[ForeignAnswer, ...]
    task: str = ""
    columns: tuple[str, ...] = ()
    numbered: bool = False


def read_answers(
    path: Path,
    columns: ColumnNames,
    expected: str = "",
    *,
    labels: Sequence[str] = (),
    none_label: str = NONE_LABEL,
    choose: Callable[[str, Sequence[str]], str] | None = None,
) -> ForeignAnswers:
    """Read a file of answers.

    Args:
        path: A table (CSV, TSV, JSON lines, Parquet), or a log of promptfoo, Inspect, lmms-eval.
        columns: Columns of a table by name, where they are not called as usual.
        expected: The column of the expected label; empty: one with a usual name.
        labels: All labels, where not each of them is expected of some image.
        none_label: The label of images of no class.
        choose: Asks which of several columns is meant; ``None``: nobody can be asked.

    Raises:
        SettingsError: It cannot be read, columns are missing, or no label is expected.
    """
    data = read_bytes(path)
    log = read_log(path, data)
    there: Sequence[str] = ()
    if log is None:
        table = read_table(path, data)
        there = table.columns
        column = _expected_column(path, there, expected, choose)
        columns = _other_columns(path, there, columns, column, choose)
        log = _of_table(table, columns, column, labels)
    else:
        log = _with_several_right(log, labels)
    if not log.answers:
        raise SettingsError(
            f"{path} is a log of {log.tool} without an answer: let its evaluation end, and write "
            "it anew"
        )
    _refuse_missing(path, log, {*labels, none_label})
    named = {label for one in log.answers for label in (one.expected, *one.also)}
    found = tuple(sorted({*labels, *named}))
    if len(found) < _NO_LABELS:
        raise SettingsError(
            f"{path} expects {some_of(found) or 'nothing'} of every image: a classifier has two "
            "labels or more; name all of them with --labels"
        )
    return ForeignAnswers(
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        tool=log.tool,
        labels=found,
        answers=log.answers,
        task=log.task,
        columns=tuple(there),
        numbered=columns.image == ROW_NUMBERS,
    )


def _refuse_missing(path: Path, log: ForeignLog, declared: Collection[str]) -> None:
    """Refuse images of which it is not said which label is expected.

    Raises:
        SettingsError: There are such images.
    """
    lacking = [one for one in log.answers if is_no_label(one.expected, declared)]
    if not lacking:
        return
    words = sorted({one.expected for one in lacking} - {""})
    remedy = (
        "give each test a variable label, or an assertion that compares"
        if log.tool
        else "fill in the column of the expected label, or remove the rows"
    )
    if words:
        remedy += f"; where {' or '.join(map(repr, words))} is a class, say --labels {words[0]}"
    raise SettingsError(
        f"{path}, {some_of([one.place for one in lacking], _PLACES)}: which label is expected is "
        f"not said: {remedy}"
    )


def _with_several_right(log: ForeignLog, labels: Sequence[str]) -> ForeignLog:
    """The answers of a log, with the labels of targets that name several."""
    right = with_several(
        [
            Entry(id="", label=one.expected.strip(), also=one.also, place=one.place)
            for one in log.answers
        ],
        (*labels, *log.labels),
    )
    return replace(
        log,
        answers=tuple(
            replace(one, expected=entry.label, also=entry.also)
            for one, entry in zip(log.answers, right, strict=True)
        ),
    )


def _of_table(
    table: ForeignTable, columns: ColumnNames, expected: str, labels: Sequence[str]
) -> ForeignLog:
    cells = [cell_text(row.get(expected)) for row in table.rows]
    different = list(dict.fromkeys(cells))
    listed = with_several([Entry(id="", label=cell, place="") for cell in different], labels)
    entries = dict(zip(different, listed, strict=True))
    named = {label for entry in entries.values() for label in entry.labels if label}
    every = tuple(sorted({*labels, *with_whole_numbers(named)}))
    whole = {
        cell: [whole_number(label, every) for label in entry.labels]
        for cell, entry in entries.items()
    }
    right = [whole[cell] for cell in cells]
    found = predictions_of(table, every, columns, option=_OPTION)
    model = next(iter(usual_columns(table.columns, _MODEL_NAMES)), "")
    models = [cell_text(row.get(model)) for row in table.rows] if model else []
    return ForeignLog(
        tool="",
        answers=tuple(
            ForeignAnswer(
                place=f"row {one.row}",
                case=one.image,
                expected=right[one.row - 1][0],
                also=tuple(right[one.row - 1][1:]),
                text=one.text,
                predicted=one.predicted,
                probabilities=one.probabilities,
                model=models[one.row - 1] if models else "",
            )
            for one in found.records
        ),
    )


def _expected_column(
    path: Path,
    there: Sequence[str],
    expected: str,
    choose: Callable[[str, Sequence[str]], str] | None,
) -> str:
    """The column of the expected label: as named, with a usual name, or as somebody says."""
    if expected:
        if expected not in there:
            raise SettingsError(
                f"{path} has no column {expected!r}, but {some_of(there)}{nearest(expected, there)}"
            )
        return expected
    usual = usual_columns(there, EXPECTED_NAMES)
    if len(usual) == 1:
        return usual[0]
    if choose is not None:
        return choose("the expected label", usual or there)
    why = f"could be any of {some_of(usual)}" if usual else f"is none of {some_of(there)} by name"
    raise SettingsError(
        f"{path}: the column of the expected label {why}: name it with --expected COLUMN"
    )


def _other_columns(
    path: Path,
    there: Sequence[str],
    wanted: ColumnNames,
    expected: str,
    choose: Callable[[str, Sequence[str]], str] | None,
) -> ColumnNames:
    """The columns of answers and images, as far as they are not found by usual names.

    Raises:
        SettingsError: Labels would be compared with themselves, or rows cannot be told apart.
    """
    image, predicted = wanted.image, wanted.predicted
    others = [name for name in there if name != expected]
    answered = wanted.text or usual_column(others, (*PREDICTED_NAMES, *TEXT_NAMES))
    if not predicted and not answered and choose is not None:
        predicted = choose("the prediction or answer", others)
    if expected in (predicted, wanted.text):
        raise SettingsError(
            f"{path}: column {expected!r} is named for what is expected and for what was "
            "predicted, so that every image would be right: name two columns"
        )
    if not image and not usual_column(there, IMAGE_NAMES):
        models = usual_columns(there, _MODEL_NAMES)
        known = {predicted, *usual_columns(others, (*PREDICTED_NAMES, *TEXT_NAMES)), *models}
        left = [name for name in others if name not in known]
        if left and choose is not None:
            image = choose("the image (none: rows are numbered)", [*left, ""])
        if not image and models:
            raise SettingsError(
                f"{path}: which images several models were asked about is not said: name the "
                f"column of the image with {_OPTION.format('image')}COLUMN"
            )
        image = image or ROW_NUMBERS
    return ColumnNames(image=image, predicted=predicted, text=wanted.text)
