"""Asking ahead: order, bounds, known answers, and an end."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf import errors
from pytest_llmclf.runner.answer_cache import AnswerStore
from tests.unit.scripted import QUICK, Scripted, engine, jobs, kinds, task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_llmclf.runner.job import AskingPolicy


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    """Every test closes its engine, and that ends its threads."""
    yield
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("llmclf")]


def test_jobs_are_asked_in_their_order(tmp_path: Path) -> None:
    """With one request in flight the server sees the order of the tests."""
    backend = Scripted()
    wanted = jobs(task(tmp_path, 12))
    running = engine(backend)
    running.expect(wanted)
    assert kinds(running, wanted) == ["correct"] * 12
    running.close()
    assert backend.asked == list(range(1, 13))


def test_nothing_is_asked_before_the_first_test_waits(tmp_path: Path) -> None:
    """Announcing jobs alone asks nothing: a run that only collects sends nothing."""
    backend = Scripted()
    running = engine(backend)
    running.expect(jobs(task(tmp_path, 3)))
    time.sleep(0.05)
    running.close()
    assert backend.asked == []


def test_whoever_waits_goes_first(tmp_path: Path) -> None:
    """A test out of order does not wait for everything announced before it."""
    backend = Scripted()
    wanted = jobs(task(tmp_path, 30))
    running = engine(backend)
    running.expect(wanted)
    running.outcome(wanted[29])
    running.close()
    assert backend.asked[0] == 30


def test_a_job_that_was_not_announced_is_asked(tmp_path: Path) -> None:
    """Waiting for a job is enough."""
    running = engine(Scripted())
    (job,) = jobs(task(tmp_path, 1))
    assert running.outcome(job).kind == "correct"
    running.close()


def test_asking_runs_ahead_of_the_tests(tmp_path: Path) -> None:
    """Once the first test has its outcome, the next answers are fetched, up to a bound."""
    backend = Scripted()
    wanted = jobs(task(tmp_path, 20))
    running = engine(backend, policy=replace(QUICK, ahead=5))
    running.expect(wanted)
    running.outcome(wanted[0])
    backend.wait_for(6)
    time.sleep(0.05)
    assert backend.asked == [1, 2, 3, 4, 5, 6]
    running.close()


def test_a_slow_answer_does_not_lift_the_bound(tmp_path: Path) -> None:
    """While a test waits, no more than the bound is in flight or waiting for its test."""
    backend = Scripted()
    wanted = jobs(task(tmp_path, 20))
    running = engine(backend, policy=replace(QUICK, ahead=4, in_flight=10))
    running.expect(wanted)
    backend.gate.clear()
    waiting = threading.Thread(target=running.outcome, args=(wanted[0],))
    waiting.start()
    backend.wait_for(4)
    time.sleep(0.05)
    assert len(backend.asked) == 4
    backend.gate.set()
    waiting.join(10)
    running.close()


def test_the_bound_never_stops_a_waiting_test(tmp_path: Path) -> None:
    """Even a bound of one, and tests in reverse order, come to an end."""
    wanted = jobs(task(tmp_path, 12))
    running = engine(Scripted(), policy=replace(QUICK, ahead=1, in_flight=3))
    running.expect(wanted)
    assert kinds(running, wanted[::-1]) == ["correct"] * 12
    running.close()


@pytest.mark.parametrize(
    ("policy", "useful", "most"),
    [(QUICK, 4, 1), (replace(QUICK, in_flight=3), 1, 3), (replace(QUICK, in_flight=None), 4, 4)],
)
def test_several_are_in_flight(
    tmp_path: Path, policy: AskingPolicy, useful: int, most: int
) -> None:
    """As many as told, or as the backend can use."""
    backend = Scripted(in_flight=useful)
    wanted = jobs(task(tmp_path, 16))
    running = engine(backend, policy=policy)
    running.expect(wanted)
    backend.gate.clear()
    waiting = threading.Thread(target=kinds, args=(running, wanted))
    waiting.start()
    backend.wait_for(most)
    time.sleep(0.05)
    backend.gate.set()
    waiting.join(10)
    running.close()
    assert backend.most_in_flight == most


def test_answers_are_stored_as_they_arrive(tmp_path: Path) -> None:
    """Before any test has taken them, and for another process to see."""
    backend = Scripted()
    wanted = jobs(task(tmp_path, 4))
    path = tmp_path / "answers.sqlite"
    running = engine(backend, store=AnswerStore(path))
    running.expect(wanted)
    running.outcome(wanted[0])
    backend.wait_for(4)
    deadline = time.monotonic() + 5
    with AnswerStore(path) as other:
        while len(other) < 4:
            assert time.monotonic() < deadline
    running.close()


def test_known_answers_are_not_asked(tmp_path: Path) -> None:
    """A second engine over the same store asks nothing and says that it knew."""
    store = AnswerStore(tmp_path / "answers.sqlite")
    wanted = jobs(task(tmp_path, 5))
    for engines in (1, 2):
        backend = Scripted()
        running = engine(backend, store=store)
        outcomes = [running.outcome(job) for job in wanted]
        running.close()
        assert len(backend.asked) == (5 if engines == 1 else 0)
        assert {outcome.cached for outcome in outcomes} == {engines == 2}
        assert {outcome.attempts for outcome in outcomes} == {2 - engines}
    store.close()


def test_fresh_asks_and_replaces(tmp_path: Path) -> None:
    """Known answers are neither used nor kept."""
    store = AnswerStore(None)
    (job,) = jobs(task(tmp_path, 1))
    said = []
    for policy, script in ((QUICK, "cat"), (replace(QUICK, fresh=True), "dog"), (QUICK, "cat")):
        backend = Scripted()
        backend.script[1] = [script]
        running = engine(backend, policy=policy, store=store)
        said.append(running.outcome(job).predicted)
        running.close()
    store.close()
    assert said == ["cat", "dog", "dog"]


def test_errors_are_not_stored(tmp_path: Path) -> None:
    """An image without an answer is asked again by the next run."""
    store = AnswerStore(None)
    backend = Scripted()
    backend.script[1] = [errors.RequestRejected("no"), "cat"]
    (job,) = jobs(task(tmp_path, 1))
    for expected in ("error", "correct"):
        running = engine(backend, store=store)
        assert running.outcome(job).kind == expected
        running.close()
    store.close()


@pytest.mark.parametrize("in_flight", [1, 4])
def test_closing_ends_everything(tmp_path: Path, in_flight: int) -> None:
    """Threads end though jobs are left, the backend is closed, and closing twice is fine."""
    backend = Scripted()
    wanted = jobs(task(tmp_path, 50))
    running = engine(backend, policy=replace(QUICK, in_flight=in_flight, ahead=3))
    running.expect(wanted)
    running.outcome(wanted[0])
    running.close()
    running.close()
    assert backend.closed >= 1
    asked = len(backend.asked)
    time.sleep(0.05)
    assert len(backend.asked) == asked < 50


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_nothing_is_asked_after_a_wait_was_broken_off(
    tmp_path: Path, end: type[BaseException]
) -> None:
    """As by Ctrl-C: at once, and not when whoever waited comes to close the engine."""
    backend = Scripted(in_flight=3)
    wanted = jobs(task(tmp_path, 50))

    def interrupt(_: float | None) -> None:
        raise end

    running = engine(backend, policy=replace(QUICK, in_flight=3), on_wait=interrupt)
    running.expect(wanted)
    backend.gate.clear()
    with pytest.raises(end):
        running.outcome(wanted[0])
    asked = len(backend.asked)
    backend.gate.set()
    time.sleep(0.1)
    assert len(backend.asked) == asked <= 3
    running.close()


def test_closing_does_not_wait_out_a_pause(tmp_path: Path) -> None:
    """A long back-off ends at once when the run does."""
    backend = Scripted()
    backend.script[2] = [errors.ServerFailed("broken")]
    wanted = jobs(task(tmp_path, 2))
    policy = replace(QUICK, first_pause_s=60.0, longest_pause_s=60.0)
    running = engine(backend, policy=policy)
    running.expect(wanted)
    running.outcome(wanted[0])
    backend.wait_for(2)
    began = time.monotonic()
    running.close()
    assert time.monotonic() - began < 1.5


def test_answers_in_flight_are_kept_when_the_run_ends(tmp_path: Path) -> None:
    """What the server is working on has a moment to arrive and be stored."""
    backend = Scripted()
    wanted = jobs(task(tmp_path, 2))
    store = AnswerStore(None)
    running = engine(backend, store=store)
    running.expect(wanted)
    running.outcome(wanted[0])
    backend.wait_for(2)
    running.close()
    assert len(store) == 2
    store.close()


def test_what_is_dropped_is_not_asked(tmp_path: Path) -> None:
    """The rest of a task leaves the queue; another one on the same model goes on."""
    backend = Scripted()
    one = task(tmp_path, 6)
    (tmp_path / "more").mkdir()
    other = task(tmp_path / "more", 2, name="others")
    running = engine(backend, policy=replace(QUICK, in_flight=1, ahead=None))
    wanted = jobs(one)
    running.expect([*wanted, *jobs(other)])
    running.outcome(wanted[0])
    running.drop(one)
    assert kinds(running, jobs(other)) == ["correct", "correct"]
    running.close()
    assert backend.asked[-2:] == [1, 2]
    assert len(backend.asked) <= 4


def test_with_no_bound_of_its_own_no_more_is_ahead_than_in_flight(tmp_path: Path) -> None:
    """A run that may stop early has at most `in_flight` answers waiting for their tests."""
    backend = Scripted()
    wanted = jobs(task(tmp_path, 20))
    running = engine(backend, policy=replace(QUICK, in_flight=3, ahead=None))
    running.expect(wanted)
    running.outcome(wanted[0])
    backend.wait_for(4)
    time.sleep(0.05)
    running.close()
    assert len(backend.asked) == 4


def test_a_repeat_is_another_question(tmp_path: Path) -> None:
    """It is asked anew, and its outcome says which asking it is of."""
    backend = Scripted()
    first, *_ = jobs(task(tmp_path, 1))
    running = engine(backend)
    found = [running.outcome(first), running.outcome(first.again(1))]
    running.close()
    assert [outcome.repeat for outcome in found] == [0, 1]
    assert backend.asked == [1, 1]
    assert found[0].request_digest != found[1].request_digest
