"""Exports of labelling tools in one JSON file: COCO, Label Studio, and plain lists of objects."""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

from pytest_llmclf.data.json_lines import read_json
from pytest_llmclf.data.label_cells import label_list
from pytest_llmclf.data.manifest_columns import Columns, columns_of

if TYPE_CHECKING:
    from collections.abc import Iterator

Row = tuple[str, dict[str, Any], Columns]
_UPLOADED: Final = re.compile(r"^/data/upload/\d+/")
_COLUMNS: Final = Columns("path", "label")


def export_rows(file: IO[str], name: str, problems: list[str], label_column: str) -> Iterator[Row]:
    """The images of an export: place, row, and which of its columns matter.

    Args:
        file: The open file.
        name: What messages call it.
        problems: Takes what is wrong with an image.
        label_column: Of a plain list: column of the label.
    """
    try:
        data = read_json(file.read())
    except (ValueError, RecursionError) as error:
        problems.append(f"{name}: not JSON ({error}): export it anew")
        return
    if isinstance(data, dict) and {"images", "annotations", "categories"} <= set(data):
        rows = _coco(data)
    elif isinstance(data, list) and any(isinstance(each, dict) and "data" in each for each in data):
        rows = _label_studio(data)
    elif isinstance(data, list):
        rows = _objects(data, label_column)
    else:
        problems.append(
            f"{name}: neither COCO (images, annotations, categories) nor a list of Label Studio's "
            f"tasks or of objects with path and label: export it as one of them"
        )
        return
    try:
        for place, row, columns in rows:
            if columns.problem:
                problems.append(f"{name}, {place}: {columns.problem}")
            elif isinstance(row.get(columns.label), list):
                problems.append(_several(name, place, row, columns))
            else:
                yield f"{name}, {place}", row, columns
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        problems.append(f"{name}: an entry is not as exports have it ({error!r}): export it anew")


def _several(name: str, place: str, row: dict[str, Any], columns: Columns) -> str:
    labels = [str(each) for each in row[columns.label]]
    path = row.get(columns.path)
    if not labels:
        return f"{name}, {place}: {path!r} has no label: annotate it, or leave the image out"
    return (
        f"{name}, {place}: {path!r} has several labels, {', '.join(labels[:5])}: keep "
        f"one, leave the image out, or list in a manifest those that are all right"
    )


def _one(labels: list[str]) -> str | list[str]:
    """The only label; all of them where they are several, or none."""
    different = list(dict.fromkeys(labels))
    return different[0] if len(different) == 1 else different


def _coco(data: dict[str, Any]) -> Iterator[Row]:
    """The category of an image's annotations; an image with objects of several has several."""
    names = {each["id"]: str(each["name"]) for each in data["categories"]}
    found: dict[Any, list[str]] = {}
    for each in data["annotations"]:
        found.setdefault(each["image_id"], []).append(names[each["category_id"]])
    for image in data["images"]:
        row = {"path": image["file_name"], "label": _one(found.get(image["id"], []))}
        yield f"image {image['id']}", row, _COLUMNS


def _label_studio(data: list[dict[str, Any]]) -> Iterator[Row]:
    """The choice of a task's annotations that were not skipped."""
    for number, task in enumerate(data, start=1):
        labels = [
            str(choice)
            for annotation in task.get("annotations") or task.get("completions") or ()
            if not annotation.get("was_cancelled")
            for result in annotation["result"]
            if result.get("type") == "choices"
            for choice in result["value"]["choices"]
        ]
        fields = {key: value for key, value in task["data"].items() if isinstance(value, str)}
        columns = columns_of(list(fields))
        path = fields.get(columns.path) or next(iter(fields.values()))
        row = {"path": _local(path), "label": _one(labels)}
        yield f"task {task.get('id', number)}", row, _COLUMNS


def _local(address: str) -> str:
    """The file of an image as Label Studio names it; what lies elsewhere stays an address."""
    parts = urlsplit(address)
    if parts.path.startswith("/data/local-files"):
        return parse_qs(parts.query).get("d", [address])[0]
    return _UPLOADED.sub("", address)


def _objects(data: list[Any], label_column: str) -> Iterator[Row]:
    for number, row in enumerate(data, start=1):
        columns = columns_of(list(row), label_column)
        cells = {key: _text(value) for key, value in row.items()}
        listed = label_list(row.get(columns.label))
        if listed is not None:
            cells[columns.label] = listed
        yield f"entry {number}", cells, columns


def _text(value: Any) -> Any:
    if isinstance(value, list):
        return value
    return "" if value is None else str(value).strip()
