"""The manifest, line by line, and the case that a line is."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from pytest_llmclf.data.entry import Entry, SourceOptions
from pytest_llmclf.data.label_cells import whole_number, with_several
from pytest_llmclf.data.listed_images import above_strangers, strangers_in
from pytest_llmclf.data.manifest import manifest_entries
from pytest_llmclf.data.sources import read_source
from pytest_llmclf.data.validation import entry_problems, open_images
from pytest_llmclf.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_llmclf.batch.batch_task import BatchTask
    from pytest_llmclf.values.case import Case


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a manifest; text only, so that it can travel in a table.

    Attributes:
        id: Path of the image, as written; empty where the line could not be read.
        label: As written.
        place: Where it stands, such as ``manifest.csv:7``.
        sha256: Digest that the manifest promises, or empty.
        problem: What is wrong with the line, or empty.
        stranger: Whether it is an image of no class from a folder of its own.
    """

    id: str = ""
    label: str = ""
    place: str = ""
    sha256: str = ""
    problem: str = ""
    stranger: bool = False


class RowProblem(Exception):
    """A row that no question can be made of."""


def read_rows(batch_task: BatchTask) -> Iterator[Row]:
    """The rows of a task in order, unreadable lines among them, and never all at once.

    A manifest of any length is read as it is wanted; the names in a folder are held in memory.
    A limit counts rows that are asked about, not those of images that are left out.
    """
    rows = _rows(batch_task.source, batch_task.options)
    if batch_task.limit is not None and batch_task.left_out:
        rows = (row for row in rows if not _left_out(batch_task, row))
    return islice(rows, batch_task.limit)


def _left_out(batch_task: BatchTask, row: Row) -> bool:
    """Whether a row is of an image that this part does not ask about."""
    try:
        return case_of(batch_task, row).sha256 in batch_task.left_out
    except RowProblem:  # it counts, and is told where it is asked about
        return False


def _rows(source: Path, options: SourceOptions) -> Iterator[Row]:
    problems: list[str] = []
    try:
        if source.is_file():
            entries = manifest_entries(source, problems, options)
        else:
            _, found = read_source(source, options)
            entries, problems = iter(found.entries), found.problems
        for entry in entries:
            yield from _taken(problems)
            yield Row(id=entry.id, label=entry.label, place=entry.place, sha256=entry.sha256 or "")
        for entry in strangers_in(options, problems):
            yield Row(id=entry.id, label=entry.label, place=entry.place, stranger=True)
    except DatasetError as error:  # such as a byte that is not UTF-8, somewhere in the middle
        problems.append(str(error))
    yield from _taken(problems)


def _taken(problems: list[str]) -> Iterator[Row]:
    while problems:
        yield Row(problem=problems.pop(0))


def case_of(batch_task: BatchTask, row: Row) -> Case:
    """The case that a row is; reads its file for the digest.

    Raises:
        RowProblem: What is wrong with the row or its file, with place and remedy.
    """
    if row.problem:
        raise RowProblem(row.problem)
    task, options = batch_task.task, batch_task.options
    labels = task.dataset.labels
    label = whole_number(row.label, labels)
    entry = Entry(id=row.id, label=label, place=row.place, sha256=row.sha256 or None)
    (entry,) = with_several([entry], labels)
    problems = list(entry_problems([entry], labels, "the evaluation", options))
    if not problems:
        root = above_strangers(options) if row.stranger else batch_task.root
        images, problems = open_images(root, [entry], task.limits, options.links, verify=False)
    if problems:
        raise RowProblem("; ".join(problems))
    return images[0].case
