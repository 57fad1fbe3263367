"""Images without an outcome: skipped on purpose, not run, lost; and sessions that never began."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugin.colour_server import Odd

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours

PROCESSES = pytest.mark.parametrize("processes", [(), ("-n2",)], ids=["alone", "n2"])


def edit(colours: Colours, *changes: tuple[str, str]) -> None:
    """Change the evaluation's file, which knows pytest from then on."""
    path = colours.root / "test_colours.py"
    text = "import pytest\n" + path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


def verdicts(colours: Colours) -> list[str]:
    """Word and text of every verdict of the last run."""
    return [f"{gate['word']} {gate['text']}" for gate in colours.summary()["gates"]]


@pytest.mark.parametrize(
    ("mark", "processes"),
    [
        ("skipif(True, reason='no GPU')", ("-n2",)),
        ("xfail(run=False, reason='no GPU')", ()),
        ("", ()),
        ("", ("-n2",)),
    ],
)
def test_an_evaluation_may_be_skipped(
    colours: Colours, mark: str, processes: tuple[str, ...]
) -> None:
    """On purpose: no image is lost, its gate is skipped with it, and the run is green."""
    if mark:
        edit(colours, ("@colours.images", f"@pytest.mark.{mark}\n@colours.images"))
    else:
        edit(colours, ("outcome.check()", "pytest.skip('no GPU')"))
    result = colours.run("-rs", *processes)
    assert result.ret == pytest.ExitCode.OK
    assert "passed" not in result.parseoutcomes()
    shown = result.stdout.str()
    assert "lost" not in shown
    assert "INCONCLUSIVE" not in shown
    result.stdout.fnmatch_lines(
        [
            "  0 images: * (9 skipped)",
            "  9 images skipped by their tests: no GPU (9)",
            "*UNGATED*no gate was judged; all 9 images were skipped",
            "SKIPPED * all 9 images were skipped",
        ]
    )


FIXTURE = """
import pytest

@pytest.fixture{autouse}
def choosy(request{argument}):
    if "red" in request.node.name:
        pytest.skip("not red")
"""


@PROCESSES
@pytest.mark.parametrize("late", [False, True])
def test_skipped_images_are_left_out(
    colours: Colours,
    processes: tuple[str, ...],
    late: bool,  # noqa: FBT001
) -> None:
    """By a fixture before or after their answer is there: the gate speaks of the others."""
    colours.server.odd = {"red/0": Odd(says="blue"), "blue/0": Odd(says="red")}
    text = FIXTURE.format(
        autouse="" if late else "(autouse=True)", argument=", outcome" if late else ""
    )
    (colours.root / "conftest.py").write_text(text)
    if late:
        edit(colours, ("(outcome)", "(outcome, choosy)"))
    assert colours.run(*processes).ret == pytest.ExitCode.OK
    assert colours.ledger() == {"collected": 6, "correct": 5, "misclassified": 1, "skipped": 3}
    assert verdicts(colours) == [
        "PASS accuracy >= 0.6: 0.8333 (5/6) on 6 of 9 images, a subset",
    ]
    assert "3 images skipped by their tests: not red (3)" in colours.written()["notes"]


def test_a_skip_does_not_hide_that_there_is_no_answer(colours: Colours) -> None:
    """Leaving out the images that the server failed on would make a gate green."""
    colours.server.odd = {"red/0": Odd(status=400)}
    edit(
        colours,
        ("outcome.check()", "if outcome.kind == 'error':\n        pytest.skip('flaky')"),
    )
    assert colours.run().ret == pytest.ExitCode.TESTS_FAILED
    assert colours.ledger() == {"collected": 9, "correct": 8, "error": 1}


def test_a_test_that_breaks_after_its_answer_loses_nothing(colours: Colours) -> None:
    """What a fixture does then fails the test; the outcome is on record."""
    broken = FIXTURE.format(autouse="", argument=", outcome").replace("pytest.skip", "pytest.fail")
    (colours.root / "conftest.py").write_text(broken)
    edit(colours, ("(outcome)", "(outcome, choosy)"))
    result = colours.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.parseoutcomes() == {"passed": 7, "errors": 3}
    assert colours.ledger() == {"collected": 9, "correct": 9}


