"""Images that a function gives: what they become, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf import Evaluation
from pytest_llmclf.data.dataset import load
from pytest_llmclf.data.given import Given, kept_under, read_given
from pytest_llmclf.errors import DatasetError, SettingsError
from tests.plugin.colour_server import png

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def given(root: Path, *items: Any) -> Given:
    """What a function of these items gives in a project."""

    def photos() -> Iterable[Any]:
        yield from items

    return read_given(photos, root=root, kept=kept_under(root / ".llmclf", "my photos"))


def written(path: Path, shade: int = 0) -> Path:
    """An image on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png("red", shade))
    return path


def test_files_stay_where_they_are(tmp_path: Path) -> None:
    """Ids count from the project's folder if all are in it, else from what they share."""
    root = tmp_path / "project"
    written(root / "a" / "1.png", 1)
    second = written(root / "b" / "2.png", 2)
    found = load(given(root, ("a/1.png", "cat"), (second, 7, {"style": "photo", "odd": ""})))
    assert [case.id for case in found.cases] == ["a/1.png", "b/2.png"]
    assert found.cases[1].label == "7"
    assert found.cases[1].tags == {"style": "photo"}
    assert found.name == "photos"
    outside = written(tmp_path / "elsewhere" / "3.png", 3)
    found = load(given(root, ("a/1.png", "cat"), (outside, "dog")))
    assert [case.id for case in found.cases] == ["elsewhere/3.png", "project/a/1.png"]
    assert found.cases[0].path == outside


def test_bytes_are_kept_once(tmp_path: Path) -> None:
    """Under the digest of their content, whatever they are called or come as."""
    for _ in range(2):
        found = load(given(tmp_path, (png("red", 1), "cat"), (bytearray(png("red", 2)), "dog")))
        assert all(case.id.endswith(".png") for case in found.cases)
        assert {case.label for case in found.cases} == {"cat", "dog"}
    kept = tmp_path / ".llmclf" / "images" / "my-photos"
    assert len(list(kept.iterdir())) == 2
    assert found.cases[0].path.parent == kept


def test_what_is_no_image_is_a_case_that_says_so(tmp_path: Path) -> None:
    """As a damaged file in a folder is."""
    cases = load(given(tmp_path, (b"%PDF-1.4", "cat"), (png("red", 1), "dog"))).cases
    problems = {case.label: case.problem or "" for case in cases}
    assert "PDF" in problems["cat"]
    assert problems["dog"] == ""


@pytest.mark.parametrize(
    ("items", "why"),
    [
        ([("a.png",)], "photos, image 1: \"('a.png',)\" is not of the form (path or bytes, label)"),
        (["a.png"], "is not of the form"),
        ([(7, "cat")], "photos, image 1: int is neither a path nor bytes"),
        ([("a.png", None)], 'photos, image 1: "None" is no label'),
        ([("a.png", " ")], "is no label: give its name"),
        ([("a.png", "cat", ["x"])], "is not of the form"),
        ([("none.png", "cat")], "photos, image 1: there is no file"),
        ([], "no image was given"),
        ([("a.png", "cat"), ("a.png", "cat")], "photos, image 2: path 'a.png' was named before"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, items: list[Any], why: str) -> None:
    """All of it at once, as of a manifest."""
    written(tmp_path / "a.png")
    with pytest.raises(DatasetError) as caught:
        load(given(tmp_path, *items))
    assert why in str(caught.value)


def test_a_function_that_fails_says_so(tmp_path: Path) -> None:
    """With what it raised; files and bytes together have no folder."""

    def broken() -> Iterable[Any]:
        yield "a.png", "cat"
        raise OSError("no such archive")

    with pytest.raises(DatasetError, match="dataset broken raised OSError: no such archive"):
        read_given(broken, root=tmp_path, kept=tmp_path)
    with pytest.raises(DatasetError, match="photos gives files and bytes: give one kind of both"):
        given(tmp_path, ("a.png", "cat"), (b"x", "cat"))


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"dataset": iter([])}, "what is gone through once only is used up then"),
        ({"dataset": 7}, "give a name, a path, or a function that gives images"),
        ({"dataset": []}, "of this kind has no name: give it name="),
        ({"dataset": list, "split": "test"}, "split= is for folders and manifests"),
        ({"dataset": list, "pattern": "x"}, "pattern= is for folders and manifests"),
    ],
)
def test_an_evaluation_refuses_what_it_cannot_read_again(
    arguments: dict[str, Any], why: str
) -> None:
    """Where it is declared."""
    with pytest.raises(SettingsError, match=why):
        Evaluation(modelfile="m", prompt="?", **arguments)
    assert Evaluation(modelfile="m", prompt="?", dataset=[], name="x").title == "x"
    assert Evaluation(modelfile="m", prompt="?", dataset=list).title == "list"
