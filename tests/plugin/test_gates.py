"""Gates: declared ones, asserts of their own, and what they say where nothing can be said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugin.colour_server import Odd

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours


def verdicts(colours: Colours) -> list[str]:
    """Word and text of every verdict of the last run."""
    return [f"{gate['word']} {gate['text']}" for gate in colours.summary()["gates"]]


@pytest.fixture
def wrong(colours: Colours) -> Colours:
    """Two of nine pictures are misclassified."""
    colours.server.odd = {"red/0": Odd(says="blue"), "red/1": Odd(says="blue")}
    return colours


def test_a_gate_that_is_not_reached_fails_the_run(wrong: Colours) -> None:
    """The failure is one line with what was asked and what was found."""
    wrong.evaluation("accuracy >= 0.9, recall[red] >= 0.5, recall[blue] >= 0.9")
    result = wrong.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert verdicts(wrong) == [
        "FAIL accuracy >= 0.9: 0.7778 (7/9) on these 9 images",
        "FAIL recall[red] >= 0.5: 0.3333 (1/3) on these 9 images",
        "PASS recall[blue] >= 0.9: 1.0000 (3/3) on these 9 images",
    ]
    result.stdout.fnmatch_lines(
        [
            "*= FAILURES =*",
            "*test_gate*",
            "FAIL colours on openai:colours: accuracy >= 0.9: 0.7778 (7/9) on these 9 images",
        ]
    )


def test_a_gate_may_be_an_assert(wrong: Colours) -> None:
    """Without a declared gate the test's own asserts decide, and pytest shows the numbers."""
    wrong.evaluation("", body="assert report.accuracy >= 0.9")
    result = wrong.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*assert 0.777* (7/9) >= 0.9*"])
    assert [line.split()[0] for line in verdicts(wrong)] == ["FAIL"]
    wrong.evaluation("", body="assert report.accuracy >= 0.7")
    assert wrong.run().ret == pytest.ExitCode.OK
    assert [line.split()[0] for line in verdicts(wrong)] == ["PASS"]


def test_an_assert_is_not_asked_where_nothing_can_be_said(wrong: Colours) -> None:
    """With an error among the pictures even an assert that would hold does not pass."""
    wrong.server.odd["green/0"] = Odd(status=400)
    wrong.evaluation("", body="assert report.accuracy >= 0.1")
    assert wrong.run().ret == pytest.ExitCode.TESTS_FAILED
    (said,) = verdicts(wrong)
    assert said.startswith("INCONCLUSIVE 1 of 9 images got no answer: ")


def test_an_error_never_lowers_accuracy_to_a_fail(colours: Colours) -> None:
    """Seven of nine without an answer is INCONCLUSIVE, not FAIL."""
    for colour in ("red", "green"):
        colours.server.odd[colour] = Odd(status=400)
    result = colours.run()
    (said,) = verdicts(colours)
    assert said.startswith("INCONCLUSIVE 6 of 9 images got no answer: ")
    assert colours.written()["accuracy"] == 1.0
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_an_unparsed_answer_counts_against_accuracy(colours: Colours) -> None:
    """Not naming a label is as wrong as naming another one."""
    colours.server.odd = {"red": Odd(says="What a nice picture!")}
    colours.evaluation("accuracy >= 0.9")
    colours.run()
    assert verdicts(colours) == ["FAIL accuracy >= 0.9: 0.6667 (6/9) on these 9 images"]


def test_a_gate_for_another_model_judges_nothing(colours: Colours) -> None:
    """The run is green, and the report says that nobody has set a gate."""
    path = colours.root / "test_colours.py"
    text = path.read_text()
    path.write_text(text.replace("Gate('accuracy >= 0.6')", "Gate('accuracy >= 0.6', 'other*')"))
    assert colours.run().ret == pytest.ExitCode.OK
    (said,) = verdicts(colours)
    assert said.startswith("UNGATED nobody has set a gate for openai:colours on")
    assert said.endswith("on the bundled images; the gates of this evaluation are for others")


def test_the_reason_of_a_gate_is_shown(colours: Colours) -> None:
    """Where a number comes from stands beside the verdict."""
    path = colours.root / "test_colours.py"
    gate = "Gate('accuracy >= 0.6', because='measured in May')"
    path.write_text(path.read_text().replace("Gate('accuracy >= 0.6')", gate))
    colours.run()
    assert verdicts(colours)[0].endswith("(measured in May)")


def test_a_gate_stands_beside_ordinary_tests(colours: Colours) -> None:
    """Plain tests run as ever, in the same session and the same file."""
    path = colours.root / "test_colours.py"
    path.write_text(path.read_text() + "\ndef test_plain():\n    assert True\n")
    (colours.root / "test_other.py").write_text("def test_fails():\n    assert 0\n")
    result = colours.run()
    assert result.parseoutcomes() == {"passed": 11, "failed": 1}


def test_an_evaluation_that_breaks_is_lost_not_green(colours: Colours) -> None:
    """A defect in the picture's test fails it; the outcome is still on record."""
    path = colours.root / "test_colours.py"
    path.write_text(path.read_text().replace("outcome.check()", "raise ValueError('a defect')"))
    result = colours.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.parseoutcomes()["failed"] == 9
    assert colours.ledger() == {"collected": 9, "correct": 9}


def test_a_broken_fixture_loses_pictures(colours: Colours) -> None:
    """Pictures whose tests never ran are lost, and the gate is INCONCLUSIVE."""
    (colours.root / "conftest.py").write_text(
        "import pytest\n\n@pytest.fixture(autouse=True)\ndef broken(request):\n"
        "    if 'red' in request.node.name:\n        raise RuntimeError('broken')\n"
    )
    assert colours.run().ret == pytest.ExitCode.TESTS_FAILED
    assert colours.ledger()["lost"] == 3
    assert verdicts(colours)[0].startswith("INCONCLUSIVE 3 of 9 images were lost")


def test_a_skipped_picture_is_lost(colours: Colours) -> None:
    """A picture that some other plugin skips can never make a gate green."""
    (colours.root / "conftest.py").write_text(
        "import pytest\n\ndef pytest_collection_modifyitems(items):\n    for item in items:\n"
        "        if 'red/0' in item.name:\n            item.add_marker(pytest.mark.skip)\n"
    )
    result = colours.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert colours.ledger() == {"collected": 9, "correct": 8, "lost": 1}


def test_declared_gates_need_no_test_of_their_own(colours: Colours) -> None:
    """Without a gate test the declared gates are judged at the end, and can fail the run."""
    path = colours.root / "test_colours.py"
    without = path.read_text().partition("@colours.gate")[0]
    path.write_text(without.replace("accuracy >= 0.6", "accuracy <= 0.6"))
    assert colours.run().ret == pytest.ExitCode.TESTS_FAILED
    (said,) = verdicts(colours)
    assert said.startswith("FAIL accuracy <= 0.6")
    path.write_text(without)
    assert colours.run().ret == pytest.ExitCode.OK
    (said,) = verdicts(colours)
    assert said.startswith("PASS accuracy >= 0.6")
