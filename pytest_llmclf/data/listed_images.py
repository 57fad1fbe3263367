"""The images that a source lists, with their labels and what is wrong; nothing is decided yet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmclf.data.entry import Entry, Found, SourceOptions, natural_key
from pytest_llmclf.data.folders import files_in
from pytest_llmclf.data.given import Given
from pytest_llmclf.data.image import ImageLimits
from pytest_llmclf.data.label_cells import whole_number, with_whole_numbers
from pytest_llmclf.data.sources import (
    DESCRIPTION,
    Description,
    part_of,
    read_description,
    read_source,
)
from pytest_llmclf.data.validation import (
    CheckedImage,
    entry_problems,
    label_problems,
    open_images,
    openable,
)
from pytest_llmclf.errors import some_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

_NO_IMAGE = (
    "no image found: put them into a folder a class (cat/1.png), name them by their label "
    "(cat_1.png), or list them in manifest.csv with the columns path and label"
)

_NONE_GIVEN = "no image was given: yield (path or bytes, label) of each"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedImages:
    """What a source lists.

    Attributes:
        name: What people call it.
        root: Folder that ids count from; images of no class have one of their own.
        split: The part of a split dataset that was asked for.
        labels: In order.
        images: Those that are files, as the source labels them.
        description: What ``dataset.toml`` says.
        problems: What is wrong, each with its place and remedy.
        warnings: What is odd and does not matter.
    """

    name: str
    root: Path
    split: str
    labels: tuple[str, ...]
    images: list[CheckedImage]
    description: Description
    problems: list[str]
    warnings: list[str]


def listed_images(
    source: Path | Given,
    name: str | None,
    labels: Sequence[str] | None,
    limits: ImageLimits | None,
    options: SourceOptions,
    *,
    verify: bool,
) -> ListedImages:
    """Read a source and open its files.

    Args:
        source: As for `dataset.load`, and so are the others.
        name: What to call it.
        labels: In order, if somebody lists them.
        limits: What is decoded at all.
        options: What is meant where it could be several things.
        verify: Whether to decode the images.

    Raises:
        DatasetError: There is nothing to read.
    """
    part: Path | Given = source
    description = Description()
    if not isinstance(source, Given):
        part, description = describe(source, options.split)
    split = options.split
    options = settled(options, description, located=part != source)
    listed, problems = agreed_labels(description, labels, options)
    root, found = read_source(part, options, listed)
    root = root.absolute()
    ordered = listed or label_order(found.entries, options)
    # Without a single label, what is wrong with images or manifest is the whole of it.
    problems += [
        *found.problems,
        *(label_problems(ordered, options, found.add_label) if ordered else ()),
    ]
    if not found.entries and not found.problems:
        problems.append(_NONE_GIVEN if isinstance(source, Given) else _NO_IMAGE)
    entries = _with_known_labels(found.entries, ordered)
    strangers = strangers_in(options, problems)
    listed_in = DESCRIPTION if description.labels or not labels else "the evaluation"
    problems += entry_problems([*entries, *strangers], ordered, listed_in, options)
    read = partial(open_images, limits=limits or ImageLimits(), links=options.links, verify=verify)
    images, wrong = read(root, openable(entries))
    others, wrong_too = read(above_strangers(options), openable(strangers))
    return ListedImages(
        name=name or description.name or _named_after(source, root),
        root=root,
        split=split,
        labels=ordered,
        images=[*images, *others],
        description=description,
        problems=[*problems, *wrong, *wrong_too],
        warnings=found.warnings,
    )


def strangers_in(options: SourceOptions, problems: list[str]) -> list[Entry]:
    """The images of no class that lie in a folder of their own; problems are added."""
    if options.strangers is None:
        return []
    folder, found = options.strangers.absolute(), Found()
    files = list(files_in(folder.parent, folder, found, options.links))
    problems += found.problems
    if not files and not found.problems:
        problems.append(f"{folder}: no image of no class in it: put some in, or drop strangers=")
    return [Entry(id=file, label=options.none_label, place=file) for file in files]


def above_strangers(options: SourceOptions) -> Path:
    """The folder that ids of images of no class count from: they begin with their folder's name."""
    return Path() if options.strangers is None else options.strangers.absolute().parent


def _named_after(source: Path | Given, root: Path) -> str:
    if isinstance(source, Given):
        return source.name
    return (source if source.is_dir() else root).resolve().name


def describe(source: Path, split: str) -> tuple[Path, Description]:
    """What is read of a source, and what ``dataset.toml`` says of it.

    Args:
        source: The folder or manifest.
        split: The part of a split dataset; its own ``dataset.toml`` goes before the whole's.

    Raises:
        DatasetError: There is no such part, or the description cannot be read.
    """
    part = part_of(source, split)
    folder = source.parent if source.is_file() else source
    if part.is_dir() and (part / DESCRIPTION).exists():
        folder = part
    return part, read_description(folder)


def settled(options: SourceOptions, description: Description, *, located: bool) -> SourceOptions:
    """The options, completed by what ``dataset.toml`` says.

    Args:
        options: As given.
        description: What is said there.
        located: Whether the part of a split is a folder that was found, so that all of it is read.
    """
    return replace(
        options,
        split="" if located else options.split,
        pattern=options.pattern or description.pattern,
        label_folder=options.label_folder or description.label_folder,
        label_column=options.label_column or description.label_column,
    )


def agreed_labels(
    description: Description, given: Sequence[str] | None, options: SourceOptions
) -> tuple[tuple[str, ...], list[str]]:
    """The labels in order, as far as somebody lists them, and what is wrong with that.

    Args:
        description: What ``dataset.toml`` says; its order goes first.
        given: Those of the evaluation, if any.
        options: Which label images of no class bear that come from a folder of their own.
    """
    problems = []
    besides = {options.besides} - {""}
    if description.labels and given and set(given) - besides != set(description.labels) - besides:
        problems.append(
            f"the labels given ({some_of(given)}) are not those of dataset.toml "
            f"({some_of(description.labels)}): give none, or the same ones"
        )
    return _with_besides(description.labels or tuple(given or ()), options), problems


def _with_besides(names: tuple[str, ...], options: SourceOptions) -> tuple[str, ...]:
    """Labels, if there are any, with that of images of no class, last unless it is among them."""
    if not names or not options.besides or options.besides in names:
        return names
    return (*names, options.besides)


def label_order(entries: Iterable[Entry], options: SourceOptions) -> tuple[str, ...]:
    """Labels in natural order, where no list says another one; ``1.0`` is ``1``."""
    found = {label for entry in entries for label in entry.labels}
    return _with_besides(tuple(sorted(with_whole_numbers(found), key=natural_key)), options)


def _with_known_labels(entries: Sequence[Entry], labels: Sequence[str]) -> list[Entry]:
    known = frozenset(labels)
    return [entry if known.issuperset(entry.labels) else _whole(entry, known) for entry in entries]


def _whole(entry: Entry, known: Collection[str]) -> Entry:
    first, *also = (whole_number(label, known) for label in entry.labels)
    return replace(entry, label=first, also=tuple(also))
