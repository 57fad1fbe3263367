"""Gates: declared ones, asserts of their own, and what they say where nothing can be said."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import pytest

from pytest_llmclf.gates.unreadable import REMEDIES
from pytest_llmclf.values.outcome import UnparsedReason
from tests.plugin.colour_server import Odd

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours


def verdicts(colours: Colours) -> list[str]:
    """Word and text of every verdict of the last run."""
    return [f"{gate['word']} {gate['text']}" for gate in colours.summary()["gates"]]


@pytest.fixture
def wrong(colours: Colours) -> Colours:
    """Two of nine images are misclassified."""
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
    """With an error among the images even an assert that would hold does not pass."""
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
    colours.server.odd = {"red": Odd(says="What a nice image!")}
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
    assert said.startswith("UNGATED nobody has set a gate for openai:colours")
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
    """A defect in the image's test fails it; the outcome is still on record."""
    path = colours.root / "test_colours.py"
    path.write_text(path.read_text().replace("outcome.check()", "raise ValueError('a defect')"))
    result = colours.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.parseoutcomes()["failed"] == 9
    assert colours.ledger() == {"collected": 9, "correct": 9}


def test_a_broken_fixture_is_an_error(colours: Colours) -> None:
    """Images whose tests could not be set up got no answer; the gate is INCONCLUSIVE."""
    (colours.root / "conftest.py").write_text(
        "import pytest\n\n@pytest.fixture(autouse=True)\ndef broken(request):\n"
        "    if 'red' in request.node.name:\n        raise RuntimeError('broken')\n"
    )
    assert colours.run().ret == pytest.ExitCode.TESTS_FAILED
    assert colours.ledger() == {"collected": 9, "correct": 6, "error": 3}
    why = "its test could not be set up: RuntimeError: broken"
    assert verdicts(colours) == [f"INCONCLUSIVE 3 of 9 images got no answer: {why}"]


def test_a_skipped_image_is_left_out(colours: Colours) -> None:
    """One that some other plugin skips: the gate says that it is of a subset."""
    (colours.root / "conftest.py").write_text(
        "import pytest\n\ndef pytest_collection_modifyitems(items):\n    for item in items:\n"
        "        if 'red/0' in item.name:\n            item.add_marker(pytest.mark.skip)\n"
    )
    result = colours.run()
    assert result.ret == pytest.ExitCode.OK
    assert colours.ledger() == {"collected": 8, "correct": 8, "skipped": 1}
    assert verdicts(colours)[0].endswith("on 8 of 9 images, a subset")


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


@pytest.mark.parametrize(
    "args", [(), ("-n2",), ("-q",), ("-v",), ("--llmclf-stop-early",)], ids=str
)
@pytest.mark.parametrize(
    ("gate", "allow", "shown"),
    [("accuracy <= 0.6, recall[red] >= 0.5", (), "FAIL"),
     ("accuracy >= 0.9 with 95% confidence", (), "INCONCLUSIVE"),
     ("accuracy >= 0.9 with 95% confidence", ("--llmclf-inconclusive=allow",), "")],
)  # fmt: skip
def test_a_gate_without_a_test_is_counted_and_named_in_the_summary(
    colours: Colours, args: tuple[str, ...], gate: str, allow: tuple[str, ...], shown: str
) -> None:
    """A red run has something failed in its last line, and a line that names it."""
    colours.evaluation(gate)
    path = colours.root / "test_colours.py"
    path.write_text(path.read_text().partition("@colours.gate")[0])
    result = colours.run(*args, *allow)
    counts = result.parseoutcomes()
    assert counts.get("failed", 0) == bool(shown)
    assert counts.get("inconclusive", 0) == (not shown)
    test = "llmclf::gates[colours|openai:colours]"
    named = [line for line in result.outlines if test in line]
    assert bool(named) == bool(shown)
    if shown:
        first = gate.partition(",")[0]
        assert named[0].startswith(f"{shown} {test} - {shown} {first}")


def test_gates_of_several_models_without_a_test_are_counted_each(colours: Colours) -> None:
    """One line a model."""
    colours.evaluation("accuracy <= 0.6")
    path = colours.root / "test_colours.py"
    path.write_text(path.read_text().partition("@colours.gate")[0])
    other = colours.server.spec.replace("colours", "other")
    result = colours.run("--llmclf-model", other)
    assert result.parseoutcomes()["failed"] == 2


SECOND = """
@colours.gate
def test_second(report):
    assert report.recall["blue"] >= {bound}
"""


@pytest.mark.parametrize("processes", [(), ("-n2",)], ids=["alone", "n2"])
def test_declared_gates_are_judged_once(wrong: Colours, processes: tuple[str, ...]) -> None:
    """However many gate tests there are: the first one answers for them, each for its asserts."""
    wrong.evaluation("accuracy >= 0.9")
    path = wrong.root / "test_colours.py"
    text = path.read_text()
    path.write_text(text + SECOND.format(bound=0.9))
    result = wrong.run(*processes)
    assert verdicts(wrong) == ["FAIL accuracy >= 0.9: 0.7778 (7/9) on these 9 images"]
    assert result.parseoutcomes()["failed"] == 1
    path.write_text(text + SECOND.format(bound=1.1))
    result = wrong.run(*processes)
    assert [line.partition(":")[0] for line in verdicts(wrong)] == [
        "FAIL accuracy >= 0.9", "FAIL assert 1.0 (3/3) >= 1.1",
    ]  # fmt: skip
    assert result.parseoutcomes()["failed"] == 2


