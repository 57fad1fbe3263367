"""Example images through whole runs: what is asked, what is judged, and what is said of it."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.plugin.colour_server import Odd, png
from tests.plugin.test_groups import manifest

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours

EACH = 4
BASELINE: dict[str, Any] = {
    "arguments": ", baseline",
    "body": "assert report.predictions == baseline",
}


def showing(colours: Colours, examples: str, *, each: int = EACH, **evaluation: Any) -> None:
    """So many images a colour, and an evaluation with these examples."""
    colours.images(each)
    colours.evaluation(**evaluation)
    name(colours, examples)


def name(colours: Colours, arguments: str) -> None:
    """Add arguments to the evaluation."""
    path = colours.root / "test_colours.py"
    text = path.read_text("utf-8").replace("import Evaluation,", "import Evaluation, Examples,")
    path.write_text(text.replace("gates=", f"{arguments}, gates="), "utf-8")


def judged(colours: Colours) -> set[str]:
    """The images with an outcome."""
    text = (colours.root / "run" / "outcomes.jsonl").read_text("utf-8")
    return {json.loads(line)["case"] for line in text.splitlines()}


FIRST = "examples=Examples(count=2, choose='first')"


def test_an_example_and_its_copy_are_not_judged(colours: Colours) -> None:
    """They are in no count; gates see the rest; report, page and terminal say what was shown."""
    copy = colours.root / "fixtures" / "colours" / "blue" / "copy.png"
    showing(colours, FIRST)
    copy.write_bytes(png("blue", 0))
    result = colours.run()
    assert result.ret == pytest.ExitCode.OK
    out = {"blue/0.png", "blue/1.png", "blue/copy.png"}
    assert not judged(colours) & out
    assert not any("tuned" in note for note in colours.written()["notes"])
    written = colours.written()
    assert colours.ledger() == {"collected": 10, "correct": 10}
    assert set(written["dataset"]["taken_out"]) == out
    assert written["dataset"]["cases_in_dataset"] == 10
    said = (
        "2 example images of 1 of 3 labels go with every question; 3 images of the dataset are "
        "not judged, being among them or copies or near-copies of them"
    )
    assert said in written["notes"]
    first = "llmclf: colours: shown before each image: blue (blue/0.png), blue (blue/1.png)"
    assert f"llmclf: colours: {said} {first}" in " ".join(result.stdout.lines)
    told = written["full_instructions"]
    assert [(one["file"], one["label"]) for one in told["examples"]] == [
        ("blue/0.png", "blue"),
        ("blue/1.png", "blue"),
    ]
    assert all(len(one["sha256"]) == 64 for one in told["examples"])
    page = (colours.root / "run" / "page.html").read_text("utf-8")
    assert "example image 1: blue, blue/0.png, sha256" in page
    # Two earlier turns came with every question, and the first ones asked what that takes.
    assert {len(body["messages"]) for body in colours.server.bodies} == {4, 2, 0}
    assert any(
        "takes 60 tokens with 2 example images, 20 without" in one for one in written["notes"]
    )


def test_the_rest_of_a_group_is_not_judged(colours: Colours) -> None:
    """Frames of a scene of which one is shown are as good as shown."""
    showing(colours, f"group='scene', {FIRST}")
    paths = [f"{colour}/{n}.png" for colour in ("red", "green", "blue") for n in range(EACH)]
    scenes = {path: f"s{place // 2}" for place, path in enumerate(paths)}
    scenes |= {"blue/2.png": "s1"}
    manifest(colours.root / "fixtures" / "colours", scenes)
    assert colours.run().ret == pytest.ExitCode.OK
    assert set(colours.written()["dataset"]["taken_out"]) == {"blue/0.png", "blue/1.png"}
    assert any("or of a scene of theirs" in note for note in colours.written()["notes"])


def test_known_answers_are_those_with_the_same_examples(colours: Colours) -> None:
    """A run with others asks anew, one with the same asks nothing; nor do counts of tokens."""
    showing(colours, FIRST)
    colours.run()
    asked, notes = colours.server.questions, colours.written()["notes"]
    colours.run()
    assert colours.server.questions == asked
    assert colours.written()["notes"] == notes, "what examples take is known, too"
    colours.evaluation()
    name(colours, "examples=Examples(count=2, choose='first', seed=1)")
    colours.run()
    assert colours.server.questions == asked, "the seed says nothing of the first ones"
    colours.evaluation()
    name(colours, "examples=1")
    colours.run()
    assert colours.server.questions > asked


def test_a_baseline_of_all_images_is_compared_on_the_rest(colours: Colours) -> None:
    """Committed predictions of images that are examples now are compared with nothing."""
    showing(colours, "", **BASELINE)
    path = colours.root / "test_colours.py"
    path.write_text(path.read_text("utf-8").replace(", , gates", ", gates"), "utf-8")
    assert colours.run("--snapshot-update").ret == pytest.ExitCode.OK
    name(colours, FIRST)
    result = colours.run()
    assert result.ret == pytest.ExitCode.OK, result.stdout.str()
    gates = [one for one in colours.summary()["gates"] if one["text"].startswith("baseline")]
    assert [one["word"] for one in gates] == ["PASS"]
    (compared,) = colours.summary()["baselines"]
    assert len(compared["cases"]) == 10
    assert compared["missing"] == []
    assert any(
        "example image 1" in line
        for one in compared["provenance"]["differing"]
        for line in one["diff"]
    )
    # A loss among the rest is a loss as ever, and an image that is gone is missed.
    colours.server.odd = {"red": Odd(says="green"), "green": Odd(says="red")}
    assert colours.run("--llmclf-fresh").ret == pytest.ExitCode.TESTS_FAILED
    colours.server.odd = {}
    (colours.root / "fixtures" / "colours" / "red" / "3.png").unlink()
    assert colours.run().ret == pytest.ExitCode.TESTS_FAILED
    (compared,) = colours.summary()["baselines"]
    assert compared["missing"] == ["red/3.png"]


def test_runs_with_and_without_examples_compare_on_what_both_judged(colours: Colours) -> None:
    """What one side shows is compared with nothing; the page names the examples as the change."""
    from pytest_llmclf.cli.main import main

    showing(colours, "name='colours'")
    colours.run()
    (colours.root / "run").rename(colours.root / "before")
    name(colours, FIRST)
    colours.run()
    folders = [str(colours.root / "before"), str(colours.root / "run")]
    assert main(["compare", *folders]) == 0
    assert main(["compare", *folders[::-1]]) == 0


def test_too_many_examples_are_known_before_the_first_image(colours: Colours) -> None:
    """The server's own counts say so, and no image is asked about."""
    showing(colours, "examples=8")
    colours.server.context = 100
    assert colours.run().ret == pytest.ExitCode.TESTS_FAILED
    assert colours.ledger() == {"collected": 4, "error": 4}
    said = (
        "8 example images do not fit into the context of 100 tokens: by the server's own count a "
        "question takes 20 tokens, and they 160 (start the server with a context of 1024 tokens, "
        "or show at most 3)"
    )
    assert said in colours.summary()["gates"][0]["text"]
    shown = {
        example["file"].removesuffix(".png")
        for example in colours.written()["full_instructions"]["examples"]
    }
    assert set(colours.server.asked) <= shown


