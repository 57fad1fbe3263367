"""Committed predictions: written, compared pairwise, and never from part of the images."""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.plugin.colour_server import Odd

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plugin.conftest import Colours

EACH = 4
ALL = 3 * EACH


@pytest.fixture
def committed(colours: Colours) -> Colours:
    """Twelve images, all right but one, and their predictions committed."""
    colours.images(each=EACH)
    colours.evaluation(
        "accuracy >= 0", arguments=", baseline", body="assert report.predictions == baseline"
    )
    colours.server.odd = {"blue/0": Odd(says="red")}
    result = run(colours, "--snapshot-update")
    assert result.ret == pytest.ExitCode.OK
    return colours


def run(colours: Colours, *args: str) -> pytest.RunResult:
    """Run as if the model had just been changed: nothing known is used."""
    return colours.run("--llmclf-fresh", *args)


def files(colours: Colours) -> list[Path]:
    """The committed predictions."""
    return sorted((colours.root / "__predictions__").rglob("*.txt"))


def verdict(colours: Colours) -> tuple[str, str]:
    """Word and text of the baseline's verdict in the last run."""
    gate = colours.summary()["gates"][-1]
    return gate["word"], gate["text"]


def test_predictions_are_one_reviewable_file(committed: Colours) -> None:
    """--snapshot-update writes one text file a gate and model, one line an image."""
    (path,) = files(committed)
    lines = path.read_text("utf-8").splitlines()
    assert path.parent.parent.name == "__predictions__"
    assert lines[0] == "# predictions, format 1"
    images = [line for line in lines if not line.startswith("#")]
    assert len(images) == ALL
    assert "x blue/0.png  blue -> red" in images
    assert "  red/0.png  red -> red" in images


def test_the_same_predictions_pass(committed: Colours) -> None:
    """Nothing changed: the run is green, says so, and the file is as it was."""
    (path,) = files(committed)
    before = path.read_bytes()
    assert run(committed).ret == pytest.ExitCode.OK
    word, said = verdict(committed)
    assert word == "PASS"
    assert said.startswith(f"baseline: {ALL} predictions as committed; 6 broken and none fixed ")
    assert path.read_bytes() == before


@pytest.mark.parametrize("options", [(), ("--llmclf-margin=60%",)])
@pytest.mark.parametrize("broken", [0, 6])
def test_a_comparison_is_worked_out_once_a_gate(
    committed: Colours, monkeypatch: pytest.MonkeyPatch, broken: int, options: tuple[str, ...]
) -> None:
    """Its assert, its verdict, its list and the run's folder ask for the same."""
    cases = ("red/0", "red/1", "red/2", "green/0", "green/1", "green/2")[:broken]
    committed.server.odd |= {case: Odd(says="blue") for case in cases}
    snapshots = importlib.import_module("pytest_llmclf.plugin.snapshots")
    compare, calls = snapshots.compare, []

    def counted(*texts: str, **more: Any) -> Any:
        calls.append(texts)
        return compare(*texts, **more)

    monkeypatch.setattr(snapshots, "compare", counted)
    assert run(committed, *options).ret in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    assert len(calls) == 1
    assert verdict(committed)[1].startswith("baseline: ")


def test_worse_predictions_fail_with_a_list(committed: Colours) -> None:
    """Six images broken and none fixed is more than chance; each has a line, with the remedy."""
    for case in ("red/0", "red/1", "red/2", "green/0", "green/1", "green/2"):
        committed.server.odd[case] = Odd(says="blue")
    result = run(committed, "-vv")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    word, text = verdict(committed)
    assert word == "FAIL"
    assert text.startswith("baseline: 6 broken, 0 fixed, 0 wrong in another way, of 12 (McNemar p")
    assert text.endswith("; a net loss of 6 is more than chance explains")
    result.stdout.fnmatch_lines(
        [
            "6 broken, 0 fixed since the committed predictions",
            "*commit new predictions with --snapshot-update",
            "*broken: 6",
            "*  green/0.png: expected green, was green, now blue",
        ]
    )


def test_a_image_set_that_changed_is_named(committed: Colours) -> None:
    """New and missing images stand below the refusal; nothing is guessed about the rest."""
    folder = committed.root / "fixtures" / "colours" / "red"
    (folder / "0.png").rename(folder / "7.png")
    result = run(committed, "-vv")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    shown = result.stdout.str()
    assert "the committed predictions are of another image set" in shown
    result.stdout.fnmatch_lines(["*new: 1", "*  red/7.png", "*missing: 1", "*  red/0.png"])
    assert "broken:" not in shown


