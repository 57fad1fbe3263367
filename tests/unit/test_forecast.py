"""What a long run will take."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.plugin.forecast import FIRST, Forecast
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.price import Price
from tests.unit.ended import ended

if TYPE_CHECKING:
    from pytest_llmclf.values.outcome import Outcome


def outcome(number: int, written: int | None = 2, *, cached: bool = False) -> Outcome:
    answer = Answer(text="cat", prompt_tokens=98, answer_tokens=written)
    return ended(f"cat/{number}.png", "correct", answer=answer, cached=cached)


def said(forecast: Forecast, outcomes: int, written: int | None = 2) -> list[str]:
    told = (forecast.note(outcome(number, written)) for number in range(outcomes))
    return [one for one in told if one is not None]


def at_pace(images: int, step: float, **more: object) -> Forecast:
    """An answer comes each `step` seconds."""
    moments = count()
    return Forecast(images, clock=lambda: step * next(moments), **more)  # type: ignore[arg-type]


def test_a_long_run_says_what_is_to_go() -> None:
    """Once, from the pace of the first answers: a second each, 1,980 images to go."""
    (text,) = said(at_pace(2000, 1.0), 60)
    assert text == (
        "1,980 questions to go, about 33 min 00 s at the pace of the first 20 answers, "
        "about 0.2 million tokens"
    )


def test_it_counts_repeats_and_money() -> None:
    """Each repeat is a question with its tokens; the time is that of the tests, which hold them."""
    prices = [("ollama:llava", Price(read=10, written=100))]
    (text,) = said(at_pace(2000, 1.0, repeats=3, prices=prices, stops_early=True), 30)
    assert text.startswith("at most 5,940 questions to go, about 33 min 00 s")
    assert text.endswith(f"about {5940 * (980 + 200) / 1e6:.3g} by its price")


@pytest.mark.parametrize(("images", "step"), [(2000, 0.05), (30, 1.0), (FIRST, 1e5)])
def test_a_short_run_says_nothing(images: int, step: float) -> None:
    """What is over in two minutes is seen."""
    assert said(at_pace(images, step), 300) == []


def test_the_pace_is_that_of_ten_seconds() -> None:
    """A server warms up: what its first answers took would say far too much."""
    moments = iter([*(1.5 * n for n in range(5)), *(6 + 0.1 * n for n in range(500))])
    forecast = Forecast(5000, clock=lambda: next(moments))
    (text,) = said(forecast, 60)
    assert "at the pace of the first 46 answers" in text


def test_what_was_known_tells_no_pace() -> None:
    """Nor does a count of tokens that some answer lacks."""
    forecast = at_pace(2000, 1.0)
    assert all(forecast.note(outcome(n, cached=True)) is None for n in range(100))
    (text,) = said(forecast, 60)
    assert text.startswith("1,880 questions to go")
    (text,) = said(at_pace(2000, 1.0), 30, written=None)
    assert "tokens" not in text
