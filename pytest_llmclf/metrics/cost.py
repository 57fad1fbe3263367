"""What answers cost: seconds, tokens and money, of the first answer to each image.

An answer from the store counts with the seconds and tokens that it took when it was asked for.
Where the figure of any answer is not known, none is given: the others may be the cheap ones.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from pytest_llmclf.metrics.measure import Computed
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.answer import Answer

_MILLION: Final = 1_000_000
_IMAGES: Final = 1000


def latency(report: Report, share: float) -> Computed:
    """The least number of seconds within which at least a share of the answers came.

    That is the quantile of Hyndman and Fan's first kind (The American Statistician 50, 1996,
    361-365), the inverse of the observed distribution: no value between two answers is made up,
    so ``latency_p95 <= 3`` says that at least 95% of the answers took at most 3 seconds. The
    seconds are those from sending to receiving, the wait in the server's queue included.
    """
    found = _known(report, lambda answer: answer.wall_s, "time")
    if isinstance(found, Computed):
        return found
    # Exact: 0.95 * 20 is a little more than 19 in binary.
    place = math.ceil(Fraction(str(share)) * len(found))
    return Computed(exact=Fraction(sorted(found)[max(place, 1) - 1]))


def tokens_written(report: Report) -> Computed:
    """Tokens written an answer, thinking included: the mean."""
    return _mean(_known(report, lambda answer: answer.answer_tokens, "count of tokens written"))


def tokens_read(report: Report) -> Computed:
    """Tokens read an answer, the image's included: the mean."""
    return _mean(_known(report, lambda answer: answer.prompt_tokens, "count of tokens read"))


def cost_per_1000(report: Report) -> Computed:
    """The money for a thousand images that cost as these did, in the currency of the price."""
    price = report.price
    if price is None:
        problem = (
            f"nobody said what {report.model} costs: "
            f"--llmclf-price '{report.model}: READ, WRITTEN', money for a million tokens"
        )
        return Computed(exact=None, problem=problem)
    read, written = tokens_read(report), tokens_written(report)
    for mean in (read, written):
        if mean.exact is None:
            return mean
    assert read.exact is not None  # noqa: S101 - told apart above
    assert written.exact is not None  # noqa: S101
    money = read.exact * Fraction(price.read) + written.exact * Fraction(price.written)
    return Computed(exact=money * _IMAGES / _MILLION)


def _known(
    report: Report, figure: Callable[[Answer], float | None], what: str
) -> list[float] | Computed:
    """A figure of every answer; undefined where one has none."""
    answers = [found.answer for found in report.outcomes if found.answer is not None]
    figures = [figure(answer) for answer in answers]
    missing = figures.count(None)
    if missing or not figures:
        problem = f"{missing} of {len(answers)} {noun(len(answers), 'answer')} have no {what}"
        return Computed(exact=None, problem=problem if answers else "there is no answer")
    return [value for value in figures if value is not None]


def _mean(found: list[float] | Computed) -> Computed:
    if isinstance(found, Computed):
        return found
    return Computed(exact=sum(map(Fraction, found), Fraction()) / len(found))
