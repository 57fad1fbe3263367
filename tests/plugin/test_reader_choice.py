"""Evaluations that choose how answers are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugin.colour_server import Odd

if TYPE_CHECKING:
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
