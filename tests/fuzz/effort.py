"""How hard the fuzz tests try, and what every refusal must look like.

``LLMCLF_FUZZ=20`` tries twenty times as many examples, drawn at random. Without it the examples
are the same in every run, so that nobody's change fails by chance. `benchmarks.fuzz` runs the
same tests guided by coverage.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

TIMES = int(os.environ.get("LLMCLF_FUZZ", "1"))


def effort(examples: int) -> settings:
    """Settings of a test that tries so many examples in an ordinary run."""
    return settings(
        max_examples=examples * TIMES,
        derandomize=TIMES == 1,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )


def assert_says(error: Exception) -> None:
    """A refusal is a message that people can read: not empty, and safe to print."""
    text = str(error)
    assert text.strip()
    unsafe = {char for char in text if not char.isprintable() and char != "\n"}
    assert not unsafe, f"{text!r} would write {unsafe!r} to a terminal"
