"""Gates from the command line and ini file, and what becomes of undecided ones."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import pytest

from tests.plugin.colour_server import Odd

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours

CONFIDENT = "accuracy >= 0.9 with 95% confidence"


def words(colours: Colours) -> list[str]:
    """Every verdict's word."""
    return [gate["word"] for gate in colours.summary()["gates"]]


def test_a_gate_from_the_command_line_is_one_more(colours: Colours) -> None:
    """It is judged with the declared ones, in front of the test's own asserts."""
    colours.server.odd = {"red/0": Odd(says="blue")}
    result = colours.run("--llmclf-gate", "colours: accuracy>=0.95, recall[red]>=0.5")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert words(colours) == ["PASS", "FAIL", "PASS"]
    result.stdout.fnmatch_lines(["FAIL colours on openai:colours: accuracy >= 0.95*"])


def test_a_gate_may_be_for_every_evaluation(colours: Colours) -> None:
    """A pattern in place of the name; also where the evaluation has no gate test of its own."""
    colours.evaluation("")
    assert colours.run("--llmclf-gate", "*: accuracy >= 0.9").ret == pytest.ExitCode.OK
    assert words(colours) == ["PASS"]
    without = (colours.root / "test_colours.py").read_text().partition("@colours.gate")[0]
    (colours.root / "test_colours.py").write_text(without)
    colours.server.odd = {"red/0": Odd(says="blue")}
    result = colours.run("--llmclf-gate", "col*: accuracy >= 0.9", "--llmclf-fresh")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert words(colours) == ["FAIL"]


def test_gates_stand_in_the_ini_file(colours: Colours) -> None:
    """One a line; those for evaluations that are not run are left alone."""
    (colours.root / "pytest.ini").write_text(
        "[pytest]\nllmclf_gates =\n    colours: recall[red] >= 0.5\n    other: accuracy >= 0.9\n"
    )
    assert colours.run().ret == pytest.ExitCode.OK
    assert words(colours) == ["PASS", "PASS"]


@pytest.mark.parametrize(
    ("gate", "told"),
    [
        ("colurs: accuracy >= 0.9", "*'colurs' is not one of colours; did you mean 'colours'?*"),
        ("colours: acuracy >= 0.9", "*did you mean 'accuracy'?*"),
        ("accuracy >= 0.9", "*--llmclf-gate: *"),
        ("colours: recall[rd] >= 0.9", "*did you mean 'red'?*"),
        ("colours: accuracy{style=photo} >= 0.9", "*'style'*"),
    ],
)
def test_a_slip_is_known_before_anybody_is_asked(colours: Colours, gate: str, told: str) -> None:
    """Value, place and what was probably meant; not one request is sent."""
    result = colours.run("--llmclf-gate", gate)
    assert result.ret not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    everything = [*result.outlines, *result.errlines]
    assert any(fnmatchcase(line, told) for line in everything), everything
    assert colours.server.questions == 0


def test_a_slip_is_known_under_xdist_too(colours: Colours) -> None:
    """The controller checks the names before a worker runs a test."""
    result = colours.run("-n1", "--llmclf-gate", "colurs: accuracy >= 0.9")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "did you mean 'colours'?" in result.stderr.str() + result.stdout.str()
    assert colours.server.questions == 0


def test_too_few_images_are_known_before_anybody_is_asked(colours: Colours) -> None:
    """At collection: how many would be needed at least."""
    colours.evaluation(CONFIDENT)
    result = colours.run("--collect-only")
    result.stdout.fnmatch_lines(["llmclf: colours: cannot be shown: *needs 29*"])
    assert colours.server.questions == 0


def test_undecided_fails_with_its_own_word(colours: Colours) -> None:
    """Nine of nine is no proof of 90%: INCONCLUSIVE, and the run fails."""
    colours.evaluation(CONFIDENT)
    result = colours.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert words(colours) == ["INCONCLUSIVE"]
    result.stdout.fnmatch_lines(["INCONCLUSIVE colours on openai:colours: *images like these*"])


