"""Images in the cells of a table: Parquet files, and what the package ``datasets`` saved to disk.

Read with pyarrow alone, batch by batch; nothing of the table is run. The images wait in one
temporary file, so that any of them can be taken.
"""

from __future__ import annotations

import importlib
import io
import json
import tempfile
from contextlib import contextmanager
from itertools import chain
from typing import IO, TYPE_CHECKING, Any, Final

from pytest_llmclf.data.archives.archive import Archive
from pytest_llmclf.data.archives.layouts import Classes, Layout
from pytest_llmclf.data.archives.member import ArchiveLimits, ArchiveMember, Contents, LeftOut
from pytest_llmclf.data.entry import composed, named, natural_key, shown
from pytest_llmclf.data.folders import split_kind
from pytest_llmclf.data.manifest_columns import columns_of
from pytest_llmclf.errors import DatasetError, need_extra

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

KIND: Final = "parquet"
_BATCH: Final = 64
_LICENCE: Final = "not stated here: imported by its user; for your own use, not to be passed on"


def table_layout(name: str, source: Path, labels: tuple[str, ...]) -> Layout:
    """How an imported table is called."""
    return Layout(
        kind=KIND,
        dataset=name,
        title=source.name,
        folders={},
        parents=(),
        per_class=None,
        labels=labels,
        licence=_LICENCE,
    )


@contextmanager
def opened_table(
    place: Path, *, split: str = "", label_column: str = "", scratch: Path | None = None
) -> Iterator[tuple[Archive, Classes]]:
    """Open a table, its images by label.

    Args:
        place: A ``.parquet`` or ``.arrow`` file, a folder of them, or one that
            ``datasets.Dataset.save_to_disk`` wrote.
        split: The part that is read; empty: the only one.
        label_column: Column of the label; empty: the one with a usual name.
        scratch: Folder for the temporary file; default: the system's.

    Raises:
        DatasetError: There is no table, or images and labels are not found.
        ExtraMissing: pyarrow is not installed.
    """
    files = _files(place, split)
    arrow = _pyarrow()
    with tempfile.TemporaryFile(dir=scratch) as spool:
        members, left_out, order = _spooled(arrow, files, label_column, spool)
        if not members:
            raise DatasetError(shown(f"{place} has no row with an image and a label"))
        labels = [label for label in order if label in members]
        labels += sorted(set(members) - set(labels), key=natural_key)

        def opening(member: ArchiveMember) -> IO[bytes]:
            spool.seek(member.key)
            return io.BytesIO(spool.read(member.size))

        classes = {label: tuple(members[label]) for label in labels}
        every = tuple(chain.from_iterable(classes.values()))
        contents = Contents(members=every, left_out=tuple(left_out), open=opening)
        yield (
            Archive(place, contents, ArchiveLimits(entries=10_000_000)),
            Classes(members=classes, root="", elsewhere=0),
        )


def _spooled(
    arrow: Any, files: Sequence[Path], label_column: str, spool: IO[bytes]
) -> tuple[dict[str, list[ArchiveMember]], list[LeftOut], list[str]]:
    """Put the images one behind the other: those of each label, others, and the labels' order."""
    members: dict[str, list[ArchiveMember]] = {}
    left_out: list[LeftOut] = []
    order: list[str] = []
    number = 0
    for file in files:
        try:
            for label, data, names in _rows(arrow, file, label_column):
                number += 1
                order = order or names
                if label is None or not data:
                    what = "no label" if label is None else "no bytes of an image"
                    left_out.append(LeftOut(f"row {number}", f"has {what}"))
                    continue
                name = f"{shown(label).replace('/', '_')}/{number}"
                member = ArchiveMember(name, len(data), spool.tell())
                members.setdefault(label, []).append(member)
                spool.write(data)
        except (OSError, ValueError, arrow.ArrowException) as error:
            raise DatasetError(shown(f"{file} is no whole table ({error})")) from error
    return members, left_out, order


def _pyarrow() -> Any:
    need_extra("pyarrow", "parquet", "a table")
    return importlib.import_module("pyarrow")


