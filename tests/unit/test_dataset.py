"""Datasets are complete and consistent, or every problem is said before a model is asked."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf.data.dataset import LISTED_PROBLEMS, Dataset, load, locate, sample
from pytest_llmclf.data.entry import SourceOptions, natural_key
from pytest_llmclf.data.image import ImageLimits
from pytest_llmclf.errors import DatasetError
from pytest_llmclf.values.case import Case
from pytest_llmclf.values.seeded import seeded_order

FIXTURES = Path(__file__).parents[2] / "fixtures"


def image(number: int) -> bytes:
    """A 24-bit BMP of one pixel, another one for each number."""
    header = b"BM" + (58).to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little")
    info = b"".join(value.to_bytes(4, "little") for value in (40, 1, 1))
    return header + info + b"\x01\0\x18\0" + bytes(24) + number.to_bytes(3, "little") + b"\0"


def put(root: Path, files: dict[str, bytes | str]) -> Path:
    """Write files below `root`."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def pets(root: Path) -> Path:
    """Two classes, a folder each."""
    names = ("cat/1.bmp", "cat/2.bmp", "cat/10.bmp", "dog/1.bmp", "dog/b/2.bmp")
    return put(root, {name: image(number) for number, name in enumerate(names)})


def problems(source: Path, **options: object) -> list[str]:
    """What the error says, a line each, without the first."""
    with pytest.raises(DatasetError) as caught:
        load(source, **options)  # type: ignore[arg-type]
    first, *lines = str(caught.value).splitlines()
    assert "cannot be judged" in first
    assert str(source) in first
    return [line.removeprefix("  ") for line in lines]


def ids(dataset: Dataset) -> list[str]:
    return [case.id for case in dataset.cases]


