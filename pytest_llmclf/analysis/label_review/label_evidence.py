"""All that is known of the labels of a dataset's images, held against the given ones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pytest_llmclf.analysis.label_review.confident_learning import confident_labels, thresholds
from pytest_llmclf.analysis.label_review.copies import WRONG, log_odds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_llmclf.analysis.label_review.copies import LikeImages
    from pytest_llmclf.analysis.label_review.label_sources import LabelSource


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelDoubt:
    """How doubtful the label of one image is.

    Attributes:
        place: Its place among the images.
        case: Its id.
        given: Its label.
        proposed: Of the other labels the one that most speaks for.
        odds: Logarithm of the odds of the proposed label against the given one.
    """

    place: int
    case: str
    given: str
    proposed: str
    odds: float

    @property
    def score(self) -> float:
        """The odds as a probability, 0 to 1."""
        # No overflow, however sure the sources are.
        return 1 / (1 + math.exp(-self.odds)) if self.odds > -500 else 0.0  # noqa: PLR2004


@dataclass(frozen=True, kw_only=True)
class LabelEvidence:
    """What sources and like images say of every image of a dataset.

    Attributes:
        cases: The images, sorted by id.
        labels: All labels, in the dataset's order.
        given: The label of each image, as its place among `labels`.
        logs: Logarithms of the pooled probabilities, images by labels.
        sources: Who was pooled.
        like: Copies and near-copies.
        also: Further right labels of the images that have any; they are never proposed.
    """

    cases: tuple[str, ...]
    labels: tuple[str, ...]
    given: NDArray[Any]
    logs: NDArray[Any]
    sources: tuple[LabelSource, ...]
    like: LikeImages
    also: Mapping[str, tuple[str, ...]]

    @cached_property
    def shares(self) -> NDArray[Any]:
        """The pooled probabilities, images by labels."""
        import numpy as np

        shares: NDArray[Any] = np.exp(self.logs)
        return shares

    @cached_property
    def bars(self) -> NDArray[Any]:
        """The probability from which an image is confidently of a label, by label."""
        return thresholds(self.shares, self.given)

    @cached_property
    def confident(self) -> NDArray[Any]:
        """The label that each image confidently shows, as its place, or -1."""
        return confident_labels(self.shares, self.given, self.bars)

    @cached_property
    def given_by_case(self) -> dict[str, str]:
        """Every image's label."""
        return {
            case: self.labels[place] for case, place in zip(self.cases, self.given, strict=True)
        }

    def right(self, case: str) -> tuple[str, ...]:
        """All right labels of an image, as it is labelled."""
        return (self.given_by_case[case], *self.also.get(case, ()))

    def answered(self, case: str) -> bool:
        """Whether a source answered about an image."""
        return any(case in one.answers for one in self.sources)

    def naming(self, case: str, label: str) -> tuple[str, ...]:
        """The models whose first answer to an image names a label, each once."""
        named = (one.model for one in self.sources if one.named(case)[:1] == (label,))
        return tuple(dict.fromkeys(named))

    def ranked(self) -> tuple[LabelDoubt, ...]:
        """Every image of which anything is known, the most doubtful label first."""
        if len(self.labels) < 2:  # noqa: PLR2004 - no other label to propose
            return ()
        found = [
            self._doubt(place, case)
            for place, case in enumerate(self.cases)
            if (self.answered(case) or case in self.like.copies or case in self.like.near)
            and len(set(self.right(case))) < len(self.labels)
        ]
        return tuple(sorted(found, key=lambda one: (-one.odds, one.case)))

    def _doubt(self, place: int, case: str) -> LabelDoubt:
        given = int(self.given[place])
        odds = self.logs[place] - self.logs[place, given]
        votes = self.like.votes(case, self.given_by_case, len(self.labels))
        for label, vote in votes.items():
            odds[self.labels.index(label)] += vote
        # What speaks for the given label: its copies, and that labels are mostly right.
        odds -= odds[given] + log_odds(1 - WRONG, len(self.labels))
        for label in self.right(case):
            odds[self.labels.index(label)] = -math.inf
        best = int(odds.argmax())
        return LabelDoubt(
            place=place,
            case=case,
            given=self.labels[given],
            proposed=self.labels[best],
            odds=float(odds[best]),
        )

    def in_doubt(self, doubt: LabelDoubt) -> bool:
        """Whether a person should look at a label.

        That is where the image confidently shows another label (confident learning), where two
        sources or more, and most of those that answered, name the proposed one, or where a copy or
        near-copy bears another.
        """
        like = (*self.like.copies.get(doubt.case, ()), *self.near_of(doubt.case))
        if any(self.given_by_case[other] not in self.right(doubt.case) for other in like):
            return True
        first = [said[0] for one in self.sources if (said := one.named(doubt.case))]
        naming = first.count(doubt.proposed)
        agreed = naming > 1 and 2 * naming > len(first)
        return agreed or self.confidently_other(doubt) is not None

    def confidently_other(self, doubt: LabelDoubt) -> int | None:
        """The place of the label that an image confidently shows, where it is not the given one."""
        shown = int(self.confident[doubt.place])
        if shown < 0 or not self.answered(doubt.case):
            return None
        return None if self.labels[shown] in self.right(doubt.case) else shown

    def near_of(self, case: str) -> Sequence[str]:
        """The near-copies of an image, the nearest first."""
        return [other for other, _ in self.like.near.get(case, ())]
