"""The lines that say how far an early decision is: what was asked, what was found, how sure it is.

How sure is a rate over random orders: whoever keeps to one seed has drawn one of them.

As `reading` does, ``recall[*]`` has a line for all classes that pass, one for all that are
undecided for the same reason, and one for each class that fails.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from pytest_llmclf.gates.reading import asked_for
from pytest_llmclf.metrics.wording import all_of
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmclf.gates.sequential.paired import PairedProgress
    from pytest_llmclf.gates.sequential.threshold_progress import Progress
    from pytest_llmclf.values.verdict import VerdictWord


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How far an evaluation is, for its lines.

    Attributes:
        progress: Of every threshold, in the order of the gates.
        images: How many there are.
        whole: How many the dataset has.
        asked: How many of them the verdicts rest on.
        error: How often any of the verdicts may be wrong.
        tests: How many thresholds and comparisons share that error.
    """

    progress: Sequence[Progress]
    images: int
    whole: int
    asked: int
    error: float
    tests: int

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
        decided = None if same[0].word is None else max(one.decided_after for one in same)
        because = f" ({question.because})" if question.because else ""
        return f"{found} {_after(self.asked, self.images, decided)}; {self._why(same)}{because}"

    def _why(self, same: Sequence[Progress]) -> str:
        these = all_of(self.images, self.whole)
        word = same[0].word
        if all(one.partial for one in same):
            return (
                "its gate is not PASS as a whole, and no threshold of it alone is called PASS on a "
                "part of the images"
            )
        if word is None:
            known = not all(math.isinf(doubt.bar) for doubt in same[0].doubts)
            return _undecided(these, known=known)
        like = "" if same[0].question.certainty is None else ", for images like these"
        certain = all(one.certain for one in same)
        how = _CERTAIN if certain else _by_a_test(self.error, self.tests)
        return f"{these} would give {word}, too{like}{how}"


_CERTAIN = ", whatever the other images give"


def of_paired(
    progress: PairedProgress,
    *,
    images: int,
    whole: int,
    asked: int,
    error: float,
    tests: int,
) -> str:
    """How far a comparison with committed predictions is, without the numbers."""
    these = all_of(images, whole)
    decided = None if progress.word is None else progress.decided_after
    after = _after(asked, images, decided)
    if progress.word is None:
        return f"{after}; {_undecided(these, known=not math.isinf(progress.bar))}"
    verb = "fail" if progress.word == "FAIL" else "pass"
    how = _CERTAIN if progress.certain else _by_a_test(error, tests)
    return f"{after}; {these} would {verb} the comparison, too{how}"


def _after(asked: int, images: int, decided: int | None) -> str:
    before = f", decided after {decided}" if decided is not None and decided < asked else ""
    return f"after {asked} of {images} {noun(images, 'image')} in random order{before}"


def _undecided(these: str, *, known: bool) -> str:
    too_few = f"too few to tell what {these} would give"
    if known:
        return too_few
    return (
        f"{too_few}: the run did not wait for this to be decided; declare it in the evaluation "
        "(gates=...), or run without --llmclf-stop-early"
    )


def _by_a_test(error: float, tests: int) -> str:
    together = f", counted for all {tests} decisions together" if tests > 1 else ""
    return f"; this is wrong in at most {error * 100:g}% of random orders{together}"


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
