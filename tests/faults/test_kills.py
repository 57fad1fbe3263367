"""kill -9 of pytest, of its workers and of the server: no stored answer is asked for again."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.faults.kills import IN_FLIGHT, kill_and_resume, settle
from tests.faults.project import Project, ended, wait_for

if TYPE_CHECKING:
    from benchmarks.stub_ollama import StubOllama

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")


@posix
@pytest.mark.parametrize("seed", range(3))
def test_a_killed_pytest_loses_no_answer(project: Project, stub: StubOllama, seed: int) -> None:
    """The next run finds all that was stored; only what was on its way is asked again."""
    cost = kill_and_resume(project, stub, random.Random(seed))  # noqa: S311 - a moment
    assert cost.complete, cost.text
    assert cost.again == 0
    assert cost.lost <= IN_FLIGHT
    assert cost.repeated <= IN_FLIGHT
    assert cost.stored >= cost.received - IN_FLIGHT
    assert not list(project.store.parent.glob("*.lock"))


@posix
@pytest.mark.parametrize("killed", ["controller", "all"])
def test_killed_under_xdist_nothing_is_lost(
    project: Project, stub: StubOllama, killed: str
) -> None:
    """Whether the workers die with the controller or find it gone, the store is whole."""
    rng = random.Random(7)  # noqa: S311 - a moment
    cost = kill_and_resume(project, stub, rng, "-n2", group=killed == "all")
    assert cost.complete, cost.text
    assert cost.again == 0
    assert cost.repeated <= 2 * IN_FLIGHT


def test_a_server_killed_and_started_again_costs_nothing(
    project: Project, stub: StubOllama
) -> None:
    """Questions wait for it to come back, and every image is answered once."""
    process = project.start(stub.netloc)
    wait_for(lambda: stub.stats()["answered"] >= 15, "answers")
    stub.kill()
    known = len(project.stored())
    stub.start()
    run = ended(process)
    asked = stub.stats()["chats"]
    assert run.code == pytest.ExitCode.OK, run.text
    assert project.all_answered()
    assert project.images - 15 - 2 * IN_FLIGHT <= asked <= project.images - known
    assert max(outcome["attempts"] for outcome in project.outcomes()) > 1


def test_a_server_that_stays_dead_ends_the_run(project: Project, stub: StubOllama) -> None:
    """What was answered stays, the rest are errors, and the next run asks only those."""
    process = project.start(stub.netloc, "--llmclf-server-wait=0.01")
    wait_for(lambda: stub.stats()["answered"] >= 15, "answers")
    stub.kill()
    run = ended(process)
    assert run.code == pytest.ExitCode.TESTS_FAILED, run.text
    known = len(project.stored())
    assert known >= 15 - IN_FLIGHT
    assert project.ledger()["error"] == project.images - known
    assert project.gates() == ["INCONCLUSIVE"]
    stub.start()
    assert project.run(stub.netloc).code == pytest.ExitCode.OK
    assert stub.stats()["chats"] == project.images - known
    assert project.all_answered()


@posix
@pytest.mark.parametrize("processes", [("-n0",), ("-n2",)], ids=["alone", "n2"])
def test_a_second_ctrl_c_ends_at_once(
    project: Project, stub: StubOllama, processes: tuple[str, ...]
) -> None:
    """While the server stalls: exit code 2, nothing is left running, and the store is whole."""
    process = project.start(stub.netloc, *processes)
    wait_for(lambda: stub.stats()["answered"] >= 20, "answers")
    stub.fault("stall", count=10_000)
    settle(stub)
    known = len(project.stored())
    os.killpg(process.pid, signal.SIGINT)
    os.killpg(process.pid, signal.SIGINT)
    run = ended(process)
    assert run.code == pytest.ExitCode.INTERRUPTED, run.text
    assert "Traceback" not in run.text
    with closing(sqlite3.connect(project.store)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert len(project.stored()) == known >= 20 - IN_FLIGHT
    stub.kill()
    stub.start()
    assert project.run(stub.netloc).code == pytest.ExitCode.OK
    assert stub.stats()["chats"] == project.images - known


@posix
def test_ctrl_c_while_the_server_stalls_leaves_a_report(project: Project, stub: StubOllama) -> None:
    """Nobody waits for the server: what is there is reported, the rest was not run, exit code 2."""
    process = project.start(stub.netloc)
    wait_for(lambda: stub.stats()["answered"] >= 20, "answers")
    stub.fault("stall", count=10_000)
    settle(stub)
    os.killpg(process.pid, signal.SIGINT)
    run = ended(process)
    assert run.code == pytest.ExitCode.INTERRUPTED, run.text
    ledger = project.ledger()
    assert ledger["collected"] == project.images == sum(ledger.values()) - ledger["collected"]
    assert ledger["not_run"] >= 1
    assert "PASS" not in project.gates()
