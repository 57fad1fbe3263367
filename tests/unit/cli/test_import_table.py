"""``llmclf import parquet``: images in the cells of a table become a dataset like any other."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from pytest_llmclf.cli.main import main
from pytest_llmclf.data import dataset as datasets
from pytest_llmclf.data.archives.importer import Imported, import_table
from pytest_llmclf.errors import DatasetError, ExtraMissing

pa: Any = pytest.importorskip("pyarrow")
pq: Any = pytest.importorskip("pyarrow.parquet")

if TYPE_CHECKING:
    from pathlib import Path

IMAGE = {"image": {"_type": "Image"}}


def png(number: int) -> bytes:
    """An image, another one for each number."""
    buffer = io.BytesIO()
    Image.new("RGB", (4 + number, 4), (number, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def table(labels: list[Any], features: dict[str, Any] | None = None, first: int = 0) -> Any:
    """A row a label, with the image as ``datasets`` keeps it."""
    cells = [{"bytes": png(first + n), "path": f"{n}.png"} for n in range(len(labels))]
    found = pa.table({"image": cells, "label": labels})
    if features is None:
        return found
    said = json.dumps({"info": {"features": features}})
    return found.replace_schema_metadata({b"huggingface": said.encode()})


def classes(*names: str) -> dict[str, Any]:
    """What ``datasets`` says of such a table."""
    return {**IMAGE, "label": {"_type": "ClassLabel", "names": list(names)}}


def saved(folder: Path, made: Any) -> Path:
    """A table as ``save_to_disk`` writes it."""
    folder.mkdir(parents=True)
    path = str(folder / "data-00000-of-00001.arrow")
    with pa.OSFile(path, "wb") as sink, pa.ipc.new_stream(sink, made.schema) as writer:
        writer.write_table(made)
    (folder / "state.json").write_text('{"_data_files": []}')
    (folder / "dataset_info.json").write_text("{}")
    return folder


def brought(source: Path, tmp_path: Path, **options: Any) -> Imported:
    """The import."""
    given: dict[str, Any] = {"seed": 20, "per_class": None, **options}
    return import_table("pets", source, tmp_path / "datasets", **given)


class TestTables:
    """What is read."""

    @pytest.mark.parametrize("kind", ["parquet", "folder", "saved", "arrow file"])
    def test_kinds(self, tmp_path: Path, kind: str) -> None:
        """Every kind of table gives the same images, byte for byte, labels in the given order."""
        made, source = table([1, 0, 1, 0, 1], classes("dog", "cat", "cow")), tmp_path / "x.parquet"
        if kind == "saved":
            source = saved(tmp_path / "x", made)
        elif kind == "arrow file":
            source = tmp_path / "x.arrow"
            with pa.OSFile(str(source), "wb") as sink, pa.ipc.new_file(sink, made.schema) as out:
                out.write_table(made)
        else:
            pq.write_table(made, source)
        brought(source if kind != "folder" else tmp_path, tmp_path)
        found = datasets.load(tmp_path / "datasets" / "pets")
        assert (found.name, found.labels, found.imported) == ("pets", ("dog", "cat"), True)
        by_label = {
            label: {case.path.read_bytes() for case in found.cases if case.label == label}
            for label in found.labels
        }
        assert by_label == {"dog": {png(1), png(3)}, "cat": {png(0), png(2), png(4)}}

    @pytest.mark.parametrize(
        ("labels", "expected"),
        [
            (["b", "a", "b"], ("a", "b")), ([10, 2, 2], ("2", "10")), ([1.0, 0.0, 1.0], ("0", "1")),
            (["../x", "CON", "a/b"], ("../x", "CON", "a/b")), (["猫", "犬", "猫"], ("犬", "猫")),
        ],
    )  # fmt: skip
    def test_labels_of_any_kind(
        self, tmp_path: Path, labels: list[Any], expected: tuple[str, ...]
    ) -> None:
        """Words and numbers; no label is a path."""
        pq.write_table(table(labels), tmp_path / "x.parquet")
        made = brought(tmp_path / "x.parquet", tmp_path)
        assert set(datasets.load(made.folder).labels) == set(expected)
        assert [path.name for path in (tmp_path / "datasets").iterdir()] == ["pets"]

    def test_what_is_left_out(self, tmp_path: Path) -> None:
        """Rows without a label or an image, broken and doubled ones are listed."""
        made = table([0, 1, -1, None, 0, 1], classes("a", "b")).to_pydict()
        made["image"][4] = {"bytes": None, "path": "far.png"}
        made["image"][5] = {"bytes": b"\x89PNG\r\n\x1a\nno", "path": None}
        rest = table([0, 1], classes("a", "b"), first=9)
        both = pa.concat_tables([pa.table(made).cast(rest.schema), rest])
        pq.write_table(both, tmp_path / "x.parquet")
        found = brought(tmp_path / "x.parquet", tmp_path)
        assert found.counts == {"a": 2, "b": 2}
        reasons = {each.name: each.reason for each in found.left_out}
        assert reasons["row 3"] == reasons["row 4"] == "has no label"
        assert reasons["row 5"] == "has no bytes of an image"
        assert len(reasons) == 4

    def test_splits(self, tmp_path: Path) -> None:
        """Parts are told by folder or file name, and never mixed."""
        hub = tmp_path / "hub" / "data"
        hub.mkdir(parents=True)
        for number, part in enumerate(("train", "test")):
            made = table([0, 1], classes("a", "b"), first=10 * number)
            pq.write_table(made, hub / f"{part}-00000-of-00001.parquet")
            saved(tmp_path / "disk" / part, made)
        for place in (tmp_path / "hub", tmp_path / "disk"):
            with pytest.raises(DatasetError, match="several parts; say --split with one of test, "):
                brought(place, tmp_path, force=True)
            brought(place, tmp_path, split="test", force=True)
            found = datasets.load(tmp_path / "datasets" / "pets")
            assert {case.path.read_bytes() for case in found.cases} == {png(10), png(11)}

    @pytest.mark.parametrize(
        ("made", "said"),
        [
            ({"image": [b"x"], "tag": [["a"]]}, "no column of labels"),
            ({"image": [b"x"], "label": [["a", "b"]]}, "'label' has a list of labels a row"),
            ({"image": [b"x"], "class": ["a"], "category": ["b"]}, "the label could be any of"),
            ({"image": ["a.png"], "label": ["a"]}, "no column with bytes"),
            ({"image": [b"x"], "mask": [b"y"], "label": ["a"]}, "several columns of images"),
            ({"image": [None], "label": ["a"]}, "no column with bytes"),
        ],
    )
    def test_refused(self, tmp_path: Path, made: dict[str, Any], said: str) -> None:
        """With the columns that there are, and nothing in the folder of datasets."""
        pq.write_table(pa.table(made), tmp_path / "x.parquet")
        with pytest.raises(DatasetError, match=said):
            brought(tmp_path / "x.parquet", tmp_path)
        assert list((tmp_path / "datasets").iterdir()) == []

    @pytest.mark.parametrize("name", ["x.parquet", "x.arrow"])
    def test_damaged(self, tmp_path: Path, name: str) -> None:
        """A file that is no table says so."""
        (tmp_path / name).write_bytes(b"PAR1 no table")
        with pytest.raises(DatasetError, match="is no whole table"):
            brought(tmp_path / name, tmp_path)

    def test_without_pyarrow(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The message says what to install."""
        pq.write_table(table(["a"]), tmp_path / "x.parquet")
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        with pytest.raises(ExtraMissing, match=r"pip install 'pytest-llmclf\[parquet\]'"):
            brought(tmp_path / "x.parquet", tmp_path)


class TestCommand:
    """The command line."""

    def test_imports(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Under the name that evaluations use."""
        monkeypatch.chdir(tmp_path)
        pq.write_table(table(["a", "b", "a"]), "x.parquet")
        assert main(["import", "parquet", "x.parquet", "--name", "pets"]) == 0
        assert "3 images of x.parquet, 2 classes" in capsys.readouterr().out
        found = datasets.load(datasets.locate("pets", tmp_path, {}))
        assert found.labels == ("a", "b")

    @pytest.mark.parametrize("words", [["parquet", "x"], ["parquet", "x", "--name", "../x"],
                                       ["chessman", "x", "--name", "pets"]])  # fmt: skip
    def test_names(self, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A name is needed, is no path, and is for tables alone."""
        monkeypatch.chdir(tmp_path)
        assert main(["import", *words]) == 2
