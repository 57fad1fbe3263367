"""``llmclf import`` puts a downloaded data set where evaluations find it, all of it or nothing."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.cli import import_
from pytest_llmclf.data import dataset as datasets
from pytest_llmclf.data.archives.importer import Imported, import_archive
from pytest_llmclf.data.archives.layouts import LAYOUTS, layout_of
from pytest_llmclf.errors import DatasetError, SettingsError
from tests.forkserver import fresh_or_forked
from tests.unit.cli.archives import (
    animals,
    chessmen,
    digits,
    image,
    small_animals,
    tarred,
    unpacked,
    zipped,
)
from tests.unit.cli.command import call, parse

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[3]


def brought(kind: str, source: Path, dataset_directory: Path, **options: object) -> Imported:
    """An import with the usual choices."""
    layout = layout_of(kind)
    given = {"seed": 20, "per_class": layout.per_class, **options}
    return import_archive(layout, source, dataset_directory, **given)  # type: ignore[arg-type]


def manifest(folder: Path) -> list[dict[str, str]]:
    """The lines of a manifest."""
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def left_out(folder: Path) -> dict[str, str]:
    """Why what was not imported was not."""
    with (folder / "left-out.csv").open(encoding="utf-8", newline="") as file:
        return {row["path"]: row["reason"] for row in csv.DictReader(file)}


def everything(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class TestLayouts:
    """The three data sets as their publishers pack them."""

    def test_animals(self, tmp_path: Path) -> None:
        """Italian folders become the bundled dataset's labels; files get their contents' ending."""
        made = brought("animals10", zipped(tmp_path / "a.zip", animals()), tmp_path / "datasets")
        found = datasets.load(made.folder)
        bundled = datasets.load(ROOT / "fixtures" / "animals", verify_images=False)
        assert (found.name, found.labels, found.imported) == ("animals", bundled.labels, True)
        assert made.counts == dict.fromkeys(bundled.labels, 3)
        assert made.renamed == sum(case.id.endswith(".png") for case in found.cases) > 0
        assert {case.problem for case in found.cases} == {None}
        first = manifest(made.folder)[0]
        assert first["path"] == "butterfly/OIP-000.png"
        assert first["source"] == "Animals-10: raw-img/farfalla/OIP-000.jpeg"

    def test_digits(self, tmp_path: Path) -> None:
        """The training set is read; its sample and the test set without labels are not."""
        made = brought("mnist-jpg", zipped(tmp_path / "m.zip", digits(4)), tmp_path / "datasets")
        assert made.counts == dict.fromkeys("0123456789", 4)
        assert made.elsewhere == 20
        assert {row["source"].split("/")[0] for row in manifest(made.folder)} == {
            "MNIST as JPEG: trainingSet"
        }

    def test_the_sample_alone(self, tmp_path: Path) -> None:
        """Where only the sample was unpacked, it is what there is."""
        files = {name: data for name, data in digits().items() if "Set" not in name}
        made = brought("mnist-jpg", unpacked(tmp_path / "m", files), tmp_path / "datasets")
        assert sum(made.counts.values()) == 10
        assert len(made.short) == 10

    def test_chessmen(self, tmp_path: Path) -> None:
        """All of them but the broken ones, which are listed with the reason."""
        made = brought("chessman", zipped(tmp_path / "c.zip", chessmen(6)), tmp_path / "datasets")
        assert made.counts == dict.fromkeys(
            ("bishop", "king", "knight", "pawn", "queen", "rook"), 6
        )
        assert made.renamed == 6 * 4
        assert made.short == ()
        reasons = left_out(made.folder)
        assert [name.rpartition("/")[2] for name in reasons] == ["00000077.gif", "00000078.jpg"]
        assert all("cut" in reason for reason in reasons.values())

    def test_a_class_folder_given_as_the_top(self, tmp_path: Path) -> None:
        """The folder of the classes itself may be given."""
        folder = unpacked(tmp_path / "c", chessmen())
        made = brought(
            "chessman", folder / "Chessman-image-dataset" / "Chess", tmp_path / "datasets"
        )
        assert sum(made.counts.values()) == 24

    @pytest.mark.parametrize("deeper", ["", "archive/", "a/b/c/"])
    def test_packed_again_deeper(self, tmp_path: Path, deeper: str) -> None:
        """How deep the publisher's folders lie does not matter, nor which images it gives."""
        files = {f"{deeper}{name}": data for name, data in small_animals(4).items()}
        made = brought(
            "animals10", zipped(tmp_path / "a.zip", files), tmp_path / "datasets", per_class=2
        )
        chosen = [row["path"] for row in manifest(made.folder) if row["label"] == "cat"]
        assert chosen == ["cat/2.png", "cat/3.png"]

    @pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.kind)
    def test_labels_are_the_bundled_ones(self, layout: object) -> None:
        """So that the project's evaluations take the imported set without a change."""
        assert hasattr(layout, "dataset")
        bundled = datasets.load(ROOT / "fixtures" / layout.dataset, verify_images=False)
        assert layout_of(layout.kind).labels == bundled.labels  # type: ignore[attr-defined]


