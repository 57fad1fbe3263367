"""What repeated askings show, as lines for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmclf.metrics.wording import WHEN_STOPPED
from pytest_llmclf.reporting import numbers
from pytest_llmclf.reporting.style import INDENT
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmclf.analysis.consistency import ImageAskings, Stability
    from pytest_llmclf.reporting.style import Line, Style

MOST = 5
"""Most images with differing answers that are named."""


def stability_lines(
    stability: Stability | None, style: Style, *, stopped: bool = False
) -> Iterator[Line]:
    """How often a model agrees with itself, and on which images it does not.

    Args:
        stability: What repeats show; ``None``: there are none.
        style: What the place can show.
        stopped: Whether the run stopped early, so that all of it is of that moment.
    """
    if stability is None:
        return
    when = f", {WHEN_STOPPED}" if stopped else ""
    images = numbers.plural(len(stability.images), "image")
    yield style.line(f"{INDENT}{images} to be asked {stability.askings} times each{when}")
    for text in stability.caveats:
        yield from style.paragraph(text, "yellow", indent=INDENT * 2)
    for text in _sentences(stability, style):
        yield from style.paragraph(text, indent=INDENT * 2)
    if stability.unanswered:
        text = (
            f"{numbers.plural(stability.unanswered, 'asking')} got no answer and "
            f"{noun(stability.unanswered, 'is', 'are')} in none of these numbers"
        )
        yield from style.paragraph(text, "yellow", indent=INDENT * 2)
    unlike = stability.inconsistent
    for image in unlike[:MOST]:
        text = f"{image.case}: expected {image.expected}, said {_said(image)}"
        yield from style.paragraph(text, "light", indent=INDENT * 3)
    if len(unlike) > MOST:
        yield style.line((f"{INDENT * 3}and {len(unlike) - MOST} more", "light"))


def _sentences(stability: Stability, style: Style) -> Iterator[str]:
    if not stability.repeated:
        yield "no image has two answers: nothing is known of how the model agrees with itself"
        return
    agreed = stability.consistent
    agreement = numbers.score(stability.self_consistency, style.digits)
    yield (
        f"self-consistency {agreement}: how often two answers to the same image read the same; "
        f"all answers agree on {numbers.count(agreed.hits)} of "
        f"{numbers.plural(agreed.total, 'image')}"
    )
    counts = [flips.hits for flips in stability.flips if flips.total]
    pairs = numbers.plural(len(counts), "pair")
    spread = f", {min(counts)} to {max(counts)}" if min(counts) < max(counts) else ""
    yield (
        f"between two askings {stability.mean_flips:.1f} images flip between right and wrong "
        f"on average over {pairs} of askings{spread}"
    )
    if not stability.voted:
        return
    ties = len(stability.no_majority)
    tied = f"; {numbers.plural(ties, 'tie')}, counted as wrong" if ties else ""
    yield (
        f"accuracy of the majority vote "
        f"{numbers.counted(stability.majority_accuracy, style.digits)}{tied}"
    )


def _said(image: ImageAskings) -> str:
    return ", ".join("(no answer)" if answer is None else answer.said for answer in image.answers)