class TestFolders:
    """A folder a class."""

    def test_cases(self, tmp_path: Path) -> None:
        """Cases come in natural order with POSIX ids, digest and label."""
        dataset = load(pets(tmp_path / "pets"))
        assert dataset.name == "pets"
        assert dataset.labels == ("cat", "dog")
        assert ids(dataset) == ["cat/1.bmp", "cat/2.bmp", "cat/10.bmp", "dog/1.bmp", "dog/b/2.bmp"]
        assert dataset.cases[2] == Case(
            id="cat/10.bmp",
            root=tmp_path / "pets",
            sha256=hashlib.sha256(image(2)).hexdigest(),
            label="cat",
        )
        assert dataset.cases[2].path == tmp_path / "pets" / "cat" / "10.bmp"
        assert dataset.warnings == ()

    def test_label_order(self, tmp_path: Path) -> None:
        """Labels are sorted naturally unless an order is given."""
        put(tmp_path, {f"{label}/x.bmp": image(label) for label in (10, 2, 1)})
        assert load(tmp_path).labels == ("1", "2", "10")
        assert load(tmp_path, labels=["10", "1", "2"]).labels == ("10", "1", "2")

    def test_what_is_no_image(self, tmp_path: Path) -> None:
        """What plainly is no image is passed over; anything else stays, with its problem."""
        pets(tmp_path)
        junk = ["Thumbs.db", ".DS_Store", "README", "LICENSE", "notes.txt", "translate.py", "a.csv"]
        put(tmp_path, {f"cat/{name}": "x" for name in junk})
        put(tmp_path, {"README.md": "x", "dog/.git/x.bmp": "x", "dog/__MACOSX/x.bmp": "x"})
        put(tmp_path, {"dog/what": "x", "dog/readme.png": "x", "dog/x.svg": "<svg>"})
        unsound = {case.id: case.problem for case in load(tmp_path).cases if case.problem}
        assert list(unsound) == ["dog/readme.png", "dog/what", "dog/x.svg"]
        assert "this is text and not an image: fetch" in (unsound["dog/what"] or "")
        assert "SVG drawing" in (unsound["dog/x.svg"] or "")

    def test_empty_folder(self, tmp_path: Path) -> None:
        """A folder without images is no label, and that is said."""
        (pets(tmp_path) / "bird").mkdir()
        dataset = load(tmp_path)
        assert dataset.labels == ("cat", "dog")
        assert dataset.warnings == ("bird/: no image in this folder; it is no label",)

    def test_class_without_images(self, tmp_path: Path) -> None:
        """A label without images is said, not an error."""
        dataset = load(pets(tmp_path), labels=["cat", "bird", "dog"])
        assert dataset.labels == ("cat", "bird", "dog")
        assert dataset.warnings == ("no image of 'bird': its recall is not measured",)

    def test_unknown_folder(self, tmp_path: Path) -> None:
        """A folder that is no label is one problem, not one an image."""
        put(pets(tmp_path), {"dgo/1.bmp": image(8), "dgo/2.bmp": image(9)})
        assert problems(tmp_path, labels=["cat", "dog"]) == [
            (
                "dgo/1.bmp: label 'dgo' is not one of [cat, dog], and 1 more image has it: add "
                "it to labels in the evaluation, or mend the label; did you mean 'dog'?"
            )
        ]

    def test_stray_image(self, tmp_path: Path) -> None:
        """An image beside the class folders has no label."""
        put(pets(tmp_path), {"x.bmp": image(8)})
        assert problems(tmp_path) == [
            "x.bmp: lies beside the folders of the classes and so has no label: move it into one"
        ]

    def test_nothing(self, tmp_path: Path) -> None:
        """An empty folder is an error, never a dataset that passes."""
        assert problems(tmp_path) == [
            (
                "no image found: put them into a folder a class (cat/1.png), name them by their "
                "label (cat_1.png), or list them in manifest.csv with the columns path and label"
            )
        ]

    def test_one_label(self, tmp_path: Path) -> None:
        """One class is nothing to tell apart."""
        put(tmp_path, {"cat/1.bmp": image(0)})
        assert "this one has 'cat'" in problems(tmp_path)[0]

    def test_labels_alike(self, tmp_path: Path) -> None:
        """Labels that a reader of answers cannot tell apart are refused."""
        put(tmp_path, {"cat/1.bmp": image(0), "cat./1.bmp": image(1), "dog/1.bmp": image(2)})
        if sys.platform != "win32":  # which cannot hold such a folder
            assert problems(tmp_path) == [
                "labels 'cat' and 'cat.' are the same to a reader of answers: rename one"
            ]

    @pytest.mark.parametrize("label", ["", " cat", "c\nat", "**"])
    def test_unusable_label(self, tmp_path: Path, label: str) -> None:
        """A label is one printable line with a letter or digit in it."""
        assert problems(pets(tmp_path), labels=["cat", "dog", label]) == [
            f"label {label!r} is empty or not a printable line: rename it"
        ]

    def test_missing(self, tmp_path: Path) -> None:
        """A source that is not there says so."""
        with pytest.raises(DatasetError, match=r"there is no dataset at .*: give a folder, or a"):
            load(tmp_path / "x")


class TestNames:
    """Labels in file names."""

    def test_default(self, tmp_path: Path) -> None:
        """What stands before the first underscore is the label."""
        put(tmp_path, {"7_img_117.bmp": image(0), "10_x.bmp": image(1), "README.md": "x"})
        dataset = load(tmp_path)
        assert [(case.id, case.label) for case in dataset.cases] == [
            ("7_img_117.bmp", "7"),
            ("10_x.bmp", "10"),
        ]

    def test_pattern(self, tmp_path: Path) -> None:
        """A pattern reads the file's name, in subfolders too."""
        put(tmp_path, {"a/img-cat.bmp": image(0), "b/img-dog.bmp": image(1)})
        dataset = load(tmp_path, options=SourceOptions(pattern=r"-(?P<label>\w+)\."))
        assert [(case.id, case.label) for case in dataset.cases] == [
            ("a/img-cat.bmp", "cat"),
            ("b/img-dog.bmp", "dog"),
        ]

    def test_no_label(self, tmp_path: Path) -> None:
        """A name that does not fit is a problem, not a missing image."""
        put(tmp_path, {"7_a.bmp": image(0), "8_a.bmp": image(1), "x.bmp": image(2)})
        (problem,) = problems(tmp_path)
        assert problem.startswith("x.bmp: no label in the file name by the pattern '^(?P<label>")
        assert "rename it" in problem

    @pytest.mark.parametrize(
        ("pattern", "said"),
        [
            ("(", "is no regular expression"),
            ("(.*)", r"has no group named label: write it like \^"),
        ],
    )
    def test_bad_pattern(self, tmp_path: Path, pattern: str, said: str) -> None:
        """A pattern that cannot name a label is refused."""
        with pytest.raises(DatasetError, match=said):
            load(tmp_path, options=SourceOptions(pattern=pattern))


