"""A run's folder, read back: what `render.files.write_run` wrote."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, get_args

from pytest_llmclf.analysis.comparison.paired_comparison import (
    AnswerCount,
    Change,
    ChangeKind,
    Comparison,
)
from pytest_llmclf.errors import LlmclfError, nearest
from pytest_llmclf.files import HOME_FOLDER, require_plain
from pytest_llmclf.gates.looks import looks_in
from pytest_llmclf.metrics.case_counts import Ledger
from pytest_llmclf.metrics.metric_table import METRICS
from pytest_llmclf.metrics.own_metrics import recorded
from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.metrics.report_facts import DatasetFacts, StopRule
from pytest_llmclf.prompting.prompt import Instructions
from pytest_llmclf.reporting.columns import SCHEMA
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.json_values import (
    is_count,
    is_counts,
    is_flag,
    is_number,
    is_number_or_none,
    is_object,
    is_object_or_none,
    is_objects,
    is_share_or_none,
    is_shares_by_name_or_none,
    is_text,
    is_text_or_none,
    is_texts,
    is_texts_by_name,
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
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from pytest_llmclf.metrics.metric import Metric
    from pytest_llmclf.metrics.report import Report

AnyReport = TypeVar("AnyReport", bound="Report")

RUNS = Path(HOME_FOLDER) / "runs"
"""Where runs are kept unless told otherwise, below the folder of the project."""
_RECENT = {"latest": -1, "previous": -2}
_SHOWN = 5
_OUTCOME_FITS: Final = {
    **dict.fromkeys(
        ("evaluation", "model", "model_digest", "case", "sha256", "expected", "kind", "message",
         "request_digest", "variant"),
        is_text,
    ),
    "predicted": is_text_or_none,
    "reason": is_text_or_none,
    "tags": is_texts_by_name,
    "repeat": is_count,
    "cached": is_flag,
    "attempts": is_count,
    "probabilities": is_shares_by_name_or_none,
    "label_mass": is_share_or_none,
    "shared_mass": is_share_or_none,
    "also": is_texts,
    "stranger": is_flag,
    "review": is_object_or_none,
}  # fmt: skip
_DATASET_FITS: Final = {
    **dict.fromkeys(("name", "content_hash", "licence", "path", "strangers", "part"), is_text),
    **dict.fromkeys(("labels", "taken_out"), is_texts),
    "imported": is_flag,
    **dict.fromkeys(("cases_in_dataset", "other_part"), is_count),
    "class_sizes": is_counts,
    "review": is_object_or_none,
}
_LEDGER_FITS: Final = dict.fromkeys((field.name for field in fields(Ledger)), is_count)
_VERDICT_FITS: Final = {
    **dict.fromkeys(("word", "text", "evaluation", "model", "variant"), is_text),
    "undecided": is_text_or_none,
}
_CHANGE_FITS: Final = dict.fromkeys((field.name for field in fields(Change)), is_text)
_CHANGE_KINDS: Final[tuple[str, ...]] = get_args(ChangeKind)
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
    "provenance": is_object_or_none,
    "refused": is_text_or_none,
}
_SUMMARY_FITS: Final = {
    **dict.fromkeys(("settings", "environment"), is_object),
    **dict.fromkeys(("reports", "gates", "baselines"), is_objects),
}
_WORDS: Final[tuple[str, ...]] = get_args(VerdictWord)
_REPORT_FITS: Final = {
    **dict.fromkeys(
        ("evaluation", "model", "variant", "modelfile_digest", "instructions", "tool", "group"),
        is_text,
    ),
    "full_instructions": is_object_or_none,
    "duration_s": is_number_or_none,
    "notes": is_texts,
    "order": is_texts,
    "stop_error": is_share_or_none,
    "probes": is_objects,
}


_STOP_RULE_FITS: Final = {
    **dict.fromkeys(("after", "tests"), is_count),
    **dict.fromkeys(("gates", "baselines"), is_texts),
}


_PRICE_FITS: Final = dict.fromkeys(("read", "written"), is_number)
_METRIC_FITS: Final = {"value": is_number_or_none, "why": is_text}


class RunFolderError(LlmclfError):
    """A folder is not that of a run, or is damaged; the message says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder(Generic[AnyReport]):
    """One finished run.

    Attributes:
        path: Its folder.
        settings: What was asked for.
        environment: What ran it.
        reports: One an evaluation and model.
        verdicts: What the gates came to.
        baselines: By evaluation and model, the committed predictions against the run.
    """

    path: Path
    settings: Mapping[str, Any]
    environment: Mapping[str, Any]
    reports: tuple[AnyReport, ...]
    verdicts: tuple[Verdict, ...]
    baselines: Mapping[TaskName, Comparison]


