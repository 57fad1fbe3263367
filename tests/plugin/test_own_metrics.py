"""Metrics that an eval file brings, in whole sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugin.colour_server import Odd

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours

COST = """
def cost(report):
    return 10 * sum(one.kind == "misclassified" for one in report.outcomes) / report.ledger.answered

def broken(report):
    return report.accuracy / 0

"""


@pytest.fixture
def costly(colours: Colours) -> Colours:
    """Nine images, one of them wrong, and two metrics, one of which raises."""
    path = colours.root / "test_colours.py"
    own = "metrics={'cost': cost, 'broken': broken}, gates="
    path.write_text(COST + path.read_text("utf-8").replace("gates=", own), "utf-8")
    colours.server.odd = {"green/1": Odd(says="blue")}
    return colours


def words(colours: Colours) -> dict[str, str]:
    """What each gate of the last run came to, by what it asks."""
    return {one["text"].partition(":")[0]: one["word"] for one in colours.summary()["gates"]}


@pytest.mark.parametrize("processes", [(), ("-n2",)])
def test_a_metric_is_gated_shown_and_kept(costly: Colours, processes: tuple[str, ...]) -> None:
    """By the command line, too; with workers the session's own process computes it."""
    gates = ("--llmclf-gate=colours: cost <= 2", "--llmclf-gate=*: cost <= 1")
    result = costly.run(*gates, *processes)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert words(costly) == {"accuracy >= 0.6": "PASS", "cost <= 2": "PASS", "cost <= 1": "FAIL"}
    result.stdout.re_match_lines([r"  cost +1\.111$", r"  broken +– .*ZeroDivisionError: "])
    found = costly.written()["metrics"]
    assert found["cost"] == {"value": pytest.approx(10 / 9), "why": ""}
    assert found["broken"]["value"] is None
    for name in ("report.txt", "summary.md", "page.html"):
        assert "cost" in (costly.root / "run" / name).read_text("utf-8")


def test_one_that_raises_costs_its_gate_alone(costly: Colours) -> None:
    """The gate is INCONCLUSIVE with the reason; all outcomes and files are there."""
    result = costly.run("--llmclf-gate=*: broken <= 1")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert words(costly) == {"accuracy >= 0.6": "PASS", "broken <= 1": "INCONCLUSIVE"}
    assert costly.ledger() == {"collected": 9, "correct": 8, "misclassified": 1}
    (text,) = [one["text"] for one in costly.summary()["gates"] if "broken" in one["text"]]
    assert 'broken raised "ZeroDivisionError: ' in text


def test_a_slip_is_refused_before_any_question(costly: Colours) -> None:
    """A gate of the command line is read when its evaluation is known."""
    result = costly.run("--llmclf-gate=*: cots <= 1")
    assert result.ret != pytest.ExitCode.OK
    assert costly.server.questions == 0
    shown = result.stdout.str() + result.stderr.str()
    assert "Evaluation('colours'): gate 'cots <= 1': 'cots' is not one of accuracy," in shown
    assert "did you mean 'cost'?" in shown


def test_a_gate_on_one_needs_every_image(costly: Colours) -> None:
    """Nothing is decided early then, and the run says why."""
    result = costly.run("--llmclf-stop-early", "--llmclf-gate=*: cost <= 2")
    assert result.ret == pytest.ExitCode.OK
    assert costly.ledger()["collected"] == costly.server.questions == 9
    result.stdout.fnmatch_lines(["*cost <= 2 needs every image: it is no share of images*"])


def test_a_sample_has_the_metric_of_its_images(costly: Colours) -> None:
    """As every other number."""
    costly.server.odd = {}
    costly.run("--llmclf-sample=2", "--llmclf-gate=*: cost <= 0")
    assert words(costly)["cost <= 0"] == "PASS"
    assert costly.written()["metrics"]["cost"]["value"] == 0