class TestManifests:
    """CSV and JSON lines."""

    def test_csv(self, tmp_path: Path) -> None:
        """Further columns are tags, but for those about where a file comes from."""
        pets(tmp_path)
        text = (
            "path, label,sha256,licence,source,style,note\n"
            f'cat/2.bmp,cat,{hashlib.sha256(image(1)).hexdigest().upper()},CC0,web,photo,"a, b"\n'
            "\n"
            "./dog/1.bmp, dog ,,,,,\n"
        )
        put(tmp_path, {"manifest.csv": b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()})
        dataset = load(tmp_path)
        assert ids(dataset) == ["cat/2.bmp", "dog/1.bmp"]
        assert [case.label for case in dataset.cases] == ["cat", "dog"]
        assert [case.tags for case in dataset.cases] == [{"style": "photo", "note": "a, b"}, {}]
        assert load(tmp_path / "manifest.csv") == dataset

    def test_jsonl(self, tmp_path: Path) -> None:
        """A line is an object; numbers and truth values become text."""
        pets(tmp_path)
        lines = [
            {"path": "cat/1.bmp", "label": 1, "ok": True, "size": 2.5, "none": None, "source": "x"},
            {"path": " dog/1.bmp", "label": "2 "},
        ]
        put(tmp_path, {"manifest.jsonl": "\n \n".join(map(json.dumps, lines))})
        dataset = load(tmp_path)
        assert [(case.label, case.tags) for case in dataset.cases] == [
            ("1", {"ok": "true", "size": "2.5"}),
            ("2", {}),
        ]

    @pytest.mark.parametrize(
        ("name", "text", "said"),
        [
            ("manifest.csv", "", "manifest.csv:1: the first line names no columns: write path"),
            ("manifest.csv", "pth,label\n", "among pth, label: add it, or rename 'pth'"),
            ("manifest.csv", "what,label\n", "among what, label: add it, or rename one of them"),
            ("manifest.csv", "path,label,label\n", "column 'label' is there twice: rename one"),
            ("manifest.csv", "path,label,\n", "column 3 has no name: name it, or remove it"),
            ("manifest.csv", "path,label\na,b,c\n", ":2: 3 cells where the first line names 2 col"),
            ("manifest.csv", "path,label\n,cat\n", "manifest.csv:2: no path: fill it in"),
            ("manifest.csv", 'path,label\n"a"b,c\n', "manifest.csv:2: not CSV"),
            ("manifest.jsonl", "{", "manifest.jsonl:1: not JSON"),
            ("manifest.jsonl", "\n[]", "manifest.jsonl:2: not an object: write one object a line"),
            ("manifest.jsonl", '{"path": ["a"]}', ":1: 'path' is a list or object: write text"),
            ("manifest.jsonl", "{}", "manifest.jsonl:1: no path and no label: fill it in"),
        ],
    )
    def test_broken(self, tmp_path: Path, name: str, text: str, said: str) -> None:
        """A manifest's problems name its line and the remedy."""
        put(tmp_path, {name: text})
        (problem,) = problems(tmp_path)
        assert said in problem

    def test_bad_rows(self, tmp_path: Path) -> None:
        """All problems of a manifest come at once, each with its line."""
        pets(tmp_path)
        sha256 = hashlib.sha256(image(4)).hexdigest()
        rows = [
            "cat/1.bmp,cat,",
            "cat/2.bmp,cta,",
            "../x.bmp,cat,",
            "/x.bmp,cat,",
            "C:/x.bmp,cat,",
            "cat\\2.bmp,cat,",
            "cat/1.bmp,cat,",
            "CAT/1.bmp,cat,",
            "cat//10.bmp,cat,",
            "dog/11.bmp,dog,",
            "dog,dog,",
            "dog/1.bmp,dog,ff",
            f"dog/b/2.bmp,dog,{'0' * 64}",
        ]
        put(tmp_path, {"manifest.csv": "path,label,sha256\n" + "\n".join(rows)})
        said = "\n".join(problems(tmp_path, labels=["cat", "dog"]))
        for expected in (
            "manifest.csv:3: label 'cta' is not one of [cat, dog]: add it to labels in",
            ", or mend the label; did you mean 'cat'?",
            "manifest.csv:4: path '../x.bmp' leaves the dataset's folder: move the file into it",
            "manifest.csv:5: path '/x.bmp' is absolute: write it relative to the dataset's folder",
            "manifest.csv:6: path 'C:/x.bmp' is absolute",
            "manifest.csv:7: path 'cat/2.bmp' was named before, manifest.csv:3: remove one",
            "manifest.csv:8: path 'cat/1.bmp' was named before, manifest.csv:2: remove one",
            "manifest.csv:9: path 'CAT/1.bmp' is the same file as 'cat/1.bmp' (manifest.csv:2) on",
            "manifest.csv:10: path 'cat//10.bmp' is not in its shortest form: write 'cat/10.bmp'",
            "manifest.csv:11: there is no file",
            "did you mean '1.bmp'?",
            "manifest.csv:12: ",
            "is not a file: name the image itself",
            "manifest.csv:13: sha256 'ff' is not 64 hexadecimal digits: write ",
            "manifest.csv:14: the file is not the one of the manifest: sha256 ",
            f"{sha256[:12]}... instead of 000000000000...: restore the file, or correct the man",
        ):
            assert expected in said

    def test_unprintable_name(self, tmp_path: Path) -> None:
        """A name that could move a terminal's cursor is refused, and shown escaped."""
        put(tmp_path, {"manifest.csv": "path,label\na\x1b[2J.bmp,cat\n"})
        assert (
            "manifest.csv:2: path 'a\\x1b[2J.bmp' has characters that cannot be printed: ren"
            in ("\n".join(problems(tmp_path, labels=["cat", "dog"])))
        )

    def test_two_manifests(self, tmp_path: Path) -> None:
        """Two manifests in one folder are not chosen between."""
        put(tmp_path, {"manifest.csv": "", "manifest.jsonl": ""})
        with pytest.raises(DatasetError, match=r"has both manifest\.csv and manifest\.jsonl: remo"):
            load(tmp_path)

    def test_other_ending(self, tmp_path: Path) -> None:
        """A file that is no manifest by its name is refused."""
        with pytest.raises(DatasetError, match=r"no manifest by its ending: name a \.csv, \.ts"):
            load(put(tmp_path, {"x.xlsx": "path\tlabel"}) / "x.xlsx")

    def test_other_encoding(self, tmp_path: Path) -> None:
        """A manifest that is not UTF-8 says so."""
        put(tmp_path, {"manifest.csv": "path,label\nä.bmp,x".encode("latin-1")})
        with pytest.raises(DatasetError, match=r"manifest\.csv:2: byte 0xe4 .*'ä\.bmp,x'.*UTF-8"):
            load(tmp_path)

    def test_only_the_first_problems_are_listed(self, tmp_path: Path) -> None:
        """A hopeless dataset does not flood the terminal; the rest is counted, if of many kinds."""
        names = ["".join(chr(97 + int(digit)) for digit in f"{number:02}") for number in range(50)]
        rows = "".join(f"{name}.bmp,{name}\n" for name in names)
        files = {"manifest.csv": "path,label\n" + rows, "dataset.toml": 'labels = ["x", "y"]'}
        put(tmp_path, files | {f"{name}.bmp": image(place) for place, name in enumerate(names)})
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pytest_llmclf.data.dataset.by_kind", list)
            lines = problems(tmp_path)
        assert len(lines) == LISTED_PROBLEMS + 1
        assert lines[-1] == "and 30 more"
        assert len(problems(tmp_path)) == 1


