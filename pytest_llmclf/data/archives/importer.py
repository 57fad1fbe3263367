"""From an archive to a dataset on the shelf: chosen, checked, written in one step."""

from __future__ import annotations

import csv
import io
import json
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Required, TypedDict, Unpack

from pytest_llmclf.data import dataset as datasets
from pytest_llmclf.data.archives.archive import opened
from pytest_llmclf.data.archives.choosing import Choosing
from pytest_llmclf.data.archives.layouts import sort_out
from pytest_llmclf.data.archives.tables import opened_table, table_layout
from pytest_llmclf.data.entry import natural_key, shown
from pytest_llmclf.data.sources import DESCRIPTION
from pytest_llmclf.errors import DatasetError
from pytest_llmclf.progress import silent
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from pytest_llmclf.data.archives.archive import Archive
    from pytest_llmclf.data.archives.layouts import Classes, Layout
    from pytest_llmclf.data.archives.member import ArchiveLimits, LeftOut
    from pytest_llmclf.progress import Progress

LEFT_OUT: Final = "left-out.csv"
"""File beside the manifest that lists what was looked at and not imported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import came to.

    Attributes:
        folder: Where the dataset is.
        layout: What it is.
        counts: Images by label.
        left_out: What was looked at and not imported, with the reason.
        renamed: Images whose ending did not fit their content and was corrected.
        elsewhere: Files of the archive that lie in no folder of a class.
        short: Labels with fewer images than wanted.
    """

    folder: Path
    layout: Layout
    counts: Mapping[str, int]
    left_out: tuple[LeftOut, ...]
    renamed: int
    elsewhere: int
    short: tuple[str, ...]


class ImportTerms(TypedDict, total=False):
    """How images are chosen, and what happens to a dataset that is there; see `import_archive`."""

    seed: Required[int]
    per_class: Required[int | None]
    force: bool
    progress: Progress


def import_table(
    name: str,
    source: Path,
    dataset_directory: Path,
    *,
    split: str = "",
    label_column: str = "",
    **terms: Unpack[ImportTerms],
) -> Imported:
    """Import images that lie in a table: Parquet files, or what ``datasets`` saved to disk.

    Args:
        name: What evaluations call the dataset.
        source: A file, or a folder of them.
        dataset_directory: Folder of imported datasets.
        split: The part of a split table; empty: the only one.
        label_column: Column of the label; empty: the one with a usual name.
        **terms: As for `import_archive`.

    Raises:
        DatasetError: The table is not read, has no images or labels, or nothing can be written.
    """

    @contextmanager
    def opening(staging: Path) -> Iterator[tuple[Archive, Classes, Layout]]:
        with opened_table(source, split=split, label_column=label_column, scratch=staging) as (
            archive,
            classes,
        ):
            yield archive, classes, table_layout(name, source, tuple(classes.members))

    return _import(name, dataset_directory, opening, **terms)


def import_archive(
    layout: Layout,
    source: Path,
    dataset_directory: Path,
    *,
    limits: ArchiveLimits | None = None,
    **terms: Unpack[ImportTerms],
) -> Imported:
    """Import a data set; either all of it is on the shelf afterwards, or nothing has changed.

    Args:
        layout: Which one.
        source: The archive, or the folder that it was unpacked to.
        dataset_directory: Folder of imported datasets.
        limits: What is read of an archive at all.
        **terms: The ``seed``: which images are chosen depends on it and on their paths alone, so
            zip, tar and folder give the same ones. Sound images a class (``per_class``; ``None``:
            all). Whether a dataset of this name on the shelf is replaced (``force``). What is told
            how far it is (``progress``).

    Raises:
        DatasetError: The archive is not read, has not the layout, or nothing can be written.
    """

    @contextmanager
    def opening(staging: Path) -> Iterator[tuple[Archive, Classes, Layout]]:
        progress = terms.get("progress", silent)
        with opened(source, limits=limits, scratch=staging, progress=progress) as archive:
            yield archive, sort_out(archive, layout), layout

    return _import(layout.dataset, dataset_directory, opening, **terms)


