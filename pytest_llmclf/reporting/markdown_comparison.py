"""Two runs compared, as Markdown: what each evaluation comes to, then what differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_llmclf.reporting import numbers
from pytest_llmclf.reporting.changes import diff_markdown
from pytest_llmclf.reporting.comparison import outcome_lines, score_lines, summary_lines
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

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_llmclf.analysis.comparison.paired_comparison import Change, ChangeKind, Comparison
    from pytest_llmclf.analysis.comparison.runs import Compared, ComparedWord

MOST_CHANGES: Final = 20
"""Most images listed for one kind of change between two runs."""
_PATH: Final = 200
_COMPARED: Final[dict[ComparedWord, str]] = {
    "worse": "❌",
    "undecided": "⚠️",
    "better": "✅",
    "within the margin": "✅",
    "same answers": "✅",
    "difference not shown": "➖",  # noqa: RUF001 - nothing is claimed
}
_CHANGES: Final[dict[ChangeKind, str]] = {
    "broken": "Only A is right",
    "fixed": "Only B is right",
    "changed": "Wrong in different ways",
}


def markdown_comparison(
    compared: Sequence[Compared],
    runs: tuple[str, str],
    *,
    notes: Sequence[str] = (),
    title: str = "Runs compared",
    longest: int = LONGEST,
) -> str:
    """What each evaluation comes to first, then the images that two runs answered differently.

    Args:
        compared: One an evaluation.
        runs: What run A and run B are called.
        notes: What is left out, one line each.
        title: Of the whole, as its heading.
        longest: Characters that the evaluations' details may take together.
    """
    lines = [f"## {escaped(title)}", ""]
    lines += [f"- {side}: {code(name, _PATH)}" for side, name in zip("AB", runs, strict=True)]
    lines += ["", *_compared_overview(compared)]
    lines += [f"- {escaped(note)}" for note in notes]
    lines += [""] if notes else []
    lines += with_room(map(_compared_section, compared), longest, "comparison")
    return "\n".join(lines).rstrip() + "\n"


def _models_of(each: Compared) -> Iterable[str]:
    """The models of both sides, once where they are one."""
    return dict.fromkeys((each.before.configuration, each.now.configuration))


def _compared_overview(compared: Sequence[Compared]) -> Iterator[str]:
    yield "| B against A | evaluation | model | images | A | B | only A right | only B right | p |"
    yield "|---|---|---|--:|--:|--:|--:|--:|--:|"
    for each in compared:
        found = each.comparison
        models = " and ".join(map(cell, _models_of(each)))
        start = f"| {_COMPARED[each.word]} {each.word} | {cell(each.before.evaluation)} | {models}"
        if found.refused is not None:
            yield f"{start} | | | | | | |"
            continue
        yield (
            f"{start} | {numbers.count(found.common)} | {numbers.percent(found.before)} "
            f"| {numbers.percent(found.now)} | {len(found.broken)} | {len(found.fixed)} "
            f"| {p_cell(found, each.p_value)} |"
        )
    legend = (
        "A, B: accuracy on the images that both runs answered; p: how often at most chance alone "
        "gives a difference like this where both are equally good (in groups: where it makes no "
        "difference which of them answers a group)"
    )
    yield from ("", f"<sub>{legend}</sub>", "")


def _compared_section(each: Compared) -> Iterator[str]:
    models = " and ".join(map(code, _models_of(each)))
    yield from (f"### {code(each.before.evaluation)} · {models}", "")
    yield from else_items(each.comparison)
    for lines in (summary_lines, score_lines, outcome_lines):
        yield from items(lines(each, ENDLESS))
    yield ""
    if each.comparison.refused is not None:
        return
    for kind in _CHANGES:
        yield from _changes(each.comparison, kind)


def else_items(comparison: Comparison) -> Iterator[str]:
    """What else differs; a diff is code, where nothing is interpreted."""
    change = comparison.provenance
    if change is None:
        return
    for sentence, diff in change.sentences():
        yield f"- {escaped(sentence)}"
        yield from diff_markdown(diff)


def _changes(comparison: Comparison, kind: ChangeKind) -> Iterator[str]:
    """The images of one kind; those that got worse are open to see."""
    changes = comparison.of_kind(kind)
    if not changes:
        return
    head = f"{_CHANGES[kind]}: {numbers.plural(len(changes), 'image')}"
    yield from (f"**{head}**", "") if kind == "broken" else folded(head)
    yield from change_rows(changes, "A", "B")
    yield from ("",) if kind == "broken" else ("", "</details>", "")


def change_rows(changes: Sequence[Change], before: str, now: str) -> Iterator[str]:
    """A table of images that two sides answered differently, the first few of them."""
    yield from (f"| image | expected | {before} | {now} |", "|---|---|---|---|")
    for change in changes[:MOST_CHANGES]:
        cells = map(cell, (change.case, change.expected, change.was, change.now))
        yield f"| {' | '.join(cells)} |"
    if len(changes) > MOST_CHANGES:
        yield from ("", f"and {numbers.count(len(changes) - MOST_CHANGES)} more")


def p_cell(comparison: Comparison, p_value: float) -> str:
    """A p-value for a cell; nothing where there was no test."""
    return numbers.UNDEFINED if comparison.test == "none" else numbers.p_cell(p_value)