class TestDescription:
    """dataset.toml."""

    def test_all(self, tmp_path: Path) -> None:
        """Everything in it reaches the dataset."""
        text = (
            'name = "beasts"\nlabels = ["dog", "cat"]\nlicence = "CC0"\nabout = "Pets."\n'
            "imported = true\n"
        )
        dataset = load(put(pets(tmp_path), {"dataset.toml": text}))
        assert (dataset.name, dataset.labels) == ("beasts", ("dog", "cat"))
        assert (dataset.licence, dataset.about, dataset.imported) == ("CC0", "Pets.", True)
        assert load(tmp_path, name="mine", labels=["cat", "dog"]).name == "mine"

    def test_pattern(self, tmp_path: Path) -> None:
        """Its pattern is used unless the call has one."""
        put(tmp_path, {"dataset.toml": "pattern = '^(?P<label>.)'"})
        put(tmp_path, {"xa.bmp": image(0), "yb.bmp": image(1)})
        assert load(tmp_path).labels == ("x", "y")
        assert load(tmp_path, options=SourceOptions(pattern="^.(?P<label>.)")).labels == ("a", "b")

    def test_other_labels(self, tmp_path: Path) -> None:
        """Labels that contradict it are a problem."""
        put(pets(tmp_path), {"dataset.toml": 'labels = ["dog", "cat"]'})
        assert problems(tmp_path, labels=["cat", "cow"]) == [
            (
                "the labels given (cat, cow) are not those of dataset.toml (dog, cat): "
                "give none, or the same ones"
            )
        ]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("name = ", r"dataset\.toml cannot be read: "),
            ("lables = []", "unknown key 'lables'; did you mean 'labels'"),
            (
                "labels = [0, 1]",
                r'labels is \[0, 1\]: write a list of texts, labels = \["0", "1"\]',
            ),
            ("name = 1", r'name is 1: write text in quotes, name = "'),
            ('imported = "yes"', "imported is 'yes': write true or false"),
        ],
    )
    def test_broken(self, tmp_path: Path, text: str, said: str) -> None:
        """Typing errors in it are found, not passed over."""
        with pytest.raises(DatasetError, match=said):
            load(put(pets(tmp_path), {"dataset.toml": text}))


