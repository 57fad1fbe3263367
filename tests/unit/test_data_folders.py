"""Folders as people have them: splits, wrappers and folders in folders are no labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.data.dataset import load
from pytest_llmclf.data.entry import SourceOptions
from pytest_llmclf.data.folders import split_kind
from pytest_llmclf.errors import DatasetError
from tests.unit.test_dataset import ids, image, pets, problems, put

if TYPE_CHECKING:
    from pathlib import Path


def tree(root: Path, *names: str) -> Path:
    """Images at these places, no two the same."""
    return put(root, {name: image(number) for number, name in enumerate(names)})


def classes(*parts: str) -> list[str]:
    """Two images of two classes in each part."""
    return [f"{part}/{label}/{n}.bmp" for part in parts for label in ("cat", "dog") for n in (1, 2)]


def read(root: Path, **choices: object) -> list[tuple[str, str]]:
    """Id and label of every case."""
    dataset = load(root, options=SourceOptions(**choices))  # type: ignore[arg-type]
    return [(case.id, case.label) for case in dataset.cases]


class TestSplits:
    """The parts of a split are no classes."""

    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("train", "train"), ("Training", "train"), ("trainingSet", "train"),
            ("training_set", "train"), ("trainset", "train"), ("TRAIN", "train"),
            ("seg_train", "train"), ("train_images", "train"), ("trainingSample", "train"),
            ("train2017", "train"), ("val", "val"), ("valid", "val"), ("validation", "val"),
            ("dev", "val"), ("images-val", "val"), ("test", "test"), ("testing", "test"),
            ("Test_Set", "test"), ("testSet", "test"), ("eval", "test"), ("holdout", "test"),
            ("cat", None), ("train_station", None), ("trains", None), ("testament", None),
            ("set", None), ("images", None), ("0", None), ("train_test", None),
        ],
    )  # fmt: skip
    def test_names(self, name: str, kind: str | None) -> None:
        """Spellings of the parts, and names that only begin like one."""
        assert split_kind(name) == kind

    @pytest.mark.parametrize(
        ("parts", "given"),
        [
            (("train", "val", "test"), "test"),
            (("train", "valid"), "valid"),
            (("Training", "Testing"), "Testing"),
            (("train", "dev", "eval"), "eval"),
            (("train",), "train"),
            (("seg_train/seg_train", "seg_test/seg_test"), "seg_test/seg_test"),
            (("trainingSet/trainingSet", "testSet/testSet"), "testSet/testSet"),
        ],
    )
    def test_a_root_is_refused_with_the_path_to_give(
        self, tmp_path: Path, parts: tuple[str, ...], given: str
    ) -> None:
        """The path in the message is one that works."""
        (problem,) = problems(tree(tmp_path, *classes(*parts)))
        assert f"give the part to judge, {tmp_path / given}" in problem
        assert f"split='{given.partition('/')[0]}'" in problem
        assert load(tmp_path / given).labels == ("cat", "dog")

    def test_what_the_message_says_works(self, tmp_path: Path) -> None:
        """So do the option and its usual spellings; ids count from the part."""
        tree(tmp_path, *classes("train", "valid", "test"))
        for split in ("test", "Test", "testing", "eval"):
            dataset = load(tmp_path, options=SourceOptions(split=split))
            assert dataset.name == f"{tmp_path.name} ({split})"
            assert dataset.content_hash() == load(tmp_path / "test").content_hash()
            assert dataset.root == tmp_path / "test"
        assert load(tmp_path, options=SourceOptions(split="validation")).root == tmp_path / "valid"
        everything = read(tmp_path, label_folder="last")
        assert {label for _, label in everything} == {"cat", "dog"}
        assert len(everything) == 12

    def test_parts_without_classes_are_said(self, tmp_path: Path) -> None:
        """A test folder without labels, as competitions have it, is not proposed."""
        tree(tmp_path, *classes("train"), "test/1.bmp", "test/2.bmp")
        (problem,) = problems(tmp_path)
        assert f"give the part to judge, {tmp_path / 'train'}, or say split='train'" in problem
        assert "(test holds images without a folder a class" in problem

    def test_no_such_part(self, tmp_path: Path) -> None:
        """The message lists the folders that there are."""
        tree(tmp_path, *classes("train", "test"))
        with pytest.raises(DatasetError, match=r"no folder for split='tst'.*did you mean 'test'"):
            read(tmp_path, split="tst")
        with pytest.raises(DatasetError, match=r"no folder for split='val'.*its folders: test, tr"):
            read(tmp_path, split="val")

    def test_two_such_parts(self, tmp_path: Path) -> None:
        """The exact name decides; a kind that several are is not chosen from."""
        tree(tmp_path, *classes("trainingSet/trainingSet", "trainingSample/trainingSample"))
        with pytest.raises(DatasetError, match="several folders for split='train': name one, tra"):
            read(tmp_path, split="train")
        assert len(read(tmp_path, split="trainingSample")) == 4

    def test_a_class_may_be_called_train(self, tmp_path: Path) -> None:
        """Beside other classes, with images of its own, it is one like any other."""
        dataset = load(tree(tmp_path, "train/1.bmp", "bus/1.bmp", "car/1.bmp"))
        assert dataset.labels == ("bus", "car", "train")
        assert dataset.warnings == ()

    def test_parts_that_hold_images_are_classes_and_that_is_said(self, tmp_path: Path) -> None:
        """Perhaps somebody's two classes are called so."""
        dataset = load(tree(tmp_path, "train/1.bmp", "test/1.bmp"))
        assert dataset.labels == ("test", "train")
        assert any("test, train are called like the parts" in each for each in dataset.warnings)

    def test_labels_given_settle_it(self, tmp_path: Path) -> None:
        """Whoever lists train and test as labels means them."""
        tree(tmp_path, *classes("train", "test"))
        dataset = load(tmp_path, labels=["train", "test"])
        assert dataset.labels == ("train", "test")
        assert dataset.warnings == ()

    def test_flat_parts(self, tmp_path: Path) -> None:
        """With the labels in the file names, a pattern reads all parts and says so."""
        tree(tmp_path, "train/cat_1.bmp", "train/dog_1.bmp", "test/cat_2.bmp", "test/dog_2.bmp")
        pattern = r"^(?P<label>[a-z]+)_"
        everything = load(tmp_path, options=SourceOptions(pattern=pattern))
        assert len(everything.cases) == 4
        assert any("are read together" in each for each in everything.warnings)
        assert read(tmp_path, split="test") == [("cat_2.bmp", "cat"), ("dog_2.bmp", "dog")]
        assert len(read(tmp_path, split="test", pattern=pattern)) == 2


