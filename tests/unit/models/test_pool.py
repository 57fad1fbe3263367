"""Several servers as one: where work goes, who is dropped, who comes back, who is refused."""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf import errors
from pytest_llmclf.models.concurrency import START
from pytest_llmclf.models.http.client import ConnectionBroken
from pytest_llmclf.models.pool import FIRST_PAUSE_S, LONGEST_PAUSE_S, MOST_NOTICES, REFUSALS, Pool
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.request import ModelIdentity, Request

if TYPE_CHECKING:
    from collections.abc import Sequence

QUESTION = Request(system=None, prompt="?", image=b"p", media_type="image/png")
GONE = (
    errors.ServerUnreachable("nothing answers"),
    errors.RequestTimedOut("no answer in time"),
    ConnectionBroken("it broke"),
)


class Server:
    """A member that does as it is told.

    Attributes:
        failure: What it raises instead of answering.
        there: Whether it answers a look.
        identity: Who it says it is.
        asked: Questions that reached it.
        looked: How often somebody looked whether it is there.
        gate: While it is not set, questions wait.
    """

    in_flight = 1
    notices: tuple[str, ...] = ()

    def __init__(self, name: str = "a", digest: str = "d1", version: str = "ollama 1") -> None:
        self.failure: Exception | None = None
        self.there = True
        self.name = name
        self.identity = ModelIdentity(
            backend="ollama", name="llava", digest=digest, server=version,
            details={"address": name, "base digest": f"base {digest}"},
        )  # fmt: skip
        self.asked = self.looked = self.forgotten = self.closed = 0
        self.gate = threading.Event()
        self.gate.set()

    def identify(self) -> ModelIdentity:
        if self.failure is not None:
            raise self.failure
        return self.identity

    def ask(self, _request: Request) -> Answer:
        self.asked += 1
        assert self.gate.wait(10)
        if self.failure is not None:
            raise self.failure
        return Answer(text=self.name)

    def is_there(self, _timeout_s: float) -> bool:
        self.looked += 1
        return self.there

    def forget(self) -> None:
        self.forgotten += 1

    def close(self) -> None:
        self.closed += 1


