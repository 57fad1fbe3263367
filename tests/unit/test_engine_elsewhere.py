"""Known answers where only the address differs: used, told, or left alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.values.request import ADDRESS, NAME_ONLY
from tests.unit.scripted import Scripted, jobs, task
from tests.unit.test_engine_sharing import by_way, gone, store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_llmclf.runner.answer_cache import AnswerStore
    from pytest_llmclf.runner.job import Job
    from pytest_llmclf.values.request import ModelIdentity

__all__ = ["store"]


class Somewhere(Scripted):
    """A model at an address, whose server tells a digest or does not."""

    def __init__(self, address: str, *, digest: str = "abc", named: bool = False) -> None:
        super().__init__(digest=digest)
        self._details = {ADDRESS: address, **({NAME_ONLY: "name only"} if named else {})}

    def identify(self) -> ModelIdentity:
        """As scripted, with where it is."""
        return replace(super().identify(), details=self._details)


def answered_at(
    store: AnswerStore, wanted: Sequence[Job], endpoint_key: str, backend: Scripted
) -> tuple[list[str], tuple[str, ...]]:
    """What becomes of jobs by a way, and what is said of it."""
    running = by_way(backend, store, endpoint_key=endpoint_key)
    found = [f"{one.kind} {one.message}".strip() for one in map(running.outcome, wanted)]
    notices = running.notices()
    running.close()
    return found, notices


def test_only_the_address_differs(tmp_path: Path, store: AnswerStore) -> None:
    """Nobody answers at the new one, and everything is known of the one model elsewhere."""
    wanted = jobs(task(tmp_path, 3))
    for place in ("a:1", "b:1"):
        answered_at(store, wanted, f"model@{place}", Somewhere(place))
    found, (notice,) = answered_at(store, wanted, "model@c:1", gone())
    assert found == ["correct"] * 3
    assert "not reached (no server): known answers of digest abc at b:1 of 20" in notice


def test_another_modelfile_elsewhere_is_another_model(tmp_path: Path, store: AnswerStore) -> None:
    """What stands before the address differs."""
    wanted = jobs(task(tmp_path, 1))
    answered_at(store, wanted, "model@a:1", Somewhere("a:1"))
    found, notices = answered_at(store, wanted, "other@c:1", gone())
    assert found == ["error no server (start it)"]
    assert notices == ()


@pytest.mark.parametrize("named", [True, False])
def test_what_may_be_another_model_is_told_and_not_used(
    tmp_path: Path, store: AnswerStore, *, named: bool
) -> None:
    """Names alone, or several models of one name: the message says what is known from where."""
    wanted = jobs(task(tmp_path, 1))
    answered_at(store, wanted, "model@a:1", Somewhere("a:1", named=named))
    if not named:
        answered_at(store, wanted, "model@b:1", Somewhere("b:1", digest="other"))
    (found,), notices = answered_at(store, wanted, "model@c:1", gone())
    assert found.startswith("error no server; answers are known from ")
    assert "a:1 (digest abc, 20" in found
    assert ("b:1 (digest other, 20" in found) is not named
    assert "name that address" in found
    assert notices == ()
    # By the address that it had, it is the one that the user says it is.
    again, _ = answered_at(store, wanted, "model@a:1", gone())
    assert again == ["correct"]


@pytest.mark.parametrize("named", [True, False])
def test_a_new_address_says_what_it_does_not_use(
    tmp_path: Path, store: AnswerStore, *, named: bool
) -> None:
    """Before anybody wonders why everything is asked again."""
    wanted = jobs(task(tmp_path, 1))
    answered_at(store, wanted, "model@a:1", Somewhere("a:1", named=named))
    other = Somewhere("c:1", digest="other", named=named)
    found, (notice,) = answered_at(store, wanted, "model@c:1", other)
    assert found == ["correct"]
    assert other.asked == [1]
    assert "answers are known from a:1 (digest abc, 20" in notice
    assert ("tells no digest" in notice) is named


def test_the_same_digest_at_a_new_address_needs_no_word(tmp_path: Path, store: AnswerStore) -> None:
    """It is the same model, and its answers are known."""
    wanted = jobs(task(tmp_path, 2))
    answered_at(store, wanted, "model@a:1", Somewhere("a:1"))
    moved = Somewhere("c:1")
    assert answered_at(store, wanted, "model@c:1", moved) == (["correct"] * 2, ())
    assert moved.asked == []


def test_the_way_of_an_earlier_version_is_found(tmp_path: Path, store: AnswerStore) -> None:
    """It was kept without the model in front."""
    wanted = jobs(task(tmp_path, 1))
    answered_at(store, wanted, "endpoint", Somewhere("a:1"))
    found, _ = answered_at(store, wanted, "model@endpoint", gone())
    assert found == ["correct"]