def test_another_modelfile_is_said(committed: Colours) -> None:
    """A prompt that changed explains flips, and is no reason to refuse."""
    path = committed.root / "modelfiles" / "colours.Modelfile"
    path.write_text("FROM llava\nSYSTEM Name the colour.\n")
    assert run(committed).ret == pytest.ExitCode.OK
    text = verdict(committed)[1]
    assert text.startswith(f"baseline: instructions changed; {ALL} predictions as committed; 6 bro")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_file_that_was_not_merged_is_refused(committed: Colours, encoding: str) -> None:
    """With the line that is none; of a file that is in another encoding the first one."""
    (path,) = files(committed)
    path.write_text(path.read_text("utf-8") + "<<<<<<< ours\n", encoding)
    result = run(committed, "-vv")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    place = len(path.read_text("utf-8").splitlines()) if encoding == "utf-8" else 1
    assert f"cannot be read: line {place} is not a prediction" in result.stdout.str()


def test_a_few_flips_are_chance(committed: Colours) -> None:
    """One broken and one fixed is no regression, and is said."""
    committed.server.odd = {"red/0": Odd(says="blue")}
    assert run(committed).ret == pytest.ExitCode.OK
    word, text = verdict(committed)
    assert word == "PASS"
    assert "1 broken, 1 fixed" in text


def test_a_stated_tolerance_fails_what_chance_explains(committed: Colours) -> None:
    """Two of twelve broken is chance, but more than a tolerance of one."""
    committed.server.odd |= {"red/0": Odd(says="blue"), "red/1": Odd(says="blue")}
    assert run(committed).ret == pytest.ExitCode.OK
    assert run(committed, "--llmclf-tolerance=2").ret == pytest.ExitCode.OK
    assert run(committed, "--llmclf-tolerance=1").ret == pytest.ExitCode.TESTS_FAILED
    word, text = verdict(committed)
    assert word == "FAIL"
    assert text.endswith("; a net loss of 2 exceeds the tolerance of 1")


def test_flips_are_held_against_the_models_own(committed: Colours) -> None:
    """With repeats the verdict says how many images flip by themselves."""
    committed.server.odd |= {case: Odd(says="blue", times=1) for case in ("red/0", "green/0")}
    committed.server.odd["red/1"] = Odd(says="blue")
    assert run(committed, "--llmclf-repeats=3").ret == pytest.ExitCode.OK
    text = verdict(committed)[1]
    assert "on average over 3 askings" in text
    assert "than its own (p = " in text


def test_better_predictions_pass(committed: Colours) -> None:
    """An improvement is not a reason to fail."""
    committed.server.odd = {}
    assert run(committed).ret == pytest.ExitCode.OK
    assert "0 broken, 1 fixed" in verdict(committed)[1]


def test_another_set_of_images_is_refused(committed: Colours) -> None:
    """An image more is another image set: the numbers cannot be held against each other."""
    committed.images(each=EACH + 1)
    result = run(committed)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    shown = result.stdout.str()
    assert "the committed predictions are of another image set" in shown
    assert "--snapshot-update" in shown
    assert run(committed, "--snapshot-update").ret == pytest.ExitCode.OK
    assert run(committed).ret == pytest.ExitCode.OK


def test_part_of_the_images_is_compared_with_its_part(committed: Colours) -> None:
    """A deliberate subset misses nothing, and a regression within it is still found."""
    gate = ("-k", "red/ or green/ or test_gate")
    assert run(committed, *gate).ret == pytest.ExitCode.OK
    word, said = verdict(committed)
    assert word == "PASS"
    assert said.startswith("baseline: 8 predictions as committed; 6 broken and none fixed ")
    for colour in ("red", "green"):
        committed.server.odd[colour] = Odd(says="blue")
    assert run(committed, *gate).ret == pytest.ExitCode.TESTS_FAILED
    assert "8 broken" in verdict(committed)[1]


def test_part_of_the_images_is_never_committed(committed: Colours) -> None:
    """--snapshot-update over a subset is refused, and the file stays."""
    (path,) = files(committed)
    before = path.read_bytes()
    result = run(committed, "--snapshot-update", "--llmclf-sample=2")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["*--snapshot-update: predictions on 6 of 12 images, a subset of 2 a class*"]
    )
    assert path.read_bytes() == before


