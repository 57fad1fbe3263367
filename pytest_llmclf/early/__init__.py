"""Verdicts before every image is asked: what all of them would say, told from some.

The images of an evaluation are a known set; the verdicts are about that set. They are asked in a
seeded random order, and a threshold is decided as soon as

* the images not yet asked cannot change its verdict any more (certain), or
* a test that may look after every answer rejects all totals with another verdict (`martingale`).
  Over all thresholds together it is wrong in at most 5% of orders, unless told otherwise: each of
  m thresholds may be wrong in 5%/m (Bonferroni). The 5% are over the random order: of a hundred
  seeds, about five at most mislead, whatever the model.

A comparison with committed predictions, if a gate test makes one, is decided likewise (`paired`),
and is one more of the m.

The test for PASS and the one for FAIL need not share the error of a threshold: at most one of the
two verdicts is wrong. With three verdicts (gates "with confidence") both PASS and FAIL are wrong
where all images would be INCONCLUSIVE, so there they do share it.

Both look only at the images without a gap from the first of the order on. Answers that come out
of turn wait: else quick answers, which may be the easy ones, would come first.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_llmclf.case import Case
from pytest_llmclf.early.paired import PairedProgress, PairedQuestion, start_paired
from pytest_llmclf.early.progress import start
from pytest_llmclf.early.question import Question, questions, why_not_early
from pytest_llmclf.early.text import Told, of_paired
from pytest_llmclf.gate import EARLY_ERROR, Gate, judge, why_undecided
from pytest_llmclf.report import StopRule, Verdict
from pytest_llmclf.seeded import seeded_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.gate.reading import Certainty
    from pytest_llmclf.gate.threshold import Threshold
    from pytest_llmclf.outcome import Outcome
    from pytest_llmclf.report import Report, Undecided, VerdictWord

    _Key = tuple[Threshold, Certainty | None]

__all__ = [
    "Foretold",
    "PairedQuestion",
    "Watch",
    "foretell",
    "judge_early",
    "seeded_order",
    "why_not_early",
]

_ANSWERED: Final = ("correct", "misclassified", "unparsed")


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
        paired: Sequence[PairedQuestion | str] = (),
        whole: int | None = None,
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
            paired: Comparisons with committed predictions, or why one needs every image.
            whole: Images of the dataset; default: those to be judged.
        """
        if not 0 < error < 1:
            raise ValueError(f"error {error} is not between 0 and 1")
        found = questions(gates, labels, cases_in_order, model, imported=imported, group=group)
        asked = [one for one in found if isinstance(one, Question)]
        compared = [one for one in paired if isinstance(one, PairedQuestion)]
        self.obstacles = tuple(one for one in (*found, *paired) if isinstance(one, str))
        self._tests = len(asked) + len(compared)
        self._gates = tuple(
            gate.expression for gate in gates if gate.applies(model, imported=imported)
        )
        self._error = error
        self._whole = len(cases_in_order) if whole is None else whole
        self._model = model
        self._evaluation = ""
        self._places = {case.id: place for place, case in enumerate(cases_in_order)}
        self._waiting: dict[int, Outcome] = {}
        self._asked = 0
        self._progress = tuple(start(one, error / self._tests) for one in asked)
        self._paired = tuple(start_paired(one, error / self._tests) for one in compared)
        self._hopeful = bool(asked) and not self.obstacles

    @property
    def decided(self) -> bool:
        """Whether everything is decided, so that no further image is needed."""
        gates = all(one.word is not None for one in self._progress)
        return self._hopeful and gates and all(one.word is not None for one in self._paired)

    @property
    def asked(self) -> int:
        """How many images, from the first of the order on, the verdicts rest on."""
        return self._asked

    @property
    def compared(self) -> tuple[PairedProgress, ...]:
        """How far each comparison with committed predictions is."""
        return self._paired

    @property
    def rule(self) -> StopRule:
        """What was decided, for `Report.stop_rule`."""
        return StopRule(
            after=self._asked,
            tests=self._tests,
            gates=self._gates,
            baselines=tuple(one.question.name for one in self._paired),
        )

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
            self._paired = tuple(one.after(following, self._asked) for one in self._paired)

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
            whole=self._whole,
            asked=self._asked,
            error=self._error,
            tests=self._tests,
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

    Looks at the images that the session's `Watch` looked at, so that it says what that said. A
    report with errors or lost images, without gates for it, or with every image asked is
    `gate.judge`'s. Thresholds that were not among those which decided when to stop
    (`Report.stop_rule`) are only judged where the images not asked cannot change the verdict: the
    error that may be made is spent on the others.

    Args:
        report: With `Report.order`, if images were not needed.
        gates: What is asked.
        error: How often any of the verdicts may be wrong; ``None``: as `Report.stop_error` says.
    """
    dataset = report.dataset
    meant = any(gate.applies(report.model, imported=dataset.imported) for gate in gates)
    if not report.ledger.not_needed or not meant or why_undecided(report) is not None:
        return judge(report, gates)
    answers = _in_order(report)
    if answers is None:
        return (_verdict(report, "INCONCLUSIVE", _no_order(report), "incomplete"),)
    cases = [_case(outcome) for outcome in report.outcomes]
    found = questions(
        gates,
        dataset.labels,
        cases,
        report.model,
        imported=dataset.imported,
        group=report.group,
    )
    obstacles = [one for one in found if isinstance(one, str)]
    if obstacles:
        return tuple(_verdict(report, "INCONCLUSIVE", text, "sample") for text in obstacles)
    asked = [one for one in found if isinstance(one, Question)]
    error = _error(report) if error is None else error
    rule = report.stop_rule
    tests = len(asked) if rule is None else max(rule.tests, 1)
    known = None if rule is None else _known(rule, report, cases)
    progress = [
        start(one, error / tests if known is None or _key(one) in known else 0.0) for one in asked
    ]
    seen = 0
    for outcome in answers:
        # Without a rule the gates themselves decided when to stop.
        if rule is None and all(one.word is not None for one in progress):
            break
        seen += 1
        progress = [one.after(outcome, seen) for one in progress]
    told = Told(
        progress=progress,
        images=report.ledger.collected,
        whole=max(report.ledger.collected, dataset.cases_in_dataset),
        asked=seen,
        error=error,
        tests=tests,
    )
    return tuple(
        _verdict(report, word, text, "sample" if word == "INCONCLUSIVE" else None)
        for word, text in told.lines()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Foretold:
    """What all images of a run that stopped early would say of committed predictions.

    Attributes:
        word: PASS, FAIL, or INCONCLUSIVE where the images asked do not tell.
        text: How many those are, what follows from them, and how sure that is.
    """

    word: VerdictWord
    text: str


def foretell(report: Report, question: PairedQuestion) -> Foretold:
    """What all images of a run that stopped early would say of the committed predictions.

    Args:
        report: With images that were not needed.
        question: What the committed predictions are, and when they fail; all images of the report.
    """
    answers = _in_order(report)
    if answers is None:
        return Foretold(word="INCONCLUSIVE", text=_no_order(report))
    rule = report.stop_rule
    known = rule is not None and question.name in rule.baselines
    tests = max(rule.tests, 1) if rule is not None and known else 1
    progress = start_paired(question, _error(report) / tests if known else 0.0)
    for number, outcome in enumerate(answers, start=1):
        progress = progress.after(outcome, number)
    text = of_paired(
        progress,
        images=report.ledger.collected,
        whole=max(report.ledger.collected, report.dataset.cases_in_dataset),
        asked=len(answers),
        error=_error(report),
        tests=tests,
    )
    return Foretold(word=progress.word or "INCONCLUSIVE", text=text)


def _in_order(report: Report) -> list[Outcome] | None:
    """The answers that decisions rest on, in the order of asking; ``None`` if it is not known."""
    outcomes = {outcome.case: outcome for outcome in report.outcomes}
    if len(report.order) != len(outcomes) or set(report.order) != set(outcomes):
        return None
    found = []
    for id_ in report.order[: None if report.stop_rule is None else report.stop_rule.after]:
        if outcomes[id_].kind not in _ANSWERED:
            break
        found.append(outcomes[id_])
    return found


def _no_order(report: Report) -> str:
    return (
        f"{report.ledger.not_needed} of {report.ledger.collected} images were not asked, and "
        "the random order of asking is not known: nothing can be said from the others; "
        "run it again"
    )


def _error(report: Report) -> float:
    return EARLY_ERROR if report.stop_error is None else report.stop_error


def _known(rule: StopRule, report: Report, cases: Sequence[Case]) -> set[_Key]:
    """What decided when to stop."""
    gates = [Gate(expression) for expression in rule.gates]
    dataset = report.dataset
    found = questions(
        gates,
        dataset.labels,
        cases,
        report.model,
        imported=dataset.imported,
        group=report.group,
    )
    return {_key(one) for one in found if isinstance(one, Question)}


def _key(question: Question) -> _Key:
    return question.threshold, question.certainty


def _verdict(report: Report, word: VerdictWord, text: str, undecided: Undecided | None) -> Verdict:
    return Verdict(
        word=word,
        text=text,
        evaluation=report.evaluation,
        model=report.model,
        undecided=undecided,
    )


def _case(outcome: Outcome) -> Case:
    return Case(
        id=outcome.case,
        root=Path(),
        sha256=outcome.sha256,
        label=outcome.expected,
        tags=outcome.tags,
    )
