"""What answers took and cost, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmclf.metrics.cost import cost_per_1000, latency, tokens_read, tokens_written
from pytest_llmclf.metrics.report import once_a_report
from pytest_llmclf.reporting import numbers

if TYPE_CHECKING:
    from pytest_llmclf.metrics.report import Report


def took(report: Report) -> tuple[tuple[float, str], ...]:
    """Within how many seconds half of the answers came, and 95% of them, in words, too.

    Nothing where the time of an answer is not known.
    """
    ends = (latency(report, share).value for share in (0.5, 0.95))
    return tuple((seconds, numbers.duration(seconds)) for seconds in ends if seconds is not None)


@once_a_report
def cost_text(report: Report) -> str:
    """Seconds, tokens and money of an answer; empty where nothing of it is known."""
    times = took(report)
    read, written = tokens_read(report).value, tokens_written(report).value
    money = cost_per_1000(report).value
    parts = []
    if times:
        parts.append("half within {}, 95% within {}".format(*(text for _, text in times)))
    if read is not None:
        parts.append(f"{read:,.1f} tokens read")
    if written is not None:
        parts.append(f"{written:,.1f} written" if read is not None else f"{written:,.1f} tokens")
    if money is not None:
        parts.append(f"{money:,.4g} per 1,000 images")
    return f"an answer: {', '.join(parts)}" if parts else ""