@PROCESSES
def test_a_stopped_session_is_told_from_a_loss(
    colours: Colours, processes: tuple[str, ...]
) -> None:
    """Its images were not run, in counts, files and gates of each variant; nothing is green."""
    first = "def test_it():\n    assert False\n\n\ndef test_that():\n    assert False\n"
    (colours.root / "test_a_first.py").write_text(first)
    colours.server.odd = {"*": Odd(waits_s=0.2)}
    result = colours.run("--maxfail=2", "--llmclf-variant=short: prompt=Which?", *processes)
    assert result.ret in {pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED}
    shown = result.stdout.str()
    assert "images were not run: the session stopped before its end" in shown
    assert " lost" not in shown
    assert " PASS" not in shown
    if not processes:
        assert not (colours.root / "run").exists()  # no image's test began
        return
    words = {gate["variant"]: gate["word"] for gate in colours.summary()["gates"]}
    assert words == {"": "INCONCLUSIVE", "short": "INCONCLUSIVE"}
    for report in colours.summary()["reports"]:
        counts = {kind: count for kind, count in report["ledger"].items() if kind != "collected"}
        assert report["ledger"]["collected"] == sum(counts.values()) == 9
        assert counts["not_run"] > 0 == counts["lost"]


def test_stepwise_stops_without_a_loss(colours: Colours) -> None:
    """--sw goes by an interruption, not by a failure; pytest's last-failed knows the rest."""
    colours.server.odd = {"blue/1": Odd(status=400)}
    command = [arg for arg in colours.command("--sw") if arg != "no:cacheprovider"]
    command = [arg for arg, after in zip(command, [*command[1:], ""], strict=True)
               if not (arg == "-p" and not after.startswith("no:"))]  # fmt: skip
    colours.pytester.runpytest_inprocess(*command)
    ledger = colours.ledger()
    ran = ledger.pop("correct", 0)  # the order of asking is a random one
    assert ledger == {"collected": 9, "error": 1, "not_run": 8 - ran}


@PROCESSES
def test_a_session_that_never_began_says_only_why(
    colours: Colours, processes: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another file's error, or a typo in a gate's name; one annotation with the cause."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    typo = colours.run("--llmclf-gate", "colors: accuracy >= 0.5", *processes)
    (colours.root / "test_other.py").write_text("import nothing_of_that_name\n")
    other = colours.run(*processes)
    for result, why in (
        (typo, "--llmclf-gate colors: accuracy >= 0.5: 'colors' is not one of colours"),
        (other, "test_other.py: ModuleNotFoundError: No module named 'nothing_of_that_name'"),
    ):
        assert result.ret not in {pytest.ExitCode.OK, pytest.ExitCode.INTERNAL_ERROR}
        lines = [*result.outlines, *result.errlines]
        (said,) = [line for line in lines if line.startswith(("::error", "::warning"))]
        assert said.startswith(f"::error title=pytest%3A nothing is judged::{why}")
        shown = "\n".join(lines)
        assert "lost" not in shown
        assert "evaluations" not in shown


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Gate('accuracy >= 2 percent')", "::test_colours.py:6: gate 'accuracy >= 2 percent': "),
        (
            "Gate('recall[pink] >= 0.5')",
            "::test_colours.py:9: Evaluation('colours'): gate 'recall[pink] >= 0.5': ",
        ),
    ],
)
def test_an_evaluation_that_cannot_be_collected_is_annotated(
    colours: Colours, monkeypatch: pytest.MonkeyPatch, text: str, why: str
) -> None:
    """Where it is declared, and where it is loaded."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    edit(colours, ("Gate('accuracy >= 0.6')", text))
    (said,) = [line for line in colours.run().outlines if line.startswith("::error")]
    assert why in said


def test_a_usage_error_is_annotated(colours: Colours, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that pytest writes before it has a reporter."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    result = colours.run("--llmclf-gate", "colours: accuracy >>= 0.5")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert [line for line in result.errlines if line.startswith("::error")]


def test_an_undecided_gate_that_fails_is_an_error(
    colours: Colours, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a warning where it is allowed."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    colours.evaluation("accuracy >= 0.9 with 95% confidence")
    for args, level in (((), "error"), (("--llmclf-inconclusive=allow",), "warning")):
        lines = colours.run(*args).outlines
        (said,) = [line for line in lines if line.startswith(("::error", "::warning"))]
        assert said.startswith(f"::{level} title=INCONCLUSIVE%3A colours")
