"""Tables as people have them: their columns, separators and labels are read, or refused by name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.data.dataset import load
from pytest_llmclf.data.entry import SourceOptions
from pytest_llmclf.data.label_cells import several_labels, whole_number, with_whole_numbers
from pytest_llmclf.data.manifest_columns import LABEL_NAMES, PATH_NAMES
from pytest_llmclf.errors import DatasetError
from tests.unit.test_dataset import image, problems, put

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three images without a label in their names."""
    return put(tmp_path, {f"{name}.bmp": image(n) for n, name in enumerate(("a", "b", "sub/c"))})


def labels(source: Path, **choices: object) -> dict[str, str]:
    """Label by id."""
    dataset = load(source, options=SourceOptions(**choices))  # type: ignore[arg-type]
    return {case.id: case.label for case in dataset.cases}


READ = {"a.bmp": "cat", "b.bmp": "dog", "sub/c.bmp": "cat"}


class TestImagefolder:
    """What Hugging Face calls so."""

    def test_csv(self, folder: Path) -> None:
        """``metadata.csv`` with ``file_name`` is the manifest, whatever the files are called."""
        text = "file_name,label,text\na.bmp,cat,x\nb.bmp,dog,y\nsub/c.bmp,cat,z\n"
        put(folder, {"metadata.csv": text})
        assert labels(folder) == READ
        assert load(folder).cases[0].tags == {"text": "x"}

    def test_jsonl(self, folder: Path) -> None:
        """So is ``metadata.jsonl``."""
        rows = [{"file_name": name, "label": label} for name, label in READ.items()]
        put(folder, {"metadata.jsonl": "\n".join(map(json.dumps, rows))})
        assert labels(folder) == READ

    def test_in_the_parts_of_a_split(self, tmp_path: Path) -> None:
        """Each part has its own; the root is refused with the path."""
        for number, part in enumerate(("train", "test")):
            files = {f"{part}/{n}.bmp": image(10 * number + n) for n in (1, 2)}
            table = "file_name,label\n1.bmp,cat\n2.bmp,dog\n"
            put(tmp_path, {**files, f"{part}/metadata.csv": table})
        assert f"give the part to judge, {tmp_path / 'test'}" in problems(tmp_path)[0]
        assert labels(tmp_path, split="test") == {"1.bmp": "cat", "2.bmp": "dog"}

    def test_above_the_parts_of_a_split(self, folder: Path) -> None:
        """One table of all parts: read together and said, or one part by its folder."""
        put(folder, {"train/1.bmp": image(5), "train/2.bmp": image(6), "test/1.bmp": image(7),
                     "test/2.bmp": image(8)})  # fmt: skip
        rows = "train/1.bmp,cat\ntrain/2.bmp,dog\ntest/1.bmp,cat\ntest/2.bmp,dog\n"
        put(folder, {"metadata.csv": "file_name,label\n" + rows})
        assert len(labels(folder)) == 4
        assert "the parts test, train are read together" in load(folder).warnings[0]
        assert labels(folder, split="test") == {"test/1.bmp": "cat", "test/2.bmp": "dog"}
        assert (
            "no line belongs to split='val'"
            in problems(folder, options=SourceOptions(split="val"))[0]
        )

    def test_by_a_column(self, folder: Path) -> None:
        """Or one part by the column ``split``."""
        text = "path,label,split\na.bmp,cat,train\nb.bmp,dog,test\nsub/c.bmp,cat,test\n"
        put(folder, {"manifest.csv": text})
        assert labels(folder, split="test") == {"b.bmp": "dog", "sub/c.bmp": "cat"}

    def test_without_labels(self, tmp_path: Path) -> None:
        """Beside folders of classes it says other things; without folders it lacks a column."""
        put(tmp_path, {"cat/1.bmp": image(0), "dog/1.bmp": image(1)})
        put(tmp_path, {"metadata.csv": "file_name,licence\ncat/1.bmp,CC0\n"})
        dataset = load(tmp_path)
        assert dataset.labels == ("cat", "dog")
        assert dataset.warnings == (
            "metadata.csv has no column of labels: the folders are the labels",
        )

    def test_without_labels_or_folders(self, tmp_path: Path) -> None:
        """The message names the file, what was looked for and what there is."""
        put(tmp_path, {"1.bmp": image(0), "metadata.csv": "file_name,text\n1.bmp,x\n"})
        (problem,) = problems(tmp_path)
        assert problem.startswith("metadata.csv:1: no column 'label' (nor class, category, target,")
        assert "among file_name, text: add it, or rename" in problem