def test_a_context_that_cannot_hold_the_texts_is_told_at_collection(colours: Colours) -> None:
    """By an estimate, where num_ctx is set: with every example the list of labels comes again."""
    showing(colours, "examples=8")
    (colours.root / "modelfiles" / "colours.Modelfile").write_text(
        "FROM llava\nPARAMETER num_ctx 200\n"
    )
    result = colours.run("--collect-only", model="micro-llava")
    said = "*colours: the question with 8 examples, without images, is * into num_ctx 200*"
    result.stdout.fnmatch_lines([said])


def test_a_curve_is_judged_on_the_same_images(colours: Colours) -> None:
    """What one variant shows none judges; the next shows more of the same; all pairs are tested."""
    showing(colours, "variants={f'{n} shown': Variant(examples=n) for n in (0, 1, 2, 4)}", each=6)
    path = colours.root / "test_colours.py"
    path.write_text(path.read_text("utf-8").replace("import Ev", "import Variant, Ev"), "utf-8")
    assert colours.run().ret == pytest.ExitCode.OK
    reports = colours.summary()["reports"]
    shown = [
        [example["file"] for example in one["full_instructions"].get("examples", ())]
        for one in reports
    ]
    assert [len(one) for one in shown] == [0, 1, 2, 4]
    assert all(more[: len(fewer)] == fewer for fewer, more in itertools.pairwise(shown))
    assert {frozenset(one["dataset"]["taken_out"]) for one in reports} == {frozenset(shown[-1])}
    assert {one["ledger"]["correct"] for one in reports} == {18 - 4}
    none = "4 images of the dataset are not judged: other instructions show examples"
    assert any(note.startswith(none) for note in reports[0]["notes"])
    (board,) = colours.summary()["leaderboards"]
    assert (board["images"], board["pairs"]) == (14, 6)
    assert judged(colours).isdisjoint(shown[-1])


