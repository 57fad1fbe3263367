"""What probes change about a question, and of which images."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from pytest_llmclf.data.image import ImageLimits, preparation, prepare
from pytest_llmclf.models.spec import parse_spec
from pytest_llmclf.prompting.labels import LabelSet
from pytest_llmclf.prompting.modelfile import parse
from pytest_llmclf.runner.probe_tasks import (
    GREYS,
    ProbeTask,
    probe_sample,
    probe_tasks,
    two_orders,
)
from pytest_llmclf.values.probe_answers import PROBES
from tests.unit import scripted

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_llmclf.runner.task import Task

ANIMALS = ("ant", "bee", "cat", "dog", "elk", "fox")


@pytest.fixture
def plain(tmp_path: Path) -> Task:
    return replace(scripted.task(tmp_path, 12), labels=LabelSet.of(ANIMALS))


def told(task: Task, text: str) -> Task:
    """The task with another Modelfile."""
    return replace(task, modelfile=parse(f"FROM llava\n{text}", "pets.Modelfile"))


def only(task: Task, probe: Any) -> tuple[ProbeTask, ...]:
    """The changed questions of one probe, of all images."""
    return probe_tasks(task, [probe], [case.id for case in task.dataset.cases], seed=1)


def pixels(part: ProbeTask, place: int = -1) -> Image.Image:
    """What is sent of an image."""
    assert part.task is not None
    case = next(one for one in part.task.dataset.cases if one.id == part.wanted.cases[place])
    return Image.open(io.BytesIO(part.task.request(case).image))


def test_each_image_is_asked_with_one_of_two_orders(plain: Task) -> None:
    """The second is the first backwards; the same labels in both, and the rest unchanged."""
    one, other = only(plain, "order")
    assert one.wanted.labels == other.wanted.labels[::-1]
    assert sorted((*one.wanted.cases, *other.wanted.cases)) == sorted(
        case.id for case in plain.dataset.cases
    )
    assert one.wanted.cases
    assert other.wanted.cases
    for part in (one, other):
        assert part.task is not None
        assert part.task.labels.names == part.wanted.labels
        assert sorted(part.wanted.labels) == sorted(ANIMALS)
        assert part.task.instructions.question == plain.instructions.question


@pytest.mark.parametrize("size", range(2, 9))
def test_who_follows_an_end_of_the_list_answers_something_else(size: int) -> None:
    """No order begins with the declared first label but where there are two in all."""
    names = tuple("abcdefgh"[:size])
    for seed in range(20):
        forth, back = two_orders(names, seed)
        assert sorted(forth) == sorted(names)
        assert back == forth[::-1]
        assert size == 2 or names[0] not in (forth[0], back[0])
        assert size < 4 or names[-1] not in (forth[-1], back[-1])


def test_grey_images_show_nothing_and_are_few(plain: Task) -> None:
    """One image each, as large as the image, all of it in one grey; no two alike."""
    parts = only(plain, "blank")
    assert [part.wanted.cases for part in parts] == [
        (case.id,) for case in plain.dataset.cases[: len(GREYS)]
    ]
    shown = [pixels(part) for part in parts]
    assert [image.getcolors() for image in shown] == [
        [(image.width * image.height, (grey,) * 3)]
        for image, grey in zip(shown, GREYS, strict=True)
    ]


def test_images_are_sent_smaller_and_larger(plain: Task) -> None:
    """Half and twice the size as sent; larger only as far as models look."""
    half, twice = only(plain, "size")
    assert pixels(half).size == (6, 1)
    assert pixels(twice).size == (24, 2)
    wide = scripted.image(1000)
    for limits, size in (
        (ImageLimits(scale=2), 1344),
        (ImageLimits(max_side=400, scale=2), 800),
        (ImageLimits(max_side=400, scale=0.5), 200),
        (ImageLimits(max_side=2000, scale=2), 1344),
        (ImageLimits(max_side=400), 400),
    ):
        with Image.open(io.BytesIO(prepare(wide, limits).data)) as image:
            assert image.width == size


def test_known_answers_of_images_as_they_are_stay_known() -> None:
    """What decides how an image is sent is written as ever where nothing is changed."""
    assert "scale" not in preparation(ImageLimits())
    kinds = (ImageLimits(), ImageLimits(scale=2), ImageLimits(grey=128), ImageLimits(grey=96))
    assert len(set(map(preparation, kinds))) == len(kinds)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("SYSTEM Name the animal. For example: cat.", "system"),
        ("MESSAGE user Which animal?\nMESSAGE assistant cat", "turns"),
    ],
)
def test_another_label_takes_the_place_of_the_example(plain: Task, text: str, place: str) -> None:
    """In the SYSTEM text and the turns; the question, the list and the options stay."""
    task = told(plain, text)
    (part,) = only(task, "example")
    assert part.wanted.place == place
    assert part.task is not None
    before, after = task.instructions, part.task.instructions
    (other,) = part.wanted.others.values()
    assert list(part.wanted.others) == ["cat"]
    assert after == replace(
        before,
        system=before.system and before.system.replace("cat", other),
        turns=tuple((role, words.replace("cat", other)) for role, words in before.turns),
    )


def test_an_example_in_the_prompt_is_exchanged(plain: Task) -> None:
    """The prompt is the evaluation's."""
    evaluation = replace(plain.evaluation, prompt="Which animal? E.g. cat")
    (part,) = only(replace(plain, evaluation=evaluation), "example")
    assert part.wanted.place == "prompt"
    assert part.task is not None
    assert "cat" not in part.task.instructions.question


