"""Trouble while asking: retries, models given up, bad images, defects."""

from __future__ import annotations

import ssl
import threading
import time
from dataclasses import replace
from errno import ENOMEM
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf import errors
from pytest_llmclf.runner import room, scheduler
from pytest_llmclf.runner.job import AskingPolicy, Job
from pytest_llmclf.runner.work_queue import ModelQueue
from tests.unit.scripted import QUICK, Scripted, engine, image, jobs, kinds, task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_llmclf.runner.task import Task

RETRYABLE = [
    errors.ServerUnreachable,
    errors.RequestTimedOut,
    errors.ServerOverloaded,
    errors.ServerFailed,
    errors.BadAnswer,
]


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    """Every test closes its engine, and that ends its threads."""
    yield
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("llmclf")]


@pytest.mark.parametrize("error", RETRYABLE)
def test_errors_that_may_pass_are_asked_again(
    tmp_path: Path, error: type[errors.BackendError]
) -> None:
    """Three failures and an answer are a correct outcome with four attempts."""
    backend = Scripted()
    backend.script[1] = [error("broken"), error("broken"), error("broken"), "cat"]
    running = engine(backend)
    outcome = running.outcome(jobs(task(tmp_path, 1))[0])
    running.close()
    assert (outcome.kind, outcome.attempts, outcome.cached) == ("correct", 4, False)


def test_attempts_are_bounded(tmp_path: Path) -> None:
    """An error that does not pass ends as this image's error, with its kind and remedy."""
    backend = Scripted()
    backend.script[1] = [errors.ServerOverloaded("busy", remedy="wait")]
    running = engine(backend, policy=replace(QUICK, attempts=3))
    outcome = running.outcome(jobs(task(tmp_path, 1))[0])
    running.close()
    assert backend.times()[1] == outcome.attempts == 3
    assert (outcome.kind, outcome.reason) == ("error", "server-overloaded")
    assert outcome.message == "busy (wait)"


@pytest.mark.parametrize(
    "error",
    [errors.RequestRejected, errors.ContextTooSmall, errors.ImageRejected],
)
def test_errors_that_stay_are_not_asked_again(
    tmp_path: Path, error: type[errors.BackendError]
) -> None:
    """What cannot succeed is asked once, and the next image is asked as ever."""
    backend = Scripted()
    backend.script[1] = [error("no")]
    wanted = jobs(task(tmp_path, 2))
    running = engine(backend)
    assert kinds(running, wanted) == ["error", "correct"]
    running.close()
    assert backend.times() == {1: 1, 2: 1}


@pytest.mark.parametrize("error", [errors.ModelMissing, errors.AccessRefused, errors.QuotaUsedUp])
def test_what_no_image_will_change_ends_the_model_at_once(
    tmp_path: Path, error: type[errors.BackendError]
) -> None:
    """A name, a key or an account is wrong for all images alike."""
    backend = Scripted()
    backend.script[1] = [error("no")]
    running = engine(backend)
    assert kinds(running, jobs(task(tmp_path, 3))) == ["error"] * 3
    running.close()
    assert backend.times() == {1: 1}


def test_an_account_that_is_used_up_on_the_way_ends_the_model(tmp_path: Path) -> None:
    """What was answered is kept, and nobody asks on."""
    backend = Scripted()
    backend.script[2] = [errors.QuotaUsedUp("no credit")]
    running = engine(backend)
    wanted = jobs(task(tmp_path, 4))
    assert kinds(running, wanted) == ["correct", "error", "error", "error"]
    running.close()
    assert backend.times() == {1: 1, 2: 1}


def test_a_server_that_says_when_is_asked_then(tmp_path: Path) -> None:
    """Not before, though the usual pause is shorter."""
    backend, busy = Scripted(), errors.ServerOverloaded("busy")
    busy.retry_after_s = 0.3
    backend.script[1] = [busy, "cat"]
    running = engine(backend, policy=replace(QUICK, away_s=60))
    began = time.monotonic()
    assert kinds(running, jobs(task(tmp_path, 1))) == ["correct"]
    assert time.monotonic() - began >= 0.3
    running.close()