def _import(
    name: str,
    dataset_directory: Path,
    opening: Callable[[Path], AbstractContextManager[tuple[Archive, Classes, Layout]]],
    *,
    seed: int,
    per_class: int | None,
    force: bool = False,
    progress: Progress = silent,
) -> Imported:
    """Choose, check and write what `opening` gives, beside the shelf until all is well."""
    target = dataset_directory / name
    if target.exists() and not force:
        raise DatasetError(shown(f"{target} is there already: say --force to replace it"))
    try:
        dataset_directory.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=dataset_directory))
    except OSError as error:
        raise _unwritable(dataset_directory, error) from error
    try:
        with opening(staging) as (archive, classes, layout):
            choosing = Choosing(archive, classes, staging, seed=seed, per_class=per_class)
            choosing.run(progress)
        made = _finish(layout, choosing, staging, target, seed)
        _put(staging, target)
    except OSError as error:
        raise _unwritable(dataset_directory, error) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return made


def _finish(layout: Layout, choosing: Choosing, staging: Path, target: Path, seed: int) -> Imported:
    """Write manifest and description, and see that the whole can be loaded."""
    empty = [label for label in layout.labels if not choosing.counts[label]]
    if empty:
        raise DatasetError(
            shown(
                f"{choosing.archive.place} has no sound image of {', '.join(empty)} "
                f"({len(choosing.left_out)} {noun(len(choosing.left_out), 'file')} cannot be used, "
                f"the first: {_first(choosing.left_out)}): get the archive anew"
            )
        )
    taken = sorted(choosing.taken.values(), key=lambda each: natural_key(each.id))
    rows = [
        {
            "path": each.id,
            "label": each.label,
            "sha256": each.sha256,
            "licence": layout.licence,
            "source": shown(f"{layout.title}: {each.source}"),
        }
        for each in taken
    ]
    _write_csv(staging / "manifest.csv", rows)
    if choosing.left_out:
        lines = [
            {"path": shown(each.name), "reason": shown(each.reason)} for each in choosing.left_out
        ]
        _write_csv(staging / LEFT_OUT, lines)
    chosen = "" if choosing.per_class is None else f", chosen with seed {seed}"
    images = f"{len(taken)} {noun(len(taken), 'image')}"
    about = f"{images} of {layout.title}, imported by its user{chosen}."
    text = _description(layout, about)
    (staging / DESCRIPTION).write_text(text, encoding="utf-8", newline="\n")
    # The sums and paths just written must be those of the files; the images were decoded before.
    datasets.load(staging, name=layout.dataset, verify_images=False)
    return Imported(
        folder=target,
        layout=layout,
        counts={label: choosing.counts[label] for label in layout.labels},
        left_out=tuple(choosing.left_out),
        renamed=sum(each.renamed for each in taken),
        elsewhere=choosing.classes.elsewhere,
        short=choosing.short,
    )


def _put(staging: Path, target: Path) -> None:
    """Let a finished dataset take its place; the one before it goes once it has."""
    # Not left as private as a temporary folder is made.
    staging.chmod(0o755)
    if not target.exists():
        staging.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=target.parent))
    target.rename(old / "before")
    try:
        staging.rename(target)
    except OSError:
        (old / "before").rename(target)
        raise
    finally:
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)


def _description(layout: Layout, about: str) -> str:
    # JSON's strings and lists of strings are TOML's, too.
    def written(value: object) -> str:
        return json.dumps(value, ensure_ascii=False)

    return (
        f"name = {written(layout.dataset)}\n"
        f"labels = {written(list(layout.labels))}\n"
        f"licence = {written(layout.licence)}\n"
        f"about = {written(about)}\n"
        f"imported = true\n"
    )


def _write_csv(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8", newline="")


def _first(left_out: Sequence[LeftOut]) -> str:
    return f"{left_out[0].name} {left_out[0].reason}" if left_out else "none"


def _unwritable(place: Path, error: OSError) -> DatasetError:
    return DatasetError(
        shown(
            f"{place} cannot be written ({error.strerror or error}): mend permissions, free disk "
            f"space, or choose another folder with --home; nothing was imported"
        )
    )
