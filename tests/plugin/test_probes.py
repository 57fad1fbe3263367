"""Probes in a run: what is asked besides, what comes of it, and that nothing else changes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_llmclf.cli.main import main
from tests.plugin.colour_server import Odd

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours

EACH: Final = 8
SYSTEM: Final = "Name the colour with one word, for example: red."
APART: Final = ("probes", "diagnosis", "duration_s", "notes")
"""What a report with probes has besides."""


def project(colours: Colours, system: str = SYSTEM) -> None:
    """An evaluation of three colours whose SYSTEM text has an example."""
    colours.images(EACH)
    colours.evaluation("accuracy >= 0.4")
    (colours.root / "modelfiles" / "colours.Modelfile").write_text(f"FROM llava\nSYSTEM {system}\n")


def drawn(text: str, colour: str, number: int) -> str:
    """Half of the images are what stands as the example of an answer."""
    found = re.search(r"for example: (\w+)", text)
    return found[1] if found is not None and number % 2 else colour


def findings(colours: Colours) -> dict[str, dict[str, Any]]:
    """What the probes of the last run found, by kind."""
    told = colours.written()["diagnosis"]
    return {one["kind"]: one for one in told if "probe" in one["kind"]}


def test_an_example_that_draws_answers_is_found(colours: Colours) -> None:
    """In one command, in terminal, Markdown, page and run.json, with its numbers."""
    project(colours)
    colours.server.sways = drawn
    result = colours.run("--llmclf-probe", "example")
    found = findings(colours)["example-probe"]
    other = found["others"][0]
    assert found["labels"] == ["red"]
    assert (found["images"], found["before"], found["after"]) == (24, 16, 4)
    assert found["p_value"] < 0.05
    assert colours.server.questions == 48
    result.stdout.fnmatch_lines(["*probe example: 24 further questions about 24 images; *"])
    for text in (
        result.stdout.str(),
        *((colours.root / "run" / name).read_text("utf-8") for name in ("summary.md", "page.html")),
    ):
        words = re.sub(r"\s+", " ", text.replace("\\", "").replace("&quot;", '"'))
        assert "The example draws answers: with " in words
        assert f'16 of 24 answers name it, with "{other}" instead 4' in words
    summary = (colours.root / "run" / "summary.md").read_text("utf-8")
    assert main(["report", str(colours.root / "run"), "--quiet"]) == 0
    assert (colours.root / "run" / "summary.md").read_text("utf-8") == summary


def test_answers_that_follow_the_list_are_found(colours: Colours) -> None:
    """Whoever says the first label of the list says another one with another list."""
    project(colours, "Name the colour.")
    colours.server.sways = lambda text, colour, number: (
        re.findall(r"^- (\w+)", text, re.MULTILINE)[0] if number % 2 else colour
    )
    colours.run("--llmclf-probe=order")
    found = findings(colours)["order-probe"]
    assert found["up"] > 5
    assert found["down"] == 0
    assert found["p_value"] < 0.05


def test_probes_count_in_no_report(colours: Colours) -> None:
    """Outcomes, gates and everything but the diagnosis are those of a run without probes."""
    project(colours)
    colours.server.sways = drawn
    plain = colours.run()
    before = colours.summary()
    outcomes = (colours.root / "run" / "outcomes.csv").read_text("utf-8")
    again = colours.run("--llmclf-probe=order,blank,example,size")
    after = colours.summary()
    assert again.ret == plain.ret
    assert after["gates"] == before["gates"]
    kept, told = before["reports"][0], after["reports"][0]
    assert {name: told[name] for name in told if name not in APART} == {
        name: kept[name] for name in kept if name not in APART
    }
    columns = [line.split(",")[:10] for line in outcomes.splitlines()]
    written = (colours.root / "run" / "outcomes.csv").read_text("utf-8").splitlines()
    assert [line.split(",")[:10] for line in written] == columns
    assert len(findings(colours)) == 4


def test_workers_find_the_same(colours: Colours) -> None:
    """Each asks for its images; the controller puts the answers together."""
    project(colours)
    colours.server.sways = drawn
    colours.run("--llmclf-probe=order,blank,example,size")
    alone = findings(colours)
    colours.run("--llmclf-probe=order,blank,example,size", "-n2", "--llmclf-home=elsewhere")
    assert findings(colours) == alone


def test_a_recording_without_probes_says_so(colours: Colours) -> None:
    """Played back they tell nothing; recorded with them they tell the same."""
    project(colours)
    colours.server.sways = drawn
    colours.run("--llmclf-record=plain.jsonl")
    colours.run("--llmclf-probe=example,size", "--llmclf-record=probed.jsonl", "--llmclf-fresh")
    asked = findings(colours)
    colours.run("--llmclf-probe=example,size", model="replay:probed.jsonl")
    assert findings(colours) == asked
    colours.run("--llmclf-probe=example,size", model="replay:plain.jsonl")
    (why,) = {
        one["why"].partition(":")[0]
        for one in colours.written()["diagnosis"]
        if one["kind"] == "probe-not-run"
    }
    assert why == "no image has an answer to both"
    assert colours.written()["accuracy"] is not None


def test_a_model_is_not_given_up_for_what_probes_change(colours: Colours) -> None:
    """A server that cannot take the larger images answers all others."""
    project(colours, "Name the colour.")
    colours.server.odd = {
        f"{colour}/{number}": Odd(status=500)
        for colour in ("red", "green", "blue")
        for number in range(8, 2 * EACH + 16)
    }
    colours.run("--llmclf-probe=size", "--llmclf-attempts=1")
    assert colours.ledger()["correct"] == 3 * EACH
    found = findings(colours)["size-probe"]
    assert [one["change"] for one in found["changes"]] == ["half"]
    (silent,) = found["silent"]
    assert silent[0] == "twice"
    assert "made to answer 500" in silent[1]


def test_a_run_that_stops_asks_no_probe_of_what_it_leaves_out(colours: Colours) -> None:
    """What is not needed is asked nothing; what the probe misses is said."""
    project(colours, "Name the colour.")
    colours.run("--llmclf-probe=order", "--llmclf-stop-early", "--llmclf-in-flight=1")
    left = colours.ledger()["not_needed"]
    assert left
    assert "stopped early" in findings(colours)["probe-not-run"]["why"]
    assert colours.server.questions <= 2 * (3 * EACH - left) + 4


@pytest.mark.parametrize(
    ("system", "line"),
    [
        (SYSTEM, 'colours: "red" stands as the example of an answer in the SYSTEM text: *'),
        ("Name the colour: red, green or blue.", None),
        ("Coloured things; a redwood is large.", None),
    ],
)
def test_an_example_is_said_before_the_run(colours: Colours, system: str, line: str | None) -> None:
    """In one line, which is no warning of pytest's; a list of labels and other words are none."""
    project(colours, system)
    result = colours.run("-W", "error", "--collect-only")
    said = [one for one in result.stdout.lines if "the example of an answer" in one]
    assert len(said) == (line is not None)
    if line is not None:
        result.stdout.fnmatch_lines([f"llmclf: {line}"])
    assert colours.server.questions == 0
    assert "the example of an answer" not in colours.run("-q", "--collect-only").stdout.str()


