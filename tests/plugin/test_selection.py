"""Running part of the images, and gates that say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugin.colour_server import Odd

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours


def judged(colours: Colours) -> list[tuple[str, str]]:
    """Word and text of every verdict of the last run."""
    return [(gate["word"], gate["text"]) for gate in colours.summary()["gates"]]


def test_a_sample_is_so_many_a_class(colours: Colours) -> None:
    """--llmclf-sample asks N images a class, and header and gate say of how many."""
    result = colours.run("--llmclf-sample=2")
    asked = [case.partition("/")[0] for case in colours.server.asked]
    assert {colour: asked.count(colour) for colour in asked} == {"red": 2, "green": 2, "blue": 2}
    result.stdout.fnmatch_lines(["llmclf: colours: 6 of 9 images, 3 classes -> *"])
    assert judged(colours) == [
        ("PASS", "accuracy >= 0.6: 1.0000 (6/6) on 6 of 9 images, a subset of 2 a class"),
    ]


def test_a_seed_chooses_and_repeats(colours: Colours) -> None:
    """The same seed takes the same images; some other seed takes others."""
    samples: dict[str, frozenset[str]] = {}
    for seed in ("1", "1", "2", "3", "4"):
        colours.server.asked.clear()
        colours.run("--llmclf-sample=1", "--llmclf-seed", seed, "--llmclf-fresh")
        sample = frozenset(colours.server.asked)
        assert samples.setdefault(seed, sample) == sample
    assert len(set(samples.values())) > 1


def test_nothing_is_said_of_what_was_deselected(colours: Colours) -> None:
    """Neither that it is asked, nor that its gates cannot be shown for want of images."""
    said = colours.run("-k", "test_gate").stdout.str()
    assert "cannot be shown" not in said
    assert "classes -> " not in said
    part = colours.run("-k", "red or test_gate").stdout
    part.fnmatch_lines(["llmclf: colours: 3 of 9 images, 3 classes -> *"])


@pytest.mark.parametrize(
    ("args", "chosen"),
    [
        (["-k", "red or test_gate"], {"red/0", "red/1", "red/2"}),
        (["-k", "0.png or test_gate"], {"red/0", "green/0", "blue/0"}),
        (
            ["--deselect", "test_colours.py::test_image[blue/0.png|openai:colours]"],
            {f"{c}/{n}" for c in ("red", "green", "blue") for n in range(3)} - {"blue/0"},
        ),
        (
            [
                "test_colours.py::test_image[green/2.png|openai:colours]",
                "test_colours.py::test_gate",
            ],
            {"green/2"},
        ),
    ],
)
def test_images_are_chosen_like_tests(colours: Colours, args: list[str], chosen: set[str]) -> None:
    """-k, --deselect and node ids pick images; the gate calls what is left a subset."""
    result = colours.run(*args)
    assert result.ret == pytest.ExitCode.OK
    assert set(colours.server.asked) == chosen
    count = len(chosen)
    assert colours.ledger() == {"collected": count, "correct": count, "deselected": 9 - count}
    even = " of 1 a class" if chosen == {"red/0", "green/0", "blue/0"} else ""
    said = f"({count}/{count}) on {count} of 9 images, a subset{even}"
    assert judged(colours) == [("PASS", f"accuracy >= 0.6: 1.0000 {said}")]


def test_a_gate_alone_is_never_green(colours: Colours) -> None:
    """Without any image a gate says INCONCLUSIVE and fails."""
    result = colours.run("-k", "test_gate")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*INCONCLUSIVE colours on *no image was collected*"])
    assert colours.server.questions == 0


def test_images_without_their_gate_say_so(colours: Colours) -> None:
    """A report that no gate looked at is not passed off as judged."""
    result = colours.run("-k", "test_image")
    assert result.ret == pytest.ExitCode.OK
    text = " ".join(result.stdout.str().split())
    assert "no gate was judged; gates are judged only when their test is selected" in text


def test_collecting_asks_nobody(colours: Colours) -> None:
    """--collect-only lists images and gates and sends nothing."""
    result = colours.run("--collect-only", "-q")
    result.stdout.fnmatch_lines(["test_colours.py::test_image[[]blue/0.png|openai:colours[]]"])
    result.stdout.no_fnmatch_line("*= evaluations =*")
    assert colours.server.questions == 0
    assert not (colours.root / "run").exists()


def test_gates_run_last_whatever_the_order(colours: Colours) -> None:
    """A gate that stands before its images, or is named first, still sees them all."""
    path = colours.root / "test_colours.py"
    text = path.read_text()
    images, gate = text.index("@colours.images"), text.index("@colours.gate")
    path.write_text(text[:images] + text[gate:] + "\n" + text[images:gate])
    for args in ([], ["test_colours.py::test_gate", "test_colours.py::test_image"]):
        assert colours.run(*args).ret == pytest.ExitCode.OK
        assert colours.ledger() == {"collected": 9, "correct": 9}
        assert judged(colours)[0][1].endswith("on these 9 images")


def test_stopping_at_a_failure_is_never_green(colours: Colours) -> None:
    """-x after an error leaves images that were not run, says so, and judges nothing."""
    colours.server.odd = {"blue/1": Odd(status=400)}
    result = colours.run("-x")
    assert result.ret in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)
    ledger = colours.ledger()
    ran = ledger.pop("correct", 0)  # the order of asking is a random one
    assert ledger == {"collected": 9, "error": 1, "not_run": 8 - ran}
    assert "PASS" not in [word for word, _ in judged(colours)]
    result.stdout.fnmatch_lines(
        [f"*incomplete: {8 - ran} of 9 images were not run*", "*images not run*"]
    )


def test_stopping_does_not_stop_for_findings(colours: Colours) -> None:
    """-x goes on after a misclassified image: it is no failure."""
    colours.server.odd = {"blue/1": Odd(says="red")}
    assert colours.run("-x").ret == pytest.ExitCode.OK
    assert colours.ledger() == {"collected": 9, "correct": 8, "misclassified": 1}


def test_ids_are_short_and_printable(colours: Colours) -> None:
    """Odd file names become ids that a terminal and an environment variable can take."""
    folder = colours.root / "fixtures" / "colours" / "red"
    (folder / "0.png").rename(folder / f"{'long' * 40}.png")
    (folder / "1.png").rename(folder / "a b\N{CYRILLIC SMALL LETTER A}.png")
    result = colours.run("--collect-only", "-q")
    ids = [line for line in result.outlines if line.startswith("test_colours.py::test_image")]
    assert len(ids) == len(set(ids)) == 9
    assert max(map(len, ids)) < 180
    assert all(line.isprintable() for line in ids)
    assert colours.run().ret == pytest.ExitCode.OK
    assert colours.ledger() == {"collected": 9, "correct": 9}
