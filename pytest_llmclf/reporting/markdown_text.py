"""Text from outside in Markdown: read as it is, no markup, no HTML, no link."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pytest_llmclf.reporting import numbers
from pytest_llmclf.reporting.style import PLAIN, Style, cut

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_llmclf.reporting.style import Line

LONGEST: Final = 60_000
"""Characters for the details of all reports; what does not fit is said. GitHub takes 1 MiB a
step, and half of that would still be too long to read."""
ENDLESS: Final = Style(width=1_000_000)
_NAME: Final = 60
_SENTENCE: Final = 1000
_SPECIAL: Final = re.compile(
    r"[\\`*_\[\]|~#$^]"  # markup anywhere
    r"|:(?=/)|(?<=www)\."  # what makes a link of an address
    r"|^[-+=]"  # what begins a list or a heading
)
_NUMBERED: Final = re.compile(r"^(\d{1,9})([.)])")
_REFERENCE: Final = re.compile(r"@(?=\w)|#(?=\w)")
_HTML: Final = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"}


def escaped(text: str) -> str:
    """`text` on one line, to be read as it is: no markup, no HTML, no link."""
    shown = cut(PLAIN.safe(text).strip(), _SENTENCE)
    marked = _SPECIAL.sub(lambda found: f"\\{found[0]}", shown).translate(_HTML)
    # Mentions and references are looked for in what Markdown comes to, where no escape is left: a
    # comment within them is nothing to read, and ends them.
    return _REFERENCE.sub(lambda found: f"{found[0]}<!-- -->", _NUMBERED.sub(r"\1\\\2", marked))


def code(text: str, columns: int = _NAME) -> str:
    """A name as a code span."""
    shown = PLAIN.name(text, columns) or numbers.UNDEFINED
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    # A backtick at an end needs a blank, which the span drops; so do blanks at both ends.
    pad = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def cell(text: str, columns: int = _NAME) -> str:
    """A name as a code span in a table, which takes the backslash away again."""
    return code(text, columns).replace("|", "\\|")


def with_room(sections: Iterable[Iterable[str]], longest: int, noun: str) -> Iterator[str]:
    """The sections that fit into `longest` characters together, and how many do not."""
    unsaid = 0
    for section in map(list, sections):
        size = sum(len(line) + 1 for line in section)
        if size > longest:
            unsaid += 1
            continue
        longest -= size
        yield from section
    if unsaid:
        yield from (f"{numbers.plural(unsaid, noun)} more had no room here.", "")


def folded(summary: str) -> Iterable[str]:
    """The beginning of what is hidden until somebody opens it; ``</details>`` ends it."""
    # The empty line makes Markdown of what follows inside the element.
    return (f"<details><summary>{summary}</summary>", "")


def items(lines: Iterable[Line]) -> Iterator[str]:
    """Lines of a terminal without an end as items of a list."""
    return (f"- {escaped(line.text.strip())}" for line in lines)
