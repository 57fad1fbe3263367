"""What is said about a dataset is safe to print, said once, and followed by a remedy."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.data.dataset import load, locate
from pytest_llmclf.data.entry import shown
from pytest_llmclf.errors import DatasetError
from tests.unit.test_dataset import pets, picture, problems, put

if TYPE_CHECKING:
    from pathlib import Path

ODD = "a\x1b[2J\n\u202eb"
ESCAPED = "a\\x1b[2J\\n\\u202eb"
odd_names = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such file names")


def said_about(source: Path) -> str:
    """The whole message, which keeps to its own line breaks."""
    with pytest.raises(DatasetError) as caught:
        load(source)
    message = str(caught.value)
    assert message.replace("\n  ", "").isprintable()
    return message


def test_shown() -> None:
    """What a terminal could obey is escaped, letters of any language are not."""
    assert shown(ODD) == ESCAPED
    assert shown("é 猫 \udcff\\") == "é 猫 \\udcff\\"


@odd_names
@pytest.mark.parametrize("place", ["cat", "."])
def test_odd_picture(tmp_path: Path, place: str) -> None:
    """The name of a picture is shown escaped, in a class folder or beside it."""
    put(pets(tmp_path), {f"{place}/{ODD}.bmp": picture(8)})
    assert f"{ESCAPED}.bmp" in said_about(tmp_path)


@odd_names
def test_odd_name_without_label(tmp_path: Path) -> None:
    """So is a flat name that the pattern does not fit."""
    put(tmp_path, {f"{ODD}.bmp": picture(8), "x_1.bmp": picture(9)})
    assert f"{ESCAPED}.bmp: no label in the file name" in said_about(tmp_path)


@odd_names
def test_odd_folder(tmp_path: Path) -> None:
    """The dataset's own folder may have such a name, whatever is wrong there."""
    root = tmp_path / ODD
    assert ESCAPED in said_about(root)
    put(root, {"x.csv": "path,label\nno.bmp,cat\n", "x.txt": "", "bad.csv": b"\xff"})
    for name in ("x.csv", "x.txt", "bad.csv"):
        assert ESCAPED in said_about(root / name)
    put(root, {"manifest.csv": "", "manifest.jsonl": ""})
    assert ESCAPED in said_about(root)
    for broken in ("name =", "lables = []"):
        put(root, {"dataset.toml": broken})
        assert ESCAPED in said_about(root)


@odd_names
def test_odd_folders_in_warnings_and_lists(tmp_path: Path) -> None:
    """Warnings and the list of known datasets are printed, too."""
    root = pets(tmp_path / "fixtures" / "pets")
    (root / ODD).mkdir()
    (tmp_path / "fixtures" / ODD).mkdir()
    assert load(root).warnings == (f"{ESCAPED}/: no picture in this folder; it is no label",)
    with pytest.raises(DatasetError) as caught:
        locate(f"./{ODD}", tmp_path, {})
    assert str(caught.value).isprintable()


def test_unknown_labels_of_a_manifest(tmp_path: Path) -> None:
    """One message for all lines of a label, with where to add it."""
    rows = "".join(f"dog/{name},dog\n" for name in ("1.bmp", "b/2.bmp"))
    put(pets(tmp_path), {"manifest.csv": f"path,label\n{rows}cat/1.bmp,dog\ncat/2.bmp,cow\n"})
    put(tmp_path, {"dataset.toml": 'labels = ["cat", "cow"]'})
    assert problems(tmp_path) == [
        (
            "manifest.csv:2: label 'dog' is not one of [cat, cow], and 2 more lines say so: "
            "add it to labels in dataset.toml, or mend the label"
        )
    ]


def test_twins_of_a_manifest(tmp_path: Path) -> None:
    """Both lines of a picture with two labels are named."""
    put(tmp_path, {"a.bmp": picture(0), "b.bmp": picture(0)})
    put(tmp_path, {"manifest.csv": "path,label\na.bmp,cat\nb.bmp,dog\n"})
    assert problems(tmp_path) == [
        (
            "manifest.csv:3: b.bmp (label 'dog') is the same picture as "
            "a.bmp (label 'cat', manifest.csv:2): keep the right one"
        )
    ]


def test_labels_as_one_text(tmp_path: Path) -> None:
    """A text is a sequence of texts, too, but its letters are no labels."""
    with pytest.raises(DatasetError, match=r'labels is \'cat\', a single text: write \["cat", \.'):
        load(pets(tmp_path), labels="cat")