def find_run(name: str, runs: Path = RUNS) -> Path:
    """The folder of a run.

    Args:
        name: A folder, the name of one in `runs`, the start of one name alone, ``latest`` or
            ``previous``.
        runs: Where runs are kept.

    Raises:
        RunFolderError: There is no such run, or several; says which there are.
    """
    try:
        path = Path(name).expanduser()
    except RuntimeError:  # ~user of nobody known here
        path = Path(name)
    # Not `Path.is_dir`, which raises for a name that is too long for the file system.
    if name and os.path.isdir(path):  # noqa: PTH112
        return path
    known = (
        []
        if not runs.is_dir()
        else sorted(found.name for found in runs.iterdir() if (found / "run.json").is_file())
    )
    if name in _RECENT:
        if len(known) < -_RECENT[name]:
            raise RunFolderError(f"there is no {name} run: {runs} holds {_finished(len(known))}")
        return runs / known[_RECENT[name]]
    meant = [found for found in known if found == name] or [
        found for found in known if name and found.startswith(name)
    ]
    if len(meant) == 1:
        return runs / meant[0]
    if meant:
        raise RunFolderError(f"{name!r} begins the names of several runs: {_listed(meant)}")
    hint = nearest(name, [*known, *_RECENT])
    there = f"{runs} has {_listed(known)}" if known else f"{runs} holds no finished run"
    raise RunFolderError(f"{name!r} is no folder and no run; {there}{hint}")


def read_run(folder: Path) -> RunFolder[Report]:
    """Read a run's folder.

    Raises:
        RunFolderError: It is none, it is unfinished, of another schema, or damaged.
    """
    return _read(folder, _summary(folder))


def read_run_of(folder: Path, tasks: Container[TaskName]) -> RunFolder[Report] | None:
    """Read a run's folder if it has a report of one of some tasks, which its summary tells.

    Raises:
        RunFolderError: As for `read_run`.
    """
    summary = _summary(folder)
    return _read(folder, summary) if any(map(tasks.__contains__, _tasks(summary))) else None


def _tasks(summary: Mapping[str, Any]) -> Iterator[TaskName]:
    """The tasks of a summary, as far as it is one."""
    entries = summary["reports"]
    for entry in entries if is_objects(entries) else ():
        yield TaskName(*(str(entry.get(name, "")) for name in TaskName._fields))


