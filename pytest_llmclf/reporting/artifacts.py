"""The folder that a run leaves behind.

Which files those are says `RUN_FILES`. Texts are UTF-8, data bear `SCHEMA`. Files are replaced
whole: a reader sees the old one or the new one, never a part.
"""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pytest_llmclf.analysis.consistency import stability
from pytest_llmclf.analysis.diagnosis.diagnose import diagnose
from pytest_llmclf.analysis.label_review.review import label_reviews
from pytest_llmclf.analysis.leaderboard.ranking import leaderboards
from pytest_llmclf.errors import need_extra
from pytest_llmclf.files import beside, write_pieces, write_whole
from pytest_llmclf.metrics.calibration.summary import calibration
from pytest_llmclf.metrics.corrections import label_facts
from pytest_llmclf.metrics.metric_table import METRICS
from pytest_llmclf.metrics.own_metrics import rows
from pytest_llmclf.reporting import terminal
from pytest_llmclf.reporting.columns import COLUMN_NAMES, SCHEMA, TAG, outcomes_of, row, tags_of
from pytest_llmclf.reporting.doubtful_labels import review_json
from pytest_llmclf.reporting.leaderboard import leaderboard_json
from pytest_llmclf.reporting.markdown import markdown_summary
from pytest_llmclf.reporting.matrix_svg import confusion_svg
from pytest_llmclf.reporting.style import Style

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_llmclf.analysis.comparison.paired_comparison import Comparison
    from pytest_llmclf.metrics.confusion import Averages, ClassScores, Confusion
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.outcome import TaskName
    from pytest_llmclf.values.verdict import Verdict

REPORT_STYLE = Style(width=120, digits=6, classes=None)
"""How `report.txt` is written."""

MOST_CELL = 32_000
"""Characters of a text in the CSV file: spreadsheets hold no more in a cell, and Python's own
reader refuses one four times as long."""
_NESTED = frozenset((dict, list, tuple))
_FORMULA = frozenset(
    "=+-@\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}"
    "\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
)
"""First signs that make a spreadsheet compute; blanks before them do not stop it."""
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=str)


def write_run(
    folder: Path,
    reports: Sequence[Report],
    *,
    settings: Mapping[str, Any],
    environment: Mapping[str, Any],
    verdicts: Sequence[Verdict] = (),
    baselines: Mapping[TaskName, Comparison] | None = None,
    parquet: bool = False,
) -> tuple[Path, ...]:
    """Write all files of a run and return their paths, `run.json` last.

    `run.json` is written when all others are there, so that a folder that has it is whole.

    Args:
        folder: Where to; made if it is not there.
        reports: What was found, one an evaluation and model.
        settings: What was asked for, as JSON built-ins; must hold no secret.
        environment: Versions and machine, as JSON built-ins; must hold no secret.
        verdicts: What the gates came to.
        baselines: By evaluation and model, the committed predictions against the run.
        parquet: Whether to write `outcomes.parquet`, too.

    Raises:
        ExtraMissing: Parquet is wanted, and pyarrow is not installed.
        OSError: The folder cannot be written.
    """
    if parquet:
        need_extra("pyarrow", "parquet", "Parquet")
    folder.mkdir(parents=True, exist_ok=True)
    written = [
        write_pieces(folder / "outcomes.jsonl", map(_encoded, outcomes_jsonl(reports))),
        *write_reports(folder, reports, verdicts, baselines=baselines, parquet=parquet),
    ]
    asked = {"schema": SCHEMA, "settings": dict(settings), "environment": dict(environment)}
    summary = {**asked, **_results(reports, verdicts, baselines or {})}
    written.append(write_pieces(folder / "run.json", map(_encoded, _readable(summary))))
    return tuple(written)


def _results(
    reports: Sequence[Report],
    verdicts: Sequence[Verdict],
    baselines: Mapping[TaskName, Comparison],
) -> dict[str, Any]:
    """What came of a run, as `run.json` has it."""
    return {
        "reports": [
            {**report_json(report), "confusion_svg": f"{name}.svg"}
            for report, name in zip(reports, image_names(reports), strict=True)
        ],
        "leaderboards": [leaderboard_json(board) for board in leaderboards(reports)],
        "label_review": [review_json(review, reports) for review in label_reviews(reports)],
        "gates": [asdict(verdict) for verdict in verdicts],
        "baselines": [
            {**task._asdict(), **asdict(comparison)} for task, comparison in baselines.items()
        ],
    }