class TestWrappers:
    """One folder around the dataset."""

    def test_the_path_to_give(self, tmp_path: Path) -> None:
        """However many wrappers there are."""
        tree(tmp_path, *classes("data/pets"))
        (problem,) = problems(tmp_path)
        assert "holds the folder data alone, which would be the only label" in problem
        assert problem.endswith(f"give {tmp_path / 'data' / 'pets'}")

    def test_a_wrapped_split(self, tmp_path: Path) -> None:
        """The option finds the part in the wrapper; the path leads to what is refused next."""
        tree(tmp_path, *classes("pets/train", "pets/test"))
        assert f"give {tmp_path / 'pets'}" in problems(tmp_path)[0]
        assert f"give the part to judge, {tmp_path / 'pets/test'}" in problems(tmp_path / "pets")[0]
        assert len(read(tmp_path, split="test")) == 4

    def test_one_class_is_no_wrapper(self, tmp_path: Path) -> None:
        """One folder with images is one label too few, as ever."""
        assert "this one has 'cat'" in problems(tree(tmp_path, "cat/1.bmp", "cat/2.bmp"))[0]


class TestNested:
    """Folders in folders."""

    LEVELS = ("bird/eagle/1.bmp", "bird/owl/1.bmp", "mammal/cat/1.bmp", "mammal/dog/1.bmp")

    def test_both_readings_are_named(self, tmp_path: Path) -> None:
        """And each remedy works."""
        (problem,) = problems(tree(tmp_path, *self.LEVELS))
        assert problem.startswith("bird/ has no image of its own but the folders eagle, owl, and")
        assert (
            'label_folder="first" in the Evaluation (or in dataset.toml) for the labels bird, m'
            in problem
        )
        assert 'label_folder="last" for cat, dog, eagle, owl' in problem
        first, last = read(tmp_path, label_folder="first"), read(tmp_path, label_folder="last")
        assert [label for _, label in first] == ["bird", "bird", "mammal", "mammal"]
        assert [label for _, label in last] == ["eagle", "owl", "cat", "dog"]
        put(tmp_path, {"dataset.toml": 'label_folder = "last"'})
        assert read(tmp_path) == last
        assert read(tmp_path, label_folder="first") == first

    def test_one_folder_each_is_a_finer_level_too(self, tmp_path: Path) -> None:
        """It is never dropped because a class has one part only."""
        assert "either level" in problems(tree(tmp_path, "bird/owl/1.bmp", "mammal/cat/1.bmp"))[0]

    def test_the_same_inner_folder_tells_nothing_apart(self, tmp_path: Path) -> None:
        """``n01443537/images/`` and its like are no labels."""
        assert load(tree(tmp_path, "cat/images/1.bmp", "dog/images/1.bmp")).labels == ("cat", "dog")

    def test_images_beside_folders_stay_as_they_were(self, tmp_path: Path) -> None:
        """A class with images of its own and more in folders is one class."""
        assert load(pets(tmp_path)).labels == ("cat", "dog")

    def test_labels_given_settle_it(self, tmp_path: Path) -> None:
        """As for splits."""
        dataset = load(tree(tmp_path, *self.LEVELS), labels=["mammal", "bird"])
        assert {case.label for case in dataset.cases} == {"bird", "mammal"}

    def test_a_wrong_word(self, tmp_path: Path) -> None:
        """Is refused in the description, too."""
        put(tree(tmp_path, *self.LEVELS), {"dataset.toml": 'label_folder = "second"'})
        with pytest.raises(DatasetError, match="label_folder is 'second': write one of first"):
            load(tmp_path)

    def test_flat(self, tmp_path: Path) -> None:
        """Without folders the word has no meaning, and that is said."""
        tree(tmp_path, "cat_1.bmp", "dog_1.bmp")
        with pytest.raises(DatasetError, match="label_folder='last' is for folders of classes"):
            read(tmp_path, label_folder="last")


