"""Why a label is in doubt, in words. Each sentence is a claim about stored answers and labels."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmclf.analysis.label_review.label_evidence import LabelDoubt, LabelEvidence

ReasonKind = Literal["copy", "near-copy", "named", "asked-again", "probability", "pooled"]
"""What a reason rests on: bytes; looks; what models name; several askings of one model; the
probabilities that a model gives; those of all of them, weighed together."""

_NAMED: Final = 3
"""Most images or models that a sentence names."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a label is in doubt.

    Attributes:
        kind: What it rests on.
        text: A sentence without its full stop.
    """

    kind: ReasonKind
    text: str


def reasons_for(doubt: LabelDoubt, evidence: LabelEvidence) -> tuple[Reason, ...]:
    """The reasons against a label, the hardest first."""
    return (
        *_copies(doubt, evidence),
        *_named(doubt, evidence),
        *_asked_again(doubt, evidence),
        *_probabilities(doubt, evidence),
        *_pooled(doubt, evidence),
    )


def _copies(doubt: LabelDoubt, evidence: LabelEvidence) -> Iterator[Reason]:
    labels, like, right = evidence.given_by_case, evidence.like, evidence.right(doubt.case)
    copies = [one for one in like.copies.get(doubt.case, ()) if labels[one] not in right]
    for other in copies[:_NAMED]:
        text = f"the same bytes are labelled {labels[other]} as {other}"
        yield Reason("copy", text)
    near = [one for one in like.near.get(doubt.case, ()) if labels[one[0]] not in right]
    for other, pair in near[:_NAMED]:
        text = (
            f"almost the same image is labelled {labels[other]} as {other} ({pair.bits} of "
            f"{pair.of} bits of a perceptual hash differ)"
        )
        yield Reason("near-copy", text)


def _named(doubt: LabelDoubt, evidence: LabelEvidence) -> Iterator[Reason]:
    """What the first answers name, where any names the proposed label."""
    first = {one.name: said[0] for one in evidence.sources if (said := one.named(doubt.case))}
    counts = Counter(first.values())
    found = counts[doubt.proposed]
    if not found:
        return
    who = [name for name, label in first.items() if label == doubt.proposed]
    if len(first) == 1:
        yield Reason("named", f"{who[0]} names {doubt.proposed}")
        return
    listed = ", ".join(who[:_NAMED]) + (", ..." if found > _NAMED else "")
    also = f", {counts[doubt.given]} the given label" if counts[doubt.given] else ""
    yield Reason(
        "named",
        f"{found} of {len(first)} models {noun(found, 'names', 'name')} {doubt.proposed}"
        f"{also}: {listed}",
    )


def _asked_again(doubt: LabelDoubt, evidence: LabelEvidence) -> Iterator[Reason]:
    for one in evidence.sources:
        said = one.named(doubt.case)
        same = said.count(doubt.proposed)
        if len(said) > 1 and same:
            text = f"{same} of {len(said)} answers of {one.name} name {doubt.proposed}"
            yield Reason("asked-again", text)


def _probabilities(doubt: LabelDoubt, evidence: LabelEvidence) -> Iterator[Reason]:
    for one in evidence.sources:
        proposed = one.probability(doubt.case, doubt.proposed)
        given = one.probability(doubt.case, doubt.given)
        if proposed is not None and given is not None and proposed > given:
            text = (
                f"{one.name} gives {doubt.proposed} a probability of {proposed:.2f}, {doubt.given} "
                f"{given:.2f}"
            )
            yield Reason("probability", text)


def _pooled(doubt: LabelDoubt, evidence: LabelEvidence) -> Iterator[Reason]:
    """What confident learning finds, in the pool's probabilities."""
    shown = evidence.confidently_other(doubt)
    if shown is None:
        return
    share, bar = evidence.shares[doubt.place, shown], evidence.bars[shown]
    whose, label = (
        "recalibrated" if len(evidence.sources) == 1 else "pooled",
        evidence.labels[shown],
    )
    yield Reason(
        "pooled",
        f"the {whose} probability of {label} is {share:.2f}, and {bar:.2f} on average for "
        f"images labelled {label}",
    )