@pytest.mark.parametrize("kind", [errors.ServerOverloaded, errors.ServerFailed])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("away_s", [0.0, 0.3])
def test_a_server_that_wants_to_be_left_alone_for_long_is_not_waited_for_longer(
    tmp_path: Path,
    kind: type[errors.BackendError],
    known: bool,  # noqa: FBT001
    away_s: float,
) -> None:
    """Than any server is: asked, or looked at before the first question, answered before or not."""
    backend, busy = Scripted(), kind("busy")
    busy.retry_after_s = 999_999_999.0
    backend.identities = [busy, busy]
    backend.script[1 + known] = [busy]
    running = engine(backend, policy=replace(QUICK, away_s=away_s))
    began = time.monotonic()
    wanted = jobs(task(tmp_path, 1 + known))
    assert kinds(running, wanted) == ["correct"] * known + ["error"]
    # A pause as the server wants it takes a minute.
    assert time.monotonic() - began < 20
    running.close()


def test_pauses_grow(tmp_path: Path) -> None:
    """Back-off waits between attempts, longer each time."""
    backend = Scripted()
    backend.script[1] = [errors.ServerFailed("broken")]
    policy = replace(QUICK, attempts=3, first_pause_s=0.08, longest_pause_s=1.0)
    running = engine(backend, policy=policy)
    began = time.monotonic()
    running.outcome(jobs(task(tmp_path, 1))[0])
    assert 0.12 <= time.monotonic() - began < 3
    running.close()


@given(st.integers(1, 30), st.floats(0, 1, exclude_max=True))
def test_a_pause_is_bounded(attempt: int, draw: float) -> None:
    """Never more than the longest, never less than half of what the attempt asks for."""
    policy = AskingPolicy()
    full = min(policy.longest_pause_s, policy.first_pause_s * 2.0 ** (attempt - 1))
    assert full / 2 <= policy.pause_s(attempt, draw) <= full <= policy.longest_pause_s


def test_a_budget_ends_the_attempts(tmp_path: Path) -> None:
    """No attempt starts after the budget, however many are left."""
    backend = Scripted()
    backend.script[1] = [errors.ServerFailed("broken")]
    policy = replace(QUICK, attempts=1000, first_pause_s=0.05, longest_pause_s=0.05, budget_s=0.2)
    running = engine(backend, policy=policy)
    running.outcome(jobs(task(tmp_path, 1))[0])
    running.close()
    assert 2 <= len(backend.asked) <= 10


def test_a_model_is_given_up(tmp_path: Path) -> None:
    """After so many lost images in a row the rest are errors without a question."""
    backend = Scripted()
    for number in range(3, 21):
        backend.script[number] = [errors.ServerUnreachable("gone", remedy="start it")]
    wanted = jobs(task(tmp_path, 20))
    running = engine(backend, policy=replace(QUICK, attempts=2, give_up_after=3))
    running.expect(wanted)
    outcomes = [running.outcome(job) for job in wanted]
    running.close()
    assert [outcome.kind for outcome in outcomes] == ["correct"] * 2 + ["error"] * 18
    assert backend.times() == {1: 1, 2: 1, 3: 2, 4: 2, 5: 2}
    assert outcomes[19].message == "given up after 3 images in a row: gone (start it)"
    assert outcomes[19].reason == "server-unreachable"


def test_an_answer_between_keeps_a_model(tmp_path: Path) -> None:
    """Lost images that are not in a row, and errors that stay, give nothing up."""
    backend = Scripted()
    for number in (1, 2, 4, 5, 7, 8):
        backend.script[number] = [errors.ServerFailed("broken")]
    for number in range(10, 16):
        backend.script[number] = [errors.RequestRejected("no")]
    wanted = jobs(task(tmp_path, 16))
    running = engine(backend, policy=replace(QUICK, attempts=1, give_up_after=3))
    assert kinds(running, wanted).count("correct") == 4
    running.close()
    assert len(backend.asked) == 16


@pytest.mark.parametrize("defect", [TypeError("a defect"), KeyError("x"), SystemExit(3)])
def test_a_defect_reaches_the_waiting_test(tmp_path: Path, defect: BaseException) -> None:
    """What is no trouble of the model is raised where it is waited for, and others go on."""
    backend = Scripted()
    backend.script[1] = [defect]
    first, second = jobs(task(tmp_path, 2))
    running = engine(backend)
    with pytest.raises(type(defect)):
        running.outcome(first)
    assert running.outcome(second).kind == "correct"
    running.close()


