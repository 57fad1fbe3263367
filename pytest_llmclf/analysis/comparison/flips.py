"""Right and wrong on two sides, counted: the one place that tests and judges a pair.

Whoever holds two sets of answers against each other (committed predictions, two runs, every pair of
a leaderboard) comes here with counts, and so cannot come to different verdicts on the same images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from pytest_llmclf.gates.cluster_evidence import clustered_interval
from pytest_llmclf.metrics.clusters import counted
from pytest_llmclf.metrics.intervals import difference_interval
from pytest_llmclf.metrics.significance import mcnemar_anytime, mcnemar_exact, sign_flip

if TYPE_CHECKING:
    from pytest_llmclf.metrics.intervals import Interval

SIGNIFICANCE: Final = 0.05
"""Two-sided, so that a loss is found by chance in at most 2.5% of comparisons."""
CONFIDENCE: Final = 0.95
"""Of the interval for the difference."""

TestKind = Literal["mcnemar-exact", "anytime", "sign-flip", "none"]
"""Which test a p-value is of: on images; on images of a run that stopped when it liked; on clusters
of images; and none where neither would hold."""
Direction = Literal["better", "worse", "open", "not shown"]
"""What a test finds of the second side; "open": which is better on further images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flips:
    """How often two sides differ in being right, and what chance says of that.

    Attributes:
        broken: Images that only the first side got right.
        fixed: Images that only the second side got right.
        common: Images that both answered.
        stopped: Whether a side stopped early, because of its answers.
        clusters: Of each cluster its images and its net gain (fixed minus broken); empty where
            every image is one by itself.
    """

    broken: int
    fixed: int
    common: int
    stopped: bool = False
    clusters: tuple[tuple[int, int], ...] = ()

    @property
    def net_loss(self) -> int:
        """Broken minus fixed, in images; below 0 it is a gain."""
        return self.broken - self.fixed

    @property
    def difference(self) -> float | None:
        """Accuracy of the second side minus that of the first; ``None`` without an image."""
        return -self.net_loss / self.common if self.common else None

    def interval_at(self, confidence: float = CONFIDENCE) -> Interval | None:
        """Plausible values of `difference` for images like these; see `difference_interval`.

        ``None`` without a common image, with all of one cluster (`clustered_interval`), and where a
        side stopped early: the interval is for a number of images that was fixed beforehand.

        Args:
            confidence: Between 0 and 1.
        """
        if not self.common or self.stopped:
            return None
        if self.clusters:
            return clustered_interval(self.clusters, confidence=confidence)
        return difference_interval(self.broken, self.fixed, self.common, confidence=confidence)

    @property
    def test(self) -> TestKind:
        """Which test `p_value` is of."""
        if self.clusters:
            return "none" if self.stopped else "sign-flip"
        return "anytime" if self.stopped else "mcnemar-exact"

    @property
    def p_value(self) -> float:
        """How often chance alone gives flips as one-sided as these, or more.

        Exact two-sided McNemar test on broken against fixed; where a side stopped early, the test
        that holds however it was stopped (`mcnemar_anytime`); of clusters `sign_flip`. 1 where
        there is none.
        """
        match self.test:
            case "none":
                return 1.0
            case "sign-flip":
                return sign_flip([net for _, net in self.clusters])
            case "anytime":
                return mcnemar_anytime(self.broken, self.fixed)
            case _:
                return mcnemar_exact(self.broken, self.fixed)

    @property
    def settled(self) -> bool:
        """Whether a difference that the test finds is also beyond the interval's 0.

        Always, except for clusters: a cluster that nobody saw may turn it round.
        """
        if not self.clusters:
            return True
        ends = self.interval_at()
        return ends is not None and not ends.low <= 0 <= ends.high

    def direction(self, p_value: float | None = None) -> Direction:
        """What the test says of the second side: the one judge of whatever is said of both.

        Args:
            p_value: Of the test together with others; default: its own.
        """
        if self.net_loss == 0 or (self.p_value if p_value is None else p_value) >= SIGNIFICANCE:
            return "not shown"
        if not self.settled:
            return "open"
        return "worse" if self.net_loss > 0 else "better"

    def drawn(self, group: str = "") -> str:
        """How many draws the images are: ``348 in 35 scenes``; empty for independent ones."""
        return counted(self.common, len(self.clusters), group) if self.clusters else ""