def test_no_gate_test_passes_where_nothing_can_be_said(colours: Colours) -> None:
    """With an error among the images all of them are INCONCLUSIVE; it is said once."""
    path = colours.root / "test_colours.py"
    path.write_text(path.read_text() + SECOND.format(bound=0.1))
    colours.server.odd["green/0"] = Odd(status=400)
    result = colours.run("-rf")
    assert len(verdicts(colours)) == 1
    result.stdout.fnmatch_lines(["INCONCLUSIVE *test_gate*", "INCONCLUSIVE *test_second*"])


def test_asserts_run_whatever_the_declared_gates_come_to(wrong: Colours) -> None:
    """Both failures are there: the threshold, and the assert with its traceback."""
    wrong.evaluation("accuracy >= 0.9", body="assert report.recall['red'] >= 0.5")
    result = wrong.run()
    assert [line.split(":")[0] for line in verdicts(wrong)] == [
        "FAIL accuracy >= 0.9", "FAIL assert 0.3333333333333333 (1/3) >= 0.5",
    ]  # fmt: skip
    result.stdout.fnmatch_lines(["FAIL colours on *accuracy >= 0.9*", "E  *assert 0.333*>= 0.5"])


def test_declared_gates_are_judged_where_their_test_breaks(wrong: Colours) -> None:
    """A fixture that breaks hides no verdict."""
    wrong.evaluation("accuracy >= 0.9", arguments=", broken")
    (wrong.root / "conftest.py").write_text(
        "import pytest\n\n@pytest.fixture\ndef broken():\n    raise RuntimeError('broken')\n"
    )
    assert wrong.run().ret == pytest.ExitCode.TESTS_FAILED
    assert verdicts(wrong) == ["FAIL accuracy >= 0.9: 0.7778 (7/9) on these 9 images"]


def test_a_skipped_gate_is_left_out_on_purpose(wrong: Colours) -> None:
    """With its declared thresholds; the report says that nobody judged."""
    wrong.evaluation("accuracy >= 0.9")
    path = wrong.root / "test_colours.py"
    text = path.read_text().replace("@colours.gate", "@pytest.mark.skip\n@colours.gate")
    path.write_text("import pytest\n" + text)
    result = wrong.run()
    assert result.ret == pytest.ExitCode.OK
    text = " ".join(result.stdout.str().split())
    assert "no gate was judged; " in text


UNREAD = "FAIL no answer could be read: none of 9 names a label (9 {reason}); {remedy}"


@pytest.mark.parametrize(
    ("gate", "tested", "processes"),
    [
        ("", True, ()),
        ("unparsed_rate >= 0.5", True, ("-n2",)),
        ("accuracy >= 0.6", True, ()),
        ("", False, ("-n2",)),
        ("unparsed_rate >= 0.5", False, ()),
        ("accuracy >= 0.6", False, ()),
    ],
)
def test_a_run_in_which_nothing_could_be_read_is_red(
    colours: Colours,
    gate: str,
    tested: bool,  # noqa: FBT001
    processes: tuple[str, ...],
) -> None:
    """Gate or not, with a test of it or not; it says why, and what to do."""
    colours.server.odd = {"*": Odd(says="What a nice image!")}
    colours.evaluation(gate)
    if not tested:
        path = colours.root / "test_colours.py"
        path.write_text(path.read_text().partition("@colours.gate")[0])
    result = colours.run(*processes)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    last = verdicts(colours)[-1]
    assert last == UNREAD.format(reason="outside-the-list", remedy=REMEDIES["outside-the-list"])
    assert len(verdicts(colours)) == 1 + bool(gate)


@pytest.mark.parametrize("gate", ["", "accuracy >= 0.6"])
def test_an_image_without_an_answer_hides_it_not(colours: Colours, gate: str) -> None:
    """That no other answer could be read is said beside it."""
    colours.server.odd = {"*": Odd(says="What a nice image!"), "red/0": Odd(status=400)}
    colours.evaluation(gate)
    result = colours.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    (last,) = verdicts(colours)
    assert "no answer could be read: none of 8 names a label" in last
    if gate:
        assert last.startswith("INCONCLUSIVE 1 of 9 images got no answer")


def test_one_readable_answer_is_an_answer(colours: Colours) -> None:
    """Even a wrong one: what it is worth is for gates to say."""
    colours.server.odd = {"*": Odd(says="?"), "red/0": Odd(says="blue")}
    colours.evaluation("")
    assert colours.run().ret == pytest.ExitCode.OK


def test_errors_alone_are_no_answers(colours: Colours) -> None:
    """Also where every test is expected to fail and there is no gate."""
    colours.server.odd = {"*": Odd(status=400)}
    path = colours.root / "test_colours.py"
    marked = path.read_text().partition("@colours.gate")[0].replace("Gate('accuracy >= 0.6')", "")
    marked = marked.replace("@colours.images", "@pytest.mark.xfail\n@colours.images")
    path.write_text("import pytest\n" + marked)
    result = colours.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*INCONCLUSIVE*no gate was judged; 9 of 9 images got no answer*"])


def test_every_reason_without_a_label_has_a_remedy() -> None:
    """A new one needs a new remedy."""
    assert set(REMEDIES) == set(get_args(UnparsedReason))
