"""A line that says how far something is: on a terminal, and nowhere else."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf.progress import ProgressLine, progress_text


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_logs_stay_quiet() -> None:
    """Where the stream is no terminal, nothing is written."""
    log = io.StringIO()
    with ProgressLine(log) as progress:
        for done in range(100):
            progress("images", done, 100)
    assert log.getvalue() == ""


def test_the_line_is_gone_at_the_end() -> None:
    """The last thing written clears it."""
    terminal = Terminal()
    with ProgressLine(terminal) as progress:
        progress("images", 50, 100)
    assert "images [############            ] 50%" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")
    assert "\n" not in terminal.getvalue()


def test_it_is_not_written_at_every_step() -> None:
    """Ten times a second is enough, and the end is always shown."""
    terminal, now = Terminal(), iter(0.001 * step for step in range(10_000))
    with ProgressLine(terminal, lambda: next(now)) as progress:
        for done in range(1, 1001):
            progress("images", done, 1000)
    assert 10 <= terminal.getvalue().count("images") <= 13
    assert "100%" in terminal.getvalue()


def test_time_left() -> None:
    """From the pace so far; nothing is said before a second has gone."""
    assert progress_text("images", 25, 100, 10.0).endswith("25%, 30 s left")
    assert progress_text("images", 25, 100, 0.5).endswith("25%")
    assert progress_text("looking", 0, 0, 5.0) == "looking ..."


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.floats(0, 1e6))
def test_any_numbers_make_one_short_line(done: int, total: int, spent_s: float) -> None:
    """Also more done than there is."""
    text = progress_text("images", done, total, spent_s)
    assert text.isprintable()
    assert "-" not in text
    assert len(text) < 80