def test_a_broken_run_is_never_committed(committed: Colours) -> None:
    """--snapshot-update with an error among the images is INCONCLUSIVE; the file stays."""
    (path,) = files(committed)
    before = path.read_bytes()
    committed.server.odd["red/3"] = Odd(status=400)
    result = run(committed, "--snapshot-update")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert path.read_bytes() == before
    result.stdout.fnmatch_lines(["*--snapshot-update was not performed: predictions that lack*"])


def test_predictions_are_written_and_compared_under_xdist(committed: Colours) -> None:
    """With -n2 the file is the same byte by byte, and a regression is found."""
    (path,) = files(committed)
    before = path.read_bytes()
    path.unlink()
    assert run(committed, "-n2", "--snapshot-update").ret == pytest.ExitCode.OK
    assert path.read_bytes() == before
    committed.server.odd["red"] = committed.server.odd["green"] = Odd(says="blue")
    assert run(committed, "-n2").ret == pytest.ExitCode.TESTS_FAILED
    assert "8 broken" in verdict(committed)[1]
    assert path.read_bytes() == before


def test_predictions_of_a_model_that_is_not_asked_are_not_unused(committed: Colours) -> None:
    """Asking another model neither fails for the first one's file nor removes it."""
    other = f"openai:colour-blind@{committed.server.url}"
    updated = committed.run("--snapshot-update", model=other)
    assert updated.ret == pytest.ExitCode.OK
    assert len(files(committed)) == 2
    result = committed.run(model=other)
    assert result.ret == pytest.ExitCode.OK
    assert " unused" not in result.stdout.str()
    assert len(files(committed)) == 2


def test_other_snapshots_leave_predictions_alone(committed: Colours) -> None:
    """An update with ordinary snapshots beside them removes no committed predictions."""
    (committed.root / "test_other.py").write_text(
        "def test_other(snapshot):\n    assert 'text' == snapshot\n"
    )
    other = f"openai:colour-blind@{committed.server.url}"
    for processes in ((), ("-n2",)):
        result = committed.run("--snapshot-update", *processes, model=other)
        assert result.ret == pytest.ExitCode.OK
        assert len(files(committed)) == 2
        assert (committed.root / "__snapshots__" / "test_other.ambr").exists()


@pytest.mark.parametrize("lost", [1, 3 * EACH])
@pytest.mark.parametrize("have", [True, False])
def test_nobody_is_told_to_commit_what_has_no_answer(
    committed: Colours, lost: int, *, have: bool
) -> None:
    """An update would refuse, or commit nothing that anybody could hold a run against."""
    every = [f"{name}/{n}" for name in ("red", "green", "blue") for n in range(EACH)]
    committed.server.odd = dict.fromkeys(every[:lost], Odd(status=400))
    if not have:
        (path,) = files(committed)
        path.unlink()
    text = run(committed).stdout.str()
    assert "if this is right" not in text
    assert "to write them" not in text
    assert "review the change and commit" not in text
    assert ("no new predictions can be committed" in text) is have


def test_what_a_run_may_not_commit_is_advised_of_all_images(committed: Colours) -> None:
    """A part of the images says that the update needs all of them."""
    every = [f"{name}/{n}" for name in ("red", "green") for n in range(EACH)]
    committed.server.odd = dict.fromkeys(every, Odd(says="blue"))
    assert "with --snapshot-update, on all images" in run(committed, "-k", "not blue/").stdout.str()
    text = run(committed).stdout.str()
    assert "commit new predictions with --snapshot-update" in text
    assert "on all images" not in text


def test_missing_predictions_are_written_by_the_command_in_the_message(colours: Colours) -> None:
    """It is typed as it stands; with what it wrote, the next run passes."""
    colours.evaluation(arguments=", baseline", body="assert report.predictions == baseline")
    first = colours.run("-n2")
    assert first.ret == pytest.ExitCode.OK
    word, text = verdict(colours)
    found = re.fullmatch(r".*; to write them, before you commit __predictions__: pytest (.+)", text)
    assert found is not None
    assert word == "UNGATED"
    told = " ".join(first.stdout.str().split())
    assert f"__predictions__: pytest {found[1]}" in told
    assert colours.run(*found[1].split(), model="").ret == pytest.ExitCode.OK
    assert len(files(colours)) == 1
    assert colours.run().ret == pytest.ExitCode.OK