def _read(folder: Path, summary: dict[str, Any]) -> RunFolder[Report]:
    outcomes = _outcomes(folder / "outcomes.jsonl")
    try:
        require(summary, _SUMMARY_FITS)
        # Runs of earlier versions say it of the environment alone.
        tool = str(summary["environment"].get("pytest-llmclf", ""))
        return RunFolder(
            path=folder,
            settings=summary["settings"],
            environment=summary["environment"],
            reports=tuple(_report(entry, outcomes, tool) for entry in summary["reports"]),
            verdicts=tuple(_verdict(entry) for entry in summary["gates"]),
            baselines=dict(map(_baseline, summary.get("baselines", ()))),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        cause = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise RunFolderError(
            f"{folder / 'run.json'} does not fit its outcomes: {cause}; run the evaluation again"
        ) from error


def _summary(folder: Path) -> dict[str, Any]:
    path = folder / "run.json"
    if not folder.is_dir():
        raise RunFolderError(f"{folder} is no folder")
    if not path.is_file():
        begun = (folder / "outcomes.jsonl").exists()
        why = "the run did not finish writing it" if begun else "it is not the folder of a run"
        raise RunFolderError(
            f"{folder} has no run.json: {why}; runs are in {RUNS} or where --llmclf-run put them"
        )
    try:
        data = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise RunFolderError(f"{path} is no JSON: {error}") from error
    if not isinstance(data, dict) or "reports" not in data:
        raise RunFolderError(f"{path} is not the summary of a run")
    _check_schema(data, str(path))
    return data


def _check_schema(data: Mapping[str, Any], place: str) -> None:
    if data.get("schema") != SCHEMA:
        raise RunFolderError(
            f"{place} is of schema {data.get('schema')!r}, this version reads {SCHEMA}; "
            "run the evaluation again with this version"
        )


def _outcomes(path: Path) -> dict[TaskName, list[Outcome]]:
    """By evaluation and model."""
    try:
        text = require_plain(path).read_text("utf-8")
    except (OSError, ValueError) as error:
        raise RunFolderError(f"{path} cannot be read: {error}") from error
    found: dict[TaskName, list[Outcome]] = {}
    # Only a line feed ends a line: JSON leaves other separators, such as U+2028, inside strings.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
            _check_schema(data, f"{path}, line {number},")
            outcome = _outcome(data)
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise RunFolderError(f"{path}, line {number} is damaged: {error}") from error
        found.setdefault(outcome.task, []).append(outcome)
    return found


def _finished(count: int) -> str:
    return f"{count} finished {noun(count, 'run')}"


def _outcome(data: dict[str, Any]) -> Outcome:
    answer = data.get("answer")
    if answer is not None:
        data = {**data, "answer": {name: answer[name] for name in _names(Answer) if name in answer}}
    require(data, _OUTCOME_FITS)
    outcome = Outcome.from_json({name: data[name] for name in _names(Outcome) if name in data})
    _require_one_of(outcome.kind, OUTCOME_KINDS)
    return outcome


def _instructions(entry: Mapping[str, Any] | None) -> Instructions | None:
    """What a run recorded; ``None`` for one of an earlier version, or of a later one."""
    if entry is None:
        return None
    derived = ("digest", "text")
    return Instructions.from_json(
        {name: value for name, value in entry.items() if name not in derived}
    )


def _report(
    entry: Mapping[str, Any], outcomes: Mapping[TaskName, list[Outcome]], tool: str
) -> Report:
    require(entry, _REPORT_FITS)
    require(entry["dataset"], _DATASET_FITS)
    require(entry["ledger"], _LEDGER_FITS)
    key = TaskName.in_json(entry)
    dataset = _dataset(entry["dataset"])
    if len(dataset.class_sizes) not in (0, len(dataset.labels)):
        raise ValueError(
            f"sizes of {len(dataset.class_sizes)} classes and {len(dataset.labels)} labels"
        )
    ledger = _known(Ledger, entry["ledger"])
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
        stop_rule=_stop_rule(entry.get("stop_rule")),
    )
    if report.ledger != ledger:
        both = zip(asdict(ledger).items(), asdict(report.ledger).values(), strict=True)
        other = [f"{name} {said}, found {found}" for (name, said), found in both if said != found]
        raise ValueError(f"{key.evaluation} on {key.configuration}: {'; '.join(other)}")
    recorded_ones = entry.get("metrics", {}).items()
    own = tuple(
        _metric(name, one, report.outcomes) for name, one in recorded_ones if name not in METRICS
    )
    return replace(
        report,
        looks=looks_in(entry.get("looks", ())),
        own_metrics=own,
        price=_price(entry.get("price")),
        probes=tuple(map(ProbeAnswers.from_json, entry.get("probes", ()))),
    )


