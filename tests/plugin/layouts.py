"""The images of a project laid out as people have them: splits, links, tables and exports.

Each layout has the same images with the same labels, so that each run of it must end alike.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DATASET: Final = 'dataset="colours"'


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One way in which images lie.

    Attributes:
        name: How test ids call it.
        lay: Moves the folders a class, which are all that is in the folder it gets.
        dataset: What the evaluation says instead of ``dataset="colours"``.
        args: What the command line of pytest needs, and that of ``llmclf predict``.
    """

    name: str
    lay: Callable[[Path], None]
    dataset: str = DATASET
    args: tuple[str, ...] = ()


def _images(folder: Path) -> list[tuple[str, str]]:
    """Path and label of every image."""
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    return [(path, path.split("/")[-2]) for path in paths]


def _split(folder: Path) -> None:
    whole = folder.with_name("whole")
    folder.rename(whole)
    folder.mkdir()
    (folder / "train" / "red").mkdir(parents=True)
    (folder / "train" / "red" / "seen.png").write_bytes((whole / "red" / "0.png").read_bytes())
    whole.rename(folder / "test")


def _groups(folder: Path) -> None:
    for place, label in enumerate(sorted(path.name for path in folder.iterdir())):
        above = folder / f"box {place % 2}"
        above.mkdir(exist_ok=True)
        (folder / label).rename(above / label)


def _links(folder: Path) -> None:
    disk = folder.parents[1] / "disk"
    disk.mkdir()
    for label in sorted(path.name for path in folder.iterdir()):
        (folder / label).rename(disk / label)
        (folder / label).symlink_to(disk / label, target_is_directory=True)


def _metadata(folder: Path, kind: str) -> None:
    rows = [{"file_name": path, "label": label} for path, label in _images(folder)]
    with (folder / f"metadata.{kind}").open("w", encoding="utf-8", newline="") as file:
        if kind == "jsonl":
            file.writelines(json.dumps(row) + "\n" for row in rows)
        else:
            writer = csv.DictWriter(file, ("file_name", "label"))
            writer.writeheader()
            writer.writerows(rows)


def _coco(folder: Path) -> None:
    images = _images(folder)
    names = sorted({label for _, label in images})
    data = {
        "images": [{"id": place, "file_name": path} for place, (path, _) in enumerate(images)],
        "categories": [{"id": place, "name": name} for place, name in enumerate(names)],
        "annotations": [
            {"id": place, "image_id": place, "category_id": names.index(label)}
            for place, (_, label) in enumerate(images)
        ],
    }
    (folder / "export.json").write_text(json.dumps(data), "utf-8")


def _label_studio(folder: Path) -> None:
    data = [
        {
            "id": place,
            "data": {"image": f"/data/local-files/?d={path}"},
            "annotations": [{"result": [{"type": "choices", "value": {"choices": [label]}}]}],
        }
        for place, (path, label) in enumerate(_images(folder))
    ]
    (folder / "export.json").write_text(json.dumps(data), "utf-8")


def _parquet(folder: Path) -> None:
    pa: Any = importlib.import_module("pyarrow")
    images = _images(folder)
    cells = [{"bytes": (folder / path).read_bytes(), "path": path} for path, _ in images]
    table = pa.table({"image": cells, "label": [label for _, label in images]})
    file = folder.parents[1] / "colours.parquet"
    importlib.import_module("pyarrow.parquet").write_table(table, file)
    assert main(["import", "parquet", str(file), "--name", "shades"]) == 0


_EXPORT: Final = 'dataset="fixtures/colours/export.json"'
LAYOUTS: Final = tuple(
    layout
    for layout, there in (
        (Layout(name="split", lay=_split, dataset=f'{DATASET}, split="test"'), True),
        (Layout(name="label_folder", lay=_groups, dataset=f'{DATASET}, label_folder="last"'), True),
        (
            Layout(name="links", lay=_links, args=("--llmclf-allow-links", "disk")),
            sys.platform != "win32",
        ),
        (Layout(name="metadata.csv", lay=partial(_metadata, kind="csv")), True),
        (Layout(name="metadata.jsonl", lay=partial(_metadata, kind="jsonl")), True),
        (Layout(name="coco", lay=_coco, dataset=_EXPORT), True),
        (Layout(name="label-studio", lay=_label_studio, dataset=_EXPORT), True),
        (
            Layout(name="parquet", lay=_parquet, dataset='dataset=".llmclf/datasets/shades"'),
            importlib.util.find_spec("pyarrow") is not None,
        ),
    )
    if there
)
"""Those that this machine can have."""
