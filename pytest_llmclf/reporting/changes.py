"""What else differs between two results, for people: sentences, and a diff where it is text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pytest_llmclf.reporting import numbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_llmclf.reporting.style import Line, Mark, Style
    from pytest_llmclf.values.outcome import TaskName
    from pytest_llmclf.values.provenance import ProvenanceChange

MOST: Final = 40
"""Most lines of a diff in a terminal and in a failure message; the page has all."""
MOST_IN_MARKDOWN: Final = 120
"""The same in Markdown."""

_LONGEST: Final = 2000
_MARKS: Final[dict[str, Mark]] = {"+": "green", "-": "red", "@": "cyan"}


def change_lines(
    change: ProvenanceChange | None, style: Style, indent: str = "    "
) -> Iterator[Line]:
    """What differs, what does not, and what nobody knows, in this order."""
    if change is None:
        return
    for sentence, diff in change.sentences():
        for text in style.wrapped(sentence, indent):
            yield style.line((text, "yellow") if diff or _differs(sentence, change) else text)
        for line in clipped(diff, MOST):
            # A long line of a prompt is broken like any text, and each part keeps its sign.
            mark: Mark = _MARKS.get(line[:1], "light")
            parts = style.wrapped(line[1:], f"{indent}  {style.safe(line[:1])}")
            yield from (style.line((text, mark)) for text in parts)


def _differs(sentence: str, change: ProvenanceChange) -> bool:
    return sentence != change.agreement


def change_text(change: ProvenanceChange | None) -> list[str]:
    """The same as plain lines, for a failure message."""
    if change is None:
        return []
    lines = []
    for sentence, diff in change.sentences():
        lines += [sentence, *(f"  {line}" for line in clipped(diff, MOST))]
    return lines


def baseline_change_lines(
    changes: Mapping[TaskName, ProvenanceChange | None], style: Style
) -> Iterator[Line]:
    """What else changed since predictions were committed, an evaluation and model each."""
    known = {key: change for key, change in changes.items() if change is not None}
    if not known:
        return
    yield style.line(("since the committed predictions", "bold"))
    for task, change in known.items():
        room = style.width // 2 - 3
        yield style.line(
            "  ",
            (style.name(task.evaluation, room), "bold"),
            " · ",
            (style.name(task.configuration, room), "cyan"),
        )
        yield from change_lines(change, style)


def diff_markdown(diff: Sequence[str]) -> Iterator[str]:
    """A fenced block that no line of the diff can close."""
    if not diff:
        return
    shown = clipped(diff, MOST_IN_MARKDOWN)
    longest = max((len(run) for line in shown for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    yield from ("", f"{fence}diff", *shown, fence, "")


def clipped(diff: Sequence[str], most: int) -> list[str]:
    """The first lines of a diff, and how many more there are."""
    shown = [line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…" for line in diff[:most]]
    if len(diff) > most:
        shown.append(f"({numbers.plural(len(diff) - most, 'more line')})")
    return shown
