"""What a long run will take, from its first answers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from pytest_llmclf.reporting.numbers import duration, plural
from pytest_llmclf.values.price import price_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_llmclf.values.outcome import Outcome
    from pytest_llmclf.values.price import Price

FIRST: Final = 20
"""Answers that were asked for now, before anything is told."""
SETTLED_S: Final = 10.0
"""Seconds likewise, since the first of them."""
LONG_S: Final = 120.0
"""A run with less than so many seconds to go is not told of."""
_MILLION: Final = 1_000_000


class Forecast:
    """Looks at the first answers of a run, and says once what the rest will take.

    Args:
        images: How many are to be judged, of all evaluations and models.
        repeats: Askings of each.
        prices: What models cost.
        stops_early: Whether the run may end before all images are asked about.
        clock: Seconds.
    """

    def __init__(
        self,
        images: int,
        *,
        repeats: int = 1,
        prices: Sequence[tuple[str, Price]] = (),
        stops_early: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._images = images
        self._repeats = repeats
        self._prices = prices
        self._stops_early = stops_early
        self._clock = clock
        self._ended = 0
        self._asked: list[Outcome] = []
        self._began = 0.0
        self._told = False

    def note(self, outcome: Outcome) -> str | None:
        """Note how an image ended; what the rest will take, where that is known now and is long."""
        self._ended += 1
        if self._told or outcome.cached or outcome.answer is None:
            return None
        now = self._clock()
        if not self._asked:
            self._began = now
        self._asked.append(outcome)
        spent_s = now - self._began
        # A server warms up, and how many questions it takes at once is learnt meanwhile.
        if len(self._asked) < FIRST or spent_s < SETTLED_S:
            return None
        self._told = True
        left = max(0, self._images - self._ended)
        # The first answer may have waited for the model to load.
        left_s = left * spent_s / (len(self._asked) - 1)
        return self._said(left, left_s) if left_s >= LONG_S else None

    def _said(self, left: int, left_s: float) -> str:
        questions = left * self._repeats
        most = "at most " if self._stops_early else ""
        to_go = f"{most}{plural(questions, 'question')} to go, about {duration(left_s)}"
        parts = [f"{to_go} at the pace of the first {plural(len(self._asked), 'answer')}"]
        answers = [one.answer for one in self._asked if one.answer is not None]
        read, written = (
            sum(one for one in counts if one is not None) if None not in counts else None
            for counts in (
                [one.prompt_tokens for one in answers],
                [one.answer_tokens for one in answers],
            )
        )
        share = questions / len(self._asked)
        if read is not None and written is not None:
            parts.append(f"about {share * (read + written) / _MILLION:,.2g} million tokens")
            price = self._one_price()
            if price is not None:
                money = share * (read * price.read + written * price.written) / _MILLION
                parts.append(f"about {money:,.3g} by its price")
        return ", ".join(parts)

    def _one_price(self) -> Price | None:
        """The price of all that answered; ``None`` where they differ, or nobody gave one."""
        found = {price_of(one.model, self._prices) for one in self._asked}
        return found.pop() if len(found) == 1 else None
