"""Watching the answers of a running session for when they are enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmclf.gates.sequential.paired import PairedProgress, PairedQuestion, start_paired
from pytest_llmclf.gates.sequential.question import Question, questions
from pytest_llmclf.gates.sequential.threshold_progress import start
from pytest_llmclf.gates.sequential.verdict_lines import Told
from pytest_llmclf.metrics.report_facts import StopRule
from pytest_llmclf.values.outcome import ANSWERED, TaskName
from pytest_llmclf.values.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.gates.gate import Gate
    from pytest_llmclf.gates.reading import Certainty
    from pytest_llmclf.gates.threshold import Threshold
    from pytest_llmclf.values.case import Case
    from pytest_llmclf.values.outcome import Outcome
    from pytest_llmclf.values.verdict import Undecided, VerdictWord

    _Key = tuple[Threshold, Certainty | None]

EARLY_ERROR = 0.05
"""How often any verdict of a run that stopped early may be wrong, unless told otherwise."""


class SequentialMonitor:
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
        variant: str = "",
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
            variant: Name of the variant; empty for the evaluation as it is declared.
        """
        if not 0 < error < 1:
            raise ValueError(f"error {error} is not between 0 and 1")
        found = questions(
            gates, labels, cases_in_order, model, imported=imported, group=group, variant=variant
        )
        asked = [one for one in found if isinstance(one, Question)]
        compared = [one for one in paired if isinstance(one, PairedQuestion)]
        self.obstacles = tuple(one for one in (*found, *paired) if isinstance(one, str))
        self._tests = len(asked) + len(compared)
        meant = (gate for gate in gates if gate.applies(model, imported=imported, variant=variant))
        self._gates = tuple(gate.expression for gate in meant)
        self._error = error
        self._whole = len(cases_in_order) if whole is None else whole
        self._task = TaskName("", model, variant)
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
            if following is None or following.kind not in ANSWERED:
                break
            del self._waiting[self._asked]
            self._asked += 1
            self._task = following.task
            self._progress = tuple(one.after(following, self._asked) for one in self._progress)
            self._paired = tuple(one.after(following, self._asked) for one in self._paired)

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """As `judging.judge` gives them, in the order of the gates; INCONCLUSIVE while undecided.

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
        undecided: Undecided | None = "sample" if word == "INCONCLUSIVE" else None
        return Verdict(word=word, text=text, **self._task._asdict(), undecided=undecided)
