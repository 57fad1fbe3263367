"""A report as lines for a terminal: decided here, only printed at the pytest edge.

for line in terminal.lines(reports, verdicts, style):
    for segment in line.segments:
        reporter.write(segment.text, **segment.markup)
    reporter.write_line("")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmclf.analysis.consistency import stability
from pytest_llmclf.analysis.diagnosis.diagnose import diagnose
from pytest_llmclf.analysis.diagnosis.probed import probed
from pytest_llmclf.analysis.label_review.review import label_reviews
from pytest_llmclf.gates.evidence import interval_of
from pytest_llmclf.metrics.calibration.summary import calibration
from pytest_llmclf.metrics.clusters import counted
from pytest_llmclf.metrics.own_metrics import rows
from pytest_llmclf.metrics.population import own_mix
from pytest_llmclf.metrics.report import accuracy_by_tag
from pytest_llmclf.metrics.wording import when_stopped
from pytest_llmclf.reporting import matrix, numbers
from pytest_llmclf.reporting.calibration import calibration_lines
from pytest_llmclf.reporting.changes import baseline_change_lines
from pytest_llmclf.reporting.comparison import broken_lines, model_lines
from pytest_llmclf.reporting.cost_text import cost_text
from pytest_llmclf.reporting.diagnosis import diagnosis_lines
from pytest_llmclf.reporting.doubtful_labels import doubtful_lines
from pytest_llmclf.reporting.label_lines import label_texts
from pytest_llmclf.reporting.leaderboard import leaderboard_lines
from pytest_llmclf.reporting.mistake_lines import mistake_paragraphs
from pytest_llmclf.reporting.probe_lines import brief_probes
from pytest_llmclf.reporting.stability_lines import stability_lines
from pytest_llmclf.reporting.style import INDENT, Line, left, right, width
from pytest_llmclf.reporting.worst_classes import score_table
from pytest_llmclf.reporting.yardstick_lines import yardstick_lines
from pytest_llmclf.values.request import short_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_llmclf.analysis.comparison.paired_comparison import Comparison
    from pytest_llmclf.metrics.measure import Ratio
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.reporting.style import Mark, Style
    from pytest_llmclf.values.outcome import Outcome, TaskName
    from pytest_llmclf.values.verdict import Verdict, VerdictWord

SLICES = 12
"""Most values of one tag listed."""

_NAME = 24
_COLUMNS = ("precision", "recall", "F1-score", "support")
_VERDICTS: dict[VerdictWord, tuple[Mark, ...]] = {
    "PASS": ("green",),
    "FAIL": ("red", "bold"),
    "INCONCLUSIVE": ("yellow", "bold"),
    "UNGATED": ("light",),
}


def lines(
    reports: Iterable[Report],
    verdicts: Sequence[Verdict],
    style: Style,
    *,
    baselines: Mapping[TaskName, Comparison] | None = None,
) -> Iterator[Line]:
    """Every report, its models side by side and ranked, labels in doubt, what changed; gates.

    Args:
        reports: What was found, one an evaluation and model.
        verdicts: What the gates came to.
        style: What the place can show.
        baselines: By evaluation and model, the committed predictions against the run.
    """
    shown = list(reports)
    for report in shown:
        yield from report_lines(report, style)
        yield Line()
    for several in (model_lines, leaderboard_lines, yardstick_lines, _doubtful_lines):
        found = list(several(shown, style))
        if found:
            yield from (*found, Line())
    changes = {key: found.provenance for key, found in (baselines or {}).items()}
    changed = list(baseline_change_lines(changes, style))
    if changed:
        yield from (*changed, Line())
    broken = list(broken_lines(baselines or {}, style))
    if broken:
        yield from (*broken, Line())
    yield from gate_lines(verdicts, style)


def _doubtful_lines(reports: Sequence[Report], style: Style) -> Iterator[Line]:
    return doubtful_lines(label_reviews(reports), reports, style)


def report_lines(report: Report, style: Style) -> Iterator[Line]:
    """One evaluation on one model, in paragraphs with an empty line between."""
    stopped = report.ledger.not_needed > 0
    paragraphs = [
        head_lines(report, style),
        score_lines(report, style),
        matrix.lines(report.confusion, style) if report.ledger.answered else (),
        *mistake_paragraphs(report, style),
        *(slice_lines(report, tag, style) for tag in report.tags),
        calibration_lines(calibration(report), style, stopped=stopped),
        stability_lines(stability(report), style, stopped=stopped),
        diagnosis_lines(diagnose(report), style, told=not report.told_nothing),
    ]
    first = True
    for paragraph in paragraphs:
        found = list(paragraph)
        if found and not first:
            yield Line()
        first = False
        yield from found


def head_lines(report: Report, style: Style) -> Iterator[Line]:
    """Who was asked about what, how it ended, and what to know about it."""
    title = style.name(report.evaluation, style.width // 2)
    room = max(style.width // 2, style.width - width(title)) - width(" · ")
    name = style.name(report.configuration, room)
    yield style.line((title, "bold"), " · ", (name, ("bold", "cyan")))
    for text in (
        _counts(report),
        clusters_text(report),
        mix_text(report),
        *label_texts(report),
        _speed(report),
        cost_text(report),
        _source(report),
    ):
        if text:
            yield from style.paragraph(text, indent=INDENT)
    why = None if report.ledger.all_skipped else report.ledger.why_incomplete()
    for text in [*([f"incomplete: {why}"] if why else []), *report.notes]:
        yield from style.paragraph(text, "yellow", indent=INDENT)


def score_lines(report: Report, style: Style) -> Iterator[Line]:
    """Precision, recall, F1 and support a class; accuracy with its interval; averages."""
    confusion = report.confusion
    if not confusion.answered:
        return
    averages = ("accuracy", "macro avg", "weighted avg")
    own = rows(report)
    names = [style.safe(label) for label in (*confusion.labels, *averages, *own)]
    name_width = min(_NAME, max(map(width, names)))
    heads = "".join(right(head, 11) for head in _COLUMNS)
    yield style.line((f"{INDENT}{left('', name_width)}{heads}", "light"))
    table = score_table(report, style.classes, style.digits)
    for label, figures in table.classes:
        name = left(style.name(label, name_width), name_width)
        yield style.line(f"{INDENT}{name}", *(right(text, 11) for text in figures))
    if table.rest:
        yield from style.paragraph(table.rest, "light", indent=INDENT)
    yield Line()
    accuracy = with_interval(report.accuracy, style, report)
    gap = " " * max(2, min(6, style.width - len(INDENT) - name_width - width(accuracy)))
    yield style.line(f"{INDENT}{left('accuracy', name_width)}{gap}", (accuracy, "bold"))
    for name, figures in table.averages:
        yield style.line(
            f"{INDENT}{left(name, name_width)}", *(right(text, 11) for text in figures)
        )
    for name, measure in own.items():
        text, why = numbers.score(measure, style.digits), measure.why
        start = f"{INDENT}{left(style.name(name, name_width), name_width)}"
        yield style.line(start, right(text, 11), f"  {style.safe(why)}" if why else "")


def with_interval(
    ratio: Ratio,
    style: Style,
    report: Report,
    among: Iterable[Outcome] | None = None,
) -> str:
    """Such as ``0.792 (396/500), 95% interval 0.754–0.827``; see `interval_of`."""
    text = numbers.counted(ratio, style.digits)
    if not ratio.total:
        return text
    if report.ledger.not_needed:
        return when_stopped(text, report.ledger)
    ends = interval_of(ratio, report, among)
    return text if ends is None else f"{text}, {numbers.stated_interval(ends, style.digits)}"


def slice_lines(report: Report, tag: str, style: Style) -> Iterator[Line]:
    """Accuracy by value of one tag; the lowest ones where there are many values."""
    slices = [
        (value, accuracy)
        for value, accuracy in accuracy_by_tag(report, tag).items()
        if accuracy.total
    ]
    if not slices:
        return
    shown = slices
    if style.classes is not None and len(slices) > SLICES:
        shown = sorted(slices, key=lambda entry: (entry[1].exact, entry[0]))[:SLICES]
    yield style.line(f"{INDENT}accuracy by {style.name(tag, style.width // 2)}")
    names = [style.name(value, _NAME) if value else "(none)" for value, _ in shown]
    name_width = max(map(width, names))
    for name, (value, accuracy) in zip(names, shown, strict=True):
        among = [found for found in report.outcomes if found.tags.get(tag, "") == value]
        said = with_interval(accuracy, style, report, among)
        yield style.line(f"{INDENT}  {left(name, name_width)}  {said}")
    if len(shown) < len(slices):
        more = numbers.plural(len(slices) - len(shown), "more value")
        text = f"and {more} with a higher or equal accuracy"
        yield style.line((f"{INDENT}  {text}", "light"))


def brief_lines(
    reports: Iterable[Report], verdicts: Sequence[Verdict], style: Style
) -> Iterator[Line]:
    """For quiet runs: accuracies and what probes found, a line each, and the gates."""
    for report in reports:
        if not report.confusion.answered:
            continue
        accuracy = f"accuracy {with_interval(report.accuracy, style, report)}"
        for text in (accuracy, *brief_probes(probed(report))):
            yield from style.paragraph(f"{report.task.title}: {text}")
    yield from gate_lines(verdicts, style)


def gate_lines(verdicts: Sequence[Verdict], style: Style) -> Iterator[Line]:
    """One verdict a line, long ones wrapped under themselves."""
    if not verdicts:
        return
    yield style.line(("gates", "bold"))
    word_width = max(len(verdict.word) for verdict in verdicts)
    for verdict in verdicts:
        of = verdict.task.title
        text = f"{of}: {verdict.text}" if of else verdict.text
        indent = " " * (len(INDENT) + word_width + 2)
        first, *rest = style.wrapped(text, indent)
        word = (left(verdict.word, word_width), _VERDICTS[verdict.word])
        yield style.line(INDENT, word, "  " + first.removeprefix(indent))
        yield from (style.line(found) for found in rest)


def _counts(report: Report) -> str:
    ledger = report.ledger
    parts = [
        f"{numbers.count(ledger.correct)} correct",
        f"{numbers.count(ledger.misclassified)} misclassified",
        f"{numbers.count(ledger.unparsed)} unparsed",
        numbers.plural(ledger.error, "error"),
    ]
    if ledger.not_needed:
        parts.append(f"{numbers.count(ledger.not_needed)} not needed")
    if ledger.not_run:
        parts.append(f"{numbers.count(ledger.not_run)} not run")
    if ledger.lost:
        parts.append(f"{numbers.count(ledger.lost)} lost")
    left_out = [
        f"{numbers.count(number)} {word}"
        for number, word in ((ledger.deselected, "deselected"), (ledger.skipped, "skipped"))
        if number
    ]
    besides = f" ({', '.join(left_out)})" if left_out else ""
    return f"{numbers.plural(ledger.collected, 'image')}: {', '.join(parts)}{besides}"


def clusters_text(report: Report) -> str:
    """Which images are not independent, and what that changes; empty where all are."""
    if not report.clusters:
        return ""
    number = len(set(report.clusters.values()))
    images = counted(len(report.clusters), number, report.group)
    return (
        f"images: {images}; those of one count as one draw wherever other images are spoken of"
        if report.group
        else f"images: {images}; copies count as one draw wherever other images are spoken of"
    )


def mix_text(report: Report) -> str:
    """Which mix of classes the numbers are of, where not the dataset's; empty where that."""
    mix = own_mix(report)
    return f"classes: {mix}; accuracy and its interval are of the mix here" if mix else ""


def _speed(report: Report) -> str:
    if not report.images_per_s:
        return ""
    stored = sum(outcome.cached for outcome in report.outcomes)
    from_store = f", {numbers.plural(stored, 'answer')} from the store" if stored else ""
    return (
        f"{numbers.rate(report.images_per_s)} in {numbers.duration(report.duration_s)}{from_store}"
    )


def _source(report: Report) -> str:
    facts = report.dataset
    parts = [f"dataset {facts.name}{' (imported)' if facts.imported else ''}"]
    if facts.content_hash:
        parts.append(f"content {facts.content_hash[:12]}")
    if report.identity is not None and report.identity.digest:
        parts.append(f"model digest {short_digest(report.identity.digest)}")
    if report.identity is not None and report.identity.server:
        parts.append(report.identity.server)
    return ", ".join(parts)