class TestChoice:
    """Which images are taken."""

    @pytest.mark.parametrize(
        "packed",
        [
            lambda folder, files: zipped(folder / "a.zip", files),
            lambda folder, files: tarred(folder / "a.tar", files),
            lambda folder, files: tarred(folder / "a.tar.gz", files),
            lambda folder, files: unpacked(folder / "a", files),
            lambda folder, files: zipped(folder / "b.zip", dict(reversed(files.items()))),
        ],
        ids=["zip", "tar", "tar.gz", "folder", "another order"],
    )
    def test_is_the_same_however_packed(
        self, tmp_path: Path, packed: Callable[[Path, dict[str, bytes]], Path]
    ) -> None:
        """Zip, tar and folder give the same files, byte for byte."""
        files = small_animals(6)
        reference = brought(
            "animals10", zipped(tmp_path / "r.zip", files), tmp_path / "one", per_class=2
        )
        made = brought("animals10", packed(tmp_path, files), tmp_path / "two", per_class=2)
        assert everything(made.folder) == everything(reference.folder)

    def test_depends_on_the_seed(self, tmp_path: Path) -> None:
        """Another seed, another choice of the same size; a larger one contains the smaller one."""
        source = zipped(tmp_path / "a.zip", small_animals(9))

        def chosen(name: str, seed: int, per_class: int) -> set[str]:
            made = brought("animals10", source, tmp_path / name, seed=seed, per_class=per_class)
            return {row["path"] for row in manifest(made.folder)}

        one, other, more = chosen("a", 1, 3), chosen("b", 2, 3), chosen("c", 1, 5)
        assert len(one) == len(other) == 30
        assert one != other
        assert one < more

    def test_a_broken_image_is_replaced(self, tmp_path: Path) -> None:
        """By the next one of its class, and the others stay chosen."""
        files = small_animals(8)
        whole = brought("animals10", zipped(tmp_path / "w.zip", files), tmp_path / "w", per_class=3)
        victim = manifest(whole.folder)[0]
        name = victim["source"].removeprefix("Animals-10: ")
        files[name] = files[name][:-20]
        made = brought("animals10", zipped(tmp_path / "a.zip", files), tmp_path / "s", per_class=3)
        assert made.counts == whole.counts
        before, now = ({row["path"] for row in manifest(it.folder)} for it in (whole, made))
        assert before - now == {victim["path"]}
        assert list(left_out(made.folder)) == [name]

    def test_the_same_image_twice(self, tmp_path: Path) -> None:
        """Counts once; under two labels it does not count at all, and both are listed."""
        files = small_animals(4)
        files["raw-img/cane/0.png"] = files["raw-img/cane/1.png"]
        files["raw-img/gatto/2.png"] = files["raw-img/mucca/2.png"]
        made = brought("animals10", zipped(tmp_path / "a.zip", files), tmp_path / "s")
        assert {made.counts[label] for label in ("dog", "cat", "cow")} == {3}
        assert set(left_out(made.folder)) >= {"raw-img/gatto/2.png", "raw-img/mucca/2.png"}
        assert datasets.load(made.folder).warnings == ()
        on_disk = {path.stem for path in (made.folder / "cat").iterdir()}
        assert on_disk == {"0", "1", "3"}

    def test_a_third_copy_of_an_ambiguous_image(self, tmp_path: Path) -> None:
        """Stays out, too."""
        files = small_animals(4)
        for folder in ("cane", "gatto", "mucca"):
            files[f"raw-img/{folder}/9.png"] = image(60_000)
        made = brought("animals10", zipped(tmp_path / "a.zip", files), tmp_path / "s")
        assert len(made.left_out) == 3
        assert set(made.counts.values()) == {4}