LEFT = (
    "@eaDir/cat.jpg/SYNOPHOTO_THUMB.jpg", "#recycle/old.bmp", "$RECYCLE.BIN/x.bmp",
    "lost+found/1.bmp", "System Volume Information/x.bmp", "__MACOSX/cat/._1.bmp",
    ".ipynb_checkpoints/1.bmp", "Thumbs.db", "desktop.ini", ".DS_Store", "._1.bmp", "ehthumbs.db",
)  # fmt: skip


@pytest.mark.parametrize("place", ["", "cat/"])
def test_left_overs_are_no_classes_and_no_images(tmp_path: Path, place: str) -> None:
    """What NAS boxes and systems leave behind is passed over, at the top and in a class."""
    put(pets(tmp_path), {f"{place}{name}": "x" for name in LEFT})
    dataset = load(tmp_path)
    assert ids(dataset) == ["cat/1.bmp", "cat/2.bmp", "cat/10.bmp", "dog/1.bmp", "dog/b/2.bmp"]
    assert dataset.warnings == ()


def test_left_overs_around_a_split(tmp_path: Path) -> None:
    """They are no parts, and no reason to see no split."""
    tree(tmp_path, *classes("train", "test"))
    put(tmp_path, dict.fromkeys(LEFT, "x"))
    assert f"give the part to judge, {tmp_path / 'test'}" in problems(tmp_path)[0]


class TestFileNames:
    """The default pattern."""

    def test_merged_labels_are_said(self, tmp_path: Path) -> None:
        """With examples and a pattern that parts them."""
        names = ("american_bulldog_1.bmp", "american_pit_bull_terrier_1.bmp", "pug_1.bmp")
        dataset = load(tree(tmp_path, *names))
        (warning,) = dataset.warnings
        assert warning.startswith(f"{names[0]} and {names[1]} both get the label 'american'")
        pattern = warning.partition("pattern=r'")[2].partition("'")[0]
        assert load(tmp_path, options=SourceOptions(pattern=pattern)).labels == (
            "american_bulldog", "american_pit_bull_terrier", "pug",
        )  # fmt: skip

    @pytest.mark.parametrize(
        "names",
        [
            ("7_img_117.bmp", "7_img_2.bmp", "8_img_1.bmp"),
            ("cat_front_1.bmp", "cat_back_2.bmp", "dog_front_1.bmp", "dog_back_1.bmp"),
            ("cat_a3f_1.bmp", "cat_b7c_2.bmp", "dog_99e_3.bmp"),
            ("cat_1.bmp", "cat_2.bmp", "dog_1.bmp"),
            ("cat_2024_01_02.bmp", "cat_2024_01_03.bmp", "dog_2024_01_02.bmp"),
        ],
    )
    def test_no_label_of_several_words(self, tmp_path: Path, names: tuple[str, ...]) -> None:
        """Nothing is said of names whose further words are no part of the label."""
        assert load(tree(tmp_path, *names)).warnings == ()

    def test_a_table_beside_them(self, tmp_path: Path) -> None:
        """A table with a name of its own is proposed where nothing else has labels."""
        put(tree(tmp_path, "1.bmp", "2.bmp"), {"truth.csv": "file,label\n1.bmp,cat\n2.bmp,dog\n"})
        assert f"give {tmp_path / 'truth.csv'} as the dataset" in problems(tmp_path)[-1]
        assert load(tmp_path / "truth.csv").labels == ("cat", "dog")