def test_what_stands_in_the_place_of_predictions_is_told(committed: Colours) -> None:
    """An empty file is not said to be none; a folder is told in a line, by its place."""
    (path,) = files(committed)
    path.write_text("")
    result = committed.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "no predictions are committed" not in result.stdout.str()
    path.unlink()
    path.mkdir()
    result = committed.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    told = f"{path.name} cannot be read (it is a folder and no file): remove it, and write"
    assert told in result.stdout.str()
    assert "Traceback" not in result.stdout.str()
    assert "syrupy/" not in result.stdout.str()


@pytest.mark.parametrize("place", ["option", "ini"])
def test_a_baseline_can_be_demanded(colours: Colours, place: str) -> None:
    """So that one that went missing is not taken for the first run of a model."""
    colours.evaluation(arguments=", baseline", body="assert report.predictions == baseline")
    if place == "ini":
        colours.pytester.makeini("[pytest]\nllmclf_require_baseline = true")
    option = ["--llmclf-require-baseline"] * (place == "option")
    assert colours.run(*option).ret == pytest.ExitCode.TESTS_FAILED
    assert verdict(colours)[0] == "FAIL"
    assert "no predictions are committed" in verdict(colours)[1]
    assert colours.run(*option, "--snapshot-update").ret == pytest.ExitCode.OK
    assert colours.run(*option).ret == pytest.ExitCode.OK


def test_only_predictions_are_compared(colours: Colours) -> None:
    """Comparing anything else with the baseline is refused with what was meant."""
    colours.evaluation(arguments=", baseline", body="assert report.ledger == baseline")
    result = colours.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "report.predictions" in result.stdout.str()


def test_imported_images_have_predictions_of_their_own(colours: Colours) -> None:
    """Those of the bundled images are neither compared with nor written over."""
    colours.evaluation(arguments=", baseline", body="assert report.predictions == baseline")
    assert colours.run("--snapshot-update").ret == pytest.ExitCode.OK
    (bundled,) = colours.root.glob("__predictions__/**/*.txt")
    before = bundled.read_bytes()
    dataset_directory = colours.root / ".llmclf" / "datasets"
    dataset_directory.mkdir(parents=True)
    (colours.root / "fixtures" / "colours").rename(dataset_directory / "colours")
    (dataset_directory / "colours" / "dataset.toml").write_text("imported = true\n")
    (dataset_directory / "colours" / "red" / "2.png").unlink()
    assert colours.run("--snapshot-update").ret == pytest.ExitCode.OK
    (imported,) = set(colours.root.glob("__predictions__/**/*.txt")) - {bundled}
    assert imported.parent.name == "imported"
    assert bundled.read_bytes() == before
    assert colours.run().ret == pytest.ExitCode.OK


BROKEN = ("red/0", "red/1", "red/2", "green/0", "green/1", "green/2")


@pytest.mark.parametrize("processes", [(), ("-n2",)], ids=["alone", "n2"])
def test_a_failing_gate_does_not_hide_what_broke(
    committed: Colours, processes: tuple[str, ...]
) -> None:
    """Both verdicts are there, the list of images in the failure, the terminal and the summary."""
    committed.server.odd |= {case: Odd(says="blue") for case in BROKEN}
    added = "colours: accuracy >= 0.99"
    result = run(committed, *processes, "--llmclf-gate", added)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    said = [(gate["word"], gate["text"].partition(":")[0]) for gate in committed.summary()["gates"]]
    assert said == [("PASS", "accuracy >= 0"), ("FAIL", "accuracy >= 0.99"), ("FAIL", "baseline")]
    result.stdout.fnmatch_lines(
        [
            "FAIL colours on openai:colours: accuracy >= 0.99: *",
            "*net loss of 6 is more than chance explains",
            "  green/0.png: expected green, was green, now blue",
            "broken since the committed predictions",
            "  colours · openai:colours  6 images",
            "    green/0.png  was green, now blue",
            "FAIL* - 6 broken, 0 fixed since the committed predictions; 1 more gate fails",
        ]
    )
    for name, line in (("report.txt", "green/0.png  was"), ("summary.md", "| `green/0.png` |")):
        assert line in (committed.root / "run" / name).read_text("utf-8")


def test_what_broke_is_listed_where_the_baseline_passes(committed: Colours) -> None:
    """One broken and one fixed is chance, and the image has its name all the same."""
    committed.server.odd = {"red/0": Odd(says="blue")}
    result = run(committed)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*  1 image", "    red/0.png  was red, now blue"])
    summary = (committed.root / "run" / "summary.md").read_text("utf-8")
    assert "### Broken since the committed predictions: 1 image of `colours`" in summary
    assert "| `red/0.png` | `red` | `red` | `blue` |" in summary


