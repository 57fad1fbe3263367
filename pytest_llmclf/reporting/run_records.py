"""What a run's folder says of outcomes, reports, verdicts and baselines, made records again."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_args

from pytest_llmclf.analysis.comparison.paired_comparison import (
    CHANGE_KINDS,
    AnswerCount,
    Change,
    Comparison,
)
from pytest_llmclf.gates.looks import looks_in
from pytest_llmclf.metrics.case_counts import Ledger
from pytest_llmclf.metrics.metric_table import METRICS
from pytest_llmclf.metrics.own_metrics import recorded
from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.metrics.report_facts import DatasetFacts, StopRule
from pytest_llmclf.prompting.prompt import Instructions
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.json_values import (
    is_count,
    is_counts,
    is_flag,
    is_number,
    is_object,
    is_objects,
    is_share,
    is_shares_by_name,
    is_text,
    is_texts,
    is_texts_by_name,
    or_none,
    require,
)
from pytest_llmclf.values.outcome import OUTCOME_KINDS, Outcome, TaskName
from pytest_llmclf.values.price import Price
from pytest_llmclf.values.probe_answers import ProbeAnswers
from pytest_llmclf.values.provenance import ProvenanceChange
from pytest_llmclf.values.request import ModelIdentity
from pytest_llmclf.values.reviewed import DatasetReview
from pytest_llmclf.values.text import noun
from pytest_llmclf.values.verdict import Verdict, VerdictWord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pytest_llmclf.metrics.metric import Metric
    from pytest_llmclf.metrics.report import Report

    Fits = Mapping[str, Callable[[object], bool]]


Record = TypeVar("Record")

_OUTCOME_FITS: Final = {
    **dict.fromkeys(
        ("evaluation", "model", "model_digest", "case", "sha256", "expected", "kind", "message",
         "request_digest", "variant"),
        is_text,
    ),
    "predicted": or_none(is_text),
    "reason": or_none(is_text),
    "tags": is_texts_by_name,
    "repeat": is_count,
    "cached": is_flag,
    "attempts": is_count,
    "probabilities": or_none(is_shares_by_name),
    "label_mass": or_none(is_share),
    "shared_mass": or_none(is_share),
    "also": is_texts,
    "stranger": is_flag,
    "review": or_none(is_object),
}  # fmt: skip
_DATASET_FITS: Final = {
    **dict.fromkeys(("name", "content_hash", "licence", "path", "strangers", "part"), is_text),
    **dict.fromkeys(("labels", "taken_out"), is_texts),
    "imported": is_flag,
    **dict.fromkeys(("cases_in_dataset", "other_part"), is_count),
    "class_sizes": is_counts,
    "review": or_none(is_object),
}
_LEDGER_FITS: Final = dict.fromkeys((field.name for field in fields(Ledger)), is_count)
_VERDICT_FITS: Final = {
    **dict.fromkeys(("word", "text", "evaluation", "model", "variant"), is_text),
    "undecided": or_none(is_text),
}
_CHANGE_FITS: Final = dict.fromkeys((field.name for field in fields(Change)), is_text)
_ANSWER_COUNT_FITS: Final = {"said": is_text, "before": is_count, "now": is_count}
_BASELINE_FITS: Final = {
    **dict.fromkeys(("evaluation", "model", "variant"), is_text),
    **dict.fromkeys(
        ("cases", "new", "missing", "unanswered", "not_asked", "elsewhere", "notes", "clusters"),
        is_texts,
    ),
    "answers": is_objects,
    "group": is_text,
    **dict.fromkeys(("correct", "otherwise"), is_count),
    "changes": is_objects,
    "provenance": or_none(is_object),
    "refused": or_none(is_text),
}
SUMMARY_FITS: Final = {
    **dict.fromkeys(("settings", "environment"), is_object),
    **dict.fromkeys(("reports", "gates", "baselines"), is_objects),
}
_WORDS: Final[tuple[str, ...]] = get_args(VerdictWord)
_REPORT_FITS: Final = {
    **dict.fromkeys(
        ("evaluation", "model", "variant", "modelfile_digest", "instructions", "tool", "group"),
        is_text,
    ),
    "full_instructions": or_none(is_object),
    "duration_s": or_none(is_number),
    "notes": is_texts,
    "order": is_texts,
    "stop_error": or_none(is_share),
    "probes": is_objects,
}
_STOP_RULE_FITS: Final = {
    **dict.fromkeys(("after", "tests"), is_count),
    **dict.fromkeys(("gates", "baselines"), is_texts),
}
_PRICE_FITS: Final = dict.fromkeys(("read", "written"), is_number)
_METRIC_FITS: Final = {"value": or_none(is_number), "why": is_text}


def outcome_of(data: dict[str, Any]) -> Outcome:
    """An outcome from a line of ``outcomes.jsonl``.

    Raises:
        ValueError: It does not fit; so for all of these, and KeyError, TypeError, AttributeError.
    """
    answer = data.get("answer")
    if answer is not None:
        data = {**data, "answer": {name: answer[name] for name in _names(Answer) if name in answer}}
    require(data, _OUTCOME_FITS)
    outcome = Outcome.from_json({name: data[name] for name in _names(Outcome) if name in data})
    _require_one_of(outcome.kind, OUTCOME_KINDS)
    return outcome


def report_of(
    entry: Mapping[str, Any], outcomes: Mapping[TaskName, list[Outcome]], tool: str
) -> Report:
    """A report from its part of ``run.json`` and all outcomes, by task.

    Args:
        entry: What is said of it.
        outcomes: Of all reports.
        tool: Version of pytest-llmclf, for runs that say it of the environment alone.
    """
    require(entry, _REPORT_FITS)
    key = TaskName.in_json(entry)
    dataset = _dataset(entry["dataset"])
    if len(dataset.class_sizes) not in (0, len(dataset.labels)):
        raise ValueError(
            f"sizes of {len(dataset.class_sizes)} classes and {len(dataset.labels)} labels"
        )
    ledger = _record(Ledger, entry["ledger"], _LEDGER_FITS)
    report = build(
        **key._asdict(),
        dataset=dataset,
        outcomes=outcomes.get(key, []),
        identity=ModelIdentity.from_json(entry["identity"]) if entry["identity"] else None,
        collected=ledger.collected,
        deselected=ledger.deselected,
        skipped=ledger.skipped,
        duration_s=entry.get("duration_s"),
        notes=entry.get("notes", ()),
        modelfile_digest=entry.get("modelfile_digest", ""),
        instructions=entry.get("instructions", ""),
        order=entry.get("order", ()),
        stop_error=entry.get("stop_error"),
        full_instructions=_instructions(entry.get("full_instructions")),
        tool=entry.get("tool") or tool,
        group=entry.get("group", ""),
        stop_rule=_record_or_none(StopRule, entry.get("stop_rule"), _STOP_RULE_FITS),
    )
    _require_same(key, ledger, report.ledger)
    recorded_ones = entry.get("metrics", {}).items()
    own = tuple(
        _metric(name, one, report.outcomes) for name, one in recorded_ones if name not in METRICS
    )
    return replace(
        report,
        looks=looks_in(entry.get("looks", ())),
        own_metrics=own,
        price=_record_or_none(Price, entry.get("price"), _PRICE_FITS),
        probes=tuple(map(ProbeAnswers.from_json, entry.get("probes", ()))),
    )


def _require_same(key: TaskName, noted: Ledger, counted: Ledger) -> None:
    """Refuse a summary whose counts are not those of its outcomes."""
    if counted != noted:
        both = zip(asdict(noted).items(), asdict(counted).values(), strict=True)
        other = [f"{name} {said}, found {found}" for (name, said), found in both if said != found]
        raise ValueError(f"{key.evaluation} on {key.configuration}: {'; '.join(other)}")


def _instructions(entry: Mapping[str, Any] | None) -> Instructions | None:
    """What a run recorded; ``None`` for one of an earlier version, or of a later one."""
    if entry is None:
        return None
    derived = ("digest", "text")
    return Instructions.from_json(
        {name: value for name, value in entry.items() if name not in derived}
    )


def _dataset(entry: Mapping[str, Any]) -> DatasetFacts:
    review = entry.get("review")
    decided = None if review is None else DatasetReview.from_json(review)
    return _record(DatasetFacts, entry, _DATASET_FITS, review=decided)


def _metric(name: str, entry: Mapping[str, Any], outcomes: Sequence[Outcome]) -> Metric:
    require(entry, _METRIC_FITS)
    return recorded(name, entry["value"], entry["why"], outcomes)


def baseline_of(entry: Mapping[str, Any]) -> tuple[TaskName, Comparison]:
    """What changed against committed predictions, and of which task."""
    require(entry, _BASELINE_FITS)
    changes = tuple(map(_change, entry["changes"]))
    counts = entry.get("answers", ())
    change = entry.get("provenance")
    comparison = _record(
        Comparison,
        entry,
        {},  # required above
        changes=changes,
        answers=tuple(_record(AnswerCount, one, _ANSWER_COUNT_FITS) for one in counts),
        provenance=None if change is None else ProvenanceChange.from_json(change),
    )
    key = TaskName.in_json(entry)
    cases = set(comparison.cases)
    known = {change.case for change in changes} & cases
    fits = (
        len(cases) == comparison.common
        and len(known) == len(changes)
        and comparison.correct + len(changes) <= len(cases)
        and len(comparison.clusters) in (0, len(cases))
    )
    if not fits:
        raise ValueError(
            f"{key.evaluation} on {key.configuration}: {len(changes)} "
            f"{noun(len(changes), 'change')} and {comparison.correct} correct both times among "
            f"{len(cases)} {noun(len(cases), 'image')} of the baseline"
        )
    return key, comparison


def _change(entry: Mapping[str, Any]) -> Change:
    change = _record(Change, entry, _CHANGE_FITS)
    _require_one_of(change.kind, CHANGE_KINDS)
    return change


def verdict_of(entry: Mapping[str, Any]) -> Verdict:
    """What a gate came to."""
    verdict = _record(Verdict, entry, _VERDICT_FITS)
    _require_one_of(verdict.word, _WORDS)
    return verdict


def _require_one_of(word: str, words: Sequence[str]) -> None:
    if word not in words:
        raise ValueError(f"{word!r} is none of {', '.join(words)}")


def _record(kind: type[Record], entry: Mapping[str, Any], fits: Fits, **more: Any) -> Record:
    """A dataclass from what is said of it, but for `more`; without what a later version added."""
    require(entry, fits)
    said = {**entry, **more}
    known = {name: said[name] for name in _names(kind) if name in said}
    lists = {name: tuple(one) for name, one in known.items() if isinstance(one, list)}
    return kind(**{**known, **lists})


def _record_or_none(
    kind: type[Record], entry: Mapping[str, Any] | None, fits: Fits
) -> Record | None:
    return None if entry is None else _record(kind, entry, fits)


def _names(kind: Any) -> Iterable[str]:
    return [field.name for field in fields(kind)]
