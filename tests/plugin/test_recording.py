"""Answers recorded with one model and played back without it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.plugin.colour_server import Odd, png

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours


@pytest.fixture
def recorded(colours: Colours) -> Colours:
    """A recording with one wrong answer; the server that gave it is gone."""
    colours.server.odd = {"red/0": Odd(says="blue")}
    assert colours.run("--llmclf-record=record.jsonl").ret == pytest.ExitCode.OK
    colours.server.stop()
    return colours


def replay(colours: Colours, *args: str) -> pytest.RunResult:
    """Run from the recording, with no known answers to help out."""
    return colours.run("--llmclf-home=other", *args, model="replay:record.jsonl")


@pytest.mark.parametrize("processes", [(), ("-n2",)])
def test_a_recording_answers_like_its_model(recorded: Colours, processes: tuple[str, ...]) -> None:
    """The same outcomes without a server, in one process or several."""
    before = recorded.written()
    assert replay(recorded, *processes).ret == pytest.ExitCode.OK
    after = recorded.written()
    for part in ("ledger", "confusion", "accuracy"):
        assert after[part] == before[part]
    assert recorded.ledger() == {"collected": 9, "correct": 8, "misclassified": 1}


def test_a_changed_prompt_is_refused(recorded: Colours) -> None:
    """Another prompt gets no recorded answer; the message says what differs and the remedy."""
    path = recorded.root / "test_colours.py"
    path.write_text(path.read_text().replace("Which colour", "What colour"))
    result = replay(recorded)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert recorded.ledger() == {"collected": 9, "error": 9}
    text = " ".join(result.stdout.str().split())
    assert "replay-mismatch" in text
    assert "prompt" in text
    assert "--llmclf-record" in text


def test_a_changed_image_is_refused(recorded: Colours) -> None:
    """Only the image with other bytes is an error."""
    (recorded.root / "fixtures" / "colours" / "green" / "1.png").write_bytes(png("green", 77))
    result = replay(recorded)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert recorded.ledger() == {"collected": 9, "correct": 7, "misclassified": 1, "error": 1}


def test_changed_options_are_refused(recorded: Colours) -> None:
    """Another temperature is another question."""
    modelfile = recorded.root / "modelfiles" / "colours.Modelfile"
    modelfile.write_text("FROM llava\nPARAMETER temperature 1\n")
    assert replay(recorded).ret == pytest.ExitCode.TESTS_FAILED
    assert recorded.ledger()["error"] == 9


def test_known_answers_are_recorded_too(colours: Colours) -> None:
    """A recording is complete even where nothing had to be asked."""
    colours.run()
    colours.run("--llmclf-record=record.jsonl")
    assert colours.server.questions == 9
    colours.server.stop()
    assert replay(colours).ret == pytest.ExitCode.OK


def test_workers_share_one_recording(colours: Colours) -> None:
    """Several processes write one file, each image once and no line torn."""
    assert colours.run("-n2", "--llmclf-record=record.jsonl").ret == pytest.ExitCode.OK
    lines = (colours.root / "record.jsonl").read_text("utf-8").splitlines()
    kinds = [json.loads(line).get("type") for line in lines]
    assert kinds.count("answer") == 9
    colours.server.stop()
    assert replay(colours).ret == pytest.ExitCode.OK


def test_a_recording_that_is_not_there_is_said(colours: Colours) -> None:
    """No traceback an image: one message with the file and the remedy, and no green gate."""
    result = colours.run(model="replay:missing.jsonl")
    assert result.ret != pytest.ExitCode.OK
    text = result.stdout.str() + result.stderr.str()
    assert "missing.jsonl" in text
    assert "--llmclf-record FILE" in " ".join(text.split())
    assert "Traceback" not in text
    assert len(text.splitlines()) < 60


def test_a_file_that_is_no_recording_is_not_overwritten(colours: Colours) -> None:
    """--llmclf-record onto another file is refused, and the file stays."""
    (colours.root / "notes.txt").write_text("my notes\n")
    result = colours.run("--llmclf-record=notes.txt")
    assert result.ret != pytest.ExitCode.OK
    assert (colours.root / "notes.txt").read_text() == "my notes\n"
    text = result.stdout.str() + result.stderr.str()
    assert "notes.txt exists and is no recording" in " ".join(text.split())
    assert "INTERNALERROR" not in text


def test_a_recording_is_gated_like_its_model(recorded: Colours) -> None:
    """A gate for the recorded model judges what is played back, and can fail the run."""
    path = recorded.root / "test_colours.py"
    gate = "Gate('accuracy >= 0.99', model='openai:colours')"
    path.write_text(path.read_text().replace("Gate('accuracy >= 0.6')", gate))
    result = replay(recorded)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert [gate["word"] for gate in recorded.summary()["gates"]] == ["FAIL"]
    assert recorded.written()["model"] == "openai:colours"


def test_a_recording_and_the_known_answers_do_not_mix(recorded: Colours) -> None:
    """A changed recording is played back as it is, and never becomes a known answer."""
    path = recorded.root / "record.jsonl"
    path.write_text(path.read_text("utf-8").replace('"text":"green"', '"text":"red"'), "utf-8")
    for _ in range(2):
        recorded.run(model="replay:record.jsonl")
        assert recorded.ledger()["misclassified"] == 4
    outcomes = (recorded.root / "run" / "outcomes.jsonl").read_text("utf-8").splitlines()
    assert not any(json.loads(line)["cached"] for line in outcomes)