def test_a_quiet_run_says_what_probes_found(colours: Colours) -> None:
    """A line a finding, and one for those that show nothing or could not be run."""
    project(colours)
    colours.server.sways = drawn
    said = colours.run("-q", "--llmclf-probe=order,example").stdout.str()
    told = re.sub(r"\s+", " ", said.partition("95% interval")[2].partition("gates")[0])
    _, example, order = told.split(" colours · openai:colours: ")
    assert example.startswith('The example draws answers: with "red" as the example in the SYSTEM')
    assert order == ("probe order: label list in other orders, no lean to its top or end shown ")


def test_what_is_no_probe_is_refused(colours: Colours) -> None:
    """With what was probably meant, before anything is collected."""
    project(colours)
    result = colours.run("--llmclf-probe", "ordr")
    result.stderr.fnmatch_lines(["*--llmclf-probe: 'ordr' is no probe*order*"])
    result = colours.run("--llmclf-probe-images", "5")
    result.stderr.fnmatch_lines(["*--llmclf-probe-images has no effect without --llmclf-probe*"])


def test_a_sample_is_as_small_as_wanted(colours: Colours) -> None:
    """Five images, ten further questions."""
    project(colours)
    result = colours.run(
        "--llmclf-probe=order,example", "--llmclf-probe-images=5", "-k", "red or green"
    )
    result.stdout.fnmatch_lines(["*probes order, example: 10 further questions about 5 images; *"])
    assert colours.server.questions == 16 + 10