class TestColumns:
    """Usual names."""

    @pytest.mark.parametrize("name", [*PATH_NAMES, "File Name", "IMAGE", "Filename "])
    def test_path(self, folder: Path, name: str) -> None:
        """Of the path, in any case."""
        put(folder, {"manifest.csv": f"{name},label\na.bmp,cat\nb.bmp,dog\nsub/c.bmp,cat\n"})
        assert labels(folder) == READ

    @pytest.mark.parametrize("name", [*LABEL_NAMES, "Class", "CATEGORY", "Class Name"])
    def test_label(self, folder: Path, name: str) -> None:
        """Of the label; neither becomes a tag."""
        put(folder, {"manifest.csv": f"path,{name}\na.bmp,cat\nb.bmp,dog\nsub/c.bmp,cat\n"})
        assert labels(folder) == READ
        assert load(folder).tags == {}

    def test_the_exact_name_wins(self, folder: Path) -> None:
        """Other usual names beside it are tags, as they were."""
        text = "path,label,class,file\na.bmp,cat,x,1\nb.bmp,dog,x,2\nsub/c.bmp,cat,y,3\n"
        put(folder, {"manifest.csv": text})
        assert labels(folder) == READ
        assert load(folder).cases[0].tags == {"class": "x", "file": "1"}

    @pytest.mark.parametrize("end", ["csv", "jsonl"])
    def test_several_could_be_it(self, folder: Path, end: str) -> None:
        """They are named, and one can be chosen."""
        rows = [{"path": k, "class": v, "category": "animal"} for k, v in READ.items()]
        text = "\n".join(map(json.dumps, rows))
        if end == "csv":
            text = "path,class,category\n" + "".join(f"{k},{v},animal\n" for k, v in READ.items())
        put(folder, {f"manifest.{end}": text})
        said = problems(folder)[0]
        assert "the label could be any of the columns class, category: call one of them" in said
        assert 'label_column="class"' in said
        assert labels(folder, label_column="class") == READ
        put(folder, {"dataset.toml": 'label_column = "class"'})
        assert labels(folder) == READ

    def test_a_column_that_is_not_there(self, folder: Path) -> None:
        """The message lists those that are."""
        put(folder, {"manifest.csv": "path,label\na.bmp,cat\n"})
        with pytest.raises(DatasetError, match=r"no column 'klass', which .*, among label, path"):
            labels(folder, label_column="klass")

    def test_several_paths(self, folder: Path) -> None:
        """The same for the path."""
        put(folder, {"manifest.csv": "image,file,label\na.bmp,a.bmp,cat\n"})
        assert "the path could be any of the columns image, file" in problems(folder)[0]


