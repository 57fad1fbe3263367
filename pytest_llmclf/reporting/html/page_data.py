"""What a page knows, as JSON built-ins.

Numbers that it shows as text are written here, by `render.numbers`, so that every report writes
them alike.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.analysis.consistency import stability
from pytest_llmclf.analysis.diagnosis.diagnose import diagnose
from pytest_llmclf.gates.evidence import interval_of
from pytest_llmclf.gates.gate import meant_for
from pytest_llmclf.metrics.calibration.coverage import coverage_curve
from pytest_llmclf.metrics.calibration.summary import TARGET, calibration
from pytest_llmclf.metrics.own_metrics import rows
from pytest_llmclf.metrics.report import accuracy_by_tag
from pytest_llmclf.metrics.wording import WHEN_STOPPED, asked_of
from pytest_llmclf.prompting.readers.unread import unread_answers
from pytest_llmclf.reporting import numbers
from pytest_llmclf.reporting.cost_text import cost_text, took
from pytest_llmclf.reporting.diagnosis import LEGEND, finding_text, tells_p
from pytest_llmclf.reporting.html.board_data import board_json
from pytest_llmclf.reporting.html.cases import (
    LONGEST,
    LONGEST_TOLD,
    Texts,
    case_columns,
    cut,
    longest_answer,
    repeat_rows,
    rounded,
)
from pytest_llmclf.reporting.html.doubts import page_doubts
from pytest_llmclf.reporting.html.pair_data import other_pairs, pair_json
from pytest_llmclf.reporting.html.thumbnails import Thumbnail
from pytest_llmclf.reporting.label_lines import label_texts
from pytest_llmclf.reporting.terminal import clusters_text, mix_text
from pytest_llmclf.reporting.worst_classes import left_out, worst_first

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pytest_llmclf.metrics.confusion import Averages, Confusion
    from pytest_llmclf.metrics.measure import Ratio
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.reporting.html.page import Page, Section
    from pytest_llmclf.values.outcome import Outcome

_MOST_UNREAD: Final = 10
"""Most answers without a label that are listed."""
_MATRIX: Final = 100
"""Most classes whose matrix is shown whole."""
_MATRIX_CUT: Final = 40
"""Classes of a larger one that are shown, the clusters with most mistakes first."""
_POINTS: Final = 400
"""Most points of a curve."""
_VALUES: Final = 200
"""Most values of a tag that one can choose among; one with more is a name rather than a slice."""


def page_json(page: Page, images: Mapping[str, Thumbnail | str]) -> dict[str, Any]:
    """A page without its images.

    Args:
        page: What it shows.
        images: By SHA-256 the images that it has, or why it lacks them; they are numbered in
            this order.
    """
    texts = Texts()
    answers = sum(len(section.report.outcomes) for section in page.sections)
    longest = longest_answer(answers)
    places = {sha256: place for place, sha256 in enumerate(images)}
    sections = [
        {
            **_section(section, texts, longest, places),
            "doubts": page_doubts(section.report, page.reviews),
        }
        for section in page.sections
    ]
    order = {id(section.report): place for place, section in enumerate(page.sections)}
    pairs = [pair_json(pair, order) for pair in page.pairs]
    shown = {(pair["before"], pair["now"]) for pair in pairs}
    for key, board in enumerate(page.boards):
        pairs += other_pairs(board, key, order, shown)
    return {
        "title": page.title,
        "sections": sections,
        "boards": [board_json(board, order) for board in page.boards],
        "pairs": pairs,
        "settings": _shown(page.settings),
        "environment": _shown(page.environment),
        "target": TARGET,
        "review": page.desk,
        "legend": LEGEND,
        "texts": list(texts.places),
        "without": [None if isinstance(one, Thumbnail) else one for one in images.values()],
    }


def _section(
    section: Section, texts: Texts, longest: int, places: Mapping[str, int]
) -> dict[str, Any]:
    report = section.report
    identity, ledger = report.identity, report.ledger
    case_place = {one.case: place for place, one in enumerate(report.outcomes)}
    return {
        "name": section.name,
        "evaluation": report.evaluation,
        "model": report.model,
        "variant": report.variant,
        "labels": list(report.confusion.labels),
        "facts": _facts(report),
        "details": [] if identity is None else _shown(identity.details),
        "instructions": cut(_told(report), LONGEST_TOLD),
        "ledger": asdict(ledger),
        "images": asked_of(ledger),
        "stopped": WHEN_STOPPED if ledger.not_needed else "",
        "silence": _silence(report),
        "bars": "No intervals: the run stopped early."
        if ledger.not_needed
        else "Bars: 95% intervals, for images like these, where there are any.",
        "incomplete": ledger.why_incomplete(),
        "notes": [cut(note, LONGEST) for note in report.notes],
        "verdicts": [asdict(verdict) for verdict in section.verdicts],
        "findings": _findings(report, case_place),
        "unread": [
            {"text": cut(one.text, LONGEST), "reason": one.reason, "count": len(one.cases)}
            for one in unread_answers(report.outcomes)[:_MOST_UNREAD]
        ],
        "numbers": _numbers(report),
        "confusion": _confusion(report.confusion),
        "classes": _classes(report),
        "slices": _slices(report),
        "calibration": _calibration(report),
        "stability": _stability(report, case_place),
        "path": _path(section, case_place),
        "took": took(report),
        "cases": case_columns(report, texts, longest, places),
        "repeats": repeat_rows(report, texts, longest, case_place),
    }


def _findings(report: Report, places: Mapping[str, int]) -> list[dict[str, Any]]:
    return [
        {
            "text": cut(finding_text(finding, told=not report.told_nothing), LONGEST),
            "p": tells_p(finding_text(finding)),
            "cases": [places[case] for case in finding.cases if case in places],
        }
        for finding in diagnose(report)
    ]


def _classes(report: Report) -> list[dict[str, Any]]:
    named = _by(report, lambda one: one.predicted)
    shown = _by(report, lambda one: one.counts_for)
    return [
        {
            "precision": _ratio(score.precision, report, named[score.label]),
            "recall": _ratio(score.recall, report, shown[score.label]),
            "f1": numbers.score(score.f1),
            "f1_value": score.f1.value,
            "support": score.support,
        }
        for score in report.confusion.scores
    ]


def _silence(report: Report) -> str:
    """What it means that no finding is listed."""
    if not report.ledger.answered:
        return "Nothing was tested: no image was answered."
    if report.ledger.not_needed:
        return "Nothing was tested: the run stopped early, because of its answers."
    return "Nothing stands out beyond chance: that does not show that nothing is wrong."


def _confusion(confusion: Confusion) -> dict[str, Any]:
    """The counts that are not 0, a row column, images, column, images ...; and who is shown."""
    size = len(confusion.labels)
    shown = range(size) if size <= _MATRIX else worst_first(confusion)[:_MATRIX_CUT]
    return {
        "cells": [list(chain.from_iterable(row.items())) for row in confusion.cells],
        "unparsed": list(confusion.unparsed),
        "error": list(confusion.error),
        "shown": list(shown),
        "left_out": left_out(confusion, shown) if len(shown) < size else "",
    }


def _told(report: Report) -> str:
    """All that the model was told; of a run of an earlier version what is known of it."""
    full = report.full_instructions
    if report.told_nothing:
        return ""
    return report.instructions if full is None else "\n".join(full.lines())


def _facts(report: Report) -> list[list[str]]:
    """Names and values for people; only those that are known."""
    facts, identity, told = report.dataset, report.identity, report.provenance
    server = (one.answer.server_s for one in report.outcomes if one.answer is not None)
    spent = [seconds for seconds in server if seconds is not None]
    cached = sum(outcome.cached for outcome in report.outcomes)
    weights = identity.weights if identity and identity.weights != identity.digest else ""
    found = [
        ("Model", report.model),
        ("Variant", report.variant),
        ("Model digest", identity.digest if identity else ""),
        ("Weights digest", weights),
        ("Server", identity.server if identity else ""),
        ("Instructions digest", told.instructions),
        ("Modelfile digest", told.modelfile),
        ("Dataset", f"{facts.name}{' (imported)' if facts.imported else ''}"),
        ("Dataset content", facts.content_hash),
        ("Dataset licence", facts.licence),
        ("Not independent", clusters_text(report)),
        ("Not the dataset's mix", mix_text(report)),
        *(("Labels", text) for text in label_texts(report)),
        ("Duration", numbers.duration(report.duration_s) if report.duration_s else ""),
        ("Speed", numbers.rate(report.images_per_s) if report.images_per_s else ""),
        ("Cost", cost_text(report)),
        (
            "Server time",
            f"{numbers.duration(sum(spent))} for {numbers.plural(len(spent), 'answer')}"
            if spent
            else "",
        ),
        ("From the store", numbers.plural(cached, "answer") if cached else ""),
    ]
    return [[name, cut(value, LONGEST)] for name, value in found if value]


def _numbers(report: Report) -> dict[str, Any]:
    return {
        "accuracy": _ratio(report.accuracy, report),
        "balanced": numbers.score(report.balanced_accuracy),
        "macro": _three(report.macro),
        "weighted": _three(report.weighted),
        "own": [
            [name, numbers.score(one), cut(one.why, LONGEST)] for name, one in rows(report).items()
        ],
        "unparsed": numbers.percent(report.unparsed_rate),
        "error": numbers.percent(report.error_rate),
        "duration": numbers.duration(report.duration_s),
        "speed": numbers.rate(report.images_per_s),
    }


def _three(of: Averages) -> list[str]:
    return [numbers.score(each) for each in (of.precision, of.recall, of.f1)]


def _ratio(ratio: Ratio, report: Report, among: Iterable[Outcome] | None = None) -> dict[str, Any]:
    """A ratio with its interval, where it has one; see `interval_of`."""
    found: dict[str, Any] = {
        "value": ratio.value,
        "hits": ratio.hits,
        "total": ratio.total,
        "text": numbers.score(ratio),
        "counts": numbers.fraction(ratio),
        "low": None,
        "high": None,
        "interval": "",
    }
    ends = interval_of(ratio, report, among)
    if ends is not None:
        found |= {
            "low": rounded(ends.low),
            "high": rounded(ends.high),
            "interval": numbers.stated_interval(ends),
        }
    return found


def _slices(report: Report) -> list[dict[str, Any]]:
    return [
        {
            "tag": tag,
            "values": [
                {"value": value, "accuracy": _ratio(accuracy, report, having[value])}
                for value, accuracy in found.items()
            ],
        }
        for tag in report.tags
        if 1 < len(found := accuracy_by_tag(report, tag)) <= _VALUES
        for having in [_by(report, partial(_value, tag))]
    ]


def _value(tag: str, outcome: Outcome) -> str:
    return outcome.tags.get(tag, "")


def _by(report: Report, key: Callable[[Outcome], str | None]) -> Mapping[str | None, list[Outcome]]:
    """The outcomes by what they have in common."""
    found: defaultdict[str | None, list[Outcome]] = defaultdict(list)
    for outcome in report.outcomes:
        found[key(outcome)].append(outcome)
    return found


def _calibration(report: Report) -> dict[str, Any] | None:
    found = calibration(report)
    if found is None:
        return None
    curve = coverage_curve(report)
    step = -(-len(curve) // _POINTS) if curve else 1
    kept = [
        point for place, point in enumerate(curve) if place % step == 0 or place == len(curve) - 1
    ]
    best = found.accepting
    return {
        "known": numbers.fraction(found.known),
        "missing": found.missing,
        "ece": numbers.score(found.ece),
        "chance": numbers.score(found.ece_by_chance),
        "brier": numbers.score(found.brier),
        "bins": [
            {"low": one.low, "high": one.high, "mean": rounded(one.mean_confidence)}
            | {"accuracy": _ratio(one.accuracy, report, ())}
            for one in found.reliability
        ],
        "coverages": [
            {"share": numbers.percent(share, 0), "accuracy": numbers.counted(ratio)}
            for share, ratio in found.coverages
        ],
        "curve": [
            [
                rounded(point.coverage.value),
                rounded(point.accuracy.value),
                rounded(point.threshold),
            ]
            for point in kept
        ],
        "accepting": None
        if best is None
        else {
            "coverage": best.coverage.value,
            "share": numbers.counted(best.coverage),
            "threshold": numbers.cut(best.threshold, best.refused),
        },
    }


def _stability(report: Report, places: Mapping[str, int]) -> dict[str, Any] | None:
    found = stability(report)
    if found is None:
        return None
    return {
        "askings": found.askings,
        "caveats": list(found.caveats),
        "consistent": numbers.counted(found.consistent),
        "self_consistency": numbers.percent(found.self_consistency),
        "majority": numbers.counted(found.majority_accuracy) if found.voted else None,
        "flips": None if found.mean_flips is None else f"{found.mean_flips:.1f}",
        "differ": [places[image.case] for image in found.inconsistent if image.case in places],
    }


def _path(section: Section, places: Mapping[str, int]) -> dict[str, Any] | None:
    """The order of asking of a run that may stop early, and what its gates ask of accuracy."""
    report = section.report
    if not report.order:
        return None
    bounds = [
        threshold.number
        for gate in meant_for(report, section.gates)
        for threshold in gate.parsed.thresholds
        if threshold.subject == "accuracy"
    ]
    return {
        "order": [places[case] for case in report.order if case in places],
        "bounds": bounds,
    }


def _shown(values: Mapping[str, Any]) -> list[list[str]]:
    """Settings as names and texts, without those that are not set."""
    return [
        [str(name), cut(_text(value), LONGEST)]
        for name, value in values.items()
        if value not in (None, "", [], {}, ())
    ]


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    if isinstance(value, dict):
        return ", ".join(f"{name}={_text(one)}" for name, one in value.items())
    return str(value)
