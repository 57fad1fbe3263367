"""Evaluations that choose how answers are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.cli.main import main
from pytest_llmclf.reporting.run_folder import read_run
from tests.plugin.colour_server import Odd

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plugin.conftest import Colours

CHATTY = "It might be {} or so, I would guess"


def choose(colours: Colours, reader: str, before: str = "") -> None:
    """Let the evaluation read by `reader`, which is written into its file."""
    path = colours.root / "test_colours.py"
    text = path.read_text("utf-8").replace("gates=", f"reader={reader}, gates=")
    path.write_text(before + text, "utf-8")


@pytest.fixture
def chatty(colours: Colours) -> Colours:
    """A server whose answers the strict reader does not read."""
    colours.server.odd = {
        colour: Odd(says=CHATTY.format(colour)) for colour in ("red", "green", "blue")
    }
    return colours


def test_another_reader_reads_what_the_strict_one_does_not(chatty: Colours) -> None:
    """The same answers, from the store: nothing is asked anew, and the report names the reader."""
    chatty.run()
    assert chatty.ledger() == {"collected": 9, "unparsed": 9}
    asked = chatty.server.questions
    choose(chatty, "'contains'")
    result = chatty.run()
    assert result.ret == pytest.ExitCode.OK
    assert chatty.ledger() == {"collected": 9, "correct": 9}
    assert chatty.server.questions == asked
    assert chatty.written()["full_instructions"]["reader"] == "contains"
    result.stdout.fnmatch_lines(["*answers read by contains*"])
    assert "contains" in (chatty.root / "run" / "summary.md").read_text("utf-8")


OWN = """
def own(text, labels):
    return next((label for label in labels if label in text), None)

"""


@pytest.mark.parametrize("processes", [(), ("-n2",)])
def test_a_function_reads(chatty: Colours, processes: tuple[str, ...]) -> None:
    """A function of the eval file reads, in workers too, and is named by module and name."""
    choose(chatty, "own", OWN)
    result = chatty.run(*processes)
    assert result.ret == pytest.ExitCode.OK
    assert chatty.ledger() == {"collected": 9, "correct": 9}
    assert chatty.written()["full_instructions"]["reader"] == "test_colours:own"


def test_a_function_that_fails_costs_no_answer(chatty: Colours) -> None:
    """Its images are errors that name it; the answers are kept for when it is mended."""
    choose(chatty, "own", OWN.replace("return next", "return labels[9] or next"))
    result = chatty.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert chatty.ledger() == {"collected": 9, "error": 9}
    assert "test_colours:own raised IndexError" in result.stdout.str()
    asked = chatty.server.questions
    path = chatty.root / "test_colours.py"
    path.write_text(path.read_text("utf-8").replace("labels[9] or ", ""), "utf-8")
    assert chatty.run().ret == pytest.ExitCode.OK
    assert chatty.server.questions == asked


def test_a_slip_in_the_name_stops_at_collection(chatty: Colours) -> None:
    """Nothing is asked, and the nearest reader is named."""
    choose(chatty, "'contain'")
    result = chatty.run()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert chatty.server.questions == 0
    assert "did you mean 'contains'?" in result.stdout.str()


SAYS = {
    "red/1": "Red",
    "green/0": "Perhaps green or so",
    "green/1": "green, I take it, not red",
    "blue/0": "red at the edge, and blue else. Perhaps.",
}
READ: dict[str, dict[str, str | None]] = {
    "strict": {"green/0": None, "blue/0": None},
    "first": {"blue/0": "red"},
    "last": {"green/1": "red"},
    "contains": {"green/1": None, "blue/0": None},
    "exact": dict.fromkeys(SAYS),
    "test_colours:own": {"green/0": None, "blue/0": "red"},
}
"""What each reader makes of these answers where it is not the image's colour."""

BY_START = """
def own(text, labels):
    return next((label for label in labels if text.lower().startswith(label)), None)

"""
BASELINE = "assert report.predictions == baseline"


def images(folder: Path) -> dict[str, str | None]:
    """What each image of a run folder's report was read as."""
    (report,) = read_run(folder).reports
    return {one.case.removesuffix(".png"): one.predicted for one in report.outcomes}


@pytest.mark.parametrize("reader", READ)
def test_every_reader_reads_an_evaluation_by_its_rules(colours: Colours, reader: str) -> None:
    """The same answers: from the model, from the cache, and reread from the run of another.

    Terminal, summary, page, run.json and the committed predictions say who read.
    """
    colours.server.odd = {image: Odd(says=text) for image, text in SAYS.items()}
    colours.evaluation("accuracy >= 0.1", arguments=", baseline", body=BASELINE)
    plain = (colours.root / "test_colours.py").read_text("utf-8")
    colours.run("--snapshot-update")
    asked = colours.server.questions
    choose(colours, reader.rpartition(":")[2] if ":" in reader else repr(reader), BY_START)
    result = colours.run("--llmclf-html", "page.html")
    run = colours.root / "run"
    right = {image: image.partition("/")[0] for image in images(run)}
    assert images(run) == right | READ[reader]
    assert colours.server.questions == asked == 9
    said = " ".join(result.stdout.str().split())
    page = (colours.root / "page.html").read_text("utf-8")
    summary = (run / "summary.md").read_text("utf-8").replace("\\", "")
    for text in (said, summary, page):
        assert (f"answers read by {reader}" in text) is (reader != "strict")
    assert colours.written()["full_instructions"]["reader"] == reader
    assert (f"+reader: {reader}" in said) is (reader != "strict")
    colours.run("--snapshot-update")
    (committed,) = (colours.root / "__predictions__").rglob("*.txt")
    assert f"# | reader: {reader}\n" in committed.read_text("utf-8")
    (colours.root / "test_colours.py").write_text(BY_START + plain, "utf-8")
    colours.run()
    assert images(run) == right | READ["strict"]
    main(["reread", str(run), "--reader", reader, "--out", str(colours.root / "out")])
    assert images(colours.root / "out") == right | READ[reader]
