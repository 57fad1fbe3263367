"""Bad images and bad datasets: said before anything is asked, and never dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugin.colour_server import Odd, png

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours


@pytest.mark.parametrize("processes", [(), ("-n2",)])
def test_a_bad_image_is_reported_and_not_dropped(
    colours: Colours, processes: tuple[str, ...]
) -> None:
    """A cut image is an error with its file, no question is asked, no gate passes."""
    path = colours.root / "fixtures" / "colours" / "red" / "1.png"
    path.write_bytes(path.read_bytes()[:-20])
    result = colours.run(*processes)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert colours.ledger() == {"collected": 9, "correct": 8, "error": 1}
    assert colours.server.questions == 8
    result.stdout.fnmatch_lines(["llmclf: cannot be asked about: *1.png*"])
    result.stdout.fnmatch_lines(["*images without an answer*", "*image*", "*1.png*"])
    assert [gate["word"] for gate in colours.summary()["gates"]] == ["INCONCLUSIVE"]


def test_an_empty_file_is_a_bad_image(colours: Colours) -> None:
    """A file without bytes is one of the images, as an error."""
    (colours.root / "fixtures" / "colours" / "red" / "1.png").write_bytes(b"")
    assert colours.run().ret == pytest.ExitCode.TESTS_FAILED
    assert colours.ledger() == {"collected": 9, "correct": 8, "error": 1}


def test_bad_images_of_a_kind_are_one_line(colours: Colours) -> None:
    """Thirty files of a format that cannot be read and one cut image are two lines."""
    folder = colours.root / "fixtures" / "colours" / "red"
    for number in range(30):
        (folder / f"phone{number}.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(64))
    (folder / "1.png").write_bytes((folder / "1.png").read_bytes()[:-20])
    result = colours.run()
    found = [line for line in result.outlines if line.startswith("llmclf: cannot be asked about")]
    assert len(found) == 2, found
    assert any("phone0.heic, red/phone1.heic, red/phone2.heic and 27 more: " in it for it in found)
    assert colours.ledger() == {"collected": 39, "correct": 8, "error": 31}


def test_every_problem_of_a_dataset_is_listed(colours: Colours) -> None:
    """One message has the same image under two labels and a label that is none."""
    folder = colours.root / "fixtures" / "colours"
    (folder / "green" / "twin.png").write_bytes(png("red", 0))
    (folder / "blue" / "twin.png").write_bytes(png("red", 1))
    result = colours.run()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    text = " ".join(result.stdout.str().split())
    assert text.count("twin.png") >= 2
    assert "2 problems" in text
    assert colours.server.questions == 0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('dataset="colours"', 'dataset="colors"', "did you mean 'colours'?"),
        ('modelfile="colours"', 'modelfile="colors"', "there are: colours"),
        (
            'Gate("accuracy',
            'Gate("acuracy',
            "'acuracy' is not one of accuracy, balanced_accuracy",
        ),
        ('"accuracy >= 0.6"', '"recall[pink] >= 0.6"', "'pink' is not one of blue, green, red"),
        ("def test_image(outcome)", "def test_image()", "must take the argument 'outcome'"),
        ("def test_gate(report)", "def test_gate()", "must take the argument 'report'"),
        ('"Which colour is this?"', '"  "', "the prompt is empty"),
    ],
)
def test_a_slip_in_an_evaluation_stops_collection(
    colours: Colours, old: str, new: str, message: str
) -> None:
    """The message names the value and the remedy, without a traceback into this package."""
    path = colours.root / "test_colours.py"
    text = path.read_text().replace("Gate('", 'Gate("').replace("')]", '")]')
    assert old in text
    path.write_text(text.replace(old, new))
    result = colours.run()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    shown = " ".join(result.stdout.str().split())
    assert message in shown
    assert colours.server.questions == 0


def test_a_modelfile_that_does_not_parse_stops_collection(colours: Colours) -> None:
    """The message has file, line and column."""
    (colours.root / "modelfiles" / "colours.Modelfile").write_text("FROM llava\nPARAMETR x 1\n")
    result = colours.run()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*colours.Modelfile:2:1: *"])


def test_an_empty_dataset_is_never_green(colours: Colours) -> None:
    """No images at all is an error of collection, not a passing gate."""
    for path in (colours.root / "fixtures" / "colours").rglob("*.png"):
        path.unlink()
    assert colours.run().ret == pytest.ExitCode.INTERRUPTED


def test_two_evaluations_of_one_name_are_refused(colours: Colours) -> None:
    """Their reports could not be told apart."""
    text = (colours.root / "test_colours.py").read_text()
    (colours.root / "test_other.py").write_text(text)
    result = colours.run()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*two evaluations are called 'colours'*Evaluation(name=...)*"])


def test_labels_may_be_described(colours: Colours) -> None:
    """Synonyms count as the label, and descriptions reach the model."""
    path = colours.root / "test_colours.py"
    labels = (
        'labels=["blue", "green", Label(name="red", synonyms=("crimson",), '
        'description="like a ripe tomato")], gates='
    )
    text = path.read_text().replace("gates=", labels)
    path.write_text(text.replace("import Evaluation", "import Label, Evaluation"))
    colours.server.odd = {"red/0": Odd(says="Crimson.")}
    assert colours.run().ret == pytest.ExitCode.OK
    assert colours.ledger() == {"collected": 9, "correct": 9}
    assert "like a ripe tomato" in colours.server.prompts[0]