class TestAllOrNothing:
    """An import that fails leaves the folder as it was."""

    def check(self, dataset_directory: Path, source: Path, says: str, **options: object) -> None:
        before = everything(dataset_directory) if dataset_directory.exists() else {}
        with pytest.raises(DatasetError, match=says):
            brought("animals10", source, dataset_directory, **options)
        assert (everything(dataset_directory) if dataset_directory.exists() else {}) == before
        assert not [item.name for item in dataset_directory.glob(".*")]

    def test_there_already(self, tmp_path: Path) -> None:
        """Refused, unless it is to be replaced; then it is, as a whole."""
        dataset_directory = tmp_path / "datasets"
        first = zipped(tmp_path / "a.zip", small_animals(3))
        brought("animals10", first, dataset_directory)
        self.check(dataset_directory, first, "--force")
        made = brought(
            "animals10", zipped(tmp_path / "b.zip", small_animals(2)), dataset_directory, force=True
        )
        assert len(manifest(made.folder)) == 20
        assert [item.name for item in dataset_directory.iterdir()] == ["animals"]

    def test_a_failing_replacement_keeps_the_old_one(self, tmp_path: Path) -> None:
        """Also where it fails after many images were written."""
        dataset_directory = tmp_path / "datasets"
        brought("animals10", zipped(tmp_path / "a.zip", small_animals(3)), dataset_directory)
        files = {
            name: b"no image" if "scoiattolo" in name else data
            for name, data in small_animals(3).items()
        }
        bad = zipped(tmp_path / "b.zip", files)
        self.check(dataset_directory, bad, "no sound image of squirrel", force=True)

    def test_interrupted(self, tmp_path: Path) -> None:
        """Ctrl-C in the middle leaves what was there, and no half import."""
        dataset_directory = tmp_path / "datasets"
        brought("animals10", zipped(tmp_path / "a.zip", small_animals(3)), dataset_directory)
        before = everything(dataset_directory)

        def interrupt(what: str, done: int, total: int) -> None:  # noqa: ARG001 - as it is called
            if done == 12:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            brought(
                "animals10",
                zipped(tmp_path / "b.zip", small_animals(4)),
                dataset_directory,
                force=True,
                progress=interrupt,
            )
        assert everything(dataset_directory) == before
        assert [item.name for item in dataset_directory.iterdir()] == ["animals"]

    def test_a_class_is_missing(self, tmp_path: Path) -> None:
        """Said with the folder's name."""
        files = {name: data for name, data in small_animals(2).items() if "ragno" not in name}
        self.check(tmp_path / "datasets", zipped(tmp_path / "a.zip", files), "'ragno'")

    def test_another_data_set(self, tmp_path: Path) -> None:
        """Recognised by its folders."""
        source = zipped(tmp_path / "a.zip", digits())
        self.check(
            tmp_path / "datasets", source, "looks like MNIST as JPEG: llmclf import mnist-jpg"
        )

    def test_archives_in_an_archive(self, tmp_path: Path) -> None:
        """Are not opened; that is said."""
        source = zipped(tmp_path / "a.zip", {"raw-img.zip": b"PK\x03\x04"})
        self.check(tmp_path / "datasets", source, "unpack them")

    @pytest.mark.skipif(sys.platform == "win32", reason="a file cannot stand for a folder there")
    def test_an_unwritable_shelf(self, tmp_path: Path) -> None:
        """Said with the place and the remedy."""
        (tmp_path / "file").write_text("")
        source = zipped(tmp_path / "a.zip", small_animals(2))
        with pytest.raises(DatasetError, match=r"cannot be written .* --home"):
            brought("animals10", source, tmp_path / "file" / "datasets")


