"""Decisions applied to a dataset: labels corrected, images left out, and nothing guessed."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf.data.dataset import Dataset, load
from pytest_llmclf.data.decision_files import decision_files, decisions_file
from pytest_llmclf.data.decisions import Decision, append_decisions
from pytest_llmclf.data.entry import SourceOptions
from pytest_llmclf.data.given import read_given
from pytest_llmclf.errors import DatasetError
from pytest_llmclf.values.reviewed import DatasetReview, ImageReview
from tests.unit.test_dataset import image, pets, put
from tests.unit.test_decisions import AT, decided

if TYPE_CHECKING:
    from pathlib import Path


def about(id_: str, number: int, kind: str = "relabel", **more: Any) -> Decision:
    """A decision about an image of `pets`, with `image(number)` as its bytes."""
    was = (id_.partition("/")[0],)
    other = {"cat": "dog", "dog": "cat"}[was[0]]
    labels = {"accept": was, "relabel": (other,), "also": (*was, other)}.get(kind, ())
    sha256 = hashlib.sha256(image(number)).hexdigest()
    return decided(kind, image=id_, sha256=sha256, **{"was": was, "labels": labels, **more})


def mended(root: Path, *decisions: Decision, **options: Any) -> Dataset:
    """The dataset in `root` after these decisions."""
    own = decisions_file(root, root.parent)
    append_decisions(own, decisions)
    return load(root, decisions=decision_files(own), **options)


def refused(root: Path, *decisions: Decision) -> str:
    """What is said of decisions that cannot be applied."""
    with pytest.raises(DatasetError) as caught:
        mended(root, *decisions)
    return str(caught.value).splitlines()[1].strip()


def labels(dataset: Dataset) -> dict[str, tuple[str, ...]]:
    return {case.id: case.labels for case in dataset.cases}


class TestApplied:
    """What becomes of the images."""

    def test_each_kind(self, tmp_path: Path) -> None:
        """The files stay; labels, what is asked about and the content hash change."""
        root = pets(tmp_path / "pets")
        before = load(root)
        found = mended(
            root,
            about("cat/1.bmp", 0),
            about("cat/2.bmp", 1, "also"),
            about("cat/10.bmp", 2, "leave-out", by="ben"),
            about("dog/1.bmp", 3, "accept", control=True),
            about("dog/b/2.bmp", 4, "unsure"),
        )
        assert labels(found) == {
            "cat/1.bmp": ("dog",),
            "cat/2.bmp": ("cat", "dog"),
            "dog/1.bmp": ("dog",),
            "dog/b/2.bmp": ("dog",),
        }
        assert found.review == DatasetReview(
            confirmed=1, confirmers=1, corrected=2, reviewers=2, left_out=("cat/10.bmp",),
            unsure=("dog/b/2.bmp",), control=1,
        )  # fmt: skip
        reviews = {case.id: case.review for case in found.cases}
        assert reviews["cat/1.bmp"] == ImageReview(status="corrected", original=("cat",))
        assert reviews["dog/1.bmp"] == ImageReview(
            status="confirmed", original=("dog",), control=True
        )
        assert found.content_hash() != before.content_hash()
        assert load(root) == before

    def test_a_confirmed_label_changes_no_result(self, tmp_path: Path) -> None:
        """So the content hash, by which results are compared, stays."""
        root = pets(tmp_path / "pets")
        before = load(root).content_hash()
        assert mended(root, about("cat/1.bmp", 0, "accept")).content_hash() == before

    def test_who_disagrees_changes_nothing(self, tmp_path: Path) -> None:
        """The image is left as it was, and listed, until one of them thinks again."""
        root = pets(tmp_path / "pets")
        found = mended(root, about("cat/1.bmp", 0), about("cat/1.bmp", 0, "accept", by="ben"))
        assert found.review is not None
        assert (found.review.disputed, found.review.corrected) == (("cat/1.bmp",), 0)
        assert labels(found)["cat/1.bmp"] == ("cat",)
        again = about("cat/1.bmp", 0, by="ben", at=AT + timedelta(hours=1))
        assert labels(mended(root, again))["cat/1.bmp"] == ("dog",)

    def test_files_of_several_people(self, tmp_path: Path) -> None:
        """Lie side by side, and are no images."""
        root = pets(tmp_path / "pets")
        append_decisions(root / "decisions-ben.jsonl", [about("cat/2.bmp", 1)])
        assert labels(mended(root, about("cat/1.bmp", 0)))["cat/1.bmp"] == ("dog",)
        assert labels(mended(root))["cat/2.bmp"] == ("dog",)

    def test_what_a_model_said_is_told_only_where_it_was_taken_over(self, tmp_path: Path) -> None:
        """And from which model."""
        root = pets(tmp_path / "pets")
        found = mended(
            root,
            about("cat/1.bmp", 0, followed={"m1": "dog", "m2": "cat"}),
            about("dog/1.bmp", 3, "accept", followed={"m1": "cat"}),
        )
        taken = {case.id: case.review.followed for case in found.cases if case.review}
        assert taken == {"cat/1.bmp": ("m1",), "dog/1.bmp": ()}


class TestCopies:
    """The same bytes are the same image."""

    def test_are_decided_about_together(self, tmp_path: Path) -> None:
        """Or a decision about one of them would make the dataset contradict itself."""
        root = put(pets(tmp_path / "pets"), {"cat/copy.bmp": image(0)})
        found = mended(root, about("cat/1.bmp", 0))
        assert labels(found)["cat/copy.bmp"] == labels(found)["cat/1.bmp"] == ("dog",)
        assert found.review is not None
        assert found.review.corrected == 2

    def test_under_two_labels_are_mended(self, tmp_path: Path) -> None:
        """A dataset that could not be judged can be, once somebody said which one is right."""
        root = put(pets(tmp_path / "pets"), {"dog/copy.bmp": image(0)})
        with pytest.raises(DatasetError, match="is the same image as"):
            load(root)
        assert labels(mended(root, about("dog/copy.bmp", 0)))["dog/copy.bmp"] == ("cat",)

    def test_a_file_that_was_moved_keeps_its_decision(self, tmp_path: Path) -> None:
        """Within its class; into another class it is mended at its source."""
        root = pets(tmp_path / "pets")
        mended(root, about("cat/1.bmp", 0), about("cat/2.bmp", 1))
        (root / "cat/1.bmp").rename(root / "cat/new.bmp")
        (root / "cat/2.bmp").rename(root / "dog/new.bmp")
        found = mended(root)
        assert labels(found)["cat/new.bmp"] == labels(found)["dog/new.bmp"] == ("dog",)
        assert found.review is not None
        assert found.review.gone == ()


class TestRefused:
    """A decision about something that is not there any more is never applied."""

    def test_the_file_changed(self, tmp_path: Path) -> None:
        """With the place, both digests and what to do."""
        root = pets(tmp_path / "pets")
        said = refused(root, about("cat/1.bmp", 9))
        assert said.startswith("decisions.jsonl:1: a decision of 'anna' about 'cat/1.bmp' is refus")
        assert "the file has changed since, sha256" in said
        assert said.endswith(f"take it back: llmclf labels revert {root} cat/1.bmp")
        again = about("cat/1.bmp", 0, "accept", by="ben")
        assert labels(mended(root, again))["cat/1.bmp"] == ("cat",)

    def test_the_label_changed(self, tmp_path: Path) -> None:
        """Unless it was changed to what was decided."""
        root = put(tmp_path / "t", {"1.bmp": image(1), "2.bmp": image(2), "3.bmp": image(3)})
        table = "path,label\n1.bmp,{}\n2.bmp,cat\n3.bmp,dog\n"
        put(root, {"manifest.csv": table.format("dog")})
        one = replace(about("cat/1", 1), image="1.bmp")
        found = mended(root, one)
        assert labels(found)["1.bmp"] == ("dog",)
        assert found.review is not None
        assert found.review.corrected == 0
        put(root, {"manifest.csv": table.format("fox")})
        assert "its label was 'cat' then and is 'fox' now" in refused(root)

    def test_an_unknown_label(self, tmp_path: Path) -> None:
        """With the label that was probably meant."""
        said = refused(pets(tmp_path / "pets"), about("cat/1.bmp", 0, labels=("dgo",)))
        assert said.startswith("decisions.jsonl:1: label 'dgo' of 'cat/1.bmp' is not one of [cat, ")
        assert said.endswith("did you mean 'dog'?")

    def test_an_image_that_is_gone_is_listed(self, tmp_path: Path) -> None:
        """It stops nothing; one that was to be left out is no news."""
        root = pets(tmp_path / "pets")
        gone = about("cat/7.bmp", 70), about("cat/8.bmp", 80, "leave-out")
        found = mended(root, *gone)
        assert found.review == DatasetReview(gone=("cat/7.bmp",))
        assert len(found.cases) == 5

    def test_an_image_of_another_part_is_not_gone(self, tmp_path: Path) -> None:
        """Where a table has all parts of a split, and one is asked about."""
        root = put(tmp_path / "t", {f"{n}.bmp": image(n) for n in range(4)})
        rows = "0.bmp,cat,train\n1.bmp,dog,train\n2.bmp,cat,test\n3.bmp,dog,test\n"
        put(root, {"manifest.csv": "path,label,split\n" + rows})
        one = replace(about("cat/0", 0), image="0.bmp")
        found = mended(root, one, options=SourceOptions(split="test"))
        assert found.review == DatasetReview()
        assert len(found.cases) == 2


class TestPlaces:
    """Where the file lies."""

    def test_of_every_kind_of_dataset(self, tmp_path: Path) -> None:
        """In git, and never where an import would replace it."""
        root = pets(tmp_path / "fixtures" / "pets")
        assert decisions_file(root, tmp_path) == root / "decisions.jsonl"
        put(root, {"manifest.csv": "", "more.csv": ""})
        assert decisions_file(root / "manifest.csv", tmp_path) == root / "decisions.jsonl"
        assert decisions_file(root / "more.csv", tmp_path) == root / "more.decisions.jsonl"
        split = put(tmp_path / "s", {f"{part}/{pet}/{n}.bmp": image(n) for part in ("train", "test")
                                     for n, pet in enumerate(("cat", "dog"))})  # fmt: skip
        assert decisions_file(split, tmp_path, split="test") == split / "test" / "decisions.jsonl"
        imported = pets(tmp_path / ".llmclf" / "datasets" / "pets")
        assert decisions_file(imported, tmp_path) == tmp_path / "decisions" / "pets.jsonl"

        def source() -> list[tuple[bytes, str]]:
            return [(image(1), "cat"), (image(2), "dog")]

        given = read_given(source, root=tmp_path, kept=tmp_path / "kept")
        own = decisions_file(given, tmp_path, title="my/pets")
        assert own == tmp_path / "decisions" / "my-pets.jsonl"
        sha256 = hashlib.sha256(image(1)).hexdigest()
        one = decided(image=f"{sha256[:20]}.bmp", sha256=sha256)
        append_decisions(own, [one])
        assert load(given, decisions=decision_files(own)).review == DatasetReview(
            corrected=1, reviewers=1
        )
