"""Images that are held out: which they are, and what is said of both parts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf.data.dataset import Dataset
from pytest_llmclf.data.holdout import hold_out
from pytest_llmclf.errors import DatasetError, SettingsError
from pytest_llmclf.gates.tuning_looks import (
    TuningLook,
    holdout_note,
    note_tuning_looks,
    read_tuning_looks,
)
from pytest_llmclf.runner.evaluation import Evaluation
from pytest_llmclf.values.case import Case

if TYPE_CHECKING:
    from collections.abc import Sequence

LOOK = TuningLook(evaluation="e", dataset="d", part="tuning", told="t", model="m", data="1")


def dataset(*cases: Case) -> Dataset:
    return Dataset(name="d", root=Path("d"), labels=("a", "b"), cases=cases)


def case(number: int, label: str, content: int, scene: int | None = None) -> Case:
    tags = {} if scene is None else {"scene": str(scene)}
    id_ = f"{label}/{number}.png"
    return Case(id=id_, root=Path("d"), label=label, sha256=f"{content:064x}", tags=tags)


datasets = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 30), st.none() | st.integers(0, 6)),
    min_size=1,
    max_size=40,
).map(lambda rows: dataset(*(case(number, *row) for number, row in enumerate(rows))))
shares = st.sampled_from([0.1, 0.3, 0.5, 0.8])


def parts(whole: Dataset, share: float, group: str = "") -> tuple[list[str], list[str]] | None:
    """The ids of both parts, or ``None`` where one would be empty."""
    try:
        tuning, held = hold_out(whole, share, 20, group)
    except DatasetError:
        return None
    return [one.id for one in tuning.cases], [one.id for one in held.cases]


@given(datasets, shares, st.sampled_from(["", "scene"]))
def test_every_image_is_in_one_part_with_its_copies_and_its_group(
    whole: Dataset, share: float, group: str
) -> None:
    """In the order that it had; whatever share is wished."""
    found = parts(whole, share, group)
    if found is None:
        return
    tuning, held = found
    assert sorted(tuning + held) == sorted(one.id for one in whole.cases)
    of = {id_: place for place, ids in enumerate(found) for id_ in ids}
    for one in whole.cases:
        for other in whole.cases:
            same_group = group and one.tags.get(group, one.id) == other.tags.get(group, other.id)
            if one.sha256 == other.sha256 or same_group:
                assert of[one.id] == of[other.id]


@given(datasets, shares, st.randoms())
def test_only_content_decides(whole: Dataset, share: float, random: Any) -> None:
    """Neither the order of images nor what their files are called."""
    found = parts(whole, share)
    shuffled = list(whole.cases)
    random.shuffle(shuffled)
    again = parts(replace(whole, cases=tuple(shuffled)), share)
    renamed = parts(
        replace(whole, cases=tuple(replace(one, id=f"x{one.id}") for one in whole.cases)), share
    )
    assert (found is None) is (again is None) is (renamed is None)
    if found is not None and again is not None and renamed is not None:
        assert set(found[1]) == set(again[1])
        assert {f"x{id_}" for id_ in found[1]} == set(renamed[1])


@pytest.mark.parametrize("share", [0.1, 0.25, 0.3, 0.5, 0.9])
def test_each_label_is_held_out_alike(share: float) -> None:
    """To the nearest whole image, where all are independent."""
    whole = dataset(
        *(case(number, "a", number) for number in range(200)),
        *(case(number, "b", 1000 + number) for number in range(30)),
    )
    _, held = hold_out(whole, share, 20)
    counts = Counter(one.label for one in held.cases)
    assert abs(counts["a"] - 200 * share) <= 0.5
    assert abs(counts["b"] - 30 * share) <= 0.5


def test_which_images_are_held_out_is_chance() -> None:
    """Over seeds each image is held out as often as the share says (within 5 deviations)."""
    whole = dataset(*(case(number, "ab"[number % 2], number) for number in range(40)))
    often: Counter[str] = Counter()
    for seed in range(400):
        often.update(one.id for one in hold_out(whole, 0.3, seed)[1].cases)
    assert all(abs(often[one.id] - 120) < 5 * (400 * 0.3 * 0.7) ** 0.5 for one in whole.cases)


def test_a_part_without_images_is_refused() -> None:
    """With what there is, and the remedy."""
    with pytest.raises(DatasetError, match=r"holdout=0\.3 of 1 image leaves .*another share"):
        hold_out(dataset(case(0, "a", 0)), 0.3, 20)
    one_scene = dataset(case(0, "a", 0, 1), case(1, "b", 1, 1))
    with pytest.raises(DatasetError, match="of 2 images, 1 of them independent, leaves"):
        hold_out(one_scene, 0.5, 20, "scene")


@pytest.mark.parametrize("share", [1, 1.0, -0.1, "0.3", True, float("nan")])
def test_what_is_no_share_is_refused(share: Any) -> None:
    """With evaluation, value and remedy."""
    with pytest.raises(SettingsError, match=r"Evaluation\('d'\): holdout=.* is no share"):
        Evaluation(dataset="d", modelfile="m", prompt="Which?", holdout=share)


@pytest.mark.parametrize(
    ("looks", "said"),
    [
        ((), "the 7 to tune on no earlier result is known"),
        ((LOOK,), "1 earlier result is known, of 1 different instruction"),
        ((LOOK, replace(LOOK, data="2"), replace(LOOK, told="u")),
         "3 earlier results are known, of 2 different instructions"),
        ((replace(LOOK, evaluation="f"), replace(LOOK, dataset="f"),
          replace(LOOK, part="held-out")), "no earlier result is known"),
    ],
)  # fmt: skip
def test_looks_at_the_images_to_tune_on_are_counted(looks: Sequence[TuningLook], said: str) -> None:
    """Of this evaluation on this dataset alone."""
    (note,) = holdout_note("e", "d", "tuning", (7, 3), looks)
    assert "3 images held out, which only --llmclf-final asks about" in note
    assert said in note
    assert "what was seen elsewhere is not known" in note


def test_a_final_report_says_how_worn_both_parts_are() -> None:
    """The second final run is no first look any more."""
    looks = (LOOK, replace(LOOK, part="held-out"), replace(LOOK, data="2"))
    (note,) = holdout_note("e", "d", "held-out", (7, 3), looks)
    assert "these are the 3 images held out; on them 1 earlier result is known" in note
    assert "on the 7 to tune on 2 earlier results are known" in note
    assert holdout_note("e", "d", "", (7, 0), looks) == ()


def test_looks_are_kept_once(tmp_path: Path) -> None:
    """A damaged line costs itself alone."""
    path = tmp_path / "home" / "tuning.jsonl"
    assert read_tuning_looks(path) == ()
    note_tuning_looks(path, [LOOK, LOOK])
    note_tuning_looks(path, [LOOK])
    with path.open("a") as file:
        file.write('{"part": 3}\n\nnonsense\n')
    other = replace(LOOK, data="2")
    note_tuning_looks(path, [other, LOOK])
    assert read_tuning_looks(path) == (LOOK, other)
