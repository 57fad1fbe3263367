"""Kill a run at some moment, run again, and count what that cost; POSIX only."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.faults.project import Ended, ended, wait_for

if TYPE_CHECKING:
    import random

    from benchmarks.stub_ollama import StubOllama
    from tests.faults.project import Project

IN_FLIGHT = 8

JOURNAL = """
import os
from pytest_llmclf.runner.answer_cache import AnswerStore

keep = AnswerStore.put
journal = os.open("received.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

def noted(self, digest, *args, **more):
    os.write(journal, f"{digest}\\n".encode())
    keep(self, digest, *args, **more)

AnswerStore.put = noted
"""
"""A conftest.py that notes each answer before it is stored, in a file that survives the kill."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one kill cost.

    Attributes:
        received: Answers that the killed run had read from the server.
        stored: Answers that were on disk when it was dead.
        lost: Received and not on disk.
        asked: Questions that the next run asked.
        repeated: Questions of the next run that the server had answered to the killed one.
        again: Questions of the next run whose answer was on disk; anything but 0 is a defect.
        complete: Whether the next run has one answer to every image.
        text: What the next run printed.
    """

    received: int
    stored: int
    lost: int
    asked: int
    repeated: int
    again: int
    complete: bool
    text: str


def kill_and_resume(
    project: Project, stub: StubOllama, rng: random.Random, *args: str, group: bool = False
) -> Cost:
    """Kill pytest after a random number of answers and a random moment more, and run again.

    Args:
        project: A project without an answer yet.
        stub: Its server, with nothing counted yet.
        rng: Where the moment comes from.
        args: Further arguments of both runs.
        group: Whether the workers are killed with it.
    """
    (project.root / "conftest.py").write_text(JOURNAL)
    flight = f"--llmclf-in-flight={IN_FLIGHT}"
    process = project.start(stub.netloc, flight, *args, fresh=group)
    answers = rng.randrange(project.images * 9 // 10)
    wait_for(lambda: stub.stats()["answered"] >= answers or process.poll() is not None, "answers")
    time.sleep(rng.uniform(0, 0.03))
    if group:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    ended(process)
    settle(stub)
    journal = project.root / "received.txt"
    received = set(journal.read_text().split()) if journal.exists() else set()
    stored = project.stored()
    before = stub.stats()
    run: Ended = ended(project.start(stub.netloc, flight, *args))
    after = stub.stats()
    asked = after["chats"] - before["chats"]
    return Cost(
        received=len(received),
        stored=len(stored),
        lost=len(received - stored),
        asked=asked,
        repeated=after["repeated"] - before["repeated"],
        again=asked - (project.images - len(stored)),
        complete=run.code == 0 and project.all_answered(),
        text=run.text,
    )


def settle(stub: StubOllama) -> None:
    """Wait until the server has done with what a killed client left behind."""
    last = stub.stats()
    while True:
        time.sleep(0.1)
        now = stub.stats()
        if (now["chats"], now["answered"]) == (last["chats"], last["answered"]):
            return
        last = now
