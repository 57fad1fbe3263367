"""Runs over several servers that come and go; each server is a process of its own."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from benchmarks.stub_ollama import StubOllama

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.plugin.conftest import Colours

Stubs = tuple[StubOllama, StubOllama]
IMAGES = 120
BOUND_S = 30.0


@pytest.fixture
def stubs(colours: Colours, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubs]:
    """Two servers with two slots each, and images to keep them busy for three seconds."""
    colours.images(each=IMAGES // 3)
    colours.evaluation(gate="accuracy >= 0")
    labels = ("red", "green", "blue")
    with (
        StubOllama(service_ms=50, slots=2, labels=labels, model="llava:latest") as one,
        StubOllama(service_ms=50, slots=2, labels=labels, model="llava:latest") as other,
    ):
        monkeypatch.setenv("OLLAMA_HOST", f"{one.netloc},{other.netloc}")
        yield one, other


@contextmanager
def meanwhile(what: Callable[[], None]) -> Iterator[None]:
    """Do something beside the run; what fails there fails the test."""
    failures: list[BaseException] = []

    def act() -> None:
        try:
            what()
        except BaseException as error:  # noqa: BLE001 - told by the assertion below
            failures.append(error)

    acting = threading.Thread(target=act, daemon=True)
    acting.start()
    yield
    acting.join(BOUND_S)
    assert not acting.is_alive()
    assert failures == []


def wait_for(stub: StubOllama, answers: int) -> None:
    """Wait until a server has given so many answers."""
    deadline = time.monotonic() + BOUND_S
    while stub.stats()["answered"] < answers:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_both_servers_work(colours: Colours, stubs: Stubs) -> None:
    """Each question goes to one of them, and each has a fair share."""
    result = colours.run(model="ollama:llava")
    assert "misclassified" in result.stdout.str()
    answered = [stub.stats()["answered"] for stub in stubs]
    assert sum(answered) == IMAGES
    assert min(answered) > IMAGES // 4
    assert colours.ledger()["collected"] == IMAGES


def test_a_killed_server_costs_no_answer(colours: Colours, stubs: Stubs) -> None:
    """The other one does the rest, every image has an answer, and it is said."""
    one, other = stubs

    def kill() -> None:
        wait_for(one, 15)
        one.kill()

    with meanwhile(kill):
        result = colours.run(model="ollama:llava")
    ledger = colours.ledger()
    assert ledger["collected"] == IMAGES
    assert set(ledger) <= {"collected", "correct", "misclassified"}
    assert f"{one.netloc} was dropped" in " ".join(result.stdout.str().split())
    assert other.stats()["answered"] > IMAGES // 2


def test_a_server_that_is_back_is_used_again(colours: Colours, stubs: Stubs) -> None:
    """Killed and started again at the same address it takes part in the same run."""
    one, _ = stubs

    def restart() -> None:
        wait_for(one, 5)
        one.kill()
        one.start()

    with meanwhile(restart):
        result = colours.run(model="ollama:llava")
    assert f"{one.netloc} answers again" in " ".join(result.stdout.str().split())
    assert one.stats()["answered"] > 0, "since it was started again"
    assert set(colours.ledger()) <= {"collected", "correct", "misclassified"}


def test_a_model_removed_during_the_run_is_derived_anew(colours: Colours, stubs: Stubs) -> None:
    """No image goes without its answer, and the run says what happened."""
    one, _ = stubs

    def remove() -> None:
        wait_for(one, 10)
        one.delete(*(name for name in one.models() if name.startswith("llmclf-")))

    with meanwhile(remove):
        result = colours.run(model="ollama:llava")
    assert "misclassified" in result.stdout.str()
    assert sum(stub.stats()["answered"] for stub in stubs) == IMAGES
    assert "error" not in colours.ledger()
    assert f"{one.netloc} lost llmclf-" in " ".join(result.stdout.str().split())


def test_a_dead_pool_ends_the_run(colours: Colours, stubs: Stubs) -> None:
    """What is left ends as errors and the gate as inconclusive, in bounded time."""

    def kill() -> None:
        wait_for(stubs[0], 10)
        for stub in stubs:
            stub.kill()

    with meanwhile(kill):
        result = colours.run("--llmclf-server-wait=0.01", model="ollama:llava")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "INCONCLUSIVE" in result.stdout.str()
    ledger = colours.ledger()
    assert ledger["collected"] == IMAGES
    assert ledger["error"] > IMAGES // 2
