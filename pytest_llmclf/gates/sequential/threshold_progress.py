"""How far one threshold is from being decided, answer by answer."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_llmclf.gates.sequential.martingale import against

if TYPE_CHECKING:
    from pytest_llmclf.gates.sequential.martingale import Martingale
    from pytest_llmclf.gates.sequential.question import Question
    from pytest_llmclf.values.outcome import Outcome
    from pytest_llmclf.values.verdict import VerdictWord


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A claim about the total that the answers may refute.

    Attributes:
        evidence: What they say against it.
        bar: Logarithm of what the evidence has to reach.
        rising: Whether it is fed by images that count; else by those that do not.
        refuted: Whether it ever reached the bar.
    """

    evidence: Martingale
    bar: float
    rising: bool
    refuted: bool = False

    def after(self, weight: int, *, hit: bool) -> Doubt:
        """With the next answer."""
        evidence = self.evidence.after(weight, hit=hit == self.rising)
        return Doubt(
            evidence=evidence,
            bar=self.bar,
            rising=self.rising,
            refuted=self.refuted or evidence.log >= self.bar,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one threshold is.

    Attributes:
        question: What is to be found out.
        doubts: Of the claims that the total lies in the low region, that it lies in the high one,
            that it does not lie in the high one, that it does not lie in the low one. With two
            regions the last two are the first two and left out.
        images: Images of its set with an answer.
        hits: How many of those count.
        gained: Their weight.
        seen: Weight of those with an answer.
        word: The verdict; ``None`` while undecided.
        certain: Whether it holds whatever comes.
        decided_after: After how many images of the evaluation it was decided.
        partial: Whether it would pass, and is not said to since others of its gate do not.
    """

    question: Question
    doubts: tuple[Doubt, ...]
    images: int = 0
    hits: int = 0
    gained: int = 0
    seen: int = 0
    word: VerdictWord | None = None
    certain: bool = False
    decided_after: int = 0
    partial: bool = False

    def after(self, outcome: Outcome, asked: int) -> Progress:
        """With the next answer, the `asked`th of the evaluation."""
        weight = self.question.weights.get(outcome.case)
        if weight is None:
            return self
        hit = self.question.counts(outcome)
        seen, gained = self.seen + weight, self.gained + weight * hit
        doubts = tuple(doubt.after(weight, hit=hit) for doubt in self.doubts)
        # A certain verdict replaces one by the test, which may be wrong; nothing else does.
        sure = _certain(self.question, gained, seen)
        word = sure or self.word or _tested(self.question, doubts)
        surer = sure is not None and not self.certain
        decided_now = surer or (word is not None and self.word is None)
        return replace(
            self,
            doubts=doubts,
            images=self.images + 1,
            hits=self.hits + hit,
            gained=gained,
            seen=seen,
            word=word,
            certain=sure is not None,
            decided_after=asked if decided_now else self.decided_after,
        )


def start(question: Question, error: float) -> Progress:
    """No answer yet.

    Args:
        question: What is to be found out.
        error: How often it may be decided wrongly; 0: only what is certain is decided.
    """
    regions, total = question.regions, question.total
    weights = tuple(question.weights.values())

    def at_most(most: int, bar: float) -> Doubt:
        return Doubt(evidence=against(most, weights), bar=bar, rising=True)

    def at_least(least: int, bar: float) -> Doubt:
        # Of all that there is, at most the rest does not count.
        return Doubt(evidence=against(total - least, weights), bar=bar, rising=False)

    bar = -math.log(error) if error else math.inf
    doubts = [at_most(regions.last_low, bar), at_least(regions.first_high, bar)]
    if regions.first_high - regions.last_low > 1:
        # In between both a low and a high verdict are wrong, so they share the error.
        bar += math.log(2)
        doubts += [at_most(regions.first_high - 1, bar), at_least(regions.last_low + 1, bar)]
    return Progress(question=question, doubts=tuple(doubts))


def _certain(question: Question, gained: int, seen: int) -> VerdictWord | None:
    """The verdict if nothing can change it: between two totals of one verdict all have it."""
    worst, best = gained, gained + question.total - seen
    word = question.regions.at(worst)
    return word if word == question.regions.at(best) else None


def _tested(question: Question, doubts: tuple[Doubt, ...]) -> VerdictWord | None:
    """The verdict that is left when all totals of the others are refuted."""
    low, high = (doubt.refuted for doubt in doubts[:2])
    not_high, not_low = (doubt.refuted for doubt in doubts[-2:])
    if low and not_high:
        return question.regions.high
    if high and not_low:
        return question.regions.low
    return "INCONCLUSIVE" if low and high else None
