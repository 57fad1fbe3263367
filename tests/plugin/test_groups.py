"""Images that are not independent, through every mode of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugin.colour_server import COLOURS, Odd

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plugin.conftest import Colours

EACH = 20
GATE = "accuracy >= 0.9 with 95% confidence"


def manifest(folder: Path, scene_of: dict[str, str]) -> None:
    """List the images with their scenes; an empty one is no tag."""
    rows = [f"{path},{path.partition('/')[0]},{scene}" for path, scene in scene_of.items()]
    (folder / "manifest.csv").write_text("\n".join(["path,label,scene", *rows]) + "\n")


def scenes(colours: Colours, *, size: int = 10, dataset: str = "colours", group: str = "") -> None:
    """Sixty images in scenes of `size`, and an evaluation that says so."""
    colours.images(EACH)
    paths = [f"{colour}/{n}.png" for colour in list(COLOURS)[:3] for n in range(EACH)]
    scene_of = {path: f"s{place // size}" for place, path in enumerate(paths)}
    manifest(colours.root / "fixtures" / "colours", scene_of)
    colours.evaluation(GATE)
    name(colours, group or 'group="scene"', dataset)


def name(colours: Colours, argument: str, dataset: str = "colours") -> None:
    """Add an argument to the evaluation."""
    path = colours.root / "test_colours.py"
    text = path.read_text().replace('dataset="colours"', f'dataset="{dataset}", {argument}')
    path.write_text(text)


def verdict(colours: Colours) -> tuple[str, str]:
    """Word and line of the only gate."""
    (gate,) = colours.summary()["gates"]
    return gate["word"], gate["text"]


@pytest.mark.parametrize(
    ("processes", "dataset"), [((), "fixtures/colours"), (("-n2",), "colours")]
)
def test_a_gate_counts_scenes(colours: Colours, processes: tuple[str, ...], dataset: str) -> None:
    """Sixty images all right show 0.9; six scenes do not, here and on workers, by name and path."""
    scenes(colours, dataset=dataset)
    result = colours.run(*processes)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    word, text = verdict(colours)
    assert word == "INCONCLUSIVE"
    assert "of images like these (60 in 6 scenes)" in text
    written = colours.written()
    assert (written["group"], written["clusters"]) == ("scene", 6)
    result.stdout.fnmatch_lines(
        ["*cannot be shown: *60 images (60 in 6 scenes) cannot show it*", "*images: 60 in 6 scene*"]
    )


def test_scenes_of_one_image_are_images(colours: Colours) -> None:
    """A group with a value an image changes nothing."""
    scenes(colours, size=1)
    assert colours.run().ret == pytest.ExitCode.OK
    word, text = verdict(colours)
    assert word == "PASS"
    assert text.endswith("of images like these")


def test_stopping_early_asks_all_images_for_confidence(colours: Colours) -> None:
    """What scenes do to a count is not known from a part; it is said before."""
    scenes(colours, size=2)
    result = colours.run("--llmclf-stop-early")
    lines = ["*all images are asked about: accuracy >= 0.9 with*", "*over groups*"]
    result.stdout.fnmatch_lines(lines)
    assert "not_needed" not in colours.ledger()
    assert "(60 in 30 scenes)" in verdict(colours)[1]


def test_stopping_early_on_these_images_knows_no_scenes(colours: Colours) -> None:
    """The images asked first are drawn one by one, whatever scene they are of."""
    scenes(colours)
    path = colours.root / "test_colours.py"
    path.write_text(path.read_text().replace(GATE, "accuracy >= 0.6"))
    assert colours.run("--llmclf-stop-early").ret == pytest.ExitCode.OK
    assert colours.ledger()["not_needed"] > 0
    assert verdict(colours)[0] == "PASS"


def test_a_part_of_the_images_counts_its_own_scenes(colours: Colours) -> None:
    """A sample of four a class, and a selection, with repeats."""
    scenes(colours, size=5)
    colours.run("--llmclf-sample", "4", "--llmclf-repeats", "2")
    text = verdict(colours)[1]
    assert "(12 in " in text
    assert colours.written()["clusters"] <= 12
    colours.run("-k", "red or gate")
    assert "(20 in 4 scenes" in verdict(colours)[1]


def test_a_recording_is_judged_alike(colours: Colours) -> None:
    """Played back, the scenes are those of the dataset."""
    scenes(colours)
    colours.run("--llmclf-record=record.jsonl")
    before = verdict(colours)
    colours.server.stop()
    colours.run("--llmclf-home=other", model="replay:record.jsonl")
    assert verdict(colours) == before


def test_copies_count_once(colours: Colours) -> None:
    """Without a group: forty copies of one image are one, and the report says so."""
    scenes(colours, group="pattern=None")
    folder = colours.root / "fixtures" / "colours" / "red"
    (folder.parent / "manifest.csv").unlink()
    for number in range(40):
        (folder / f"copy{number}.png").write_bytes((folder / "0.png").read_bytes())
    result = colours.run()
    word, text = verdict(colours)
    assert word == "INCONCLUSIVE"
    assert "1.0000 (100/100)" in text
    assert "(100, of which 60 are no copies)" in text
    result.stdout.fnmatch_lines(["*images: 100, of which 60 are no copies*"])


@pytest.mark.parametrize("lacking", [1, 60])
def test_an_image_without_the_tag_is_refused(colours: Colours, lacking: int) -> None:
    """Before the first question, with the images and the remedy."""
    scenes(colours)
    path = colours.root / "fixtures" / "colours" / "manifest.csv"
    rows = path.read_text().splitlines()
    rows[-lacking:] = [row.rpartition(",")[0] + "," for row in rows[-lacking:]]
    path.write_text("\n".join(rows) + "\n")
    result = colours.run()
    assert result.ret != pytest.ExitCode.OK
    text = " ".join(result.stdout.str().split()) + result.stderr.str()
    assert f"group='scene', but {lacking} of 60 images have no such tag" in text
    assert "add a column 'scene' to the manifest" in text
    assert colours.server.questions == 0


def test_a_group_that_is_no_name_is_refused(colours: Colours) -> None:
    """At the evaluation's line."""
    scenes(colours, group='group=" "')
    result = colours.run()
    assert "names no tag" in result.stdout.str()


