"""What is said about a dataset is safe to print, said once, and followed by a remedy."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.data.dataset import labels_of, load, locate
from pytest_llmclf.data.entry import SourceOptions, by_kind, shown
from pytest_llmclf.data.sources import Description
from pytest_llmclf.errors import DatasetError, SettingsError
from pytest_llmclf.gates.gate import Gate, check_gates
from pytest_llmclf.metrics.confusion import Confusion
from pytest_llmclf.models.llamacpp.embedded import labels_unknown
from pytest_llmclf.prompting.labels import LabelSet
from tests.unit.ended import ended
from tests.unit.test_dataset import image, pets, problems, put

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
def test_odd_image(tmp_path: Path, place: str) -> None:
    """The name of an image is shown escaped, in a class folder or beside it."""
    put(pets(tmp_path), {f"{place}/{ODD}.bmp": image(8)})
    assert f"{ESCAPED}.bmp" in said_about(tmp_path)


@odd_names
def test_odd_name_without_label(tmp_path: Path) -> None:
    """So is a flat name that the pattern does not fit."""
    put(tmp_path, {f"{ODD}.bmp": image(8), "x_1.bmp": image(9)})
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
    assert load(root).warnings == (f"{ESCAPED}/: no image in this folder; it is no label",)
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
    """Both lines of an image with two labels are named."""
    put(tmp_path, {"a.bmp": image(0), "b.bmp": image(0)})
    put(tmp_path, {"manifest.csv": "path,label\na.bmp,cat\nb.bmp,dog\n"})
    assert problems(tmp_path) == [
        (
            "manifest.csv:3: b.bmp (label 'dog') is the same image as "
            "a.bmp (label 'cat', manifest.csv:2): keep the right one"
        )
    ]


def test_labels_as_one_text(tmp_path: Path) -> None:
    """A text is a sequence of texts, too, but its letters are no labels."""
    with pytest.raises(DatasetError, match=r'labels is \'cat\', a single text: write \["cat", \.'):
        load(pets(tmp_path), labels="cat")


def test_problems_of_a_kind_are_one_line(tmp_path: Path) -> None:
    """A flat folder without labels in its names says so once, with examples, count and remedy."""
    put(tmp_path, {f"{place:04d}.bmp": image(place % 200) for place in range(300)})
    message = said_about(tmp_path)
    assert "300 problems" in message
    assert "0000.bmp, 0001.bmp, 0002.bmp and 297 more: no label in the file name" in message
    assert message.count("give another pattern") == 1
    assert len(message) < 1000


def test_kinds_stay_apart(tmp_path: Path) -> None:
    """Every kind of problem is listed, and up to three of a kind each with its place."""
    rows = [f"gone{place}.bmp,cat" for place in range(50)]
    put(tmp_path, {"x.csv": "\n".join(["path,label", *rows, "../a.bmp,cat", "../b.bmp,dog"])})
    message = said_about(tmp_path / "x.csv")
    assert "x.csv:2: there is no file" in message
    assert "49 more like it: x.csv:3, x.csv:4, x.csv:5 and 46 more" in message
    assert message.count("leaves the dataset's folder") == 2


def test_a_single_label_tells_where_it_came_from(tmp_path: Path) -> None:
    """What a camera calls its files is no label, and the usual remedy is told."""
    put(tmp_path, {f"IMG_{number}.png": image(number) for number in range(2)})
    folders = "put the images into one folder a class, such as cat/1.png"
    alone = "at least two labels, but this one has 'IMG': "
    said = f"{alone}labels were read from the file names, up to the first _: {folders}"
    assert said in said_about(tmp_path)
    options = SourceOptions(pattern="^(?P<label>[A-Z]+)")
    with pytest.raises(DatasetError, match=r"by the pattern '\^\(\?P<label>\[A-Z\]\+\)': put the"):
        load(tmp_path, options=options)
    with pytest.raises(DatasetError, match="file names, up to the first _: put the images"):
        labels_of(tmp_path, Description(), None, SourceOptions())
    put(tmp_path, {f"cat/IMG/{number}.png": image(number) for number in range(2)})
    for place in tmp_path.glob("IMG_*"):
        place.unlink()
    assert "this one has 'cat': add another class" in said_about(tmp_path)


def test_by_kind_counts_every_problem() -> None:
    """No problem is lost, whatever its text."""
    lines = by_kind([f"{place}.png: 0 bytes" for place in range(9)] + ["odd", "a: b", "odd"])
    assert lines == ["0.png, 1.png, 2.png and 6 more: 0 bytes", "odd", "odd", "a: b"]


def test_thousands_of_labels_are_not_listed(tmp_path: Path) -> None:
    """Messages about labels name twenty and a count, whatever is wrong."""
    many = [f"class {place}" for place in range(2000)]
    labels = LabelSet.of(many)
    put(tmp_path, {"m.csv": "path,label\na.bmp,other\nb.bmp,class 1\n", "a.bmp": image(1)})
    put(tmp_path, {"b.bmp": image(2), "toml/dataset.toml": f"labels = {json.dumps(many)}\n"})
    put(tmp_path, {f"toml/{name}/1.bmp": image(place) for place, name in enumerate(many[:3])})
    found: list[str] = []
    for source, given in ((tmp_path / "m.csv", many), (tmp_path / "toml", many[1:])):
        with pytest.raises(DatasetError) as caught:
            load(source, labels=given)
        found.append(str(caught.value))
    with pytest.raises(SettingsError) as refused:
        check_gates([Gate("recall[nothing] >= 0.5")], many)
    found.append(str(refused.value))
    with pytest.raises(ValueError, match="is none of the labels") as none:
        Confusion.from_outcomes(many, [ended("a", "correct", "nothing")])
    found += [str(none.value), str(labels_unknown(labels, labels.names, "ollama:llava"))]
    for message in found:
        assert "more" in message
        assert len(message) < 1000
        assert "class 25" not in message


def test_images_that_cannot_be_sent_are_told_beside_what_stops(tmp_path: Path) -> None:
    """In the same message: who mends a folder does it once."""
    put(
        pets(tmp_path),
        {
            "loose.bmp": image(7),
            "cat/empty.png": b"",
            "dog/text.png": b"no image",
            "cat/x.heic": b"?",
        },
    )
    message = said_about(tmp_path)
    first, second = message.split("besides, ")
    assert "loose.bmp" in first
    assert second.startswith("3 images cannot be sent:")
    assert all(name in second for name in ("cat/empty.png", "dog/text.png", "cat/x.heic"))
