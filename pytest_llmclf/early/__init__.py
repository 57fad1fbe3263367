"""Verdicts before every image is asked: what all of them would say, told from some.

The images of an evaluation are a known set; the verdicts are about that set. They are asked in a
seeded random order, and a threshold is decided as soon as

* the images not yet asked cannot change its verdict any more (certain), or
* a test that may look after every answer rejects all totals with another verdict (`martingale`).
  Over all thresholds together it is wrong at most 5% of the time, unless told otherwise: each of
  m thresholds may be wrong in 5%/m (Bonferroni). The 5% are over the random order: of a hundred
  seeds, about five at most mislead, whatever the model.

The test for PASS and the one for FAIL need not share the error of a threshold: at most one of the
two verdicts is wrong. With three verdicts (gates "with confidence") both PASS and FAIL are wrong
where all images would be INCONCLUSIVE, so there they do share it.

Both look only at the images without a gap from the first of the order on. Answers that come out
of turn wait: else quick answers, which may be the easy ones, would come first.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_llmclf.case import Case
from pytest_llmclf.early.progress import start
from pytest_llmclf.early.question import Question, questions, why_not_early
from pytest_llmclf.early.text import Told
from pytest_llmclf.gate import EARLY_ERROR, judge, why_undecided
from pytest_llmclf.report import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.gate import Gate
    from pytest_llmclf.outcome import Outcome
    from pytest_llmclf.report import Report, VerdictWord

__all__ = ["Watch", "judge_early", "seeded_order", "why_not_early"]

_ANSWERED: Final = ("correct", "misclassified", "unparsed")


def seeded_order(ids: Sequence[str], seed: int) -> tuple[str, ...]:
    """The ids in a random order that is the same everywhere, however they are given.

    They are sorted by the SHA-256 of seed and id. To anyone who does not choose ids or seed by
    their digests, these are independent uniform numbers of 256 bits, which makes every order
    equally likely, without a generator whose sequence might change with the version of Python.
    The seed has to be settled before answers are looked at: picking one that passes is no test.

    Args:
        ids: Case ids, each once.
        seed: Any whole number.
    """
    # A file name need not be valid Unicode.
    digests = {
        id_: hashlib.sha256(f"{seed}:{id_}".encode("utf-8", "surrogatepass")).digest()
        for id_ in ids
    }
    return tuple(sorted(ids, key=lambda id_: (digests[id_], id_)))


class Watch:
    """Watches the answers of one evaluation and model and says when they are enough.

    The one thing here that changes: answers come one by one from a running session.

    Attributes:
        obstacles: Why thresholds need every image, one line each. With any, nothing is decided
            early.
    """

    def __init__(
        self,
        gates: Sequence[Gate],
        labels: Sequence[str],
        cases_in_order: Sequence[Case],
        model: str,
        *,
        imported: bool,
        error: float = EARLY_ERROR,
        group: str = "",
    ) -> None:
        """Settle what has to be found out.

        Args:
            gates: All gates of the evaluation.
            labels: The classes.
            cases_in_order: All images to be judged, in the order of `seeded_order`.
            model: The model as people write it.
            imported: Whether the images are a full imported set.
            error: How often any of the verdicts may be wrong, above 0 and below 1.
            group: Tag whose values are groups of images that are not independent.
        """
        if not 0 < error < 1:
            raise ValueError(f"error {error} is not between 0 and 1")
        found = questions(gates, labels, cases_in_order, model, imported=imported, group=group)
        asked = [one for one in found if isinstance(one, Question)]
        self.obstacles = tuple(one for one in found if isinstance(one, str))
        self._error = error
        self._model = model
        self._evaluation = ""
        self._places = {case.id: place for place, case in enumerate(cases_in_order)}
        self._waiting: dict[int, Outcome] = {}
        self._asked = 0
        self._progress = tuple(start(one, error / len(asked)) for one in asked)
        self._hopeful = bool(asked) and not self.obstacles

    @property
    def decided(self) -> bool:
        """Whether every threshold is decided, so that no further image is needed."""
        return self._hopeful and all(one.word is not None for one in self._progress)

    @property
    def asked(self) -> int:
        """How many images, from the first of the order on, the verdicts rest on."""
        return self._asked

    def see(self, outcome: Outcome) -> None:
        """Take note of an outcome; they may come in any order.

        Repeats are of no concern. An image that was not answered stays a gap, so that nothing
        is decided on what came after it.

        Raises:
            ValueError: It is of no image of the evaluation.
        """
        if outcome.case not in self._places:
            raise ValueError(f"{outcome.case} is none of the {len(self._places)} images watched")
        if outcome.repeat or not self._hopeful or self.decided:
            # Once all is decided nothing may move, or verdicts would depend on answers under way.
            return
        place = self._places[outcome.case]
        if place >= self._asked:
            self._waiting.setdefault(place, outcome)
        while not self.decided:
            following = self._waiting.get(self._asked)
            if following is None or following.kind not in _ANSWERED:
                break
            del self._waiting[self._asked]
            self._asked += 1
            self._evaluation = following.evaluation
            self._progress = tuple(one.after(following, self._asked) for one in self._progress)

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """As `gate.judge` gives them, in the order of the gates; INCONCLUSIVE while undecided.

        With obstacles one an obstacle instead: nothing else is looked at then.
        """
        if not self._hopeful:
            return tuple(self._verdict("INCONCLUSIVE", text) for text in self.obstacles)
        told = Told(
            progress=self._progress,
            images=len(self._places),
            asked=self._asked,
            error=self._error,
        )
        return tuple(self._verdict(word, text) for word, text in told.lines())

    def _verdict(self, word: VerdictWord, text: str) -> Verdict:
        return Verdict(
            word=word,
            text=text,
            evaluation=self._evaluation,
            model=self._model,
            undecided="sample" if word == "INCONCLUSIVE" else None,
        )


def judge_early(
    report: Report, gates: Sequence[Gate], error: float | None = None
) -> tuple[Verdict, ...]:
    """`gate.judge` for a report that may have stopped early: what all images would give.

    Replays the order of asking, so that it says what the session's `Watch` said. A report with
    errors or lost images, without gates for it, or with every image asked is `gate.judge`'s.

    Args:
        report: With `Report.order`, if images were not needed.
        gates: The gates that decided when to stop.
        error: How often any of the verdicts may be wrong; ``None``: as `Report.stop_error` says.
    """
    dataset = report.dataset
    meant = any(gate.applies(report.model, imported=dataset.imported) for gate in gates)
    if not report.ledger.not_needed or not meant or why_undecided(report) is not None:
        return judge(report, gates)
    outcomes = {outcome.case: outcome for outcome in report.outcomes}
    if len(report.order) != len(outcomes) or set(report.order) != set(outcomes):
        text = (
            f"{report.ledger.not_needed} of {report.ledger.collected} images were not asked, and "
            "the random order of asking is not known: nothing can be said from the others; "
            "run it again"
        )
        return (
            Verdict(
                word="INCONCLUSIVE",
                text=text,
                evaluation=report.evaluation,
                model=report.model,
                undecided="incomplete",
            ),
        )
    if error is None:
        error = EARLY_ERROR if report.stop_error is None else report.stop_error
    watch = Watch(
        gates,
        dataset.labels,
        [_case(outcomes[id_]) for id_ in report.order],
        report.model,
        imported=dataset.imported,
        error=error,
        group=report.group,
    )
    for id_ in report.order:
        watch.see(outcomes[id_])
    return tuple(replace(one, evaluation=report.evaluation) for one in watch.verdicts)


def _case(outcome: Outcome) -> Case:
    return Case(
        id=outcome.case,
        root=Path(),
        sha256=outcome.sha256,
        label=outcome.expected,
        tags=outcome.tags,
    )
