"""Asking through a real server: retries, known answers, limits, and servers that are not there."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest

from tests.plugin.colour_server import Odd

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours


def outcomes(colours: Colours) -> dict[str, str]:
    """Kind by image of the last run, from its CSV."""
    with (colours.root / "run" / "outcomes.csv").open(newline="", encoding="utf-8") as file:
        return {row["case"]: row["kind"] for row in csv.DictReader(file)}


def test_every_image_is_asked_once(colours: Colours) -> None:
    """Nine images are nine questions, each with the prompt and the labels."""
    assert colours.run().ret == pytest.ExitCode.OK
    assert set(colours.server.asked.values()) == {1}
    assert colours.server.questions == 9
    (prompt,) = set(colours.server.prompts)
    assert prompt.startswith("Which colour is this?")
    assert all(f"- {label}" in prompt for label in ("red", "green", "blue"))


def test_known_answers_are_not_asked_for_again(colours: Colours) -> None:
    """A second run has the same report without a question; what changed is asked."""
    colours.server.odd = {"red/0": Odd(says="blue")}
    colours.run()
    first = colours.written()
    result = colours.run()
    second = colours.written()
    assert colours.server.questions == 9
    for part in ("ledger", "confusion", "accuracy"):
        assert first[part] == second[part]
    result.stdout.fnmatch_lines(["*9 answers from the store*"])
    path = colours.root / "fixtures" / "colours" / "red" / "0.png"
    path.write_bytes(path.read_bytes() + b"\0")
    colours.run()
    assert colours.server.questions == 10


def test_fresh_asks_again_and_replaces(colours: Colours) -> None:
    """--llmclf-fresh asks for all, and later runs know the new answers."""
    colours.server.odd = {"red/0": Odd(says="blue", times=1)}
    colours.run()
    assert outcomes(colours)["red/0.png"] == "misclassified"
    colours.run("--llmclf-fresh")
    assert colours.server.questions == 18
    colours.run()
    assert colours.server.questions == 18
    assert outcomes(colours)["red/0.png"] == "correct"


def test_another_prompt_is_another_question(colours: Colours) -> None:
    """Answers to one prompt are not taken for answers to another."""
    colours.run()
    path = colours.root / "test_colours.py"
    path.write_text(path.read_text().replace("Which colour", "What colour"))
    colours.run()
    assert colours.server.questions == 18


@pytest.mark.parametrize(
    "odd", [Odd(status=503, times=1), Odd(drops=True, times=1), Odd(status=429, times=1)]
)
def test_trouble_that_passes_is_asked_again(colours: Colours, odd: Odd) -> None:
    """Overload and cut connections cost another question, not the image."""
    colours.server.odd = {"red/0": odd}
    assert colours.run().ret == pytest.ExitCode.OK
    assert colours.server.asked["red/0"] == 2
    assert colours.ledger() == {"collected": 9, "correct": 9}


def test_what_the_server_refuses_is_not_asked_again(colours: Colours) -> None:
    """A 4xx is an error at once, and no other image suffers."""
    colours.server.odd = {"red/0": Odd(status=400)}
    colours.run()
    assert colours.server.asked["red/0"] == 1
    assert outcomes(colours)["red/0.png"] == "error"
    assert colours.ledger() == {"collected": 9, "correct": 8, "error": 1}


def test_attempts_are_an_option(colours: Colours) -> None:
    """--llmclf-attempts bounds the questions for one image."""
    colours.server.odd = {"red/0": Odd(status=500)}
    colours.run("--llmclf-attempts=2")
    assert colours.server.asked["red/0"] == 2


def test_errors_are_not_kept(colours: Colours) -> None:
    """What failed in one run is asked in the next, and only that."""
    colours.server.odd = {"red/0": Odd(status=400, times=1)}
    assert colours.run().ret == pytest.ExitCode.TESTS_FAILED
    assert colours.run().ret == pytest.ExitCode.OK
    assert colours.server.questions == 10


def test_several_are_in_flight(colours: Colours) -> None:
    """One pytest process keeps several questions at the server, as many as it was told."""
    colours.server.odd = {"*": Odd(waits_s=0.05)}
    colours.run("--llmclf-in-flight=3")
    assert colours.server.most_in_flight == 3
    colours.server.most_in_flight = 0
    colours.run("--llmclf-in-flight=1", "--llmclf-fresh")
    assert colours.server.most_in_flight == 1


def test_a_slow_answer_is_an_error_in_time(colours: Colours) -> None:
    """--llmclf-timeout ends the waiting for one answer; the message has the remedy."""
    colours.server.odd = {"red/0": Odd(waits_s=3.0)}
    result = colours.run("--llmclf-timeout=0.5", "--llmclf-attempts=1")
    assert result.duration < 3
    assert colours.ledger() == {"collected": 9, "correct": 8, "error": 1}
    result.stdout.fnmatch_lines(["*timed-out*", "*--llmclf-timeout*"])


def test_a_server_that_is_not_there_is_said_once(colours: Colours) -> None:
    """Nothing is judged: every image is an error, the gate INCONCLUSIVE, the run red."""
    colours.server.stop()
    result = colours.run("--llmclf-attempts=2")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert colours.ledger() == {"collected": 9, "error": 9}
    assert [gate["word"] for gate in colours.summary()["gates"]] == ["INCONCLUSIVE"]
    section = result.stdout.str().partition("= evaluations =")[2].partition("short test summary")[0]
    # In the list of causes, once for all images, and in the gate's verdict.
    assert section.count("nothing answers at") == 2
    assert result.duration < 5


def test_a_server_that_dies_is_inconclusive(colours: Colours) -> None:
    """What was answered is kept and shown; the rest are errors; the next run asks only those."""
    colours.images(each=10)
    colours.server.die_after = 12
    result = colours.run("--llmclf-attempts=1", "--llmclf-in-flight=1")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert colours.ledger() == {"collected": 30, "correct": 12, "error": 18}
    assert colours.written()["accuracy"] == 1.0
    assert [gate["word"] for gate in colours.summary()["gates"]] == ["INCONCLUSIVE"]
    result.stdout.fnmatch_lines(["*given up after 3 images in a row*"])
    assert colours.server.questions == 15
    colours.server.die_after = None
    assert colours.run().ret == pytest.ExitCode.OK
    assert colours.server.questions == 15 + 18


def test_enum_answers_are_read(colours: Colours) -> None:
    """With answer="enum" the server is sent a schema, and its JSON is read."""
    path = colours.root / "test_colours.py"
    path.write_text(path.read_text().replace("gates=", 'answer="enum", gates='))
    assert colours.run().ret == pytest.ExitCode.OK
    assert colours.ledger() == {"collected": 9, "correct": 9}


def test_what_is_no_protocol_is_an_error(colours: Colours) -> None:
    """A server that answers something else is an error with a remedy, never an answer."""
    result = colours.run(model=f"openai:colours@{colours.server.url.removesuffix('/v1')}/v2")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert colours.ledger()["error"] == 9


def test_a_damaged_store_is_set_aside(colours: Colours) -> None:
    """The run goes on with a new store, says so, and keeps the damaged file."""
    home = colours.root / ".llmclf"
    home.mkdir()
    (home / "answers.sqlite").write_bytes(b"this is no database, whatever its name says" * 50)
    result = colours.run()
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["llmclf: *answers.sqlite: damaged*kept as *set-aside-1*"])
    assert (home / "answers.sqlite.set-aside-1").exists()
    colours.run()
    assert colours.server.questions == 9


def test_a_home_that_cannot_be_written_costs_no_answer(colours: Colours) -> None:
    """Answers are then kept in memory, and a line says so."""
    (colours.root / "blocked").write_text("a file, not a folder")
    result = colours.run("--llmclf-home", "blocked")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["llmclf: *answers of this run are kept in memory*--llmclf-home*"])
