"""A server that is away for a while, comes back as another one, or stays away.

With ``--llmclf-attempts=1`` an outage of a second is more than attempts could bridge, so that what
bridges it is the waiting. Pauses of a minute are measured by `benchmarks/reliability.py`.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.faults.kills import IN_FLIGHT
from tests.faults.project import BOUND_S, Project, ended, wait_for

if TYPE_CHECKING:
    from benchmarks.stub_ollama import StubOllama

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
AWAY_S = 1.0


def answered(stub: StubOllama, count: int) -> None:
    """Wait until the server has answered so many questions."""
    wait_for(lambda: stub.stats()["answered"] >= count, "answers")


@pytest.mark.parametrize("processes", ["-n0", "-n2"])
def test_a_pause_costs_nothing(project: Project, stub: StubOllama, processes: str) -> None:
    """Every image has its answer, asked once more at most, and the run says that it waited."""
    process = project.start(stub.netloc, processes, "--llmclf-attempts=2")
    answered(stub, 20)
    stub.kill()
    time.sleep(AWAY_S)
    stub.start()
    run = ended(process)
    assert run.code == pytest.ExitCode.OK, run.text
    assert project.all_answered()
    assert f"{stub.netloc} was away for " in run.text


def test_what_was_not_delivered_is_no_attempt(project: Project, stub: StubOllama) -> None:
    """With a single attempt an outage costs what was in flight, and nothing else."""
    process = project.start(stub.netloc, "--llmclf-attempts=1", "--llmclf-in-flight=2")
    answered(stub, 20)
    stub.kill()
    time.sleep(AWAY_S)
    stub.start()
    run = ended(process)
    assert project.ledger().get("error", 0) <= 2, run.text
    assert len(project.stored()) >= project.images - 2


def test_a_dead_server_ends_with_one_cause(project: Project, stub: StubOllama) -> None:
    """Waited for as long as was said, then every image that is left has the same message."""
    process = project.start(stub.netloc, "--llmclf-server-wait=0.02")
    answered(stub, 20)
    began = time.monotonic()
    stub.kill()
    run = ended(process)
    assert time.monotonic() - began < BOUND_S / 2
    assert run.code == pytest.ExitCode.TESTS_FAILED, run.text
    errors = {one["message"] for one in project.outcomes() if one["kind"] == "error"}
    assert len(errors) == 1, errors
    (message,) = errors
    assert message.startswith("given up: the server did not come back within 0.02 minutes: ")
    assert project.ledger()["error"] >= project.images - 20 - 2 * IN_FLIGHT
    assert project.gates() == ["INCONCLUSIVE"]


def test_a_server_that_was_never_there_is_said_soon(project: Project, stub: StubOllama) -> None:
    """Nothing suggests that it comes: the default patience is not for it."""
    stub.kill()
    began = time.monotonic()
    run = project.run(stub.netloc, "--llmclf-attempts=1")
    assert time.monotonic() - began < BOUND_S / 2
    assert project.ledger() == {"collected": project.images, "error": project.images}, run.text
    stub.start()


@posix
@pytest.mark.parametrize("processes", ["-n0", "-n2"])
def test_ctrl_c_ends_a_wait(project: Project, stub: StubOllama, processes: str) -> None:
    """At once, with a report of what is there; what was answered is kept."""
    process = project.start(stub.netloc, processes)
    answered(stub, 20)
    stub.kill()
    time.sleep(AWAY_S)
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    run = ended(process)
    assert time.monotonic() - began < 10
    assert run.code == pytest.ExitCode.INTERRUPTED, run.text
    assert "collected" in project.ledger()
    assert len(project.stored()) >= 20 - IN_FLIGHT
    stub.start()


def test_another_evaluation_waits_too(project: Project, stub: StubOllama) -> None:
    """A server that was there in this run is waited for on first contact as well."""
    (project.root / "modelfiles" / "other.Modelfile").write_text("FROM llava:7b\nSYSTEM Look.\n")
    text = (project.root / "test_signs.py").read_text()
    other = text.replace("signs = ", "others = ").replace("@signs", "@others")
    other = other.replace('modelfile="signs"', 'modelfile="other", name="others"')
    (project.root / "test_signs_other.py").write_text(other)
    (project.root / "conftest.py").write_text(SLOW_SECOND)
    process = project.start(stub.netloc, "--llmclf-attempts=1")
    wait_for(lambda: len(project.stored()) >= project.images, "answers")
    stub.kill()
    (project.root / "go").touch()
    time.sleep(AWAY_S)
    stub.start()
    run = ended(process)
    assert run.code == pytest.ExitCode.OK, run.text
    assert [one["ledger"].get("error", 0) for one in project.summary()["reports"]] == [0, 0]


SLOW_SECOND = """
import pathlib, time
from pytest_llmclf.runner.connections import ModelConnections

