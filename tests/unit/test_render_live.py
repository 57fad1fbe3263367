"""The line that says how a running evaluation does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf.metrics.measure import Ratio
from pytest_llmclf.reporting.live import Live, live_text
from pytest_llmclf.reporting.style import Style, width

LIVE = Live(
    name="mnist",
    done=378,
    total=500,
    correct=Ratio(hits=371, total=378),
    per_s=74.7,
    left_s=125.4,
)


def test_the_line() -> None:
    """Done, correct so far with its interval, images a second, time left."""
    assert live_text(LIVE, Style()) == (
        "mnist · 378/500 · 98.1% correct so far (96%–99%) · 74.7 images/s"
    )
    assert live_text(LIVE, Style(width=100)).endswith(" · 74.7 images/s · 2 min 05 s left")
    assert live_text(replace(LIVE, left_s=4.4), Style()).endswith(" · 4 s left")


def test_in_another_order_there_is_no_interval() -> None:
    """The images of the first folders say nothing about the others."""
    assert live_text(replace(LIVE, at_random=False), Style()) == (
        "mnist · 378/500 · 98.1% correct so far · 74.7 images/s · 2 min 05 s left"
    )


def test_before_the_first_answer() -> None:
    """A model that is still being loaded is waited for."""
    waiting = replace(LIVE, done=0, correct=Ratio(hits=0, total=0), per_s=None, left_s=None)
    assert live_text(waiting, Style()) == "mnist · 0/500 · waiting for the first answer"


def test_while_the_server_is_away() -> None:
    """That is said, and no rate that is none."""
    away = replace(LIVE, waited_s=12.3)
    assert live_text(away, Style(width=100)) == (
        "mnist · 378/500 · waiting for the server (12 s) · 98.1% correct so far (96%–99%)"
    )
    at_once = replace(away, done=0, correct=Ratio(hits=0, total=0), waited_s=125.0)
    assert live_text(at_once, Style()) == "mnist · 0/500 · waiting for the server (2 min 05 s)"


def test_while_nothing_is_done() -> None:
    """A rate of the past and the time left by it would be false."""
    silent = replace(LIVE, silent_s=12.3)
    assert live_text(silent, Style(width=100)) == (
        "mnist · 378/500 · no image done for 12 s · 98.1% correct so far (96%–99%)"
    )
    assert "waiting for the server" in live_text(replace(silent, waited_s=12.3), Style())
    nothing = replace(silent, done=0, correct=Ratio(hits=0, total=0))
    assert live_text(nothing, Style()) == "mnist · 0/500 · waiting for the first answer"


@pytest.mark.parametrize("unicode", [True, False])
@given(
    name=st.text(max_size=60),
    columns=st.integers(10, 120),
    counts=st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)),
    per_s=st.floats(1e-4, 1e5),
)
def test_it_is_one_line_that_fits(
    name: str,
    columns: int,
    counts: tuple[int, int],
    per_s: float,
    unicode: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Whatever the name and the numbers are, one column stays free and nothing moves the cursor."""
    hits, total = sorted(counts)
    live = replace(LIVE, name=name, total=total, correct=Ratio(hits=hits, total=total), per_s=per_s)
    text = live_text(live, Style(width=columns, unicode=unicode))
    assert width(text) < columns
    assert text.isprintable()
    assert unicode or text.isascii()