class Clock:
    """Moves when it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def pool(*servers: Server, clock: Clock | None = None) -> Pool:
    """A pool of these servers, identified."""
    made = Pool([(server.name, server) for server in servers], clock=clock or Clock())
    made.identify()
    return made


def said(made: Pool, count: int) -> list[str]:
    """Who answers so many questions in turn."""
    return [made.ask(QUESTION).text for _ in range(count)]


def test_work_goes_to_whichever_is_free() -> None:
    """While one server is busy the other gets the questions; then both do."""
    slow, quick = Server("slow"), Server("quick")
    made = pool(slow, quick)
    slow.gate.clear()
    waiting = threading.Thread(target=said, args=(made, 1))
    waiting.start()
    while not slow.asked:
        pass
    assert said(made, 3) == ["quick"] * 3
    slow.gate.set()
    waiting.join(10)
    assert said(made, 1) == ["slow"]


def test_what_all_can_use_is_in_flight() -> None:
    """Each server adds its own number; a dropped one adds nothing, and one is the least."""
    one, other = Server("one"), Server("other")
    made = pool(one, other)
    assert made.in_flight == 2 * START
    one.failure = GONE[0]
    said(made, 1)
    assert made.in_flight == START
    other.failure = GONE[0]
    with pytest.raises(errors.ServerUnreachable):
        made.ask(QUESTION)
    assert made.in_flight == 1


@pytest.mark.parametrize("failure", GONE)
def test_the_question_of_a_lost_server_goes_to_another(failure: errors.BackendError) -> None:
    """Nobody who asks sees the failure; people do, once."""
    lost, other = Server("lost"), Server("other")
    made = pool(lost, other)
    lost.failure = failure
    assert said(made, 5) == ["other"] * 5
    assert lost.asked == 1
    (notice,) = made.notices
    assert notice == f"lost was dropped: {failure.message}; 1 of 2 servers go on"


def test_a_lost_server_is_looked_at_ever_more_rarely() -> None:
    """After 1, 2, 4 ... seconds and never more than the longest pause."""
    clock = Clock()
    lost, other = Server("lost"), Server("other")
    made = pool(lost, other, clock=clock)
    lost.failure, lost.there = GONE[0], False
    said(made, 1)
    looks = []
    for step in range(1200):
        clock.now = step * 0.1
        before = lost.looked
        said(made, 1)
        if lost.looked > before:
            looks.append(round(clock.now))
    assert looks[:4] == [1, 3, 7, 15]
    assert max(later - earlier for earlier, later in pairwise(looks)) == LONGEST_PAUSE_S
    assert lost.asked == 1


def test_a_server_that_is_back_is_used_again() -> None:
    """It must still have the same model, and people are told."""
    clock = Clock()
    lost, other = Server("lost"), Server("other")
    made = pool(lost, other, clock=clock)
    lost.failure = GONE[0]
    said(made, 1)
    lost.failure = None
    assert said(made, 1) == ["other"]
    clock.now = FIRST_PAUSE_S
    assert said(made, 1) == ["lost"]
    assert lost.forgotten == 1
    assert made.notices[1:] == ("lost answers again",)
    assert made.in_flight == 2 * START


def test_a_server_that_comes_and_goes_is_told_of_so_often() -> None:
    """A run of days has no endless list of notices."""
    clock = Clock()
    flapping, other = Server("flapping"), Server("other")
    made = pool(flapping, other, clock=clock)
    for number in range(MOST_NOTICES):
        flapping.failure = GONE[0]
        said(made, 2)
        flapping.failure = None
        clock.now = (number + 1) * FIRST_PAUSE_S
        said(made, 2)
    assert flapping.asked >= 2 * MOST_NOTICES
    assert len(made.notices) == MOST_NOTICES


@pytest.mark.parametrize(
    ("back", "named"),
    [(Server("lost", digest="d2"), "another llava"), (Server("lost", version="ollama 2"), "runs")],
    ids=["model", "version"],
)
def test_a_server_that_came_back_as_another_is_not_used(back: Server, named: str) -> None:
    """Answers of one run are of one model and one version; it is said why, once."""
    clock = Clock()
    lost, other = Server("lost"), Server("other")
    made = pool(lost, other, clock=clock)
    lost.failure = GONE[0]
    said(made, 1)
    lost.failure, lost.identity = None, back.identity
    for step in range(100):
        clock.now = float(step)
        assert said(made, 1) == ["other"]
    assert named in made.notices[1]
    assert len(made.notices) == 2


def test_with_nobody_left_the_last_error_is_raised() -> None:
    """It may be tried again: then every server is looked at, whatever its pause."""
    one, other = Server("one"), Server("other")
    made = pool(one, other)
    one.failure, other.failure = GONE[1], GONE[0]
    one.there = other.there = False
    for _ in range(3):
        with pytest.raises(errors.BackendError) as caught:
            made.ask(QUESTION)
        assert caught.value.retryable
    assert (one.asked, other.asked) == (1, 1)
    assert "none is left" in made.notices[1]
    other.there, other.failure = True, None
    assert said(made, 2) == ["other"] * 2


def test_a_single_server_is_asked_whatever_it_did() -> None:
    """Its errors are the engine's to count: nothing is dropped, nothing is said."""
    only = Server()
    made = pool(only)
    only.failure = GONE[0]
    for _ in range(3):
        with pytest.raises(errors.ServerUnreachable):
            made.ask(QUESTION)
    assert (only.asked, only.looked, made.notices) == (3, 0, ())


def test_refusals_in_a_row_drop_a_server() -> None:
    """One refusal is the engine's to wait for; several mean that it has no room."""
    busy, other = Server("busy"), Server("other")
    made = pool(busy, other)
    busy.failure = errors.ServerOverloaded("too busy")
    for _ in range(REFUSALS - 1):
        with pytest.raises(errors.ServerOverloaded):
            made.ask(QUESTION)
    assert made.ask(QUESTION).text == "other"
    assert "busy was dropped" in made.notices[0]


def test_an_error_of_the_question_stays_with_it() -> None:
    """An image that cannot be read is no fault of the server, and not asked about again."""
    one, other = Server("one"), Server("other")
    made = pool(one, other)
    one.failure = errors.ImageRejected("no image")
    with pytest.raises(errors.ImageRejected):
        made.ask(QUESTION)
    assert (other.asked, made.notices) == (0, ())


def test_one_server_that_is_down_at_the_start_is_left_out() -> None:
    """The pool goes on with the others; who comes later must be the same."""
    clock = Clock()
    down, up = Server("down"), Server("up")
    down.failure = GONE[0]
    made = Pool([("down", down), ("up", up)], clock=clock)
    assert made.identify().details["address"] == "up"
    assert "down was dropped" in made.notices[0]
    down.failure = None
    clock.now = 1.0
    assert said(made, 1) == ["down"]


def test_all_down_at_the_start_can_be_tried_again() -> None:
    """The error is the last one, and nothing is remembered of it."""
    one, other = Server("one"), Server("other")
    one.failure = other.failure = GONE[0]
    made = Pool([("one", one), ("other", other)], clock=Clock())
    with pytest.raises(errors.ServerUnreachable):
        made.identify()
    assert made.notices == ()
    one.failure = other.failure = None
    assert made.identify().details["address"] == "one, other"