def write_reports(
    folder: Path,
    reports: Sequence[Report],
    verdicts: Sequence[Verdict] = (),
    *,
    baselines: Mapping[TaskName, Comparison] | None = None,
    parquet: bool = False,
) -> tuple[Path, ...]:
    """Write what follows from the outcomes, and return the paths.

    Args:
        folder: Where to; must be there.
        reports: What was found, one an evaluation and model.
        verdicts: What the gates came to.
        baselines: By evaluation and model, the committed predictions against the run.
        parquet: Whether to write `outcomes.parquet`, too.

    Raises:
        ExtraMissing: Parquet is wanted, and pyarrow is not installed.
        OSError: The folder cannot be written.
    """
    if parquet:
        need_extra("pyarrow", "parquet", "Parquet")
    written = [
        write_pieces(folder / "outcomes.csv", map(_encoded, outcomes_csv(reports))),
        _write(folder / "report.txt", report_text(reports, verdicts, baselines)),
        _write(folder / "summary.md", markdown_summary(reports, verdicts, baselines=baselines)),
    ]
    if parquet:
        from pytest_llmclf.reporting.dataframes import write_parquet

        path = folder / "outcomes.parquet"
        with beside(path) as draft:
            write_parquet(draft, reports).replace(path)
        written.append(path)
    for report, name in zip(reports, image_names(reports), strict=True):
        written.append(_write(folder / f"{name}.svg", confusion_svg(report)))
    return tuple(written)


def outcomes_jsonl(reports: Iterable[Report]) -> Iterator[str]:
    """Every outcome of every report, one JSON object a line."""
    for report in reports:
        for outcome in outcomes_of(report):
            yield _json({"schema": SCHEMA, **outcome.to_json()}) + "\n"


def outcomes_csv(reports: Sequence[Report]) -> Iterator[str]:
    """Every outcome of every report as CSV (RFC 4180), line by line.

    Text that a spreadsheet would take for a formula gets an apostrophe in front (OWASP, "CSV
    injection"); the JSON lines have it unchanged.
    """
    tags = tags_of(reports)
    line = io.StringIO(newline="")
    writer = csv.writer(line)
    writer.writerow([*COLUMN_NAMES, *(_cell(f"{TAG}{tag}") for tag in tags)])
    yield line.getvalue()
    for report in reports:
        for outcome in outcomes_of(report):
            cells = [*row(outcome).values(), *(outcome.tags.get(tag) for tag in tags)]
            line.seek(0)
            line.truncate()
            writer.writerow(map(_cell, cells))
            yield line.getvalue()


def report_text(
    reports: Iterable[Report],
    verdicts: Sequence[Verdict],
    baselines: Mapping[TaskName, Comparison] | None = None,
) -> str:
    """What the terminal shows, without colour, with every class and six digits."""
    lines = terminal.lines(reports, verdicts, REPORT_STYLE, baselines=baselines)
    return "".join(f"{line.text}\n" for line in lines)