@pytest.mark.parametrize("sign", [",", ";", "\t"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_separators(folder: Path, sign: str, mark: bytes, end: str) -> None:
    """Commas, semicolons and tabs, with and without a byte-order mark, of any system."""
    lines = [("path", "label", "note"), *((k, v, "x, y; z") for k, v in READ.items())]
    text = end.join(sign.join(f'"{cell}"' for cell in line) for line in lines)
    put(folder, {"manifest.csv": mark + text.encode()})
    assert labels(folder) == READ


def test_tsv(folder: Path) -> None:
    """A table with tabs may be called so."""
    rows = "".join(f"{k}\t{v}\n" for k, v in READ.items())
    put(folder, {"x.tsv": "path\tlabel\n" + rows})
    assert labels(folder / "x.tsv") == READ


def test_paths_of_windows(folder: Path) -> None:
    """Its separators lead to the same files, and out of the folder no more than others."""
    put(folder, {"manifest.csv": "path,label\n.\\a.bmp,cat\nb.bmp,dog\nsub\\c.bmp,cat\n"})
    assert labels(folder) == READ
    put(folder, {"manifest.csv": "path,label\n..\\a.bmp,cat\nC:\\b.bmp,dog\n\\\\host\\c.bmp,cat\n"})
    said = "\n".join(problems(folder))
    assert "'../a.bmp' leaves the dataset's folder" in said
    assert "'C:/b.bmp' is absolute" in said
    assert "'//host/c.bmp' is absolute" in said


class TestWholeNumbers:
    """``1`` and ``1.0``."""

    def test_one_label(self, folder: Path) -> None:
        """A data frame with an empty cell writes numbers so."""
        put(folder, {"manifest.csv": "path,label\na.bmp,1\nb.bmp,0.0\nsub/c.bmp,1.0\n"})
        assert labels(folder) == {"a.bmp": "1", "b.bmp": "0", "sub/c.bmp": "1"}
        assert load(folder).labels == ("0", "1")
        assert load(folder, labels=["0", "1"]).labels == ("0", "1")

    def test_json(self, folder: Path) -> None:
        """So does JSON, of numbers."""
        rows = [{"path": "a.bmp", "label": 1}, {"path": "b.bmp", "label": 0.0}]
        put(folder, {"manifest.jsonl": "\n".join(map(json.dumps, rows))})
        assert labels(folder) == {"a.bmp": "1", "b.bmp": "0"}

    def test_json_keeps_them_as_written(self, folder: Path) -> None:
        """No number becomes another by being read; what JSON has no number for is missing."""
        for label in ("1e400", "1.50", "-1e400", "123456789012345678901.5"):
            row = '{"path": "%s", "label": %s}'
            lines = [row % ("a.bmp", label), row % ("b.bmp", 2.5), row % ("sub/c.bmp", "7")]
            put(folder, {"manifest.jsonl": "\n".join(lines)})
            assert labels(folder)["a.bmp"] == label
        for word in ("NaN", "Infinity", "-Infinity"):
            put(folder, {"manifest.jsonl": f'{{"path": "a.bmp", "label": {word}}}'})
            assert problems(folder)[0].startswith("manifest.jsonl:1: no label: fill it in")

    def test_versions_stay(self, folder: Path) -> None:
        """Where a label has a fraction, all are what they are."""
        put(folder, {"manifest.csv": "path,label\na.bmp,1.0\nb.bmp,1.5\nsub/c.bmp,2.0\n"})
        assert load(folder).labels == ("1.0", "1.5", "2.0")
        put(folder, {"manifest.csv": "path,label\na.bmp,1.0\nb.bmp,2.0\n"})
        assert load(folder, labels=["1.0", "2.0"]).labels == ("1.0", "2.0")

    def test_parts(self) -> None:
        """Signs and zeros; words are no numbers."""
        assert with_whole_numbers(["-1.00", "v1.0", "1.0.0"]) == {"-1", "v1.0", "1.0.0"}
        assert whole_number("1.0", {"1", "2"}) == "1"
        assert whole_number("1.0", {"1", "1.0"}) == "1.0"
        assert whole_number("3.0", {"1"}) == "3.0"


class TestSeveralLabels:
    """More than one label in a cell."""

    @pytest.mark.parametrize(
        ("cell", "parts"),
        [
            ("cat|dog", ("cat", "dog")), ("cat|bird", ("cat", "bird")),
            ("cat,dog", ("cat", "dog")), ("cat; dog", ("cat", "dog")), ("cat, dog", ("cat", "dog")),
            ('["cat", "dog"]', ("cat", "dog")), ("['cat', 'dog']", ("cat", "dog")),
            ("('cat',)", ("cat",)), ("['cat']", ("cat",)), ("[0, 1]", ("0", "1")),
            ("cat", ()), ("cat, tabby", ()), ("tench, Tinca tinca", ()), ("cat/dog", ()),
            ("|", ()), ("cat|", ()), ("(cat)", ()), ("[x]", ()), ("cat and dog", ()),
        ],
    )  # fmt: skip
    def test_cells(self, cell: str, parts: tuple[str, ...]) -> None:
        """What is a list of labels, and what is a name."""
        assert several_labels(cell, {"cat", "dog"}) == parts

    @pytest.mark.parametrize("cell", ["cat|dog", "cat;dog", "['cat', 'dog']", '"cat,dog"'])
    def test_all_of_them_are_right(self, folder: Path, cell: str) -> None:
        """They never become a third class, and the first one stays the first."""
        rows = f"a.bmp,{cell}\nb.bmp,dog\nsub/c.bmp,cat\n"
        if cell.startswith("["):
            rows = rows.replace(cell, f'"{cell}"')
        put(folder, {"manifest.csv": "path,label\n" + rows})
        found = load(folder)
        assert found.labels == ("cat", "dog")
        assert [case.labels for case in found.cases] == [("cat", "dog"), ("dog",), ("cat",)]
        put(folder, {"manifest.csv": "path,label\na.bmp,cat\nb.bmp,dog\nsub/c.bmp,cat\n"})
        assert load(folder).content_hash() != found.content_hash()

    def test_each_must_be_a_label(self, folder: Path) -> None:
        """Not only the first one; and copies must have the same ones."""
        put(folder, {"manifest.csv": "path,label\na.bmp,dog|cow\nb.bmp,dog\nsub/c.bmp,cat\n"})
        assert "label 'cow' is not one of" in problems(folder, labels=["cat", "dog"])[0]
        put(folder, {"b.bmp": image(0)})
        put(folder, {"manifest.csv": "path,label\na.bmp,dog|cat\nb.bmp,dog\nsub/c.bmp,cat\n"})
        assert "label 'dog' or 'cat'" in problems(folder)[0]

    def test_a_label_that_is_only_a_further_one(self, folder: Path) -> None:
        """Is a label of the dataset, of which it has an image."""
        put(folder, {"manifest.csv": "path,label\na.bmp,1.0|fox\nb.bmp,2\nsub/c.bmp,1\n"})
        found = load(folder)
        assert found.labels == ("1", "2", "fox")
        assert found.cases[0].labels == ("1", "fox")
        assert found.warnings == ()

    def test_declared_labels_are_names(self, folder: Path) -> None:
        """Whoever lists ``cat|dog`` as a label means one class."""
        put(folder, {"manifest.csv": "path,label\na.bmp,cat|dog\nb.bmp,dog\n"})
        assert load(folder, labels=["cat|dog", "dog"]).labels == ("cat|dog", "dog")

    def test_a_list_in_json(self, folder: Path) -> None:
        """Is one of right labels, whatever signs they have; an empty or nested one is refused."""
        rows = [{"path": "a.bmp", "label": ["a, b", "dog"]}, {"path": "b.bmp", "label": ["dog"]}]
        put(folder, {"metadata.jsonl": "\n".join(map(json.dumps, rows))})
        assert [case.labels for case in load(folder).cases] == [("a, b", "dog"), ("dog",)]
        for wrong in ([], [["dog"]]):
            put(folder, {"metadata.jsonl": json.dumps({"path": "a.bmp", "label": wrong})})
            assert "metadata.jsonl:1: 'label' is a list or object" in problems(folder)[0]