first, go = ModelConnections._first, pathlib.Path(__file__).with_name("go")


def slow(self, task):
    end = time.monotonic() + 30
    while task.evaluation.title == "others" and not go.exists() and time.monotonic() < end:
        time.sleep(0.01)
    return first(self, task)


ModelConnections._first = slow
"""
"""The second evaluation is reached when the test says so."""


def test_a_server_upgraded_on_the_way_is_another_one(project: Project, stub: StubOllama) -> None:
    """Answers of two versions are not mixed: one cause, and the next run asks the new one all."""
    process = project.start(stub.netloc)
    answered(stub, 20)
    stub.kill()
    stub.start(version="0.34.0")
    run = ended(process)
    assert run.code == pytest.ExitCode.TESTS_FAILED, run.text
    errors = {one["message"] for one in project.outcomes() if one["kind"] == "error"}
    assert len(errors) == 1, errors
    assert "it runs ollama 0.34.0 now, the answers so far are of ollama 0.33.0" in errors.pop()
    known = len(project.stored())
    run = project.run(stub.netloc)
    assert run.code == pytest.ExitCode.OK, run.text
    assert len(project.stored()) == known + project.images


def test_a_server_upgraded_since_the_last_run_is_said(project: Project, stub: StubOllama) -> None:
    """And what is asked anew for it; going back finds the old answers, which is said as well."""
    assert "another server" not in project.run(stub.netloc).text
    stub.kill()
    stub.start(version="0.34.0")
    run = project.run(stub.netloc)
    assert "ollama:llava:7b: another server than on " in run.text
    assert "(ollama 0.34.0) instead of digest " in run.text
    assert stub.stats()["chats"] == project.images
    stub.kill()
    stub.start()
    run = project.run(stub.netloc)
    assert "(ollama 0.33.0) instead of digest " in run.text
    assert stub.stats()["chats"] == 0
    assert project.all_answered()
    stub.replace("llava:7b")
    assert "another model than on " in project.run(stub.netloc).text


def test_a_base_replaced_on_the_way_is_noticed(pytester: pytest.Pytester) -> None:
    """Within the run, which keeps all its answers: they are all of the one before."""
    from benchmarks.stub_ollama import StubOllama
    from tests.faults.project import LABELS

    project = Project(pytester.path, 80, pytester=pytester)
    with StubOllama(service_ms=80, slots=4, labels=LABELS) as stub:
        process = project.start(stub.netloc)
        answered(stub, 20)
        stub.replace("llava:7b")
        run = ended(process)
    assert run.code == pytest.ExitCode.OK, run.text
    assert project.all_answered()
    assert f"llava:7b was replaced on {stub.netloc} during the run" in run.text


def test_a_derived_model_removed_on_the_way_costs_none(project: Project, stub: StubOllama) -> None:
    """Twice in one run; it is made anew."""
    process = project.start(stub.netloc)
    for count in (10, 40):
        answered(stub, count)
        stub.delete(*(name for name in stub.models() if name.startswith("llmclf-")))
    run = ended(process)
    assert run.code == pytest.ExitCode.OK, run.text
    assert project.all_answered()
    assert "it was derived anew" in run.text


def test_the_patience_stands_in_the_ini_file(project: Project, stub: StubOllama) -> None:
    """In minutes; the command line goes before; nonsense is refused before anything is asked."""
    (project.root / "pytest.ini").write_text("[pytest]\nllmclf_server_wait = 2.5\n")
    project.run(stub.netloc)
    assert project.summary()["settings"]["server_wait_s"] == 150
    project.run(stub.netloc, "--llmclf-server-wait=0")
    assert project.summary()["settings"]["server_wait_s"] == 0
    asked = stub.stats()["chats"]
    (project.root / "pytest.ini").write_text("[pytest]\nllmclf_server_wait = soon\n")
    run = project.run(stub.netloc, "--llmclf-fresh")
    assert run.code == pytest.ExitCode.INTERRUPTED, run.text
    assert "ini llmclf_server_wait: 'soon' is not a number" in run.text
    assert stub.stats()["chats"] == asked