@pytest.mark.parametrize("said", ["option", "ini"])
def test_undecided_may_be_allowed(colours: Colours, said: str) -> None:
    """The run is green, but the gate is shown as what it is."""
    colours.evaluation(CONFIDENT)
    args = ["--llmclf-inconclusive", "allow"]
    if said == "ini":
        (colours.root / "pytest.ini").write_text("[pytest]\nllmclf_inconclusive = allow\n")
        args = []
    result = colours.run(*args)
    assert result.ret == pytest.ExitCode.OK
    assert words(colours) == ["INCONCLUSIVE"]
    result.stdout.fnmatch_lines(["*= 9 passed, 1 inconclusive in *"])


def test_a_failed_gate_is_never_allowed(colours: Colours) -> None:
    """Allowing the undecided does not allow FAIL, nor images without an answer."""
    colours.evaluation("accuracy >= 0.95")
    colours.server.odd = {"red/0": Odd(says="blue")}
    assert colours.run("--llmclf-inconclusive", "allow").ret == pytest.ExitCode.TESTS_FAILED
    assert words(colours) == ["FAIL"]
    colours.server.odd = {"red/0": Odd(status=400)}
    result = colours.run(
        "--llmclf-inconclusive", "allow", "--llmclf-fresh", "--deselect", "nothing"
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert words(colours) == ["INCONCLUSIVE"]
    result.assert_outcomes(passed=8, failed=1)


def test_enough_images_decide(colours: Colours) -> None:
    """29 right of 29 show 90% with 95% confidence."""
    colours.images(10)
    colours.evaluation(CONFIDENT)
    assert colours.run().ret == pytest.ExitCode.OK
    assert words(colours) == ["PASS"]


def test_an_assert_may_ask_for_confidence(colours: Colours) -> None:
    """report.meets takes whatever a gate may say; undecided is not a failure of another kind."""
    colours.evaluation("", body=f'assert report.meets("{CONFIDENT}")')
    result = colours.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert words(colours) == ["INCONCLUSIVE"]
    assert colours.run("--llmclf-inconclusive", "allow").ret == pytest.ExitCode.OK
    assert words(colours) == ["INCONCLUSIVE"]
    colours.evaluation("", body='assert report.meets("accuracy >= 0.5, recall[red] >= 0.5")')
    assert colours.run().ret == pytest.ExitCode.OK


def test_a_tolerance_is_a_net_loss_that_passes(colours: Colours) -> None:
    """One image lost passes a tolerance of one and fails one of none."""
    colours.evaluation(arguments=", baseline", body="assert report.predictions == baseline")
    colours.run("--snapshot-update")
    colours.server.odd = {"red/0": Odd(says="blue")}
    args = ["--llmclf-fresh", "--llmclf-tolerance"]
    assert colours.run(*args, "1").ret == pytest.ExitCode.OK
    assert colours.run(*args, "0").ret == pytest.ExitCode.TESTS_FAILED
    assert colours.run(*args, "20%").ret == pytest.ExitCode.OK
    result = colours.run(*args, "few")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--llmclf-tolerance: *few*"])


def test_confidence_that_is_not_there_is_said_and_not_invented(colours: Colours) -> None:
    """A gate on the confidence of answers is INCONCLUSIVE without log-probabilities."""
    colours.evaluation("accuracy@coverage0.8 >= 0.5, ece <= 0.2")
    assert colours.run().ret == pytest.ExitCode.TESTS_FAILED
    assert words(colours) == ["INCONCLUSIVE", "INCONCLUSIVE"]
    for gate in colours.summary()["gates"]:
        assert "top_logprobs" in gate["text"]
        assert gate["undecided"] == "undefined"
    assert colours.written()["calibration"] is None


def test_two_models_are_compared_image_by_image(colours: Colours) -> None:
    """Without being asked for, below the reports."""
    blind = colours.server.spec.replace("colours", "colour-blind", 1)
    result = colours.run("--llmclf-model", blind)
    result.stdout.fnmatch_lines(["compared in pairs*", "*colours · openai:colours and*"])
