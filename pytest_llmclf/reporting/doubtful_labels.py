"""Labels that are probably wrong, for terminal, Markdown and files."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.analysis.label_review.truth import accuracy_ranges
from pytest_llmclf.reporting import numbers
from pytest_llmclf.reporting.style import INDENT
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmclf.analysis.label_review.review import Candidate, LabelReview
    from pytest_llmclf.analysis.label_review.truth import AccuracyRange
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.reporting.style import Line, Style

MOST: Final = 3
"""Most images that are named where a run ends."""
HEAD: Final = "labels in doubt"


def doubtful_lines(
    reviews: Sequence[LabelReview], reports: Sequence[Report], style: Style, most: int = MOST
) -> Iterator[Line]:
    """Labels that are no more likely than another one, a few of each dataset; none: no line.

    Args:
        reviews: What was found, one a dataset.
        reports: What was reviewed.
        style: What the place can show.
        most: Images of one dataset that are named.
    """
    reviewed = [(review, likely_of(review)) for review in reviews]
    if not any(likely for _, likely in reviewed):
        return
    yield style.line((HEAD, "bold"))
    for review, likely in reviewed:
        if likely:
            text = summary_text(review)
            yield from style.paragraph(text, "yellow", indent=INDENT)
            for one in likely[:most]:
                yield from candidate_lines(one, style, INDENT * 2)
            if len(likely) > most:
                yield style.line((f"{INDENT * 2}and {len(likely) - most} more", "light"))
            for found in accuracy_ranges(review, reports):
                yield from style.paragraph(range_text(found), indent=INDENT)


def range_text(found: AccuracyRange) -> str:
    """What accuracy is, and what it would be whichever of these labels were wrong."""
    confirmed = found.confirmed
    total = numbers.plural(confirmed.total, "label")
    sure = f"; {confirmed.hits} of {total} confirmed" if confirmed.hits else ""
    return (
        f"{found.configuration}: accuracy {numbers.percent(found.accuracy)}, between "
        f"{numbers.percent(found.low)} and {numbers.percent(found.high)} whichever of these labels "
        f"were wrong{sure}"
    )


def likely_of(review: LabelReview) -> tuple[Candidate, ...]:
    """The candidates whose proposed label is at least as likely as the given one."""
    return tuple(one for one in review.candidates if one.likely)


def summary_text(review: LabelReview) -> str:
    """For how many images another label is as likely, on what assumption, and what to do."""
    likely = numbers.plural(len(likely_of(review)), "image")
    return (
        f"{review.dataset}: for {likely} another label is at least as likely as the given one, by "
        "all answers together and if one label in twenty were wrong; none is changed, llmclf "
        "review latest shows them to whoever decides"
    )


def candidate_lines(one: Candidate, style: Style, indent: str = INDENT) -> Iterator[Line]:
    """One candidate: the image, both labels, and why."""
    case, given, proposed = (style.name(text, style.width) for text in _names(one))
    why = "; ".join(reason.text for reason in one.reasons)
    text = f"{case}: labelled {given}, perhaps {proposed} (score {one.score:.2f}): {why}"
    yield from style.paragraph(style.safe(text), indent=indent)


def all_lines(review: LabelReview, style: Style, most: int | None = None) -> Iterator[Line]:
    """Every candidate of a dataset, and what was looked at.

    Args:
        review: What was found.
        style: What the place can show.
        most: Candidates that are named; ``None``: all.
    """
    yield style.line((style.name(review.dataset, style.width), "bold"))
    for text in looked_at_texts(review):
        yield from style.paragraph(style.safe(text), indent=INDENT)
    for one in review.candidates[:most]:
        yield from candidate_lines(one, style, INDENT * 2)
    if most is not None and len(review.candidates) > most:
        yield style.line((f"{INDENT * 2}and {len(review.candidates) - most} more", "light"))


def looked_at_texts(review: LabelReview) -> Iterator[str]:
    """What was looked at, and what was not."""
    heard = ", ".join(f"{one.source} {one.weight:.2f}" for one in review.sources)
    yield (
        f"{numbers.plural(len(review.candidates), 'label')} in doubt among "
        f"{numbers.plural(review.looked_at, 'image')} looked at, the most doubtful first"
    )
    silent = review.images - review.looked_at
    if silent:
        yield (
            f"{numbers.plural(silent, 'image was', 'images were')} not answered and "
            f"{noun(silent, 'is', 'are')} no copy: nothing is said of {noun(silent, 'it', 'them')}"
        )
    if heard:
        yield f"weights: {heard}"
    if review.near_copies is None:
        yield "near-copies were not looked for"
    else:
        yield f"{numbers.plural(review.near_copies, 'pair')} of near-copies"
    if review.confirmed:
        yield (
            f"{numbers.plural(review.confirmed, 'label is', 'labels are')} confirmed by people "
            f"and {noun(review.confirmed, 'is', 'are')} not proposed"
        )


def review_json(review: LabelReview, reports: Sequence[Report]) -> dict[str, Any]:
    """A review as JSON built-ins, without the order of all images, with ranges of accuracy."""
    found = {name: value for name, value in asdict(review).items() if name != "ranking"}
    pairs = zip(
        accuracy_ranges(review, reports),
        accuracy_ranges(review, reports, likely=False),
        strict=True,
    )
    ranges = [
        {
            "evaluation": one.evaluation,
            "configuration": one.configuration,
            "confirmed": one.confirmed.hits,
            "answered": one.confirmed.total,
            "accuracy": one.accuracy.value,
            "likely": [one.low.value, one.high.value],
            "in_doubt": [wide.low.value, wide.high.value],
        }
        for one, wide in pairs
    ]
    return {**found, "accuracy_ranges": ranges}


def _names(one: Candidate) -> tuple[str, str, str]:
    return one.case, one.given, one.proposed