def _price(entry: Mapping[str, Any] | None) -> Price | None:
    if entry is None:
        return None
    require(entry, _PRICE_FITS)
    return Price(read=entry["read"], written=entry["written"])


def _dataset(entry: Mapping[str, Any]) -> DatasetFacts:
    review = entry.get("review")
    decided = None if review is None else DatasetReview.from_json(review)
    lists = _as_tuples(entry, "labels", "class_sizes", "taken_out")
    found: DatasetFacts = _known(DatasetFacts, {**entry, **lists, "review": decided})
    return found


def _metric(name: str, entry: Mapping[str, Any], outcomes: Sequence[Outcome]) -> Metric:
    require(entry, _METRIC_FITS)
    return recorded(name, entry["value"], entry["why"], outcomes)


def _stop_rule(entry: Mapping[str, Any] | None) -> StopRule | None:
    if entry is None:
        return None
    require(entry, _STOP_RULE_FITS)
    lists = {name: tuple(value) for name, value in entry.items() if isinstance(value, list)}
    rule: StopRule = _known(StopRule, {**entry, **lists})
    return rule


def _baseline(entry: Mapping[str, Any]) -> tuple[TaskName, Comparison]:
    require(entry, _BASELINE_FITS)
    lists = {name: tuple(value) for name, value in entry.items() if isinstance(value, list)}
    changes = tuple(map(_change, entry["changes"]))
    answers = tuple(map(_answer_count, entry.get("answers", ())))
    change = entry.get("provenance")
    provenance = None if change is None else ProvenanceChange.from_json(change)
    comparison: Comparison = _known(
        Comparison,
        {**entry, **lists, "changes": changes, "answers": answers, "provenance": provenance},
    )
    key = TaskName.in_json(entry)
    cases = set(comparison.cases)
    known = {change.case for change in changes} & cases
    counts = (
        len(cases) == comparison.common
        and len(known) == len(changes)
        and comparison.correct + len(changes) <= len(cases)
        and len(comparison.clusters) in (0, len(cases))
    )
    if not counts:
        raise ValueError(
            f"{key.evaluation} on {key.configuration}: {len(changes)} "
            f"{noun(len(changes), 'change')} and {comparison.correct} correct both times among "
            f"{len(cases)} {noun(len(cases), 'image')} of the baseline"
        )
    return key, comparison


def _change(entry: Mapping[str, Any]) -> Change:
    require(entry, _CHANGE_FITS)
    change: Change = _known(Change, entry)
    _require_one_of(change.kind, _CHANGE_KINDS)
    return change


def _answer_count(entry: Mapping[str, Any]) -> AnswerCount:
    require(entry, {"said": is_text, "before": is_count, "now": is_count})
    found: AnswerCount = _known(AnswerCount, entry)
    return found


def _verdict(entry: Mapping[str, Any]) -> Verdict:
    require(entry, _VERDICT_FITS)
    verdict: Verdict = _known(Verdict, entry)
    _require_one_of(verdict.word, _WORDS)
    return verdict


def _require_one_of(word: str, words: Sequence[str]) -> None:
    if word not in words:
        raise ValueError(f"{word!r} is none of {', '.join(words)}")


def _as_tuples(entry: Mapping[str, Any], *names: str) -> dict[str, tuple[Any, ...]]:
    return {name: tuple(entry[name]) for name in names if name in entry}


def _known(kind: Any, data: Mapping[str, Any]) -> Any:
    """A dataclass from `data`, without fields that a later version added."""
    return kind(**{name: data[name] for name in _names(kind) if name in data})


def _names(kind: Any) -> Iterable[str]:
    return [field.name for field in fields(kind)]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[-_SHOWN:]) + more