def test_a_sample_says_which_mix_it_is_of(colours: Colours) -> None:
    """Four a class of 20, 20 and 40: not the dataset's mix; of equal classes nothing is said."""
    scenes(colours, group="pattern=None")
    (colours.root / "fixtures" / "colours" / "manifest.csv").unlink()
    colours.run("--llmclf-sample", "4")
    assert verdict(colours)[1].endswith("of images like these: too few to tell; " + _more(colours))
    colours.images(2 * EACH, ("blue",))
    result = colours.run("--llmclf-sample", "4")
    assert "(4 images a class, 20 to 40 in the whole dataset)" in verdict(colours)[1]
    result.stdout.fnmatch_lines(["*classes: 4 images a class, 20 to 40 in the whole dataset*"])


def _more(colours: Colours) -> str:
    return verdict(colours)[1].rpartition("too few to tell; ")[2]


BASELINE = "assert report.predictions == baseline"


def committed(colours: Colours) -> None:
    """Scenes of ten, a baseline of all images right, then a server that breaks seven of a scene."""
    scenes(colours)
    path = colours.root / "test_colours.py"
    text = path.read_text().replace(GATE, "accuracy >= 0.5")
    before, after = "test_gate(report):\n    pass", f"test_gate(report, baseline):\n    {BASELINE}"
    path.write_text(text.replace(before, after))
    assert BASELINE in path.read_text()
    assert colours.run("--snapshot-update").ret == pytest.ExitCode.OK
    colours.server.odd = {f"red/{n}": Odd(says="blue") for n in range(7)}


def test_a_baseline_counts_scenes(colours: Colours) -> None:
    """Seven flips in one scene are one draw; without the group they are a significant loss."""
    committed(colours)
    assert colours.run("--llmclf-fresh").ret == pytest.ExitCode.OK
    text = next(one["text"] for one in colours.summary()["gates"] if "baseline" in one["text"])
    assert "7 broken, 0 fixed, 0 wrong in another way, of 60 in 6 scenes (p = 1.000)" in text
    path = colours.root / "test_colours.py"
    path.write_text(path.read_text().replace(', group="scene"', ""))
    assert colours.run("--llmclf-fresh").ret == pytest.ExitCode.TESTS_FAILED


def test_two_models_are_compared_by_scenes(colours: Colours) -> None:
    """The second takes all twenty green ones for red: two scenes, no proof; the scores stand by."""
    scenes(colours)
    result = colours.run("--llmclf-model", f"openai:colour-blind@{colours.server.url}")
    shown = " ".join(result.stdout.str().split())
    assert "on the 60 images that both answered (60 in 6 scenes)" in shown
    assert "a permutation test of 60 in 6 scenes" in shown
    assert "macro_f1 1.000 and" in shown
    summary = (colours.root / "run" / "summary.md").read_text("utf-8")
    assert "macro\\_f1 1.000 and" in summary or "macro_f1 1.000 and" in summary


@pytest.mark.parametrize(
    ("args", "word", "images"),
    [
        ((), "PASS", "60 in 6 scenes"),
        (("-n2",), "PASS", "60 in 6 scenes"),
        (("--llmclf-repeats=2",), "PASS", "60 in 6 scenes"),
        (("-k", "red or test_gate"), "INCONCLUSIVE", "20 in 2 scenes"),
        (("--llmclf-sample=2",), "INCONCLUSIVE", "6 in "),
        (("replay",), "PASS", "60 in 6 scenes"),
    ],
    ids=["plain", "xdist", "repeats", "subset", "sample", "replay"],
)
def test_a_margin_counts_scenes(
    colours: Colours, args: tuple[str, ...], word: str, images: str
) -> None:
    """Six scenes without a flip exclude a loss of 40 points; fewer do not. In every mode."""
    committed(colours)
    colours.server.odd = {}
    margin = ("--llmclf-margin=40%", "--llmclf-inconclusive=allow")
    if args == ("replay",):
        colours.run("--llmclf-fresh", "--llmclf-record=record.jsonl")
        colours.server.stop()
        result = colours.run("--llmclf-home=other", *margin, model="replay:record.jsonl")
    else:
        result = colours.run("--llmclf-fresh", *margin, *args)
    assert result.ret == pytest.ExitCode.OK
    found = next(one for one in colours.summary()["gates"] if "baseline" in one["text"])
    assert found["word"] == word, found
    assert images in found["text"]
    said = "excluded with 95%" if word == "PASS" else "neither excluded nor shown"
    assert f"a loss of 40% or more is {said}" in found["text"]