def test_an_example_of_the_models_own_is_exchanged_for_ours(plain: Task) -> None:
    """A SYSTEM text that the base model brings is sent with another label as its example."""
    cases = [case.id for case in plain.dataset.cases]
    own = "Say one word, for example: cat."
    (part,) = probe_tasks(plain, ["example"], cases, seed=1, own=own)
    (other,) = part.wanted.others.values()
    assert part.wanted.place == "base"
    assert part.task is not None
    assert part.task.instructions.system == own.replace("cat", other)


def test_who_is_told_nothing_is_not_probed(plain: Task) -> None:
    """A classical method has no list, no example and no text."""
    task = replace(plain, spec=parse_spec("yardstick:knn"))
    parts = probe_tasks(task, PROBES, ["1.png"], seed=1)
    assert [part.wanted.probe for part in parts] == list(PROBES)
    assert {part.wanted.why for part in parts} == {"the model is told nothing but the image"}


def test_no_example_is_said(plain: Task) -> None:
    """Nothing is asked where there is none."""
    listed = ", ".join(ANIMALS)
    for text in ("SYSTEM Name the animal.", f"SYSTEM One of {listed}."):
        (part,) = only(told(plain, text), "example")
        assert part.task is None
        assert not part.wanted.cases
        assert part.wanted.why.startswith("no label stands as an example")


def test_changed_questions_are_asked_under_names_of_their_own(plain: Task) -> None:
    """No change is taken for another one, nor for the evaluation."""
    task = told(plain, "SYSTEM For example: cat.")
    parts = probe_tasks(task, PROBES, [case.id for case in task.dataset.cases], seed=1)
    keys = Counter(part.task.key for part in parts if part.task is not None)
    assert len(keys) == len(parts)
    assert task.key not in keys
    assert not any(part.task.gates for part in parts if part.task is not None)


def test_a_model_is_reached_once_for_all_probes(plain: Task) -> None:
    """But where its example turns are others: on Ollama that is another derived model."""
    cases = [case.id for case in plain.dataset.cases]
    system = told(plain, "SYSTEM For example: cat.")
    parts = probe_tasks(system, PROBES, cases, seed=1)
    assert {part.task.connection for part in parts if part.task is not None} == {system.key}
    turns = told(plain, "MESSAGE user Which?\nMESSAGE assistant cat")
    (part,) = only(turns, "example")
    assert part.task is not None
    assert part.task.connection == part.task.key
    # A system text that is sent would stand behind the turns there.
    text = "For example: cat."
    (part,) = only(told(plain, f"SYSTEM {text}\nMESSAGE user Hi\nMESSAGE assistant Hi"), "example")
    assert part.task is not None
    assert part.task.connection == part.task.key
    assert part.task.modelfile.system == part.task.instructions.system != text


def test_a_sample_begins_the_run_and_has_one_image_of_each_group(plain: Task) -> None:
    """The first ones in the run's order; of a group or of copies one."""
    cases = [
        replace(case, tags={"scene": str(number // 2)})
        for number, case in enumerate(plain.dataset.cases)
    ]
    few = probe_sample(cases, 4, group="", seed=1)
    assert few == probe_sample(cases[::-1], 12, group="", seed=1)[:4]
    scenes = probe_sample(cases, 12, group="scene", seed=1)
    by_id = {case.id: case for case in cases}
    assert sorted(by_id[one].tags["scene"] for one in scenes) == ["0", "1", "2", "3", "4", "5"]
    copies = [*cases, replace(cases[0], id="copy.png", tags={})]
    assert len(probe_sample(copies, 99, group="", seed=1)) == len(cases)
