"""Stopping early with committed predictions: a stopped run never passes what all images fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugin.colour_server import Odd

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours

EACH = 40
ALL = 3 * EACH
STOP = ("--llmclf-stop-early", "--llmclf-in-flight=2")
COMPARED = {"arguments": ", baseline", "body": "assert report.predictions == baseline"}


@pytest.fixture
def committed(colours: Colours) -> Colours:
    """120 images, all right, and their predictions committed; the gate is a clear case."""
    colours.images(EACH)
    colours.evaluation("accuracy >= 0.3", **COMPARED)
    assert colours.run("--snapshot-update").ret == pytest.ExitCode.OK
    return colours


def left_out(colours: Colours) -> int:
    """Images of the last run that were not needed."""
    return colours.ledger().get("not_needed", 0)


def verdict(colours: Colours) -> tuple[str, str]:
    """Word and text of the comparison in the last run."""
    gate = colours.summary()["gates"][-1]
    assert gate["text"].startswith("baseline: ")
    return gate["word"], gate["text"]


def breaks(colours: Colours, count: int) -> None:
    """The model answers so many images wrong from now on, a few of each class."""
    names = [f"{colour}/{n}" for n in range(EACH) for colour in ("red", "green", "blue")]
    colours.server.odd = {name: Odd(says="purple") for name in names[:count]}


def test_a_loss_that_all_images_show_is_found_on_a_part(committed: Colours) -> None:
    """The gate is decided early, the comparison somewhat later, and it fails with its list."""
    breaks(committed, 24)
    result = committed.run(*STOP, "--llmclf-fresh")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert left_out(committed) > 0
    word, text = verdict(committed)
    assert word == "FAIL"
    rule = committed.written()["stop_rule"]
    # Nothing was wrong that could be fixed.
    assert text.endswith(
        f"not asked; after {rule['after']} of 120 images in random order; all 120 images would "
        "fail the comparison, too, whatever the other images give"
    )
    assert "FAILED test_colours.py::test_gate" in result.stdout.str()
    assert rule["after"] + left_out(committed) <= ALL
    assert (rule["tests"], rule["gates"]) == (2, ["accuracy >= 0.3"])
    # Without the comparison the gate alone stops after a few.
    committed.evaluation("accuracy >= 0.3")
    committed.run(*STOP)
    assert left_out(committed) > ALL - rule["after"]


def test_an_unchanged_model_passes_on_a_part(committed: Colours) -> None:
    """It takes more images than the gate, fewer than all; the same with workers and a replay."""
    assert committed.run(*STOP, "--llmclf-fresh", "--llmclf-record=said.jsonl").ret == 0
    found = verdict(committed)
    assert found[0] == "PASS"
    after = committed.written()["stop_rule"]["after"]
    assert (
        f"{left_out(committed)} not asked; after {after} of 120 images in random order; all 120 "
        "images would pass the comparison, too; this is wrong in at most 5% of random orders, "
        "counted for all 2 decisions together"
    ) in found[1]
    assert 40 < after < ALL
    assert committed.run(*STOP, "-n2").ret == 0
    assert committed.written()["stop_rule"]["after"] == after
    replay = f"replay:{committed.root / 'said.jsonl'}"
    assert committed.run(*STOP, "--llmclf-repeats=2", "--llmclf-fresh", model=replay).ret == 0
    assert committed.written()["stop_rule"]["after"] == after
    assert "asked 2 times" not in verdict(committed)[1]


def test_a_tolerance_takes_part(committed: Colours) -> None:
    """What chance explains may be more than is tolerated: no stopped run passes it."""
    breaks(committed, 4)
    for tolerance, code in (("--llmclf-tolerance=3", 1), ("--llmclf-tolerance=30", 0)):
        assert committed.run(*STOP, "--llmclf-fresh", tolerance).ret == code
        assert committed.run("--llmclf-fresh", tolerance).ret == code


def test_an_update_asks_every_image(committed: Colours) -> None:
    """Predictions are never written from a part: with an update nothing stops, and that is said."""
    breaks(committed, 24)
    result = committed.run(*STOP, "--llmclf-fresh", "--snapshot-update")
    assert result.ret == pytest.ExitCode.OK
    assert left_out(committed) == 0
    result.stdout.fnmatch_lines(["llmclf: colours: all images are asked about: --snapshot-update*"])
    assert committed.run(*STOP).ret == pytest.ExitCode.OK
    assert left_out(committed) > 0


def test_what_no_image_can_change_does_not_hold_the_run(committed: Colours) -> None:
    """Without predictions, or with those of other images, it fails as ever, after a few images."""
    (path,) = committed.root.glob("__predictions__/**/*.txt")
    text = path.read_text("utf-8")
    # Known by the bytes of the images, or in an older file by the data set.
    other = text.replace("# images: ", "# images: 0")
    path.write_text(other.replace("# dataset: colours ", "# dataset: colours 0"), "utf-8")
    assert committed.run(*STOP).ret == pytest.ExitCode.TESTS_FAILED
    assert "another image set" in verdict(committed)[1]
    early = left_out(committed)
    path.unlink()
    assert committed.run(*STOP).ret == pytest.ExitCode.OK
    assert left_out(committed) == early > 60
    assert "no predictions are committed" in verdict(committed)[1]


def test_a_comparison_that_nobody_could_know_of_is_inconclusive(committed: Colours) -> None:
    """Asked for within the test, it took no part in stopping: only what is certain is said."""
    committed.evaluation(
        "accuracy >= 0.3",
        arguments=", request",
        body='assert report.predictions == request.getfixturevalue("baseline")',
    )
    result = committed.run(*STOP)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    word, text = verdict(committed)
    assert word == "INCONCLUSIVE"
    assert "the run did not wait for this to be decided" in text
    assert committed.run(*STOP, "--llmclf-inconclusive=allow").ret == pytest.ExitCode.OK
    assert committed.run().ret == pytest.ExitCode.OK


def test_of_a_part_of_the_images(committed: Colours) -> None:
    """A subset and a sample are judged on all of theirs, and say of how many those are."""
    breaks(committed, 60)
    for part, these in (
        (("-k", "red/ or green/ or test_gate"), "80 of 120"),
        (("--llmclf-sample=20",), "60 of 120"),
    ):
        assert committed.run(*STOP, "--llmclf-fresh", *part).ret == pytest.ExitCode.TESTS_FAILED
        assert left_out(committed) > 0
        word, text = verdict(committed)
        assert word == "FAIL"
        assert f"all {these} images, a subset, would fail the comparison, too" in text


def test_models_are_decided_apart(committed: Colours) -> None:
    """One has a baseline, the other none: neither waits for the other's."""
    blind = committed.server.spec.replace("colours", "colour-blind", 1)
    committed.server.odd = {"*": Odd(says="red", times=1)}
    assert committed.run(*STOP, "--llmclf-model", blind).ret == pytest.ExitCode.OK
    first, second = (report["stop_rule"] for report in committed.summary()["reports"])
    assert (first["tests"], second["tests"]) == (2, 1)
    assert first["after"] > second["after"]


def test_failed_tests_first_do_not_bias_it(colours: Colours) -> None:
    """Whatever order the tests come in, decisions rest on the random order."""
    colours.images(EACH)
    colours.evaluation("accuracy >= 0.3")
    colours.server.odd = {f"red/{n}": Odd(says="purple") for n in range(20)}
    colours.run(*STOP)
    order, rule = colours.written()["order"], colours.written()["stop_rule"]
    (colours.root / "conftest.py").write_text(
        "def pytest_collection_modifyitems(items):\n"
        "    items.sort(key=lambda item: 'red/' not in item.nodeid)\n"
    )
    colours.run(*STOP)
    assert (colours.written()["order"], colours.written()["stop_rule"]) == (order, rule)
