"""A report whose numbers refuse to be compared, and who gets it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llmclf.api import PublicReport, init_values, public
from pytest_llmclf.gates.stopped.counts import guarded_confusion, guarded_ledger, guarded_numbers
from pytest_llmclf.gates.stopped.number import Source, StoppedTuple
from pytest_llmclf.metrics.report import Report
from pytest_llmclf.values.outcome import ANSWERED

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from sklearn.metrics import ConfusionMatrixDisplay

    from pytest_llmclf.gates.gate import Judgement
    from pytest_llmclf.metrics.confusion import Confusion
    from pytest_llmclf.metrics.measure import Measure, Ratio
    from pytest_llmclf.metrics.report import Predictions
    from pytest_llmclf.metrics.report_facts import Confused
    from pytest_llmclf.values.outcome import Outcome, OutcomeKind


def guarded(report: Report) -> PublicReport:
    """The report as a gate test sees it: itself, unless the run stopped early."""
    if not report.ledger.not_needed:
        return public(report)
    source = Source(report=report, name="report")
    return StoppedReport(
        **{
            **init_values(report, Report),
            "ledger": guarded_ledger(source.of(".ledger")),
            "confusion": guarded_confusion(report.confusion, source),
        },
        plain=public(report),
    )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class StoppedReport(PublicReport):
    """A report as a gate test sees it after an early stop; `ledger` and `confusion` are guarded.

    Attributes:
        plain: The report itself.
    """

    plain: PublicReport

    @property
    def predictions(self) -> Predictions:
        """Every prediction, to be held against the committed ones."""
        return self.plain.predictions

    @property
    def metrics(self) -> dict[str, Measure]:
        """What the metrics come to that its evaluation brings; not to be compared."""
        return guarded_numbers(self.plain.metrics, Source(report=self.plain, name="report.metrics"))

    @property
    def false_accept(self) -> Ratio:
        """Images of no class that were taken for one; not to be compared."""
        source = Source(report=self.plain, name="report.false_accept")
        return guarded_numbers(self.plain.false_accept, source)

    @property
    def images_per_s(self) -> float | None:
        """Answered images a second: a fact."""
        return self.plain.images_per_s

    def by_tag(self, name: str) -> dict[str, Confusion]:
        """One confusion a value of tag `name`; one of which no image is left out is a fact."""
        source = Source(report=self.plain, name=f"report.by_tag({name!r})")
        return {
            value: guarded_confusion(found, source.of(f"[{value!r}]"))
            for value, found in self.plain.by_tag(name).items()
        }

    def where(self, tags: Mapping[str, str]) -> PublicReport:
        """The report of the images that have all these tags."""
        return guarded(self.plain.where(tags))

    def of_kind(self, kind: OutcomeKind) -> tuple[Outcome, ...]:
        """The outcomes that ended as `kind`; how many there are is not known of answers."""
        found = self.plain.of_kind(kind)
        if kind not in ANSWERED:
            return found
        return self._listed(found, f"of_kind({kind!r})")

    def to_frame(self, *, probabilities: bool = False) -> pd.DataFrame:
        """A pandas data frame with one row an image."""
        return self.plain.to_frame(probabilities=probabilities)

    def plot(self, **options: Any) -> ConfusionMatrixDisplay:
        """Draw the confusion matrix of what was asked."""
        return self.plain.plot(**options)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return self.plain._repr_html_()

    def meets(self, expression: str) -> Judgement:
        """Judge an expression by what decided when to stop, and by what is certain."""
        return self.plain.meets(expression)

    def confusions(self, top: int | None = None) -> tuple[Confused, ...]:
        """Mistakes by (expected, predicted), most frequent first."""
        found = guarded_numbers(
            self.plain.confusions(top), Source(report=self.plain, name="report.confusions()")
        )
        return self._listed(found, "confusions()")

    def _listed(self, found: tuple[Any, ...], name: str) -> tuple[Any, ...]:
        listed = StoppedTuple(found)
        listed.source = Source(report=self.plain, name=f"report.{name}")
        return listed
