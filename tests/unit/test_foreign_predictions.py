"""Answers of other programs are read strictly, from every usual table, and put to images."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf.data.foreign_match import matched
from pytest_llmclf.data.foreign_predictions import (
    ColumnNames,
    PredictionRecord,
    PredictionTable,
    read_predictions,
)
from pytest_llmclf.errors import PredictionMissing, SettingsError
from pytest_llmclf.models.predictions.predictions_backend import answer_of, predictions_for
from pytest_llmclf.models.spec import parse_spec
from pytest_llmclf.values.case import Case, CaseSet
from pytest_llmclf.values.request import Request

LABELS = ("cat", "dog", "7")
ROWS = (
    {"image": "cat/1.png", "predicted": "cat", "p_cat": 0.75, "p_dog": 0.25, "p_7": 0.0},
    {"image": "dog/1.png", "predicted": "dog, perhaps", "p_cat": 0.5, "p_dog": 0.5, "p_7": 0.0},
)


def case(name: str, sha256: str = "") -> Case:
    """An image that nobody opens."""
    return Case(id=name, root=Path("/data/set"), sha256=sha256 or name, label="cat")


CASES = (case("cat/1.png"), case("dog/1.png"), case("dog/2.png", "ab" * 32))


def written(tmp_path: Path, content: str | bytes, name: str = "p.csv") -> Path:
    """A file of that content."""
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def as_csv(separator: str, end: str = "\n") -> bytes:
    """The rows as a table with that separator."""
    file = io.StringIO()
    writer = csv.DictWriter(file, list(ROWS[0]), delimiter=separator, lineterminator=end)
    writer.writeheader()
    writer.writerows(ROWS)
    return file.getvalue().encode()


def as_parquet() -> bytes:
    """The rows as Parquet."""
    file = io.BytesIO()
    pd.DataFrame(ROWS).to_parquet(file)
    return file.getvalue()


TABLES = {
    "p.csv": as_csv(","),
    "semicolons.csv": as_csv(";"),
    "p.tsv": as_csv("\t"),
    "marked.csv": b"\xef\xbb\xbf" + as_csv(",", "\r\n"),
    "utf-16.csv": as_csv(";").decode().encode("utf-16"),
    "no-mark.csv": as_csv("\t").decode().encode("utf-16-le"),
    "p.jsonl": "\n".join(map(json.dumps, ROWS)).encode(),
    "p.parquet": as_parquet(),
}


@pytest.mark.parametrize("name", TABLES)
def test_every_table_says_the_same(tmp_path: Path, name: str) -> None:
    """Whatever the separator, the line ends, the mark at its start or the format."""
    table = read_predictions(written(tmp_path, TABLES[name], name), LABELS)
    assert table.records == (
        PredictionRecord(
            row=1,
            image="cat/1.png",
            predicted="cat",
            probabilities={"cat": 0.75, "dog": 0.25, "7": 0.0},
        ),
        PredictionRecord(
            row=2,
            image="dog/1.png",
            predicted="dog, perhaps",
            probabilities={"cat": 0.5, "dog": 0.5, "7": 0.0},
        ),
    )


def test_columns_are_found_or_named(tmp_path: Path) -> None:
    """By usual names in any case, or by those that are said."""
    path = written(tmp_path, "File Name,Y_Pred,note\na.png,cat,x\n")
    assert read_predictions(path, LABELS).records[0].predicted == "cat"
    path = written(tmp_path, "where,what,said\na.png,cat,It is a dog.\n")
    (record,) = read_predictions(path, LABELS, ColumnNames(image="where", text="said")).records
    assert (record.predicted, record.text) == ("", "It is a dog.")


def test_labels_are_those_of_the_dataset(tmp_path: Path) -> None:
    """A number with a fraction is whole; a word for nothing, and nothing, stay what they are."""
    path = written(tmp_path, "path,predicted\na,7.0\nb,NA\nc, dog \nd,\n")
    found = [record.predicted for record in read_predictions(path, LABELS).records]
    assert found == ["7", "NA", "dog", ""]


def test_numbers_in_json_are_labels_as_written(tmp_path: Path) -> None:
    """What is too large for a float is not the class ``inf``; NaN is no answer."""
    lines = "\n".join(
        f'{{"path": "{path}", "predicted": {said}}}'
        for path, said in zip("abcd", ("7.0", "1e400", "NaN", "Infinity"), strict=True)
    )
    found = read_predictions(written(tmp_path, lines, "p.jsonl"), LABELS).records
    assert [record.predicted for record in found] == ["7", "1e400", "", ""]


def test_probabilities_may_stand_in_one_object(tmp_path: Path) -> None:
    """As JSON lines have them; a label that is left out there lacks its number."""
    row: dict[str, Any] = {"path": "a", "predicted": "cat"}
    lines = json.dumps({**row, "probabilities": {"cat": 0.5, "dog": 0.25, "7": 0.25}})
    table = read_predictions(written(tmp_path, lines, "p.jsonl"), LABELS)
    assert table.records[0].probabilities == {"cat": 0.5, "dog": 0.25, "7": 0.25}
    lines = json.dumps({**row, "probabilities": {"cat": 1.0}})
    with pytest.raises(SettingsError, match="the probability of 'dog' is ''"):
        read_predictions(written(tmp_path, lines, "p.jsonl"), LABELS)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "path,guess\na,cat\n",
            r"which column holds the predicted labels\? .* say \?predicted=COLUMN",
        ),
        ("picture,predicted\na,cat\n", r"which column holds the images\? .* say \?image=COLUMN"),
        ("path,label\na,cat\n", r"which column holds the predicted labels"),
        (
            "path,predicted\na,cat\nb,cat,dog\n",
            r"p\.csv:3: 3 cells .* names 2 columns: put a cell with ','",
        ),
        ("path,predicted\na,cat,x\nb,cat,x\n", r"p\.csv:2: 3 cells .* names 2 columns"),
        ("path,predicted\n,cat\n", "row 1: no image: fill in 'path'"),
        ("path,path,predicted\na,b,cat\n", "column 'path' is there twice"),
        ("path,predicted\n", "no row with a prediction"),
        ("", "cannot be read"),
        ("path,predicted,cat,dog,7\na,cat,80,20,0\n", "'cat' is '80': write a number from 0 to 1"),
        ("path,predicted,cat,dog,7\na,cat,.5,.1,.1\n", "add up to 0.7"),
        ("path,predicted,cat,dog,7\na,cat,1,x,0\n", "'dog' is 'x'"),
        ("path,predicted,cat,dog,7\na,cat,1,,0\n", "'dog' is ''"),
        ("path,predicted,note\na,cat\n", r"p\.csv:2: 2 cells .* 3 columns: write empty cells"),
        ('path,predicted\n"a"b,cat\n', r"p\.csv:2: not CSV .*: mend the quotes"),
        ("path,predicted\ncaf\xe9,cat\n".encode("latin-1"), r"p\.csv:2: byte 0xe9 .*'café,cat'"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, content: str | bytes, said: str) -> None:
    """With file, row and remedy."""
    with pytest.raises(SettingsError, match=said):
        read_predictions(written(tmp_path, content), LABELS)


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    """One that is not there, a folder, another ending, a column that is not there."""
    with pytest.raises(SettingsError, match=r"none\.csv cannot be read"):
        read_predictions(tmp_path / "none.csv", LABELS)
    with pytest.raises(SettingsError, match="it is a folder"):
        read_predictions(tmp_path, LABELS)
    with pytest.raises(SettingsError, match=r"no table by its ending: name a \.csv"):
        read_predictions(written(tmp_path, "x", "p.xlsx"), LABELS)
    path = written(tmp_path, "path,predicted\na,cat\n")
    with pytest.raises(SettingsError, match="did you mean 'predicted'"):
        read_predictions(path, LABELS, ColumnNames(predicted="predictde"))


def table_of(*images: str) -> PredictionTable:
    """A table of these images."""
    rows = (PredictionRecord(row=row, image=one) for row, one in enumerate(images, start=1))
    return PredictionTable(
        path=Path("p.csv"), sha256="", columns=ColumnNames(), records=tuple(rows)
    )


@pytest.mark.parametrize(
    "images",
    [
        ("cat/1.png", "dog/1.png", "dog/2.png"),
        (r"cat\1.png", r"dog\1.png", r".\dog\2.png"),
        ("/data/set/cat/1.png", "/data/set/dog/1.png", "/data/set/dog/2.png"),
        (r"C:\x\cat\1.png", r"C:\x\dog\1.png", r"C:\x\dog\2.png"),
        ("cat/1.png", "dog/1.png", "./dog/2.png"),
    ],
)
def test_paths_may_be_written_otherwise(images: tuple[str, ...]) -> None:
    """With other separators, absolute, or below another folder."""
    found = matched(table_of(*images), CASES, "animals")
    assert {id_: one.row for id_, one in found.by_case.items()} == {
        "cat/1.png": 1, "dog/1.png": 2, "dog/2.png": 3,
    }  # fmt: skip
    assert not found.missing
    assert not found.extra


def test_a_name_or_a_digest_is_enough() -> None:
    """Where it is of one image."""
    assert list(matched(table_of("2.png"), CASES, "animals").by_case) == ["dog/2.png"]
    assert list(matched(table_of("AB" * 32), CASES, "animals").by_case) == ["dog/2.png"]
    with pytest.raises(SettingsError, match=r"1\.png could be cat/1\.png, dog/1\.png"):
        matched(table_of("1.png"), CASES, "animals")


def test_letters_of_two_parts_are_one() -> None:
    """As one system writes names and another does not."""
    found = matched(table_of("ku\u0308he/1.png"), [case("k\u00fche/1.png")], "animals")
    assert list(found.by_case) == ["k\u00fche/1.png"]


def test_missing_and_extra_images_are_told() -> None:
    """Each of them, and none is taken for another."""
    found = matched(table_of("dog/1.png", "dog/9.png", "xdog/2.png"), CASES, "animals")
    assert found.missing == ("cat/1.png", "dog/2.png")
    assert found.extra == ("dog/9.png", "xdog/2.png")


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (("cat/1.png", "cat/1.png"), r"cat/1\.png is there twice, in rows 1 and 2"),
        (("cat/1.png", r".\cat\1.png"), "is there twice"),
        (("train/cat/1.png", "test/dog/1.png"), "in two ways: keep the rows of one folder"),
        (("cat/1.png", "old/cat/1.png"), "in two ways"),
        (("a.png", "b.png"), r"has no image of animals: it has a\.png, b\.png"),
    ],
)
def test_what_could_be_two_things_is_refused(images: tuple[str, ...], said: str) -> None:
    """Copies, two folders, another dataset."""
    with pytest.raises(SettingsError, match=said):
        matched(table_of(*images), CASES, "animals")


@given(st.lists(st.sampled_from([*(one.id for one in CASES), "x/1.png", "2.png"]), unique=True))
def test_no_row_and_no_image_is_lost(images: list[str]) -> None:
    """Each row is of an image, extra, or refused; each image has a row or is missing."""
    try:
        found = matched(table_of(*images), CASES, "animals")
    except SettingsError:
        return
    assert len(found.by_case) + len(found.extra) == len(images)
    assert set(found.by_case) | set(found.missing) == {one.id for one in CASES}
    assert not set(found.by_case) & set(found.missing)


def test_a_row_is_an_answer() -> None:
    """A label by name needs no reader, nor the most probable one where nothing else is said."""
    sure, torn = {"cat": 0.2, "dog": 0.8, "7": 0.0}, {"cat": 0.5, "dog": 0.5, "7": 0.0}

    def said(**row: Any) -> tuple[str, str | None]:
        answer = answer_of(PredictionRecord(row=1, image="a", **row), LABELS)
        return answer.text, answer.label

    assert said(predicted="cat", text="Looks like a cat.") == ("Looks like a cat.", "cat")
    assert said(predicted="wolf") == ("wolf", None)
    assert said(text="A dog.", probabilities=sure) == ("A dog.", None)
    assert said(probabilities=sure) == ("dog", "dog")
    assert said(probabilities=torn) == ("cat or dog", None)
    assert said() == ("", None)


def test_the_file_is_the_model(tmp_path: Path) -> None:
    """It answers what stands in it, says what it lacks and has besides; its digest is that."""
    path = written(tmp_path, "path,predicted\ncat/1.png,wolf\nelk/1.png,cat\ndog/1.png,dog\n")
    images = CaseSet(name="animals", root=tmp_path, cases=CASES, labels=LABELS)
    backend = predictions_for(parse_spec(f"predictions:{path}?name=mine"), images)
    assert backend.identify().spec == "predictions:mine"
    first = backend.identify().digest
    lacks, besides, unknown = backend.notices
    assert "lacks 1 of 3 images of animals, which end without an answer: dog/2.png" in lacks
    assert (
        "has 1 image beside those of animals that are asked about, not used: elk/1.png" in besides
    )
    assert "no label by its name, which is left to the reader: 'wolf' (1)" in unknown

    def ask(name: str) -> str | None:
        request = Request(system=None, prompt="?", image=b"", media_type="image/png", case=name)
        return backend.ask(request).label

    assert ask("dog/1.png") == "dog"
    assert ask("cat/1.png") is None
    with pytest.raises(PredictionMissing, match=r"no row of dog/2\.png \(add a row"):
        ask("dog/2.png")
    path.write_text(path.read_text("utf-8") + "dog/2.png,dog\n", "utf-8")
    assert predictions_for(parse_spec(f"predictions:{path}"), images).identify().digest != first


def test_an_earlier_runs_own_files_are_read(tmp_path: Path) -> None:
    """What was not answered is missing, repeats do not count, and texts are answers."""
    line = {"evaluation": "animals", "case": "cat/1.png", "kind": "correct", "predicted": "cat"}
    lines = [
        {**line, "answer": {"text": "A cat."}, "repeat": 0},
        {**line, "answer": {"text": "A dog."}, "predicted": "dog", "repeat": 1},
        {**line, "case": "dog/1.png", "kind": "error", "predicted": None, "answer": None},
    ]
    path = written(tmp_path, "\n".join(map(json.dumps, lines)), "outcomes.jsonl")
    (record,) = read_predictions(path, LABELS).records
    assert (record.image, record.predicted, record.text) == ("cat/1.png", "cat", "A cat.")
