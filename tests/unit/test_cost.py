"""What answers cost: seconds, tokens and money."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf.errors import SettingsError
from pytest_llmclf.gates.gate import Gate
from pytest_llmclf.gates.judging import judge
from pytest_llmclf.gates.sequential.question import why_not_early
from pytest_llmclf.metrics.cost import cost_per_1000, latency, tokens_read, tokens_written
from pytest_llmclf.metrics.metric_table import METRICS
from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.reporting.cost_text import cost_text
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.price import Price, parse_price, price_of
from tests.unit.ended import ended

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.metrics.report import Report


def reported(answers: Sequence[Answer | None], price: Price | None = None) -> Report:
    outcomes = [
        ended(f"cat/{place}.png", "correct" if answer else "error", answer=answer)
        for place, answer in enumerate(answers)
    ]
    dataset = DatasetFacts(name="pets", content_hash="", labels=("cat", "dog"))
    report = build(evaluation="pets", model="ollama:llava", dataset=dataset, outcomes=outcomes)
    return replace(report, price=price)


def answer(wall: float | None = 1.0, read: int | None = 100, written: int | None = 2) -> Answer:
    return Answer(text="cat", wall_s=wall, prompt_tokens=read, answer_tokens=written)


@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=60), st.sampled_from([0.5, 0.95, 0.99]))
def test_latency_is_the_inverse_of_the_distribution(seconds: list[float], share: float) -> None:
    """As numpy has it, but exact where a share of a count is a whole number."""
    found = latency(reported([answer(wall=one) for one in seconds]), share).value
    assert found is not None
    within = sum(one <= found for one in seconds)
    assert Fraction(within, len(seconds)) >= Fraction(str(share))
    assert all(
        Fraction(sum(one <= less for one in seconds), len(seconds)) < Fraction(str(share))
        for less in seconds
        if less < found
    )
    if share == 0.5:
        assert found == np.quantile(seconds, share, method="inverted_cdf")


def test_tokens_and_money_are_means() -> None:
    """A thousand images cost what these cost on average, by the user's prices."""
    report = reported([answer(read=100, written=1), answer(read=300, written=4)])
    assert (tokens_read(report).value, tokens_written(report).value) == (200, 2.5)
    assert "--llmclf-price 'ollama:llava: READ, WRITTEN'" in cost_per_1000(report).why
    paid = replace(report, price=Price(read=2.5, written=10))
    assert cost_per_1000(paid).value == pytest.approx(1000 * (200 * 2.5 + 2.5 * 10) / 1e6)


@pytest.mark.parametrize("name", [one.name for one in METRICS.values() if one.cost])
@pytest.mark.parametrize("lacking", [answer(None, None, None), None])
def test_what_one_answer_lacks_is_not_guessed(name: str, lacking: Answer | None) -> None:
    """Undefined with the number of answers that have none; an error has no cost, and no verdict."""
    price = Price(read=1, written=1)
    (verdict,) = judge(reported([answer(), lacking], price), [Gate(f"{name} <= 1000")])
    assert verdict.word == "INCONCLUSIVE"
    if lacking is not None:
        assert "1 of 2 answers have no" in verdict.text
    (verdict,) = judge(reported([answer(), answer()], price), [Gate(f"{name} <= 1000")])
    assert verdict.word == "PASS"
    (verdict,) = judge(reported([answer(), answer()], price), [Gate(f"{name} < 0.001")])
    assert verdict.word == "FAIL"


@pytest.mark.parametrize("name", [one.name for one in METRICS.values() if one.cost])
def test_costs_are_no_shares(name: str) -> None:
    """So they have no reading with confidence, and need every image."""
    with pytest.raises(SettingsError, match="seconds and tokens are no share of images"):
        Gate(f"{name} <= 3 with 95% confidence")
    threshold = Gate(f"{name} <= 3").parsed.thresholds[0]
    assert "needs every image" in (why_not_early(threshold) or "")


def test_costs_are_said_in_words() -> None:
    """What is not known is left out rather than called nothing."""
    assert cost_text(reported([answer(), answer(wall=3.0)])) == (
        "an answer: half within 1.0 s, 95% within 3.0 s, 100.0 tokens read, 2.0 written"
    )
    assert cost_text(reported([answer(None, None, 3)])) == "an answer: 3.0 tokens"
    assert cost_text(reported([answer(None, None, None)])) == ""
    assert cost_text(reported([None])) == ""


def test_the_last_price_that_fits_counts() -> None:
    """The command line comes after the ini file."""
    prices = [parse_price("openai:*: 1, 2"), parse_price("openai:gpt-4o*: 2.50, 10")]
    assert price_of("openai:gpt-4o-mini", prices) == Price(read=2.5, written=10)
    assert price_of("openai:other", prices) == Price(read=1, written=2)
    assert price_of("ollama:llava:7b", prices) is None


@pytest.mark.parametrize(
    "text", ["", "openai:x", "openai:x: 1", "openai:x: 1, 2, 3", ": 1, 2", "x: -1, 2", "x: a, nan"]
)
def test_what_is_no_price_is_refused(text: str) -> None:
    """With the form that it has to have."""
    with pytest.raises(SettingsError, match="write MODEL: READ, WRITTEN"):
        parse_price(text)
