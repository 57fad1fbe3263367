"""A server that misbehaves: what a second attempt can heal is healed, the rest is an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.project import Ended, Project

if TYPE_CHECKING:
    from benchmarks.stub_ollama import StubOllama

IMAGES = 24
PASSING = (
    "503", "429", "500", "reset", "close", "half", "drip", "stall", "stream-error", "bad-json",
    "wrong-type", "empty",
)  # fmt: skip
"""Faults of one answer: the next one may be good."""
SOON = "--llmclf-timeout=1"
NO_WAIT = "--llmclf-server-wait=0"


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    """Twenty-four images."""
    return Project(pytester.path, IMAGES, pytester=pytester)


@pytest.mark.parametrize("mode", PASSING)
def test_a_fault_that_passes_is_healed(project: Project, stub: StubOllama, mode: str) -> None:
    """Asked once, its image is an error and no gate passes; asked again, it is answered.

    The second run asks only for what the first one could not get, and meets the fault once more.
    """
    stub.fault(mode, count=1)
    run = project.run(stub.netloc, SOON, "--llmclf-attempts=1")
    assert run.code == pytest.ExitCode.TESTS_FAILED, run.text
    assert_one_error(project, stub, run)
    before = stub.stats()["chats"]
    stub.fault(mode, count=1)
    run = project.run(stub.netloc, SOON)
    assert run.code == pytest.ExitCode.OK, run.text
    assert project.all_answered()
    assert project.gates() == ["PASS"]
    assert sorted(outcome["attempts"] for outcome in project.outcomes()) == [0] * (IMAGES - 1) + [2]
    assert stub.stats()["chats"] == before + 2
    assert stub.stats()["repeated"] == 0


def test_a_redirect_is_not_followed(project: Project, stub: StubOllama) -> None:
    """It is an error at once: the image is not sent elsewhere, nor sent again."""
    stub.fault("redirect", count=1)
    run = project.run(stub.netloc)
    assert run.code == pytest.ExitCode.TESTS_FAILED, run.text
    assert_one_error(project, stub, run)
    assert stub.stats()["redirected"] == 0


def assert_one_error(project: Project, stub: StubOllama, run: Ended) -> None:
    """One image has no answer, all others have, and people are told why."""
    assert project.gates() == ["INCONCLUSIVE"]
    ledger = project.ledger()
    assert (ledger["collected"], ledger["error"]) == (IMAGES, 1)
    assert len({outcome["case"] for outcome in project.outcomes()}) == IMAGES
    (error,) = [outcome for outcome in project.outcomes() if outcome["kind"] == "error"]
    assert error["attempts"] == 1
    assert stub.netloc in error["message"]
    assert error["message"] in run.text
    assert len(project.stored()) == IMAGES - 1


@pytest.mark.parametrize("mode", ["503", "stall", "bad-json"])
def test_a_server_that_never_recovers_is_given_up(
    project: Project, stub: StubOllama, mode: str
) -> None:
    """Every image is an error once, most of them without being asked; no gate passes."""
    stub.fault(mode, count=10_000)
    run = project.run(stub.netloc, SOON, "--llmclf-attempts=2", "--llmclf-in-flight=4", NO_WAIT)
    assert run.code == pytest.ExitCode.TESTS_FAILED, run.text
    assert project.ledger() == {"collected": IMAGES, "error": IMAGES}
    assert len({outcome["case"] for outcome in project.outcomes()}) == IMAGES
    assert project.gates() == ["INCONCLUSIVE"]
    assert stub.stats()["chats"] < IMAGES
    assert project.stored() == set()


def test_a_storm_is_sat_out(project: Project, stub: StubOllama) -> None:
    """While every third question is refused, all are answered in the end, each once."""
    stub.fault("503", count=IMAGES, every=3)
    run = project.run(stub.netloc, "--llmclf-attempts=8")
    assert run.code == pytest.ExitCode.OK, run.text
    assert project.all_answered()
    assert stub.stats()["answered"] == IMAGES
    assert stub.stats()["repeated"] == 0
