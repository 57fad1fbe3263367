"""Labels that are probably wrong, the most doubtful first.

For each image the labels are held against the given one by logarithms of odds: what the pooled
sources say, plus what like images are labelled, less what the given label itself is worth. The
label with the best odds is proposed, and the score is what these odds are as a probability: of the
proposed label against the given one, if one label in twenty were wrong at random and like images
and sources erred independently. It ranks; it is no measured share.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_llmclf.analysis.label_review.copies import like_images
from pytest_llmclf.analysis.label_review.label_evidence import LabelEvidence
from pytest_llmclf.analysis.label_review.label_sources import log_probabilities, sources_of
from pytest_llmclf.analysis.label_review.pooling import pool
from pytest_llmclf.analysis.label_review.reasons import Reason, reasons_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llmclf.analysis.label_review.copies import LikeImages, NearCopies
    from pytest_llmclf.analysis.label_review.label_sources import LabelSource
    from pytest_llmclf.metrics.report import Report


_MOST: Final = 4_000_000
"""Most probabilities of one dataset that a run looks at by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One image whose label a person should look at.

    Attributes:
        case: Its id.
        sha256: Digest of its file.
        given: Its label.
        proposed: The label that most speaks for.
        score: 0 to 1; the higher, the more doubtful is the given label.
        named_by: Models whose first answer names the proposed label, each once.
        reasons: Why, a sentence each; never empty.
    """

    case: str
    sha256: str
    given: str
    proposed: str
    score: float
    named_by: tuple[str, ...]
    reasons: tuple[Reason, ...]

    @property
    def likely(self) -> bool:
        """Whether the proposed label is at least as likely as the given one, as reckoned here."""
        return self.score >= 0.5  # noqa: PLR2004


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceWeight:
    """What a source weighs in the pool.

    Attributes:
        source: Its name.
        weight: 0: it is not heard; 1: its probabilities are taken as they are.
        images: Images that it answered.
    """

    source: str
    weight: float
    images: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelReview:
    """What was found of one dataset's labels.

    Attributes:
        dataset: Its name.
        content_hash: Digest over ids, labels and bytes of its cases.
        evaluations: Those whose answers were used.
        images: Images of the run.
        looked_at: Images of which anything speaks for a label; of the others nothing is said.
        confirmed: Images whose label people confirmed or corrected, which are not proposed.
        sources: Who was heard.
        near_copies: Pairs of images that look almost alike; ``None``: not looked for.
        candidates: Labels in doubt, the most doubtful first.
        ranking: Every image looked at, confirmed ones too, the most doubtful label first.
    """

    dataset: str
    content_hash: str
    evaluations: tuple[str, ...]
    images: int
    looked_at: int
    confirmed: int
    sources: tuple[SourceWeight, ...]
    near_copies: int | None
    candidates: tuple[Candidate, ...]
    ranking: tuple[str, ...]


def review_labels(
    reports: Sequence[Report],
    near_copies: Mapping[str, Sequence[NearCopies]] | None = None,
) -> tuple[LabelReview, ...]:
    """Look for wrong labels, dataset by dataset; all reports of the same images are used together.

    Args:
        reports: What was found, one an evaluation and model.
        near_copies: By `DatasetFacts.content_hash` pairs of images that look almost alike; nobody
            looked in datasets that are not in it.

    Returns:
        One a dataset of which anything can be said, in the order of the reports.
    """
    by_dataset: defaultdict[tuple[str, ...], list[Report]] = defaultdict(list)
    for report in reports:
        facts = report.dataset
        by_dataset[facts.name, facts.content_hash, *sorted(facts.labels)].append(report)
    found = (_review(group, (near_copies or {}).get(key[1])) for key, group in by_dataset.items())
    return tuple(review for review in found if review.looked_at)


def label_reviews(reports: Sequence[Report]) -> tuple[LabelReview, ...]:
    """`review_labels` as a run and its reports show it, worked out once for the same reports.

    Left out are datasets so large that it would take long (`_MOST`), and those about which nobody
    answered: a run that had no memory to ask has none to calculate. `llmclf labels candidates`
    looks at those, too.
    """
    if not reports:
        return ()
    known = reports[0].worked_out
    name = f"{__name__}.{' '.join(str(id(report)) for report in reports)}"
    if name not in known:
        sizes = Counter[str]()
        for one in reports:
            sizes[one.dataset.content_hash] += len(one.outcomes) * len(one.dataset.labels)
        answered = {one.dataset.content_hash for one in reports if one.ledger.answered}
        small = [
            one
            for one in reports
            if one.dataset.content_hash in answered and sizes[one.dataset.content_hash] <= _MOST
        ]
        # The reports are kept with it, so that no other can take their ids.
        known[name] = (review_labels(small), tuple(reports[1:]))
    found: tuple[LabelReview, ...] = known[name][0]
    return found


def _review(reports: Sequence[Report], near_copies: Sequence[NearCopies] | None) -> LabelReview:
    outcomes = {
        found.case: found
        for report in reports
        for found in report.outcomes
        if found.expected in report.dataset.labels
    }
    images = {case: (found.sha256, found.expected) for case, found in outcomes.items()}
    sources, like = sources_of(reports), like_images(images, near_copies or ())
    also = {case: found.also for case, found in outcomes.items() if found.also}
    evidence, weights = _evidence(images, reports[0].dataset.labels, sources, like, also)
    ranked = evidence.ranked()
    sure = {case for case, found in outcomes.items() if found.review and found.review.settled}
    return LabelReview(
        dataset=reports[0].dataset.name,
        content_hash=reports[0].dataset.content_hash,
        evaluations=tuple(dict.fromkeys(report.evaluation for report in reports)),
        images=len(images),
        looked_at=len(ranked),
        confirmed=len(sure),
        sources=tuple(
            SourceWeight(source=one.name, weight=weight, images=len(one.answers))
            for one, weight in zip(sources, weights, strict=True)
        ),
        near_copies=None if near_copies is None else like.pairs,
        candidates=tuple(
            Candidate(
                case=one.case,
                sha256=images[one.case][0],
                given=one.given,
                proposed=one.proposed,
                score=one.score,
                named_by=evidence.naming(one.case, one.proposed),
                reasons=reasons_for(one, evidence),
            )
            for one in ranked
            if one.case not in sure and evidence.in_doubt(one)
        ),
        ranking=tuple(one.case for one in ranked),
    )


def _evidence(
    images: Mapping[str, tuple[str, str]],
    labels: Sequence[str],
    sources: tuple[LabelSource, ...],
    like: LikeImages,
    also: Mapping[str, tuple[str, ...]],
) -> tuple[LabelEvidence, tuple[float, ...]]:
    """All that is known of the images, and what each source weighs."""
    import numpy as np

    cases, places = tuple(sorted(images)), {label: place for place, label in enumerate(labels)}
    given = np.array([places[images[case][1]] for case in cases], dtype=int)
    logs = np.zeros((len(cases), len(labels)))
    weights: tuple[float, ...] = ()
    if sources and cases:
        said = [log_probabilities(one, cases, given, labels) for one in sources]
        pooled = pool(np.stack(said), given)
        logs, weights = pooled.log_probabilities, tuple(map(float, pooled.weights))
    evidence = LabelEvidence(
        cases=cases,
        labels=tuple(labels),
        given=given,
        logs=logs,
        sources=sources,
        like=like,
        also=also,
    )
    return evidence, weights
