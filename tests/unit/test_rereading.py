"""Stored answers read anew, and what was not read the first time."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.analysis.rereading import reread
from pytest_llmclf.cli import reread as command
from pytest_llmclf.errors import SettingsError
from pytest_llmclf.metrics import report_build as report
from pytest_llmclf.metrics.own_metrics import recorded
from pytest_llmclf.metrics.report import Report
from pytest_llmclf.metrics.report_facts import StopRule
from pytest_llmclf.prompting.labels import Label
from pytest_llmclf.prompting.readers.unread import unread_answers
from pytest_llmclf.reporting import artifacts
from pytest_llmclf.reporting.run_folder import read_run
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.price import Price
from pytest_llmclf.values.probe_answers import ProbeAnswers
from pytest_llmclf.values.request import ModelIdentity
from pytest_llmclf.values.verdict import Look
from tests.unit.cli.command import call
from tests.unit.ended import ended
from tests.unit.test_full_instructions import WHOLE
from tests.unit.test_report import built

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_llmclf.values.outcome import Outcome


def chatty() -> Report:
    """Two answers that only a laxer reader reads, one that nobody does, and one without."""
    return built(
        ended("a", "unparsed", "cat", reason="outside-the-list", answer=text("maybe a cat?")),
        ended("b", "unparsed", "cat", reason="outside-the-list", answer=text("Probably a dog")),
        ended("c", "unparsed", "dog", reason="outside-the-list", answer=text("no idea")),
        ended("d", "error", "dog", reason="timed-out"),
        ended("e", "correct", "dog", answer=text("dog")),
    )


def text(said: str) -> Answer:
    return Answer(text=said)


def test_another_reader_reads_the_same_answers() -> None:
    """Labels and counts follow the reader; what has no answer stays, and the report says who."""
    done = reread(chatty(), "contains")
    after = {outcome.case: (outcome.kind, outcome.predicted) for outcome in done.after.outcomes}
    assert after["b"] == ("misclassified", "dog")
    assert after["c"] == ("unparsed", None)
    assert after["d"] == ("error", None)
    assert after["e"] == ("correct", "dog")
    assert "answers read by contains, after the run" in done.after.notes
    assert [new.case for _, new in done.changed] == [
        case for case in "abcde" if after[case] != (_before(case).kind, _before(case).predicted)
    ]


def _before(case: str) -> Outcome:
    return next(outcome for outcome in chatty().outcomes if outcome.case == case)


def full() -> Report:
    """A report of which every field says something."""
    images = [
        replace(one, variant="short", tags={"scene": one.case}, model_digest="1")
        for one in chatty().outcomes
    ]
    more = ended("f", "not_needed", variant="short", tags={"scene": "f"})
    made = report.build(
        evaluation="pets",
        model="ollama:llava",
        variant="short",
        dataset=chatty().dataset,
        outcomes=[*images, more, replace(images[4], repeat=1)],
        identity=ModelIdentity(backend="ollama", name="llava", digest="1"),
        collected=7,
        deselected=1,
        skipped=2,
        duration_s=3.0,
        notes=["answers read by strict"],
        modelfile_digest="2",
        instructions="Sort.",
        order=[*"abcdefg"],
        stop_error=0.05,
        stop_rule=StopRule(after=5, tests=1, gates=("accuracy >= 0.1",)),
        full_instructions=replace(WHOLE, labels=tuple(map(Label, chatty().dataset.labels))),
        tool="1.0",
        group="scene",
    )
    return replace(
        made,
        clusters={"a": "a", "b": "a"},
        looks=(Look(gate="g", question="q", data="d", images=2, word="PASS"),),
        judged=["accuracy >= 0.1"],
        own_metrics=(recorded("cost", 1.0, "", made.outcomes),),
        price=Price(read=1.0, written=2.0),
        probes=(ProbeAnswers(probe="order", cases=("a",), answers={"a": "dog"}),),
    )


def test_reading_again_by_the_same_reader_changes_nothing() -> None:
    """Strict then strict is the run itself, whatever a report knows, but for who read it when."""
    before = full()
    blank = built()
    names = {field.name for field in fields(Report)} - {"worked_out", "evaluation", "model"}
    assert {name for name in names if getattr(before, name) == getattr(blank, name)} == {"dataset"}
    done = reread(before, "strict")
    assert not done.changed
    for name in names - {"notes"}:
        assert getattr(done.after, name) == getattr(before, name), name
    said = {*before.notes} ^ {*done.after.notes}
    assert said == {"answers read by strict", "answers read by strict, after the run"}
    assert done.after.metrics == before.metrics != {}


def test_what_was_found_by_another_reading_is_not_told_of_this_one() -> None:
    """Probes and recorded metrics hold labels and numbers of the reader of the run."""
    done = reread(full(), "contains")
    assert done.changed
    assert not done.after.probes
    assert any(note.startswith("what probes found is left out") for note in done.after.notes)
    assert done.after.metrics["cost"].value is None
    assert done.after.stop_rule == full().stop_rule


def test_a_reader_that_fails_leaves_errors_with_their_answers() -> None:
    """An answer is never lost to a reader's fault."""

    def fails(_: str, __: tuple[str, ...]) -> str | None:
        raise RuntimeError("oh")

    done = reread(chatty(), fails)
    assert done.after.ledger.error == 5
    assert [outcome.answer for outcome in done.after.outcomes] == [
        outcome.answer for outcome in done.before.outcomes
    ]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with one finished run."""
    folder = tmp_path / "home" / "runs" / "20260101-000000-abc"
    artifacts.write_run(folder, [chatty()], settings={}, environment={}, verdicts=[])
    return tmp_path / "home"


def test_the_command_prints_and_writes(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Counts before and after, every kind of change, and a run folder that can be read."""
    out = tmp_path / "out"
    arguments = ["latest", "--home", str(home), "--reader", "contains"]
    call(command, "reread", *arguments, "--out", str(out))
    shown = capsys.readouterr().out
    assert "unparsed 3 -> " in shown
    assert 'cat: outside-the-list -> cat: dog  b  "Probably a dog"' in shown
    (again,) = read_run(out).reports
    assert again.confusion == reread(chatty(), "contains").after.confusion