def test_examples_of_another_split(colours: Colours) -> None:
    """``train`` shows, ``test`` is judged whole but for what it has of ``train``."""
    folder = colours.root / "fixtures" / "parts"
    for part, numbers in (("train", (0, 1)), ("test", (1, 2, 3))):
        for colour in ("red", "green", "blue"):
            (folder / part / colour).mkdir(parents=True)
            for number in numbers:
                (folder / part / colour / f"{number}.png").write_bytes(png(colour, number))
    colours.evaluation()
    name(colours, "split='test', examples=Examples(count=6, split='train')")
    path = colours.root / "test_colours.py"
    path.write_text(
        path.read_text("utf-8").replace('dataset="colours"', 'dataset="parts"'), "utf-8"
    )
    assert colours.run().ret == pytest.ExitCode.OK
    assert colours.ledger()["collected"] == 6
    assert len(colours.written()["full_instructions"]["examples"]) == 6
    assert {one.partition("/")[2] for one in colours.written()["dataset"]["taken_out"]} == {"1.png"}


def test_confused_classes_of_a_finished_run(colours: Colours) -> None:
    """The run's mistakes say which classes are shown; its answers do not say which images."""
    showing(colours, "")
    path = colours.root / "test_colours.py"
    path.write_text(path.read_text("utf-8").replace(", , gates", ", gates"), "utf-8")
    colours.server.odd = {"green/1": Odd(says="red")}
    colours.run()
    (colours.root / "run").rename(colours.root / "before")
    name(colours, "examples=Examples(count=2, choose='confusable', confused='before')")
    colours.run()
    shown = colours.written()["full_instructions"]["examples"]
    assert {one["label"] for one in shown} == {"red", "green"}
    assert any("the choice is tuned to them" in note for note in colours.written()["notes"])
    colours.evaluation()
    name(colours, "examples=Examples(count=2, choose='confusable', confused='nowhere')")
    result = colours.run()
    assert result.ret != pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*nowhere*"])


def test_predict_asks_the_same_questions(colours: Colours) -> None:
    """What predict was answered is known to pytest: the examples are the same."""
    from pytest_llmclf.cli.main import main

    showing(colours, "holdout=0.4, examples=3")
    predict = ["predict", "test_colours.py", "--model", colours.server.spec]
    assert main(predict) == 0
    assert main([*predict, "--final"]) == 0
    asked = colours.server.questions
    assert colours.run().ret == pytest.ExitCode.OK
    assert colours.run("--llmclf-final").ret == pytest.ExitCode.OK
    assert colours.server.questions == asked


def test_other_programs_answers_need_not_leave_examples_out(colours: Colours) -> None:
    """A file about all images is judged on the same ones as the model that is shown some."""
    showing(colours, "examples=3")
    lines = [f"{c}/{n}.png,{c}" for c in ("red", "green", "blue") for n in range(EACH)]
    (colours.root / "others.csv").write_text("\n".join(["path,predicted", *lines]) + "\n")
    assert colours.run("--llmclf-model", "predictions:others.csv").ret == pytest.ExitCode.OK
    own, others = colours.summary()["reports"]
    assert own["ledger"] == others["ledger"]
    assert own["ledger"]["correct"] == 9
    assert "examples" in own["full_instructions"]
    assert "examples" not in others["full_instructions"]
    assert own["dataset"]["taken_out"] == others["dataset"]["taken_out"]


def test_a_script_is_told_the_same(colours: Colours, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of pytest the same images are shown and left out, and the report says so."""
    from pytest_llmclf import Evaluation, evaluate

    colours.images(EACH)
    monkeypatch.chdir(colours.root)
    evaluation = Evaluation(dataset="colours", prompt="Which colour is this?", examples=3)
    report = evaluate(evaluation, colours.server.spec, progress=False)
    assert report.accuracy == 1
    assert (report.ledger.collected, len(report.dataset.taken_out)) == (9, 3)
    assert any("3 example images of 3 of 3 labels" in note for note in report.notes)
    assert any("80 tokens with 3 example images, 20 without" in note for note in report.notes)


def test_examples_come_from_the_images_to_tune_on(colours: Colours) -> None:
    """A final run shows what the tuning ones showed, and judges all that was held out."""
    showing(colours, "holdout=0.4, examples=3", each=6)
    assert colours.run().ret == pytest.ExitCode.OK
    tuning, tuned_on = colours.written(), judged(colours)
    assert colours.run("--llmclf-final").ret == pytest.ExitCode.OK
    final, held = colours.written(), judged(colours)
    shown = [one["file"] for one in tuning["full_instructions"]["examples"]]
    assert final["full_instructions"]["digest"] == tuning["full_instructions"]["digest"]
    assert set(tuning["dataset"]["taken_out"]) == set(shown)
    assert final["dataset"]["taken_out"] == []
    assert not tuned_on & held
    assert not set(shown) & (tuned_on | held)
    assert len(tuned_on | held) == 18 - 3
    none = "3 example images of 3 of 3 labels go with every question; no image of the dataset is"
    assert any(note.startswith(none) for note in final["notes"])
