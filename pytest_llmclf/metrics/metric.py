"""What a metric is: how it is computed, what its bounds rest on, and what it needs.

Gates, feasibility, early stopping, ``llmclf plan`` and reports know metrics by these facts alone;
the names stand in `metric_table` and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pytest_llmclf.values.outcome import ANSWERED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pytest_llmclf.metrics.confusion import Confusion
    from pytest_llmclf.metrics.measure import Measure, Ratio
    from pytest_llmclf.values.outcome import Outcome

Kind = Literal["precision", "recall", "f1"]
"""A ratio of a class: of the answers that name it, of the images that show it, of both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A metric that is a share of images.

    Attributes:
        of: The ratio of a class that it is; ``None``: of all answered images.
        counts: The kind of outcome that counts.
        counted: The share as a ratio, where the metric's value is none.
        strangers: Whether it is of images of no class alone.
    """

    of: Kind | None = None
    counts: Literal["correct", "unparsed", "misclassified"] = "correct"
    counted: Callable[[Any], Ratio] | None = None
    strangers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Average:
    """A metric that is the average of a ratio over classes.

    Attributes:
        of: The ratio.
        over: Which classes: that occur among images or answers, or that an image shows; or those
            too, each weighing as its answered images.
    """

    of: Kind
    over: Literal["occurring", "shown", "support"]

    def weights(self, confusion: Confusion) -> list[int]:
        """How much each class weighs."""
        match self.over:
            case "occurring":
                return [int(score.occurs) for score in confusion.scores]
            case "shown":
                return [int(score.support > 0) for score in confusion.scores]
            case "support":
                return [score.support for score in confusion.scores]


@dataclass(frozen=True, slots=True)
class ImageMean:
    """A metric that is the mean of a number of each answered image.

    Attributes:
        function: From an outcome to a number from 0 to 1, or ``None`` to leave the image out.
    """

    function: Callable[[Outcome], float | None]

    def values(self, report: Any) -> Iterator[tuple[Outcome, Any]]:
        """The images that it is the mean of, each with its number, unchecked."""
        for outcome in report.outcomes:
            if outcome.kind in ANSWERED:
                value = self.function(outcome)
                if value is not None:
                    yield outcome, value


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One number of a report that a gate can compare.

    Attributes:
        name: As gates write it.
        question: What it answers, in one line for people.
        unit: What its values are in.
        whole: Its value in a report, for a metric of all classes together.
        by_class: Its values by label, for a metric of each class; one of both is given.
        at_coverage: Its value for a share of the answers, the most confident ones, where
            ``@coverage0.8`` can follow.
        bound: What its bounds with confidence rest on; ``None``: it has none.
        unsure: Why it has no reading with confidence, where it has no bounds.
        needs_all: Why it cannot be decided before every image is asked, where that does not
            follow from `bound`.
        largest: Its largest value; the least is 0. ``None``: it may be any number.
        probabilities: Whether it needs the probabilities of answers.
        cost: Whether it is of what answers take and cost, rather than of what they say.
        row: Whether reports show it in a row of its own, for want of another place.
    """

    name: str
    question: str = ""
    unit: str = "share"
    whole: Callable[[Any], Measure] | None = None
    by_class: Callable[[Any], Mapping[str, Measure]] | None = None
    at_coverage: Callable[[Any, float], Measure] | None = None
    bound: Share | Average | ImageMean | None = None
    unsure: str = "it is no share of images"
    needs_all: str = "it is no share of images that are right"
    largest: float | None = 1.0
    probabilities: bool = False
    row: bool = False
    cost: bool = False

    @property
    def kind(self) -> Kind | None:
        """The ratio of a class that it is or averages."""
        return self.bound.of if isinstance(self.bound, Share | Average) else None

    @property
    def counts(self) -> str:
        """The kind of outcome that is in its favour."""
        return self.bound.counts if isinstance(self.bound, Share) else "correct"

    @property
    def strangers(self) -> bool:
        """Whether it is of images of no class alone."""
        return isinstance(self.bound, Share) and self.bound.strangers

    @property
    def of_any_mix(self) -> bool:
        """Whether it does not depend on how frequent the classes are."""
        by_support = isinstance(self.bound, Average) and self.bound.over == "support"
        return self.strangers or (self.kind == "recall" and not by_support)