def test_gates_decide_the_exit_code(home: Path) -> None:
    """A gate that is given is judged; one for no evaluation is refused."""
    base = ["latest", "--home", str(home), "--reader", "contains", "--gate"]
    name = chatty().evaluation
    assert call(command, "reread", *base, f"{name}: accuracy >= 0.1") == 1  # one has no answer
    assert "\n  1  a gate fails or is undecided\n" in command.HELP.exit_codes
    with pytest.raises(SettingsError, match="is not one of"):
        call(command, "reread", *base, "other: accuracy >= 0.1")


def test_slips_are_named(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An unknown reader, a module that is not there, and the run itself as the output."""
    monkeypatch.chdir(tmp_path)
    base = ["latest", "--home", str(home)]
    with pytest.raises(SettingsError, match="'contain' is not one of"):
        call(command, "reread", *base, "--reader", "contain")
    with pytest.raises(SettingsError, match=r"--reader nowhere:f: .*write MODULE:FUNCTION"):
        call(command, "reread", *base, "--reader", "nowhere:f")
    with pytest.raises(SettingsError, match="stays as it is"):
        call(command, "reread", *base, "--out", str(next((home / "runs").iterdir())))


def test_a_function_from_here_reads(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """MODULE:FUNCTION is looked for in the current folder."""
    (tmp_path / "own_readers.py").write_text("def always(text, labels):\n    return labels[0]\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    call(command, "reread", "latest", "--home", str(home), "--reader", "own_readers:always")
    assert "answers read by own_readers:always" in capsys.readouterr().out


def test_equal_answers_are_counted_together() -> None:
    """The most frequent unread answer comes first, whatever its case and decoration."""
    found = unread_answers(
        (
            ended("a", "unparsed", reason="refusal", answer=text("Sorry.")),
            ended("b", "unparsed", reason="outside-the-list", answer=text("A tabby")),
            ended("c", "unparsed", reason="outside-the-list", answer=text("**a tabby**")),
            ended("d", "correct", answer=text("cat")),
        )
    )
    assert [(one.text, one.reason, one.cases) for one in found] == [
        ("A tabby", "outside-the-list", ("b", "c")),
        ("Sorry.", "refusal", ("a",)),
    ]
