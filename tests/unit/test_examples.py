"""Which example images are chosen, and what cannot be judged beside them."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pytest_llmclf import Evaluation, Examples
from pytest_llmclf.data import dataset as datasets
from pytest_llmclf.data.dataset import Dataset
from pytest_llmclf.data.image import ImageLimits
from pytest_llmclf.errors import DatasetError, SettingsError
from pytest_llmclf.prompting.labels import Label
from pytest_llmclf.prompting.prompt import Instructions
from pytest_llmclf.runner.examples import ExampleSources, as_shown, draw, given_examples
from pytest_llmclf.values.case import Case
from pytest_llmclf.values.reviewed import ImageReview
from tests.plugin.colour_server import png

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llmclf.runner.examples import Drawn, Pairs

LABELS = ("red", "green", "blue")
EACH = 6
_DOUBTED: tuple[Literal["unsure", "disputed"], ...] = ("unsure", "disputed")


@pytest.fixture
def colours(tmp_path: Path) -> Dataset:
    """Eighteen images of three colours."""
    for label in LABELS:
        (tmp_path / "set" / label).mkdir(parents=True)
        for number in range(EACH):
            (tmp_path / "set" / label / f"{number}.png").write_bytes(png(label, number))
    return datasets.load(tmp_path / "set", labels=LABELS)


def drawn(whole: Dataset, *wishes: Examples | None, group: str = "", **sources: Any) -> Drawn:
    """What wishes come to."""
    usual: dict[str, Any] = {"root": whole.root.parent, "part": None, "confused": _nothing}
    places = ExampleSources(**{**usual, **sources})
    return draw(wishes, whole, whole.labels, places, group=group)


def _nothing(folder: Path) -> Pairs:
    raise AssertionError(folder)


def shown(whole: Dataset, wish: Examples, **more: Any) -> list[str]:
    """The ids of what one wish comes to, in order."""
    return [case.id for case in drawn(whole, wish, **more).shown[0]]


def labels_of(cases: Iterable[Case]) -> Counter[str]:
    """How many of each label."""
    return Counter(case.label for case in cases)


WAYS = [
    Examples(count=4, choose="first"),
    Examples(count=4, choose="random"),
    Examples(count=4),
    Examples(count=4, choose="confusable", confused=[("red", "blue")]),
]


@pytest.mark.parametrize("wish", WAYS, ids=lambda wish: str(wish.choose))
def test_the_order_of_files_changes_nothing(colours: Dataset, wish: Examples) -> None:
    """The same images in any order, and another choice under another seed but by name."""
    found = shown(colours, wish)
    for cases in (colours.cases[::-1], colours.cases[7:] + colours.cases[:7]):
        assert shown(replace(colours, cases=cases), wish) == found
    others = {tuple(shown(colours, replace(wish, seed=seed))) for seed in range(1, 6)}
    assert (others == {tuple(found)}) == (wish.choose == "first")


@pytest.mark.parametrize("wish", WAYS[1:], ids=lambda wish: str(wish.choose))
def test_names_change_nothing_but_for_the_first(colours: Dataset, wish: Examples) -> None:
    """What is chosen are contents: the same ones whatever the files are called."""
    renamed = tuple(replace(case, id=f"{case.sha256[::-1]}.png") for case in colours.cases)
    found = drawn(colours, wish).shown[0]
    again = drawn(replace(colours, cases=renamed), wish).shown[0]
    assert [case.sha256 for case in again] == [case.sha256 for case in found]


@pytest.mark.parametrize("wish", WAYS, ids=lambda wish: str(wish.choose))
def test_a_larger_number_contains_the_smaller_one(colours: Dataset, wish: Examples) -> None:
    """A curve over numbers adds examples, and the images that are judged are those of all."""
    wishes = [None, *(replace(wish, count=count) for count in (1, 2, 4, 8))]
    found = drawn(colours, *wishes)
    for smaller, larger in zip(found.shown, found.shown[1:], strict=False):
        assert larger[: len(smaller)] == smaller
    assert {case.id for case in found.shown[-1]} == set(found.taken_out)
    assert len(found.judged.cases) == len(colours.cases) - 8
    assert not {case.id for case in found.judged.cases} & set(found.taken_out)


def test_each_way_chooses_as_it_says(colours: Dataset) -> None:
    """By class in turn; by name; of confused classes alone, the most confused pair first."""
    by_class = drawn(colours, Examples(count=7)).shown[0]
    assert sorted(labels_of(by_class).values()) == [2, 2, 3]
    assert set(labels_of(by_class[:3])) == set(LABELS)
    assert shown(colours, Examples(count=2, choose="first")) == ["blue/0.png", "blue/1.png"]
    confused = drawn(
        colours,
        Examples(count=3, choose="confusable", confused="runs/one"),
        confused=lambda folder: (("green", "blue"),) if folder.name == "one" else (),
    ).shown[0]
    assert [case.label for case in confused] == ["green", "blue", "green"]
    assert given_examples(3) == Examples(count=3)
    assert given_examples(0) is given_examples(None) is None
    assert Examples().wanted == 4


def test_given_files_are_shown_as_they_are(colours: Dataset, tmp_path: Path) -> None:
    """Files of elsewhere take nothing out; one that is an image of the dataset does."""
    (tmp_path / "mine.png").write_bytes(png("red", 40))
    own: list[tuple[str | Path, str]] = [
        ("mine.png", "red"),
        (tmp_path / "set" / "blue" / "3.png", "blue"),
    ]
    found = drawn(colours, Examples(files=own), Examples(files=own, count=1))
    assert [[case.id for case in one] for one in found.shown] == [
        ["mine.png", "set/blue/3.png"],
        ["mine.png"],
    ]
    assert found.taken_out == ("blue/3.png",)
    assert drawn(colours, Examples(files=own[:1])).judged == colours


def test_copies_and_groups_go_with_an_example(colours: Dataset) -> None:
    """No image with the bytes of an example is judged, nor one of its group; one copy shows."""
    first = colours.cases[0]
    copy = replace(first, id="zzz.png")
    tagged = tuple(
        replace(case, tags={"scene": f"s{place // 3}"})
        for place, case in enumerate((*colours.cases, copy))
    )
    whole = replace(colours, cases=tagged)
    found = drawn(whole, Examples(count=1, choose="first"))
    assert set(found.taken_out) == {first.id, copy.id}
    grouped = drawn(whole, Examples(count=1, choose="first"), group="scene")
    scenes = {tagged[0].tags["scene"], tagged[-1].tags["scene"]}
    assert set(grouped.taken_out) == {one.id for one in tagged if one.tags["scene"] in scenes}
    every = Examples(count=len(colours.cases), choose="random")
    with pytest.raises(DatasetError, match="none is left to judge"):
        drawn(whole, every)
    with pytest.raises(DatasetError, match=f"there are only {len(colours.cases)} to choose from"):
        drawn(whole, replace(every, count=len(whole.cases)))


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.sampled_from(LABELS), st.sampled_from(["", "a", "b", "c"])),
        min_size=4,
        max_size=14,
    ),
    st.lists(st.integers(0, 3), min_size=1, max_size=3),
    st.sampled_from([None, "first", "random", "by class"]),
    st.integers(0, 3),
)
def test_nothing_that_was_shown_is_judged(
    images: list[tuple[int, str, str]], counts: list[int], choose: Any, seed: int
) -> None:
    """Neither contents nor groups; every image is judged or taken out; the order is nothing."""
    # An image has one label, whatever copies of it there are.
    labels = {content: label for content, label, _ in images}
    cases = tuple(
        Case(
            id=f"{place}.png",
            root=Path(),
            sha256=f"{content}",
            label=labels[content],
            tags={"scene": scene} if scene else {},
        )
        for place, (content, _, scene) in enumerate(images)
    )
    whole = Dataset(name="made", root=Path(), labels=LABELS, cases=cases)
    wishes = [
        Examples(count=count, choose=choose, seed=seed, near_copies=False) if count else None
        for count in counts
    ]
    try:
        found = drawn(whole, *wishes, group="scene")
    except DatasetError:
        return  # too few images for so many examples
    out = [case for one in found.shown for case in one]
    judged = found.judged.cases
    assert not {case.sha256 for case in out} & {case.sha256 for case in judged}
    scenes = {case.tags["scene"] for case in out if case.tags}
    assert not scenes & {case.tags["scene"] for case in judged if case.tags}
    assert {case.id for case in judged} | set(found.taken_out) == {case.id for case in cases}
    assert len(judged) + len(found.taken_out) == len(cases)
    backwards = drawn(replace(whole, cases=cases[::-1]), *wishes, group="scene")
    assert backwards.shown == found.shown
    assert set(backwards.taken_out) == set(found.taken_out)
    assert len({case.sha256 for case in found.shown[0]}) == len(found.shown[0])


def test_what_looks_almost_alike_goes_with_an_example(tmp_path: Path) -> None:
    """The same drawing saved anew and a little lighter is a near-copy; another drawing is none."""
    generator = random.Random(1)  # noqa: S311 - a drawing
    folder = tmp_path / "drawn" / "cat"
    folder.mkdir(parents=True)
    drawings = []
    for number in range(4):
        pixels = bytes(generator.randrange(256) for _ in range(64))
        drawing = Image.frombytes("L", (8, 8), pixels).resize((64, 64), Image.Resampling.BICUBIC)
        place = folder if number else tmp_path / "drawn" / "dog"
        place.mkdir(exist_ok=True)
        drawing.save(place / f"{number}.png")
        drawings.append(drawing)
    drawings[1].point(lambda value: min(255, value + 3)).save(folder / "again.jpg", quality=90)
    whole = datasets.load(folder.parent)
    wish = Examples(count=1, choose="first")
    for near, out in ((True, {"cat/1.png", "cat/again.jpg"}), (False, {"cat/1.png"})):
        assert set(drawn(whole, replace(wish, near_copies=near)).taken_out) == out
    shown_elsewhere = Examples(files=[(folder / "again.jpg", "cat")])
    assert "cat/1.png" in drawn(whole, shown_elsewhere).taken_out


def test_examples_of_another_part(colours: Dataset, tmp_path: Path) -> None:
    """Of ``train`` nothing is missing among the judged but its copies there."""
    train = replace(colours, cases=(*colours.cases[:4],), root=tmp_path / "train")
    rest = replace(colours, cases=colours.cases[3:])
    wish = Examples(count=4, split="train", choose="first")
    found = drawn(rest, wish, part=lambda name: train if name == "train" else rest)
    assert len(found.shown[0]) == 4
    assert found.taken_out == (colours.cases[3].id,)


def test_a_class_that_is_used_up_is_told(colours: Dataset) -> None:
    """Its recall has no image left; where no image is left at all nothing is judged."""
    few = replace(colours, cases=tuple(case for case in colours.cases if case.id != "x")[:7])
    found = drawn(few, Examples(count=6, choose="first"))
    assert found.judged.warnings == (
        "all images of 'blue' are taken out for the examples: its recall is not measured",
    )
    with pytest.raises(DatasetError, match="none is left to judge: show fewer"):
        drawn(few, Examples(count=7, choose="first"))
    with pytest.raises(DatasetError, match="9 example images are wanted, and there are only 7"):
        drawn(few, Examples(count=9, choose="random"))
    sources = ExampleSources(root=few.root, part=None, confused=_nothing)  # type: ignore[arg-type]
    with pytest.raises(DatasetError, match=r"^variant 'many': 9 example images are wanted"):
        draw([Examples(count=1), Examples(count=9)], few, LABELS, sources, names=["one", "many"])


@pytest.mark.parametrize(
    "change",
    [
        {"problem": "cut"},
        {"also": ("red",)},
        *({"review": ImageReview(status=status, original=("blue",))} for status in _DOUBTED),
    ],
    ids=str,
)
def test_an_image_that_is_not_clear_is_no_example(colours: Dataset, change: dict[str, Any]) -> None:
    """What cannot be sent, has several right labels, or one that is doubted, is not chosen."""
    other = replace(colours.cases[0], **change)
    whole = replace(colours, cases=(other, *colours.cases[1:]))
    assert shown(whole, Examples(count=1, choose="first")) == [colours.cases[1].id]
    settled = ImageReview(status="corrected", original=("red",))
    whole = replace(
        colours, cases=(replace(other, problem=None, also=(), review=settled), *colours.cases[1:])
    )
    assert shown(whole, Examples(count=1, choose="first")) == [colours.cases[0].id]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"count": 0}, "from 1 on; no examples at all is Evaluation"),
        ({"count": True}, "write a whole number"),
        ({"choose": "by clas"}, "did you mean 'by class'"),
        ({"choose": "confusable"}, 'confused="FOLDER"'),
        ({"choose": "confusable", "confused": ["cat"]}, "write pairs of labels"),
        ({"confused": [("a", "b")]}, "write both"),
        ({"files": ["a.png"]}, "write pairs"),
        ({"files": [("a.png", "a")], "choose": "first"}, "leaves nothing to choose"),
        ({"files": [("a.png", "a")], "count": 2}, "names 1 file"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: dict[str, Any], words: str) -> None:
    """With what to write instead."""
    with pytest.raises(SettingsError, match=words):
        Examples(**arguments)


def test_names_that_there_are_not_are_refused(colours: Dataset) -> None:
    """A label or a file that there is not, with the nearest one."""
    with pytest.raises(SettingsError, match=r"names 'bleu'.*did you mean 'blue'"):
        drawn(colours, Examples(choose="confusable", confused=[("bleu", "red")]))
    with pytest.raises(SettingsError, match=r"files=...\) names 'rot'"):
        drawn(colours, Examples(files=[("set/red/0.png", "rot")]))
    with pytest.raises(DatasetError, match=r"nowhere\.png cannot be read"):
        drawn(colours, Examples(files=[("nowhere.png", "red")]))
    with pytest.raises(SettingsError, match="examples='4': write a number"):
        Evaluation(dataset="x", modelfile="m", prompt="?", examples="4")  # type: ignore[arg-type]


def told(colours: Dataset, *, count: int = 2) -> Instructions:
    """Instructions with the first examples."""
    cases = drawn(colours, Examples(count=count, choose="first")).shown[0]
    return Instructions(
        question="Which?",
        labels=tuple(map(Label, LABELS)),
        prompt="Which?",
        examples=as_shown(cases, "text", ImageLimits()),
    )


def test_examples_are_part_of_the_instructions(colours: Dataset) -> None:
    """In digest and text, with file, label and digest; the place of a file is not in the digest."""
    two, one = told(colours), told(colours, count=1)
    assert two.digest() != one.digest()
    first = colours.cases[0]
    lines = two.lines()
    assert f"example image 1: blue, blue/0.png, sha256 {first.sha256}" in lines
    assert Instructions.from_json(two.to_json()) == two
    elsewhere = tuple(replace(example, file=f"x/{example.file}") for example in two.examples)
    assert replace(two, examples=elsewhere).digest() == two.digest()
    first_one = two.examples[0]
    for changed in (replace(first_one, sent="0" * 64), replace(first_one, answer="red")):
        other = (changed, *two.examples[1:])
        assert replace(two, examples=other).digest() != two.digest()
    assert replace(two, examples=two.examples[::-1]).digest() != two.digest()
    assert "examples" not in replace(two, examples=()).to_json()


def test_an_example_has_the_form_of_an_answer(colours: Dataset) -> None:
    """A label, or the JSON that the server forces."""
    cases = drawn(colours, Examples(count=1, choose="first")).shown[0]
    assert as_shown(cases, "text", ImageLimits())[0].answer == "blue"
    (forced,) = as_shown(cases, "enum", ImageLimits(max_side=4))
    assert forced.answer == '{"label": "blue"}'
    assert forced.sha256 == cases[0].sha256 != forced.sent, "it is scaled as the question's image"
