"""The lines that say how far an early decision is: what was asked, what was found, how sure it is.

As `reading` does, ``recall[*]`` has a line for all classes that pass, one for all that are
undecided for the same reason, and one for each class that fails.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from pytest_llmclf.gate.reading import asked_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmclf.early.progress import Progress
    from pytest_llmclf.report import VerdictWord


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How far an evaluation is, for its lines.

    Attributes:
        progress: Of every threshold, in the order of the gates.
        images: How many there are.
        asked: How many of them the verdicts rest on.
        error: How often any of the verdicts may be wrong.
    """

    progress: Sequence[Progress]
    images: int
    asked: int
    error: float

    def lines(self) -> Iterator[tuple[VerdictWord, str]]:
        """The words and lines of all verdicts; INCONCLUSIVE where undecided."""
        for _, written in groupby(self._claimed(), key=lambda one: one.question.written):
            classes = list(written)
            words = {one.word for one in classes}
            for word in ("FAIL", "INCONCLUSIVE", None, "PASS"):
                if word not in words:
                    continue
                same = [one for one in classes if one.word == word]
                shown = word or "INCONCLUSIVE"
                if word == "FAIL" or len(same) == 1:
                    yield from ((shown, self._line([one], _alone(one))) for one in same)
                else:
                    yield shown, self._line(same, _joint(same, len(classes)))

    def _claimed(self) -> list[Progress]:
        """What is said: of a gate with confidence that does not pass as a whole, no PASS.

        Each threshold was decided without regard to the others, which is right for all of them
        together and not for those that happen to pass; see `gate.reading.settled`.
        """
        partial = {
            one.question.written[0]
            for one in self.progress
            if one.word != "PASS" and one.question.certainty is not None
        }
        return [
            replace(one, word="INCONCLUSIVE", certain=False, partial=True)
            if one.word == "PASS" and one.question.written[0] in partial
            else one
            for one in self.progress
        ]

    def _line(self, same: Sequence[Progress], found: str) -> str:
        question = same[0].question
        before = ""
        after = max(one.decided_after for one in same)
        if same[0].word is not None and after < self.asked:
            before = f" (decided after {after})"
        because = f" ({question.because})" if question.because else ""
        return (
            f"{found} after {self.asked} of {self.images} images in random order{before}; "
            f"{self._why(same)}{because}"
        )

    def _why(self, same: Sequence[Progress]) -> str:
        these = f"all these {self.images} images"
        word = same[0].word
        if all(one.partial for one in same):
            return "not all of its gate pass, and some alone are not judged on a part of the images"
        if word is None:
            return f"too few to tell what {these} would say"
        if word == "INCONCLUSIVE":
            claim = f"{these} would leave it open for images like these"
        elif same[0].question.certainty is not None:
            claim = f"{these} would say so of images like these"
        else:
            claim = f"so on {these}"
        if all(one.certain for one in same):
            return f"{claim}, whatever the others give"
        count = len(self.progress)
        together = f", all {count} thresholds together" if count > 1 else ""
        rate = f"{self.error * 100:g}%"
        return f"{claim}, by a test that is wrong at most {rate} of the time{together}"


def _alone(one: Progress) -> str:
    return f"{asked_for(one.question.threshold, one.question.certainty)}: {_estimate(one)}"


def _joint(same: Sequence[Progress], total: int) -> str:
    question = same[0].question
    classes = f"{len(same)} of {total} classes" if len(same) < total else f"all {total} classes"
    upwards = question.threshold.upwards
    # Of a class that nothing is known of there is nothing to show.
    known = [one for one in same if one.seen] or list(same)
    worst = (min if upwards else max)(known, key=_value)
    return (
        f"{asked_for(question.written[1], question.certainty)}: {classes}, "
        f"{'lowest' if upwards else 'highest'} {worst.question.threshold.subject} "
        f"{_estimate(worst)}"
    )


def _value(one: Progress) -> float:
    return one.gained / one.seen if one.seen else 0.0


def _estimate(one: Progress) -> str:
    """The value so far; four decimals as in `reading`."""
    if not one.seen:
        return "–"
    counts = f"{one.hits}/{one.images}"
    if one.question.total == len(one.question.weights):
        return f"{_value(one):.4f} ({counts})"
    return f"about {_value(one):.4f} ({counts}, weighted by class)"
