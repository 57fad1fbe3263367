"""What a gate cannot find out on the images that there are, told before any question is asked."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_llmclf.gates.bounds import more_images
from pytest_llmclf.gates.evidence import evidence_of
from pytest_llmclf.gates.reading import Certainty, asked_for, read
from pytest_llmclf.gates.threshold import EVERY
from pytest_llmclf.metrics import report_build as reports
from pytest_llmclf.metrics.calibration.coverage import accepted_of, answers_for
from pytest_llmclf.metrics.clusters import counted
from pytest_llmclf.metrics.metric import Average, ImageMean, Share
from pytest_llmclf.metrics.population import having
from pytest_llmclf.metrics.power import MOST_IMAGES
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.values.outcome import Outcome, TaskName
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.gates.gate import Gate
    from pytest_llmclf.gates.reading import JudgedThreshold
    from pytest_llmclf.gates.threshold import Threshold
    from pytest_llmclf.metrics.metric import Metric
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.case import Case
    from pytest_llmclf.values.outcome import OutcomeKind


def undecidable(
    gate: Gate, labels: Sequence[str], cases: Sequence[Case], group: str = ""
) -> tuple[str, ...]:
    """What the gate cannot show on these images, one line each; see `undecidable_thresholds`."""
    return undecidable_thresholds(
        gate.parsed.thresholds, gate.parsed.confidence, labels, cases, group
    )


def undecidable_thresholds(
    thresholds: Sequence[Threshold],
    confidence: float | None,
    labels: Sequence[str],
    cases: Sequence[Case],
    group: str = "",
) -> tuple[str, ...]:
    """One line for each threshold that these images cannot show, however good the answers.

    About these images that is one without any image in its slice or class; with confidence also
    one that has too few. The best answers are all right, or, where a score is wanted to be low,
    all without a label. Nothing is said of a low precision, which is a matter of which labels the
    model names, nor of calibration.
    """
    number = sum(len(threshold.expanded(labels)) for threshold in thresholds)
    certainty = None if confidence is None else Certainty(confidence=confidence, thresholds=number)
    found: list[str] = []
    for threshold in thresholds:
        members = _members(threshold, cases)
        sizes = Counter(label for case in members for label in case.labels)
        # What is best for one of several right labels is not for another one.
        several = any(case.also for case in members)
        reasons = [
            (one, why)
            for part in (threshold.expanded(labels) if several else (threshold,))
            for best in (_best(part, labels, members, group),)
            for one, reading in zip(
                part.expanded(labels), read(_probe(part), best, certainty), strict=True
            )
            if (why := _why_not(one, reading, best, sizes, certainty)) is not None
        ]
        asked = asked_for(threshold, certainty)
        if threshold.label != EVERY or len(reasons) == 1:
            found += (f"{asked_for(one, certainty)}: {why}" for one, why in reasons)
        elif reasons:
            few, why = min(reasons, key=lambda reason: sizes[str(reason[0].label)])
            which = f"for {len(reasons)} of {len(labels)} classes"
            if len(reasons) == len(labels):
                which = f"for all {len(labels)} classes"
            found.append(f"{asked}: {which}; {few.label}: {why}")
    return tuple(found)


def _probe(threshold: Threshold) -> Threshold:
    """With all right it does not matter which of the answers are the most confident."""
    return replace(threshold, coverage=None, own=_at_its_best(threshold.own))


def _at_its_best(own: Metric | None) -> Metric | None:
    """An evaluation's own function is not asked of images that nobody answered.

    At its best a mean over images is 1, or 0, of each: as the accuracy is of these.
    """
    if own is None or isinstance(own.bound, Share | Average):
        return own
    bound = None if own.bound is None else Share()
    return replace(own, whole=lambda report: report.accuracy, bound=bound)


def _members(threshold: Threshold, cases: Sequence[Case]) -> list[Case]:
    found = [case for case in cases if threshold.is_about(case)]
    # As `coverage.accuracy_at_coverage` counts.
    return found[: accepted_of(len(found), threshold.coverage)]


def _why_not(
    asked: Threshold,
    reading: JudgedThreshold,
    best: Report,
    sizes: Counter[str],
    certainty: Certainty | None,
) -> str | None:
    label = asked.label
    if not best.outcomes or (label is not None and not sizes[label]):
        shows = "" if label is None else f" shows {label}"
        shows = " is of no class" if asked.spec.strangers else shows
        among = having(asked.where, confirmed=asked.confirmed).replace(
            " with", " among those with", 1
        )
        return f"no image{shows}{among}" if shows or among else "there is no image"
    if certainty is None or reading.word == "PASS":
        return None
    if not asked.upwards and asked.spec.kind == "precision":
        return None
    evidence = evidence_of(reading.threshold, best, reading.measure)
    here = round(evidence.images)
    more = more_images(evidence, asked.number, certainty.passing, certainty.passing)
    of = "" if label is None else f" of {label}"
    of = " of no class" if asked.spec.strangers else of
    together = ""
    if evidence.members is not None:
        together = f" ({counted(here, round(evidence.clusters), best.group)})"
    text = f"{here} {noun(here, 'image')}{of}{together} cannot show it {_how(asked)}; "
    if more is None and evidence.estimate == asked.number:
        return text + "no number of images can"
    if more is None:
        return text + f"it needs more than {MOST_IMAGES:,}"
    total = answers_for(here + more, asked.coverage)
    if evidence.members is not None:
        # Whole groups: half of one shows nothing.
        size = evidence.images / evidence.clusters
        total = round(size * math.ceil(total / size - 1e-9))
        mix = " in groups of such sizes" if best.group else " with as many copies among them"
    else:
        mix = " in the same mix of classes" if len(evidence.right) > 1 else ""
    return f"{text}it needs {total:,}{mix}"


def _how(asked: Threshold) -> str:
    """What the best answers are."""
    if asked.spec.counts == "unparsed":
        return "even if every answer has a label"
    if asked.spec.strangers:
        return f"even if {'each' if asked.upwards else 'none'} is taken for a class"
    if isinstance(asked.spec.bound, ImageMean):
        return f"even if each has the {'highest' if asked.upwards else 'lowest'} value"
    return "even if all are right" if asked.upwards else "even if none is right"


def _best(threshold: Threshold, labels: Sequence[str], cases: Sequence[Case], group: str) -> Report:
    """The report of the answers that suit the threshold best."""
    best: OutcomeKind = "unparsed"
    if threshold.spec.strangers:
        best = "misclassified" if threshold.upwards else "correct"
    elif threshold.upwards or threshold.spec.counts == "unparsed":
        best = "correct"
    return reports.build(
        evaluation="",
        model="",
        dataset=DatasetFacts(name="", content_hash="", labels=tuple(labels)),
        outcomes=[
            Outcome.of(
                TaskName("", ""),
                replace(case, id=str(place)),
                best,
                predicted=_best_label(threshold, case, best, labels),
            )
            for place, case in enumerate(cases)
        ],
        group=group,
    )


def _best_label(
    threshold: Threshold, case: Case, best: OutcomeKind, labels: Sequence[str]
) -> str | None:
    """Of several right labels the one that is asked about; a wrong one where that is best."""
    if best == "unparsed":
        return None
    if best == "misclassified":
        return next(label for label in labels if label not in case.labels)
    return case.label if threshold.label not in case.labels else str(threshold.label)