def _files(place: Path, split: str) -> list[Path]:
    """The files of one part of a table."""
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise DatasetError(shown(f"there is no table {place}: name a .parquet file or a folder"))
    found = sorted(
        (file for end in ("parquet", "arrow") for file in place.rglob(f"*.{end}")),
        key=lambda file: natural_key(file.as_posix()),
    )
    found = [file for file in found if not file.name.startswith(("cache-", "."))]
    parts: dict[str, list[Path]] = {}
    for file in found:
        parts.setdefault(_part(file.relative_to(place)), []).append(file)
    if not parts:
        raise DatasetError(shown(f"{place} has no .parquet and no .arrow file: name another one"))
    if not split and len(parts) == 1:
        return found
    kind = split_kind(split)
    fits = [part for part in parts if part == split] or [
        part for part in parts if kind is not None and split_kind(part) == kind
    ]
    if len(fits) != 1:
        what = f"no part {split!r}" if split else "several parts"
        there = named(part or "(files without one)" for part in parts)
        msg = f"{place} has {what}; say --split with one of {there}"
        raise DatasetError(shown(msg))
    return parts[fits[0]]


def _part(file: Path) -> str:
    """The part of a split that a file belongs to: ``test-00000-of-00001.parquet``, ``test/``."""
    words = (file.stem.partition("-")[0], *reversed(file.parts[:-1]))
    return next((word for word in words if split_kind(word)), "")


def _rows(
    arrow: Any, file: Path, label_column: str
) -> Iterator[tuple[str | None, bytes | None, list[str]]]:
    """Label and bytes of each row, and the names of the labels in order, if the table has them."""
    schema, batches = _opened(arrow, file)
    features = _features(schema)
    image = _image_column(arrow, schema, features, file)
    columns = columns_of([name for name in schema.names if name != image], label_column)
    if not columns.label:
        there = named(schema.names, 30)
        # A second image column is no wrong path here.
        why = columns.problem if "label" in columns.problem else "no column of labels"
        raise DatasetError(shown(f"{file}: {why} (columns: {there}); say --label-column"))
    if arrow.types.is_list(schema.field(columns.label).type):
        msg = f"{file}: {columns.label!r} has a list of labels a row; an image has one label here"
        raise DatasetError(shown(msg))
    names = features.get(columns.label, {}).get("names") or []
    names = [composed(str(name)) for name in names] if isinstance(names, list) else []
    for batch in batches([image, columns.label]):
        cells = zip(
            batch.column(image).to_pylist(), batch.column(columns.label).to_pylist(), strict=True
        )
        for cell, label in cells:
            data = cell.get("bytes") if isinstance(cell, dict) else cell
            yield _label(label, names), data, names


def _label(value: object, names: Sequence[str]) -> str | None:
    """The name of a label; ``None`` for none, which ``datasets`` writes as -1."""
    if value is None or (names and value == -1):
        return None
    if names and isinstance(value, int):
        return names[value] if value < len(names) else str(value)
    text = composed(str(value).strip())
    return text.removesuffix(".0") if isinstance(value, float) else text or None


def _opened(arrow: Any, file: Path) -> tuple[Any, Any]:
    """The schema of a file, and a function from columns to its batches."""
    if file.suffix.casefold() == ".arrow":
        source = arrow.memory_map(str(file))
        try:
            reader = arrow.ipc.open_stream(source)
        except arrow.ArrowInvalid:
            whole = arrow.ipc.open_file(source)
            batches = (whole.get_batch(at) for at in range(whole.num_record_batches))
            return whole.schema, lambda _: batches
        return reader.schema, lambda _: iter(reader)
    parquet = importlib.import_module("pyarrow.parquet").ParquetFile(file)
    return parquet.schema_arrow, lambda columns: parquet.iter_batches(_BATCH, columns=columns)


def _features(schema: Any) -> dict[str, Any]:
    """What ``datasets`` says of the columns; empty where another program wrote the table."""
    try:
        said = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        found = said["info"]["features"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    kept = {name: each for name, each in found.items() if isinstance(each, dict)}
    return kept if isinstance(found, dict) else {}


def _image_column(arrow: Any, schema: Any, features: dict[str, Any], file: Path) -> str:
    def holds_bytes(kind: Any) -> bool:
        if arrow.types.is_struct(kind):
            return any(holds_bytes(kind.field(at).type) for at in range(kind.num_fields))
        return bool(arrow.types.is_binary(kind) or arrow.types.is_large_binary(kind))

    said = [name for name in schema.names if features.get(name, {}).get("_type") == "Image"]
    found = said or [field.name for field in schema if holds_bytes(field.type)]
    if len(found) != 1:
        what = f"several columns of images, {named(found)}" if found else "no column with bytes"
        msg = f"{file} has {what} (columns: {named(schema.names, 30)}): leave one with the images"
        raise DatasetError(shown(msg))
    return str(found[0])