class TestCommand:
    """The command line."""

    def test_says_what_was_imported(
        self, project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Counts, what was left out and what to do next; and keeps the home out of git."""
        files = small_animals(4)
        files["raw-img/cane/\x1b[2J\u202e.png"] = b"no image"
        source = zipped(tmp_path / "a.zip", files)
        assert call(import_, "import", "animals10", str(source), "--all") == 0
        said = capsys.readouterr()
        assert "animals: 40 images of Animals-10, 10 classes" in said.out
        assert "1 left out" in said.out
        assert "\\x1b[2J\\u202e.png" in said.out
        assert "\x1b" not in said.out
        assert said.out.rstrip().endswith("Next: pytest evals/")
        assert said.err == ""
        assert (project / ".llmclf" / ".gitignore").read_text() == "*\n"
        assert datasets.locate("animals", project, {}) == project / ".llmclf/datasets/animals"

    def test_another_home(
        self, project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Says how evaluations are told."""
        source = zipped(tmp_path / "a.zip", small_animals(2))
        call(import_, "import", "animals10", str(source), "--home", str(tmp_path / "h"))
        dataset_directory = tmp_path / "h" / "datasets"
        assert f"LLMCLF_DATA={dataset_directory}" in capsys.readouterr().out
        given = {"LLMCLF_DATA": str(dataset_directory)}
        assert datasets.locate("animals", project, given) == dataset_directory / "animals"

    def test_the_shelf_of_the_environment(
        self, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An import goes where evaluations of this environment look."""
        monkeypatch.setenv("LLMCLF_DATA", "my data")
        call(import_, "import", "chessman", str(zipped(tmp_path / "c.zip", chessmen())))
        assert datasets.locate("chess", project) == project / "my data" / "chess"

    def test_a_kind_that_is_none(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Says which was probably meant."""
        with pytest.raises(SystemExit) as caught:
            parse(import_, "import", "animal10", "a.zip")
        assert caught.value.code == 2
        assert "did you mean 'animals10'?" in capsys.readouterr().err

    @pytest.mark.usefixtures("project")
    def test_options_that_exclude_each_other(self) -> None:
        """All, and so many a class."""
        with pytest.raises(SettingsError, match="--all and --per-class"):
            call(import_, "import", "animals10", "a.zip", "--all", "--per-class", "3")


def test_evaluations_use_the_imported_set(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The project's own evaluation of animals, untouched, collects the imported images."""
    for folder in ("modelfiles", "evals"):
        shutil.rmtree(project / folder, ignore_errors=True)
        shutil.copytree(ROOT / folder, project / folder)
    shutil.copytree(ROOT / "fixtures" / "animals", project / "fixtures" / "animals")
    (project / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)

    def collected() -> list[str]:
        spare = [arg for name in ("cacheprovider", "xdist") for arg in ("-p", f"no:{name}")]
        model = ["--llmclf-model", "micro-llava"]
        where = ["evals/test_animals.py", f"--rootdir={project}", "--collect-only", "-q"]
        result = subprocess.run(  # noqa: S603 - our own interpreter
            [fresh_or_forked(), "-m", "pytest", *spare, *model, *where],
            capture_output=True, text=True, check=False, timeout=60, cwd=project,
        )  # fmt: skip
        assert result.returncode == 0, result.stdout + result.stderr
        return [line for line in result.stdout.splitlines() if "test_image[" in line]

    assert len(collected()) == 143
    call(import_, "import", "animals10", str(zipped(tmp_path / "a.zip", animals(5))))
    now = collected()
    assert len(now) == 50
    assert all("OIP-" in line for line in now)
