"""A report as a fragment of HTML, for notebooks.

Text from outside is made printable and escaped; there is no script and nothing is loaded. Colours
are those of the page around it, so that it reads on dark and on light.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from pytest_llmclf.analysis.diagnosis.diagnose import diagnose
from pytest_llmclf.metrics.own_metrics import rows
from pytest_llmclf.reporting import numbers
from pytest_llmclf.reporting.diagnosis import finding_text
from pytest_llmclf.reporting.style import PLAIN
from pytest_llmclf.reporting.terminal import with_interval
from pytest_llmclf.reporting.worst_classes import (
    fitting,
    left_out,
    row_cells,
    score_table,
    tail_keys,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_llmclf.metrics.confusion import Confusion
    from pytest_llmclf.metrics.report import Report

MOST_CLASSES: Final = 40
"""Most classes in a table: of more, those with the lowest F1-score."""
WIDEST_MATRIX: Final = 30
"""Most classes in a confusion matrix: of more, the clusters with most mistakes; `Report.plot` draws
any."""
FINDINGS: Final = 8
"""Most findings listed."""

_NAME: Final = 40
_TABLE: Final = 'style="border-collapse:collapse;margin:0.5em 0"'


def report_html(report: Report) -> str:
    """Head, diagnosis, scores and confusion matrix of a report."""
    return "".join(
        (
            '<div style="font-size:90%">',
            *_head(report),
            *_findings(report),
            *(_scores(report) if report.ledger.answered else ()),
            *(_matrix(report.confusion) if report.ledger.answered else ()),
            "</div>",
        )
    )


def _head(report: Report) -> Iterator[str]:
    ledger = report.ledger
    yield f"<p><b>{_text(report.evaluation)}</b> · {_text(report.configuration)}<br>"
    yield f"{numbers.ends(ledger)}<br>"
    accuracy = with_interval(report.accuracy, PLAIN, report)
    yield f"accuracy <b>{_text(accuracy, 200)}</b></p>"
    why = ledger.why_incomplete()
    for line in [*([f"incomplete: {why}"] if why else []), *report.notes]:
        yield f"<p>⚠️ {_text(line, 1000)}</p>"


def _findings(report: Report) -> Iterator[str]:
    found = diagnose(report)
    if not found:
        return
    yield "<ul>"
    told = not report.told_nothing
    texts = [finding_text(finding, told=told) for finding in found[:FINDINGS]]
    yield from (f"<li>{_text(text, 2000)}</li>" for text in texts)
    if len(found) > FINDINGS:
        yield f"<li>{numbers.plural(len(found) - FINDINGS, 'more finding')}</li>"
    yield "</ul>"


def _scores(report: Report) -> Iterator[str]:
    table = score_table(report, MOST_CLASSES)
    yield f"<table {_TABLE}>"
    yield _row("th", ("class", "precision", "recall", "F1-score", "images"))
    for label, figures in table.classes:
        yield _row("td", (_text(label), *figures))
    for name, figures in table.averages:
        yield _row("td", (f"<i>{name}</i>", *figures))
    yield "</table>"
    own = [f"{_text(name)} {numbers.score(one)}" for name, one in rows(report).items()]
    if own:
        yield f"<p>{' · '.join(own)}</p>"
    if table.rest:
        yield f"<p>{table.rest}</p>"


def _matrix(confusion: Confusion) -> Iterator[str]:
    yield f"<table {_TABLE}><caption>rows: actual, columns: predicted</caption>"
    shown = fitting(confusion, WIDEST_MATRIX)
    tails = tail_keys(confusion, shown)
    heads = (
        *(_text(confusion.labels[index]) for index in shown),
        *(f"<i>{key}</i>" for key in tails),
    )
    yield _row("th", ("", *heads))
    for index in shown:
        counts = row_cells(confusion, shown, tails, index)
        label = confusion.labels[index]
        total = sum(counts)
        cells = "".join(_cell(count, total) for count in counts)
        yield f'<tr><th style="text-align:left">{_text(label)}</th>{cells}</tr>'
    yield "</table>"
    if len(shown) < len(confusion.labels):
        yield f"<p>{left_out(confusion, shown)} <code>plot()</code> draws all of them.</p>"


def _cell(count: int, total: int) -> str:
    share = count / total if total else 0.0
    shade = f";background:rgba(66,146,198,{share:.2f})" if count else ""
    return f'<td style="text-align:right{shade}">{count or "·"}</td>'


def _row(kind: str, cells: Iterable[str]) -> str:
    first, *rest = cells
    others = "".join(f'<{kind} style="text-align:right">{cell}</{kind}>' for cell in rest)
    return f'<tr><th style="text-align:left">{first}</th>{others}</tr>'


def _text(text: str, columns: int = _NAME) -> str:
    return escape(PLAIN.name(text, columns))
