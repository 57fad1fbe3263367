"""Datasets: named sets of labelled images, found, checked and sampled.

dataset_sources   where images and labels come from (folders, file names, manifests)
dataset_check     what is wrong with them
dataset           the checked value, and what is done with it
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmclf.data.decisions import read_decisions
from pytest_llmclf.data.entry import ADD_CLASS, SourceOptions, by_kind, natural_key, shown
from pytest_llmclf.data.given import Given
from pytest_llmclf.data.label_cells import with_several
from pytest_llmclf.data.listed_images import agreed_labels, label_order, listed_images
from pytest_llmclf.data.manifest import manifest_entries
from pytest_llmclf.data.mending import mend
from pytest_llmclf.data.sources import (
    Description,
    read_source,
    table_of,
)
from pytest_llmclf.data.validation import (
    label_problems,
    nothing_to_see,
    twins,
)
from pytest_llmclf.errors import DatasetError, nearest, some_of
from pytest_llmclf.files import HOME_FOLDER
from pytest_llmclf.values.seeded import seeded_sample
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_llmclf.data.entry import Entry
    from pytest_llmclf.data.image import ImageLimits
    from pytest_llmclf.data.validation import CheckedImage
    from pytest_llmclf.values.case import Case
    from pytest_llmclf.values.reviewed import DatasetReview

LISTED_PROBLEMS = 20
"""Problems that the message of one `DatasetError` lists; the rest is counted."""

_UNSOUND = 5
"""Kinds of images that cannot be sent, which it lists beside them."""

DATA_VARIABLE = "LLMCLF_DATA"
"""Environment variable: the folder of imported datasets instead of ``.llmclf/datasets``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A named set of cases.

    Attributes:
        name: What people call it.
        root: Folder that the ids of the cases count from.
        labels: In the order in which matrices and prompts show them.
        cases: In natural order of their ids; unsound images among them, with `Case.problem`.
            What people decided about their labels is applied.
        licence: Licence note; empty where none is given.
        about: What it is, for people.
        imported: Whether it is a full set imported by the user (else a fixture).
        warnings: What is odd about it and does not stop an evaluation.
        review: What people decided about its labels; ``None``: nothing.
    """

    name: str
    root: Path
    labels: tuple[str, ...]
    cases: tuple[Case, ...]
    licence: str = ""
    about: str = ""
    imported: bool = False
    warnings: tuple[str, ...] = ()
    review: DatasetReview | None = None

    def __repr__(self) -> str:
        """Short, however many cases there are."""
        cases, labels = len(self.cases), len(self.labels)
        counts = f"{cases} {noun(cases, 'case')}, {labels} {noun(labels, 'label')}"
        return f"Dataset({self.name!r}, {counts})"

    @property
    def tags(self) -> dict[str, frozenset[str]]:
        """Every tag with the values that its cases have."""
        found: dict[str, set[str]] = {}
        for case in self.cases:
            for tag, value in case.tags.items():
                found.setdefault(tag, set()).add(value)
        return {tag: frozenset(values) for tag, values in found.items()}

    def content_hash(self) -> str:
        """Hex sha256 over the labels in order and each case's id, content, labels and tags.

        Left out: name, place, licence and prose, which change no result.
        """
        # One JSON object, {"labels": [...], "cases": [...]}, which is never held as a whole.
        found = hashlib.sha256(f'{{"labels":{_canonical(self.labels)},"cases":['.encode())
        for place, case in enumerate(sorted(self.cases, key=lambda case: case.id)):
            facts = (case.id, case.sha256, case.label, sorted(case.tags.items()), *case.also)
            found.update(f"{',' if place else ''}{_canonical(facts)}".encode())
        found.update(b"]}")
        return found.hexdigest()


def load(
    source: Path | Given,
    *,
    name: str | None = None,
    labels: Sequence[str] | None = None,
    limits: ImageLimits | None = None,
    verify_images: bool = True,
    options: SourceOptions | None = None,
    decisions: Sequence[Path] = (),
) -> Dataset:
    """Read a dataset and check all of it.

    Args:
        source: A folder with ``manifest.csv``, ``manifest.jsonl``, ``metadata.csv`` or
            ``metadata.jsonl``, with a folder a class, or with the labels in the file names; or
            such a manifest itself. ``dataset.toml`` beside the images is read too. Or images
            that a function gave.
        name: Else that of ``dataset.toml``, else the folder's.
        labels: In order; ``dataset.toml`` goes first, and without both the labels found are
            sorted naturally.
        limits: What is decoded at all.
        verify_images: Whether to decode the images, which is most of the time; processes
            that only run what another one checked need not.
        options: What is meant where it could be several things; goes before ``dataset.toml``.
        decisions: Files of what people decided about its labels; see `decision_files`.

    Raises:
        DatasetError: Lists every problem found, each with its place and remedy; or `labels` is
            one text.
    """
    _require_list(labels)
    options = options or SourceOptions()
    found = listed_images(source, name, labels, limits, options, verify=verify_images)
    elsewhere = found.root if found.split else None
    target = [] if isinstance(source, Given) else [str(source)]
    target += ["--split", options.split] if target and options.split else []
    images, review, stale = mend(
        found.images, read_decisions(decisions), found.labels, elsewhere, target
    )
    conflicts, doubles = twins(images)
    problems = [*found.problems, *stale, *conflicts]
    if problems:
        raise DatasetError(_message(found.name, source, problems, images))
    marked = (_marked(image.case, options.none_label) for image in images)
    cases = tuple(sorted(marked, key=lambda case: natural_key(case.id)))
    warnings = [*found.warnings, *doubles, *nothing_to_see(images), *_unused(found.labels, cases)]
    return Dataset(
        name=f"{found.name} ({found.split})" if found.split else found.name,
        root=found.root,
        labels=found.labels,
        cases=cases,
        licence=found.description.licence,
        about=found.description.about,
        imported=found.description.imported,
        warnings=tuple(map(shown, warnings)),
        review=review,
    )


def _require_list(labels: object) -> None:
    if isinstance(labels, str):
        msg = f'labels is {labels!r}, a single text: write ["{shown(labels)}", ...]'
        raise DatasetError(msg)


def _marked(case: Case, none_label: str) -> Case:
    """The case, told apart where it is of no class."""
    return replace(case, stranger=True) if case.labels == (none_label,) else case


def labels_of(
    part: Path, description: Description, given: Sequence[str] | None, options: SourceOptions
) -> tuple[str, ...]:
    """The labels that `load` would find, without opening an image or holding a table.

    Args:
        part: What is read of the dataset; see `describe`.
        description: What ``dataset.toml`` says.
        given: Those of the evaluation, if any.
        options: As `settled` has them.

    Raises:
        DatasetError: They cannot be the labels of a dataset, or there is none.
    """
    names, problems = agreed_labels(description, given, options)
    add_label = ADD_CLASS
    if not names:
        # One entry a label, whatever the length of the table.
        firsts: dict[str, Entry] = {}
        table = table_of(part, options) if part.exists() else None
        # What is wrong with single lines is said of each of them; without a label nothing goes on.
        wrong: list[str] = []
        if table is not None:
            for entry in manifest_entries(table, wrong, options):
                firsts.setdefault(entry.label, entry)
            entries = with_several(firsts.values())
        else:
            found = read_source(part, options)[1]
            wrong, entries, add_label = found.problems, found.entries, found.add_label
        names = label_order(entries, options)
        problems += () if names else wrong
    problems += label_problems(names, options, add_label)
    if problems:
        raise DatasetError(shown(f"{part}: {'; '.join(problems)}"))
    return names


def _unused(labels: Sequence[str], cases: Sequence[Case]) -> Iterator[str]:
    used = {label for case in cases for label in case.labels}
    for label in labels:
        if label not in used:
            yield f"no image of {label!r}: its recall is not measured"


def sample(dataset: Dataset, per_class: int, seed: int) -> Dataset:
    """Choose `per_class` images of each label, or all where there are fewer.

    Which ones depends on the seed and their ids alone: adding a class or an image of another
    class changes nothing, and a larger sample contains the smaller one.

    Raises:
        DatasetError: `per_class` is less than one.
    """
    if per_class < 1:
        msg = f"a sample of {per_class} images a class judges nothing: ask for at least 1"
        raise DatasetError(msg)
    by_label: dict[str, list[str]] = {}
    for case in dataset.cases:
        by_label.setdefault(case.label, []).append(case.id)
    chosen = {id_ for ids in by_label.values() for id_ in seeded_sample(ids, per_class, seed)}
    return replace(dataset, cases=tuple(case for case in dataset.cases if case.id in chosen))


def shelf_of(root: Path, environ: Mapping[str, str]) -> Path:
    """The folder of imported datasets.

    Args:
        root: Of the project.
        environ: Environment variables.
    """
    given = environ.get(DATA_VARIABLE, "")
    return root / Path(given).expanduser() if given else root / HOME_FOLDER / "datasets"


def locate(name_or_path: str, root: Path, environ: Mapping[str, str] | None = None) -> Path:
    """Find the folder or manifest of a dataset.

    A bare name is an imported set if there is one (``$LLMCLF_DATA/NAME``, or
    ``.llmclf/datasets/NAME`` below `root`), else ``fixtures/NAME``, else a path; anything with a
    slash is a path relative to `root`.

    Raises:
        DatasetError: There is none; lists those that there are.
    """
    shelves = (shelf_of(root, os.environ if environ is None else environ), root / "fixtures")
    places = [root / Path(name_or_path).expanduser()] if name_or_path else []
    if name_or_path and not any(sign in name_or_path for sign in ("/", "\\")):
        places = [dataset_directory / name_or_path for dataset_directory in shelves] + places
    for place in places:
        # Not `Path.exists`, which raises for a name that is too long for the file system.
        if os.path.exists(place):  # noqa: PTH110
            return place
    known = sorted({name for dataset_directory in shelves for name in _folders(dataset_directory)})
    looked = ", ".join(map(str, places or shelves))
    there = f"; there are: {some_of(known)}): name one of them, or give" if known else "): give"
    msg = (
        f"there is no dataset {name_or_path!r}{nearest(name_or_path, known)} "
        f"(looked at {looked}{there} the path of a folder or manifest that is there"
    )
    raise DatasetError(shown(msg))


def _canonical(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _folders(dataset_directory: Path) -> list[str]:
    try:
        found = [item.name for item in dataset_directory.iterdir() if item.is_dir()]
    except OSError:
        return []
    # What an interrupted import left behind begins with a dot.
    return [name for name in found if not name.startswith(".")]


def _message(
    name: str, source: Path | Given, problems: Sequence[str], images: Sequence[CheckedImage]
) -> str:
    count = f"{len(problems)} {noun(len(problems), 'problem')}"
    lines = [f"dataset {name!r} ({shown(source)}) cannot be judged, {count}:"]
    lines += _kinds(problems, LISTED_PROBLEMS)
    unsound = [f"{one.case.id}: {one.case.problem}" for one in images if one.case.problem]
    if unsound:
        # They stop nothing by themselves; who mends the rest wants to know of them, too.
        lines.append(f"  besides, {len(unsound)} {noun(len(unsound), 'image')} cannot be sent:")
        lines += _kinds(unsound, _UNSOUND)
    return "\n".join(lines)


def _kinds(problems: Sequence[str], most: int) -> list[str]:
    kinds = by_kind(problems)
    more = [f"  and {len(kinds) - most} more"] if len(kinds) > most else []
    return [*(f"  {shown(problem)}" for problem in kinds[:most]), *more]
