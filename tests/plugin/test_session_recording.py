"""One recording of a whole session: several evaluations, several models, several processes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.stub_ollama import StubOllama

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.plugin.conftest import Colours

NAMES = ("hues", "paints", "shades")
MODEL = "ollama:llava:7b"
EVALUATION = """
from pytest_llmclf import Evaluation

{name} = Evaluation(
    dataset="colours", modelfile="{name}", prompt="Which of the {name}?", name="{name}",
    gates=["accuracy >= 0"],
)

@{name}.images
def test_image(outcome):
    outcome.check()

@{name}.gate
def test_gate(report, baseline):
    assert report.predictions == baseline
"""


@pytest.fixture(scope="module")
def stub() -> Iterator[StubOllama]:
    """An Ollama that says one of the colours, whatever it sees."""
    with StubOllama(service_ms=1, labels=("red", "green", "blue"), model="llava:7b") as running:
        yield running


@pytest.fixture
def session(colours: Colours, stub: StubOllama, monkeypatch: pytest.MonkeyPatch) -> Colours:
    """Three evaluations with a Modelfile each, of which Ollama derives three models."""
    monkeypatch.setenv("OLLAMA_HOST", stub.url.removeprefix("http://"))
    (colours.root / "test_colours.py").unlink()
    for name in NAMES:
        modelfile(colours, name, "PARAMETER temperature 1\nPARAMETER seed 3\n")
        (colours.root / f"test_{name}.py").write_text(EVALUATION.format(name=name))
    return colours


def modelfile(session: Colours, name: str, more: str) -> None:
    """Write the Modelfile of an evaluation."""
    path = session.root / "modelfiles" / f"{name}.Modelfile"
    path.write_text(f'FROM llava:7b\nSYSTEM """You name {name}."""\n{more}')


def record(session: Colours, *args: str, model: str = MODEL) -> list[dict[str, Any]]:
    """Record a session and commit its predictions; the reports."""
    result = session.run("--llmclf-record=all.jsonl", "--snapshot-update", *args, model=model)
    assert result.ret == pytest.ExitCode.OK
    reports: list[dict[str, Any]] = session.summary()["reports"]
    return reports


def replay(
    session: Colours, monkeypatch: pytest.MonkeyPatch, *args: str, model: str = "replay:all.jsonl"
) -> pytest.RunResult:
    """Play it back where there is no server and nothing is known."""
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
    return session.run("--llmclf-home=other", *args, model=model)


def figures(reports: list[dict[str, Any]]) -> dict[tuple[str, str], Any]:
    """The counts of each report."""
    return {(one["evaluation"], one["model"]): one["confusion"] for one in reports}


@pytest.mark.parametrize("processes", [(), ("-n2",)], ids=["one", "two"])
def test_three_evaluations_play_back_from_one_file(
    session: Colours, monkeypatch: pytest.MonkeyPatch, processes: tuple[str, ...]
) -> None:
    """Each from the model that was derived for it, against the baseline that was committed."""
    before = record(session)
    assert len({report["identity"]["digest"] for report in before}) == 3
    assert replay(session, monkeypatch, *processes).ret == pytest.ExitCode.OK
    after = session.summary()["reports"]
    assert len(after) == 3
    for first, second in zip(before, after, strict=True):
        for part in ("evaluation", "model", "ledger", "confusion", "full_instructions"):
            assert second[part] == first[part]
        assert second["identity"]["digest"] == first["identity"]["digest"]
    for baseline in session.summary()["baselines"]:
        assert baseline["provenance"]["differing"] == []
        assert baseline["provenance"]["unknown"] == []


def test_repeats_and_parts_play_back(session: Colours, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each repeat under its own seed; one evaluation alone needs no more than its own answers."""
    record(session, "--llmclf-repeats=3")
    result = replay(session, monkeypatch, "--llmclf-repeats=3", "-k", "paints")
    assert result.ret == pytest.ExitCode.OK
    (report,) = session.summary()["reports"]
    assert report["ledger"]["error"] == 0
    assert report["stability"]["answers"] == 27
    assert report["stability"]["recorded"] is True


def test_several_models_play_back_from_one_file(
    session: Colours, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a name all of them answer, each as itself; with one it alone."""
    before = record(session, "--llmclf-model", session.server.spec)
    names = ["ollama:llava:7b", "openai:colours"]
    assert sorted({report["model"] for report in before}) == names
    assert replay(session, monkeypatch).ret == pytest.ExitCode.OK
    assert figures(session.summary()["reports"]) == figures(before)
    only = replay(session, monkeypatch, model="replay:all.jsonl#openai:colours")
    assert only.ret == pytest.ExitCode.OK
    assert {one["model"] for one in session.summary()["reports"]} == {"openai:colours"}


def test_each_evaluation_has_the_models_that_answered_it(
    session: Colours, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where they were not asked by the same ones, nobody is asked what he was not."""
    record(session, "test_hues.py")
    record(session, "test_paints.py", model=session.server.spec)
    result = replay(session, monkeypatch, "test_hues.py", "test_paints.py")
    assert result.ret == pytest.ExitCode.OK
    assert [(one["evaluation"], one["model"]) for one in session.summary()["reports"]] == [
        ("hues", MODEL), ("paints", "openai:colours"),
    ]  # fmt: skip


def test_a_changed_prompt_is_refused_by_its_own_recording(
    session: Colours, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other evaluations still play back, and the message tells what differs."""
    record(session)
    modelfile(session, "paints", "PARAMETER temperature 1\nPARAMETER seed 4\n")
    result = replay(session, monkeypatch)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    errors = {one["evaluation"]: one["ledger"]["error"] for one in session.summary()["reports"]}
    assert errors == {"hues": 0, "paints": 9, "shades": 0}
    assert "option seed differs" in " ".join(result.stdout.str().split())


def test_a_recording_of_two_servers_plays_the_fuller_one(
    session: Colours, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that was recorded on is no riddle: most answers win, then the later; it is said."""
    record(session, "test_hues.py")
    path = session.root / "all.jsonl"
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    (model,) = (line for line in lines if line["type"] == "model")
    answers = [line for line in lines if line["type"] == "answer"]
    older = {**model["identity"], "server": "ollama 0.32.0"}
    lines += [
        {**model, "key": "older", "identity": older},
        *({**line, "model": "older"} for line in answers[:4]),
    ]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    assert replay(session, monkeypatch, "test_hues.py").ret == pytest.ExitCode.OK
    (report,) = session.summary()["reports"]
    assert report["identity"]["server"] == "ollama 0.33.0"
    (note,) = report["notes"]
    assert "has answers of 2 digests or servers of ollama:llava:7b" in note
    assert "(ollama 0.33.0) are played back" in note


def test_a_recording_says_what_was_told(session: Colours) -> None:
    """Instructions with their digest, the image set and the version, once an evaluation."""
    reports = record(session)
    lines = map(json.loads, (session.root / "all.jsonl").read_text("utf-8").splitlines())
    found = {line["evaluation"]: line for line in lines if line["type"] == "evaluation"}
    assert sorted(found) == sorted(NAMES)
    for report in reports:
        line, told = found[report["evaluation"]], dict(report["full_instructions"])
        told.pop("text")
        assert line["instructions"] == told
        assert line["dataset"]["content_hash"] == report["dataset"]["content_hash"]
        assert line["pytest-llmclf"] == report["tool"] != ""