def test_several_models_do_not_wait_for_each_other(tmp_path: Path) -> None:
    """Each has its own requests in flight: one that hangs does not stop the other."""
    slow, quick = Scripted(digest="slow"), Scripted(digest="quick")
    slow.gate.clear()
    first, second = (task(tmp_path, 5, model=model) for model in ("slow", "quick"))
    backends = {str(first.spec): slow, str(second.spec): quick}
    running = engine(lambda assigned: backends[str(assigned.spec)])
    running.expect([*jobs(first), *jobs(second)])
    assert kinds(running, jobs(second)) == ["correct"] * 5
    slow.gate.set()
    assert kinds(running, jobs(first)) == ["correct"] * 5
    running.close()


def test_one_model_given_up_leaves_the_other(tmp_path: Path) -> None:
    """A model that is not there costs its own images only."""
    there = task(tmp_path, 3, model="there")
    gone = task(tmp_path, 3, model="gone")

    def connect(assigned: Task) -> Scripted:
        if assigned is gone:
            raise errors.ModelMissing("no such model", remedy="pull it")
        return Scripted()

    running = engine(connect)
    running.expect([*jobs(gone), *jobs(there)])
    outcomes = [running.outcome(job) for job in jobs(gone)]
    assert {outcome.kind for outcome in outcomes} == {"error"}
    assert {outcome.message for outcome in outcomes} == {"no such model (pull it)"}
    assert kinds(running, jobs(there)) == ["correct"] * 3
    assert running.identity(gone) is None
    assert running.identity(there) is not None
    running.close()


def test_contact_is_made_once_and_retried(tmp_path: Path) -> None:
    """A server that is just starting is tried again; everybody shares what came of it."""
    backend = Scripted()
    backend.identities = [errors.ServerUnreachable("starting")] * 2
    connected: list[Any] = []

    def connect(assigned: Task) -> Scripted:
        connected.append(assigned)
        return backend

    wanted = jobs(task(tmp_path, 8))
    running = engine(connect, policy=replace(QUICK, in_flight=4))
    running.expect(wanted)
    assert kinds(running, wanted) == ["correct"] * 8
    running.close()
    assert len(connected) == 3


def test_the_address_of_something_else_is_said_at_once(tmp_path: Path) -> None:
    """What answers another protocol on first contact is not waited for."""
    backend = Scripted()
    backend.identities = [errors.BadAnswer("a page")] * 2
    running = engine(backend)
    outcome = running.outcome(jobs(task(tmp_path, 1))[0])
    running.close()
    assert (outcome.kind, outcome.message) == ("error", "a page")
    assert len(backend.identities) == 1


def test_settings_that_make_no_sense_are_an_error_a_image(tmp_path: Path) -> None:
    """A recording that is not there is said on the images, not raised into every test."""

    def connect(_: Task) -> Scripted:
        raise errors.SettingsError("there is no recording; record one")

    running = engine(connect)
    outcome = running.outcome(jobs(task(tmp_path, 1))[0])
    running.close()
    assert (outcome.kind, outcome.message) == ("error", "there is no recording; record one")


@pytest.mark.parametrize("trouble", ["cut", "gone", "noted"])
def test_a_bad_image_is_an_error_without_a_question(tmp_path: Path, trouble: str) -> None:
    """Cut, missing or known to be bad: the outcome says which file, and nothing is sent."""
    backend = Scripted()
    assigned = task(tmp_path, 2)
    bad, good = jobs(assigned)
    if trouble == "cut":
        bad.case.path.write_bytes(image(1)[:-15])
    elif trouble == "gone":
        bad.case.path.unlink()
    else:
        bad = Job(task=assigned, case=replace(bad.case, problem="1.png: it is bad"))
    running = engine(backend)
    outcome = running.outcome(bad)
    assert (outcome.kind, outcome.reason, outcome.attempts) == ("error", "image", 0)
    assert "1.png" in outcome.message
    assert running.outcome(good).kind == "correct"
    running.close()
    assert backend.asked == [2]


