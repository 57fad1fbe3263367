"""Exports of labelling tools are read, and what has no one label is refused by name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf.data.dataset import load
from pytest_llmclf.data.entry import SourceOptions
from tests.unit.test_dataset import image, problems, put

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three images."""
    return put(tmp_path, {f"{name}.bmp": image(n) for n, name in enumerate(("a", "b", "sub/c"))})


def written(folder: Path, data: object) -> Path:
    """The data as a file beside the images."""
    return put(folder, {"export.json": json.dumps(data)}) / "export.json"


def labels(source: Path, **choices: Any) -> dict[str, str]:
    """Label by id."""
    dataset = load(source, options=SourceOptions(**choices))
    return {case.id: case.label for case in dataset.cases}


READ = {"a.bmp": "cat", "b.bmp": "dog", "sub/c.bmp": "cat"}


def coco() -> dict[str, Any]:
    """Two categories, an image each and one more."""
    return {
        "info": {},
        "images": [{"id": n, "file_name": name} for n, name in enumerate(READ)],
        "categories": [{"id": 7, "name": "cat"}, {"id": 9, "name": "dog"}],
        "annotations": [
            {"id": 1, "image_id": 0, "category_id": 7, "bbox": [0, 0, 1, 1]},
            {"id": 2, "image_id": 0, "category_id": 7, "bbox": [2, 0, 1, 1]},
            {"id": 3, "image_id": 1, "category_id": 9},
            {"id": 4, "image_id": 2, "category_id": 7},
        ],
    }


def task(number: int, image: str, *choices: str, cancelled: bool = False) -> dict[str, Any]:
    """A task as Label Studio exports it."""
    result = [{"type": "choices", "from_name": "class", "value": {"choices": list(choices)}}]
    annotations = [{"result": result, "was_cancelled": cancelled}]
    return {"id": number, "data": {"image": image}, "annotations": annotations}


class TestCoco:
    """COCO and what is like it."""

    def test_read(self, folder: Path) -> None:
        """Several objects of one category are one label."""
        assert labels(written(folder, coco())) == READ

    def test_several_and_none(self, folder: Path) -> None:
        """Both are said by file and image, and neither is dropped."""
        data = coco()
        data["annotations"] = [*data["annotations"][:3], {"image_id": 1, "category_id": 7}]
        assert problems(written(folder, data), labels=["cat", "dog"]) == [
            (
                "export.json, image 1: 'b.bmp' has several labels, dog, cat: keep one, leave the "
                "image out, or list in a manifest those that are all right"
            ),
            ("export.json, image 2: 'sub/c.bmp' has no label: annotate it, or leave the image out"),
        ]

    @pytest.mark.parametrize(
        "change",
        [{"images": [{"id": 1}]}, {"annotations": [{"image_id": 0, "category_id": 8}]},
         {"categories": [1]}, {"images": {"a": 1}}],
    )  # fmt: skip
    def test_broken(self, folder: Path, change: dict[str, Any]) -> None:
        """An export that is not one is a problem, not an exception."""
        assert any("export" in each for each in problems(written(folder, {**coco(), **change})))


class TestLabelStudio:
    """Tasks with choices."""

    def test_read(self, folder: Path) -> None:
        """From a local folder, an upload, or a path; skipped annotations do not count."""
        put(folder, {"1f2e-b.bmp": image(7)})
        tasks = [
            task(1, "/data/local-files/?d=a.bmp", "cat"),
            task(2, "/data/upload/3/1f2e-b.bmp", "dog"),
            task(3, "sub/c.bmp", "cat"),
        ]
        tasks[2]["annotations"] += task(3, "x", "dog", cancelled=True)["annotations"]
        read = labels(written(folder, tasks))
        assert read == {"a.bmp": "cat", "1f2e-b.bmp": "dog", "sub/c.bmp": "cat"}

    def test_annotators_who_differ(self, folder: Path) -> None:
        """Are several labels."""
        tasks = [task(1, "a.bmp", "cat"), task(2, "b.bmp", "dog"), task(3, "sub/c.bmp", "cat")]
        tasks[0]["annotations"] += task(1, "a.bmp", "dog")["annotations"]
        (problem,) = problems(written(folder, tasks))
        assert problem.startswith("export.json, task 1: 'a.bmp' has several labels, cat, dog")

    def test_elsewhere(self, folder: Path) -> None:
        """An address is said to be one, and no path leads out of the folder."""
        tasks = [task(1, "https://h.example/a.bmp", "cat"), task(2, "s3://bucket/b.bmp", "dog"),
                 task(3, "/data/local-files/?d=../../c.bmp", "cat")]  # fmt: skip
        said = problems(written(folder, tasks))
        assert sum("is an address: fetch the image" in each for each in said) == 2
        assert any("leaves the dataset's folder" in each for each in said)


def test_plain_lists(folder: Path) -> None:
    """A list of objects is read as JSON lines are."""
    rows = [{"image": name, "choice": label} for name, label in READ.items()]
    path = written(folder, rows)
    assert labels(path, label_column="choice") == READ
    assert "no label" in problems(path)[0]
    several = written(folder, [{"image": "a.bmp", "label": ["cat", "dog"]}])
    assert load(several).cases[0].labels == ("cat", "dog")
    assert "'a.bmp' has no label" in problems(written(folder, [{"image": "a.bmp", "label": []}]))[0]


@pytest.mark.parametrize("data", [{}, {"a": 1}, 7, "x", None, {"images": []}])
def test_other_json(folder: Path, data: object) -> None:
    """What is no export says what one is."""
    (problem,) = problems(written(folder, data))
    assert "neither COCO (images, annotations, categories) nor a list" in problem