def test_another_model_is_refused_by_both_names() -> None:
    """The same name is not enough: the error has both hosts and the command."""
    with pytest.raises(errors.ModelMissing) as caught:
        pool(Server("one"), Server("other", digest="d2"))
    text = str(caught.value)
    assert "one" in text
    assert "OLLAMA_HOST=other ollama pull llava" in text


@pytest.mark.parametrize(
    ("versions", "server"),
    [(("ollama 1", "ollama 1"), "ollama 1"), (("ollama 2", "ollama 1"), "ollama 1, ollama 2")],
)
def test_all_versions_are_named(versions: Sequence[str], server: str) -> None:
    """Answers of mixed versions are kept apart from those of one, in whatever order."""
    one, other = Server("one", version=versions[0]), Server("other", version=versions[1])
    identity = pool(one, other).identify()
    assert identity.server == server
    assert identity == pool(one, other).identify()


def test_closing_closes_everything() -> None:
    """Also twice."""
    one, other = Server("one"), Server("other")
    made = pool(one, other)
    made.close()
    made.close()
    assert (one.closed, other.closed) == (2, 2)


def only(server: Server, clock: Clock) -> Pool:
    """A pool of one whose question has just failed."""
    made = pool(server, clock=clock)
    server.failure = GONE[0]
    with pytest.raises(errors.ServerUnreachable):
        made.ask(QUESTION)
    return made


def test_a_look_tells_whether_the_only_server_is_there() -> None:
    """While it is away nobody may ask; when it is back it is told for how long it was not."""
    clock, server = Clock(), Server()
    made = only(server, clock)
    server.there = False
    assert not made.look()
    with pytest.raises(errors.ServerUnreachable):
        made.ask(QUESTION)
    assert server.asked == 1, "what is away is not asked"
    clock.now, server.there, server.failure = 12.0, True, None
    assert made.look()
    assert said(made, 1) == ["a"]
    assert made.notices == ("a was away for 12.0 s and was waited for",)


def test_a_look_at_a_server_that_is_fine_costs_nothing() -> None:
    """Nothing failed: nothing is sent."""
    server = Server()
    made = pool(server)
    assert made.look()
    assert server.looked == 0


def test_a_server_that_answered_an_error_is_not_away() -> None:
    """It is looked at, and not identified anew: it is the one that it was."""
    server = Server()
    made = pool(server)
    server.failure = errors.ServerFailed("HTTP 500")
    with pytest.raises(errors.ServerFailed):
        made.ask(QUESTION)
    assert made.look()
    assert (server.looked, server.forgotten, made.notices) == (1, 0, ())


@pytest.mark.parametrize("seen_away", [True, False])
@pytest.mark.parametrize(
    ("back", "named"),
    [
        (Server(digest="d2"), "llava was replaced on a during the run"),
        (Server(version="ollama 2"), "it runs ollama 2 now, the answers so far are of ollama 1"),
    ],
    ids=["model", "version"],
)
def test_the_only_server_came_back_as_another(back: Server, named: str, *, seen_away: bool) -> None:
    """Its answers are not mixed with those of before: one last word, also after a quick restart."""
    clock, server = Clock(), Server()
    made = only(server, clock)
    if seen_away:
        server.there = False
        assert not made.look()
    server.there, server.failure, server.identity = True, None, back.identity
    clock.now += 1
    assert made.look(), "there is a last word"
    for _ in range(3):
        with pytest.raises(errors.BackendError) as caught:
            made.ask(QUESTION)
        assert named in str(caught.value)
        assert not caught.value.retryable
    assert server.asked == 1
    assert len(made.notices) == 1


def test_a_look_at_several_is_there_if_one_is() -> None:
    """With all of them away it tells when the first one is back."""
    one, other = Server("one"), Server("other")
    made = pool(one, other)
    one.failure = other.failure = GONE[0]
    one.there = other.there = False
    with pytest.raises(errors.ServerUnreachable):
        made.ask(QUESTION)
    assert not made.look()
    other.there, other.failure = True, None
    assert made.look()
    assert said(made, 1) == ["other"]


def test_many_who_look_at_once_look_once() -> None:
    """Whoever waited for another's look takes what it found."""
    entered: list[int] = []
    looks: list[int] = []
    gate = threading.Event()

    class Counting(Clock):
        def __call__(self) -> float:
            entered.append(1)
            return super().__call__()

    class Slow(Server):
        def is_there(self, _timeout_s: float) -> bool:
            looks.append(1)
            assert gate.wait(10)
            return False

    clock, server = Counting(), Slow()
    made = only(server, clock)
    entered.clear()
    threads = [threading.Thread(target=made.look) for _ in range(8)]
    for thread in threads:
        thread.start()
    while len(entered) < 8:
        time.sleep(0.001)
    clock.now = 5.0
    gate.set()
    for thread in threads:
        thread.join(10)
    assert looks == [1]