class TestImages:
    """The files themselves."""

    def test_unsound_images_stay(self, tmp_path: Path) -> None:
        """An image that cannot be asked about is never dropped without a word."""
        put(pets(tmp_path), {"cat/cut.bmp": image(9)[:-2], "cat/none.bmp": b""})
        cases = {case.id: case for case in load(tmp_path).cases}
        assert "cut or damaged" in (cases["cat/cut.bmp"].problem or "")
        assert cases["cat/none.bmp"].problem == "the file is empty: fetch or save it anew"
        assert cases["cat/1.bmp"].problem is None

    def test_without_verifying(self, tmp_path: Path) -> None:
        """Without decoding, nothing but the problems is missing: ids and hash are the same."""
        put(pets(tmp_path), {"cat/cut.bmp": image(9)[:-2]})
        quick, full = load(tmp_path, verify_images=False), load(tmp_path)
        assert quick.content_hash() == full.content_hash()
        assert ids(quick) == ids(full)
        assert not any(case.problem for case in quick.cases)

    def test_large_file(self, tmp_path: Path) -> None:
        """A file beyond the byte limit is hashed, but not held."""
        pets(tmp_path)
        (case, *_) = load(tmp_path, limits=ImageLimits(max_bytes=57)).cases
        assert case.sha256 == hashlib.sha256(image(0)).hexdigest()
        assert case.problem == "the file has 58 bytes, more than the 57 allowed: save it smaller"

    def test_twins_with_two_labels(self, tmp_path: Path) -> None:
        """One image under two labels is an error: one of them is wrong."""
        put(pets(tmp_path), {"dog/x.bmp": image(0)})
        assert problems(tmp_path) == [
            (
                "dog/x.bmp (label 'dog') is the same image as cat/1.bmp (label 'cat'): "
                "keep the right one"
            )
        ]

    def test_twins_with_one_label(self, tmp_path: Path) -> None:
        """One image twice under one label is kept twice, and said."""
        put(pets(tmp_path), {"cat/x.bmp": image(0)})
        dataset = load(tmp_path)
        assert len(dataset.cases) == 6
        assert dataset.warnings == (
            "the same image 2 times, and counted as often: cat/1.bmp, cat/x.bmp",
        )

    def test_many_twins(self, tmp_path: Path) -> None:
        """Three of them are named, and that there are more."""
        put(pets(tmp_path), {"cat/x.bmp": image(0), "cat/y.bmp": image(0)})
        assert load(tmp_path).warnings[0].endswith(": cat/1.bmp, cat/x.bmp, cat/y.bmp")
        put(tmp_path, {"cat/z.bmp": image(0)})
        assert load(tmp_path).warnings[0].endswith(": cat/1.bmp, cat/x.bmp, cat/y.bmp, ...")

    @pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
    def test_links(self, tmp_path: Path) -> None:
        """A link may point within the dataset, not out of it, and linked folders are not lost."""
        root = pets(tmp_path / "pets")
        put(tmp_path, {"outside/x.bmp": image(8)})
        (root / "cat" / "in.bmp").symlink_to(root / "cat" / "1.bmp")
        assert "cat/in.bmp" in ids(load(root))
        (root / "cat" / "out.bmp").symlink_to(tmp_path / "outside" / "x.bmp")
        (root / "dog" / "more").symlink_to(tmp_path / "outside")
        (folder, file) = problems(root)
        assert file.startswith("cat/out.bmp: ")
        assert "is a link out of the dataset's folder: copy the file into it, or trust" in file
        assert file.endswith("--llmclf-allow-links")
        assert folder.startswith("dog/more: a link to a folder, which is not followed: copy the i")

    @pytest.mark.skipif(
        sys.platform == "win32" or os.geteuid() == 0, reason="everything is readable here"
    )
    def test_unreadable(self, tmp_path: Path) -> None:
        """A file without read permission is a case with a problem."""
        (pets(tmp_path) / "cat" / "1.bmp").chmod(0)
        assert "mend its permissions" in (load(tmp_path).cases[0].problem or "")

    def test_another_working_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Cases of a dataset that was named by a relative path stay where they are."""
        pets(tmp_path / "pets")
        monkeypatch.chdir(tmp_path)
        assert load(Path("pets")).cases[0].path == tmp_path / "pets" / "cat" / "1.bmp"


class TestValue:
    """What is done with a dataset."""

    def test_content_hash(self, tmp_path: Path) -> None:
        """It changes with labels and cases, not with name, place or prose."""
        one = load(pets(tmp_path / "a"))
        two = load(pets(tmp_path / "b"), name="other")
        assert one.content_hash() == two.content_hash()
        cases = [[case.id, case.sha256, case.label, []] for case in one.cases]
        cases.sort()
        canonical = json.dumps({"labels": one.labels, "cases": cases}, separators=(",", ":"))
        assert one.content_hash() == hashlib.sha256(canonical.encode()).hexdigest()
        assert replace(one, about="x", licence="y").content_hash() == one.content_hash()
        assert replace(one, cases=one.cases[::-1]).content_hash() == one.content_hash()
        assert replace(one, labels=one.labels[::-1]).content_hash() != one.content_hash()
        tagged = replace(one.cases[0], tags={"a": "1", "b": "2"})
        turned = replace(one.cases[0], tags={"b": "2", "a": "1"})
        assert replace(one, cases=(tagged,)).content_hash() == (
            replace(one, cases=(turned,)).content_hash()
        )
        for change in ({"label": "dog"}, {"sha256": "0"}, {"id": "x"}, {"tags": {"a": "b"}}):
            case = replace(one.cases[0], **change)
            other = replace(one, cases=(case, *one.cases[1:]))
            assert other.content_hash() != one.content_hash()

    def test_sample(self) -> None:
        """N of each label, the same ones for the same seed, in the order of the dataset."""
        dataset = made({"a": 20, "b": 20, "c": 3})
        chosen = sample(dataset, 5, seed=1)
        assert [case.label for case in chosen.cases] == ["a"] * 5 + ["b"] * 5 + ["c"] * 3
        assert chosen == sample(dataset, 5, seed=1)
        assert ids(chosen) != ids(sample(dataset, 5, seed=2))
        assert ids(chosen) == [case.id for case in dataset.cases if case in chosen.cases]

    def test_sample_grows(self) -> None:
        """Another class changes nothing, and a larger sample contains the smaller one."""
        small = sample(made({"a": 20, "b": 20}), 5, seed=1)
        with_c = sample(made({"a": 20, "b": 20, "c": 9}), 5, seed=1)
        assert [case for case in with_c.cases if case.label != "c"] == list(small.cases)
        assert set(ids(small)) < set(ids(sample(made({"a": 20, "b": 20}), 6, seed=1)))

    def test_sample_is_fixed(self) -> None:
        """The choice is written down: it must not move between versions."""
        chosen = sample(made({"a": 100}), 4, seed=7)
        assert ids(chosen) == ["a/23", "a/55", "a/65", "a/83"]

    def test_sample_in_random_order(self) -> None:
        """In the order of asking a sample of a large class does not come before a small class."""
        dataset = made({"a": 1000, "b": 10})
        firsts = {seeded_order(ids(sample(dataset, 10, seed)), seed)[0][0] for seed in range(12)}
        assert firsts == {"a", "b"}

    @pytest.mark.parametrize("per_class", [0, -1])
    def test_empty_sample(self, per_class: int) -> None:
        """A sample of nothing is an error."""
        with pytest.raises(DatasetError, match=f"sample of {per_class} images .*at least 1"):
            sample(made({"a": 1}), per_class, seed=0)


class TestLocate:
    """Names of datasets."""

    def test_order(self, tmp_path: Path) -> None:
        """An imported set goes before a fixture, and that before a folder of the name."""
        imported, fixture = tmp_path / ".llmclf/datasets/mnist", tmp_path / "fixtures/mnist"
        own, shared = tmp_path / "mnist", tmp_path / "data/mnist"
        for expected in (own, fixture, imported):
            expected.mkdir(parents=True)
            assert locate("mnist", tmp_path, {}) == expected
        shared.mkdir(parents=True)
        assert locate("mnist", tmp_path, {"LLMCLF_DATA": "data"}) == shared
        assert locate("mnist", tmp_path, {"LLMCLF_DATA": str(tmp_path / "none")}) == fixture

    def test_path(self, tmp_path: Path) -> None:
        """A path counts from the root; a file is a path, too."""
        put(tmp_path, {"sets/a/manifest.csv": "", "fixtures/sets/a/x": ""})
        assert locate("sets/a", tmp_path, {}) == tmp_path / "sets/a"
        assert locate("sets/a/manifest.csv", tmp_path, {}).is_file()
        assert locate(str(tmp_path / "sets"), Path("/nowhere"), {}) == tmp_path / "sets"

    def test_missing(self, tmp_path: Path) -> None:
        """The error proposes a name and lists what there is."""
        put(tmp_path, {"fixtures/mnist/x": "", "fixtures/chess/x": ""})
        with pytest.raises(DatasetError) as caught:
            locate("mnits", tmp_path, {})
        said = str(caught.value)
        assert "there is no dataset 'mnits'; did you mean 'mnist'? (looked at " in said
        assert str(tmp_path / "fixtures" / "mnits") in said
        assert "there are: chess, mnist): name one of them, or give the path" in said

    def test_none(self, tmp_path: Path) -> None:
        """An empty name is no dataset, even where folders are."""
        with pytest.raises(DatasetError, match=r"\(looked at [^;]*\): give the path of a folder"):
            locate("", tmp_path, {})


def made(classes: dict[str, int]) -> Dataset:
    """A dataset without files."""
    cases = [
        Case(id=f"{label}/{number}", root=Path(), sha256=f"{label}{number}", label=label)
        for label, count in classes.items()
        for number in range(count)
    ]
    return Dataset(name="x", root=Path(), labels=tuple(classes), cases=tuple(cases))


@given(st.text(max_size=6), st.text(max_size=6))
def test_natural_order_is_total(one: str, two: str) -> None:
    """Any two texts can be compared, and only equal ones have the same place."""
    first, second = natural_key(one), natural_key(two)
    assert (first < second) + (second < first) == (one != two)


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("mnist", 10),
        ("animals", 10),
        ("chess", 6),
    ],
)
def test_fixtures(name: str, labels: int) -> None:
    """The datasets of this repository are sound, and each class has five images at least."""
    if not (FIXTURES / name).is_dir():
        pytest.skip("an installed copy has no fixtures")
    dataset = load(FIXTURES / name)
    assert len(dataset.labels) == labels
    counts = Counter(case.label for case in dataset.cases)
    assert min(counts[label] for label in dataset.labels) >= 5
    assert [case for case in dataset.cases if case.problem] == []
