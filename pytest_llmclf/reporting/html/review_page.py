"""The page on which a person decides about labels: a single file, like the page of a run.

Decisions are made, kept and written out in the browser, as lines that `data.decisions` reads. What
models say is shown; what a key decides without a label being chosen is the given label alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.analysis.label_review.review_queue import reports_of
from pytest_llmclf.files import write_pieces
from pytest_llmclf.metrics.calibration.answers import confidence
from pytest_llmclf.progress import Progress, silent
from pytest_llmclf.reporting.html.cases import SHORTEST, Texts, cut, rounded
from pytest_llmclf.reporting.html.document import document, embedded_pieces, image_elements
from pytest_llmclf.reporting.html.page import no_image
from pytest_llmclf.reporting.html.thumbnails import ImageBudget, Thumbnail, thumbnails
from pytest_llmclf.values.outcome import ANSWERED, ASKED, NAMED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_llmclf.analysis.label_review.review import LabelReview
    from pytest_llmclf.analysis.label_review.review_queue import QueuedImage, ReviewQueue
    from pytest_llmclf.data.decisions import Decision
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.reporting.html.page import FindImage
    from pytest_llmclf.values.outcome import Outcome

_STYLES: Final = ("page.css", "review.css")
_SCRIPTS: Final = (
    "dom.js",
    "decision_log.js",
    "decision_file.js",
    "review_view.js",
    "label_choice.js",
    "review.js",
)
_BATCH: Final = 10
"""Images in one element: each is read when its first image is shown."""
_DIGITS: Final = 16
"""Of the digest of an image, beside moment and name enough to tell a decision."""
_LEVELS: Final = 2
"""Levels down to single images: page, images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewPage:
    """What a page for reviewing shows.

    Attributes:
        run: Name of the run.
        review: What was found of the dataset's labels.
        queue: The images, in order.
        reports: What models said, of all datasets of the run.
        target: The dataset as ``llmclf labels apply FILE`` wants it.
        applied: The decisions that the dataset has, which no browser needs to keep any more.
        images: Tells the file of an image by evaluation and case id; ``None``: it has none.
        budget: How much of the page they may take.
    """

    run: str
    review: LabelReview
    queue: ReviewQueue
    reports: Sequence[Report]
    target: str
    applied: Sequence[Decision] = ()
    images: FindImage = no_image
    budget: ImageBudget = field(
        default_factory=lambda: ImageBudget(total_bytes=60_000_000, largest_side=800)
    )


def write_review_page(path: Path, page: ReviewPage, progress: Progress = silent) -> Path:
    """Write a page for reviewing and return its path; the file is replaced whole.

    Raises:
        OSError: It cannot be written.
    """
    reports = reports_of(page.review, page.reports)
    evaluation = reports[0].evaluation
    files = {
        one.sha256: found
        for one in page.queue.images
        if (found := page.images(evaluation, one.case)) is not None
    }
    images = thumbnails(files, page.budget, progress=progress)
    data = embedded_pieces(_json(page, reports, images), _LEVELS)
    pieces = document(
        "review.html", _STYLES, _SCRIPTS, data, image_elements(images.values(), _BATCH)
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_pieces(path, (piece.encode("utf-8") for piece in pieces))


def _json(
    page: ReviewPage, reports: Sequence[Report], images: Mapping[str, Thumbnail | str]
) -> dict[str, Any]:
    texts, places = Texts(), {sha256: place for place, sha256 in enumerate(images)}
    queued = {one.case for one in page.queue.images}
    said = [{one.case: one for one in report.outcomes if one.case in queued} for report in reports]
    listed = [_image(one, said, texts, places) for one in page.queue.images]
    return {
        "run": page.run,
        "dataset": page.review.dataset,
        "content_hash": page.review.content_hash,
        "target": page.target,
        "applied": [
            f"{one.sha256[:_DIGITS]} {json.loads(one.line)['at']} {one.by}" for one in page.applied
        ],
        "labels": list(reports[0].dataset.labels),
        "models": [report.configuration for report in reports],
        "waiting": page.queue.waiting,
        "batch": _BATCH,
        "images": listed,
        "texts": list(texts.places),
        "without": [None if isinstance(one, Thumbnail) else one for one in images.values()],
    }


def _image(
    one: QueuedImage,
    said: Sequence[Mapping[str, Outcome]],
    texts: Texts,
    places: Mapping[str, int],
) -> dict[str, Any]:
    candidate = one.candidate
    reasons = [] if candidate is None else [reason.text for reason in candidate.reasons]
    return {
        "image": one.case,
        "sha256": one.sha256,
        "was": list(one.was),
        "now": list(one.labels),
        "control": one.control,
        "score": None if candidate is None else rounded(candidate.score),
        "reasons": reasons,
        # Pairs, since a model may have any name, those that objects of a script have already, too.
        "followed": []
        if candidate is None
        else [[model, candidate.proposed] for model in sorted(candidate.named_by)],
        "said": [_answer(by_case.get(one.case), texts) for by_case in said],
        "place": places.get(one.sha256, -1),
    }


def _answer(outcome: Outcome | None, texts: Texts) -> list[Any] | None:
    """The label that was named or none, confidence, what was answered, why it is no label."""
    if outcome is None:
        return None
    answer, named = outcome.answer, outcome.kind in NAMED
    return [
        outcome.predicted if named else None,
        rounded(confidence(outcome)),
        texts.place(None if answer is None else cut(answer.text, SHORTEST)),
        texts.place(None if named else _why(outcome)),
    ]


def _why(outcome: Outcome) -> str:
    """Why a model named no label."""
    reason = f" ({outcome.reason})" if outcome.reason else ""
    if outcome.kind in ANSWERED:
        return f"no label{reason}"
    return f"no answer{reason}" if outcome.kind in ASKED else "not asked"
