"""A run as Markdown: for the summary of a CI job, an issue or a wiki.

GitHub's dialect, which GitLab and others read as well. Names that come from models, files and
labels stand in code spans, where nothing is interpreted; other text from outside has every sign
escaped that Markdown or HTML could take for its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_llmclf.analysis.diagnosis.diagnose import diagnose
from pytest_llmclf.analysis.label_review.review import label_reviews
from pytest_llmclf.analysis.leaderboard.pairs import compare_models
from pytest_llmclf.metrics.calibration.answers import lacking
from pytest_llmclf.metrics.calibration.scores import ece
from pytest_llmclf.metrics.own_metrics import rows
from pytest_llmclf.metrics.wording import asked_of, when_stopped
from pytest_llmclf.reporting import numbers
from pytest_llmclf.reporting.comparison import (
    FEW,
    answers_text,
    score_lines,
)
from pytest_llmclf.reporting.cost_text import cost_text
from pytest_llmclf.reporting.diagnosis import diagnosis_lines
from pytest_llmclf.reporting.doubtful_labels import doubtful_lines
from pytest_llmclf.reporting.label_lines import label_texts
from pytest_llmclf.reporting.markdown_comparison import change_rows, else_items, p_cell
from pytest_llmclf.reporting.markdown_leaderboard import leaderboard_sections
from pytest_llmclf.reporting.markdown_text import (
    ENDLESS,
    LONGEST,
    cell,
    code,
    escaped,
    folded,
    items,
    with_room,
)
from pytest_llmclf.reporting.style import PLAIN
from pytest_llmclf.reporting.terminal import clusters_text, mix_text, with_interval
from pytest_llmclf.reporting.worst_classes import (
    fitting,
    left_out,
    row_cells,
    score_table,
    tail_keys,
)
from pytest_llmclf.reporting.yardstick_lines import yardstick_texts
from pytest_llmclf.values.verdict import WORST_FIRST

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_llmclf.analysis.comparison.paired_comparison import Comparison
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.outcome import TaskName
    from pytest_llmclf.values.verdict import Verdict, VerdictWord

TOP_CONFUSIONS: Final = 10
"""Kinds of mistake listed."""
EXAMPLES: Final = 3
"""Most images named for one kind of mistake."""
MOST_CLASSES: Final = 40
"""Most classes in a table of scores: of more, those with the lowest F1-score."""
WIDEST_MATRIX: Final = 20
"""Most classes in a confusion matrix: of more, the clusters with most mistakes."""

_MARKS: Final[dict[VerdictWord, str]] = {
    "PASS": "✅",
    "FAIL": "❌",
    "INCONCLUSIVE": "⚠️",
    "UNGATED": "➖",  # noqa: RUF001 - the sign of a gate that is none
}


def markdown_summary(
    reports: Sequence[Report],
    verdicts: Sequence[Verdict] = (),
    *,
    baselines: Mapping[TaskName, Comparison] | None = None,
    title: str = "Image classification by LLMs",
    longest: int = LONGEST,
) -> str:
    """Verdicts first, which task is best, what is broken, then each report: scores, diagnosis.

    Args:
        reports: What was found, one an evaluation and model.
        verdicts: What the gates came to.
        baselines: By evaluation and model, the committed predictions against the run.
        title: Of the whole, as its heading.
        longest: Characters that the reports' details may take together.
    """
    lines = [f"## {escaped(title)}", "", *_overview(reports, verdicts), *_gates(verdicts)]
    lines += with_room(leaderboard_sections(reports), longest // 2, "leaderboard")
    lines += with_room(_since(baselines or {}), longest // 2, "comparison")
    for task, comparison in (baselines or {}).items():
        lines += _broken(_named(task), comparison)
    lines += with_room(map(_section, reports), longest, "report")
    lines += _models(reports)
    lines += _doubtful(reports)
    return "\n".join(lines).rstrip() + "\n"


def _named(task: TaskName) -> str:
    """Evaluation, model and variant as code spans."""
    return " · ".join(code(part) for part in task if part)


def _overview(reports: Sequence[Report], verdicts: Sequence[Verdict]) -> Iterator[str]:
    """One line a report, so that the first glance says it all."""
    if not reports:
        yield from ("No image was judged.", "")
        return
    yield "| evaluation | model | images | correct | accuracy | gates |"
    yield "|---|---|--:|--:|--:|---|"
    for report in reports:
        own = [verdict.word for verdict in verdicts if verdict.task == report.task]
        worst = next((word for word in WORST_FIRST if word in own), None)
        gates = f"{_MARKS[worst]} {worst}" if worst else numbers.UNDEFINED
        ledger = report.ledger
        accuracy = when_stopped(numbers.percent(report.accuracy), ledger)
        yield (
            f"| {cell(report.evaluation)} | {cell(report.configuration)} "
            f"| {asked_of(ledger)} | {numbers.count(ledger.correct)} "
            f"| {accuracy} | {gates} |"
        )
    yield ""


def _gates(verdicts: Sequence[Verdict]) -> Iterator[str]:
    if not verdicts:
        return
    yield from ("### Gates", "", "| | gate of | what it came to |", "|---|---|---|")
    for verdict in sorted(verdicts, key=lambda one: WORST_FIRST.index(one.word)):
        of = " · ".join(cell(part) for part in verdict.task if part)
        yield f"| {_MARKS[verdict.word]} {verdict.word} | {of} | {escaped(verdict.text)} |"
    yield ""


def _broken(name: str, comparison: Comparison) -> Iterator[str]:
    """The images that got worse since the committed predictions, whatever the verdict is."""
    if not comparison.broken:
        return
    images = numbers.plural(len(comparison.broken), "image")
    yield from (f"### Broken since the committed predictions: {images} of {name}", "")
    yield from change_rows(comparison.of_kind("broken"), "was", "is now")
    yield ""


def _section(report: Report) -> Iterator[str]:
    yield from (f"### {_named(report.task)}", "")
    known = (clusters_text(report), mix_text(report), *label_texts(report))
    yield from (f"{escaped(text)}  " for text in known if text)
    yield from (f"{_counts(report)}  ", f"Accuracy {_accuracy(report)}.", "")
    why = None if report.ledger.all_skipped else report.ledger.why_incomplete()
    if why:
        yield from (f"⚠️ Incomplete: {escaped(why)}.", "")
    for note in report.notes:
        yield from (f"Note: {escaped(note)}", "")
    yield from _diagnosis(report)
    yield from _confusions(report)
    yield from _scores(report)
    yield from _matrix(report)


def _counts(report: Report) -> str:
    speed = "" if not report.images_per_s else f"; {numbers.rate(report.images_per_s)}"
    cost = cost_text(report)
    return f"{numbers.ends(report.ledger)}{speed}{f'; {cost}' if cost else ''}."


def _accuracy(report: Report) -> str:
    said = with_interval(report.accuracy, PLAIN, report)
    error = ece(report)
    if error.value is None:
        return said
    without = lacking(report)
    without = f" ({without})" if without else ""
    return f"{said}; calibration error (ECE) {numbers.score(error)}{without}"


def _diagnosis(report: Report) -> Iterator[str]:
    findings = diagnose(report)
    if not findings:
        return
    yield from ("**Diagnosis**", "")
    # On endless lines each finding is one, and so is what stands below them.
    lines = diagnosis_lines(findings, ENDLESS, told=not report.told_nothing)
    _, *texts = (line.text.strip() for line in lines)
    for item in texts:
        if item.startswith("- "):
            yield f"- {escaped(item[2:])}"
        else:
            yield from ("", f"<sub>{escaped(item)}</sub>")
    yield ""


def _confusions(report: Report) -> Iterator[str]:
    found = report.among_classes()
    if not found:
        return
    yield from ("**Most frequent confusions**", "")
    yield from ("| images | expected | predicted | such as |", "|--:|---|---|---|")
    for mistake in found[:TOP_CONFUSIONS]:
        examples = ", ".join(map(cell, mistake.cases[:EXAMPLES]))
        more = ", …" if len(mistake.cases) > EXAMPLES else ""
        yield (
            f"| {mistake.count} | {cell(mistake.expected)} | {cell(mistake.predicted)} "
            f"| {examples}{more} |"
        )
    if len(found) > TOP_CONFUSIONS:
        rest = found[TOP_CONFUSIONS:]
        images = sum(mistake.count for mistake in rest)
        kinds = numbers.plural(len(rest), "more kind")
        yield from ("", f"and {kinds} of mistake, {numbers.plural(images, 'image')}")
    yield ""


def _scores(report: Report) -> Iterator[str]:
    if not report.ledger.answered:
        return
    table = score_table(report, MOST_CLASSES)
    own = [f"{cell(name)} {numbers.score(one)}" for name, one in rows(report).items()]
    if own:
        yield from (" · ".join(own), "")
    yield from folded(f"Precision, recall and F1-score of {len(report.confusion.labels)} classes")
    yield from ("| class | precision | recall | F1-score | images |", "|---|--:|--:|--:|--:|")
    for label, figures in table.classes:
        yield f"| {cell(label)} | {' | '.join(figures)} |"
    for name, figures in table.averages:
        yield f"| *{name}* | {' | '.join(figures)} |"
    if table.rest:
        yield from ("", table.rest)
    yield from ("", "</details>", "")


def _matrix(report: Report) -> Iterator[str]:
    confusion = report.confusion
    if not report.ledger.answered:
        return
    shown = fitting(confusion, WIDEST_MATRIX)
    tails = tail_keys(confusion, shown)
    yield from folded("Confusion matrix (rows: actual, columns: predicted)")
    heads = [*(cell(confusion.labels[index]) for index in shown), *(f"*{key}*" for key in tails)]
    yield from (f"| | {' | '.join(heads)} |", "|---|" + "--:|" * len(heads))
    for place, index in enumerate(shown):
        cells = [str(count or "·") for count in row_cells(confusion, shown, tails, index)]
        cells[place] = f"**{cells[place]}**"
        yield f"| {cell(confusion.labels[index])} | {' | '.join(cells)} |"
    if len(shown) < len(confusion.labels):
        yield from ("", left_out(confusion, shown))
    yield from ("", "</details>", "")


def _models(reports: Sequence[Report]) -> Iterator[str]:
    """Models that answered the same images, in pairs."""
    compared = compare_models(reports)
    if not compared:
        return
    yield from ("### Compared in pairs", "")
    yield "| evaluation | A | B | images | right in A only | right in B only | p |"
    yield "|---|---|---|--:|--:|--:|--:|"
    for pair in compared:
        found = pair.comparison
        names = (pair.now.evaluation, *pair.names)
        start = f"| {' | '.join(map(cell, names))} |"
        if found.refused is not None:
            yield f"{start} | | | {escaped(found.refused)} |"
            continue
        yield (
            f"{start} {numbers.count(found.common)} | {len(found.broken)} | {len(found.fixed)} "
            f"| {p_cell(found, pair.p_value)} |"
        )
    for pair in compared:
        both = " and ".join(map(code, pair.names))
        yield from ("", f"{code(pair.now.evaluation)}, {both}:", "", *else_items(pair.comparison))
        answers = answers_text(pair.comparison.answers)
        yield from [f"- {escaped(answers)}"] if answers else []
        yield from items(score_lines(pair, ENDLESS, FEW))
    yield ""
    yield from (f"- {escaped(text)}" for _, text in yardstick_texts(reports))
    test = (
        "exact McNemar test (after an early stop one that holds however it was stopped; of images "
        "in groups, and of copies, a permutation test)"
    )
    yield from ("", f"<sub>p: {test}, for all pairs of an evaluation at once</sub>", "")


def _doubtful(reports: Sequence[Report]) -> Iterator[str]:
    """Labels that are more likely wrong than right."""
    # On endless lines each candidate is one, below its dataset's.
    lines = [line.text for line in doubtful_lines(label_reviews(reports), reports, ENDLESS, FEW)]
    if not lines:
        return
    yield from (f"### {escaped(lines[0].capitalize())}", "")
    for line in lines[1:]:
        item = line.startswith(" " * 4)
        yield f"{'  ' * item}- {escaped(line.strip())}"
    yield ""


def _since(baselines: Mapping[TaskName, Comparison]) -> Iterator[list[str]]:
    """What else changed since predictions were committed."""
    for task, comparison in baselines.items():
        found = list(else_items(comparison))
        if found:
            head = f"**Since the committed predictions: {_named(task)}**"
            yield [head, "", *found, ""]
