"""How long a server in trouble is waited for: what is waited for, and that everything ends."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_llmclf import errors
from pytest_llmclf.runner.job import AskingPolicy
from pytest_llmclf.runner.patience import FAILING_S, LONGEST_LOOK_S, Patience

if TYPE_CHECKING:
    from collections.abc import Callable

POLICY = AskingPolicy()
BUSY = errors.ServerOverloaded("busy")
BROKEN = errors.ServerFailed("broken")


class Time(threading.Event):
    """Waits pass at once, and the clock knows of them."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def wait(self, timeout: float | None = None) -> bool:
        self.now += timeout or 0.0
        return self.is_set()

    def __call__(self) -> float:
        return self.now


def made(policy: AskingPolicy = POLICY) -> tuple[Patience, Time]:
    """A patience that has seen nothing yet, at a time that can be moved."""
    time = Time()
    return Patience(policy, time, clock=time), time


def back_at(time: Time, moment: float) -> Callable[[], bool]:
    """A server that is away until then."""
    return lambda: time.now >= moment


@given(away=st.floats(0, 600), bound=st.floats(1, 600))
def test_a_server_that_is_away_is_waited_for_up_to_the_bound(away: float, bound: float) -> None:
    """It is found within one look of its return, and given up within one look of the bound."""
    assume(abs(away - bound) > 1e-6)  # the clock of the test has no finer steps
    patience, time = made(replace(POLICY, away_s=bound))
    began = time.now
    patience.note_trouble()
    found = patience.wait(back_at(time, began + away))
    if away <= bound:
        assert found == ("there" if began + away == began else "back")
        assert time.now - began <= away + LONGEST_LOOK_S
    else:
        assert found == "away"
    assert time.now - began <= bound + 0.01


def test_the_end_of_the_run_ends_a_wait() -> None:
    """Nobody looks after that, and nothing is said of the server."""
    patience, time = made()
    patience.note_trouble()
    time.set()
    assert patience.wait(pytest.fail) == "stopped"


def test_a_server_that_comes_and_goes_without_answering_has_one_bound() -> None:
    """Only an answer ends the trouble; with one, the whole bound is there again."""
    patience, time = made(replace(POLICY, away_s=60))
    patience.note_trouble()
    assert patience.wait(back_at(time, time.now + 40)) == "back"
    patience.note_trouble()
    assert patience.wait(back_at(time, time.now + 40)) == "away"
    patience.note_answer()
    assert patience.trouble_s is None
    patience.note_trouble()
    assert patience.wait(back_at(time, time.now + 40)) == "back"


@pytest.mark.parametrize("answered", [True, False])
def test_a_busy_server_is_asked_again(answered: bool) -> None:  # noqa: FBT001
    """As long as one that is away if it answered before, else long enough to load a model."""
    patience, time = made()
    if answered:
        patience.note_answer()
    patience.note_trouble()
    bound = POLICY.away_s if answered else FAILING_S
    time.now += bound - 1
    assert patience.may_retry(BUSY, 0, began=1000.0)
    time.now += 2
    assert not patience.may_retry(BUSY, 0, began=1000.0)


def test_a_server_that_fails_everybody_is_given_more_than_the_attempts() -> None:
    """Where nobody was answered since a question was asked, the fault is not the question's."""
    patience, time = made()
    patience.note_answer()
    began = time.now = time.now + 1
    patience.note_trouble()
    assert patience.may_retry(BROKEN, 30, began)
    time.now += FAILING_S + 1
    assert not patience.may_retry(BROKEN, 30, began)


def test_a_question_that_alone_fails_has_its_attempts() -> None:
    """So has one to a server that never answered: what is wrong from the start is said soon."""
    patience, time = made()
    began = time.now
    patience.note_trouble()
    assert patience.may_retry(BROKEN, POLICY.attempts - 1, began)
    assert not patience.may_retry(BROKEN, POLICY.attempts, began)
    patience.note_answer()
    patience.note_trouble()
    assert not patience.may_retry(BROKEN, POLICY.attempts, began)


@pytest.mark.parametrize("error", [BUSY, BROKEN])
def test_one_attempt_is_one(error: errors.BackendError) -> None:
    """Whoever wants no second attempt gets none."""
    patience, time = made(replace(POLICY, attempts=1))
    patience.note_answer()
    time.now += 1
    patience.note_trouble()
    assert not patience.may_retry(error, 1, began=time.now)


@given(attempts=st.integers(1, 9), asked=st.integers(1, 20), kind=st.sampled_from([BUSY, BROKEN]))
def test_without_patience_attempts_are_all(
    attempts: int, asked: int, kind: errors.BackendError
) -> None:
    """0 minutes are the attempts and nothing else, whatever the error."""
    patience, time = made(replace(POLICY, away_s=0, attempts=attempts))
    patience.note_answer()
    time.now += 1
    patience.note_trouble()
    assert patience.may_retry(kind, asked, began=time.now) == (asked < attempts)


def test_what_stays_wrong_is_not_asked_again() -> None:
    """A rejected request is one at any time."""
    patience, _ = made()
    assert not patience.may_retry(errors.RequestRejected("no"), 0, began=0.0)