def test_an_assert_beside_the_baseline_fails_by_its_own_name(committed: Colours) -> None:
    """The baseline that passed is not said to have failed."""
    path = committed.root / "test_colours.py"
    path.write_text(path.read_text() + "    assert report.accuracy >= 0.99\n")
    assert run(committed).ret == pytest.ExitCode.TESTS_FAILED
    said = [(gate["word"], gate["text"][:17]) for gate in committed.summary()["gates"][1:]]
    assert said == [("PASS", "baseline: 12 pred"), ("FAIL", "assert 0.91666666")]


def test_what_lacks_answers_is_compared_and_not_judged(committed: Colours) -> None:
    """The gates are INCONCLUSIVE, and so is the baseline; what broke is listed nevertheless."""
    committed.server.odd |= {"red/0": Odd(status=400), "red/1": Odd(says="blue")}
    result = run(committed)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert {gate["word"] for gate in committed.summary()["gates"]} == {"INCONCLUSIVE"}
    assert verdict(committed)[1].startswith("baseline: 1 broken, 0 fixed")
    result.stdout.fnmatch_lines(["    red/1.png  was red, now blue"])


def test_a_margin_needs_enough_images(committed: Colours) -> None:
    """Twelve images without a loss exclude one of 30 points, not of two; that is undecided."""
    committed.server.odd = {}
    assert run(committed, "--llmclf-margin=30%").ret == pytest.ExitCode.OK
    word, text = verdict(committed)
    assert (word, "a loss of 30% or more is excluded with 95% confidence" in text) == ("PASS", True)
    for choice, code in (((), 1), (("--llmclf-inconclusive=allow",), 0)):
        assert run(committed, "--llmclf-margin=2%", *choice).ret == code
        word, text = verdict(committed)
        assert word == "INCONCLUSIVE"
        assert "a loss of 2% or more is neither excluded nor shown" in text
    assert committed.summary()["settings"]["margin"] == "2%"


def test_a_loss_beyond_the_margin_fails(committed: Colours) -> None:
    """A loss that is shown; a tolerance beside it still counts these images."""
    committed.server.odd = {
        f"{colour}/{n}": Odd(says="blue") for colour in ("red", "green") for n in range(4)
    }
    assert run(committed, "--llmclf-margin=5%").ret == pytest.ExitCode.TESTS_FAILED
    word, text = verdict(committed)
    assert (word, "a loss of 5% or more is shown" in text) == ("FAIL", True)
    committed.server.odd = {"red/0": Odd(says="blue"), "red/1": Odd(says="blue")}
    assert run(committed, "--llmclf-margin=70%").ret == pytest.ExitCode.OK
    args = ("--llmclf-margin=70%", "--llmclf-tolerance=0")
    assert run(committed, *args).ret == pytest.ExitCode.TESTS_FAILED
    assert "exceeds the tolerance of 0" in verdict(committed)[1]


def test_beside_a_margin_nothing_is_said_of_the_test_that_it_replaces(committed: Colours) -> None:
    """Seven broken pass a margin of 90 points, so six would not have failed it."""
    for share, broken, words in ((90, 7, "PASS"), (30, 3, "INCONCLUSIVE"), (90, 0, "PASS")):
        names = [f"{colour}/{n}" for colour in ("red", "green") for n in range(4)]
        committed.server.odd = {name: Odd(says="blue") for name in names[:broken]}
        run(committed, f"--llmclf-margin={share}%")
        word, text = verdict(committed)
        assert word == words
        assert "would fail" not in text
        assert "fails" not in text
    run(committed)
    assert "would fail it; a true loss of 3 points would fail" in verdict(committed)[1]


def test_a_margin_asks_every_image(committed: Colours) -> None:
    """It is about images like these: no stopping early, and it says why."""
    result = run(committed, "--llmclf-margin=30%", "--llmclf-stop-early")
    result.stdout.fnmatch_lines(
        ["*all images are asked about: *margin is about images like these*"]
    )
    assert "not_needed" not in committed.ledger()


def test_a_margin_that_is_none_is_refused(committed: Colours) -> None:
    """Before anything is collected."""
    result = run(committed, "--llmclf-margin=2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--llmclf-margin: margin '2' is no share*write 2%*"])