def report_json(report: Report) -> dict[str, Any]:
    """A report without its outcomes, as JSON built-ins; undefined numbers are null."""
    calibrated, stable = calibration(report), stability(report)
    full = report.full_instructions
    return {
        "evaluation": report.evaluation,
        "model": report.model,
        "variant": report.variant,
        "identity": report.identity.to_json() if report.identity else None,
        "dataset": asdict(report.dataset),
        "labels": label_facts(report),
        "ledger": asdict(report.ledger),
        "incomplete": report.ledger.why_incomplete(),
        "modelfile_digest": report.modelfile_digest,
        "instructions": report.instructions,
        "full_instructions": None
        if full is None
        else {"digest": full.digest(), "text": "\n".join(full.lines()), **full.to_json()},
        "tool": report.tool,
        "order": list(report.order),
        "stop_error": report.stop_error,
        "looks": [asdict(look) for look in report.looks],
        "group": report.group,
        "clusters": len(set(report.clusters.values())) if report.clusters else None,
        "stop_rule": None if report.stop_rule is None else asdict(report.stop_rule),
        "duration_s": report.duration_s,
        "price": None if report.price is None else report.price.to_json(),
        "cost": {
            name: None if spec.whole is None else spec.whole(report).value
            for name, spec in METRICS.items()
            if spec.cost
        },
        "notes": list(report.notes),
        "accuracy": report.accuracy.value,
        "balanced_accuracy": report.balanced_accuracy.value,
        "metrics": {
            name: {"value": measure.value, "why": measure.why}
            for name, measure in rows(report).items()
        },
        "classes": [{"label": one.label, **_scores(one)} for one in report.confusion.scores],
        "micro": _scores(report.micro),
        "macro": _scores(report.macro),
        "weighted": _scores(report.weighted),
        "confusion": _confusion(report.confusion),
        "probes": [one.to_json() for one in report.probes],
        "diagnosis": [asdict(finding) for finding in diagnose(report)],
        "calibration": None if calibrated is None else calibrated.to_json(),
        "stability": None if stable is None else asdict(stable),
    }


def image_names(reports: Iterable[Report]) -> tuple[str, ...]:
    """One file name a report, without ending: no sign that a file system minds, no two alike."""
    names: list[str] = []
    for report in reports:
        plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", "-".join(filter(None, report.task)))
        stem = name = f"confusion-{plain.strip('.-')[:80]}".lower()
        number = 1
        while name in names:
            number += 1
            name = f"{stem}-{number}"
        names.append(name)
    return tuple(names)


def _confusion(confusion: Confusion) -> dict[str, Any]:
    return {
        "labels": list(confusion.labels),
        "counts": [list(row) for row in confusion.counts],
        "unparsed": list(confusion.unparsed),
        "error": list(confusion.error),
        "not_needed": confusion.not_needed,
        "lost": confusion.lost,
        "not_run": confusion.not_run,
    }


def _scores(of: ClassScores | Averages) -> dict[str, Any]:
    return {
        "precision": of.precision.value,
        "recall": of.recall.value,
        "f1": of.f1.value,
        "support": of.support,
    }


def _cell(value: object) -> object:
    """`value` for CSV: text that begins like a formula is made plain text."""
    if not isinstance(value, str):
        return value
    if len(value) > MOST_CELL:
        value = f"{value[:MOST_CELL]}… [cut: {len(value)} characters, whole in outcomes.jsonl]"
    formula = value[:1] in {"\t", "\r"} or value.lstrip()[:1] in _FORMULA
    return f"'{value}" if formula else value


def _readable(value: object) -> Iterator[str]:
    """`_json` with indents, and on one line what is a list of plain values, as a matrix's row is.

    A thousand classes have a million counts, which would be as many lines.
    """
    yield from _indented(value, "\n")
    yield "\n"


def _indented(value: object, start: str) -> Iterator[str]:
    if not value or not isinstance(value, dict | list | tuple):
        yield _json(value)
    elif isinstance(value, dict):
        for place, (name, one) in enumerate(value.items()):
            yield f"{',' if place else '{'}{start}  {_json(name)}: "
            yield from _indented(one, f"{start}  ")
        yield f"{start}}}"
    elif not _NESTED.isdisjoint(map(type, value)):
        for place, one in enumerate(value):
            yield f"{',' if place else '['}{start}  "
            yield from _indented(one, f"{start}  ")
        yield f"{start}]"
    else:
        yield _json(value)


def _json(value: object) -> str:
    """Strict JSON (no NaN); what is no JSON built-in, such as a path, as its text."""
    return _ENCODER.encode(value)


def _write(path: Path, text: str) -> Path:
    return write_whole(path, _encoded(text))


def _encoded(text: str) -> bytes:
    # Half a surrogate pair, which a model can emit, has no UTF-8: it is escaped, as JSON does.
    return text.encode("utf-8", "backslashreplace")
