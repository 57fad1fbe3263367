"""One question, one asking: within an engine, between engines, and with no server at all."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf import errors
from pytest_llmclf.data.image import preparation
from pytest_llmclf.runner.answer_cache import AnswerStore
from pytest_llmclf.runner.job import AskingPolicy, Job
from pytest_llmclf.runner.scheduler import Engine
from tests.unit.scripted import QUICK, Scripted, engine, jobs, kinds, task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_llmclf.runner.task import Task
    from pytest_llmclf.values.answer import Answer
    from pytest_llmclf.values.outcome import Outcome
    from pytest_llmclf.values.request import Request


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    """Every test closes its engine, and that ends its threads."""
    yield
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("llmclf")]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[AnswerStore]:
    """A store on disk."""
    with AnswerStore(tmp_path / "answers.sqlite") as opened:
        yield opened


def by_way(
    backend: Scripted,
    store: AnswerStore,
    *,
    policy: AskingPolicy = QUICK,
    endpoint_key: str = "there",
) -> Engine:
    """An engine that remembers who answered."""
    return Engine(
        connect=lambda _: backend, store=store, policy=policy, endpoint_key=lambda _: endpoint_key
    )


def gone() -> Scripted:
    """A server that is not there."""
    backend = Scripted()
    backend.identities = [errors.ServerUnreachable("no server", remedy="start it")] * 100
    return backend


def renamed(assigned: Task, title: str) -> Task:
    """Another evaluation of the same images with the same question."""
    return replace(assigned, evaluation=replace(assigned.evaluation, name=title))


@pytest.mark.parametrize("fresh", [False, True])
def test_the_same_question_is_asked_once(tmp_path: Path, *, fresh: bool) -> None:
    """Two evaluations that ask the same of the same images, with as many in flight as can be."""
    backend = Scripted()
    one = task(tmp_path, 6)
    wanted = [*jobs(one), *jobs(renamed(one, "again"))]
    running = engine(backend, policy=replace(QUICK, in_flight=12, fresh=fresh))
    running.expect(wanted)
    outcomes = [running.outcome(job) for job in wanted]
    running.close()
    assert set(backend.times().values()) == {1}
    assert {outcome.kind for outcome in outcomes} == {"correct"}
    assert sum(outcome.attempts for outcome in outcomes) == 6
    assert sum(outcome.cached for outcome in outcomes) == 6


@pytest.mark.parametrize("fresh", [False, True])
def test_two_engines_over_one_store_share_the_work(
    tmp_path: Path, store: AnswerStore, *, fresh: bool
) -> None:
    """Each question is asked by one of them; both have all outcomes."""
    backend = Scripted(in_flight=3)
    assigned = task(tmp_path, 20)
    policy = replace(QUICK, in_flight=3, fresh=fresh)
    found: list[Outcome] = []

    def run() -> None:
        running = Engine(connect=lambda _: backend, store=store, policy=policy, run="r")
        running.expect(jobs(assigned))
        found.extend(running.outcome(job) for job in jobs(assigned))
        running.close()

    both = [threading.Thread(target=run) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join(30)
    assert sum(backend.times().values()) == 20
    assert [outcome.kind for outcome in found] == ["correct"] * 40


def test_other_questions_are_asked_meanwhile(tmp_path: Path, store: AnswerStore) -> None:
    """What someone else asks at the moment holds nothing up but its own test."""
    backend = Scripted()
    wanted = jobs(task(tmp_path, 4))
    taken = wanted[0].task.request(wanted[0].case).digest(backend.identify())
    assert store.claim(taken)
    running = by_way(backend, store)
    running.expect(wanted)
    waiting = threading.Thread(target=running.outcome, args=(wanted[0],))
    waiting.start()
    backend.wait_for(3)
    assert sorted(backend.asked) == [2, 3, 4]
    store.release(taken)
    waiting.join(10)
    assert not waiting.is_alive()
    assert sorted(backend.asked) == [1, 2, 3, 4]
    running.close()


def test_nobody_is_waited_for_longer_than_the_budget(tmp_path: Path, store: AnswerStore) -> None:
    """A process that hangs with a claim in hand costs time, and no image."""
    backend = Scripted()
    (job,) = jobs(task(tmp_path, 1))
    assert store.claim(job.task.request(job.case).digest(backend.identify()))
    running = by_way(backend, store, policy=replace(QUICK, budget_s=0.05))
    assert running.outcome(job).kind == "correct"
    running.close()


def test_a_question_that_failed_is_free_again(tmp_path: Path, store: AnswerStore) -> None:
    """Whoever waited for it asks it."""
    backend = Scripted()
    backend.script[1] = [errors.RequestRejected("no"), "cat"]
    one = task(tmp_path, 1)
    running = by_way(backend, store)
    assert kinds(running, [*jobs(one), *jobs(renamed(one, "again"))]) == ["error", "correct"]
    running.close()


def test_a_repeat_waits_for_nobody(tmp_path: Path, store: AnswerStore) -> None:
    """It is another question."""
    backend = Scripted()
    (job,) = jobs(task(tmp_path, 1))
    running = by_way(backend, store)
    assert kinds(running, [job, job.again(1)]) == ["correct"] * 2
    running.close()
    assert backend.asked == [1, 1]


def test_closing_ends_a_wait_for_others(tmp_path: Path, store: AnswerStore) -> None:
    """A held job does not keep the run from ending."""
    backend = Scripted()
    first, second = jobs(task(tmp_path, 2))
    taken = first.task.request(first.case).digest(backend.identify())
    assert store.claim(taken)
    running = by_way(backend, store)
    running.expect([first, second])
    assert running.outcome(second).kind == "correct"
    running.close()
    assert running.outcome(first).message == "not asked: the run was stopped"


def test_known_answers_need_no_server(tmp_path: Path, store: AnswerStore) -> None:
    """Everything is known of who answered; what is not known is an error with the remedy."""
    assigned = task(tmp_path, 4)
    known, new = jobs(assigned)[:3], jobs(assigned)[3]
    first = by_way(Scripted(), store)
    assert kinds(first, known) == ["correct"] * 3
    identity = first.identity(assigned)
    first.close()
    backend = gone()
    running = by_way(backend, store)
    assert kinds(running, known) == ["correct"] * 3
    assert len(backend.identities) == 99
    (notice,) = running.notices()
    outcome = running.outcome(new)
    assert (outcome.kind, outcome.message) == ("error", "no server (start it)")
    again = running.identity(assigned)
    running.close()
    assert backend.asked == []
    assert notice.startswith("openai:a@http://127.0.0.1:1/v1 was not reached (no server): known ")
    assert "digest abc of 20" in notice
    assert identity is not None
    assert again is not None
    assert again.digest == identity.digest
    assert "not in this run" in again.details["reached"]


@pytest.mark.parametrize("why", ["another way", "fresh", "refused"])
def test_who_answered_is_not_guessed(tmp_path: Path, store: AnswerStore, why: str) -> None:
    """Another way, asking anew, or a server that is there: nothing remembered is used."""
    (job,) = jobs(task(tmp_path, 1))
    first = by_way(Scripted(), store)
    first.outcome(job)
    first.close()
    backend = gone()
    if why == "refused":
        backend.identities = [errors.ModelMissing("no model")]
    policy = replace(QUICK, fresh=why == "fresh")
    running = by_way(
        backend, store, policy=policy, endpoint_key="else" if why == "another way" else "there"
    )
    assert running.outcome(job).kind == "error"
    assert running.notices() == ()
    running.close()


def test_a_server_that_comes_later_is_asked(tmp_path: Path, store: AnswerStore) -> None:
    """It was not needed for the first images; for the next it is, and it is there."""
    first, second = jobs(task(tmp_path, 2))
    before = by_way(Scripted(), store)
    before.outcome(first)
    before.close()
    backend = Scripted()
    backend.identities = [errors.ServerUnreachable("starting")] * 2
    running = by_way(backend, store)
    assert kinds(running, [first, second]) == ["correct"] * 2
    assert running.notices() == ()
    running.close()
    assert backend.asked == [2]


def test_another_model_that_comes_later_is_not_mixed_in(tmp_path: Path, store: AnswerStore) -> None:
    """Answers of two models never make one report."""
    first, second = jobs(task(tmp_path, 2))
    before = by_way(Scripted(), store)
    before.outcome(first)
    before.close()
    backend = Scripted(digest="other")
    backend.identities = [errors.ServerUnreachable("starting")]
    running = by_way(backend, store)
    assert running.outcome(first).kind == "correct"
    outcome = running.outcome(second)
    running.close()
    assert outcome.kind == "error"
    assert "is another model now, digest other" in outcome.message
    assert backend.asked == []


def test_a_model_that_was_made_anew_is_asked_anew(tmp_path: Path, store: AnswerStore) -> None:
    """A server that can be reached says who it is, whatever is remembered."""
    (job,) = jobs(task(tmp_path, 1))
    asked = []
    for digest in ("abc", "new"):
        backend = Scripted(digest=digest)
        running = by_way(backend, store)
        assert running.outcome(job).kind == "correct"
        running.close()
        asked += backend.asked
    assert asked == [1, 1]


def test_known_answers_need_no_image(tmp_path: Path, store: AnswerStore) -> None:
    """What was sent is known by what it was made from: the file is not even opened."""
    wanted = jobs(task(tmp_path, 3))
    for opened in (True, False):
        running = by_way(Scripted(), store)
        outcomes = [running.outcome(job) for job in wanted]
        running.close()
        assert [outcome.cached for outcome in outcomes] == [not opened] * 3
        for job in wanted:
            job.case.path.unlink(missing_ok=True)
    sources = [f"{job.case.sha256} {preparation(job.task.limits)}" for job in wanted]
    assert all(store.sent_image(source) is not None for source in sources)


def test_a_known_image_is_still_checked_before_it_is_sent(
    tmp_path: Path, store: AnswerStore
) -> None:
    """The answer is gone, the image is another one now: it is not asked about."""
    (job,) = jobs(task(tmp_path, 1))
    running = by_way(Scripted(), store)
    running.outcome(job)
    running.close()
    job.case.path.write_bytes(b"else")
    other = Job(task=job.task, case=job.case, repeat=1)
    backend = Scripted()
    running = by_way(backend, store)
    outcome = running.outcome(other)
    running.close()
    assert (outcome.reason, backend.asked) == ("image", [])


class Learning(Scripted):
    """Can use four requests at once for a while, and one before and after it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.counts: list[int] = []

    def ask(self, request: Request) -> Answer:
        """Take a moment, and learn."""
        with self._lock:
            self.now += 1
            self.counts.append(self.now)
        time.sleep(0.01)
        answer = super().ask(request)
        with self._lock:
            self.now -= 1
        self.in_flight = 4 if 5 <= len(self.counts) < 30 else 1
        return answer


def test_as_many_are_asked_as_are_useful_by_now(tmp_path: Path) -> None:
    """The number is read anew with every answer: it grows and shrinks."""
    backend = Learning()
    wanted = jobs(task(tmp_path, 45))
    running = engine(backend, policy=replace(QUICK, in_flight=None))
    running.expect(wanted)
    assert kinds(running, wanted) == ["correct"] * 45
    running.close()
    assert max(backend.counts) == 4
    assert backend.counts[:5] == [1] * 5
    assert backend.counts[-8:] == [1] * 8


def test_notices_of_backends_are_passed_on(tmp_path: Path) -> None:
    """Once each, and by task."""
    backend = Scripted()
    backend.notices = ("a server was dropped",)
    assigned = task(tmp_path, 2)
    running = engine(backend)
    assert running.notices() == ()
    assert kinds(running, jobs(assigned)) == ["correct"] * 2
    assert running.notices() == running.notices(assigned) == backend.notices
    running.close()