@pytest.mark.parametrize("granted", [0, 1, 2])
def test_threads_that_the_system_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, granted: int
) -> None:
    """With fewer the run is slower; with none every image says so, and nothing waits or breaks."""
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def refused(thread: threading.Thread) -> None:
        if thread.name.startswith("llmclf"):
            if len(started) >= granted:
                raise RuntimeError("can't start new thread")
            started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refused)
    wanted = jobs(task(tmp_path, 8))
    running = engine(Scripted(), policy=replace(QUICK, in_flight=4))
    running.expect(wanted)
    outcomes = [running.outcome(job) for job in wanted]
    running.close()
    assert {outcome.kind for outcome in outcomes} == {"correct" if granted else "error"}
    if not granted:
        (message,) = {outcome.message for outcome in outcomes}
        assert "no thread can be started (can't start new thread)" in message


@pytest.mark.parametrize("granted", [0, 1, 2])
def test_a_thread_is_started_where_there_is_room_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, granted: int
) -> None:
    """Before the first one for all that it loads; fewer than wanted will do."""
    asked: list[int] = []

    def has_room(mib: int) -> bool:
        asked.append(mib)
        return len(asked) <= granted

    monkeypatch.setattr(scheduler, "has_room", has_room)
    wanted = jobs(task(tmp_path, 8))
    running = engine(Scripted(), policy=replace(QUICK, in_flight=4))
    running.expect(wanted)
    outcomes = [running.outcome(job) for job in wanted]
    running.close()
    assert {outcome.kind for outcome in outcomes} == {"correct" if granted else "error"}
    assert asked[:2] == ([room.FIRST_MIB, room.FURTHER_MIB] if granted else [room.FIRST_MIB] * 2)
    if not granted:
        assert all("not enough memory to ask (raise" in outcome.message for outcome in outcomes)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_threads_that_die_are_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before they begin, or with an image in hand: each image ends, with the cause."""
    for dies_with in (0, 1):
        backend = Scripted()
        running = engine(backend, policy=replace(QUICK, in_flight=1))
        take = ModelQueue.next

        def end(
            queue: ModelQueue, stopping: threading.Event, take: Any = take, most: int = dies_with
        ) -> Any:
            if len(backend.asked) >= most:  # noqa: B023 - called within this turn
                raise SystemExit
            return take(queue, stopping)

        monkeypatch.setattr(ModelQueue, "next", end)
        wanted = jobs(task(tmp_path, 3))
        outcomes = [running.outcome(job) for job in wanted]
        running.close()
        monkeypatch.undo()
        assert [one.kind for one in outcomes] == ["correct"] * dies_with + ["error"] * (
            3 - dies_with
        )
        assert "not enough memory to ask" in outcomes[-1].message


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_with_an_image_in_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Costs this image; another thread goes on."""
    done = ModelQueue.done
    died: list[str] = []

    def end(queue: ModelQueue, taken: Any, *, held: bool) -> None:
        if not died and threading.current_thread() is not threading.main_thread():
            died.append(taken.job.case.id)
            raise SystemExit
        done(queue, taken, held=held)

    monkeypatch.setattr(ModelQueue, "done", end)
    wanted = jobs(task(tmp_path, 4))
    running = engine(Scripted(), policy=replace(QUICK, in_flight=2))
    running.expect(wanted)
    outcomes = [running.outcome(job) for job in wanted]
    running.close()
    lost = [one.case for one in outcomes if one.kind == "error"]
    assert lost == died or len(lost) == len(wanted)


@pytest.mark.parametrize(
    "lack",
    [
        MemoryError(), OSError(ENOMEM, "Cannot allocate memory"),
        ssl.SSLError(1, "[SSL] malloc failure (_ssl.c:3098)"),
    ],
    ids=["Python", "system", "OpenSSL"],
)  # fmt: skip
def test_memory_that_is_lacking_costs_its_image(tmp_path: Path, lack: BaseException) -> None:
    """It is an error of its own, with a remedy, and no defect of the run."""
    backend = Scripted()
    backend.script[1] = [lack]
    first, second = jobs(task(tmp_path, 2))
    running = engine(backend)
    outcome = running.outcome(first)
    assert (outcome.kind, running.outcome(second).kind) == ("error", "correct")
    running.close()
    assert "not enough memory" in outcome.message
    assert "--llmclf-in-flight" in outcome.message
